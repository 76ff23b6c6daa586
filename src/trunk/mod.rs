//! Accounts with providers and telephone systems: when each registers, who may call, and whom we may
//! call.
//!
//! `account` is the state of one account, `inbound` the list of callers, `locating` the records that lead
//! to its servers, `reason` the words for an owner, `referral` whom callers may have called in their
//! place; `dialling` has the rules for calls that we make, `campaign` says which of many numbers is called when, and
//! `answering` says when such a call is answered. `ringcentral` is what an account there needs beyond
//! registering: its REST interface. What one REGISTER leads to is the SIP core's.

pub mod account;
pub mod answering;
pub mod campaign;
pub mod dialling;
pub mod inbound;
pub mod locating;
pub mod reason;
pub mod referral;
pub mod ringcentral;

pub use account::{Account, Input, Output, Pace, Settings, Standing, Status};
pub use answering::{AnswerPolicy, Sign};
pub use inbound::Callers;
pub use reason::Reason;
pub use referral::Referrals;
