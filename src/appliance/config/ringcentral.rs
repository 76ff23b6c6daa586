//! The sections `[[ringcentral]]`: extensions there that the box is a telephone of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::accounts::{account_name, caller_id, number_prefix};
use super::checked::Check;
use super::values::{Allowed, allowed};
use crate::appliance::accounts::WhenFull;
use crate::appliance::llm::Address;
use crate::base::address::is_loopback;
use crate::base::{Private, limits};
use crate::trunk::AnswerPolicy;
use crate::trunk::dialling::NumberPlan;
use crate::trunk::ringcentral::Mode;

const PRODUCTION: &str = "https://platform.ringcentral.com";
/// Numbers and secrets do not go to the log.
const HIDDEN: &str = "(not shown)";
const CLIENT_ID_CHARS: usize = 100;
const ADDRESS_CHARS: usize = 500;
/// The interface takes some dozens of requests a minute, and a day without calls is long enough.
const CHECKS_S: std::ops::RangeInclusive<u32> = 5..=86_400;
const CALL_BACK_MINUTES: std::ops::RangeInclusive<u16> = 1..=limits::RINGCENTRAL_CALL_BACK_MINUTES;

/// One section as it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// As the page, the log and its credentials call it.
    pub name: String,
    /// The REST interface. Plain http is for a stand-in on this machine only.
    pub server: String,
    /// Of the application in the developer console.
    pub client_id: String,
    /// `webphone`: SIP over WebSocket. `device`: SIP over TLS, for a device of the kind Existing Phone.
    pub mode: String,
    /// What stands before the country code in a number that is called, in place of the plus.
    pub number_prefix: String,
    /// The number that is shown to whom we call. Empty: the extension's.
    pub caller_id: String,
    /// What tells that whom we call has answered: `telephony-session` or `sip-200`.
    pub answered_by: String,
    /// How calls that come are answered: `sip` or `call-control`.
    pub answer: String,
    /// Where telephony events come from: `websocket`, `webhook` or `off`.
    pub events: String,
    /// Whose events: `extension` or `account`.
    pub events_of: String,
    /// The public address of `/webhooks/ringcentral`.
    pub webhook_address: String,
    /// How often it is looked at whether RingCentral has given that address up.
    pub webhook_check_s: u32,
    /// What a caller gets where every line is in use: `refuse`, `voicemail`, `forward`, `reply` or `call-back`.
    pub when_full: String,
    pub forward_to: String,
    pub reply_text: String,
    pub call_back_minutes: u16,
}

impl Default for File {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            name: String::new(),
            server: text(PRODUCTION),
            client_id: String::new(),
            mode: text("webphone"),
            number_prefix: text("+"),
            caller_id: String::new(),
            answered_by: text("telephony-session"),
            answer: text("sip"),
            events: text("websocket"),
            events_of: text("extension"),
            webhook_address: String::new(),
            webhook_check_s: 600,
            when_full: text("refuse"),
            forward_to: String::new(),
            reply_text: String::new(),
            call_back_minutes: 30,
        }
    }
}

/// Where telephony events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Events {
    Off,
    WebSocket,
    Webhook { address: Private<String>, check_every: Duration },
}

/// One section, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RingCentral {
    pub name: String,
    pub server: Address,
    pub client_id: String,
    pub mode: Mode,
    pub number_prefix: String,
    /// With its plus.
    pub caller_id: Option<Private<String>>,
    pub answered_by: AnswerPolicy,
    pub answers_by_control: bool,
    pub events: Events,
    /// Of the whole account, and not of the extension alone.
    pub is_account_wide: bool,
    pub when_full: WhenFull,
}

impl RingCentral {
    /// The interface is on this machine: a stand-in, whose SIP servers need no TLS.
    pub fn is_local(&self) -> bool {
        !self.server.tls
    }
}

pub(super) fn ringcentral(
    sections: &[File],
    names: &[&str],
    check: &mut Check<'_>,
) -> Option<Vec<RingCentral>> {
    if sections.len() > limits::RINGCENTRAL_ACCOUNTS {
        let fault = allowed::<()>(format!("at most {} sections", limits::RINGCENTRAL_ACCOUNTS));
        check.take("ringcentral", sections.len(), fault);
    }
    for (index, section) in sections.iter().enumerate() {
        let earlier = sections.iter().take(index).map(|other| other.name.as_str());
        if earlier.chain(names.iter().copied()).any(|other| other == section.name) {
            let key = format!("ringcentral.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once, also among [[accounts]]"));
        }
    }
    sections.iter().map(|section| one(section, check)).collect()
}

