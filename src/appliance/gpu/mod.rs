//! How the GPU and the box are: memory, load, heat, power, faults; and what follows for the calls.
//!
//! ```text
//!  NVML ─▶ nvml ─┐
//!  sysfs ─▶ jetson ├─ Reader ─▶ thread "gpu" ─ Sample ─▶ Gauge ─▶ Protection ─ Headroom ─▶ admission
//!  sysfs ─▶ machine┘                                     (net thread)        └ Mode ─▶ the engine's link
//! ```
//! The thread reads once a second and may be held up by a driver for as long as that likes: nobody waits for it,
//! and a [`Gauge`] that has got nothing for `limits::GPU_SILENT` says so. It only reads: models run in the
//! engine. What a device does not tell is `None` and no fault.

pub mod jetson;
pub mod machine;
pub mod nvml;
pub mod protection;
mod sysfs;
pub mod watch;

use std::path::PathBuf;

pub use machine::Machine;
pub use protection::{Limits, Protection, Verdict};
pub use watch::{Gauge, Sample, Watched};

/// What is watched, and where it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub device: Wish,
    /// The file of NVML; `None`: `libnvidia-ml.so.1` of the system.
    pub library: Option<PathBuf>,
    /// Below which `sys` and `proc` are: `/`, but in tests.
    pub root: PathBuf,
}

/// Which GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// The one inside a Jetson, else the first of NVML.
    #[default]
    Auto,
    /// None, whatever there is.
    None,
    /// As `nvidia-smi` counts them.
    Index(u32),
    /// `GPU-...`, as `nvidia-smi -L` shows it.
    Uuid(String),
}

/// One look at a GPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    pub name: String,
    pub memory: Option<Memory>,
    /// Share of the last moments in which it worked, 0 to 1.
    pub load: Option<f32>,
    /// In °C.
    pub temperature_c: Option<f32>,
    /// From which it slows itself down.
    pub slowdown_c: Option<f32>,
    /// In watts; of a Jetson the whole module's.
    pub power_w: Option<f32>,
    pub power_limit_w: Option<f32>,
    /// Joules since some moment of the device's own.
    pub energy_j: Option<f64>,
    pub clock_mhz: Option<u32>,
    pub max_clock_mhz: Option<u32>,
    /// Why it is slower than it could be.
    pub throttle: Option<Throttle>,
    pub ecc: Option<Ecc>,
    /// Errors that the driver has told since the last look, by NVIDIA's numbers.
    pub xids: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

/// Why a device is slower than it could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// It is too hot.
    pub heat: bool,
    /// It would take more power than it may.
    pub power: bool,
    /// The hardware brakes it, without saying what for.
    pub hardware: bool,
}

impl Throttle {
    /// Each reason with its name in figures.
    pub const fn reasons(self) -> [(&'static str, bool); 3] {
        [("heat", self.heat), ("power", self.power), ("hardware", self.hardware)]
    }
}

/// Errors of its memory since the driver was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ecc {
    pub corrected: u64,
    pub uncorrected: u64,
}

/// The device is gone until somebody resets it or the box.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Lost {
    pub why: String,
    /// The error that the driver has told, by NVIDIA's number.
    pub xid: Option<u64>,
}

impl Lost {
    pub fn of(why: impl ToString) -> Self {
        Self { why: why.to_string(), xid: None }
    }
}

/// Reads one GPU.
pub trait Reader {
    /// May be held up by the driver.
    fn read(&mut self) -> Result<Reading, Lost>;
}
