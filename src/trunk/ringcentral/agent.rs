//! What RingCentral's server and a telephone tell each other beside a call: the `P-rc` header of an
//! INVITE, and the bodies of MESSAGEs (`x-rc/agent`).
//!
//! ```text
//! <Msg><Hdr SID="3512" Req="{GUID}" From="#996016@host:5060" To="1720...*115" Cmd="6"/>
//!      <Bdy Phn="+1..." Nm="..." .../></Msg>
//! ```
//!
//! Two elements with attributes, and nothing else: read by attributes alone, bounded, without entities
//! but the five of XML.

use crate::base::{Private, limits};

/// The content type of such a MESSAGE.
pub const CONTENT_TYPE: &str = "x-rc/agent";
/// Attributes of one element; the longest real one has ten.
const ATTRIBUTES: usize = 40;

/// The numbers of commands that are known here.
pub mod command {
    /// A call comes: the header of an INVITE.
    pub const INCOMING_CALL: u16 = 6;
    /// Somebody has taken the call, perhaps we.
    pub const ALREADY_PROCESSED: u16 = 7;
    /// The call is over.
    pub const SESSION_CLOSE: u16 = 9;
}

/// What a telephone asks for a call that rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The INVITE has come. Without it a later `Voicemail` does not work.
    ReceiveConfirm,
    /// Somebody else is to have it.
    Forward(Private<String>),
    Voicemail,
    /// Not here; it goes on ringing elsewhere.
    Reject,
    /// The caller is asked to hold on: a reply is being written.
    StartReply,
    /// The caller is told this text.
    Reply(Private<String>),
    /// The caller is told that we call back in so many minutes.
    CallBackIn {
        minutes: u16,
    },
}

impl Wish {
    const fn command(&self) -> u16 {
        match self {
            Self::Forward(_) => 10,
            Self::Voicemail => 11,
            Self::Reject => 12,
            Self::StartReply => 13,
            Self::Reply(_) | Self::CallBackIn { .. } => 14,
            Self::ReceiveConfirm => 17,
        }
    }

    fn attributes(&self) -> Vec<(&'static str, String)> {
        let owned = |all: &[(&'static str, &str)]| {
            all.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        match self {
            Self::Forward(to) => owned(&[("FwdDly", "0"), ("Phn", to.reveal()), ("PhnTp", "3")]),
            Self::Reply(text) => owned(&[("RepTp", "0"), ("Bdy", text.reveal())]),
            Self::CallBackIn { minutes } => {
                let minutes = minutes.to_string();
                owned(&[("RepTp", "1"), ("Dir", "0"), ("Vl", &minutes), ("Units", "0")])
            }
            Self::ReceiveConfirm | Self::Voicemail | Self::Reject | Self::StartReply => Vec::new(),
        }
    }
}

/// What the caller has said to a reply of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    Yes,
    No,
    Urgent,
}

impl Reaction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Urgent => "urgent",
        }
    }
}

/// One message. `Debug` shows its command.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentMessage {
    pub command: u16,
    /// The session at the server.
    sid: String,
    request: String,
    from: String,
    to: String,
    body: Vec<(String, String)>,
}

impl std::fmt::Debug for AgentMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentMessage({})", self.command)
    }
}

