//! The sections `[[webhook]]`: who is told what happens.

use super::checked::Check;
use super::file;
use super::tokens::name;
use super::values::{Allowed, allowed};
use crate::appliance::llm::Address;
use crate::appliance::url::Url;
use crate::base::{Private, limits};
use crate::web::is_event_type;

/// Types of one webhook.
const TYPES: usize = 32;

/// One section. The secret is a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    pub name: String,
    pub address: Address,
    /// Path and query, in which a secret may stand.
    pub target: Private<String>,
    pub events: Vec<String>,
    pub words: bool,
}

pub(super) fn webhooks(sections: &[file::Webhook], check: &mut Check<'_>) -> Option<Vec<Webhook>> {
    if sections.len() > limits::WEBHOOKS {
        let fault = allowed::<()>(format!("at most {} sections", limits::WEBHOOKS));
        check.take("webhook", sections.len(), fault);
    }
    let all: Vec<Option<Webhook>> = sections.iter().map(|section| one(section, check)).collect();
    for (index, section) in sections.iter().enumerate() {
        if sections.iter().take(index).any(|other| other.name == section.name) {
            let key = format!("webhook.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once"));
        }
    }
    all.into_iter().collect()
}

fn one(section: &file::Webhook, check: &mut Check<'_>) -> Option<Webhook> {
    let key = |name: &str| format!("webhook.{}.{name}", section.name);
    let name = check.take(&key("name"), &section.name, name(&section.name));
    // A path may hold a secret.
    let url = check.take(&key("url"), "...", url(&section.url));
    let events = match section.events.len() {
        1..=TYPES if section.events.iter().all(|event| is_event_type(event)) => {
            Ok(section.events.clone())
        }
        _ => {
            allowed("types of events, or what they begin with, as in \"message.left\" and \"call\"")
        }
    };
    let events = check.take(&key("events"), &section.events, events);
    let (address, target) = url?;
    let target = Private::new(target);
    Some(Webhook { name: name?, address, target, events: events?, words: section.words })
}

/// Words and numbers leave the box by TLS, or do not leave it.
pub(super) fn url(text: &str) -> Result<(Address, String), Allowed> {
    let wrong = "https://HOST/PATH; http:// only with 127.0.0.1, [::1] or localhost";
    let Some(url) = Url::read(text, ["http", "https"]).filter(Url::is_safe) else {
        return allowed(wrong);
    };
    let target = url.target();
    Ok((Address { tls: url.tls, host: url.host, port: url.port, prefix: String::new() }, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_asked_by_tls_or_on_the_box() {
        let (address, target) = url("https://shop.example/hooks/7?a=b").ok().unwrap();
        assert_eq!((address.tls, address.port, target.as_str()), (true, 443, "/hooks/7?a=b"));
        assert_eq!(url("http://127.0.0.1:9000").ok().unwrap().1, "/");
        assert!(url("http://[::1]:9000/x").is_ok() && url("http://localhost/x").is_ok());
        for wrong in
            ["", "shop.example", "http://shop.example/", "ftp://127.0.0.1/", "https://a@b.example/"]
        {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
