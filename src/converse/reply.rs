//! What we say: templates with slots, and the plain words of a marked text.

use crate::base::limits;

/// Opens and closes what is read digit by digit; `speak::normalise` knows the same marks.
pub const DIGITS_OPEN: &str = "<digits>";
pub const DIGITS_CLOSE: &str = "</digits>";

/// A text with places for values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value { name: String, digits: bool },
}

impl Template {
    /// Reads `{name}` and `{name:digits}`; names that `fixed` knows are put in at once.
    ///
    /// # Errors
    /// What is wrong with the text, in words for its author.
    pub fn parse(text: &str, fixed: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inner, tail) = after.split_once('}').ok_or("`}` is missing")?;
            push_text(&mut pieces, before);
            let (name, format) = inner.split_once(':').unwrap_or((inner, ""));
            let digits = match format.trim() {
                "" => false,
                "digits" => true,
                other => return Err(format!("`{other}` is no format; there is only `digits`")),
            };
            match fixed(name.trim()) {
                Some(value) => push_text(&mut pieces, &formatted(&value, digits)),
                None => pieces.push(Piece::Value { name: name.trim().to_owned(), digits }),
            }
            rest = tail;
        }
        if rest.contains('}') {
            return Err("`}` stands without `{`".to_owned());
        }
        push_text(&mut pieces, rest);
        Ok(Self(pieces))
    }

    /// The names of the values that it needs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value { name, .. } => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text, if it needs no values.
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the values in; one that is missing leaves nothing behind.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> String {
        let mut said = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => said.push_str(text),
                Piece::Value { name, digits } => {
                    said.push_str(&formatted(value(name).unwrap_or_default(), *digits));
                }
            }
        }
        said
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// A caller's words must not look like our marks.
fn formatted(value: &str, digits: bool) -> String {
    let clean: String = value.chars().filter(|c| !matches!(c, '<' | '>')).collect();
    if digits && !clean.is_empty() { format!("{DIGITS_OPEN}{clean}{DIGITS_CLOSE}") } else { clean }
}

/// Joins what is said in one breath, bounded by what one reply may be.
pub fn join(parts: &[String]) -> String {
    let mut said = String::new();
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        if said.len() + part.len() + 1 > limits::REPLY_CHARS {
            break;
        }
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(part);
    }
    said
}

/// The words of `text` without marks.
pub fn plain(text: &str) -> String {
    text.replace(DIGITS_OPEN, "").replace(DIGITS_CLOSE, "")
}

/// The words of a plain text that were heard when this share of its sound was played.
pub fn heard_part(text: &str, fraction: f32) -> String {
    if fraction >= 1.0 {
        return text.to_owned();
    }
    let characters = text.chars().count() as f32;
    let limit = (characters * fraction.max(0.0)) as usize;
    let mut end = 0;
    for (count, (at, c)) in text.char_indices().enumerate() {
        if count > limit {
            break;
        }
        if c.is_whitespace() {
            end = at;
        }
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_and_digits_are_marked() {
        let fixed = |name: &str| (name == "firm").then(|| "Acme".to_owned());
        let template =
            Template::parse("{firm}: order {order:digits}, {name}.", fixed).expect("valid");
        let said = template.fill(|name| match name {
            "order" => Some("4729"),
            "name" => Some("<b>Anna"),
            _ => None,
        });
        assert_eq!(said, "Acme: order <digits>4729</digits>, bAnna.");
        assert_eq!(plain(&said), "Acme: order 4729, bAnna.");
        assert_eq!(template.names().collect::<Vec<_>>(), ["order", "name"]);
        assert_eq!(template.fixed(), None);
        assert_eq!(Template::parse("{firm}.", fixed).expect("valid").fixed(), Some("Acme."));
    }

    #[test]
    fn a_wrong_template_says_what_is_wrong() {
        for (text, fault) in [("{a", "missing"), ("a}", "without"), ("{a:loud}", "no format")] {
            assert!(Template::parse(text, |_| None).expect_err(text).contains(fault), "{text}");
        }
    }

    #[test]
    fn an_interrupted_text_keeps_the_whole_words_that_were_heard() {
        let table =
            [(0.0, ""), (0.5, "one two"), (0.9, "one two three"), (1.0, "one two three four")];
        for (fraction, expected) in table {
            assert_eq!(heard_part("one two three four", fraction), expected, "{fraction}");
        }
        assert_eq!(heard_part("", 0.5), "");
        assert_eq!(heard_part("one", f32::NAN), "");
    }

    #[test]
    fn a_reply_is_bounded() {
        let parts = vec!["x".repeat(1_500), "y".repeat(1_500), "z".to_owned()];
        assert!(join(&parts).len() <= limits::REPLY_CHARS);
    }
}
