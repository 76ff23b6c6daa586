//! The conversation of one call: what was heard goes in, what to say comes out.
//!
//! [`Conversation`] is given recognised text, keys, silence and the fate of its own utterances by
//! the call, and gives back what to say, what to expect next, messages for the firm and the wish to
//! hang up. What it says comes from a [`Playbook`], the owner's TOML file. It never speaks before
//! `Input::Connected`, and an input is never an error: what is not understood is asked again.

pub mod agent;
pub mod alphabet;
mod conversation;
mod dialogue;
pub mod llm;
pub mod lookup;
mod matching;
pub mod people;
pub mod playbook;
mod reply;
mod understanding;
mod voice;

#[cfg(test)]
mod tests;

pub use alphabet::{
    AskId, Awaited, Completeness, EndCause, Expectation, Input, Message, Output, Preview, Purpose,
    Record, Recorded, Say, Settings, Speaker, Speech, TakeOver, Transfer, Turn, Why, Word,
};
pub use conversation::{Conversation, ToldFirst};
pub use playbook::{Playbook, PlaybookError, Variables, fixed_phrases};
pub use reply::{DIGITS_CLOSE, DIGITS_OPEN, heard_part, plain};
