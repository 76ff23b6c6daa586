//! From text to `File`, gathering every unknown key and every value of the wrong type.
//!
//! serde stops at the first fault. So each entry is tried alone, on top of the defaults, and what
//! fails is replaced by its default; the caller gets a whole `File` and the list of faults.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::fault::{ConfigError, Fault};
use super::file::{
    Account, Bridge, File, Handset, Language, Lookup, Person, RingCentral, Token, Webhook,
};

/// Sections of which there may be several.
pub(super) const LISTS: [&str; 9] = [
    "accounts",
    "bridge",
    "handset",
    "language",
    "lookup",
    "person",
    "ringcentral",
    "token",
    "webhook",
];

/// One of them with nothing written in it.
pub(super) fn blank(section: &str) -> Option<Table> {
    let blank = match section {
        "accounts" => Table::try_from(Account::default()),
        "bridge" => Table::try_from(Bridge::default()),
        "handset" => Table::try_from(Handset::default()),
        "language" => Table::try_from(Language::default()),
        "lookup" => Table::try_from(Lookup::default()),
        "person" => Table::try_from(Person::default()),
        "ringcentral" => Table::try_from(RingCentral::default()),
        "token" => Table::try_from(Token::default()),
        "webhook" => Table::try_from(Webhook::default()),
        _ => return None,
    };
    blank.ok()
}

/// The file as far as it could be understood, and what could not be.
pub(super) fn parse(text: &str) -> Result<(File, Vec<Fault>), ConfigError> {
    let written: Table = text.parse().map_err(|error| syntax(text, &error))?;
    let mut accepted = defaults();
    let mut faults = Vec::new();
    for (section, value) in written {
        match section.as_str() {
            "language" => {
                sections::<Language>(&section, "code", &value, &mut accepted, &mut faults)
            }
            "person" => sections::<Person>(&section, "name", &value, &mut accepted, &mut faults),
            "lookup" => sections::<Lookup>(&section, "name", &value, &mut accepted, &mut faults),
            "accounts" => sections::<Account>(&section, "name", &value, &mut accepted, &mut faults),
            "ringcentral" => {
                sections::<RingCentral>(&section, "name", &value, &mut accepted, &mut faults);
            }
            "token" => sections::<Token>(&section, "name", &value, &mut accepted, &mut faults),
            "bridge" => sections::<Bridge>(&section, "name", &value, &mut accepted, &mut faults),
            "handset" => sections::<Handset>(&section, "name", &value, &mut accepted, &mut faults),
            "webhook" => sections::<Webhook>(&section, "name", &value, &mut accepted, &mut faults),
            _ => single(section, value, &mut accepted, &mut faults),
        }
    }
    let file = File::deserialize(accepted).expect("every entry was tried alone before");
    Ok((file, faults))
}

/// A section that there is once.
fn single(section: String, value: Value, accepted: &mut Table, faults: &mut Vec<Fault>) {
    let Some(Value::Table(known)) = accepted.get(&section).cloned() else {
        faults.push(unknown(&section, "section", &value, accepted.keys()));
        return;
    };
    let Value::Table(entries) = value else {
        faults.push(Fault::new(&section, &value, format!("a section, [{section}]")));
        return;
    };
    for (key, value) in entries {
        let dotted = format!("{section}.{key}");
        let Some(default) = known.get(&key) else {
            faults.push(unknown(&dotted, "key", &value, known.keys()));
            continue;
        };
        if fits(&section, &key, &value) {
            set(accepted, &section, &key, value);
        } else {
            faults.push(Fault::new(&dotted, &value, type_of(default)));
        }
    }
}

/// The sections of which there may be many, each called by its key `called`.
fn sections<T>(
    section: &str,
    called: &str,
    value: &Value,
    accepted: &mut Table,
    faults: &mut Vec<Fault>,
) where
    T: Default + Serialize + DeserializeOwned,
{
    let known = Table::try_from(T::default()).expect("plain strings, numbers, lists and tables");
    let allowed = format!("sections, [[{section}]]");
    let Some(written) = value.as_array() else {
        faults.push(Fault::new(section, "...", allowed));
        return;
    };
    let mut sound = Vec::new();
    for (index, one) in written.iter().enumerate() {
        let Some(entries) = one.as_table() else {
            faults.push(Fault::new(section, one, &allowed));
            continue;
        };
        let name = match entries.get(called).and_then(Value::as_str) {
            Some(name) => format!("{section}.{name}"),
            None => format!("{section}[{index}]"),
        };
        let mut kept = known.clone();
        for (key, value) in entries {
            let dotted = format!("{name}.{key}");
            let Some(default) = known.get(key) else {
                faults.push(unknown(&dotted, "key", value, known.keys()));
                continue;
            };
            let mut tried = kept.clone();
            tried.insert(key.clone(), value.clone());
            if T::deserialize(tried.clone()).is_ok() {
                kept = tried;
            } else {
                let texts = Value::Array(vec![Value::String(String::new())]);
                let shown = if default.is_array() { &texts } else { default };
                faults.push(Fault::new(&dotted, value, type_of(shown)));
            }
        }
        sound.push(Value::Table(kept));
    }
    accepted.insert(section.to_owned(), Value::Array(sound));
}

pub(super) fn defaults() -> Table {
    Table::try_from(File::default()).expect("the defaults are plain strings, numbers and lists")
}

fn set(table: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(entries)) = table.get_mut(section) {
        entries.insert(key.to_owned(), value);
    }
}

/// Whether the entry has the type that `File` wants.
fn fits(section: &str, key: &str, value: &Value) -> bool {
    let mut alone = defaults();
    set(&mut alone, section, key, value.clone());
    File::deserialize(alone).is_ok()
}

fn type_of(default: &Value) -> String {
    match default {
        Value::Array(items) => match items.first() {
            Some(item) => format!("a list, each {}", type_of(item)),
            None => "a list".to_owned(),
        },
        Value::String(_) => "a text in quotes".to_owned(),
        Value::Integer(_) => "a whole number".to_owned(),
        Value::Float(_) => "a number".to_owned(),
        Value::Boolean(_) => "true or false".to_owned(),
        other => format!("a {}", other.type_str()),
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    ConfigError::Syntax {
        path: None,
        line: before.matches('\n').count() + 1,
        message: error.message().trim().to_owned(),
    }
}

fn unknown<'a>(
    dotted: &str,
    kind: &str,
    value: &Value,
    known: impl Iterator<Item = &'a String>,
) -> Fault {
    let (prefix, word) = dotted.rsplit_once('.').map_or(("", dotted), |(p, w)| (p, w));
    let known: Vec<&str> = known.map(String::as_str).collect();
    let meant = known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(far, candidate)| *far <= 2.max(candidate.len() / 3))
        .min_by_key(|(far, _)| *far);
    let allowed = match meant {
        Some((_, name)) if prefix.is_empty() => format!("no such {kind}; did you mean [{name}]?"),
        Some((_, name)) => format!("no such {kind}; did you mean {prefix}.{name}?"),
        None => format!("no such {kind}; there are {}", known.join(", ")),
    };
    let value = if value.is_table() { "...".to_owned() } else { value.to_string() };
    Fault::new(dotted, value, allowed)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        row[0] = left;
        for (j, y) in b.iter().enumerate() {
            let up = row[j + 1];
            left = (diagonal + usize::from(x != *y)).min(up + 1).min(left + 1);
            diagonal = up;
            row[j + 1] = left;
        }
    }
    row[b.len()]
}
