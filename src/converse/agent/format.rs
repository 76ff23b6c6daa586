//! The formats of sound, which are set on the agent and announced by it.

use serde::{Deserialize, Serialize};

/// Mono; PCM has 16 bits, little endian, without a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// G.711 mu-law at 8 kHz.
    Ulaw,
    /// Samples a second: one of `RATES_HZ`.
    Pcm(u32),
}

const RATES_HZ: [u32; 6] = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000];

impl Default for Format {
    /// Of old servers, which name none.
    fn default() -> Self {
        Self::Pcm(16_000)
    }
}

impl Format {
    /// As it is written in the protocol: `ulaw_8000`, `pcm_16000`.
    pub fn of_name(name: &str) -> Option<Self> {
        if name == "ulaw_8000" {
            return Some(Self::Ulaw);
        }
        let rate = name.strip_prefix("pcm_")?.parse().ok()?;
        RATES_HZ.contains(&rate).then_some(Self::Pcm(rate))
    }

    pub const fn rate_hz(self) -> u32 {
        match self {
            Self::Ulaw => 8_000,
            Self::Pcm(rate) => rate,
        }
    }

    pub const fn sample_bytes(self) -> usize {
        match self {
            Self::Ulaw => 1,
            Self::Pcm(_) => 2,
        }
    }

    /// Milliseconds of so many bytes.
    pub const fn ms(self, bytes: usize) -> u64 {
        (bytes / self.sample_bytes()) as u64 * 1_000 / self.rate_hz() as u64
    }
}
