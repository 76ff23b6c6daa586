//! What can be looked up in the owner's own systems: which questions there are, and what callers' or
//! a model's words may be in them. Asking is the shell's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::Private;

/// Characters of a text that is looked for: a name or a place is shorter.
const TEXT_CHARS: usize = 60;
/// Characters of a search: what a caller says in one breath.
const WORDS_CHARS: usize = 300;

/// One of [`Lookups`] by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LookupId(pub usize);

/// One question that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Letters, digits and underscores; a model calls it by this name.
    pub name: String,
    /// For a model.
    pub description: String,
    pub parameters: Vec<Parameter>,
    /// The names of what comes back.
    pub fields: Vec<String>,
    /// Asking may change something there, which cannot be undone: a model must have the caller's yes.
    #[serde(default)]
    pub changes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterKind {
    /// So many digits.
    Digits { min: usize, max: usize },
    /// Letters, digits, spaces and what stands in names.
    Text,
    /// Any words, for a search: nothing of them stands in an address.
    Words,
}

/// All that are configured. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookups(Arc<[Lookup]>);

/// A question with its values, each of its parameter's kind: only [`Lookups::ask`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    pub lookup: LookupId,
    values: Vec<(String, Private<String>)>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LookedUp {
    /// The fields that are there.
    Found(#[serde(with = "revealed_fields")] Vec<(String, Private<String>)>),
    /// The system has no such thing.
    NotFound,
    /// The system could not be asked, or gave no answer that can be read.
    Failed,
}

/// As `serial::revealed`, for fields by name.
mod revealed_fields {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::base::Private;

    pub fn serialize<S: Serializer>(
        fields: &[(String, Private<String>)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let fields = fields.iter().map(|(name, value)| (name, value.reveal()));
        fields.collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(String, Private<String>)>, D::Error> {
        let fields = Vec::<(String, String)>::deserialize(from)?;
        Ok(fields.into_iter().map(|(name, value)| (name, Private::new(value))).collect())
    }
}

/// A value is missing, or none of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    pub parameter: String,
    pub wanted: String,
}

impl ParameterKind {
    /// The value as it is sent, if it is one.
    fn take(self, written: &str) -> Option<String> {
        match self {
            Self::Digits { min, max } => {
                let digits: String = written.chars().filter(|c| !" -".contains(*c)).collect();
                let is_one = (min..=max).contains(&digits.len())
                    && digits.bytes().all(|byte| byte.is_ascii_digit());
                is_one.then_some(digits)
            }
            Self::Text => {
                let text = written.trim();
                // Nothing that means something in an address, and not dots alone.
                let is_plain = |c: char| c.is_alphanumeric() || " -_.,'&".contains(c);
                let is_one = (1..=TEXT_CHARS).contains(&text.chars().count())
                    && text.chars().all(is_plain)
                    && text.chars().any(char::is_alphanumeric);
                is_one.then(|| text.to_owned())
            }
            Self::Words => {
                let words: String = written.chars().take(WORDS_CHARS).collect();
                let words = words.trim().to_owned();
                words.chars().any(char::is_alphanumeric).then_some(words)
            }
        }
    }

    fn wanted(self) -> String {
        match self {
            Self::Digits { min, max } => format!("{min} to {max} digits"),
            Self::Words => "the words to search for".to_owned(),
            Self::Text => format!("a text of at most {TEXT_CHARS} letters, digits and spaces"),
        }
    }
}

impl Lookup {
    /// What a model is told of it.
    pub fn schema(&self) -> Value {
        let property = |parameter: &Parameter| {
            let description = parameter.kind.wanted();
            (parameter.name.clone(), json!({"type": "string", "description": description}))
        };
        let properties: Map<String, Value> = self.parameters.iter().map(property).collect();
        let required: Vec<&str> = self.parameters.iter().map(|p| p.name.as_str()).collect();
        json!({
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {"type": "object", "properties": properties, "required": required},
            },
        })
    }
}

impl Lookups {
    pub fn new(lookups: Vec<Lookup>) -> Self {
        Self(lookups.into())
    }

    pub fn iter(&self) -> impl Iterator<Item = (LookupId, &Lookup)> {
        self.0.iter().enumerate().map(|(index, lookup)| (LookupId(index), lookup))
    }

    pub fn get(&self, id: LookupId) -> Option<&Lookup> {
        self.0.get(id.0)
    }

    pub fn find(&self, name: &str) -> Option<(LookupId, &Lookup)> {
        self.iter().find(|(_, lookup)| lookup.name == name)
    }

    /// The question with these values. Values that nobody asked for are left out.
    ///
    /// # Errors
    /// The first value that is missing or of another kind.
    pub fn ask<'a>(
        &self,
        id: LookupId,
        value: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<LookUp, Unfit> {
        let parameters = self.get(id).map(|lookup| lookup.parameters.as_slice());
        let taken = parameters.unwrap_or_default().iter().map(|Parameter { name, kind }| {
            let taken = value(name).and_then(|written| kind.take(written));
            match taken {
                Some(value) => Ok((name.clone(), Private::new(value))),
                None => Err(Unfit { parameter: name.clone(), wanted: kind.wanted() }),
            }
        });
        Ok(LookUp { lookup: id, values: taken.collect::<Result<_, _>>()? })
    }
}

impl LookUp {
    /// Parameters and their values.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.reveal().as_str()))
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// Told of a question without an answer that may have been carried out all the same.
const NOT_KNOWN: &str =
    "not known: it may have been done; do not do it again, and tell the caller so";

impl LookedUp {
    /// For a model: data, line by line. `changes`: what was asked may have changed something.
    pub fn told(&self, changes: bool) -> String {
        match self {
            Self::Found(fields) => {
                let line = |(name, value): &(String, Private<String>)| {
                    format!("{name}: {}", value.reveal())
                };
                fields.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            Self::NotFound => "not found".to_owned(),
            Self::Failed if changes => NOT_KNOWN.to_owned(),
            Self::Failed => "error: could not look it up".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookups() -> Lookups {
        let parameter = |name: &str, kind| Parameter { name: name.to_owned(), kind };
        Lookups::new(vec![Lookup {
            name: "order_status".to_owned(),
            description: "The status of an order.".to_owned(),
            parameters: vec![
                parameter("order", ParameterKind::Digits { min: 3, max: 12 }),
                parameter("place", ParameterKind::Text),
            ],
            fields: vec!["status".to_owned()],
            changes: false,
        }])
    }

    #[test]
    fn values_are_of_their_kind_or_there_is_no_question() {
        let lookups = lookups();
        let (id, _) = lookups.find("order_status").unwrap();
        let ask = |order: &str, place: &str| {
            lookups
                .ask(id, |name| match name {
                    "order" => Some(order),
                    "place" => Some(place),
                    _ => None,
                })
                .map_err(|unfit| unfit.parameter)
        };
        let asked = ask("47-29 1", " Café d'Or, St. Gallen ").unwrap();
        assert_eq!(asked.value("order"), Some("47291"));
        assert_eq!(asked.value("place"), Some("Café d'Or, St. Gallen"));
        for order in
            ["", "47", "4729/../../admin", "4729?x=1", "47 29%2f", "1234567890123", "４７２９"]
        {
            assert_eq!(ask(order, "x"), Err("order".to_owned()), "{order:?}");
        }
        for place in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "a%2fb",
            "a@b",
            "a:b",
            "a\r\nHost: x",
            "{order}",
        ] {
            assert_eq!(ask("4729", place), Err("place".to_owned()), "{place:?}");
        }
        assert_eq!(ask("4729", &"x".repeat(61)), Err("place".to_owned()));
        let missing = lookups.ask(id, |name| (name == "order").then_some("4729"));
        assert_eq!(missing.unwrap_err().parameter, "place");
    }

    #[test]
    fn a_model_is_told_the_question_and_the_answer_as_data() {
        let schema = lookups().get(LookupId(0)).unwrap().schema();
        assert_eq!(schema["function"]["name"], "order_status");
        assert_eq!(schema["function"]["parameters"]["required"][0], "order");
        let value = Private::new("shipped".to_owned());
        assert_eq!(
            LookedUp::Found(vec![("status".to_owned(), value)]).told(true),
            "status: shipped"
        );
        assert!(LookedUp::Failed.told(false).starts_with("error"));
        assert!(LookedUp::Failed.told(true).contains("do not do it again"));
    }
}
