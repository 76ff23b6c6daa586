//! Keys of requests that must not be carried out twice (the header field Idempotency-Key).
//!
//! Only what was done is remembered: what was refused changed nothing, and may be asked again with its key. Keys
//! are in memory: after a restart none is known. At most `limits::IDEMPOTENCY_KEYS`, the oldest go first.

use std::collections::HashMap;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::base::{Private, limits};

/// Whose key, and which.
type Name = (String, Private<String>);

/// What has become of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<A> {
    /// It is new, and is to be finished or forgotten.
    New,
    /// It is being carried out.
    InProgress,
    /// It was carried out, and this was the answer.
    Done(A),
    /// It came with another request.
    Other,
}

/// See the module.
#[derive(Debug)]
pub struct Keys<A> {
    known: HashMap<Name, Entry<A>>,
}

#[derive(Debug)]
struct Entry<A> {
    body: [u8; 32],
    at: Instant,
    answer: Option<A>,
}

impl<A: Clone> Default for Keys<A> {
    fn default() -> Self {
        Self { known: HashMap::new() }
    }
}

impl<A: Clone> Keys<A> {
    /// A request with a key has come.
    pub fn begin(&mut self, now: Instant, whose: &str, key: &str, body: &[u8]) -> Known<A> {
        self.known.retain(|_, entry| {
            entry.answer.is_none()
                || now.saturating_duration_since(entry.at) < limits::IDEMPOTENCY_TIME
        });
        let body: [u8; 32] = Sha256::digest(body).into();
        let name = (whose.to_owned(), Private::new(key.to_owned()));
        match self.known.get(&name) {
            Some(entry) if entry.body != body => Known::Other,
            Some(Entry { answer: Some(answer), .. }) => Known::Done(answer.clone()),
            Some(_) => Known::InProgress,
            None => {
                self.make_room();
                self.known.insert(name, Entry { body, at: now, answer: None });
                Known::New
            }
        }
    }

    /// It was carried out.
    pub fn finish(&mut self, whose: &str, key: &str, answer: A) {
        let name = (whose.to_owned(), Private::new(key.to_owned()));
        if let Some(entry) = self.known.get_mut(&name) {
            entry.answer = Some(answer);
        }
    }

    /// It was refused.
    pub fn forget(&mut self, whose: &str, key: &str) {
        self.known.remove(&(whose.to_owned(), Private::new(key.to_owned())));
    }

    fn make_room(&mut self) {
        if self.known.len() < limits::IDEMPOTENCY_KEYS {
            return;
        }
        let done = self.known.iter().filter(|(_, entry)| entry.answer.is_some());
        let oldest = done.min_by_key(|(_, entry)| entry.at).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest {
            self.known.remove(&oldest);
        }
    }
}

/// A key as it was sent: a string of RFC 8941, or bare.
pub fn key(value: &str) -> Option<&str> {
    let bare = value.trim();
    let bare = bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(bare);
    let is_sound =
        (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic());
    is_sound.then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_has_the_same_answer_for_a_day() {
        let mut keys = Keys::default();
        let now = Instant::now();
        assert_eq!(keys.begin(now, "a", "k", b"1"), Known::New);
        assert_eq!(keys.begin(now, "a", "k", b"1"), Known::InProgress);
        assert_eq!(keys.begin(now, "a", "k", b"2"), Known::Other);
        keys.finish("a", "k", 7);
        assert_eq!(keys.begin(now, "a", "k", b"1"), Known::Done(7));
        assert_eq!(keys.begin(now, "a", "k", b"2"), Known::Other);
        // Another's key is another key.
        assert_eq!(keys.begin(now, "b", "k", b"2"), Known::New);
        let later = now + limits::IDEMPOTENCY_TIME;
        assert_eq!(keys.begin(later, "a", "k", b"2"), Known::New);
    }

    #[test]
    fn what_was_refused_may_be_asked_again() {
        let mut keys = Keys::<u8>::default();
        let now = Instant::now();
        keys.begin(now, "a", "k", b"1");
        keys.forget("a", "k");
        assert_eq!(keys.begin(now, "a", "k", b"1"), Known::New);
    }

    #[test]
    fn a_bounded_number_is_remembered() {
        let mut keys = Keys::default();
        let now = Instant::now();
        for n in 0..=limits::IDEMPOTENCY_KEYS {
            let key = format!("k{n}");
            let at = now + std::time::Duration::from_millis(n as u64);
            assert_eq!(keys.begin(at, "a", &key, b"1"), Known::New);
            keys.finish("a", &key, n);
        }
        assert_eq!(keys.known.len(), limits::IDEMPOTENCY_KEYS);
        assert_eq!(keys.begin(now, "a", "k1", b"1"), Known::Done(1));
        assert_eq!(keys.begin(now, "a", "k0", b"1"), Known::New);
    }

    #[test]
    fn a_key_is_a_string_with_or_without_quotes() {
        assert_eq!(key("\"8e03978e\""), Some("8e03978e"));
        assert_eq!(key(" 8e03978e "), Some("8e03978e"));
        let long = "x".repeat(256);
        for wrong in ["", "\"\"", "a b", "é", &long] {
            assert_eq!(key(wrong), None, "{wrong}");
        }
    }
}
