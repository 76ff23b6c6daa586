//! What every part shares: time, PCM frames, ids, limits, entropy and private text.
//!
//! Nothing here reads a clock, a socket, a file or a random source.

pub mod address;
pub mod candidate;
pub mod day;
pub mod entropy;
pub mod handshake;
pub mod ids;
pub mod keying;
pub mod language;
pub mod limits;
pub mod patience;
pub mod pcm;
pub mod percent;
pub mod private;
pub mod serial;
pub mod timers;
pub mod way;

pub use entropy::Entropy;
pub use ids::{CallId, UtteranceId, WorkId};
pub use keying::{Keying, Protection, SrtpKey, SrtpSuite};
pub use language::LanguageCode;
pub use private::Private;
pub use timers::TimerTable;
pub use way::Way;
