//! What a conversation and a large language model say to each other, without the network between.
//!
//! ```text
//!  History ─▶ Chat ─▶ body() ──▶ (server) ──▶ Reader ─▶ Event ─▶ Answer ─▶ sentences to say
//!                                                         └─ ToolRequest ─▶ ToolCall ─▶ Policy
//! ```
//!
//! Everything that comes from a model is believed as little as what a caller says: its text is
//! stripped of what is not speech, its tool calls are parsed into types and then judged by a
//! [`Policy`] that no prompt can reach.

mod answer;
mod chat;
mod fault;
mod fields;
mod history;
mod lines;
mod policy;
mod reader;
mod sentences;
mod spoken;
mod tools;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Stage};
pub use chat::{Chat, Message, Model, Protocol, Switch, body};
pub use fault::Fault;
pub use fields::Fields;
pub use history::{History, Said, for_model, system_text};
pub use policy::{Decision, Policy, Rule, Spent};
pub use reader::{Event, Finish, Reader};
pub use sentences::Sentences;
pub use spoken::Spoken;
pub use tools::{Malformed, Tool, ToolCall, ToolRequest, parse};
