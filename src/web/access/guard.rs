//! The rules for every request, in the order in which they are looked at: the name it came to, who asks, how often,
//! for whose page; and then, path by path, what the path needs.

use std::convert::Infallible;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY, COOKIE, FORWARDED, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    TRANSFER_ENCODING, UPGRADE, VARY, VIA, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;

use super::first_code::FirstCode;
use super::origin::{is_foreign, is_more_than_a_look, is_our_name, origin};
use super::passwords::{NotSet, Passwords, Person};
use super::rate::{Buckets, Rate};
use super::sessions::{Session, Sessions};
use super::source::Source;
use super::tickets::{Tickets, TooMany};
use super::{Access, Caller, Scope, Scopes};
use crate::base::{Entropy, Private, limits};
use crate::web::dialling::media_type;
use crate::web::listener::Bounded;
use crate::web::problem::{Kind, Problem};

/// The page loads its own files, asks its own API, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What proxies say of whom they ask for; none has a name of its own in the crate but `Forwarded`.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// By each of them it is known that a proxy asks, and not somebody on the box.
static OF_PROXIES: [HeaderName; 6] = [
    FORWARDED,
    FORWARDED_FOR,
    VIA,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// What a page of another site may send, and read of an answer.
const SENT: &str = "authorization, content-type, idempotency-key, if-match, last-event-id";
const READ: &str = "etag, retry-after, www-authenticate, location";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_S: &str = "600";

/// What a path needs of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody may ask.
    Nothing,
    /// Any token will do.
    Token,
    Scope(Scope),
}

/// What stands before all paths.
#[derive(Debug)]
pub struct Gate {
    access: Access,
    passwords: Passwords,
    first_code: FirstCode,
    /// Names by which the interface is asked for, besides addresses and localhost.
    names: Vec<String>,
    /// What nobody may, whoever it is.
    withheld: Scopes,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    tickets: Tickets,
    asked: Buckets<Whose>,
    asked_by_token: Buckets<String>,
    /// Calls that pages ask for.
    calls: Buckets<Whose>,
    calls_by_token: Buckets<String>,
    refused: Buckets<Source>,
    signing_in: Buckets<Source>,
    /// Of all addresses together.
    all_signing_in: Buckets<()>,
    sessions: Sessions,
    /// The version of the passwords that the sessions are of.
    version: u64,
    entropy: Entropy,
}

/// What became of an attempt to sign in.
#[derive(Debug)]
pub enum SignIn {
    /// The secret for the cookie.
    Done(Private<String>, Caller),
    Wrong,
}

/// The cookie of who is signed in.
pub const SESSION_COOKIE: &str = "attendant";
/// With what a browser that is signed in asks for changes.
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// Types of bodies that are read anywhere here. A form of another site's page can send none of them.
const BODIES: [&str; 5] = [
    "application/json",
    "text/csv",
    "application/sdp",
    "application/trickle-ice-sdpfrag",
    "application/octet-stream",
];

/// Who is counted: whoever shows a token at one place, or nobody's at another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Whose {
    token: Option<String>,
    source: Source,
}

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::nobody(false)))
    }
}

impl Gate {
    pub fn new(
        access: Access,
        passwords: Passwords,
        names: Vec<String>,
        mut entropy: Entropy,
    ) -> Self {
        let first_code = FirstCode::open(passwords.folder(), entropy.fork(), !passwords.is_set());
        let counts = Counts {
            tickets: Tickets::new(entropy.fork()),
            signing_in: buckets(limits::SIGN_IN_BURST, limits::SIGN_IN_PER_SECOND),
            all_signing_in: buckets(limits::SIGN_IN_ALL_BURST, limits::SIGN_IN_ALL_PER_SECOND),
            sessions: Sessions::new(entropy.fork()),
            version: passwords.version(),
            entropy,
            asked: buckets(limits::API_BURST, limits::API_PER_SECOND),
            asked_by_token: buckets(limits::API_TOKEN_BURST, limits::API_TOKEN_PER_SECOND),
            calls: buckets(limits::WEBRTC_OFFERS_BURST, limits::WEBRTC_OFFERS_PER_SECOND),
            calls_by_token: buckets(
                limits::WEBRTC_OFFERS_OF_TOKEN_BURST,
                limits::WEBRTC_OFFERS_OF_TOKEN_PER_SECOND,
            ),
            refused: buckets(limits::API_REFUSED_BURST, limits::API_REFUSED_PER_SECOND),
        };
        let withheld = Scopes::default();
        Self { access, passwords, first_code, names, withheld, counts: Mutex::new(counts) }
    }

    /// This is switched off: nobody has the scope.
    #[must_use]
    pub fn withholding(self, scope: Scope) -> Self {
        Self { withheld: Scopes::from_iter([scope]), ..self }
    }

