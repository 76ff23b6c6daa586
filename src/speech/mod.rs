//! The engine process: hears with Whisper, speaks with flite and espeak-ng.
//!
//! It owns everything that is C or C++ and parses models, and knows nothing of calls, networks or
//! secrets. The front talks to it over a Unix socket in the words of [`protocol`].

pub mod desk;
pub mod device;
pub mod espeak;
pub mod flite;
pub mod gate;
pub mod ggml;
pub mod model;
pub mod protocol;
pub mod resample;
pub mod starter;
pub mod whisper;
