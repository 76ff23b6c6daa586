//! The tools that a model may call, and their arguments as types.
//!
//! A [`ToolCall`] is made by [`parse`] only, so whatever holds one has arguments that are in range;
//! whether it is carried out is the policy's to say.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::{Private, serial};
use crate::converse::lookup::{LookUp, LookupId, Lookups, Unfit};

/// What a model sends of a call; nothing of it is believed yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolRequest {
    pub id: String,
    pub name: String,
    /// JSON, as a text.
    #[serde(with = "serial::revealed")]
    pub arguments: Private<String>,
}

/// What can be offered to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    /// Leaves a message for the firm's people.
    TakeMessage,
    /// Ends the call after what is being said.
    HangUp,
    /// Presses keys, as for a menu on the other side.
    SendDigits,
    /// Keeps a fact for the rest of the call and for messages.
    Remember,
    /// Puts the caller through to somebody.
    Transfer,
    /// Asks the owner's system: a model calls each question by its own name.
    LookUp,
}

/// A call with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolCall {
    TakeMessage {
        name: Option<Private<String>>,
        /// Digits only.
        number: Option<Private<String>>,
        text: Private<String>,
    },
    HangUp,
    SendDigits {
        digits: Private<String>,
    },
    Remember {
        name: String,
        value: Private<String>,
    },
    Transfer {
        /// As the model says it until the conversation has looked who that is.
        person: String,
    },
    LookUp {
        name: String,
        asked: LookUp,
    },
}

/// Why a request is no call; the text is for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("error: there is no such tool")]
    Unknown,
    #[error("error: the arguments are no JSON object")]
    NotAnObject,
    #[error("error: the argument {name} must be {wanted}")]
    Argument { name: &'static str, wanted: &'static str },
    #[error("error: the argument {name} must be {wanted}")]
    Question { name: String, wanted: String },
}

const TEXT_CHARS: usize = 1_000;
const NAME_CHARS: usize = 80;
/// A telephone number has 15 digits at most (E.164); 20 leave room for prefixes.
const NUMBER_DIGITS: usize = 20;
const KEYS: usize = 32;

impl Tool {
    pub const ALL: [Self; 6] = [
        Self::TakeMessage,
        Self::HangUp,
        Self::SendDigits,
        Self::Remember,
        Self::Transfer,
        Self::LookUp,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::TakeMessage => "take_message",
            Self::HangUp => "hang_up",
            Self::SendDigits => "send_dtmf",
            Self::Remember => "remember",
            Self::Transfer => "transfer",
            Self::LookUp => "lookup",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// The arguments that a playbook's text may name; those of a lookup are its own parameters.
    pub const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::TakeMessage => &["name", "number", "text"],
            Self::HangUp => &[],
            Self::SendDigits => &["digits"],
            Self::Remember => &["name", "value"],
            Self::Transfer => &["person"],
            Self::LookUp => &[],
        }
    }

    /// The caller is not ours after it, or we not the caller's.
    pub const fn ends_talk(self) -> bool {
        matches!(self, Self::HangUp | Self::Transfer)
    }

    /// What the model is told of it; `people` are those whom it can name. The owner's questions have
    /// schemas of their own.
    pub fn schema(self, people: &[&str]) -> Value {
        let text = |description: &str| json!({"type": "string", "description": description});
        let (description, properties, required) = match self {
            Self::TakeMessage => (
                "Leave a message for the firm's people, once the caller has said what it is about.",
                json!({
                    "text": text("What the caller wants, in full sentences."),
                    "name": text("The caller's name, if it was said."),
                    "number": text("The number to call back, if it was said; digits only."),
                }),
                vec!["text"],
            ),
            Self::HangUp => ("End the call, after the caller has said goodbye.", json!({}), vec![]),
            Self::SendDigits => (
                "Press telephone keys.",
                json!({"digits": text("Keys to press: 0 to 9, * and #.")}),
                vec!["digits"],
            ),
            Self::Remember => (
                "Keep a fact about the caller for the rest of this call.",
                json!({"name": text("What it is, as in order number."), "value": text("The fact.")}),
                vec!["name", "value"],
            ),
            Self::Transfer => (
                "Put the caller through to a person of the firm, if the caller wants that.",
                json!({"person": {"type": "string", "enum": people}}),
                vec!["person"],
            ),
            Self::LookUp => ("Ask the firm's system.", json!({}), vec![]),
        };
        json!({
            "type": "function",
            "function": {
                "name": self.name(),
                "description": description,
                "parameters": {"type": "object", "properties": properties, "required": required},
            },
        })
    }
}

impl ToolCall {
    pub const fn tool(&self) -> Tool {
        match self {
            Self::TakeMessage { .. } => Tool::TakeMessage,
            Self::HangUp => Tool::HangUp,
            Self::SendDigits { .. } => Tool::SendDigits,
            Self::Remember { .. } => Tool::Remember,
            Self::Transfer { .. } => Tool::Transfer,
            Self::LookUp { .. } => Tool::LookUp,
        }
    }