    /// Nobody needs a token or a password: the interface is for this machine alone.
    pub fn is_open(&self) -> bool {
        !self.access.has_tokens() && !self.passwords.is_set()
    }

    pub const fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// May take some 50 ms. `Err`: it was tried too often.
    pub fn sign_in(
        &self,
        source: Source,
        person: Person,
        password: &Private<String>,
    ) -> Result<SignIn, Problem> {
        self.try_password(source, false)?;
        if !self.passwords.is_right(person, password) {
            tracing::warn!(person = person.name(), "a wrong password at the page");
            return Ok(SignIn::Wrong);
        }
        let (secret, caller) = self.begin_session(person);
        Ok(SignIn::Done(secret, caller))
    }

    /// Sets the owner's first password for who shows the code of the box, and signs them in. May take some 50 ms.
    ///
    /// # Errors
    /// There is one, the code is another, or it was tried too often.
    pub fn first_password(
        &self,
        source: Source,
        code: &str,
        password: &Private<String>,
    ) -> Result<(Private<String>, Caller), Problem> {
        if self.passwords.has(Person::Owner) {
            return Err(Problem::new(Kind::Conflict, "the owner has a password"));
        }
        self.try_password(source, false)?;
        if !self.first_code.is_right(code) {
            tracing::warn!("a wrong code for the first password at the page");
            return Err(Problem::new(Kind::Forbidden, "code is not that of the box"));
        }
        self.set_password(Person::Owner, password, None)?;
        Ok(self.begin_session(Person::Owner))
    }

    /// For a salt and a nonce.
    pub fn random(&self) -> [u8; 28] {
        let seed = self.with_counts(|counts| counts.entropy.seed());
        *seed.first_chunk().expect("32 bytes have 28")
    }

    /// Counts an attempt to show a password.
    pub fn try_password(&self, source: Source, is_signed_in: bool) -> Result<(), Problem> {
        let now = now();
        let tried = self.with_counts(|counts| {
            counts.signing_in.take(now, &source)?;
            // Whoever is signed in is not held up by those who guess elsewhere.
            if is_signed_in { Ok(()) } else { counts.all_signing_in.take(now, &()) }
        });
        tried.map_err(|again_in| too_often(again_in, "too many attempts to sign in"))
    }

    /// May take some 50 ms. Whoever was signed in with the old password is not any more, but who changes it.
    pub fn set_password(
        &self,
        person: Person,
        password: &Private<String>,
        by: Option<&Arc<Session>>,
    ) -> Result<(), NotSet> {
        let random = self.random();
        let salt = *random.first_chunk().expect("28 bytes have 16");
        self.passwords.set(person, password, salt)?;
        self.with_counts(|counts| counts.sessions.end_of(person, by));
        Ok(())
    }

    pub fn remove_reader(&self) -> std::io::Result<()> {
        self.passwords.remove_reader()?;
        self.with_counts(|counts| counts.sessions.end_of(Person::Reader, None));
        Ok(())
    }

    /// Whoever has shown the password, or set the first one, is signed in by it.
    pub fn begin_session(&self, person: Person) -> (Private<String>, Caller) {
        let (secret, session) = self.with_counts(|counts| counts.sessions.begin(now(), person));
        (secret, Caller::person(session).without(self.withheld))
    }

    pub fn sign_out(&self, session: &Arc<Session>) {
        self.with_counts(|counts| counts.sessions.end(session));
    }

    /// Who is signed in by the request's cookie.
    fn signed_in(&self, now: Instant, headers: &HeaderMap) -> Option<Arc<Session>> {
        let secret = cookie(headers)?;
        self.with_sessions(|sessions| sessions.find(now, secret.as_bytes()))
    }

    /// Whether what it is told is still its own to see: it is not once it is signed out, by whatever.
    pub fn is_still_here(&self, now: Instant, caller: &Caller) -> bool {
        let Some(session) = caller.session() else { return true };
        self.with_sessions(|sessions| sessions.has(now, session))
    }

    /// The sessions of the passwords as they are now.
    fn with_sessions<T>(&self, work: impl FnOnce(&mut Sessions) -> T) -> T {
        let version = self.passwords.version();
        self.with_counts(|counts| {
            if counts.version != version {
                counts.version = version;
                Person::ALL.iter().for_each(|person| counts.sessions.end_of(*person, None));
            }
            work(&mut counts.sessions)
        })
    }

    /// # Errors
    /// Of whom too many are out.
    pub fn issue_ticket(&self, caller: Caller, source: Source) -> Result<Private<String>, TooMany> {
        self.with_counts(|counts| counts.tickets.issue(now(), caller, source))
    }

