//! From text to something a voice can say: written forms become words, and words become phrases
//! short enough to be heard early.

pub mod normalise;
mod numerals;
pub mod phrases;
pub mod playout;
mod written;

pub use normalise::{Language, normalise};
pub use phrases::{Border, Phrase, phrases};
pub use playout::{Playout, PlayoutFrame, Progress, Sound};
