//! Which fields of OpenAI's protocol a server takes, learnt from what it says of those that it refuses.

use serde_json::Value;

/// Fields of OpenAI's protocol that have come to be refused by some servers, as far as one server has
/// refused them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// `max_completion_tokens` stands in place of `max_tokens`.
    pub has_new_limit: bool,
    /// It answers at its own temperature only.
    pub has_own_temperature: bool,
}

impl Fields {
    /// What to send after a refusal with this body; `None`: it names neither field, or one that is not
    /// sent any more. Each field is given up once, so refusals come to an end.
    pub fn after(self, refusal: &[u8]) -> Option<Self> {
        let named = Refusal::read(refusal);
        if !self.has_new_limit && named.names("max_tokens") {
            return Some(Self { has_new_limit: true, ..self });
        }
        let is_refused = !self.has_own_temperature && named.names("temperature");
        is_refused.then_some(Self { has_own_temperature: true, ..self })
    }
}

/// A server's words about a field.
enum Refusal {
    /// The field by itself.
    Field(String),
    Text(String),
}

impl Refusal {
    /// OpenAI names the field in `error.param` and others in `error.message`; what has another shape
    /// is looked at as a whole.
    fn read(body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| json["error"][name].as_str().map(str::to_owned);
        match (text("param"), text("message")) {
            (Some(field), _) if !field.is_empty() => Self::Field(field),
            (_, Some(message)) => Self::Text(message),
            _ => Self::Text(String::from_utf8_lossy(body).into_owned()),
        }
    }

    fn names(&self, field: &str) -> bool {
        match self {
            Self::Field(named) => named == field,
            Self::Text(text) => text.contains(field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_gives_up_the_field_that_it_names_once_and_no_other() {
        let sent = Fields::default();
        let limit = Fields { has_new_limit: true, ..sent };
        let own = Fields { has_own_temperature: true, ..sent };
        let neither = Fields { has_new_limit: true, has_own_temperature: true };
        let old =
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this
            model. Use 'max_completion_tokens' instead.","param":"max_tokens"}}"#
                .replace('\n', " ");
        let warm = r#"{"error":{"message":"'temperature' does not support 0.3, nor max_tokens 9",
            "param":"temperature"}}"#;
        let other = r#"{"error":{"message":"max_tokens, temperature: fine","param":"tools"}}"#;
        let spoken = r#"{"error":{"message":"no such field: temperature","param":null}}"#;
        let listed = r#"{"detail":[{"loc":["body","max_tokens"],"msg":"Extra inputs"}]}"#;
        let completion = r#"{"error":"max_completion_tokens is unknown"}"#;
        for (fields, refusal, then) in [
            (sent, old.as_str(), Some(limit)),
            (limit, old.as_str(), None),
            (sent, warm, Some(own)),
            (limit, warm, Some(neither)),
            (neither, warm, None),
            (sent, other, None),
            (sent, spoken, Some(own)),
            (own, listed, Some(neither)),
            (sent, completion, None),
            (sent, "", None),
            (sent, r#"{"error":"x"}"#, None),
        ] {
            assert_eq!(fields.after(refusal.as_bytes()), then, "{fields:?} {refusal}");
        }
    }
}
