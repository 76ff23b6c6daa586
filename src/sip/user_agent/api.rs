//! What goes into the user agent and what comes out of it.
//!
//! # Life of a leg
//!
//! A leg is one INVITE usage: one call with one peer, numbered by the user agent; `UserAgent::reserve_leg`
//! gives the id of one that goes out. Every leg ends with exactly one event, after
//! which its id means nothing and commands for it are ignored:
//!
//! ```text
//! they call   Incoming ─Ring*─Answer──▶ Established ──▶ … ──▶ Ended
//!                  │  └─Reject──▶ (no event: the caller of Reject knows)
//!                  └────────────▶ Cancelled
//! we call     Invite ──▶ Progress* ──▶ Answered ──▶ … ──▶ Ended
//!                  └──▶ Refused, or Redirected
//! in between  OfferReceived → AcceptOffer | RefuseOffer      (their re-INVITE or UPDATE)
//!             Reoffer → OfferAnswered | OfferFailed          (ours)
//!             Dtmf
//!             Refer → Refer*        (news, the last of them Done or Failed; a Done may follow that)
//!             Referred → AnswerRefer → NotifyRefer*  (the peer's; the last status is a final one)
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::dialect::{Said, Telling};
use super::probing::{FoundBy, Presence, Probe};
use super::registration::{Register, RegistrationNews};
use crate::base::{Private, serial};
use crate::sip::LegId;
use crate::sip::admission::Sources;
use crate::sip::digest::Credentials;
use crate::sip::transport::{AccountId, ConnectionId, Flow, Server, Transport};

/// How this end presents itself and what it lets in. Fixed while the program runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// User-Agent and Server: a short product name.
    pub product: String,
    /// User part of our Contact.
    pub contact_user: String,
    /// Our own address for TCP, when we listen there: an INVITE too large for a UDP datagram
    /// (RFC 3261 section 18.1.1: over 1300 bytes) goes over TCP first. `None` keeps it on UDP. For a
    /// wildcard the call's own local address is taken, with this port.
    pub tcp_local: Option<SocketAddr>,
    /// How long an incoming INVITE may wait for `Answer` or `Reject` before it gets 480, and how
    /// long an outgoing one may ring before it is cancelled.
    pub answer_within: Duration,
    /// How long a session lasts without a refresh (RFC 4028), in seconds, in calls whose other end
    /// knows the timer. `None`: only where the other end asks for it.
    pub session_expires_s: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            product: "Attendant".to_owned(),
            contact_user: "attendant".to_owned(),
            tcp_local: None,
            answer_within: Duration::from_secs(180),
            session_expires_s: None,
        }
    }
}

pub enum Input<'a> {
    Datagram {
        flow: Flow,
        bytes: &'a [u8],
    },
    /// A connection was accepted, or one that we asked for by `Connect` is up.
    StreamOpened {
        flow: Flow,
    },
    StreamBytes {
        connection: ConnectionId,
        bytes: &'a [u8],
    },
    /// One message, from a stream that keeps them apart (RFC 7118).
    StreamMessage {
        connection: ConnectionId,
        bytes: &'a [u8],
    },
    StreamClosed {
        connection: ConnectionId,
    },
    ConnectFailed {
        connection: ConnectionId,
    },
    Command(Command),
    /// The deadline of the last [`Output::Timeout`] has come.
    Timeout,
}

/// `Debug` shows what kind it is, no address and no content.
pub enum Output {
    Transmit {
        flow: Flow,
        bytes: Vec<u8>,
    },
    /// Make a stream connection; answer with `StreamOpened` (its flow carrying `connection`) or
    /// `ConnectFailed`.
    Connect {
        connection: ConnectionId,
        transport: Transport,
        peer: SocketAddr,
        /// With whose names and certificates.
        account: Option<AccountId>,
    },
    /// Close a connection, after what was transmitted on it before.
    Close {
        connection: ConnectionId,
    },
    Event(Event),
    Registration {
        id: AccountId,
        news: RegistrationNews,
    },
    /// A server was asked whether it is there, or passed over by a call.
    Presence {
        account: AccountId,
        server: Server,
        presence: Presence,
        by: FoundBy,
    },
    /// A server of an account tells something beside calls.
    Said {
        account: AccountId,
        said: Said,
    },
    /// Nothing more to do before this time; `None`: nothing until the next input.
    Timeout(Option<Instant>),
}

/// What a new call gets without being shown to us, and what OPTIONS therefore says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// `Event::Incoming` for each; OPTIONS gets 200.
    Open,
    /// This status (486 or 503) at once, with Retry-After in seconds.
    Closed { status: u16, retry_after_s: Option<u32> },
}

/// A Warning header (RFC 3261 section 20.43): 304 media type, 305 media format, 399 anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub code: u16,
    pub text: String,
}

