//! Digest credentials for a challenge (RFC 2617, 7616, 8760), the client's side.
//!
//! Takes the challenges of a 401 or 407 and gives the value of Authorization or Proxy-Authorization.
//! Never Basic: a password does not leave the machine. The caller keeps the nonce count, raises
//! CSeq and takes a new branch. Password and user name are private and stand in no `Debug` text.

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

use crate::base::{Entropy, Private};
use crate::sip::message::{Method, Response, quote, split_outside};

/// Who we are to a server.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: Private<String>,
    pub password: Private<String>,
    /// The only realm that may see a hash of the password; `None` trusts whom we called.
    pub realm: Option<String>,
    /// A URI that all answers are over, whatever the Request-URI is, for a server that wants it so;
    /// `None`: the Request-URI (RFC 7616 section 3.4.6). Such a server reads the algorithm first and
    /// between quotes.
    pub over: Option<Private<String>>,
}

/// How a challenge wants to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Md5Sess,
    Sha256,
    Sha256Sess,
    /// SHA-512/256 of FIPS 180-4, whose start values are its own: no SHA-512 cut short.
    Sha512Trunc256,
    Sha512Trunc256Sess,
}

impl Algorithm {
    fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Md5,
            Self::Md5Sess,
            Self::Sha256,
            Self::Sha256Sess,
            Self::Sha512Trunc256,
            Self::Sha512Trunc256Sess,
        ];
        all.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512Trunc256 => "SHA-512-256",
            Self::Sha512Trunc256Sess => "SHA-512-256-sess",
        }
    }

    const fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512Trunc256Sess)
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(text)),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(text)),
            Self::Sha512Trunc256 | Self::Sha512Trunc256Sess => hex(&Sha512_256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who asks, and so which header answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// 401, WWW-Authenticate.
    Server,
    /// 407, Proxy-Authenticate.
    Proxy,
}

