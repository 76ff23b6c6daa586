//! What the interface asks of the thread that owns the calls, and what it is told.
//!
//! The channel is bounded, and nobody waits on it: a request that finds it full is refused.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::appliance::audio_legs::{Announced, Announcer, LegFigures, NotAnnounced};
use crate::appliance::handset::NotDone;
use crate::base::{CallId, Private};
use crate::call::Wish;
use crate::converse::Variables;
use crate::listen::answered::OnMachine;
use crate::speech::protocol::{Failure, Phrase};
use crate::trunk::ringcentral::{Action, AgentWish, Refusal};
use crate::web::AccountReport;
use crate::webrtc;
use crate::websocket::Order;

/// A request.
#[derive(Debug)]
pub enum Command {
    Dial {
        order: DialOrder,
        told: oneshot::Sender<Result<Placed, NotPlaced>>,
    },
    /// Whether calls like this could be made, whatever their numbers, and whatever is in the way at this moment.
    CheckDial {
        order: DialOrder,
        told: oneshot::Sender<Result<(), NotPlaced>>,
    },
    HangUp {
        call: CallId,
        told: oneshot::Sender<HungUp>,
    },
    Control {
        call: CallId,
        wish: Control,
        told: oneshot::Sender<Controlled>,
    },
    /// Whether calls that come ring until they are answered by a `Control`.
    AnswerByHand(bool),
    /// A call by WebSocket is to be expected.
    Announce {
        by: Announcer,
        order: Order,
        told: oneshot::Sender<Result<Announced, NotAnnounced>>,
    },
    AudioStatus {
        told: oneshot::Sender<AudioStatus>,
    },
    /// Whoever is at a handset of this machine does something.
    Handset {
        name: String,
        wish: HandsetWish,
        told: oneshot::Sender<Result<(), NotHandled>>,
    },
    /// Something is to be said on handsets, or on the one of this name, in this language of calls or the default.
    Speak {
        text: Private<String>,
        handset: Option<String>,
        language: Option<String>,
        told: oneshot::Sender<Result<(), NotSpoken>>,
    },
    /// Of a page in a browser, about its own call.
    WebRtc {
        request: webrtc::Request,
        told: oneshot::Sender<webrtc::Response>,
    },
    /// Of somebody who listens to a call, by the session that it listens with.
    Operate {
        session: webrtc::SessionId,
        wish: Operating,
        told: oneshot::Sender<Operated>,
    },
    /// An event of this section `[[ringcentral]]` has come by HTTP. False is told: there is no room for it.
    PlatformEvent {
        section: usize,
        event: Private<Box<Value>>,
        told: oneshot::Sender<bool>,
    },
    /// An account is to register now, or its server to be asked. Told when it is known how it is; nothing is where there is
    /// no such account.
    TryLine {
        name: String,
        told: oneshot::Sender<AccountReport>,
    },
    /// Something is to be spoken, for the owner to hear: 16 kHz mono is told.
    TryVoice {
        phrase: Phrase,
        told: oneshot::Sender<Result<Vec<i16>, Failure>>,
    },
    /// Something is to be done to a call at RingCentral.
    PlatformControl {
        order: PartyOrder,
        told: oneshot::Sender<Result<(), Refusal>>,
    },
}

/// What is done at a handset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandsetWish {
    /// The call that rings is taken.
    Answer,
    /// The call is ended, or refused.
    HangUp,
    /// A call is wanted, with us or with this number or address.
    Call(Option<Private<String>>),
}

/// Why that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotHandled {
    Handset(NotDone),
    NotPlaced(NotPlaced),
}

/// Why nothing is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSpoken {
    Handset(NotDone),
    /// No calls are held in it.
    NoLanguage,
    /// Too much is to be said already.
    Full,
}

/// How calls by WebSocket stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioStatus {
    pub figures: LegFigures,
    /// Calls that there may be at once, by whatever way, and how many more there may be now.
    pub most: usize,
    pub free: usize,
    /// The longest that one may last.
    pub longest: Duration,
}

/// What is to be done to one party of a telephony session.
#[derive(Clone, Debug)]
pub struct PartyOrder {
    /// The name of the section `[[ringcentral]]`.
    pub account: String,
    pub session: String,
    pub party: String,
    pub wish: PartyWish,
}

/// What that is.
#[derive(Clone, Debug)]
pub enum PartyWish {
    /// It is answered by the account's device, by Call Control.
    Answer,
    /// By Call Control.
    Control(Action),
    /// The server is told this of a call that rings here.
    Tell(AgentWish),
}

/// A call that is to be made. Nothing in it has been looked at but its length.
#[derive(Clone, Debug)]
pub struct DialOrder {
    pub phone_number: Private<String>,
    /// An account; `None`: the first.
    pub trunk: Option<String>,
    /// A language of calls; `None`: by the number.
    pub playbook: Option<String>,
    pub variables: Variables,
    /// `None`: as the configuration says.
    pub on_machine: Option<OnMachine>,
    /// Whether a remote agent holds it; `None`: as account, playbook and configuration say.
    pub agent: Option<bool>,
    /// Of a campaign: the number, as the database knows it. It is called once, and where a line stays free.
    pub campaign_number: Option<i64>,
}

/// What is wanted of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    Wish(Wish),
    /// To have the other end call this number, as people write it, or this SIP URI.
    Transfer(Private<String>),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// It is being done.
    Done,
    /// There is no such call that has not ended.
    NotUp,
    /// The call is not at a point at which it can be done.
    NotNow,
    /// Why nobody can be called there.
    NotThere(NotPlaced),
}

/// What somebody who listens wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operating {
    /// To speak to the caller in the assistant's place, as soon as the microphone is heard.
    TakeOver,
    /// To have the assistant go on.
    GiveBack,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operated {
    /// It is being done.
    Done,
    NoSuchSession,
    /// Why not now, in words for whoever asked.
    NotNow(&'static str),
}

/// A call that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub call: CallId,
    /// As it is called.
    pub number: Private<String>,
}

/// Why no call is made, in words for whoever asked; no number stands in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotPlaced {
    /// What was asked for makes no sense here.
    Wrong(String),
    /// The owner does not allow it.
    Forbidden(String),
    /// A limit is reached. Seconds until it may not be any more, if they are known.
    Limited(String, Option<u32>),
    /// It may be possible later.
    Unavailable(String),
}

/// What became of the wish to end a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUp {
    /// It is being ended.
    Ending,
    /// There is no such call that has not ended.
    NotUp,
}
