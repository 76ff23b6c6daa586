//! Tickets: what a browser shows in an address where it can send no header (WebSocket, EventSource).
//!
//! A ticket is good once, for [`TICKET_S`] seconds, and for what its owner was good for; so what stands in a log or
//! in a history afterwards opens nothing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Caller;
use super::source::Source;
use crate::base::{Entropy, Private, limits};

/// How long a ticket is good, in seconds.
pub const TICKET_S: u32 = 30;

/// Of whom there are too many out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// All together.
    All,
    /// Of one token.
    Token,
    /// Of one source address with it.
    Address,
}

/// The tickets that are out. At most `limits::API_TICKETS`, of which one token's visitors have a part.
#[derive(Debug)]
pub struct Tickets {
    entropy: Entropy,
    out: HashMap<Private<String>, Ticket>,
}

#[derive(Debug)]
struct Ticket {
    caller: Caller,
    source: Source,
    until: Instant,
}

impl Tickets {
    pub fn new(entropy: Entropy) -> Self {
        Self { entropy, out: HashMap::new() }
    }

    /// # Errors
    /// Of whom too many are out.
    pub fn issue(
        &mut self,
        now: Instant,
        caller: Caller,
        source: Source,
    ) -> Result<Private<String>, TooMany> {
        self.out.retain(|_, ticket| ticket.until > now);
        if self.out.len() >= limits::API_TICKETS {
            return Err(TooMany::All);
        }
        if let Some(token) = caller.token() {
            let its = self.out.values().filter(|ticket| ticket.caller.token() == Some(token));
            let (all, here) = its.fold((0, 0), |(all, here), ticket| {
                (all + 1, here + usize::from(ticket.source == source))
            });
            if here >= limits::API_TICKETS_OF_ADDRESS {
                return Err(TooMany::Address);
            }
            if all >= limits::API_TICKETS_OF_TOKEN {
                return Err(TooMany::Token);
            }
        }
        // 128 random bits.
        let ticket = format!("{}{}", self.entropy.token(), self.entropy.token());
        let until = now + Duration::from_secs(TICKET_S.into());
        self.out.insert(Private::new(ticket.clone()), Ticket { caller, source, until });
        Ok(Private::new(ticket))
    }

    /// Whose it is; it is used up.
    pub fn redeem(&mut self, now: Instant, ticket: &str) -> Option<Caller> {
        let Ticket { caller, until, .. } = self.out.remove(&Private::new(ticket.to_owned()))?;
        (until > now).then_some(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Scope, Token};
    use super::*;
    use axum::http::HeaderMap;

    fn from(last: u16) -> Source {
        let address = std::net::Ipv4Addr::from(0xCB00_7100 + u32::from(last));
        Source::of(address.into(), &HeaderMap::new())
    }

    #[test]
    fn a_ticket_is_good_once_and_for_its_time() {
        let mut tickets = Tickets::new(Entropy::new([7; 32]));
        let now = Instant::now();
        let ticket = |tickets: &mut Tickets| {
            tickets.issue(now, Caller::nobody(false), from(1)).unwrap().into_revealed()
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
            assert!(tickets.issue(now, Caller::nobody(false), from(1)).is_ok());
        }
        assert_eq!(tickets.issue(now, Caller::nobody(false), from(1)), Err(TooMany::All));
        let later = now + Duration::from_secs(u64::from(TICKET_S) + 1);
        assert!(tickets.issue(later, Caller::nobody(false), from(1)).is_ok());
    }

    #[test]
    fn the_visitors_of_one_token_leave_some_to_others() {
        let token = |name: &str| Token {
            name: name.to_owned(),
            secret: Private::new(name.to_owned()),
            scopes: [Scope::Webrtc].into_iter().collect(),
            origins: Vec::new(),
        };
        let access = Access::new(vec![token("shop"), token("desk")]);
        let caller = |name: &str| {
            access.identify(false, [format!("Bearer {name}").into_bytes()].into_iter())
        };
        let mut tickets = Tickets::new(Entropy::new([7; 32]));
        let now = Instant::now();
        for _ in 0..limits::API_TICKETS_OF_ADDRESS {
            assert!(tickets.issue(now, caller("shop"), from(1)).is_ok());
        }
        assert_eq!(tickets.issue(now, caller("shop"), from(1)), Err(TooMany::Address));
        for visitor in limits::API_TICKETS_OF_ADDRESS..limits::API_TICKETS_OF_TOKEN {
            assert!(tickets.issue(now, caller("shop"), from(visitor as u16)).is_ok());
        }
        assert_eq!(tickets.issue(now, caller("shop"), from(2)), Err(TooMany::Token));
        assert!(tickets.issue(now, caller("desk"), from(1)).is_ok());
    }
}