impl Asker {
    /// The name of the header field that carries [`answer`].
    pub const fn answer_header(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// A Digest challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// `None` when the server named none: MD5, and not named in the answer either.
    algorithm: Option<Algorithm>,
    /// Whether `qop=auth` was offered; otherwise the hash of RFC 2069 is wanted.
    has_qop_auth: bool,
    /// The nonce was too old but the password right: try again at once.
    pub is_stale: bool,
}

impl Challenge {
    /// Reads one header value. `None` for another scheme than Digest, an algorithm that we do not
    /// know, a `qop` without `auth`, or a malformed value.
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields = Vec::new();
        for part in split_outside(rest, ',')?.into_iter().filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            fields.push((name.trim(), bare(value.trim())));
        }
        let field = |name: &str| {
            fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        let algorithm = match field("algorithm") {
            Some(name) => Some(Algorithm::parse(name)?),
            None => None,
        };
        let has_qop_auth = match field("qop") {
            Some(qop) if qop.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
            Some("") | None => false,
            Some(_) => return None,
        };
        Some(Self {
            realm: field("realm")?.to_owned(),
            nonce: field("nonce")?.to_owned(),
            opaque: field("opaque").map(str::to_owned),
            algorithm,
            has_qop_auth,
            is_stale: field("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The topmost challenge of a 401 or 407 that we can answer for the realm of `credentials`:
    /// servers put the strongest first (RFC 8760 section 2.4).
    pub fn of(response: &Response, credentials: &Credentials) -> Option<(Asker, Self)> {
        let (asker, name) = match response.status() {
            401 => (Asker::Server, "WWW-Authenticate"),
            407 => (Asker::Proxy, "Proxy-Authenticate"),
            _ => return None,
        };
        let fits = |challenge: &Self| {
            credentials.realm.as_ref().is_none_or(|realm| *realm == challenge.realm)
        };
        let found = response.headers(name).filter_map(Self::parse).find(fits);
        found.map(|challenge| (asker, challenge))
    }

    pub fn realm(&self) -> &str {
        &self.realm
    }

    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The challenge that the server would make for the next request, by its `nextnonce`.
    #[must_use]
    pub fn with_nonce(self, nonce: String) -> Self {
        Self { nonce, is_stale: false, ..self }
    }

    /// True if answering makes sense after `answered` was tried for the same request: the first
    /// time, or when the server says that only the nonce was old and gives another. Everything else
    /// is a wrong password, and a loop.
    pub fn is_worth_answering(&self, answered: Option<&Self>) -> bool {
        answered.is_none_or(|before| self.is_stale && self.nonce != before.nonce)
    }
}

/// The nonce that whoever asked wants used from now on (RFC 7616 section 3.5).
pub fn next_nonce(response: &Response, asker: Asker) -> Option<String> {
    let name = match asker {
        Asker::Server => "Authentication-Info",
        Asker::Proxy => "Proxy-Authentication-Info",
    };
    let parts = response.headers(name).filter_map(|value| split_outside(value, ',')).flatten();
    let mut fields = parts.filter_map(|part| part.split_once('='));
    let (_, nonce) = fields.find(|(name, _)| name.trim().eq_ignore_ascii_case("nextnonce"))?;
    // It is written into a header of ours again, between quotes.
    let nonce = bare(nonce.trim());
    (!nonce.is_empty() && !nonce.contains('"')).then(|| nonce.to_owned())
}

/// What of a request goes into the hash.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    pub method: &'a Method,
    /// The Request-URI as it is written on the wire.
    pub uri: &'a str,
    /// How often this nonce was used, this time included: 1 at first.
    pub nonce_count: u32,
}

/// The value for [`Asker::answer_header`].
pub fn answer(
    challenge: &Challenge,
    credentials: &Credentials,
    attempt: Attempt<'_>,
    entropy: &mut Entropy,
) -> String {
    answer_with(challenge, credentials, attempt, &entropy.token())
}

fn answer_with(
    challenge: &Challenge,
    credentials: &Credentials,
    attempt: Attempt<'_>,
    cnonce: &str,
) -> String {
    let Attempt { method, uri, nonce_count } = attempt;
    let over = credentials.over.as_ref().map(Private::reveal);
    let uri = over.map_or(uri, String::as_str);
    let Challenge { realm, nonce, .. } = challenge;
    let algorithm = challenge.algorithm.unwrap_or(Algorithm::Md5);
    let username = credentials.username.reveal();
    let mut ha1 = algorithm.hash(&format!("{username}:{realm}:{}", credentials.password.reveal()));
    if algorithm.is_session() {
        ha1 = algorithm.hash(&format!("{ha1}:{nonce}:{cnonce}"));
    }
    let ha2 = algorithm.hash(&format!("{method}:{uri}"));
    let response = if challenge.has_qop_auth {
        algorithm.hash(&format!("{ha1}:{nonce}:{nonce_count:08x}:{cnonce}:auth:{ha2}"))
    } else {
        algorithm.hash(&format!("{ha1}:{nonce}:{ha2}"))
    };
    let username = quote(username);
    let first = match over {
        Some(_) => format!("algorithm=\"{}\", ", algorithm.name()),
        None => String::new(),
    };
    let mut value = format!(
        "Digest {first}username={username}, realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\""
    );
    if let Some(algorithm) = challenge.algorithm.filter(|_| over.is_none()) {
        value += &format!(", algorithm={}", algorithm.name());
    }
    if let Some(opaque) = &challenge.opaque {
        value += &format!(", opaque=\"{opaque}\"");
    }
    if challenge.has_qop_auth {
        value += &format!(", qop=auth, nc={nonce_count:08x}");
    }
    if challenge.has_qop_auth || algorithm.is_session() {
        value += &format!(", cnonce=\"{cnonce}\"");
    }
    value
}

/// A quoted string without its quotes, escapes kept: what was sent is echoed and hashed as it is.
fn bare(value: &str) -> &str {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Params;

    fn credentials(username: &str, password: &str) -> Credentials {
        Credentials {
            username: Private::new(username.to_owned()),
            password: Private::new(password.to_owned()),
            realm: None,
            over: None,
        }
    }

    #[test]
    fn an_answer_over_the_domain_is_the_same_for_every_request_uri() {
        let over = Some(Private::new("sip:sip.ringcentral.com".to_owned()));
        let credentials = Credentials { over, ..credentials("802404906016", "secret") };
        let challenge = "Digest realm=\"sip.ringcentral.com\", \
             nonce=\"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4\"";
        let challenge = Challenge::parse(challenge).unwrap();
        for (method, response) in [
            (Method::Register, "f74afb5f0ebc40b1b7d7dd5ece01fa93"),
            (Method::Invite, "39b62de6c78367d640114ca8ac0458c8"),
        ] {
            let uri = "sip:+16505550111@sip.ringcentral.com";
            let attempt = Attempt { method: &method, uri, nonce_count: 1 };
            let value = answer_with(&challenge, &credentials, attempt, "unused");
            let expected = format!(
                "Digest algorithm=\"MD5\", username=\"802404906016\", \
                 realm=\"sip.ringcentral.com\", nonce=\"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4\", \
                 uri=\"sip:sip.ringcentral.com\", response=\"{response}\""
            );
            assert_eq!(value, expected);
        }
    }

    fn field(value: &str, name: &str) -> String {
        let list = value.strip_prefix("Digest ").unwrap().replace(", ", ";");
        let list = list.replace("uri=\"/dir/index.html\"", "uri=x");
        Params::parse(&list).unwrap().value(name).unwrap_or_default().to_owned()
    }

    #[test]
    fn the_vectors_of_the_rfcs_come_out() {
        let rfc2617 = ("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093");
        let rfc7616 = ("http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v");
        let long_cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let cases = [
            (rfc2617, "Circle Of Life", "", "0a4f113b", "6629fae49393a05397450978507c4ef1"),
            (
                rfc7616,
                "Circle of Life",
                ", algorithm=MD5",
                long_cnonce,
                "8ca523f5e9506fed4657c9700eebdbec",
            ),
            (
                rfc7616,
                "Circle of Life",
                ", algorithm=SHA-256",
                long_cnonce,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ];
        let method = Method::parse("GET").unwrap();
        for ((realm, nonce), password, algorithm, cnonce, expected) in cases {
            let text = format!(
                "Digest realm=\"{realm}\", qop=\"auth,auth-int\", nonce=\"{nonce}\"{algorithm}"
            );
            let challenge = Challenge::parse(&text).unwrap();
            let attempt = Attempt { method: &method, uri: "/dir/index.html", nonce_count: 1 };
            let value = answer_with(&challenge, &credentials("Mufasa", password), attempt, cnonce);
            assert_eq!(field(&value, "response"), expected);
            assert!(value.contains("qop=auth, nc=00000001") && !value.contains("qop=\""));
        }
    }

    #[test]
    fn sha_512_256_is_that_of_fips_180_4() {
        // RFC 7616 section 3.9.2, with the response of its erratum 4897.
        let challenge = Challenge::parse(
            "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
             nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", charset=UTF-8",
        )
        .unwrap();
        let method = Method::parse("GET").unwrap();
        let attempt = Attempt { method: &method, uri: "/doe.json", nonce_count: 1 };
        let who = credentials("J\u{e4}s\u{f8}n Doe", "Secret, or not?");
        let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
        let value = answer_with(&challenge, &who, attempt, cnonce);
        let expected = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5";
        assert!(value.contains(expected), "{value}");
    }

    #[test]
    fn the_next_nonce_is_read_from_whoever_asked() {
        let mut ok = Response::new(200, "OK");
        ok.push_header("Authentication-Info", "qop=auth, nextnonce=\"a,b=\", nc=00000001");
        ok.push_header("Proxy-Authentication-Info", "rspauth=\"x\"");
        assert_eq!(next_nonce(&ok, Asker::Server).as_deref(), Some("a,b="));
        assert_eq!(next_nonce(&ok, Asker::Proxy), None);
    }

    #[test]
    fn without_qop_the_old_hash_is_used_and_nothing_is_counted() {
        let challenge = Challenge::parse("digest nonce=\"n\",realm=\"r\" , opaque=\"o\"").unwrap();
        let attempt = Attempt { method: &Method::Register, uri: "sip:h", nonce_count: 1 };
        let value = answer_with(&challenge, &credentials("u", "p"), attempt, "c");
        let ha1 = Algorithm::Md5.hash("u:r:p");
        let ha2 = Algorithm::Md5.hash("REGISTER:sip:h");
        assert!(value.contains(&Algorithm::Md5.hash(&format!("{ha1}:n:{ha2}"))), "{value}");
        assert!(value.contains("opaque=\"o\""));
        assert!(
            !value.contains("qop") && !value.contains("cnonce") && !value.contains("algorithm")
        );
    }

    #[test]
    fn session_variants_hash_the_cnonce_into_the_key() {
        let attempt = Attempt { method: &Method::Invite, uri: "sip:h", nonce_count: 2 };
        for (name, algorithm) in [
            ("MD5-sess", Algorithm::Md5),
            ("sha-256-SESS", Algorithm::Sha256),
            ("SHA-512-256-sess", Algorithm::Sha512Trunc256),
        ] {
            let text = format!("Digest realm=\"r\",nonce=\"n\",qop=auth,algorithm={name}");
            let challenge = Challenge::parse(&text).unwrap();
            let value = answer_with(&challenge, &credentials("u", "p"), attempt, "c");
            let ha1 = algorithm.hash(&format!("{}:n:c", algorithm.hash("u:r:p")));
            let ha2 = algorithm.hash("INVITE:sip:h");
            let expected = algorithm.hash(&format!("{ha1}:n:00000002:c:auth:{ha2}"));
            assert!(value.contains(&expected), "{value}");
        }
    }

    #[test]
    fn the_topmost_challenge_that_we_know_is_answered_and_never_basic() {
        let mut response = Response::new(407, "x");
        for value in [
            "Basic realm=\"r\"",
            "Digest realm=\"r\", nonce=\"1\", algorithm=SHA3-512",
            "Digest realm=\"r\", nonce=\"2\", qop=\"auth-int\"",
            "Digest realm=\"r\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"",
            "Digest realm=\"r\", nonce=\"4\", algorithm=MD5, qop=\"auth\"",
        ] {
            response.push_header("Proxy-Authenticate", value);
        }
        let (asker, challenge) = Challenge::of(&response, &credentials("u", "p")).unwrap();
        assert_eq!(asker.answer_header(), "Proxy-Authorization");
        assert_eq!(challenge.nonce, "3");
        let mut other = credentials("u", "p");
        other.realm = Some("elsewhere".to_owned());
        assert!(Challenge::of(&response, &other).is_none());
        let mut basic = Response::new(401, "x");
        basic.push_header("WWW-Authenticate", "Basic realm=\"r\"");
        assert!(Challenge::of(&basic, &credentials("u", "p")).is_none());
    }

    #[test]
    fn only_a_stale_nonce_is_answered_a_second_time() {
        let challenge = |nonce: &str, stale: &str| {
            Challenge::parse(&format!("Digest realm=\"r\",nonce=\"{nonce}\",stale={stale}"))
                .unwrap()
        };
        let first = challenge("1", "false");
        assert!(first.is_worth_answering(None));
        assert!(challenge("2", "TRUE").is_worth_answering(Some(&first)));
        assert!(!challenge("1", "true").is_worth_answering(Some(&first)));
        assert!(!challenge("2", "false").is_worth_answering(Some(&first)));
    }

    #[test]
    fn secrets_are_not_printed_and_the_cnonce_changes() {
        let credentials = credentials("bob", "hush");
        assert!(!format!("{credentials:?}").contains("hush"));
        let challenge = Challenge::parse("Digest realm=\"r\",nonce=\"n\",qop=auth").unwrap();
        let attempt = Attempt { method: &Method::Invite, uri: "sip:h", nonce_count: 1 };
        let mut entropy = Entropy::new([1; 32]);
        let one = answer(&challenge, &credentials, attempt, &mut entropy);
        assert_ne!(one, answer(&challenge, &credentials, attempt, &mut entropy));
    }
}
