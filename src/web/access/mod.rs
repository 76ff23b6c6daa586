//! Who asks, and what they may ask for: programs by bearer tokens (RFC 6750) with scopes and origins, people by a
//! password and then by a cookie.
//!
//! It is given headers' values and addresses and gives a [`Caller`]. Without a token and a password the interface is
//! open: whoever is on the box is the owner, and nobody else is answered; with one nobody is. `guard` asks for each
//! request, `passwords` are those of people, `first_code` is what the first of them needs, `sessions` their cookies, `tickets` stand in for tokens where a program's
//! page can set no header, `rate` says how often one may ask.

mod first_code;
mod guard;
mod origin;
mod passwords;
mod rate;
mod sessions;
mod source;
mod tickets;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::problem::{Kind, Problem};
use crate::base::Private;
use sessions::Session;

pub use first_code::read as first_code;
pub use passwords::{NotSet, Passwords, Person};

pub(super) use guard::{Gate, Needs, Peer, SESSION_COOKIE, SignIn, admit, guard, now};
pub(super) use rate::{Buckets, Rate};
pub(super) use source::Source;
pub(super) use tickets::{TICKET_S, TooMany};

/// What a token may be good for. The names are part of the API and of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// State, accounts, calls with their numbers and figures, and the same as events; no words.
    Read,
    /// With `read`: what was said, what callers left, and the keys that they pressed.
    Words,
    /// To have the box call.
    Dial,
    /// To answer, end, hold and transfer calls.
    Calls,
    /// To call the box from a browser.
    Webrtc,
    /// The sound of calls over a WebSocket.
    Audio,
    /// The figures for Prometheus.
    Metrics,
    /// To delete what is kept of calls, and to mark messages as read.
    History,
    /// To see and change the configuration, passwords and backups.
    Settings,
    /// To listen to calls, and to speak in them in the assistant's place.
    Listen,
}

/// A set of them is a word of 16 bits.
const _: () = assert!(Scope::ALL.len() <= u16::BITS as usize);

impl Scope {
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Words,
        Self::Dial,
        Self::Calls,
        Self::Webrtc,
        Self::Audio,
        Self::Metrics,
        Self::History,
        Self::Settings,
        Self::Listen,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Words => "words",
            Self::Dial => "dial",
            Self::Calls => "calls",
            Self::Webrtc => "webrtc",
            Self::Audio => "audio",
            Self::Metrics => "metrics",
            Self::History => "history",
            Self::Settings => "settings",
            Self::Listen => "listen",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u16) != 0
    }

    const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// The names, one after the other, as RFC 6750 writes them.
    pub fn text(self) -> String {
        let names = Scope::ALL.into_iter().filter(|scope| self.has(*scope)).map(Scope::name);
        names.collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | 1 << scope as u16))
    }
}

/// A token that the owner has given to somebody.
#[derive(Clone, Debug)]
pub struct Token {
    /// As the configuration calls it.
    pub name: String,
    pub secret: Private<String>,
    pub scopes: Scopes,
    /// Web pages that may ask with it, as browsers write their origin.
    pub origins: Vec<String>,
}

/// Who may ask.
#[derive(Clone, Debug, Default)]
pub struct Access {
    tokens: Vec<(Arc<Token>, [u8; 32])>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    who: Who,
    scopes: Scopes,
}

#[derive(Clone, Debug)]
enum Who {
    /// On the box, while the interface is open.
    Owner,
    /// Signed in.
    Person(Arc<Session>),
    Token(Arc<Token>),
    Nobody {
        /// A token came, and is none of ours.
        is_refused: bool,
    },
}

impl Caller {
    pub(super) fn owner() -> Self {
        Self { who: Who::Owner, scopes: Scopes::all() }
    }

    pub(super) const fn nobody(is_refused: bool) -> Self {
        Self { who: Who::Nobody { is_refused }, scopes: Scopes(0) }
    }

    pub(super) fn person(session: Arc<Session>) -> Self {
        let scopes = session.person.scopes();
        Self { who: Who::Person(session), scopes }
    }

    /// The browser that asks, where one is signed in.
    pub(super) const fn session(&self) -> Option<&Arc<Session>> {
        match &self.who {
            Who::Person(session) => Some(session),
            Who::Owner | Who::Token(_) | Who::Nobody { .. } => None,
        }
    }

    /// Without what nobody may here.
    fn without(self, withheld: Scopes) -> Self {
        Self { scopes: self.scopes.without(withheld), ..self }
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }

    pub(super) const fn scopes(&self) -> Scopes {
        self.scopes
    }

    pub(super) const fn is_known(&self) -> bool {
        !matches!(self.who, Who::Nobody { .. })
    }

    /// It has shown a password or a token, and is not only on the box, as a proxy is that asks for the whole world.
    pub(super) const fn is_proven(&self) -> bool {
        matches!(self.who, Who::Person(_) | Who::Token(_))
    }

    /// For what leads to the owner's password or to a secret: changes of the configuration, backups, the log.
    ///
    /// # Errors
    /// It has shown nothing yet.
    pub(super) fn proven(&self) -> Result<(), Problem> {
        let text = "first set a password at the page";
        self.is_proven().then_some(()).ok_or_else(|| Problem::new(Kind::Forbidden, text))
    }

    pub(super) const fn is_refused(&self) -> bool {
        matches!(self.who, Who::Nobody { is_refused: true })
    }

