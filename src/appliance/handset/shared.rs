//! What a handset's thread shows to the net thread: counts, and whether its card is there.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::base::limits;

/// One direction of a handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Microphone,
    Loudspeaker,
    /// Where that is another device.
    Bell,
}

impl Side {
    pub const ALL: [Self; 3] = [Self::Microphone, Self::Loudspeaker, Self::Bell];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Loudspeaker => "loudspeaker",
            Self::Bell => "bell",
        }
    }

    /// Whether there is no call without it. Without a bell it rings at the loudspeaker.
    const fn is_needed(self) -> bool {
        matches!(self, Self::Microphone | Self::Loudspeaker)
    }
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Times that each side ran full or empty, in the order of [`Side::ALL`].
    pub xruns: [u64; Side::ALL.len()],
    /// Times that each side's device was lost.
    pub losses: [u64; Side::ALL.len()],
    /// Frames that were not played because they came too late or in too great a number.
    pub lost_frames: u64,
    /// By how many millionths each side's clock differs from the box's.
    pub drift_ppm: [i32; Side::ALL.len()],
}

/// How the devices are.
#[derive(Debug)]
struct Devices {
    /// Why each side is not there.
    faults: [Option<String>; Side::ALL.len()],
    /// When the thread has told something last, and since when a device is gone that a call needs.
    beat: Instant,
    gone: Option<Instant>,
}

/// Written by the thread. The lock is held for a few words, once a tick and by nobody but the net thread otherwise.
#[derive(Debug)]
pub struct Shared {
    xruns: [AtomicU64; Side::ALL.len()],
    losses: [AtomicU64; Side::ALL.len()],
    lost: AtomicU64,
    drift: [AtomicI32; Side::ALL.len()],
    devices: Mutex<Devices>,
}

impl Devices {
    /// Why those sides are not there.
    fn told(&self, of: impl Fn(Side) -> bool) -> Option<String> {
        let faults = Side::ALL.iter().zip(&self.faults).filter(|(side, _)| of(**side));
        let told = faults.filter_map(|(side, why)| Some((side.name(), why.as_ref()?)));
        let told: Vec<String> = told.map(|(side, why)| format!("{side}: {why}")).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

impl Shared {
    /// Nothing is there until it was opened.
    pub fn new(now: Instant) -> Self {
        let devices = Devices { faults: [const { None }; 3], beat: now, gone: None };
        Self {
            xruns: Default::default(),
            losses: Default::default(),
            lost: AtomicU64::default(),
            drift: Default::default(),
            devices: Mutex::new(devices),
        }
    }

    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn beat(&self, now: Instant) {
        let mut devices = self.devices();
        devices.beat = now;
        let is_gone = devices.told(Side::is_needed).is_some();
        devices.gone = is_gone.then(|| devices.gone.unwrap_or(now));
    }

    pub fn is_there(&self, side: Side) {
        self.devices().faults[side as usize] = None;
    }

    pub fn is_gone(&self, side: Side, why: String) {
        let mut devices = self.devices();
        if devices.faults[side as usize].replace(why).is_none() {
            self.losses[side as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn count_xrun(&self, side: Side) {
        self.xruns[side as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub fn set_drift(&self, side: Side, ppm: f64) {
        self.drift[side as usize].store(ppm.round() as i32, Ordering::Relaxed);
    }

    pub fn figures(&self) -> Figures {
        let read = |counts: &[AtomicU64; 3]| counts.each_ref().map(|c| c.load(Ordering::Relaxed));
        Figures {
            xruns: read(&self.xruns),
            losses: read(&self.losses),
            lost_frames: self.lost.load(Ordering::Relaxed),
            drift_ppm: self.drift.each_ref().map(|ppm| ppm.load(Ordering::Relaxed)),
        }
    }

    /// Why no call can be held there now, and since when.
    pub fn fault(&self, now: Instant) -> Option<(String, Instant)> {
        let devices = self.devices();
        if now.saturating_duration_since(devices.beat) > limits::HANDSET_SILENT {
            return Some(("its driver does not answer".to_owned(), devices.beat));
        }
        let since = devices.gone.unwrap_or(devices.beat);
        devices.told(Side::is_needed).map(|told| (told, since))
    }

    /// Why something is not there without which calls go on all the same.
    pub fn lack(&self) -> Option<String> {
        self.devices().told(|side| !side.is_needed())
    }
}