/// A call to make. `Debug` shows where it goes first.
#[derive(Clone)]
pub struct Invite {
    /// Where the request goes first: the configured proxy or the callee itself. For a stream
    /// without `connection` the user agent finds or asks for one.
    pub flow: Flow,
    /// Where it goes next, in this order, while nothing has rung: after a 503, where there is no way, and
    /// where nothing at all has come (RFC 3263 section 4.3). Each sends from the address of `flow`, which
    /// the offer names.
    pub others: Vec<Flow>,
    /// Request-URI and To.
    pub target: Private<String>,
    /// From URI; our own Contact when `None`.
    pub from: Option<Private<String>>,
    pub display: Option<Private<String>>,
    /// The offer; `None` asks the callee for one.
    pub sdp: Option<Vec<u8>>,
    /// Used for challenges from the address that it was sent to only, once for each nonce.
    pub credentials: Option<Credentials>,
    /// Further header fields. Line breaks are removed.
    pub headers: Vec<(String, String)>,
}

/// Whom a peer is to call in our place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferTo {
    /// A URI; its scheme is for the peer to know.
    Uri(Private<String>),
    /// A telephone number, which the peer's own domain knows.
    Number(Private<String>),
    /// Whoever is at the other end of this leg: the peer takes our place in that call (RFC 5589 section
    /// 7), if that end says that it knows how (RFC 3891).
    Leg(LegId),
}

/// What came of a [`Command::Refer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferNews {
    /// The peer calls there.
    Accepted,
    /// Somebody has answered there.
    Done,
    /// The peer refused with this status, its call failed with it, or nothing was heard in time
    /// (408).
    Failed(u16),
}

pub enum Command {
    /// 180 or 183, optionally with early media.
    Ring {
        leg: LegId,
        status: u16,
        sdp: Option<Vec<u8>>,
    },
    /// 200 with the answer, or with our offer when the INVITE had none.
    Answer {
        leg: LegId,
        sdp: Vec<u8>,
    },
    /// A final refusal of an incoming call; the leg is gone.
    Reject {
        leg: LegId,
        status: u16,
        retry_after_s: Option<u32>,
        warning: Option<Warning>,
    },
    /// Our answer to `OfferReceived`, or our offer when it carried none.
    AcceptOffer {
        leg: LegId,
        sdp: Vec<u8>,
    },
    /// The call goes on as before.
    RefuseOffer {
        leg: LegId,
        status: u16,
        warning: Option<Warning>,
    },
    /// Our re-INVITE: hold, resume, a new address.
    Reoffer {
        leg: LegId,
        sdp: Vec<u8>,
    },
    /// Asks the peer to call somebody else in our place (RFC 3515). What comes of it is told by
    /// `Event::Refer`, and the call stays up in any case: after `Done` it is ours to end. Without
    /// a word of success `within` this time it has failed.
    Refer {
        leg: LegId,
        to: ReferTo,
        within: Duration,
    },
    /// Answers `Referred`, at once: 202, after which each `NotifyRefer` tells the peer how far its wish is,
    /// or the status of a refusal.
    AnswerRefer {
        leg: LegId,
        status: u16,
    },
    /// The status of the call that the peer's REFER wanted; from 200 on it is the last.
    NotifyRefer {
        leg: LegId,
        status: u16,
    },
    /// Ends an established call, cancels an outgoing one, refuses an incoming one with 480.
    /// `reason` is a Reason header's value (RFC 3326).
    Bye {
        leg: LegId,
        reason: Option<String>,
    },
    Invite {
        leg: LegId,
        invite: Box<Invite>,
    },
    Cancel {
        leg: LegId,
    },
    /// What new calls get from now on.
    Admit(Admission),
    /// Who may begin something from now on; of the others everything new is dropped unread.
    LetIn(Sources),
    /// Sends a REGISTER; what comes of it is told by one `Registered` or `Failed`, or by that of the
    /// next one where one is given before.
    Register {
        id: AccountId,
        register: Box<Register>,
    },
    /// Takes our binding away; `Unregistered` or `Failed` tells the end.
    Unregister {
        id: AccountId,
    },
    /// Asks the registrar whether it is still there: `Alive` or `Silent`.
    Ping {
        id: AccountId,
    },
    /// Asks a server that an account does not register with whether it is there: one
    /// [`Output::Presence`], or that of the next one where one is given before.
    Probe {
        probe: Box<Probe>,
    },
    /// The registrar is silent on a connection that is up: it is closed, and told as lost.
    DropFlow {
        id: AccountId,
    },
    /// Sends a MESSAGE to the registrar of an account.
    Tell {
        id: AccountId,
        telling: Box<Telling>,
    },
    /// Ends every leg: BYE, CANCEL or 503. Give `Admit(Closed)` first to let no new one in.
    EndAll {
        retry_after_s: Option<u32>,
    },
}

