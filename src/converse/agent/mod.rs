//! What a call and a remote agent say to each other, without the network between: the WebSocket of
//! ElevenLabs Agents (Conversational AI).
//!
//! ```text
//!  Command ─▶ Outbox ─▶ ClientMessage ─▶ text ─▶ (server) ─▶ text ─▶ ServerMessage ─▶ Event ─▶ the call
//!                                                                         └ ping ─▶ pong
//! ```
//!
//! A remote agent hears the caller and speaks by itself, so it takes the place of recogniser, playbook
//! and voice while it is there. Nothing that comes from it is believed more than what a model says: its
//! calls of tools are parsed into types and judged by the playbook's policy.

pub mod allowance;
mod fault;
mod format;
mod incoming;
mod outbox;
mod outgoing;
#[cfg(test)]
mod tests;
mod tools;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::llm::ToolRequest;
use crate::base::{Private, serial};

pub use fault::{End, Fault};
pub use format::Format;
pub use incoming::{Metadata, ServerMessage, read};
pub use outbox::Outbox;
pub use outgoing::{ClientMessage, Initiation};
pub use tools::{Effect, Tools};

/// What the call wants of the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The call may be answered soon: find out where the agent is, and connect to nothing.
    Prepare {
        /// The agent that the playbook names; `None`: the configured one.
        agent: Option<String>,
    },
    /// The call is answered: connect, and begin with this.
    Connect(Box<Initiation>),
    Send(ClientMessage),
    /// Whether more is read: a reply that is longer than is kept waits at the server.
    Read(bool),
}

/// What has come over the connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The WebSocket is open: from here on seconds count.
    Connected,
    /// The agent is there, and sound has these formats.
    Opened(Metadata),
    Audio {
        event_id: i64,
        /// In the agent's output format.
        #[serde(serialize_with = "as_base64", deserialize_with = "of_base64")]
        sound: Private<Vec<u8>>,
    },
    /// The caller has spoken over the agent: nothing up to this number is to be heard any more.
    Interrupted {
        event_id: i64,
    },
    /// What the agent takes the caller's words for.
    Heard {
        #[serde(with = "serial::revealed")]
        text: Private<String>,
    },
    /// What the agent says.
    Said {
        #[serde(with = "serial::revealed")]
        text: Private<String>,
    },
    /// What of it was heard before it was interrupted.
    Corrected {
        #[serde(with = "serial::revealed")]
        text: Private<String>,
    },
    Called(ToolRequest),
    /// The agent has ended the call by itself; the end of the connection follows.
    Leaving,
    /// The connection is over.
    Ended(End),
}

fn as_base64<S: Serializer>(sound: &Private<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&outgoing::base64(sound.reveal()))
}

fn of_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Private<Vec<u8>>, D::Error> {
    let text = String::deserialize(from)?;
    incoming::of_base64(&text)
        .map(Private::new)
        .ok_or_else(|| serde::de::Error::custom("no base64"))
}