impl AgentMessage {
    /// `None`: it is none, or too long.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > limits::AGENT_MESSAGE_BYTES {
            return None;
        }
        let header = attributes(text, "Hdr")?;
        let field = |name: &str| find(&header, name).unwrap_or_default().to_owned();
        Some(Self {
            command: find(&header, "Cmd")?.trim().parse().ok()?,
            sid: field("SID"),
            request: field("Req"),
            from: field("From"),
            to: field("To"),
            body: attributes(text, "Bdy").unwrap_or_default(),
        })
    }

    /// Of the body.
    pub fn value(&self, name: &str) -> Option<&str> {
        find(&self.body, name)
    }

    /// Of a `SESSION_CLOSE`.
    pub fn reaction(&self) -> Option<Reaction> {
        match self.value("Resp")? {
            "1" => Some(Reaction::Yes),
            "2" => Some(Reaction::No),
            "3" => Some(Reaction::Urgent),
            _ => None,
        }
    }

    /// Whether it is about the call that the other one announced.
    pub fn is_about(&self, call: &Self) -> bool {
        let is_request = [&self.request, &call.request].iter().any(|text| text.is_empty())
            || self.request == call.request;
        !self.sid.is_empty() && self.sid == call.sid && is_request
    }

    /// Whether it is for this telephone: it names nobody, or us.
    pub fn is_for(&self, authorization_id: &str) -> bool {
        self.value("Cln").is_none_or(|client| client.is_empty() || client == authorization_id)
    }

    /// What we tell about the call that this message announced: the URI that it goes to, and its body.
    pub fn reply(&self, wish: &Wish, authorization_id: &str) -> (Private<String>, Private<String>) {
        let command = wish.command().to_string();
        let header = [
            ("SID", self.sid.as_str()),
            ("Req", self.request.as_str()),
            ("From", self.to.as_str()),
            ("To", self.from.as_str()),
            ("Cmd", command.as_str()),
        ];
        let mut text = String::from("<Msg><Hdr");
        header.iter().for_each(|(name, value)| write(&mut text, name, value));
        text += "/><Bdy";
        write(&mut text, "Cln", authorization_id);
        wish.attributes().iter().for_each(|(name, value)| write(&mut text, name, value));
        text += "/></Msg>";
        // A URI has no raw number sign (RFC 3261 section 25.1).
        let target = format!("sip:{}", self.from.replace('#', "%23"));
        (Private::new(target), Private::new(text))
    }
}

fn find<'a>(all: &'a [(String, String)], name: &str) -> Option<&'a str> {
    all.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn write(text: &mut String, name: &str, value: &str) {
    text.push(' ');
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text.push('"');
}

/// Those of the first element of this name; `None` without one, or where it does not end.
fn attributes(text: &str, element: &str) -> Option<Vec<(String, String)>> {
    let open = format!("<{element}");
    let start = text.match_indices(&open).map(|(at, open)| at + open.len());
    let is_whole = |rest: &&str| rest.starts_with([' ', '\t', '\r', '\n', '/', '>']);
    let mut rest = start.filter_map(|at| text.get(at..)).find(is_whole)?;
    let mut all = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.starts_with("/>") || rest.starts_with('>') {
            return Some(all);
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| ['"', '\''].contains(c))?;
        let (value, after) = after.get(1..)?.split_once(quote)?;
        let name = name.trim();
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-:.".contains(c));
        if !is_name || all.len() == ATTRIBUTES {
            return None;
        }
        all.push((name.to_owned(), unescaped(value)));
        rest = after;
    }
}

