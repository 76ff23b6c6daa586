//! The sections `[[lookup]]`: what can be asked of the owner's own systems, and how.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use super::checked::Check;
use super::file;
use super::llm::address;
use super::values::{Allowed, allowed, within};
use crate::appliance::llm::Address;
use crate::appliance::lookup::{Method, SEARCH_KNOWLEDGE, Template};
use crate::converse::llm::Tool;
use crate::converse::lookup::{self, Parameter, ParameterKind};

/// Sections at most: each is offered to a model with every question.
const SECTIONS: usize = 16;
/// Parameters, header fields and fields of one.
const ENTRIES: usize = 16;
const NAME_CHARS: usize = 40;
const DESCRIPTION_CHARS: usize = 300;
/// Digits of the longest reference number.
const DIGITS: usize = 34;

/// One section.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// What a conversation knows of it.
    pub asked: lookup::Lookup,
    pub address: Address,
    pub method: Method,
    pub target: Template,
    /// With `{secret}` where the secret goes.
    pub headers: Vec<(String, String)>,
    /// Names and RFC 6901 pointers.
    pub fields: Vec<(String, String)>,
    pub timeout: Duration,
}

pub(super) fn lookups(sections: &[file::Lookup], check: &mut Check<'_>) -> Option<Vec<Lookup>> {
    if sections.len() > SECTIONS {
        let fault = allowed::<()>(format!("at most {SECTIONS} sections"));
        check.take("lookup", sections.len(), fault);
    }
    let lookups: Vec<Option<Lookup>> = sections.iter().map(|section| one(section, check)).collect();
    for (index, section) in sections.iter().enumerate() {
        if sections.iter().take(index).any(|other| other.name == section.name) {
            let key = format!("lookup.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once"));
        }
    }
    lookups.into_iter().collect()
}

fn one(section: &file::Lookup, check: &mut Check<'_>) -> Option<Lookup> {
    let key = |name: &str| format!("lookup.{}.{name}", section.name);
    let name = match section.name.as_str() {
        text if Tool::of_name(text).is_some() || text == SEARCH_KNOWLEDGE => {
            allowed("no name of one of the program's tools")
        }
        text if is_name(text) => Ok(text.to_owned()),
        _ => allowed(format!("1 to {NAME_CHARS} small letters, digits and underscores")),
    };
    let name = check.take(&key("name"), &section.name, name);
    let description = match section.description.trim() {
        text if (1..=DESCRIPTION_CHARS).contains(&text.chars().count()) => Ok(text.to_owned()),
        _ => allowed(format!("what it answers, at most {DESCRIPTION_CHARS} characters")),
    };
    let description = check.take(&key("description"), &section.description, description);
    let method = match section.method.as_str() {
        "GET" => Ok(Method::Get),
        "POST" => Ok(Method::Post),
        _ => allowed("GET or POST"),
    };
    let method = check.take(&key("method"), &section.method, method);
    let changes = method == Some(Method::Post) && !section.changes_nothing;
    let parameters = entries(&section.parameters, |name, kind| {
        let kind = kind_of(kind).filter(|_| is_name(name))?;
        Some(Parameter { name: name.to_owned(), kind })
    });
    let parameters = parameters.ok_or("names, each with digits, digits MIN-MAX or text");
    let parameters = check.take(&key("parameters"), &section.parameters, told(parameters));
    let url = url(&section.url).and_then(|(address, target)| {
        let is_unknown = |name: &&str| !section.parameters.contains_key(*name);
        let unknown = target.names().find(is_unknown).map(str::to_owned);
        match unknown {
            Some(name) => allowed(format!("{{{name}}} as an entry of parameters, too")),
            None => Ok((address, target)),
        }
    });
    let url = check.take(&key("url"), &section.url, url);
    let is_field = |name: &str| HeaderName::try_from(name).is_ok_and(|name| !is_ours(&name));
    let headers = entries(&section.headers, |name, value| {
        let is_sound = is_field(name) && HeaderValue::try_from(value).is_ok();
        is_sound.then(|| (name.to_owned(), value.to_owned()))
    });
    let headers = headers.ok_or("header fields; Host and those of the body are the program's");
    // The value may be a secret that somebody has written here.
    let headers = check.take(&key("headers"), "...", told(headers));
    let fields = entries(&section.fields, |name, pointer| {
        let is_sound = is_name(name) && (pointer.is_empty() || pointer.starts_with('/'));
        is_sound.then(|| (name.to_owned(), pointer.to_owned()))
    });
    let fields = fields.filter(|fields| !fields.is_empty());
    let fields = fields.ok_or("at least one name with its place, as in status = \"/order/status\"");
    let fields = check.take(&key("fields"), &section.fields, told(fields));
    let timeout = within(section.timeout_ms, 100, 10_000);
    let timeout = timeout.map(|ms| Duration::from_millis(ms.into()));
    let timeout = check.take(&key("timeout_ms"), section.timeout_ms, timeout);
    let (address, target) = url?;
    let fields: Vec<(String, String)> = fields?;
    Some(Lookup {
        asked: lookup::Lookup {
            name: name?,
            description: description?,
            parameters: parameters?,
            fields: fields.iter().map(|(name, _)| name.clone()).collect(),
            changes,
        },
        address,
        method: method?,
        target,
        headers: headers?,
        fields,
        timeout: timeout?,
    })
}

