//! The box itself, with or without a GPU: heat and memory, from sysfs and procfs.

use std::path::{Path, PathBuf};

use super::Memory;
use super::sysfs::{entries, natural, number, word};

/// Temperatures that no sensor of silicon tells unless it is broken.
const PLAUSIBLE_C: std::ops::Range<f32> = -40.0..150.0;
/// Drivers of hwmon that know the processor where no thermal zone does.
const PROCESSOR_SENSORS: [&str; 4] = ["coretemp", "k10temp", "zenpower", "cpu_thermal"];
/// A processor that was slowed down for less of a second was only at its turbo's end, as under any load.
const SLOWED_MS: u64 = 100;
/// What a cooling device is called that makes something slower, in part; a fan makes nothing slower.
const BRAKES: [&str; 5] = ["throttle", "cpufreq", "devfreq", "intel_powerclamp", "Processor"];

/// How the box is. What it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// The hottest of the zones that belong to the processor; in °C.
    pub temperature_c: Option<f32>,
    /// At which the kernel begins to slow it down.
    pub slowdown_c: Option<f32>,
    /// It is being slowed down for heat.
    pub throttled: Option<bool>,
    pub memory: Option<Memory>,
}

/// Reads it.
#[derive(Debug)]
pub struct MachineReader {
    root: PathBuf,
    /// How long the hottest processor was slowed down so far, in milliseconds.
    throttled_ms: Option<u64>,
}

impl MachineReader {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), throttled_ms: None }
    }

    pub fn read(&mut self) -> Machine {
        let zones = Zones::read(&self.root);
        let throttled_ms = self.throttled_ms();
        let slowed = match (self.throttled_ms, throttled_ms) {
            (Some(before), Some(now)) => Some(now.saturating_sub(before) >= SLOWED_MS),
            (None, Some(_)) => Some(false),
            (_, None) => None,
        };
        self.throttled_ms = throttled_ms;
        let braked = braked(&self.root, |_| true);
        let throttled = [slowed, braked].into_iter().flatten().reduce(|a, b| a || b);
        Machine {
            temperature_c: zones.processor_c.or_else(|| self.sensor_c()),
            slowdown_c: zones.slowdown_c,
            throttled,
            memory: memory(&self.root),
        }
    }

    /// Where a processor counts itself for how long it was slowed down (Intel).
    fn throttled_ms(&self) -> Option<u64> {
        let cpus = entries(&self.root.join("sys/devices/system/cpu"), "cpu");
        let file = "thermal_throttle/package_throttle_total_time_ms";
        let times = cpus.iter().filter_map(|cpu| natural(&cpu.join(file)));
        times.reduce(u64::max)
    }

    fn sensor_c(&self) -> Option<f32> {
        let monitors = entries(&self.root.join("sys/class/hwmon"), "hwmon");
        let known = monitors.iter().filter(|folder| {
            word(&folder.join("name")).is_some_and(|name| PROCESSOR_SENSORS.contains(&&*name))
        });
        let inputs = known.flat_map(|folder| entries(folder, "temp"));
        let inputs = inputs.filter(|path| path.to_string_lossy().ends_with("_input"));
        inputs.filter_map(|path| celsius(&path)).reduce(f32::max)
    }
}

/// A thermal zone.
pub(super) struct Zone {
    pub(super) kind: String,
    pub(super) celsius: f32,
    folder: PathBuf,
}

/// The thermal zones that can be read.
pub(super) fn zones(root: &Path) -> Vec<Zone> {
    let folders = entries(&root.join("sys/class/thermal"), "thermal_zone");
    let read = folders.into_iter().filter_map(|folder| {
        let kind = word(&folder.join("type"))?;
        // A Jetson's zone of a part that is switched off cannot be read.
        let celsius = celsius(&folder.join("temp"))?;
        Some(Zone { kind, celsius, folder })
    });
    read.collect()
}

struct Zones {
    processor_c: Option<f32>,
    slowdown_c: Option<f32>,
}

impl Zones {
    fn read(root: &Path) -> Self {
        let zones = zones(root);
        let is_processor = |zone: &&Zone| {
            let kind = zone.kind.to_lowercase();
            ["cpu", "pkg", "soc", "package", "tj"].iter().any(|word| kind.contains(word))
        };
        let named: Vec<&Zone> = zones.iter().filter(is_processor).collect();
        // Boards with one zone call it what they like.
        let chosen: Vec<&Zone> = match named.is_empty() {
            true => zones.iter().filter(|zone| zone.kind.contains("acpi")).collect(),
            false => named,
        };
        let hottest = chosen.iter().map(|zone| zone.celsius).reduce(f32::max);
        let slowdown = chosen.iter().filter_map(|zone| passive_c(&zone.folder)).reduce(f32::min);
        Self { processor_c: hottest, slowdown_c: slowdown }
    }
}

/// The lowest trip point at which the kernel slows something down.
fn passive_c(zone: &Path) -> Option<f32> {
    let points = entries(zone, "trip_point_");
    let kinds = points.iter().filter_map(|path| path.to_str()?.strip_suffix("_type"));
    let passive = kinds.filter(|stem| {
        word(Path::new(&format!("{stem}_type"))).is_some_and(|kind| kind == "passive")
    });
    passive.filter_map(|stem| celsius(Path::new(&format!("{stem}_temp")))).reduce(f32::min)
}

/// Whether a cooling device whose name `is_meant` brakes; `None`: there is none.
pub(super) fn braked(root: &Path, is_meant: impl Fn(&str) -> bool) -> Option<bool> {
    let devices = entries(&root.join("sys/class/thermal"), "cooling_device");
    let states = devices.iter().filter_map(|folder| {
        let kind = word(&folder.join("type"))?;
        let brakes = BRAKES.iter().any(|word| kind.contains(word)) && is_meant(&kind);
        if !brakes { None } else { number(&folder.join("cur_state")) }
    });
    states.map(|state| state > 0).reduce(|a, b| a || b)
}

/// A file with thousandths of a degree.
fn celsius(path: &Path) -> Option<f32> {
    let celsius = number(path)? as f32 / 1_000.0;
    PLAUSIBLE_C.contains(&celsius).then_some(celsius)
}

/// The kernel's own estimate of what programs may still take.
pub(super) fn memory(root: &Path) -> Option<Memory> {
    let text = word(&root.join("proc/meminfo"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1_024)
    };
    Some(Memory { total_bytes: field("MemTotal:")?, free_bytes: field("MemAvailable:")? })
}