fn unescaped(value: &str) -> String {
    let known = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    known.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "<Msg><Hdr SID=\"3512\" Req=\"{8A1C-00}\" \
        From=\"#996016@sip.ringcentral.com:5060\" To=\"17205550100*115\" Cmd=\"6\"/>\
        <Bdy SrvLvl=\"-149699523\" SrvLvlExt=\"406\" Phn=\"+16505550111\" Nm=\"A &amp; B\" \
        ToPhn=\"+17205550100\" ToNm='Box' RecUrl=\"\"/></Msg>";

    #[test]
    fn a_call_is_confirmed_with_its_own_names_the_other_way_round() {
        let call = AgentMessage::parse(CALL).unwrap();
        assert_eq!(call.command, command::INCOMING_CALL);
        assert_eq!((call.value("Nm"), call.value("ToNm")), (Some("A & B"), Some("Box")));
        let (to, body) = call.reply(&Wish::ReceiveConfirm, "802404906016");
        assert_eq!(to.reveal(), "sip:%23996016@sip.ringcentral.com:5060");
        assert_eq!(
            body.reveal(),
            "<Msg><Hdr SID=\"3512\" Req=\"{8A1C-00}\" From=\"17205550100*115\" \
             To=\"#996016@sip.ringcentral.com:5060\" Cmd=\"17\"/><Bdy Cln=\"802404906016\"/></Msg>"
        );
    }

    #[test]
    fn each_wish_has_its_command_and_its_values() {
        let call = AgentMessage::parse(CALL).unwrap();
        let private = |text: &str| Private::new(text.to_owned());
        for (wish, command, values) in [
            (Wish::Forward(private("+1650")), 10, " FwdDly=\"0\" Phn=\"+1650\" PhnTp=\"3\"/>"),
            (Wish::Voicemail, 11, "/>"),
            (Wish::Reject, 12, "/>"),
            (Wish::StartReply, 13, "/>"),
            (Wish::Reply(private("a<\"b")), 14, " RepTp=\"0\" Bdy=\"a&lt;&quot;b\"/>"),
            (Wish::CallBackIn { minutes: 5 }, 14, " RepTp=\"1\" Dir=\"0\" Vl=\"5\" Units=\"0\"/>"),
        ] {
            let (_, body) = call.reply(&wish, "8");
            assert!(body.reveal().contains(&format!("Cmd=\"{command}\"/>")), "{wish:?}");
            let end = format!("<Bdy Cln=\"8\"{values}</Msg>");
            assert!(body.reveal().ends_with(&end), "{wish:?}: {}", body.reveal());
            let read = AgentMessage::parse(body.reveal()).unwrap();
            assert_eq!(read.command, command);
        }
    }

    #[test]
    fn what_is_told_of_a_call_is_known_by_its_session_and_request() {
        let call = AgentMessage::parse(CALL).unwrap();
        for (header, is_about) in [
            ("SID=\"3512\" Req=\"{8A1C-00}\"", true),
            ("SID=\"3512\"", true),
            ("SID=\"3512\" Req=\"{8A1C-01}\"", false),
            ("SID=\"3513\" Req=\"{8A1C-00}\"", false),
            ("Req=\"{8A1C-00}\"", false),
        ] {
            let text = format!("<Msg><Hdr {header} Cmd=\"9\"/><Bdy Resp=\"3\" Sts=\"0\"/></Msg>");
            let told = AgentMessage::parse(&text).unwrap();
            assert_eq!(told.is_about(&call), is_about, "{header}");
            assert_eq!(told.reaction(), Some(Reaction::Urgent));
        }
        assert_eq!(call.reaction(), None);
    }

    #[test]
    fn what_is_for_another_telephone_is_told_from_what_is_for_us() {
        let taken = |client: &str| {
            let text = format!("<Msg><Hdr Cmd='7'/><Bdy {client} Sts=\"0\"/></Msg>");
            AgentMessage::parse(&text).unwrap().is_for("8")
        };
        assert!(taken("") && taken("Cln=\"8\"") && taken("Cln=\"\"") && !taken("Cln=\"9\""));
    }

    #[test]
    fn what_is_no_message_is_none() {
        for text in [
            "",
            "<Msg/>",
            "<Msg><Hdr/></Msg>",
            "<Msg><Hdr Cmd=\"x\"/></Msg>",
            "<Msg><Hdr Cmd=\"6\"",
            "<Msg><Hdr Cmd=\"6",
            "<Msg><Hdr Cmd=6/></Msg>",
            "<Msg><Hdr Cmd=\"6\" <a=\"b\"/></Msg>",
            "<Msg><Hdrs Cmd=\"6\"/></Msg>",
        ] {
            assert_eq!(AgentMessage::parse(text), None, "{text}");
        }
        let many = "a=\"b\" ".repeat(ATTRIBUTES + 1);
        assert_eq!(AgentMessage::parse(&format!("<Msg><Hdr Cmd=\"6\" {many}/></Msg>")), None);
        let long = "a".repeat(limits::AGENT_MESSAGE_BYTES);
        assert_eq!(AgentMessage::parse(&format!("<Msg><Hdr Cmd=\"6\" A=\"{long}\"/></Msg>")), None);
    }
}
