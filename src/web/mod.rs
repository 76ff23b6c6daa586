//! The HTTP interface and the status page, on a thread of their own at low priority.
//!
//! `board` is written by the rest of the program and only read here.

pub mod board;

pub use board::{Board, Health};
