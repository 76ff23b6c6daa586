//! Understanding recognised text without a model: tokens, numbers, slots, yes and no, and how well
//! a phrase of the playbook fits.
//!
//! All of it is bounded by the tokens taken from one utterance, and nothing here can fail: what
//! does not fit scores low.

pub mod answers;
pub mod days;
pub mod numbers;
pub mod score;
pub mod slots;
pub mod times;
pub mod tokens;
