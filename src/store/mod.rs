//! What outlives a call: the messages that callers leave, and the shelf of models.

pub mod messages;
pub mod shelf;
pub mod trusted;