fn one(section: &File, check: &mut Check<'_>) -> Option<RingCentral> {
    let key = |name: &str| format!("ringcentral.{}.{name}", section.name);
    let name = check.take(&key("name"), &section.name, account_name(&section.name));
    let server = check.take(&key("server"), &section.server, server(&section.server));
    let client_id = match section.client_id.as_str() {
        text if (1..=CLIENT_ID_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(text.to_owned())
        }
        _ => allowed("the client id of the application in RingCentral's developer console"),
    };
    let client_id = check.take(&key("client_id"), &section.client_id, client_id);
    let mode = match section.mode.as_str() {
        "webphone" => Ok(Mode::WebPhone),
        "device" => Ok(Mode::Device),
        _ => allowed("webphone or device"),
    };
    let mode = check.take(&key("mode"), &section.mode, mode);
    let prefix = number_prefix(&section.number_prefix);
    let prefix = check.take(&key("number_prefix"), &section.number_prefix, prefix);
    let caller_id = check.take(&key("caller_id"), HIDDEN, caller_id(&section.caller_id));
    let checks = section.webhook_check_s;
    let fits = match CHECKS_S.contains(&checks) {
        true => Ok(()),
        false => allowed("5 to 86400"),
    };
    let checks = check.take(&key("webhook_check_s"), checks, fits);
    let events = events(section);
    let events = check.take(&key("events"), &section.events, events);
    let has_events = events.as_ref().is_none_or(|events| *events != Events::Off);
    let answered_by = match section.answered_by.as_str() {
        "sip-200" => Ok(AnswerPolicy::Sip200),
        "telephony-session" if has_events => Ok(AnswerPolicy::TelephonySession),
        _ => allowed("sip-200, or with events also telephony-session"),
    };
    let answered_by = check.take(&key("answered_by"), &section.answered_by, answered_by);
    let answers_by_control = match section.answer.as_str() {
        "sip" => Ok(false),
        "call-control" if has_events => Ok(true),
        _ => allowed("sip, or with events also call-control"),
    };
    let answers_by_control = check.take(&key("answer"), &section.answer, answers_by_control);
    let is_account_wide = match section.events_of.as_str() {
        "extension" => Ok(false),
        "account" => Ok(true),
        _ => allowed("extension or account"),
    };
    let is_account_wide = check.take(&key("events_of"), &section.events_of, is_account_wide);
    let when_full = check.take(&key("when_full"), &section.when_full, when_full(section));
    checks?;
    Some(RingCentral {
        name: name?,
        server: server?,
        client_id: client_id?,
        mode: mode?,
        number_prefix: prefix?,
        caller_id: caller_id?,
        answered_by: answered_by?,
        answers_by_control: answers_by_control?,
        events: events?,
        is_account_wide: is_account_wide?,
        when_full: when_full?,
    })
}

/// Tokens and passwords go there.
fn server(text: &str) -> Result<Address, Allowed> {
    let found = super::llm::address(text).ok().flatten();
    let found = found.filter(|address| address.prefix.is_empty());
    match found {
        Some(address) if address.tls || is_loopback(&address.host) => Ok(address),
        _ => allowed(format!("https://HOST, as in {PRODUCTION}")),
    }
}

fn events(section: &File) -> Result<Events, Allowed> {
    let address = section.webhook_address.as_str();
    let fits = super::webhooks::url(address).is_ok() && address.len() <= ADDRESS_CHARS;
    match section.events.as_str() {
        "off" => Ok(Events::Off),
        "websocket" => Ok(Events::WebSocket),
        "webhook" if fits => Ok(Events::Webhook {
            address: Private::new(address.to_owned()),
            check_every: Duration::from_secs(section.webhook_check_s.into()),
        }),
        "webhook" => allowed(
            "with webhook also webhook_address, https://HOST/PATH; http:// only with an address of this machine",
        ),
        _ => allowed("websocket, webhook or off"),
    }
}

