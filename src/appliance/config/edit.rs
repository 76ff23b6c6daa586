//! A configuration file with other values in it: comments, order and what is not touched stay as they are.

use serde_json::{Map, Value};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table};

/// Why it cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    #[error("the file is not TOML")]
    NotToml,
    #[error("{0}: no such key can be set")]
    Key(String),
    #[error("{0}: a text, a number, true or false, or lists and tables of them")]
    Value(String),
}

/// Keys that name code of the machine, which is loaded, or a folder whose files are read out, sent with backups and written by
/// them: they are the box's own, for whoever may write files on it.
pub const OF_THE_BOX: [&str; 3] = ["gpu.library", "speech.onnxruntime", "knowledge.folder"];

/// What a text says for such a key; empty: nothing.
fn of_the_box(document: &DocumentMut, key: &str) -> String {
    let (section, key) = key.split_once('.').unwrap_or((key, ""));
    let value = document.get(section).and_then(|section| section.get(key));
    value.and_then(Item::as_str).unwrap_or_default().to_owned()
}

/// The first of the box's own keys that has another value in `new`. A text that is no TOML says nothing.
pub fn changed_of_the_box(old: &str, new: &str) -> Option<&'static str> {
    let parsed = |text: &str| text.parse::<DocumentMut>().unwrap_or_default();
    let (old, new) = (parsed(old), parsed(new));
    OF_THE_BOX.into_iter().find(|key| of_the_box(&old, key) != of_the_box(&new, key))
}

/// `new` with the box's own keys as `old` has them.
pub fn kept_of_the_box(old: &str, new: &str) -> Result<String, NotEdited> {
    let document = old.parse::<DocumentMut>().unwrap_or_default();
    let Some(_) = changed_of_the_box(old, new) else { return Ok(new.to_owned()) };
    let value = |key: &str| match of_the_box(&document, key) {
        text if text.is_empty() => Value::Null,
        text => Value::String(text),
    };
    edited(new, &OF_THE_BOX.map(|key| (key.to_owned(), value(key))).into_iter().collect())
}

/// `changes`: by dotted key, as in `calls.max`, the new value, or null for the default; by the name of a section that
/// there may be several of, as in `person`, all of them.
pub fn edited(text: &str, changes: &Map<String, Value>) -> Result<String, NotEdited> {
    let mut document: DocumentMut = text.parse().map_err(|_| NotEdited::NotToml)?;
    for (key, value) in changes {
        match (key.rsplit_once('.'), value) {
            (None, Value::Array(rows)) => replace(document.as_table_mut(), key, rows)?,
            (Some((section, key)), value) => set(document.as_table_mut(), section, key, value)?,
            (None, _) => return Err(NotEdited::Key(key.clone())),
        }
    }
    Ok(document.to_string())
}

fn set(root: &mut Table, section: &str, key: &str, value: &Value) -> Result<(), NotEdited> {
    let name = || format!("{section}.{key}");
    let mut table = root;
    for part in section.split('.') {
        let item = table.entry(part).or_insert_with(|| {
            // Without a line of its own where it holds other tables only.
            let mut new = Table::new();
            new.set_implicit(true);
            Item::Table(new)
        });
        table = item.as_table_mut().ok_or_else(|| NotEdited::Key(name()))?;
    }
    if value.is_null() {
        table.remove(key);
        return Ok(());
    }
    put(table, key, value).ok_or_else(|| NotEdited::Value(name()))
}

/// What stands after the old value stays.
fn put(table: &mut Table, key: &str, value: &Value) -> Option<()> {
    let mut new = written(value)?;
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(key, Item::Value(new));
        }
    }
    Some(())
}

