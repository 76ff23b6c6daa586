//! Which proxy stands between us and a server, by the variables that every program knows. Pure.

use ureq::http::Uri;

use super::address::Address;

/// A proxy, and the variable that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub variable: String,
    /// May hold a password.
    pub address: String,
}

/// Why there is no way by the proxy that is named; its address is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("{0} names a SOCKS proxy, which cannot be used; an http or https one can")]
    Socks(String),
    #[error("{0} is no address as in http://HOST:PORT")]
    Malformed(String),
    /// The tunnel that is asked of a proxy is for TLS: most refuse it for anything else.
    #[error(
        "{variable} names a proxy, and http without TLS goes by none; to ask {host} directly, put it into no_proxy"
    )]
    Plain { variable: String, host: String },
}

/// The proxy for `address`: that of its scheme, else that of all, in small letters first as curl
/// has it; none for this machine, or for a host that `no_proxy` names.
pub fn proxy_for(
    address: &Address,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Named>, ProxyError> {
    let named = |name: &str| {
        let find = |name: String| variable(&name).map(|text| (name, text));
        let (variable, text) = find(name.to_owned()).or_else(|| find(name.to_ascii_uppercase()))?;
        let address = text.trim().to_owned();
        (!address.is_empty()).then_some(Named { variable, address })
    };
    let scheme = if address.is_secure() { "https_proxy" } else { "http_proxy" };
    let Some(proxy) = named(scheme).or_else(|| named("all_proxy")) else { return Ok(None) };
    let is_excepted = named("no_proxy").is_some_and(|list| excepts(&list.address, address.host()));
    if is_excepted || address.is_this_machine() {
        return Ok(None);
    }
    let Named { variable, .. } = &proxy;
    match scheme_of(&proxy.address).as_deref() {
        Some(scheme) if scheme.starts_with("socks") => Err(ProxyError::Socks(variable.clone())),
        Some("http" | "https") if !address.is_secure() => {
            Err(ProxyError::Plain { variable: variable.clone(), host: address.host().to_owned() })
        }
        Some("http" | "https") => Ok(Some(proxy)),
        _ => Err(ProxyError::Malformed(variable.clone())),
    }
}

/// In small letters; without one it is http. `None` if there is no host, or no port where one is
/// to be.
fn scheme_of(proxy: &str) -> Option<String> {
    let uri: Uri = proxy.parse().ok()?;
    let authority = uri.authority()?;
    let (_, place) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
    let port = place.strip_prefix(authority.host())?;
    let is_port = port.is_empty() || authority.port_u16().is_some();
    let is_sound = is_port && !authority.host().is_empty();
    is_sound.then(|| uri.scheme_str().unwrap_or("http").to_ascii_lowercase())
}

/// Whether the list names the host or a domain that it is in; ports are not looked at.
fn excepts(list: &str, host: &str) -> bool {
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        let domain = entry.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let domain = domain.trim_start_matches('[').trim_end_matches(']');
        host == domain
            || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && !rest.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str, variables: &[(&str, &str)]) -> Result<Option<Named>, ProxyError> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        proxy_for(&Address::parse(address).unwrap(), find)
    }

    fn chosen(address: &str, variables: &[(&str, &str)]) -> Option<String> {
        found(address, variables).unwrap().map(|named| named.address)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_small_letters_win() {
        let both = [("HTTPS_PROXY", "http://s:1"), ("http_proxy", "http://p:2")];
        assert_eq!(chosen("https://example.org/", &both).as_deref(), Some("http://s:1"));
        let plain = found("http://192.168.1.5/", &both).unwrap_err();
        assert!(plain.to_string().starts_with("http_proxy names"), "{plain}");
        let two = [("HTTPS_PROXY", "http://s:1"), ("https_proxy", "http://small:1")];
        assert_eq!(chosen("https://example.org/", &two).as_deref(), Some("http://small:1"));
        let all = [("ALL_PROXY", "http://a:1"), ("HTTPS_PROXY", " ")];
        assert_eq!(chosen("https://example.org/", &all).as_deref(), Some("http://a:1"));
        assert_eq!(chosen("https://example.org/", &[("HTTP_PROXY", "http://p:2")]), None);
    }

    #[test]
    fn a_host_that_is_excepted_is_asked_directly() {
        for (list, direct) in [
            ("example.org", true),
            (".example.org", true),
            ("*.example.org", true),
            ("localhost, hub.example.org", true),
            ("*", true),
            ("EXAMPLE.org", true),
            ("ample.org", false),
            ("example.com", false),
            ("", false),
        ] {
            let variables = [("https_proxy", "http://p:1"), ("no_proxy", list)];
            let proxy = chosen("https://hub.example.org/m", &variables);
            assert_eq!(proxy.is_none(), direct, "{list}");
        }
        let variables = [("http_proxy", "http://p:1"), ("NO_PROXY", "fd00::1,192.168.1.5")];
        assert_eq!(chosen("http://[fd00::1]:9/", &variables), None);
        assert_eq!(chosen("http://192.168.1.5:9/", &variables), None);
        // No proxy knows the way to what we call ourselves.
        for this in ["http://[::1]:9/", "http://127.0.0.1:9/", "https://localhost/"] {
            assert_eq!(chosen(this, &[("all_proxy", "socks5://p:1")]), None, "{this}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_told_by_its_variable_and_without_its_password() {
        let error = |variable: &str, proxy: &str| {
            found("https://example.org/", &[(variable, proxy)]).unwrap_err()
        };
        for proxy in ["socks5://a:secret@p:1", "SOCKS5h://p", "socks4://p:1", "socks://p:1"] {
            assert_eq!(error("ALL_PROXY", proxy), ProxyError::Socks("ALL_PROXY".to_owned()));
        }
        for proxy in ["ftp://p:1", "http://", "http://:8080", "/p", "p:port", "http://a b"] {
            let error = error("https_proxy", proxy);
            assert_eq!(error, ProxyError::Malformed("https_proxy".to_owned()), "{proxy}");
        }
        for proxy in ["p", "p:3128", "http://a:b@p:3128", "https://p"] {
            let named = chosen("https://example.org/", &[("https_proxy", proxy)]);
            assert_eq!(named.as_deref(), Some(proxy));
        }
    }
}