    /// The argument of this name, for a question about the call.
    pub fn argument(&self, wanted: &str) -> Option<&str> {
        match (self, wanted) {
            (Self::TakeMessage { name, .. }, "name") => name.as_ref().map(|n| n.reveal().as_str()),
            (Self::TakeMessage { number, .. }, "number") => {
                number.as_ref().map(|n| n.reveal().as_str())
            }
            (Self::TakeMessage { text, .. }, "text") => Some(text.reveal()),
            (Self::SendDigits { digits }, "digits") => Some(digits.reveal()),
            (Self::Remember { name, .. }, "name") => Some(name),
            (Self::Remember { value, .. }, "value") => Some(value.reveal()),
            (Self::Transfer { person }, "person") => Some(person),
            (Self::LookUp { asked, .. }, parameter) => asked.value(parameter),
            _ => None,
        }
    }
}

/// Reads a request; `lookups` are the questions that there are besides the tools. Arguments that
/// nobody knows are left out, for models like to add some.
pub fn parse(request: &ToolRequest, lookups: &Lookups) -> Result<ToolCall, Malformed> {
    if let Some((id, lookup)) = lookups.find(&request.name) {
        let arguments = Arguments::read(request.arguments.reveal())?;
        let name = lookup.name.clone();
        return Ok(ToolCall::LookUp { name, asked: arguments.question(id, lookups)? });
    }
    let tool = Tool::of_name(&request.name).ok_or(Malformed::Unknown)?;
    let arguments = Arguments::read(request.arguments.reveal())?;
    Ok(match tool {
        Tool::TakeMessage => ToolCall::TakeMessage {
            name: arguments.text("name", NAME_CHARS)?.map(Private::new),
            number: arguments.number()?.map(Private::new),
            text: Private::new(arguments.needed("text", TEXT_CHARS)?),
        },
        Tool::HangUp => ToolCall::HangUp,
        Tool::SendDigits => ToolCall::SendDigits { digits: Private::new(arguments.keys()?) },
        Tool::Remember => ToolCall::Remember {
            name: arguments.needed("name", NAME_CHARS)?,
            value: Private::new(arguments.needed("value", NAME_CHARS)?),
        },
        Tool::Transfer => ToolCall::Transfer { person: arguments.needed("person", NAME_CHARS)? },
        // Its questions have names of their own.
        Tool::LookUp => return Err(Malformed::Unknown),
    })
}

struct Arguments(Map<String, Value>);

impl Arguments {
    fn read(text: &str) -> Result<Self, Malformed> {
        if text.trim().is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(Value::Null) => Ok(Self(Map::new())),
            // Some models put their JSON into a text once more.
            Ok(Value::String(inner)) => match serde_json::from_str(&inner) {
                Ok(Value::Object(map)) => Ok(Self(map)),
                _ => Err(Malformed::NotAnObject),
            },
            _ => Err(Malformed::NotAnObject),
        }
    }

    /// A text without what only machines read; empty counts as left out.
    fn text(&self, name: &'static str, most: usize) -> Result<Option<String>, Malformed> {
        let written = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(Malformed::Argument { name, wanted: "a text" }),
        };
        let plain = |c: &char| !matches!(c, '<' | '>' | '{' | '}');
        let words: String = written
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .filter(plain)
            .take(most)
            .collect();
        let words = words.trim().to_owned();
        Ok((!words.is_empty()).then_some(words))
    }

    /// As they were written: what is none of its kind is refused, not mended.
    fn question(&self, id: LookupId, lookups: &Lookups) -> Result<LookUp, Malformed> {
        let written: Vec<(&str, String)> = self
            .0
            .iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) => Some((name.as_str(), text.clone())),
                Value::Number(number) => Some((name.as_str(), number.to_string())),
                _ => None,
            })
            .collect();
        let value = |wanted: &str| {
            written.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.as_str())
        };
        lookups
            .ask(id, value)
            .map_err(|Unfit { parameter, wanted }| Malformed::Question { name: parameter, wanted })
    }

    fn needed(&self, name: &'static str, most: usize) -> Result<String, Malformed> {
        self.text(name, most)?.ok_or(Malformed::Argument { name, wanted: "there, as a text" })
    }

    fn number(&self) -> Result<Option<String>, Malformed> {
        let Some(text) = self.text("number", 2 * NUMBER_DIGITS)? else { return Ok(None) };
        let written = |c: char| c.is_ascii_digit() || " +-()./".contains(c);
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if !text.chars().all(written) || digits.is_empty() || digits.len() > NUMBER_DIGITS {
            let wanted = "a telephone number in digits";
            return Err(Malformed::Argument { name: "number", wanted });
        }
        Ok(Some(digits))
    }

    fn keys(&self) -> Result<String, Malformed> {
        let digits = self.needed("digits", KEYS + 1)?;
        let is_key = |c: char| matches!(c, '0'..='9' | '*' | '#');
        if digits.chars().count() > KEYS || !digits.chars().all(is_key) {
            let wanted = "1 to 32 keys, each 0 to 9, * or #";
            return Err(Malformed::Argument { name: "digits", wanted });
        }
        Ok(digits)
    }
}
