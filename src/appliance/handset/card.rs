//! What a sound card is to the thread that carries a handset's sound: mono, 16 bit, without waiting.

/// What comes of asking a card for something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Sound was lost: it ran full or empty. It has begun anew.
    #[error("an overrun or an underrun")]
    Xrun,
    /// It is not there any more, or never was, in the system's words.
    #[error("{0}")]
    Gone(String),
}

/// The microphone of a card.
pub trait Source {
    /// Samples a second.
    fn rate(&self) -> u32;

    /// Whether sound comes by a clock of its own, or as fast as it is taken.
    fn is_paced(&self) -> bool;

    /// Samples that wait to be read.
    fn waiting(&mut self) -> Result<usize, Fault>;

    /// Reads at most so many; how many these were.
    fn read(&mut self, samples: &mut [i16]) -> Result<usize, Fault>;
}

/// The loudspeaker of a card.
pub trait Sink {
    /// Samples a second.
    fn rate(&self) -> u32;

    /// Whether sound is played by a clock of its own, or as fast as it is given.
    fn is_paced(&self) -> bool;

    /// Samples that are still to be played.
    fn queued(&mut self) -> Result<usize, Fault>;

    /// Gives sound to be played; how many samples there was room for.
    fn write(&mut self, samples: &[i16]) -> Result<usize, Fault>;
}

/// Where cards are found by their names.
pub trait Cards: Send {
    /// # Errors
    /// Why it cannot be opened, in the system's words.
    fn source(&mut self, name: &str) -> Result<Box<dyn Source>, String>;

    /// # Errors
    /// Why it cannot be opened, in the system's words.
    fn sink(&mut self, name: &str) -> Result<Box<dyn Sink>, String>;
}

/// A program that was built without sound cards.
#[cfg(not(feature = "alsa"))]
#[derive(Debug)]
pub struct NoCards;

#[cfg(not(feature = "alsa"))]
impl Cards for NoCards {
    fn source(&mut self, _: &str) -> Result<Box<dyn Source>, String> {
        Err("this program was built without ALSA".to_owned())
    }

    fn sink(&mut self, _: &str) -> Result<Box<dyn Sink>, String> {
        Err("this program was built without ALSA".to_owned())
    }
}
