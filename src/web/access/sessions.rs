//! Browsers that are signed in. A session is known by a secret in a cookie, of which only a hash is kept, and what it
//! changes it must ask for with a second secret, which a page of another site cannot read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::passwords::Person;
use crate::base::{Entropy, Private, limits};

/// One browser.
#[derive(Debug)]
pub struct Session {
    pub person: Person,
    /// What a request that changes something has in `X-CSRF-Token`.
    csrf: Private<String>,
}

impl Session {
    pub fn csrf(&self) -> &Private<String> {
        &self.csrf
    }

    /// Takes the same time whatever is shown.
    pub fn is_shown(&self, csrf: &[u8]) -> bool {
        Sha256::digest(self.csrf.reveal()).ct_eq(&Sha256::digest(csrf)).into()
    }
}

/// At most `limits::WEB_SESSIONS`.
#[derive(Debug)]
pub struct Sessions {
    entropy: Entropy,
    known: HashMap<[u8; 32], Kept>,
}

#[derive(Debug)]
struct Kept {
    session: Arc<Session>,
    begun: Instant,
    used: Instant,
}

impl Kept {
    fn is_good(&self, now: Instant) -> bool {
        now.duration_since(self.used) < limits::WEB_SESSION_IDLE
            && now.duration_since(self.begun) < limits::WEB_SESSION_LONGEST
    }
}

impl Sessions {
    pub fn new(entropy: Entropy) -> Self {
        Self { entropy, known: HashMap::new() }
    }

    /// The secret for the cookie.
    pub fn begin(&mut self, now: Instant, person: Person) -> (Private<String>, Arc<Session>) {
        self.known.retain(|_, kept| kept.is_good(now));
        if self.known.len() >= limits::WEB_SESSIONS
            && let Some(quietest) =
                self.known.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key)
        {
            self.known.remove(&quietest);
        }
        let (secret, csrf) = (self.secret(), self.secret());
        let session = Arc::new(Session { person, csrf: Private::new(csrf) });
        let kept = Kept { session: Arc::clone(&session), begun: now, used: now };
        self.known.insert(key(secret.as_bytes()), kept);
        (Private::new(secret), session)
    }

    pub fn find(&mut self, now: Instant, secret: &[u8]) -> Option<Arc<Session>> {
        let key = key(secret);
        let kept = self.known.get_mut(&key)?;
        if !kept.is_good(now) {
            self.known.remove(&key);
            return None;
        }
        kept.used = now;
        Some(Arc::clone(&kept.session))
    }

    /// Whether this one has neither ended nor grown too old; a stream of its ends then.
    pub fn has(&self, now: Instant, session: &Arc<Session>) -> bool {
        let mut all = self.known.values();
        all.any(|kept| Arc::ptr_eq(&kept.session, session) && kept.is_good(now))
    }

    pub fn end(&mut self, session: &Arc<Session>) {
        self.end_where(|known| Arc::ptr_eq(known, session));
    }

    /// A password has changed: whoever is signed in with the old one is not any more.
    pub fn end_of(&mut self, person: Person, but: Option<&Arc<Session>>) {
        let is_kept = |known: &Arc<Session>| but.is_some_and(|but| Arc::ptr_eq(known, but));
        self.end_where(|known| known.person == person && !is_kept(known));
    }

    fn end_where(&mut self, ends: impl Fn(&Arc<Session>) -> bool) {
        self.known.retain(|_, kept| !ends(&kept.session));
    }

    /// 256 random bits.
    fn secret(&mut self) -> String {
        (0..4).map(|_| self.entropy.token()).collect()
    }
}

fn key(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sessions() -> Sessions {
        Sessions::new(Entropy::new([7; 32]))
    }

    #[test]
    fn a_session_is_known_by_its_secret_until_it_ends() {
        let (mut sessions, now) = (sessions(), Instant::now());
        let (secret, session) = sessions.begin(now, Person::Owner);
        let secret = secret.reveal().as_bytes();
        assert!(sessions.find(now, secret).is_some());
        assert!(sessions.find(now, b"nonsense").is_none());
        assert!(session.is_shown(session.csrf().reveal().as_bytes()));
        assert!(!session.is_shown(secret) && !session.is_shown(b""));
        sessions.end(&session);
        assert!(sessions.find(now, secret).is_none() && !sessions.has(now, &session));
    }

    #[test]
    fn a_quiet_session_ends_and_one_that_is_used_ends_later() {
        let (mut sessions, begun) = (sessions(), Instant::now());
        let (quiet, session) = sessions.begin(begun, Person::Owner);
        let (used, _) = sessions.begin(begun, Person::Reader);
        let hour = Duration::from_secs(60 * 60);
        let mut now = begun;
        while now + hour < begun + limits::WEB_SESSION_LONGEST {
            now += hour;
            assert!(sessions.find(now, used.reveal().as_bytes()).is_some());
        }
        assert!(sessions.has(begun, &session) && !sessions.has(now, &session));
        assert!(sessions.find(now, quiet.reveal().as_bytes()).is_none());
        assert!(sessions.find(now + hour, used.reveal().as_bytes()).is_none());
    }

    #[test]
    fn there_is_a_bounded_number_and_a_new_password_ends_the_others() {
        let (mut sessions, now) = (sessions(), Instant::now());
        let begin = |sessions: &mut Sessions, n: u64, person| {
            sessions.begin(now + Duration::from_secs(n), person)
        };
        let (first, session) = begin(&mut sessions, 0, Person::Owner);
        (1..=limits::WEB_SESSIONS as u64)
            .for_each(|n| drop(begin(&mut sessions, n, Person::Owner)));
        assert!(!sessions.has(now, &session) && sessions.known.len() == limits::WEB_SESSIONS);
        assert!(sessions.find(now, first.reveal().as_bytes()).is_none());
        let (_, reader) = begin(&mut sessions, 99, Person::Reader);
        let (_, own) = begin(&mut sessions, 99, Person::Owner);
        sessions.end_of(Person::Owner, Some(&own));
        assert_eq!(sessions.known.len(), 2);
        assert!(sessions.has(now, &reader) && sessions.has(now, &own));
    }
}
