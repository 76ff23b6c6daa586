//! Whole conversations as transcripts, and the rules that hold in every one.

mod desk;
mod model;
mod properties;
mod russian;
mod timing;
mod transcripts;
