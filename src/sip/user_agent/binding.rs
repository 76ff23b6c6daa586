//! Which of a registrar's bindings is ours, and how long it is kept (RFC 3261 sections 10.2.4 and
//! 19.1.4).

use crate::sip::message::{Response, Uri};

/// Seconds that our binding is kept (section 10.2.4): as its Contact says, else as the response
/// does, else as was asked. A registrar may write our address in another way.
pub(super) fn granted_s(ok: &Response, ours: &Uri, asked_s: u32) -> u32 {
    let all = ok.contacts();
    let own = all.iter().find(|contact| is_same(&contact.uri, ours));
    let stated = own.and_then(|contact| contact.params.value("expires")?.parse().ok());
    stated.or_else(|| ok.expires()).unwrap_or(asked_s)
}

/// RFC 3261 section 19.1.4, but that a port which goes without saying is the same said, and that
/// parameters of the registrar's do not count.
pub(super) fn is_same(a: &Uri, b: &Uri) -> bool {
    let hosts = matches!((a.host(), b.host()), (Some(a), Some(b)) if a.same(b));
    let port = |uri: &Uri| uri.port().unwrap_or(5060);
    let transport = |uri: &Uri| uri.transport().unwrap_or("udp").to_ascii_lowercase();
    hosts && port(a) == port(b) && transport(a) == transport(b) && a.user() == b.user()
}
