//! Tickets: what a browser shows in an address where it can send no header (WebSocket, EventSource).
//!
//! A ticket is good once, for [`TICKET_S`] seconds, and for what its owner was good for; so what stands in a log or
//! in a history afterwards opens nothing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Caller;
use crate::base::{Entropy, Private, limits};

/// How long a ticket is good, in seconds.
pub const TICKET_S: u32 = 30;

/// The tickets that are out. At most `limits::API_TICKETS`.
#[derive(Debug)]
pub struct Tickets {
    entropy: Entropy,
    out: HashMap<Private<String>, (Caller, Instant)>,
}

impl Tickets {
    pub fn new(entropy: Entropy) -> Self {
        Self { entropy, out: HashMap::new() }
    }

    /// `None`: too many are out.
    pub fn issue(&mut self, now: Instant, caller: Caller) -> Option<Private<String>> {
        self.out.retain(|_, (_, until)| *until > now);
        if self.out.len() >= limits::API_TICKETS {
            return None;
        }
        // 128 random bits.
        let ticket = format!("{}{}", self.entropy.token(), self.entropy.token());
        let until = now + Duration::from_secs(TICKET_S.into());
        self.out.insert(Private::new(ticket.clone()), (caller, until));
        Some(Private::new(ticket))
    }

    /// Whose it is; it is used up.
    pub fn redeem(&mut self, now: Instant, ticket: &str) -> Option<Caller> {
        let (caller, until) = self.out.remove(&Private::new(ticket.to_owned()))?;
        (until > now).then_some(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_its_time() {
        let mut tickets = Tickets::new(Entropy::new([7; 32]));
        let now = Instant::now();
        let ticket = |tickets: &mut Tickets| {
            tickets.issue(now, Caller::nobody(false)).unwrap().into_revealed()
        };
        let first = ticket(&mut tickets);
        assert_eq!(first.len(), 32);
        assert!(tickets.redeem(now, "0000").is_none());
        assert!(tickets.redeem(now, &first).is_some());
        assert!(tickets.redeem(now, &first).is_none());
        let second = ticket(&mut tickets);
        assert_ne!(first, second);
        let later = now + Duration::from_secs(TICKET_S.into());
        assert!(tickets.redeem(later, &second).is_none());
    }

    #[test]
    fn a_bounded_number_is_out_and_old_ones_make_room() {
        let mut tickets = Tickets::new(Entropy::new([7; 32]));
        let now = Instant::now();
        for _ in 0..limits::API_TICKETS {
            assert!(tickets.issue(now, Caller::nobody(false)).is_some());
        }
        assert!(tickets.issue(now, Caller::nobody(false)).is_none());
        let later = now + Duration::from_secs(u64::from(TICKET_S) + 1);
        assert!(tickets.issue(later, Caller::nobody(false)).is_some());
    }
}
