//! Whose page a browser sends a request for, and which name it came to.

use std::net::IpAddr;

use axum::http::header::{HOST, HeaderName, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};

/// What a browser says of the page that a request is for.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// An IP address cannot be rebound, so a request that names one came here on purpose; so did one for
/// `localhost` or for one of `names`. Any other name is a web site's that points here (DNS rebinding).
pub fn is_our_name(uri: &Uri, headers: &HeaderMap, names: &[String]) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Some(host) = host.to_str().ok().and_then(|text| text.parse::<Uri>().ok()) else {
        return false;
    };
    let ours = |name: &str| {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || names.iter().any(|own| name.eq_ignore_ascii_case(own))
    };
    host.host().is_some_and(ours) && uri.host().is_none_or(ours)
}

/// Whether a browser sends this for a page that is not ours. Its Origin is that of our own page only
/// if it is the very name and port that the request came to, by TLS only where a proxy may have it; what is no
/// browser sends none.
pub fn is_foreign(headers: &HeaderMap, may_be_proxied: bool) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| {
            let secure = origin.strip_prefix("https://").filter(|_| may_be_proxied);
            origin.strip_prefix("http://").or(secure)
        });
        origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
    };
    let is_from_here = |site: &HeaderValue| site == "same-origin" || site == "none";
    !headers.get_all(ORIGIN).iter().all(is_own)
        || !headers.get_all(FETCH_SITE).iter().all(is_from_here)
}

/// The page's origin, where there is one that can be named.
pub fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()).filter(|origin| *origin != "null")
}

/// Whether it changes something, or opens a WebSocket: a browser lets any page do that, and lets it read
/// what comes.
pub fn is_more_than_a_look(method: &Method, headers: &HeaderMap) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) || headers.contains_key(UPGRADE)
}