    /// The name of the token that was shown.
    pub(super) fn token(&self) -> Option<&str> {
        match &self.who {
            Who::Token(token) => Some(&token.name),
            Who::Owner | Who::Person(_) | Who::Nobody { .. } => None,
        }
    }

    /// As limits and keys tell callers apart; empty for one that is none of ours.
    pub(super) fn name(&self) -> &str {
        match &self.who {
            Who::Owner => "(owner)",
            Who::Person(session) => match session.person {
                Person::Owner => "(signed in as owner)",
                Person::Reader => "(signed in as reader)",
            },
            Who::Token(token) => &token.name,
            Who::Nobody { .. } => "",
        }
    }

    /// As the owner knows whoever asks.
    pub(super) fn known_as(&self) -> &str {
        match &self.who {
            // On the box, while nobody needs a password.
            Who::Owner => Person::Owner.name(),
            Who::Person(session) => session.person.name(),
            Who::Token(token) => &token.name,
            Who::Nobody { .. } => "",
        }
    }

    /// Whether a page of this origin may ask in its name.
    pub(super) fn allows_origin(&self, origin: &str) -> bool {
        match &self.who {
            Who::Token(token) => token.origins.iter().any(|known| known == origin),
            Who::Owner | Who::Person(_) | Who::Nobody { .. } => false,
        }
    }
}

impl Access {
    pub fn new(tokens: Vec<Token>) -> Self {
        let digest = |token: &Token| Sha256::digest(token.secret.reveal().as_bytes()).into();
        Self {
            tokens: tokens
                .into_iter()
                .map(|t| (digest(&t), t))
                .map(|(d, t)| (Arc::new(t), d))
                .collect(),
        }
    }

    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// By the values of the header field Authorization. `is_open`: nobody needs a token or a password.
    pub(super) fn identify(
        &self,
        is_open: bool,
        mut authorization: impl Iterator<Item = Vec<u8>>,
    ) -> Caller {
        let given = authorization.next();
        let is_one = authorization.next().is_none();
        match given {
            Some(value) => {
                let token = bearer(&value).filter(|_| is_one).and_then(|secret| self.find(secret));
                match token {
                    Some(token) => Self::caller(token),
                    // Where nothing is secret a token too many opens nothing.
                    None if is_open => Caller::owner(),
                    None => Caller::nobody(true),
                }
            }
            None if is_open => Caller::owner(),
            None => Caller::nobody(false),
        }
    }

    fn caller(token: Arc<Token>) -> Caller {
        let scopes = token.scopes;
        Caller { who: Who::Token(token), scopes }
    }

    /// Takes the same time whichever token it is, and for none.
    fn find(&self, secret: &[u8]) -> Option<Arc<Token>> {
        let given: [u8; 32] = Sha256::digest(secret).into();
        let mut found = u32::MAX;
        for (index, (_, digest)) in (0..u32::MAX).zip(&self.tokens) {
            found.conditional_assign(&index, digest.ct_eq(&given));
        }
        self.tokens.get(found as usize).map(|(token, _)| Arc::clone(token))
    }

    /// Whether a page of this origin may ask with any token.
    pub(super) fn knows_origin(&self, origin: &str) -> bool {
        self.tokens.iter().any(|(token, _)| token.origins.iter().any(|known| known == origin))
    }
}

/// RFC 6750 section 2.1.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, secret) = value.split_at_checked(7)?;
    let secret = secret.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !secret.is_empty()).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, secret: &str, scopes: &[Scope]) -> Token {
        Token {
            name: name.to_owned(),
            secret: Private::new(secret.to_owned()),
            scopes: scopes.iter().copied().collect(),
            origins: vec![format!("https://{name}.example")],
        }
    }

    fn by(access: &Access, values: &[&str]) -> Caller {
        access.identify(!access.has_tokens(), values.iter().map(|value| value.as_bytes().to_vec()))
    }

    #[test]
    fn without_tokens_whoever_is_on_the_box_is_the_owner() {
        let caller = by(&Access::default(), &[]);
        assert!(caller.is_known() && Scope::ALL.into_iter().all(|scope| caller.may(scope)));
        assert!(by(&Access::default(), &["Bearer x"]).may(Scope::Words));
    }

    #[test]
    fn a_token_has_its_own_scopes_and_origins_and_no_token_has_none() {
        let access = Access::new(vec![
            token("shop", "first", &[Scope::Webrtc]),
            token("desk", "second", &[Scope::Read, Scope::Dial]),
        ]);
        for (values, name, scopes) in [
            (&["Bearer first"][..], "shop", "webrtc"),
            (&["bearer  second "], "desk", "read dial"),
            (&["Bearer third"], "", ""),
            (&["Bearer "], "", ""),
            (&["Basic first"], "", ""),
            (&["first"], "", ""),
            (&["Bearer first", "Bearer second"], "", ""),
            (&[], "", ""),
        ] {
            let caller = by(&access, values);
            assert_eq!((caller.name(), &*caller.scopes().text()), (name, scopes), "{values:?}");
            assert_eq!(caller.is_refused(), name.is_empty() && !values.is_empty(), "{values:?}");
        }
        let shop = by(&access, &["Bearer first"]);
        assert!(shop.allows_origin("https://shop.example"));
        assert!(!shop.allows_origin("https://desk.example"));
        assert!(access.knows_origin("https://desk.example"));
    }

    #[test]
    fn every_scope_reads_back_what_it_prints() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
            assert_eq!(Scopes::from_iter([scope]).text(), scope.name());
        }
        assert_eq!(Scope::from_name("everything"), None);
    }
}
