//! How much an engine has to do: measured, not counted in cores. Pure.
//!
//! The real-time factor of the whole: of each second, how much of its decoders' time the calls' turns take, those
//! that wait for a decoder included. At 1 the engine does no more in a second than the calls say in it. What is
//! only shown while a caller speaks is left out, for it gives way to everything.

use std::time::{Duration, Instant};

/// Time over which it is averaged: a few turns of each call.
const OVER: Duration = Duration::from_secs(10);

/// As others see it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// The real-time factor, 0 to 1.
    pub level: f32,
    /// Sound of utterances that were recognised since the start, and what the recogniser took for it.
    pub heard_ms: u64,
    pub decode_ms: u64,
}

/// One engine's, one after the other.
#[derive(Debug)]
pub struct Load {
    /// Decodes at a time.
    decoders: u16,
    /// Turns that it has to decode.
    turns: usize,
    level: f32,
    at: Instant,
    heard_ms: u64,
    decode_ms: u64,
}

impl Load {
    pub fn new(now: Instant) -> Self {
        Self { decoders: 1, turns: 0, level: 0.0, at: now, heard_ms: 0, decode_ms: 0 }
    }

    /// Another engine, or the same again, which decodes so many at a time.
    pub fn set_decoders(&mut self, decoders: u16) {
        self.decoders = decoders.max(1);
    }

    /// From `now` on it has so many turns to decode.
    pub fn note_turns(&mut self, now: Instant, turns: usize) {
        let passed = now.saturating_duration_since(self.at).as_secs_f32();
        let kept = (-passed / OVER.as_secs_f32()).exp();
        let busy = (self.turns as f32 / f32::from(self.decoders)).min(1.0);
        self.level = self.level * kept + busy * (1.0 - kept);
        (self.at, self.turns) = (now, turns);
    }

    /// An utterance was recognised.
    pub fn note_decoded(&mut self, heard_ms: u64, decode_ms: u64) {
        self.heard_ms += heard_ms;
        self.decode_ms += decode_ms;
    }

    pub const fn figures(&self) -> Figures {
        Figures { level: self.level, heard_ms: self.heard_ms, decode_ms: self.decode_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_share_of_time_in_which_the_decoders_work() {
        let start = Instant::now();
        let mut load = Load::new(start);
        load.set_decoders(2);
        // One of two decoders, half of the time: a quarter.
        for n in 0..600 {
            load.note_turns(start + Duration::from_millis(100 * n), (n % 2) as usize);
        }
        assert!((load.figures().level - 0.25).abs() < 0.01, "{load:?}");
        // More turns than decoders: all of it, and no more than that.
        load.note_turns(start + Duration::from_secs(60), 9);
        load.note_turns(start + Duration::from_secs(160), 0);
        assert!((load.figures().level - 1.0).abs() < 0.01, "{load:?}");
        load.note_turns(start + Duration::from_secs(260), 0);
        assert!(load.figures().level < 0.01, "{load:?}");
    }
}
