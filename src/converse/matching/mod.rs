//! Understanding recognised text without a model: tokens, numbers, slots, yes and no, and how well
//! a phrase of the playbook fits.
//!
//! What depends on the language stands in its [`grammar::Grammar`].
//!
//! All of it is bounded by the tokens taken from one utterance, and nothing here can fail: what
//! does not fit scores low.

pub mod answers;
pub mod belief;
pub mod codes;
mod english;
pub mod grammar;
pub mod numbers;
mod russian;
pub mod score;
pub mod slots;
pub mod tokens;