/// An INVITE that asks for a call. `Debug` shows how it came.
#[derive(Clone, Serialize, Deserialize)]
pub struct Incoming {
    pub flow: Flow,
    #[serde(with = "serial::revealed")]
    pub request_uri: Private<String>,
    #[serde(with = "serial::revealed")]
    pub from_uri: Private<String>,
    #[serde(with = "serial::revealed")]
    pub from_display: Private<Option<String>>,
    #[serde(with = "serial::revealed")]
    pub to_uri: Private<String>,
    #[serde(with = "serial::revealed")]
    pub sip_call_id: Private<String>,
    /// The SDP offer; without one `Answer` carries ours and `Established` their answer.
    pub offer: Option<Vec<u8>>,
    /// The leg whose place it is to take (RFC 3891), which is established. `Answer` it and end that one
    /// with `Bye`, or `Reject` it.
    #[serde(default)]
    pub replaces: Option<LegId>,
    /// Header fields that policy and the call's record care about, as received:
    /// [`HEADERS_OF_INTEREST`].
    #[serde(with = "serial::revealed")]
    pub headers: Private<Vec<(String, String)>>,
}

/// Names of the header fields that [`Incoming::headers`] carries.
pub const HEADERS_OF_INTEREST: &[&str] = &[
    "P-Asserted-Identity",
    "Remote-Party-ID",
    "Privacy",
    "Diversion",
    "History-Info",
    "Alert-Info",
    "Call-Info",
    "Subject",
    "User-Agent",
    "P-Attestation-Indicator",
    "Identity",
    "P-Rc",
    "P-Rc-Api-Ids",
    "P-Rc-Api-Call-Info",
];

/// `Debug` shows kinds, legs, statuses and causes; no address, no key and no description.
#[derive(Clone, Serialize, Deserialize)]
pub enum Event {
    Incoming {
        leg: LegId,
        incoming: Box<Incoming>,
    },
    /// The caller gave up before our final response, or its Expires or ours ran out.
    Cancelled {
        leg: LegId,
    },
    /// The ACK came. `answer` is the caller's, when our 200 carried the offer.
    Established {
        leg: LegId,
        answer: Option<Vec<u8>>,
    },
    /// The peer's re-INVITE or UPDATE; without an offer the answer to it is to be our offer.
    OfferReceived {
        leg: LegId,
        offer: Option<Vec<u8>>,
        by: OfferBy,
    },
    /// The peer cancelled the re-INVITE of `OfferReceived`, or ended the call: no answer is wanted.
    OfferWithdrawn {
        leg: LegId,
    },
    /// The peer's answer to `Reoffer`, or to the offer that we gave by `AcceptOffer`.
    OfferAnswered {
        leg: LegId,
        sdp: Vec<u8>,
    },
    /// The call goes on as it was before `Reoffer`.
    OfferFailed {
        leg: LegId,
        status: u16,
    },
    /// 101-199 to our INVITE. Several early dialogs may be reported, each with its own SDP.
    Progress {
        leg: LegId,
        status: u16,
        sdp: Option<Vec<u8>>,
    },
    /// 2xx to our INVITE. Without an offer in it the SDP is the peer's offer: `AcceptOffer`
    /// answers it, in the ACK; `RefuseOffer` ends the call. Where the 2xx has no description, the
    /// last one of the same dialog's provisional responses stands.
    Answered {
        leg: LegId,
        sdp: Option<Vec<u8>>,
    },
    /// Our INVITE failed: with the peer's status, 408 when nothing came, 503 when the transport
    /// failed, 487 when `Cancel` took effect.
    Refused {
        leg: LegId,
        status: u16,
        retry_after_s: Option<u32>,
    },
    /// Our INVITE failed, since whom it called is elsewhere (300, 301, 302): `sip:` and `sips:` addresses, the
    /// most wanted first. The leg is gone.
    Redirected {
        leg: LegId,
        #[serde(with = "serial::revealed")]
        to: Private<Vec<String>>,
    },
    Ended {
        leg: LegId,
        cause: EndCause,
    },
    /// A key by INFO (application/dtmf-relay or application/dtmf).
    Dtmf {
        leg: LegId,
        digit: char,
        duration_ms: u32,
    },
    Refer {
        leg: LegId,
        news: ReferNews,
    },
    /// The peer wants us to call somebody in its place; `AnswerRefer` is awaited.
    Referred {
        leg: LegId,
        referral: Box<Referral>,
    },
}

/// Whom a peer wants us to call in its place (RFC 3515).
#[derive(Clone, Serialize, Deserialize)]
pub struct Referral {
    /// `sip:`, `sips:` or `tel:`, without header fields.
    #[serde(with = "serial::revealed")]
    pub to: Private<String>,
    /// The value of Replaces that the INVITE is to carry.
    #[serde(with = "serial::revealed")]
    pub replaces: Private<Option<String>>,
    /// As the peer names itself (RFC 3892).
    #[serde(with = "serial::revealed")]
    pub referred_by: Private<Option<String>>,
}