fn when_full(section: &File) -> Result<WhenFull, Allowed> {
    match section.when_full.as_str() {
        "refuse" => Ok(WhenFull::Refuse),
        "voicemail" => Ok(WhenFull::Voicemail),
        "forward" => match NumberPlan::default().normalise(&section.forward_to) {
            Ok(number) => Ok(WhenFull::Forward(Private::new(number.reveal().to_owned()))),
            Err(_) => allowed("with forward also forward_to, a number with + and country code"),
        },
        "reply" => match section.reply_text.trim() {
            text if (1..=limits::RINGCENTRAL_REPLY_CHARS).contains(&text.chars().count()) => {
                Ok(WhenFull::Reply(Private::new(text.to_owned())))
            }
            _ => allowed(format!(
                "with reply also reply_text, at most {} characters",
                limits::RINGCENTRAL_REPLY_CHARS
            )),
        },
        "call-back" => match section.call_back_minutes {
            minutes if CALL_BACK_MINUTES.contains(&minutes) => Ok(WhenFull::CallBack { minutes }),
            _ => allowed("with call-back also call_back_minutes, 1 to 1440"),
        },
        _ => allowed("refuse, voicemail, forward, reply or call-back"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::from_text;
    use super::*;

    const SOUND: &str = "[[ringcentral]]\nname = \"desk\"\nclient_id = \"abc\"\n";

    #[test]
    fn an_extension_needs_a_name_and_a_client_id_and_has_events_of_its_own() {
        let config = from_text(SOUND).unwrap();
        let [desk] = config.ringcentral.as_slice() else { panic!() };
        assert!(desk.server.tls && desk.server.host == "platform.ringcentral.com");
        assert_eq!((desk.mode, &desk.events), (Mode::WebPhone, &Events::WebSocket));
        assert_eq!(desk.answered_by, AnswerPolicy::TelephonySession);
        assert!(!desk.is_local() && !desk.answers_by_control && !desk.is_account_wide);
        let all = "server = \"http://127.0.0.1:9000\"\nmode = \"device\"\nevents = \"webhook\"\n\
                   webhook_address = \"https://box.example.net/webhooks/ringcentral\"\n\
                   answer = \"call-control\"\nevents_of = \"account\"\ncaller_id = \"+16505550100\"\n\
                   when_full = \"forward\"\nforward_to = \"+16505550199\"\n";
        let config = from_text(&format!("{SOUND}{all}")).unwrap();
        let desk = &config.ringcentral[0];
        assert!(desk.is_local() && desk.answers_by_control && desk.is_account_wide);
        assert!(matches!(desk.events, Events::Webhook { .. }) && desk.mode == Mode::Device);
        let shown = format!("{desk:?}");
        assert!(!shown.contains("555") && !shown.contains("box.example.net"), "{shown}");
    }

    #[test]
    fn one_wrong_value_in_each_key_is_found() {
        for (rest, key) in [
            ("server = \"http://platform.example.net\"", "server"),
            ("server = \"platform.ringcentral.com\"", "server"),
            ("mode = \"phone\"", "mode"),
            ("number_prefix = \"+ \"", "number_prefix"),
            ("caller_id = \"030\"", "caller_id"),
            ("answered_by = \"200\"", "answered_by"),
            ("events = \"off\"", "answered_by"),
            ("events = \"webhook\"", "events"),
            ("events = \"webhook\"\nwebhook_address = \"http://a.example\"", "events"),
            ("events_of = \"all\"", "events_of"),
            ("answer = \"yes\"", "answer"),
            ("when_full = \"forward\"", "when_full"),
            ("when_full = \"reply\"", "when_full"),
            ("when_full = \"call-back\"\ncall_back_minutes = 0", "when_full"),
            ("webhook_check_s = 4", "webhook_check_s"),
            ("secret = \"x\"", "secret"),
        ] {
            let told = from_text(&format!("{SOUND}{rest}\n")).unwrap_err().to_string();
            assert!(told.starts_with(&format!("ringcentral.desk.{key} = ")), "{rest}: {told}");
        }
        let twice = format!("{SOUND}[[accounts]]\nname = \"desk\"\nserver = \"h\"\nuser = \"1\"\n");
        assert!(from_text(&twice).unwrap_err().to_string().contains("each once"));
        let nameless = "[[ringcentral]]\nname = \"desk\"\n";
        assert!(from_text(nameless).unwrap_err().to_string().contains("client id"));
    }
}
