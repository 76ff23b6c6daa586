//! Which of a registrar's bindings is ours, and how long it is kept (RFC 3261 sections 10.2.4 and
//! 19.1.4).

use crate::sip::message::{NameAddr, Response, Uri};

/// Another telephone's binding may be about to run out.
const LEAST_OF_OTHERS_S: u32 = 60;

/// Seconds that our binding is kept (section 10.2.4): as its Contact says, else as the response
/// does, else as was asked. A registrar may write our address in another way, as one that mends what
/// translators of addresses do: then the least time of our user's bindings is believed, of which one may
/// be ours and others those of other telephones.
pub(super) fn granted_s(ok: &Response, ours: &Uri, asked_s: u32) -> u32 {
    let all = ok.contacts();
    let own = all.iter().find(|contact| is_same(&contact.uri, ours));
    let expires = |contact: &NameAddr| contact.params.value("expires")?.parse::<u32>().ok();
    let stated = match own {
        Some(own) => expires(own),
        None => {
            let of_user = all.iter().filter(|contact| contact.uri.user() == ours.user());
            let least = of_user.filter_map(expires).filter(|seconds| *seconds > 0).min();
            let is_alone = all.len() == 1;
            let least = least.map(|s| if is_alone { s } else { s.max(LEAST_OF_OTHERS_S) });
            [least, ok.expires()].into_iter().flatten().min()
        }
    };
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
