//! Whole conversations as transcripts, and the rules that hold in every one.

pub mod desk;
mod doubt;
mod model;
mod properties;
mod russian;
mod timing;
mod transcripts;