impl fmt::Debug for Referral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Referral(replaces {})", self.replaces.reveal().is_some())
    }
}

/// What carried an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfferBy {
    Invite,
    Update,
}

/// Why an established call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndCause {
    ByPeer,
    /// Our BYE was answered or timed out; reported then, not at the command. `Unreachable` where it could not be sent.
    ByUs,
    /// No ACK for our 200 in 64*T1.
    NoAck,
    /// A request of ours in the dialog was not answered (408 or silence), or nobody refreshed the
    /// session in time (RFC 4028).
    Timeout,
    /// The peer does not know the dialog any more (481).
    Gone,
    /// The transport failed with nothing to fall back to.
    Unreachable,
}

impl Command {
    /// The leg that it is for; `None`: it is about no single one.
    pub const fn leg(&self) -> Option<LegId> {
        match self {
            Self::Ring { leg, .. }
            | Self::Answer { leg, .. }
            | Self::Reject { leg, .. }
            | Self::AcceptOffer { leg, .. }
            | Self::RefuseOffer { leg, .. }
            | Self::Reoffer { leg, .. }
            | Self::Refer { leg, .. }
            | Self::AnswerRefer { leg, .. }
            | Self::NotifyRefer { leg, .. }
            | Self::Bye { leg, .. }
            | Self::Invite { leg, .. }
            | Self::Cancel { leg } => Some(*leg),
            Self::Admit(_)
            | Self::LetIn(_)
            | Self::Register { .. }
            | Self::Unregister { .. }
            | Self::Ping { .. }
            | Self::Probe { .. }
            | Self::DropFlow { .. }
            | Self::Tell { .. }
            | Self::EndAll { .. } => None,
        }
    }
}

impl Event {
    /// The leg that the event is about.
    pub const fn leg(&self) -> LegId {
        match self {
            Self::Incoming { leg, .. }
            | Self::Cancelled { leg }
            | Self::Established { leg, .. }
            | Self::OfferReceived { leg, .. }
            | Self::OfferWithdrawn { leg }
            | Self::OfferAnswered { leg, .. }
            | Self::OfferFailed { leg, .. }
            | Self::Progress { leg, .. }
            | Self::Answered { leg, .. }
            | Self::Refused { leg, .. }
            | Self::Redirected { leg, .. }
            | Self::Ended { leg, .. }
            | Self::Dtmf { leg, .. }
            | Self::Refer { leg, .. }
            | Self::Referred { leg, .. } => *leg,
        }
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invite({:?})", self.flow)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({:?})", self.flow)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leg = self.leg().0;
        match self {
            Self::Incoming { .. } => write!(f, "Incoming {leg}"),
            Self::Cancelled { .. } => write!(f, "Cancelled {leg}"),
            Self::Established { .. } => write!(f, "Established {leg}"),
            Self::OfferReceived { by, .. } => write!(f, "OfferReceived {leg} by {by:?}"),
            Self::OfferWithdrawn { .. } => write!(f, "OfferWithdrawn {leg}"),
            Self::OfferAnswered { .. } => write!(f, "OfferAnswered {leg}"),
            Self::OfferFailed { status, .. } => write!(f, "OfferFailed {leg} {status}"),
            Self::Progress { status, .. } => write!(f, "Progress {leg} {status}"),
            Self::Answered { .. } => write!(f, "Answered {leg}"),
            Self::Refused { status, .. } => write!(f, "Refused {leg} {status}"),
            Self::Redirected { to, .. } => {
                write!(f, "Redirected {leg} to {}", to.reveal().len())
            }
            Self::Ended { cause, .. } => write!(f, "Ended {leg} {cause:?}"),
            Self::Dtmf { .. } => write!(f, "Dtmf {leg}"),
            Self::Refer { news, .. } => write!(f, "Refer {leg} {news:?}"),
            Self::Referred { referral, .. } => write!(f, "Referred {leg} {referral:?}"),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit { flow, bytes } => write!(f, "Transmit({flow:?}, {})", bytes.len()),
            Self::Connect { connection, .. } => write!(f, "Connect({connection:?})"),
            Self::Close { connection } => write!(f, "Close({connection:?})"),
            Self::Event(event) => write!(f, "Event({event:?})"),
            Self::Registration { id, news } => write!(f, "Registration({}, {news:?})", id.0),
            Self::Presence { account, presence, .. } => {
                write!(f, "Presence({}, {presence:?})", account.0)
            }
            Self::Said { account, said } => write!(f, "Said({}, {said:?})", account.0),
            Self::Timeout(at) => write!(f, "Timeout({at:?})"),
        }
    }
}
