//! From text to something a voice can say: written forms become words, and words become phrases
//! short enough to be heard early.

mod english;
pub mod language;
pub mod normalise;
pub mod phrases;
pub mod playout;
mod russian;

pub use language::Language;
pub use normalise::normalise;
pub use phrases::{Border, Phrase, phrases};
pub use playout::{Playout, PlayoutFrame, Progress, Sound};