fn told<T>(outcome: Result<T, &'static str>) -> Result<T, Allowed> {
    outcome.or_else(|text| allowed(text))
}

/// Every entry, or none if one is wrong.
fn entries<T>(
    table: &std::collections::BTreeMap<String, String>,
    read: impl Fn(&str, &str) -> Option<T>,
) -> Option<Vec<T>> {
    let all = table.iter().map(|(name, value)| read(name, value));
    all.collect::<Option<Vec<T>>>().filter(|all| all.len() <= ENTRIES)
}

fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=NAME_CHARS).contains(&text.len()) && text.chars().all(is_plain)
}

/// What the program writes itself.
fn is_ours(name: &HeaderName) -> bool {
    ["host", "content-length", "content-type", "transfer-encoding", "connection"]
        .contains(&name.as_str())
}

fn kind_of(text: &str) -> Option<ParameterKind> {
    let (kind, range) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    match (kind, range.trim()) {
        ("text", "") => Some(ParameterKind::Text),
        ("digits", "") => Some(ParameterKind::Digits { min: 1, max: DIGITS }),
        ("digits", range) => {
            let (min, max) = range.split_once('-').unwrap_or((range, range));
            let (min, max) = (min.trim().parse().ok()?, max.trim().parse().ok()?);
            let is_range = 1 <= min && min <= max && max <= DIGITS;
            is_range.then_some(ParameterKind::Digits { min, max })
        }
        _ => None,
    }
}

/// Host and port are the owner's alone: values stand behind them.
fn url(text: &str) -> Result<(Address, Template), Allowed> {
    const WRONG: &str = "http://HOST:PORT/PATH or https://HOST/PATH, with {name} in path and query";
    let Some((scheme, rest)) = text.split_once("://") else { return allowed(WRONG) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    if authority.contains(['{', '}', '@']) {
        return allowed("a host without values and without a user");
    }
    let Ok(Some(address)) = address(&format!("{scheme}://{authority}")) else {
        return allowed(WRONG);
    };
    match Template::parse(if target.is_empty() { "/" } else { target }) {
        Ok(target) => Ok((address, target)),
        Err(wrong) => allowed(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_the_owners_up_to_the_path() {
        let read = |text: &str| url(text).ok();
        let (address, target) = read("https://erp.example.net/v1/o/{order}?full={place}").unwrap();
        assert_eq!(
            (address.tls, address.host.as_str(), address.port),
            (true, "erp.example.net", 443)
        );
        assert_eq!(target.names().collect::<Vec<_>>(), ["order", "place"]);
        assert!(read("http://[::1]:8080/o/{order}").is_some());
        for wrong in [
            "",
            "/o/{order}",
            "ftp://erp/o",
            "https://{order}.example.net/",
            "https://me:secret@erp.example.net/",
            "https://erp.example.net:{order}/",
            "https://erp.example.net?o={order}",
            "https://erp.example.net/o/{order",
            "https://erp.example.net/o/{}",
            "https://erp.example.net/o#{order}",
            "https://erp.example.net/o\r\nHost: x",
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
