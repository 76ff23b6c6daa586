//! The HTTP interface and the status page, on a thread of their own at low priority.
//!
//! `board` is written by the rest of the program and only read here; `view` turns it into JSON,
//! `metrics` into what Prometheus reads, `command` is what is asked of the net thread, `dialling` the requests
//! that do that, `webphone` announces calls by WebSocket and `audio` opens these, `routes` is the table of paths
//! and the page, `access` who may ask, `events` what is told while it happens, `ctrl_tcp` baresip's protocol,
//! `sign_in` passwords and sessions, `trials` what the owner tries, `updates` newer versions, `page_files` and `live` the page and what it is sent, `settings` and `backup` what
//! its owner changes, `problem` what goes wrong, `openapi` what describes it all, `webrtc` the page that calls,
//! `campaigns` many numbers that are called, `handsets` those of this machine and what is announced on them, `history` the calls of the past, `recording` their sound, `ringcentral` that platform's events, `idempotency`
//! what was asked before, `listener`
//! bounds what a peer may hold, `serve` is the thread.

// A shell: it asks for the time.
#![allow(clippy::disallowed_methods)]

mod access;
mod audio;
mod backing_up;
mod backup;
mod campaigns;
mod command;
mod controlling;
mod ctrl_tcp;
mod dialling;
mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod handsets;
mod history;
mod idempotency;
mod listener;
mod live;
mod metrics;
pub mod openapi;
mod operating;
mod page_files;
mod paths;
mod problem;
mod recording;
mod ringcentral;
mod routes;
mod serve;
mod settings;
mod sign_in;
mod tickets;
mod trials;
mod updates;
mod view;
mod webphone;
mod webrtc;

pub mod board;

pub use access::{Access, NotSet, Passwords, Person, Scope, Scopes, Token, first_code};
pub use board::{
    AccountReport, AudioFigures, Board, BridgeReport, CanaryReport, Erasure, Health, Hearing,
    SipFigures, Watch, WebhookReport,
};
pub use command::{
    AudioStatus, Command, Control, Controlled, DialOrder, HandsetWish, HungUp, NotHandled,
    NotPlaced, NotSpoken, Operated, Operating, PartyOrder, PartyWish, Placed,
};
pub use ctrl_tcp::Settings as CtrlTcp;
pub use events::stream::{covers, is_type as is_event_type};
pub use events::{CallNews, Event, Happened, TransferStep};
pub use serve::{Parts, WebThread, bind, start};
pub use settings::Settings;

use crate::appliance::clock::unix_ms;

#[cfg(test)]
mod tests;
