//! Which proxy stands between us and a server, by the variables that every program knows. Pure.

use super::address::Address;

/// The proxy for `address`: that of its scheme, else that of all, in small letters first as curl
/// has it; none for a host that `no_proxy` names.
pub fn proxy_for(address: &Address, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let named = |name: &str| {
        let set = variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
        set.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let scheme = if address.is_secure() { "https_proxy" } else { "http_proxy" };
    let proxy = named(scheme).or_else(|| named("all_proxy"))?;
    let excepted = named("no_proxy").is_some_and(|list| excepts(&list, address.host()));
    (!excepted).then_some(proxy)
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

    fn chosen(address: &str, variables: &[(&str, &str)]) -> Option<String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        proxy_for(&Address::parse(address).unwrap(), find)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_small_letters_win() {
        let both = [("HTTPS_PROXY", "http://s:1"), ("http_proxy", "http://p:2")];
        assert_eq!(chosen("https://example.org/", &both).as_deref(), Some("http://s:1"));
        assert_eq!(chosen("http://127.0.0.1/", &both).as_deref(), Some("http://p:2"));
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
        let variables = [("http_proxy", "http://p:1"), ("NO_PROXY", "::1,127.0.0.1")];
        assert_eq!(chosen("http://[::1]:9/", &variables), None);
        assert_eq!(chosen("http://127.0.0.1:9/", &variables), None);
    }
}
