//! Call Control: what is done to one party of a telephony session.

use serde_json::{Value, json};

use super::request::{Body, Request};
use crate::base::{Private, limits};

const SESSIONS: &str = "/restapi/v1.0/account/~/telephony/sessions";

/// Where a call is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    PhoneNumber(Private<String>),
    Extension(Private<String>),
    /// The mailbox of this extension's id.
    Voicemail(Private<String>),
}

impl Target {
    fn body(&self) -> Value {
        match self {
            Self::PhoneNumber(number) => json!({ "phoneNumber": number.reveal() }),
            Self::Extension(number) => json!({ "extensionNumber": number.reveal() }),
            Self::Voicemail(id) => json!({ "voicemail": id.reveal() }),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The call comes to this device, by a new INVITE that is to be answered at once.
    Answer {
        device: Private<String>,
    },
    Reject,
    /// While it rings.
    Forward(Target),
    /// Once it is answered.
    Transfer(Target),
    Hold,
    Unhold,
    /// The whole session ends.
    Drop,
}

impl Action {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Reject => "reject",
            Self::Forward(_) => "forward",
            Self::Transfer(_) => "transfer",
            Self::Hold => "hold",
            Self::Unhold => "unhold",
            Self::Drop => "drop",
        }
    }

    /// `None`: the ids are none.
    pub fn request(&self, session: &str, party: &str) -> Option<Request> {
        if !is_id(session) || !is_id(party) {
            return None;
        }
        let name = self.name();
        let body = match self {
            Self::Drop => return Some(Request::delete(format!("{SESSIONS}/{session}"))),
            Self::Answer { device } => json!({ "deviceId": device.reveal() }),
            Self::Forward(target) | Self::Transfer(target) => target.body(),
            Self::Hold => json!({ "proto": "Auto" }),
            Self::Reject | Self::Unhold => json!({}),
        };
        let path = format!("{SESSIONS}/{session}/parties/{party}/{name}");
        Some(Request::post(path, Body::json(&body)))
    }
}

/// It stands in a path.
pub(super) fn is_id(text: &str) -> bool {
    (1..=limits::RINGCENTRAL_ID_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_its_request() {
        let private = |text: &str| Private::new(text.to_owned());
        for (action, shown, body) in [
            (
                Action::Answer { device: private("8") },
                "POST /s-1/parties/p-1-2/answer",
                "{\"deviceId\":\"8\"}",
            ),
            (Action::Reject, "POST /s-1/parties/p-1-2/reject", "{}"),
            (
                Action::Forward(Target::PhoneNumber(private("+1650"))),
                "POST /s-1/parties/p-1-2/forward",
                "{\"phoneNumber\":\"+1650\"}",
            ),
            (
                Action::Transfer(Target::Extension(private("101"))),
                "POST /s-1/parties/p-1-2/transfer",
                "{\"extensionNumber\":\"101\"}",
            ),
            (
                Action::Transfer(Target::Voicemail(private("7"))),
                "POST /s-1/parties/p-1-2/transfer",
                "{\"voicemail\":\"7\"}",
            ),
            (Action::Hold, "POST /s-1/parties/p-1-2/hold", "{\"proto\":\"Auto\"}"),
            (Action::Unhold, "POST /s-1/parties/p-1-2/unhold", "{}"),
            (Action::Drop, "DELETE /s-1", ""),
        ] {
            let request = action.request("s-1", "p-1-2").unwrap();
            assert_eq!(format!("{request:?}").replace(SESSIONS, ""), shown);
            let told = match &request.body {
                Body::Json(text) => text.reveal().clone(),
                _ => String::new(),
            };
            assert_eq!(told, body);
        }
        for (session, party) in [("", "p"), ("s", ""), ("../x", "p"), ("s", "p/answer")] {
            assert_eq!(Action::Reject.request(session, party), None, "{session} {party}");
        }
    }
}
