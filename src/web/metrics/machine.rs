//! Figures of GPU, box and engine. What a device does not tell has no sample.

use super::exposition::{Exposition, Kind, Labels};
use super::totals::{ENERGY_BOUNDS_J, Totals};
use crate::appliance::gpu::{Memory, Reading, Watched};
use crate::call::admission::Limit;
use crate::web::board::{Board, Watch};

/// Nothing in the first second, before anybody has looked.
pub(super) fn machine(out: &mut Exposition, board: &Board, totals: &Totals) {
    let Some(watch) = board.watch() else { return };
    engine(out, &watch);
    the_box(out, &watch);
    let mut family =
        out.family("attendant_gpu_state", Kind::Gauge, "1 for how the GPU is: found, lost, ...");
    for name in Watched::NAMES {
        family.sample(&[("state", name)], u64::from(watch.sample.gpu.name() == name));
    }
    gpu(out, watch.sample.gpu.reading().unwrap_or(&Reading::default()));
    let is_watched = !matches!(watch.sample.gpu, Watched::Absent);
    let mut family = out.family(
        "attendant_gpu_xid_errors_total",
        Kind::Counter,
        "Errors that the GPU's driver has told.",
    );
    if is_watched {
        family.sample(&[], watch.sample.xids);
    }
    let mut family = out.family(
        "attendant_gpu_last_xid",
        Kind::Gauge,
        "The last of these errors, by NVIDIA's number.",
    );
    if let Some(xid) = watch.sample.last_xid {
        family.sample(&[], xid);
    }
    let mut family =
        out.family("attendant_gpu_energy_joules_total", Kind::Counter, "What the GPU has used.");
    if let Some(joules) = watch.sample.energy_j {
        family.fraction(&[], joules);
    }
    out.family(
        "attendant_call_gpu_energy_joules",
        Kind::Histogram,
        "Each ended call's part of what the GPU has used while it was up.",
    )
    .histogram(&[], &ENERGY_BOUNDS_J, &totals.energy.counts, totals.energy.sum);
}

fn engine(out: &mut Exposition, watch: &Watch) {
    out.family(
        "attendant_engine_load_ratio",
        Kind::Gauge,
        "The engine's real-time factor: of each second, how much of its time the calls take.",
    )
    .fraction(&[], hundredths(watch.load.level));
    out.family(
        "attendant_engine_lean",
        Kind::Gauge,
        "1 while the engine works with less than configured: the smaller model, or the CPU.",
    )
    .sample(&[], u64::from(watch.is_lean));
    for (name, help, ms) in [
        ("attendant_heard_seconds_total", "Sound that was recognised.", watch.load.heard_ms),
        (
            "attendant_decode_seconds_total",
            "What the recogniser took for it.",
            watch.load.decode_ms,
        ),
    ] {
        out.family(name, Kind::Counter, help).fraction(&[], ms as f64 / 1_000.0);
    }
    let mut family = out.family(
        "attendant_calls_limited",
        Kind::Gauge,
        "1 for what one more call would be too many for.",
    );
    for limit in Limit::ALL {
        family.sample(&[("by", limit.name())], u64::from(watch.limit == Some(limit)));
    }
}

fn the_box(out: &mut Exposition, watch: &Watch) {
    let machine = &watch.sample.machine;
    gauge(
        out,
        ("attendant_box_temperature_celsius", "The processor's temperature."),
        machine.temperature_c,
    );
    let mut family = out.family(
        "attendant_box_throttled",
        Kind::Gauge,
        "1 while the processor slows itself down for heat.",
    );
    if let Some(throttled) = machine.throttled {
        family.sample(&[], u64::from(throttled));
    }
    memory(out, ("attendant_box_memory_bytes", "The box's memory."), machine.memory);
}

fn gpu(out: &mut Exposition, reading: &Reading) {
    memory(out, ("attendant_gpu_memory_bytes", "The GPU's memory."), reading.memory);
    for (name, help, value) in [
        (
            "attendant_gpu_load_ratio",
            "Share of the last moments in which the GPU worked.",
            reading.load,
        ),
        ("attendant_gpu_temperature_celsius", "The GPU's temperature.", reading.temperature_c),
        (
            "attendant_gpu_slowdown_celsius",
            "From which the GPU slows itself down.",
            reading.slowdown_c,
        ),
        (
            "attendant_gpu_power_watts",
            "What the GPU takes; of a Jetson, the whole module.",
            reading.power_w,
        ),
        ("attendant_gpu_power_limit_watts", "What it may take.", reading.power_limit_w),
    ] {
        gauge(out, (name, help), value);
    }
    let mut family =
        out.family("attendant_gpu_clock_hertz", Kind::Gauge, "The clock of the GPU's processors.");
    for (which, mhz) in [("now", reading.clock_mhz), ("most", reading.max_clock_mhz)] {
        if let Some(mhz) = mhz {
            family.sample(&[("which", which)], u64::from(mhz) * 1_000_000);
        }
    }
    let mut family = out.family(
        "attendant_gpu_throttled",
        Kind::Gauge,
        "1 for why the GPU is slower than it could be.",
    );
    for (reason, is_it) in reading.throttle.map(|t| t.reasons()).into_iter().flatten() {
        family.sample(&[("by", reason)], u64::from(is_it));
    }
    let mut family = out.family(
        "attendant_gpu_ecc_errors",
        Kind::Gauge,
        "Errors of the GPU's memory since its driver was loaded.",
    );
    if let Some(ecc) = reading.ecc {
        family.sample(&[("kind", "corrected")], ecc.corrected);
        family.sample(&[("kind", "uncorrected")], ecc.uncorrected);
    }
}

/// Name and help of a family.
type Named = (&'static str, &'static str);

fn gauge(out: &mut Exposition, (name, help): Named, value: Option<f32>) {
    let mut family = out.family(name, Kind::Gauge, help);
    if let Some(value) = value {
        family.fraction(&[], hundredths(value));
    }
}

fn memory(out: &mut Exposition, (name, help): Named, memory: Option<Memory>) {
    let mut family = out.family(name, Kind::Gauge, help);
    let Some(Memory { total_bytes, free_bytes }) = memory else { return };
    let labels: [Labels<'_>; 2] = [&[("kind", "total")], &[("kind", "free")]];
    for (labels, bytes) in labels.into_iter().zip([total_bytes, free_bytes]) {
        family.sample(labels, bytes);
    }
}

/// As it is written, not as the nearest binary fraction.
fn hundredths(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}
