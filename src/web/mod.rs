//! The HTTP interface and the status page, on a thread of their own at low priority.
//!
//! `board` is written by the rest of the program and only read here; `view` turns it into JSON,
//! `metrics` into what Prometheus reads, `command` is what is asked of the net thread, `dialling` the requests
//! that do that, `routes` is the table of paths and the page, `access` who may ask, `problem` what goes wrong,
//! `webphone` announces calls by WebSocket and `audio` opens these, `listener` bounds what a peer may hold, `serve` is the thread.

mod access;
mod audio;
mod command;
mod dialling;
mod listener;
mod metrics;
mod paths;
mod problem;
mod routes;
mod serve;
mod tickets;
mod view;
mod webphone;

pub mod board;

pub use access::{Access, Scope, Scopes, Token};
pub use board::{AccountReport, AudioFigures, Board, Health, Hearing, SipFigures};
pub use command::{AudioStatus, Command, DialOrder, HungUp, NotPlaced, Placed};
pub use serve::{Parts, WebThread, bind, start};

#[cfg(test)]
mod tests;
