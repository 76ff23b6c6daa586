//! Whole conversations as transcripts, and the rules that hold in every one.

mod codes;
pub mod desk;
mod doubt;
mod keys;
mod likely;
mod looking_up;
mod model;
mod properties;
mod russian;
mod telling;
mod timing;
mod transcripts;
mod transferring;
