//! What outlives a call: the messages that callers leave.

pub mod messages;