    /// Whether somebody may ask for one more call from a page. The owner on the box may.
    ///
    /// # Errors
    /// After how long.
    pub fn may_call(&self, caller: &Caller, source: Source) -> Result<(), Problem> {
        let Some(token) = caller.token().map(str::to_owned) else { return Ok(()) };
        let now = now();
        let whose = Whose { token: Some(token.clone()), source };
        self.with_counts(|counts| {
            counts.calls.take(now, &whose)?;
            counts.calls_by_token.take(now, &token)
        })
        .map_err(|again_in| too_often(again_in, "too many calls in a short time"))
    }

    fn with_counts<T>(&self, work: impl FnOnce(&mut Counts) -> T) -> T {
        work(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who asks. An address that has shown too many wrong tokens is told so for a while; whoever shows a right
    /// one there is heard, for many may come through one proxy.
    fn identify(&self, request: &Request, source: Source) -> Result<Caller, Problem> {
        let now = now();
        let headers = request.headers();
        let is_open = self.is_open();
        let shown = headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes().to_vec());
        let caller = match ticket(request.method(), request.uri(), headers) {
            // Where nobody needs a token a wrong ticket is none: any page could show one.
            Some(ticket) if !headers.contains_key(AUTHORIZATION) && !is_open => {
                let caller = self.with_counts(|counts| counts.tickets.redeem(now, ticket));
                // What a browser that is signed out has been given is good for nothing any more.
                let caller = caller.filter(|caller| self.is_still_here(now, caller));
                caller.unwrap_or_else(|| Caller::nobody(true))
            }
            _ if headers.contains_key(AUTHORIZATION) => self.access.identify(is_open, shown),
            _ => match self.signed_in(now, headers) {
                Some(session) => Caller::person(session),
                None => self.access.identify(is_open, shown),
            },
        };
        let token = caller.token().map(str::to_owned);
        self.with_counts(|counts| {
            if caller.is_refused() {
                counts.refused.take(now, &source)?;
            }
            counts.asked.take(now, &Whose { token: token.clone(), source })?;
            token.iter().try_for_each(|token| counts.asked_by_token.take(now, token))
        })
        .map_err(|again_in| too_often(again_in, "too many requests"))?;
        Ok(caller.without(self.withheld))
    }
}

fn buckets<K: Eq + Hash + Clone>(burst: u32, per_second: impl Into<f64>) -> Buckets<K> {
    Buckets::new(Rate { burst, per_second: per_second.into() }, limits::API_SOURCES)
}

pub fn now() -> Instant {
    Instant::now()
}

/// Only where a browser can send no header of ours.
fn ticket<'a>(method: &Method, uri: &'a Uri, headers: &HeaderMap) -> Option<&'a str> {
    let is_stream = headers.contains_key(UPGRADE)
        || headers.get(ACCEPT).is_some_and(|kind| kind == "text/event-stream");
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut tickets = pairs.filter_map(|pair| pair.strip_prefix("ticket="));
    tickets.next().filter(|_| *method == Method::GET && is_stream)
}

/// Puts the rules before what follows.
pub async fn guard(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let origin = origin(request.headers()).map(str::to_owned);
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|peer| peer.0.0.ip());
    // Without an address, as in tests of paths alone, all are one.
    let peer = peer.unwrap_or(Ipv4Addr::LOCALHOST.into()).to_canonical();
    let source = Source::of(peer, request.headers());
    request.extensions_mut().insert(source);
    let outcome = admitted(&gate, &request, (peer, source), origin.as_deref());
    let outcome = match (outcome, preflight(&gate, &request, origin.as_deref())) {
        (Err(problem), _) => Err(problem.into_response()),
        (Ok(_), Some(allowed)) => Err(allowed),
        (Ok(caller), None) => Ok(caller),
    };
    let (mut response, caller) = match outcome {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            // A backup takes as long as disk and network do; its connection is bounded by what comes.
            let is_long = matches!(request.uri().path(), "/api/backup" | "/api/restore");
            let answer = next.run(request);
            (if is_long { answer.await } else { in_time(answer).await }, Some(caller))
        }
        Err(response) => (response, None),
    };
    if let Some(origin) = origin {
        let may_read = match &caller {
            Some(caller) if caller.is_known() => caller.allows_origin(&origin),
            _ => gate.access.knows_origin(&origin),
        };
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
        if let (true, Ok(origin)) = (may_read, HeaderValue::try_from(origin)) {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let read = HeaderValue::from_static(READ);
            response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, read);
        }
    }
    let rules: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in rules {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    length || headers.contains_key(TRANSFER_ENCODING)
}

/// The session's secret; of several cookies of the name the first, as RFC 6265 has the most exact one there.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut pairs =
        fields.flat_map(|field| field.split(';')).filter_map(|one| one.trim().split_once('='));
    pairs.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, secret)| secret)
}

async fn in_time(answer: impl Future<Output = Response>) -> Response {
    let answer = tokio::time::timeout(limits::API_REQUEST_TIME, answer).await;
    answer.unwrap_or_else(|_| {
        Problem::new(Kind::TooSlow, "it took too long; it may be asked again").into_response()
    })
}

