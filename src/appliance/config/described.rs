//! The configuration as the page shows it: every key with what it does, what it is without a file, and what it is.
//!
//! What a key does stands in `attendant.toml` of the source, above it; a test keeps that file whole.

use std::collections::BTreeMap;

use serde::Serialize;
use toml::{Table, Value};
use toml_edit::{DocumentMut, Item};
use utoipa::ToSchema;

use super::fault::ConfigError;
use super::parse;

/// The file of the source: each key with its default and a comment.
pub const DOCUMENTED: &str = include_str!("../../../attendant.toml");

/// A section.
#[derive(Serialize, ToSchema)]
pub struct Section {
    /// As in `calls`, or `sip.tls` for one in another.
    pub name: String,
    pub doc: String,
    pub keys: Vec<Key>,
    /// Of a section that there may be several of: what is written. Null of the others.
    #[schema(value_type = Option<Vec<Object>>)]
    pub rows: Option<Vec<Value>>,
    /// Of such a section: one with nothing written in it.
    #[schema(value_type = Option<Object>)]
    pub blank: Option<Value>,
}

/// A key.
#[derive(Serialize, ToSchema)]
pub struct Key {
    pub key: String,
    /// What it does, in English.
    pub doc: String,
    #[schema(value_type = Value)]
    pub default: Value,
    #[schema(value_type = Value)]
    pub value: Value,
}

/// All sections, with the values that `text` has.
pub fn described(text: &str) -> Result<Vec<Section>, ConfigError> {
    let (file, _) = parse::parse(text)?;
    let values = Table::try_from(file).unwrap_or_default();
    let (docs, lists) = (docs(), list_docs());
    let mut sections = Vec::new();
    for (name, default) in parse::defaults() {
        if let Value::Table(default) = default {
            let written = values.get(&name).and_then(Value::as_table);
            single(&name, &default, written, &docs, &mut sections);
        }
    }
    for name in parse::LISTS {
        let Some(blank) = parse::blank(name) else { continue };
        let about = lists.get(name);
        let doc = |key: &str| about.and_then(|keys| keys.get(key)).cloned().unwrap_or_default();
        let keys = blank.iter().map(|(key, value)| Key {
            key: key.clone(),
            doc: doc(key),
            default: value.clone(),
            value: value.clone(),
        });
        let rows = values.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let (keys, doc) = (keys.collect(), doc(""));
        let blank = Some(Value::Table(blank));
        sections.push(Section { name: name.to_owned(), doc, keys, rows: Some(rows), blank });
    }
    Ok(sections)
}

fn single(
    name: &str,
    default: &Table,
    written: Option<&Table>,
    docs: &BTreeMap<String, String>,
    sections: &mut Vec<Section>,
) {
    let mut keys = Vec::new();
    let mut inner = Vec::new();
    for (key, value) in default {
        let written = written.and_then(|table| table.get(key));
        match value {
            Value::Table(table) => inner.push((format!("{name}.{key}"), table, written)),
            value => keys.push(Key {
                key: key.clone(),
                doc: docs.get(&format!("{name}.{key}")).cloned().unwrap_or_default(),
                default: value.clone(),
                value: written.unwrap_or(value).clone(),
            }),
        }
    }
    let doc = docs.get(name).cloned().unwrap_or_default();
    sections.push(Section { name: name.to_owned(), doc, keys, rows: None, blank: None });
    for (name, table, written) in inner {
        single(&name, table, written.and_then(Value::as_table), docs, sections);
    }
}

/// What stands above each key and each section, by its dotted name.
fn docs() -> BTreeMap<String, String> {
    let mut docs = BTreeMap::new();
    if let Ok(document) = DOCUMENTED.parse::<DocumentMut>() {
        collect("", document.as_table(), &mut docs);
    }
    docs
}

fn collect(prefix: &str, table: &toml_edit::Table, docs: &mut BTreeMap<String, String>) {
    for (key, item) in table {
        let name = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        let decor = match item {
            Item::Table(inner) => inner.decor().prefix(),
            _ => table.key(key).and_then(|key| key.leaf_decor().prefix()),
        };
        let comment = decor.and_then(|text| text.as_str()).unwrap_or_default();
        docs.insert(name.clone(), plain(comment.rsplit("\n\n").next().unwrap_or_default()));
        if let Item::Table(inner) = item {
            collect(&name, inner, docs);
        }
    }
}

/// Sections of which there may be several stand in the file as comments: what is said of each key before it, and of
/// the section under an empty name.
fn list_docs() -> BTreeMap<&'static str, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for name in parse::LISTS {
        let head = format!("# [[{name}]]");
        let mut keys = BTreeMap::new();
        let lines: Vec<&str> = DOCUMENTED.lines().collect();
        let Some(at) = lines.iter().position(|line| *line == head) else { continue };
        let before = lines[..at].iter().rposition(|line| !line.starts_with('#'));
        keys.insert(String::new(), plain(&lines[before.map_or(0, |at| at + 1)..at].join("\n")));
        let mut said = String::new();
        for line in lines[at + 1..].iter().take_while(|line| line.starts_with('#')) {
            let text = line.trim_start_matches('#').trim();
            let is_name = |name: &str| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            };
            match text.split_once(" = ") {
                Some((key, _)) if is_name(key) => {
                    keys.insert(key.to_owned(), said.trim().to_owned());
                    said.clear();
                }
                _ => said = format!("{said} {text}"),
            }
        }
        all.insert(name, keys);
    }
    all
}

/// A comment as running text.
fn plain(comment: &str) -> String {
    let lines = comment.lines().map(|line| line.trim().trim_start_matches('#').trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_a_section_says_what_it_does_and_what_it_is() {
        let sections = described("[calls]\nmax = 7\n[[person]]\nname = \"Ann\"\n").unwrap();
        let section = |name: &str| sections.iter().find(|section| section.name == name).unwrap();
        let max = section("calls").keys.iter().find(|key| key.key == "max").unwrap();
        assert_eq!((&max.value, &max.default), (&Value::Integer(7), &Value::Integer(5)));
        assert!(max.doc.starts_with("Calls at once, 1 to 100."), "{}", max.doc);
        assert!(section("sip.tls").keys.iter().any(|key| key.key == "client_ca"));
        let rows = section("person").rows.as_ref().unwrap();
        assert_eq!(rows[0]["name"].as_str(), Some("Ann"));
        assert!(section("token").doc.contains("token_"), "{}", section("token").doc);
        let silent: Vec<String> = sections
            .iter()
            .filter(|section| section.rows.is_none())
            .flat_map(|section| {
                let silent = section.keys.iter().filter(|key| key.doc.is_empty());
                silent.map(|key| format!("{}.{}", section.name, key.key))
            })
            .collect();
        // Where one comment is for two keys it stands above the first.
        assert!(silent.len() < 12, "{silent:?}");
    }
}
