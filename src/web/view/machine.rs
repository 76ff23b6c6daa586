//! How GPU and box are.

use serde::Serialize;
use utoipa::ToSchema;

use crate::appliance::gpu::{self, Reading, Watched};
use crate::web::board::Watch;

/// How the box is watched: what a device does not tell is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct Machine {
    /// Null where none is watched.
    gpu: Option<Gpu>,
    /// Of the processor, in °C.
    temperature_c: Option<f32>,
    /// The processor slows itself down for heat.
    is_throttled: Option<bool>,
    memory: Option<Memory>,
    /// The engine's real-time factor: of each second, how much of its time the calls take, 0 to 1.
    engine_load: f32,
    /// The engine works with less than it was configured with: the smaller model, or the CPU.
    is_lean: bool,
    /// What one more call would be too many for: `lines`, `load`, `heat` or `memory`; null: it is taken.
    limit: Option<&'static str>,
}

/// The GPU that is watched.
#[derive(Debug, Serialize, ToSchema)]
struct Gpu {
    /// `found`, `lost` (gone until a reset), `silent` (its driver does not answer) or `fault` (it cannot be watched).
    state: &'static str,
    name: Option<String>,
    memory: Option<Memory>,
    /// Share of the time in which it worked, 0 to 1.
    load: Option<f32>,
    temperature_c: Option<f32>,
    /// From which it slows itself down.
    slowdown_c: Option<f32>,
    /// Of a Jetson, the whole module's.
    power_w: Option<f32>,
    power_limit_w: Option<f32>,
    /// Since the program's start.
    energy_j: Option<f64>,
    clock_mhz: Option<u32>,
    max_clock_mhz: Option<u32>,
    /// Why it is slower than it could be: any of `heat`, `power` and `hardware`.
    throttled_by: Option<Vec<&'static str>>,
    ecc: Option<Ecc>,
    /// Errors that its driver has told since the start, and the last of them by NVIDIA's number.
    xid_errors: u64,
    last_xid: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Memory {
    total_bytes: u64,
    free_bytes: u64,
}

/// Errors of its memory since the driver was loaded.
#[derive(Debug, Serialize, ToSchema)]
struct Ecc {
    corrected: u64,
    uncorrected: u64,
}

impl From<gpu::Memory> for Memory {
    fn from(gpu::Memory { total_bytes, free_bytes }: gpu::Memory) -> Self {
        Self { total_bytes, free_bytes }
    }
}

impl From<Watch> for Machine {
    fn from(watch: Watch) -> Self {
        let gpu = Gpu::of(&watch);
        let machine = watch.sample.machine;
        Self {
            gpu,
            temperature_c: machine.temperature_c,
            is_throttled: machine.throttled,
            memory: machine.memory.map(Memory::from),
            engine_load: watch.load.level,
            is_lean: watch.is_lean,
            limit: watch.limit.map(|limit| limit.name()),
        }
    }
}

impl Gpu {
    fn of(Watch { sample, .. }: &Watch) -> Option<Self> {
        let name = match &sample.gpu {
            Watched::Absent => return None,
            Watched::Found(Reading { name, .. }) | Watched::Lost { name, .. } => Some(name.clone()),
            Watched::Silent { name } => name.clone(),
            Watched::Fault(_) => None,
        };
        let reading = sample.gpu.reading().cloned().unwrap_or_default();
        let throttled_by = reading.throttle.map(|throttle| {
            let reasons = throttle.reasons().into_iter();
            reasons.filter_map(|(name, is_it)| is_it.then_some(name)).collect()
        });
        Some(Self {
            state: sample.gpu.name(),
            name,
            memory: reading.memory.map(Memory::from),
            load: reading.load,
            temperature_c: reading.temperature_c,
            slowdown_c: reading.slowdown_c,
            power_w: reading.power_w,
            power_limit_w: reading.power_limit_w,
            energy_j: sample.energy_j,
            clock_mhz: reading.clock_mhz,
            max_clock_mhz: reading.max_clock_mhz,
            throttled_by,
            ecc: reading
                .ecc
                .map(|ecc| Ecc { corrected: ecc.corrected, uncorrected: ecc.uncorrected }),
            xid_errors: sample.xids,
            last_xid: sample.last_xid,
        })
    }
}
