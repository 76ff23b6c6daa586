//! The sign-in with a JWT, and the tokens that come of it (RFC 7523, RFC 6749).
//!
//! A refresh token is for one use: it is forgotten as it is sent, and if that comes to nothing the JWT is
//! used again.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::request::{Lacking, Request, form, text};
use crate::base::Private;
use crate::base::percent::escape_all;

const PATH: &str = "/restapi/oauth/token";
const REVOKE: &str = "/restapi/oauth/revoke";
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The part of its time after which a token is renewed.
const RENEW_AT: f64 = 0.8;
/// The shortest and the longest time that is believed.
const LEAST: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(86_400);

/// Who we are to the platform.
#[derive(Clone, Debug)]
pub struct Application {
    pub client_id: String,
    /// `None`: an application that cannot keep one.
    pub secret: Option<Private<String>>,
    pub jwt: Private<String>,
}

#[derive(Debug)]
struct Access {
    token: Private<String>,
    renew_at: Instant,
    ends_at: Instant,
}

/// See the module.
#[derive(Debug)]
pub struct Tokens {
    application: Application,
    access: Option<Access>,
    refresh: Option<(Private<String>, Instant)>,
}

impl Tokens {
    pub const fn new(application: Application) -> Self {
        Self { application, access: None, refresh: None }
    }

    /// The value of Authorization, while there is a token that is good.
    pub fn bearer(&self, now: Instant) -> Option<Private<String>> {
        let access = self.access.as_ref().filter(|access| now < access.ends_at)?;
        Some(Private::new(format!("Bearer {}", access.token.reveal())))
    }

    /// When the token that there is wants to be renewed.
    pub fn renew_at(&self) -> Option<Instant> {
        self.access.as_ref().map(|access| access.renew_at)
    }

    /// The platform does not take the token any more.
    pub fn disbelieved(&mut self) {
        self.access = None;
    }

    /// Asks for the next one.
    pub fn ask(&mut self, now: Instant) -> Request {
        let refresh = self.refresh.take().filter(|(_, ends_at)| now < *ends_at);
        match refresh {
            Some((token, _)) => self.request(
                PATH,
                vec![("grant_type", "refresh_token"), ("refresh_token", token.reveal())],
            ),
            None => {
                let jwt = self.application.jwt.clone();
                self.request(PATH, vec![("grant_type", JWT), ("assertion", jwt.reveal())])
            }
        }
    }

    /// Ends the session; `None` where there is none.
    pub fn revoke(&mut self) -> Option<Request> {
        let access = self.access.take()?;
        self.refresh = None;
        Some(self.request(REVOKE, vec![("token", access.token.reveal())]))
    }

    fn request<'a>(&'a self, path: &str, mut fields: Vec<(&str, &'a str)>) -> Request {
        let Application { client_id, secret, .. } = &self.application;
        let basic = secret.as_ref().map(|secret| {
            let pair = format!("{}:{}", escape_all(client_id), escape_all(secret.reveal()));
            Private::new(format!("Basic {}", BASE64_STANDARD.encode(pair)))
        });
        if basic.is_none() {
            fields.push(("client_id", client_id));
        }
        Request { authorization: basic, ..Request::post(path, form(&fields)) }
    }

    /// The answer to [`Self::ask`].
    ///
    /// # Errors
    /// If there is no token in it.
    pub fn granted(&mut self, now: Instant, body: &[u8]) -> Result<(), Lacking> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Lacking("a JSON body"))?;
        let token = Private::new(text(&body, "access_token")?);
        let seconds = |name: &str| body.get(name).and_then(Value::as_u64);
        let time = seconds("expires_in").ok_or(Lacking("expires_in"))?;
        let time = Duration::from_secs(time).clamp(LEAST, MOST);
        self.access =
            Some(Access { token, renew_at: now + time.mul_f64(RENEW_AT), ends_at: now + time });
        let refresh = body.get("refresh_token").and_then(Value::as_str);
        self.refresh = refresh.map(|token| {
            let time = seconds("refresh_token_expires_in").map(Duration::from_secs);
            (Private::new(token.to_owned()), now + time.unwrap_or(LEAST).min(30 * MOST))
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Body;
    use super::*;

    fn tokens(secret: Option<&str>) -> Tokens {
        Tokens::new(Application {
            client_id: "box".to_owned(),
            secret: secret.map(|text| Private::new(text.to_owned())),
            jwt: Private::new("e.y.j".to_owned()),
        })
    }

    fn body(request: &Request) -> String {
        let Body::Form(text) = &request.body else { panic!() };
        text.reveal().clone()
    }

    #[test]
    fn a_refresh_token_is_used_once_and_then_the_jwt_again() {
        let now = Instant::now();
        let mut tokens = tokens(Some("hush"));
        let first = tokens.ask(now);
        assert_eq!(first.authorization.as_ref().unwrap().reveal(), "Basic Ym94Omh1c2g=");
        assert!(body(&first).ends_with("&assertion=e.y.j"), "{}", body(&first));
        let answer = br#"{"access_token":"A","expires_in":3600,"refresh_token":"R",
            "refresh_token_expires_in":604800}"#;
        tokens.granted(now, answer).unwrap();
        let bearer = |at: Instant, tokens: &Tokens| tokens.bearer(at).map(Private::into_revealed);
        assert_eq!(bearer(now, &tokens).as_deref(), Some("Bearer A"));
        assert_eq!(tokens.renew_at(), Some(now + Duration::from_secs(2_880)));
        assert_eq!(bearer(now + Duration::from_secs(3_600), &tokens), None);
        assert_eq!(body(&tokens.ask(now)), "grant_type=refresh_token&refresh_token=R");
        assert!(body(&tokens.ask(now)).contains("assertion"));
    }

    #[test]
    fn a_public_application_names_itself_in_the_form_and_what_is_no_token_is_none() {
        let now = Instant::now();
        let mut tokens = tokens(None);
        let asked = tokens.ask(now);
        assert!(asked.authorization.is_none() && body(&asked).ends_with("&client_id=box"));
        for (answer, lacks) in [
            ("", "a JSON body"),
            ("{\"expires_in\":3600}", "access_token"),
            ("{\"access_token\":\"A\"}", "expires_in"),
        ] {
            assert_eq!(tokens.granted(now, answer.as_bytes()), Err(Lacking(lacks)));
        }
        assert!(tokens.bearer(now).is_none() && tokens.revoke().is_none());
    }
}
