//! What the server of an account wants beyond, or in place of, what RFC 3261 says.
//!
//! Everything that depends on it is here or asks [`Stack::dialect`]; an account says it with its
//! REGISTER, and whatever belongs to no account is spoken to by the standard. A dialect changes how we
//! name ourselves and what we answer outside of calls, and nothing of transactions and dialogs.

use std::time::Instant;

use super::UserAgent;
use super::leg::{Leg, State};
use super::stack::Stack;
use crate::base::{Private, limits};
use crate::sip::LegId;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Host, Method, NameAddr, Params, Request, Response, Uri, response_to};
use crate::sip::transport::{AccountId, Flow, Way};

/// The names of a call at RingCentral's interfaces, in INVITEs and in responses to ours.
pub(super) const API_IDS: &str = "P-Rc-Api-Ids";

/// How an account's server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// By the RFCs.
    #[default]
    Standard,
    /// As RingCentral's WebPhone does over WebSocket: the Contact has a name of no machine
    /// (RFC 7118 section 5) and says how long it lasts, the instance stands in it from the first
    /// REGISTER on, and the server tells things by MESSAGE, INFO and NOTIFY outside of dialogs.
    WebPhone,
    /// As a telephone of RingCentral's by TLS: everything goes over the one connection that it has made, which its
    /// Contact (`ob`, RFC 5626 section 5.4, with the instance from the first REGISTER on) and its Via (`alias`,
    /// RFC 5923) say.
    Softphone,
}

impl Dialect {
    /// One of RingCentral's.
    pub(super) const fn is_platforms(self) -> bool {
        matches!(self, Self::WebPhone | Self::Softphone)
    }

    /// A Contact of ours as such a server is told it.
    pub(super) fn contact(self, contact: NameAddr) -> NameAddr {
        match self {
            Self::Softphone => {
                let NameAddr { display, uri, params } = contact;
                NameAddr { display, uri: uri.with_param("ob", None), params }
            }
            Self::Standard | Self::WebPhone => contact,
        }
    }
}

/// A MESSAGE to the server of an account, outside of dialogs (RFC 3428).
#[derive(Clone)]
pub struct Telling {
    /// Request-URI and To.
    pub target: Private<String>,
    /// `None`: one of its own.
    pub call_id: Option<Private<String>>,
    pub content_type: String,
    pub body: Private<String>,
}

/// What a server of an account says beside calls and registrations.
#[derive(Clone)]
pub enum Said {
    /// The body of a MESSAGE, which was answered 200.
    Message(Private<String>),
    /// How a call of ours is named at the server's other interfaces.
    CallNamed { leg: LegId, ids: Private<String> },
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message(body) => write!(f, "Message({})", body.reveal().len()),
            Self::CallNamed { leg, .. } => write!(f, "CallNamed({})", leg.0),
        }
    }
}

/// How an account whose dialect is not the standard speaks.
pub(super) struct Spoken {
    account: AccountId,
    dialect: Dialect,
    /// `None`: it is called by its address.
    alias: Option<Alias>,
}

/// A name that leads nowhere but over the connection that it is said on: user and host of Contact, and of Via.
pub(super) struct Alias {
    user: String,
    host: Host,
}

impl Alias {
    fn new(stack: &mut Stack) -> Self {
        let user = stack.entropy.token();
        let host = Host::Name(format!("{}.invalid", stack.entropy.token()));
        Self { user, host }
    }

    pub fn contact(&self) -> NameAddr {
        let uri = Uri::sip(Some(&self.user), self.host.clone(), None);
        let uri = uri.with_param("transport", Some("wss"));
        NameAddr { display: None, uri, params: Params::default() }
    }

    pub fn host(&self) -> Host {
        self.host.clone()
    }
}

impl Stack {
    fn spoken(&self, flow: Flow) -> Option<&Spoken> {
        let account = flow.account?;
        self.spoken.iter().find(|spoken| spoken.account == account)
    }

    /// How this end is to be spoken of at the other end of `flow`, where not by its address.
    pub(super) fn alias(&self, flow: Flow) -> Option<&Alias> {
        self.spoken(flow)?.alias.as_ref()
    }

    pub(super) fn dialect(&self, flow: Flow) -> Dialect {
        self.spoken(flow).map_or(Dialect::Standard, |spoken| spoken.dialect)
    }

    /// An account speaks so from now on; its name stays while it does.
    pub(super) fn speak(&mut self, account: AccountId, dialect: Dialect) {
        let is_it = |spoken: &Spoken| spoken.account == account && spoken.dialect == dialect;
        if dialect != Dialect::Standard && !self.spoken.iter().any(is_it) {
            let alias = (dialect == Dialect::WebPhone).then(|| Alias::new(self));
            self.spoken.push(Spoken { account, dialect, alias });
        }
        self.spoken.retain(|spoken| spoken.account != account || spoken.dialect == dialect);
    }

