//! Memory of this box and of its GPU, and whether a model fits.

use std::fs;

use serde::Serialize;

use crate::speech::device;

/// What other programs and the system keep of a box's memory.
const KEPT_BYTES: u64 = 300_000_000;

/// What there is for models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Room {
    pub memory_bytes: Option<u64>,
    /// Free now, or made free by dropping caches.
    pub available_bytes: Option<u64>,
    /// The GPU that Whisper would use.
    pub gpu: Option<String>,
    pub gpu_memory_bytes: Option<u64>,
}

/// Whether a model fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fit {
    Yes,
    /// When other programs give memory back.
    NotNow,
    No,
    Unknown,
}

impl Fit {
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::NotNow => "not now",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

impl Room {
    pub fn here() -> Self {
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let gpu = device::gpu();
        Self {
            memory_bytes: field(&memory, "MemTotal:"),
            available_bytes: field(&memory, "MemAvailable:"),
            gpu_memory_bytes: gpu.as_ref().and_then(|gpu| gpu.memory_bytes),
            gpu: gpu.map(|gpu| gpu.name),
        }
    }

    /// Whether what needs so much fits the box's memory.
    pub fn memory_fit(&self, needed: u64) -> Fit {
        let (Some(total), Some(available)) = (self.memory_bytes, self.available_bytes) else {
            return Fit::Unknown;
        };
        match needed {
            _ if needed > total.saturating_sub(KEPT_BYTES) => Fit::No,
            _ if needed > available => Fit::NotNow,
            _ => Fit::Yes,
        }
    }

    /// Whether it fits the GPU; `None` without one.
    pub fn gpu_fit(&self, needed: u64) -> Option<Fit> {
        self.gpu.as_ref()?;
        Some(match self.gpu_memory_bytes {
            Some(total) if needed > total => Fit::No,
            Some(_) => Fit::Yes,
            None => Fit::Unknown,
        })
    }
}

/// A line of /proc/meminfo, in KiB there.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:        8000000 kB\nMemFree:  1 kB\nMemAvailable:    1000000 kB\n";
        assert_eq!(field(text, "MemTotal:"), Some(8_192_000_000));
        assert_eq!(field(text, "MemAvailable:"), Some(1_024_000_000));
        assert_eq!(field(text, "SwapTotal:"), None);
        assert_eq!(field("MemTotal: many kB", "MemTotal:"), None);
    }

    #[test]
    fn a_model_fits_now_or_later_or_not() {
        let gb = 1_000_000_000;
        let room = Room {
            memory_bytes: Some(8 * gb),
            available_bytes: Some(gb),
            gpu: Some("a GPU".to_owned()),
            gpu_memory_bytes: Some(2 * gb),
        };
        let fits = [gb / 2, 2 * gb, 8 * gb].map(|needed| room.memory_fit(needed));
        assert_eq!(fits, [Fit::Yes, Fit::NotNow, Fit::No]);
        let fits = [2 * gb, 3 * gb].map(|needed| room.gpu_fit(needed));
        assert_eq!(fits, [Some(Fit::Yes), Some(Fit::No)]);
        let silent = Room { gpu_memory_bytes: None, ..room };
        assert_eq!(silent.gpu_fit(gb), Some(Fit::Unknown));
        assert_eq!(Room::default().gpu_fit(gb), None);
        assert_eq!(Room::default().memory_fit(gb), Fit::Unknown);
    }
}
