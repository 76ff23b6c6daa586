//! The lexical floor of SIP (RFC 3261 section 25.1): tokens, quoted strings, lists, parameters.
//!
//! Everything here is linear in its input, and nothing that it stores holds a control character.

use std::borrow::Cow;
use std::fmt;

/// True for a character of `token`.
pub fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '-' | '.' | '!' | '%' | '*' | '_' | '+' | '`' | '\'' | '~')
}

/// True if `text` holds a control character, those of Unicode included.
pub fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        return text.as_bytes().iter().any(u8::is_ascii_control);
    }
    text.chars().any(char::is_control)
}

/// True if `text` is a token.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

/// `text` without control characters: each run of them becomes one space, so that no line break can
/// enter a message through a value.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !has_control(text) {
        return Cow::Borrowed(text.trim());
    }
    let parts = text.split(char::is_control).filter(|part| !part.is_empty());
    Cow::Owned(parts.collect::<Vec<_>>().join(" ").trim().to_owned())
}

/// Splits `text` at each `separator` that stands outside quotes and angle brackets and trims the
/// parts. `None` if a quote or bracket stays open.
pub fn split_outside(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut angled, mut escaped) = (0, false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !angled => quoted = !quoted,
            '<' if !quoted => angled = true,
            '>' if !quoted => angled = false,
            _ if c == separator && !quoted && !angled => {
                parts.push(text.get(start..at)?.trim());
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if quoted || angled {
        return None;
    }
    parts.push(text.get(start..)?.trim());
    Some(parts)
}

/// The content of a quoted string, its escapes resolved; other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return Cow::Borrowed(text) };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next()),
            _ => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// `text` as a quoted string.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Parameters after `;`, in order, values as they were written (quotes included).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads `a=1;b;c="x"` (no leading semicolon). `None` for an empty or malformed parameter.
    pub fn parse(text: &str) -> Option<Self> {
        split_outside(text, ';')?.into_iter().map(param).collect::<Option<_>>().map(Self)
    }

    /// The value of the first parameter `name`, in any case: `""` when it has no value, without its
    /// quotes when it is a quoted string with no escapes.
    pub fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        let value = value.as_deref().unwrap_or("");
        Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
    }

    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Sets `name`, replacing its earlier value; `None` makes a flag. A name that is no token is
    /// refused; a value that is neither token nor host is quoted.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        if !is_token(name) {
            return;
        }
        let plain =
            |v: &str| !v.is_empty() && v.chars().all(|c| is_token_char(c) || "[]:".contains(c));
        let value = value.map(|v| if plain(v) { v.to_owned() } else { quote(v) });
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some(entry) => entry.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Names and raw values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_deref()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn param(text: &str) -> Option<(String, Option<String>)> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (text, None),
    };
    // URI parameters allow `[]/:&+$` beside the token characters, and escapes in names.
    let fits = |c: char| is_token_char(c) || "[]/:&+$()".contains(c) || !c.is_ascii();
    if name.is_empty() || !name.chars().all(fits) {
        return None;
    }
    let good = |v: &str| is_quoted(v) || v.chars().all(|c| fits(c) || "?@=".contains(c));
    if !value.is_none_or(good) {
        return None;
    }
    Some((name.to_owned(), value.map(str::to_owned)))
}

fn is_quoted(text: &str) -> bool {
    text.len() >= 2 && text.starts_with('"') && text.ends_with('"')
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, ";{name}={value}"),
            None => write!(f, ";{name}"),
        })
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
