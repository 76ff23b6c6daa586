//! RingCentral: an account whose server is found, and whose calls are told of, by its REST interface.
//!
//! ```text
//!               ┌ Tokens   sign-in, renewal
//!  Service ─────┼ Client   one request at a time: 401, 429, 5xx
//!   one account ├ Provision   what the SIP account registers with
//!               ├ Hook | Gateway   where events come from
//!               └ Sessions   events in order ─▶ PartyNews
//!  agent: what a server tells a telephone beside a call; control: what is done to a party
//! ```
//!
//! Pure: the time, answers and frames are inputs; requests, frames and news are outputs. Registering and
//! calls are those of any account (`trunk::account`, `sip`), in the dialect of `sip::Dialect::WebPhone`.
//!
//! Invariants: at most one request is out; none is sent while the platform wants none (429), for each
//! would begin the penalty anew; a refusal that will be one again is not asked for again soon. Tokens,
//! passwords and numbers are private.

pub mod agent;
pub mod client;
pub mod control;
pub mod events;
pub mod gateway;
pub mod hook;
pub mod provision;
pub mod refusal;
pub mod request;
pub mod service;
pub mod tokens;

pub use agent::{AgentMessage, Wish as AgentWish};
pub use control::{Action, Target};
pub use events::{ApiIds, Direction, Dropped, PartyNews, PartyStatus, Standing, Verdict};
pub use hook::Settings as HookSettings;
pub use provision::{Mode, Provision, Proxy};
pub use refusal::Refusal;
pub use request::{Answer, Body, Request, Verb};
pub use service::{Events, Input, Output, Service, Settings};
pub use tokens::Application;
