//! The HTTP interface and the status page, on a thread of their own at low priority.
//!
//! `board` is written by the rest of the program and only read here; `view` turns it into JSON,
//! `metrics` into what Prometheus reads, `command` is what is asked of the net thread, `dialling` the requests
//! that do that, `webrtc` those of a page that calls, `routes` serves all of it and the page, `listener` bounds what a peer may hold, `serve` is the
//! thread.

mod command;
mod dialling;
mod listener;
mod metrics;
mod routes;
mod serve;
mod view;
mod webrtc;

pub mod board;

pub use board::{AccountReport, AudioFigures, Board, Health, Hearing, SipFigures};
pub use command::{Command, DialOrder, HungUp, NotPlaced, Placed};
pub use serve::{WebThread, bind, start};

#[cfg(test)]
mod tests;
