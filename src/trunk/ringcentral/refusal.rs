//! Why the REST interface did not do what was asked, and what the owner can do about it.

use std::fmt;

use serde_json::Value;

use super::request::Answer;
use crate::trunk::dialling::LimitReached;

/// Characters of a code or of a permission's name that are shown.
const SHOWN_CHARS: usize = 48;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The application lacks this permission.
    Application(String),
    /// The user's role lacks it.
    User(String),
    /// The sign-in itself is refused, with this code.
    SignIn(String),
    /// Too many requests, again and again.
    Busy,
    /// There is no such session, party, device or subscription (any more).
    Unknown,
    /// The state of a call does not allow it.
    Conflict,
    /// Another status and its code.
    Refused(u16, String),
    /// The platform does not answer, or is out of order.
    Silent,
    /// An answer that makes no sense.
    Unreadable(&'static str),
    /// There is no device of the kind that the mode needs.
    NoDevice,
    /// The platform sends no events to our address any more (it is blacklisted).
    GivenUp,
    /// The owner does not let the box call this number.
    Number,
    /// One of the owner's limits for calls that cost something.
    Limit(LimitReached),
    /// The call cannot be counted.
    NotCounted,
}

impl Refusal {
    /// Of an answer that is neither a success nor to be asked for again.
    pub fn of(answer: &Answer) -> Self {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let first = body.get("errors").and_then(|errors| errors.get(0));
        let field = |name: &str| {
            let of = |value: Option<&Value>| value?.get(name)?.as_str().map(shown);
            of(first).or_else(|| of(Some(&body)))
        };
        let code = field("errorCode").or_else(|| field("error")).unwrap_or_default();
        let top = body.get("errorCode").and_then(Value::as_str).unwrap_or_default();
        let permission = || field("permissionName").unwrap_or_else(|| "(not named)".to_owned());
        match answer.status {
            403 if code == "CMN-408" => Self::User(permission()),
            403 if code == "CMN-401" || top == "InsufficientPermissions" => {
                Self::Application(permission())
            }
            404 => Self::Unknown,
            409 => Self::Conflict,
            status => Self::Refused(status, code),
        }
    }

    /// A refusal of the token that was asked for.
    pub fn of_sign_in(answer: &Answer) -> Self {
        match Self::of(answer) {
            Self::Refused(_, code) if !code.is_empty() => Self::SignIn(code),
            Self::Refused(status, _) => Self::SignIn(status.to_string()),
            other => other,
        }
    }

    /// Whether it may be otherwise soon.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::Silent)
    }
}

/// A word of the platform's, cut to letters, digits and dashes.
fn shown(text: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    text.chars().filter(is_plain).take(SHOWN_CHARS).collect()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(name) => write!(
                f,
                "the application lacks the permission {name}: switch it on in the RingCentral \
                 developer console (the app's settings, application permissions); CallControl must be \
                 asked of RingCentral's support"
            ),
            Self::User(name) => write!(
                f,
                "the user's role lacks the permission {name} (CMN-408): an administrator gives it in \
                 the RingCentral admin portal (users, roles)"
            ),
            Self::SignIn(code) => write!(
                f,
                "the sign-in is refused ({code}): look at client_id, the secret, the JWT, and whether \
                 the app allows the JWT flow"
            ),
            Self::Busy => f.write_str("RingCentral wants fewer requests (429)"),
            Self::Unknown => f.write_str("RingCentral does not know it (any more)"),
            Self::Conflict => f.write_str("the call is not in a state for that (409)"),
            Self::Refused(status, code) => {
                write!(f, "RingCentral refuses it ({status} {code})")
            }
            Self::Silent => f.write_str("RingCentral does not answer, or is out of order"),
            Self::Unreadable(what) => write!(f, "RingCentral's answer lacks {what}"),
            Self::NoDevice => f.write_str(
                "the user has no device of the kind Existing Phone: add one in the RingCentral admin \
                 portal (phones & devices)",
            ),
            Self::Number => f.write_str("[dial] does not allow this number"),
            Self::Limit(limit) => limit.fmt(f),
            Self::NotCounted => {
                f.write_str("the call cannot be counted: the disk does not take it")
            }
            Self::GivenUp => f.write_str(
                "RingCentral has given webhook_address up (blacklisted): it must be reached from the \
                 internet with a certificate that is believed, and answer within three seconds",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Refusal {
        Refusal::of(&Answer { status, retry_after_s: None, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn a_missing_permission_is_named_with_what_to_switch_on() {
        let application = of(
            403,
            r#"{"errorCode":"InsufficientPermissions","message":"x [CallControl]",
            "errors":[{"errorCode":"CMN-401","permissionName":"CallControl"}],
            "permissionName":"CallControl"}"#,
        );
        assert_eq!(application, Refusal::Application("CallControl".to_owned()));
        assert!(application.to_string().contains("developer console"));
        let user = of(403, r#"{"errorCode":"CMN-408","permissionName":"VoipCalling"}"#);
        assert_eq!(user, Refusal::User("VoipCalling".to_owned()));
        assert!(user.to_string().contains("VoipCalling (CMN-408)"));
        let nested = of(
            403,
            r#"{"errorCode":"InsufficientPermissions","errors":[{"errorCode":"CMN-408","permissionName":"X"}]}"#,
        );
        assert_eq!(nested, Refusal::User("X".to_owned()));
    }

    #[test]
    fn other_refusals_show_status_and_code_and_nothing_else_of_the_body() {
        for (status, body, expected) in [
            (404, "{\"errorCode\":\"CMN-102\"}", Refusal::Unknown),
            (409, "", Refusal::Conflict),
            (400, "{\"errorCode\":\"CMN-101\"}", Refusal::Refused(400, "CMN-101".to_owned())),
            (403, "not json", Refusal::Refused(403, String::new())),
            (400, "{\"errorCode\":\"a <b> \\n c\"}", Refusal::Refused(400, "abc".to_owned())),
        ] {
            assert_eq!(of(status, body), expected, "{status} {body}");
        }
        let body = br#"{"error":"invalid_grant","error_description":"x"}"#.to_vec();
        let answer = Answer { status: 400, retry_after_s: None, body };
        let told = Refusal::of_sign_in(&answer);
        assert_eq!(told, Refusal::SignIn("invalid_grant".to_owned()));
    }
}
