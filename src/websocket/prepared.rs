//! A call that is announced: who calls, and what opens its WebSocket.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::base::{Entropy, Private, limits};

/// A call that another program wants to bring.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// That program's own name of the call, the last part of the WebSocket's path.
    call_id: Private<String>,
    /// The caller's number or name.
    pub from: Private<String>,
    /// Whom they have called; empty if that is not known.
    pub to: Private<String>,
}

/// What is wrong with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPrepared {
    #[error("callId: 1 to 128 letters, digits and -._~@:+=, a letter or digit first")]
    CallId,
    #[error("from and to: at most 128 characters, none of them a control character")]
    Party,
}

impl Order {
    /// # Errors
    /// What does not fit into a path, or into a record.
    pub fn new(call_id: String, from: String, to: String) -> Result<Self, NotPrepared> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._~@:+=".contains(c);
        // No name at all, or one by which a path goes up, has no letter first.
        let is_named = call_id.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !is_named || call_id.len() > limits::AUDIO_NAME_BYTES || !call_id.chars().all(fits) {
            return Err(NotPrepared::CallId);
        }
        for party in [&from, &to] {
            let length = party.chars().count();
            if length > limits::AUDIO_NAME_BYTES || party.chars().any(char::is_control) {
                return Err(NotPrepared::Party);
            }
        }
        Ok(Self { call_id: call_id.into(), from: from.into(), to: to.into() })
    }

    pub fn call_id(&self) -> &str {
        self.call_id.reveal()
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Order(private)")
    }
}

/// 128 random bits in hexadecimal, that open or resume one WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(Private<String>);

impl Secret {
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(Private::new(format!("{}{}", entropy.token(), entropy.token())))
    }

    /// For the one who may open the WebSocket.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// In a time that does not depend on how much of it is right.
    pub fn is(&self, shown: &str) -> bool {
        self.0.reveal().as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_a_name_that_fits_into_a_path() {
        let order = |id: &str| Order::new(id.to_owned(), "+1 555".into(), String::new());
        for id in ["c1", "s-a0d17e323f0fez19", "0f3c@10.13.2.1", "a.b", &"x".repeat(128)] {
            assert_eq!(order(id).unwrap().call_id(), id);
        }
        for id in ["", ".", "..", "a/b", "a b", "a?b", "ä", "a%2f", &"x".repeat(129)] {
            assert_eq!(order(id).err(), Some(NotPrepared::CallId), "{id}");
        }
        let party = |text: &str| Order::new("a".into(), text.to_owned(), String::new()).err();
        assert_eq!(party("a\nb"), Some(NotPrepared::Party));
        assert_eq!(party(&"x".repeat(129)), Some(NotPrepared::Party));
        assert!(!format!("{:?}", order("s-1")).contains("s-1"));
    }

    #[test]
    fn a_secret_opens_by_itself_alone() {
        let mut entropy = Entropy::new([3; 32]);
        let (one, other) = (Secret::random(&mut entropy), Secret::random(&mut entropy));
        assert_eq!(one.reveal().len(), 32);
        assert!(one.is(one.reveal()) && !one.is(other.reveal()));
        for wrong in ["", &one.reveal()[..31], &format!("{}0", one.reveal())] {
            assert!(!one.is(wrong));
        }
        assert!(!format!("{one:?}").contains(one.reveal()));
    }
}