/// A table that is there by the same name keeps its comments.
fn replace(root: &mut Table, section: &str, rows: &[Value]) -> Result<(), NotEdited> {
    let fault = || NotEdited::Value(section.to_owned());
    let old = match root.remove(section) {
        Some(Item::ArrayOfTables(old)) => old,
        None => ArrayOfTables::new(),
        Some(_) => return Err(NotEdited::Key(section.to_owned())),
    };
    let mut new = ArrayOfTables::new();
    for row in rows {
        let row = row.as_object().ok_or_else(fault)?;
        let is_it = |table: &&Table| {
            ["name", "code"].iter().any(|key| {
                let wanted = row.get(*key).and_then(Value::as_str);
                wanted.is_some() && table.get(key).and_then(Item::as_str) == wanted
            })
        };
        let mut table = old.iter().find(is_it).cloned().unwrap_or_default();
        let gone: Vec<String> = table
            .iter()
            .map(|(key, _)| key.to_owned())
            .filter(|key| row.get(key).is_none_or(Value::is_null))
            .collect();
        gone.iter().for_each(|key| drop(table.remove(key)));
        for (key, value) in row.iter().filter(|(_, value)| !value.is_null()) {
            put(&mut table, key, value).ok_or_else(fault)?;
        }
        new.push(table);
    }
    if !new.is_empty() {
        root.insert(section, Item::ArrayOfTables(new));
    }
    Ok(())
}

fn written(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Bool(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        Value::Number(value) => match value.as_i64() {
            Some(value) => value.into(),
            None => value.as_f64()?.into(),
        },
        Value::Array(values) => {
            let values = values.iter().map(written).collect::<Option<Vec<_>>>()?;
            toml_edit::Value::Array(values.into_iter().collect::<Array>())
        }
        Value::Object(values) => {
            let mut table = InlineTable::new();
            for (key, value) in values {
                table.insert(key, written(value)?);
            }
            toml_edit::Value::InlineTable(table)
        }
        Value::Null => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(text: &str, changes: Value) -> Result<String, NotEdited> {
        edited(text, changes.as_object().unwrap())
    }

    #[test]
    fn comments_and_order_stay() {
        let text = "# Ours.\n[calls]\n# As many as we have lines.\nmax = 5 # five\nmax_duration_s = 60\n\n[log]\nlevel = \"info\"\n";
        let new = with(text, json!({ "calls.max": 7, "log.level": null, "sip.tls.key": "k" }));
        let new = new.unwrap();
        let kept = "# Ours.\n[calls]\n# As many as we have lines.\nmax = 7 # five\nmax_duration_s = 60\n\n[log]\n";
        assert!(new.starts_with(kept), "{new}");
        assert!(new.ends_with("[sip.tls]\nkey = \"k\"\n") && !new.contains("[sip]"), "{new}");
        assert_eq!(with(text, json!({})).unwrap(), text);
    }

    #[test]
    fn of_sections_that_there_are_several_of_those_that_stay_keep_their_comments() {
        let text = "[[person]]\n# At the desk.\nname = \"Ann\"\naddress = \"+49301\"\nring_s = 20\n\n[[person]]\nname = \"Bob\"\n";
        let rows = json!({ "person": [{ "name": "Ann", "address": "+49302" }, { "name": "Cleo", "phrases": ["sales"] }] });
        let new = with(text, rows).unwrap();
        assert!(new.contains("# At the desk.\nname = \"Ann\"\naddress = \"+49302\"\n"), "{new}");
        assert!(new.contains("name = \"Cleo\"\nphrases = [\"sales\"]"), "{new}");
        assert!(!new.contains("ring_s") && !new.contains("Bob"), "{new}");
        assert_eq!(with(&new, json!({ "person": [] })).unwrap().trim(), "");
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_key() {
        assert_eq!(with("a = [", json!({})), Err(NotEdited::NotToml));
        assert!(matches!(with("", json!({ "calls": 7 })), Err(NotEdited::Key(_))));
        assert!(matches!(with("", json!({ "person": ["Ann"] })), Err(NotEdited::Value(_))));
        assert!(matches!(with("calls = 7", json!({ "calls.max": 7 })), Err(NotEdited::Key(_))));
    }
}
