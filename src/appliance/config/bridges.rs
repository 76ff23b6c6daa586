//! The sections `[[bridge]]`: telephone bridges that the box connects to.

use super::checked::Check;
use super::file;
use super::tokens::name;
use super::values::{Allowed, allowed};
use crate::appliance::url::Url;
use crate::base::{Private, limits};

/// One section. What is shown to it is a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Bridge {
    pub name: String,
    pub url: Private<String>,
    pub at: Url,
}

pub(super) fn bridges(sections: &[file::Bridge], check: &mut Check<'_>) -> Option<Vec<Bridge>> {
    if sections.len() > limits::BRIDGES {
        let fault = allowed::<()>(format!("at most {} sections", limits::BRIDGES));
        check.take("bridge", sections.len(), fault);
    }
    let all: Vec<Option<Bridge>> = sections.iter().map(|section| one(section, check)).collect();
    for (index, section) in sections.iter().enumerate() {
        if sections.iter().take(index).any(|other| other.name == section.name) {
            let key = format!("bridge.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once"));
        }
    }
    all.into_iter().collect()
}

fn one(section: &file::Bridge, check: &mut Check<'_>) -> Option<Bridge> {
    let key = |name: &str| format!("bridge.{}.{name}", section.name);
    let name = check.take(&key("name"), &section.name, name(&section.name));
    // It may hold a secret.
    let at = check.take(&key("url"), "...", url(&section.url));
    Some(Bridge { name: name?, url: Private::new(section.url.clone()), at: at? })
}

/// Sound leaves the box by TLS, or does not leave it.
fn url(text: &str) -> Result<Url, Allowed> {
    let wrong = "wss://HOST/PATH; ws:// only with 127.0.0.1, [::1] or localhost";
    match Url::read(text, ["ws", "wss"]).filter(Url::is_safe) {
        Some(url) => Ok(url),
        None => allowed(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::super::from_text;

    #[test]
    fn a_bridge_is_reached_by_tls_or_on_the_box() {
        let section = |url: &str| format!("[[bridge]]\nname = \"phone\"\nurl = \"{url}\"\n");
        for url in
            ["wss://bridge.example.net/calls", "ws://127.0.0.1:3000", "ws://[::1]:3000/x?y=z"]
        {
            assert_eq!(from_text(&section(url)).unwrap().bridges.len(), 1, "{url}");
        }
        for url in ["", "ws://bridge.example.net/", "http://127.0.0.1/", "wss://me:secret@x/"] {
            let error = from_text(&section(url)).unwrap_err().to_string();
            assert!(error.contains("bridge.phone.url") && !error.contains("secret"), "{error}");
        }
        let twice = section("ws://127.0.0.1:3000").repeat(2);
        assert!(from_text(&twice).is_err() && from_text(&section("wss://x/").repeat(9)).is_err());
    }
}
