//! Escapes of URIs and of what is written like them (RFC 3986, section 2.1).

use std::fmt::Write;

/// Besides letters and digits, what needs no escape anywhere (section 2.3).
const UNRESERVED: &[u8] = b"-._~";

/// `text` with an escape for each byte that is no letter, no digit, and none of `kept`.
pub fn escape(text: &str, kept: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a String takes every write");
        }
    }
    escaped
}

/// `text` as one value: whatever stands around it, it ends neither a segment nor a parameter. A segment of dots alone
/// stays one.
pub fn escape_all(text: &str) -> String {
    escape(text, UNRESERVED)
}

/// `text` with its escapes resolved; `None` where an escape is none, or what it hides is no text.
pub fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_reads_back_and_what_is_no_escape_is_refused() {
        assert_eq!(escape_all("a b&c=ü/-._~"), "a%20b%26c%3D%C3%BC%2F-._~");
        assert_eq!(escape("a+b@c", b"+"), "a+b%40c");
        assert_eq!(unescape(&escape_all("a б%+")).as_deref(), Some("a б%+"));
        assert_eq!(unescape("a%20%D0%B1").as_deref(), Some("a б"));
        for wrong in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(unescape(wrong), None, "{wrong}");
        }
    }
}
