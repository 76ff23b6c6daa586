//! The sections `[[token]]`: who may use the HTTP interface, and for what.

use super::checked::Check;
use super::file;
use super::values::{Allowed, allowed};
use crate::base::limits;
use crate::web::{Scope, Scopes};

const NAME_CHARS: usize = 32;

/// One section. The token itself is a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub name: String,
    pub scopes: Scopes,
    /// As browsers write them.
    pub origins: Vec<String>,
}

pub(super) fn tokens(sections: &[file::Token], check: &mut Check<'_>) -> Option<Vec<Token>> {
    if sections.len() > limits::TOKENS {
        let fault = allowed::<()>(format!("at most {} sections", limits::TOKENS));
        check.take("token", sections.len(), fault);
    }
    let tokens: Vec<Option<Token>> = sections.iter().map(|section| one(section, check)).collect();
    for (index, section) in sections.iter().enumerate() {
        if sections.iter().take(index).any(|other| other.name == section.name) {
            let key = format!("token.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once"));
        }
    }
    tokens.into_iter().collect()
}

fn one(section: &file::Token, check: &mut Check<'_>) -> Option<Token> {
    let key = |name: &str| format!("token.{}.{name}", section.name);
    let name = check.take(&key("name"), &section.name, name(&section.name));
    let scopes = check.take(&key("scopes"), &section.scopes, scopes(&section.scopes));
    let origins = match section.origins.len() {
        0..=limits::TOKEN_ORIGINS => section.origins.iter().map(|text| origin(text)).collect(),
        _ => allowed(format!("at most {}", limits::TOKEN_ORIGINS)),
    };
    let origins = check.take(&key("origins"), &section.origins, origins);
    Some(Token { name: name?, scopes: scopes?, origins: origins? })
}

/// What a credential can be called by.
pub(super) fn name(text: &str) -> Result<String, Allowed> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match text {
        text if (1..=NAME_CHARS).contains(&text.len()) && text.chars().all(is_plain) => {
            Ok(text.to_owned())
        }
        _ => allowed(format!("1 to {NAME_CHARS} small letters, digits and underscores")),
    }
}

fn scopes(names: &[String]) -> Result<Scopes, Allowed> {
    let scopes: Option<Scopes> = names.iter().map(|name| Scope::from_name(name)).collect();
    match scopes.filter(|scopes| *scopes != Scopes::default()) {
        Some(scopes) => Ok(scopes),
        None => allowed(format!("one or more of {}", Scopes::all().text().replace(' ', ", "))),
    }
}

/// A scheme, a host and perhaps a port (RFC 6454 section 6.2), as a browser sends it.
fn origin(text: &str) -> Result<String, Allowed> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    let is_usual = !text.ends_with(":443") && !text.ends_with(":80");
    match host {
        Some(host) if !host.is_empty() && host.chars().all(fits) && is_usual => Ok(text.to_owned()),
        _ => allowed(
            "origins in small letters without a path or a usual port, as in https://shop.example",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for text in ["https://shop.example", "http://127.0.0.1:3000", "http://[::1]:3000"] {
            assert_eq!(origin(text).ok().as_deref(), Some(text));
        }
        for text in [
            "shop.example",
            "https://shop.example/",
            "https://Shop.example",
            "*",
            "https://",
            "https://a:443",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_good_for_something() {
        let named =
            |names: &[&str]| scopes(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(named(&["read", "dial"]).unwrap().text(), "read dial");
        assert!(named(&[]).is_err() && named(&["read", "everything"]).is_err());
    }
}
