//! Accounts with providers and telephone systems: when each registers, and who may call.
//!
//! `account` is the state of one account, `inbound` the list of callers, `srv` the records that name its
//! servers, `reason` the words for an owner. What one REGISTER leads to is the SIP core's.

pub mod account;
pub mod inbound;
pub mod reason;
pub mod srv;

pub use account::{Account, Input, Output, Settings, Status};
pub use inbound::Callers;
pub use reason::Reason;