fn admitted(
    gate: &Gate,
    request: &Request,
    (peer, source): (IpAddr, Source),
    origin: Option<&str>,
) -> Result<Caller, Problem> {
    let headers = request.headers();
    if !is_our_name(request.uri(), headers, &gate.names) {
        return Err(Problem::new(Kind::WrongHost, "this host name is not served here"));
    }
    let is_open = gate.is_open();
    let is_forwarded = OF_PROXIES.iter().any(|name| headers.contains_key(name));
    let is_stranger = is_open && (is_forwarded || !peer.is_loopback());
    let is_refused = is_stranger && !is_of_first_run(request.uri().path());
    if is_refused && is_forwarded {
        let text =
            "this comes through a proxy, and there is no password, and no token: see [[token]]";
        return Err(Problem::new(Kind::Forbidden, text));
    }
    if is_refused {
        let text = "only the box itself is answered until a password is set: open the page, which asks for the \
                    code of the box, or run `attendant password` there";
        return Err(Problem::new(Kind::Forbidden, text));
    }
    let is_read = BODIES.iter().any(|kind| media_type(headers).eq_ignore_ascii_case(kind));
    // What a platform posts it knows a word for, and need not say its type.
    let is_posted = request.uri().path().starts_with("/webhooks/");
    if has_body(headers) && !is_read && !is_posted {
        return Err(Problem::new(Kind::MediaType, "a body of this Content-Type is not read here"));
    }
    let is_preflight = preflight(gate, request, origin).is_some();
    let mut caller = gate.identify(request, source)?;
    if is_stranger {
        caller = Caller::nobody(false);
    }
    let may_be_foreign = origin.is_some_and(|origin| caller.allows_origin(origin));
    let is_more = is_more_than_a_look(request.method(), headers);
    let is_foreign = is_foreign(headers, !is_open);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if let Some(session) = caller.session().filter(|_| changes) {
        let shown = headers.get(CSRF).map_or(&b""[..], HeaderValue::as_bytes);
        // The page that calls is also one of other sites, with a token, and knows no sessions. A browser says with each
        // of its requests whose it is, which is looked at below; the names of its calls are secrets by themselves.
        let says_whose =
            request.uri().path().starts_with("/webrtc/") && headers.contains_key(ORIGIN);
        if !says_whose && !session.is_shown(shown) {
            let text = "the header field X-CSRF-Token is not that of GET /api/session";
            return Err(Problem::new(Kind::ForeignPage, text));
        }
    }
    if !is_preflight && is_more && is_foreign && !may_be_foreign {
        return Err(Problem::new(Kind::ForeignPage, "not for the page of another site"));
    }
    Ok(caller)
}

/// What anybody may ask for who is to set the first password, which the code of the box is needed for.
fn is_of_first_run(path: &str) -> bool {
    matches!(path, "/" | "/api/session" | "/api/first-password") || path.starts_with("/page/")
}

/// The answer to a browser that asks whether a page of a token's origin may ask.
fn preflight(gate: &Gate, request: &Request, origin: Option<&str>) -> Option<Response> {
    let is_asked = *request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && origin.is_some_and(|origin| gate.access.knows_origin(origin));
    let fields = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, SENT),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S),
    ];
    is_asked.then(|| (StatusCode::NO_CONTENT, fields).into_response())
}

fn too_often(again_in: Duration, what: &str) -> Problem {
    let seconds = u32::try_from(again_in.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    Problem::new(Kind::TooOften, what).retry_after(seconds.max(1))
}

/// Lets only those through who may.
pub async fn admit(needs: Needs, caller: Caller, request: Request, next: Next) -> Response {
    let (may, wanted) = match needs {
        Needs::Nothing => (true, String::new()),
        Needs::Token => (caller.is_known(), String::new()),
        Needs::Scope(scope) => (caller.may(scope), Scopes::from_iter([scope]).text()),
    };
    if may {
        return next.run(request).await;
    }
    let (problem, challenge) = match (caller.is_known(), caller.is_refused()) {
        (true, _) => (
            Problem::new(Kind::Scope, format!("whoever asks has not the scope {wanted}")),
            format!("Bearer realm=\"attendant\", error=\"insufficient_scope\", scope=\"{wanted}\""),
        ),
        (false, true) => (
            Problem::new(Kind::Token, "the token, or the ticket, is not known here"),
            "Bearer realm=\"attendant\", error=\"invalid_token\"".to_owned(),
        ),
        (false, false) => (
            Problem::new(Kind::Token, "sign in, or show a token: Authorization: Bearer TOKEN"),
            "Bearer realm=\"attendant\"".to_owned(),
        ),
    };
    let mut response = problem.into_response();
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