    pub(super) fn speak_no_more(&mut self, account: AccountId) {
        self.spoken.retain(|spoken| spoken.account != account);
    }

    /// Where requests of a dialog go.
    pub(super) fn way(&self, dialog: &Dialog) -> Way {
        match self.dialect(dialog.flow()) {
            Dialect::Softphone => Way::to_peer(dialog.flow()),
            Dialect::Standard | Dialect::WebPhone => dialog.way(),
        }
    }

    /// Notes how the server names a call of ours.
    pub(super) fn name_call(&mut self, flow: Flow, leg: LegId, response: &Response) {
        let Some(account) = flow.account.filter(|_| self.dialect(flow).is_platforms()) else {
            return;
        };
        if let Some(ids) = response.header(API_IDS) {
            let ids = Private::new(ids.to_owned());
            self.said.push_back((account, Said::CallNamed { leg, ids }));
        }
    }
}

impl UserAgent {
    /// A request outside of dialogs that the dialect of its account answers; false: the standard does.
    /// Such a server retransmits nothing and asks whether somebody is there by whether there is an answer.
    pub(super) fn is_said(&mut self, now: Instant, flow: Flow, request: &Request) -> bool {
        let Some(account) = flow.account.filter(|_| self.stack.dialect(flow).is_platforms()) else {
            return false;
        };
        let is_word = matches!(
            request.method(),
            Method::Message | Method::Info | Method::Notify | Method::Update | Method::Bye
        );
        if !is_word {
            return false;
        }
        let tag = self.stack.stateless_tag(request);
        let ok = response_to(request, 200, Some(&tag));
        self.stack.respond_statelessly(now, request, flow, ok);
        let body = std::str::from_utf8(request.body()).ok();
        let body = body.filter(|body| (1..=limits::AGENT_MESSAGE_BYTES).contains(&body.len()));
        if let Some(body) = body.filter(|_| *request.method() == Method::Message) {
            let message = Said::Message(Private::new(body.to_owned()));
            self.stack.said.push_back((account, message));
        }
        true
    }

    /// Sends a MESSAGE over the way of a registration. Nobody waits for what is answered.
    pub(super) fn tell(&mut self, now: Instant, account: AccountId, telling: &Telling) {
        let Some((way, from)) = self.way_of(account) else { return };
        let Some(target) = Uri::parse(telling.target.reveal()) else { return };
        let Some(from) = Uri::parse(from.reveal()) else { return };
        let stack = &mut self.stack;
        let mut message = Request::new(Method::Message, target.clone().for_request());
        message.push_header("Max-Forwards", "70");
        let from = NameAddr::new(from).with_tag(&stack.entropy.token());
        message.push_header("From", from.to_string());
        message.push_header("To", NameAddr::new(target).to_string());
        let call_id = match &telling.call_id {
            Some(given) => given.reveal().clone(),
            None => stack.entropy.token() + &stack.entropy.token(),
        };
        message.push_header("Call-ID", call_id);
        // Within a Call-ID that the call's dialog counts in, too: far above it.
        let number = 1_000_000 + stack.entropy.next_u32() % 1_000_000;
        message.push_header("CSeq", format!("{number} MESSAGE"));
        message.push_header("User-Agent", &stack.settings.product);
        message.set_body(&telling.content_type, telling.body.reveal().clone().into_bytes());
        stack.request(now, message, way, None);
    }

    /// An account is registered over this flow: its calls go over it, too, for the one before may lead to a
    /// server that is gone.
    pub(super) fn lead_calls(&mut self, now: Instant, account: AccountId, flow: Flow) {
        if !self.stack.dialect(flow).is_platforms() {
            return;
        }
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        for leg in legs {
            self.with_leg(now, leg, |leg, _| leg.lead(account, flow));
        }
    }

    fn way_of(&self, account: AccountId) -> Option<(Way, Private<String>)> {
        let registration = self.registrations.get(&account)?;
        Some((registration.way(), registration.address_of_record()))
    }
}

impl Leg {
    fn lead(&mut self, account: AccountId, flow: Flow) {
        let dialog = match &mut self.state {
            State::Up(up) => &mut up.dialog,
            State::Ending(ending) => &mut ending.dialog,
            // Their transactions go where the INVITE went.
            State::Offered(_) | State::Calling(_) | State::Over => return,
        };
        if dialog.flow().account == Some(account) {
            dialog.refresh(&[], Some(flow));
        }
    }
}
