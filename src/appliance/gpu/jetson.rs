//! The GPU inside a Jetson, whose NVML tells next to nothing: from sysfs, by the names that tegrastats has.
//!
//! | tegrastats | here |
//! |---|---|
//! | `GR3D_FREQ 42%@918` | `devfreq/*/device/load` (per mille), `cur_freq` (Hz) |
//! | `gpu@48.1C`, `tj@50.4C` | thermal zones `gpu-thermal`, `GPU-therm`, `tj-thermal` |
//! | `VDD_IN 6120mW` | the rail of that name of an INA3221, else the sum of the rails |
//! | `RAM 2448/7620MB` | `/proc/meminfo`: the memory is one for both |
//!
//! A Jetson has no ECC of its own and tells no Xid.

use std::path::{Path, PathBuf};

use super::machine::{braked, memory, zones};
use super::sysfs::{entries, natural, number, word};
use super::{Lost, Reader, Reading, Throttle};

/// GPUs as the device tree calls them: Xavier, TX2, Orin before JetPack 6 and since.
const GPUS: [&str; 4] = ["gv11b", "gp10b", "ga10b", "gpu"];
/// What the whole module takes, in the order in which boards have it.
const WHOLE: [&str; 2] = ["VDD_IN", "POM_5V_IN"];
/// The INA3221's channel that is a sum of the others.
const SUM_CHANNEL: u32 = 7;

/// The GPU of a Jetson.
#[derive(Debug)]
pub struct Jetson {
    root: PathBuf,
    devfreq: PathBuf,
    name: String,
}

impl Jetson {
    /// `None`: the box below `root` is none.
    pub fn find(root: &Path) -> Option<Self> {
        let devices = entries(&root.join("sys/class/devfreq"), "");
        let devfreq = devices.into_iter().find(|device| {
            let name = word(&device.join("device/of_node/name"));
            name.is_some_and(|name| GPUS.contains(&&*name))
        })?;
        let model = word(&root.join("proc/device-tree/model"));
        let name = model.filter(|model| !model.is_empty()).unwrap_or_else(|| "Jetson".to_owned());
        Some(Self { root: root.to_owned(), devfreq, name })
    }

    fn temperature_c(&self) -> Option<f32> {
        let zones = zones(&self.root);
        // Of the GPU, else the hottest place of the chip.
        ["gpu", "tj"].iter().find_map(|part| {
            let zone = zones.iter().find(|zone| zone.kind.to_lowercase().starts_with(part))?;
            Some(zone.celsius)
        })
    }

    fn throttle(&self) -> Option<Throttle> {
        let heat = braked(&self.root, |kind| kind.to_lowercase().contains("gpu"));
        let power = self.over_current();
        if heat.is_none() && power.is_none() {
            return None;
        }
        let (heat, power) = (heat.unwrap_or(false), power.unwrap_or(false));
        Some(Throttle { heat, power, hardware: false })
    }

    /// A rail takes more current than the board allows.
    fn over_current(&self) -> Option<bool> {
        let alarms = self.monitors().into_iter().flat_map(|folder| entries(&folder, "curr"));
        let alarms = alarms.filter(|path| path.to_string_lossy().ends_with("_crit_alarm"));
        alarms.filter_map(|path| number(&path)).map(|alarm| alarm > 0).reduce(|a, b| a || b)
    }

    fn monitors(&self) -> Vec<PathBuf> {
        let all = entries(&self.root.join("sys/class/hwmon"), "hwmon").into_iter();
        all.filter(|folder| word(&folder.join("name")).is_some_and(|name| name == "ina3221"))
            .collect()
    }

    fn power_w(&self) -> Option<f32> {
        let rails: Vec<(String, f32)> =
            self.monitors().iter().flat_map(|folder| rails(folder)).collect();
        let of = |name: &str| rails.iter().find(|(rail, _)| rail == name).map(|(_, watts)| *watts);
        let sum = || rails.iter().map(|(_, watts)| watts).copied().reduce(|a, b| a + b);
        WHOLE.iter().find_map(|name| of(name)).or_else(sum)
    }

    fn mhz(&self, file: &str) -> Option<u32> {
        u32::try_from(natural(&self.devfreq.join(file))? / 1_000_000).ok()
    }
}

/// The rails of one INA3221, in watts.
fn rails(folder: &Path) -> Vec<(String, f32)> {
    let labels = entries(folder, "in").into_iter();
    let labels = labels.filter(|path| path.to_string_lossy().ends_with("_label"));
    let rail = |path: PathBuf| {
        let name = word(&path)?;
        let channel = path.file_name()?.to_str()?.strip_prefix("in")?.strip_suffix("_label")?;
        let channel: u32 = channel.parse().ok()?;
        if channel == SUM_CHANNEL || name == "NC" {
            return None;
        }
        let millivolts = number(&folder.join(format!("in{channel}_input")))?;
        let milliamperes = number(&folder.join(format!("curr{channel}_input")))?;
        Some((name, millivolts as f32 * milliamperes as f32 / 1e6))
    };
    labels.filter_map(rail).collect()
}

impl Reader for Jetson {
    fn read(&mut self) -> Result<Reading, Lost> {
        if !self.devfreq.is_dir() {
            return Err(Lost::of("its driver is gone"));
        }
        let load = natural(&self.devfreq.join("device/load"));
        Ok(Reading {
            name: self.name.clone(),
            memory: memory(&self.root),
            load: load.map(|permille| (permille as f32 / 1_000.0).min(1.0)),
            temperature_c: self.temperature_c(),
            power_w: self.power_w(),
            clock_mhz: self.mhz("cur_freq"),
            max_clock_mhz: self.mhz("max_freq"),
            throttle: self.throttle(),
            ..Reading::default()
        })
    }
}
