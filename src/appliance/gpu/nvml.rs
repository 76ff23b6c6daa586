//! A GPU as NVIDIA's management library (NVML) tells of it.

use std::ffi::OsStr;

use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enum_wrappers::device::{
    Clock, EccCounter, MemoryError, TemperatureSensor, TemperatureThreshold,
};
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, EventSet, Nvml};

use super::{Ecc, Lost, Memory, Reader, Reading, Settings, Throttle, Wish};
use crate::base::limits;

/// Errors by NVIDIA's numbers after which a GPU does nothing more until it is reset: a double bit error of its
/// memory, fallen off the bus, an error that is not contained, its own processor (GSP) hangs.
const FATAL_XIDS: [u64; 5] = [48, 79, 95, 119, 120];
/// As NVML numbers an error whose number it does not know.
const UNKNOWN_XID: u64 = 999;

/// Why there is no GPU to watch.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    /// No driver, or no GPU: nothing is wrong with that.
    #[error("there is none")]
    None,
    #[error("{0}")]
    Fault(String),
}

/// Opens the library. It may take seconds, where the driver is asleep.
pub fn open(settings: &Settings) -> Result<Nvml, NotThere> {
    let opened = match &settings.library {
        Some(path) => Nvml::builder().lib_path(path.as_os_str()).init(),
        None => Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init(),
    };
    opened.map_err(|error| match (&error, &settings.library, &settings.device) {
        (NvmlError::LibloadingError(_) | NvmlError::DriverNotLoaded, None, Wish::Auto) => {
            NotThere::None
        }
        // Which names the file and says what the loader has to say.
        _ => NotThere::Fault(error.to_string()),
    })
}

/// One GPU of an open library.
#[derive(Debug)]
pub struct NvmlReader<'n> {
    device: Device<'n>,
    name: String,
    /// `None`: the driver tells of no errors.
    events: Option<EventSet<'n>>,
}

impl<'n> NvmlReader<'n> {
    pub fn new(nvml: &'n Nvml, wish: &Wish) -> Result<Self, NotThere> {
        let device = match wish {
            Wish::Index(index) => nvml.device_by_index(*index),
            Wish::Uuid(uuid) => nvml.device_by_uuid(uuid.as_str()),
            Wish::Auto | Wish::None => match nvml.device_count() {
                Ok(0) => return Err(NotThere::None),
                Ok(_) => nvml.device_by_index(0),
                Err(error) => Err(error),
            },
        };
        let device = device.map_err(|error| NotThere::Fault(error.to_string()))?;
        let name = device.name().unwrap_or_else(|_| "GPU".to_owned());
        let events = nvml
            .create_event_set()
            .ok()
            .and_then(|set| device.register_events(EventTypes::CRITICAL_XID_ERROR, set).ok());
        Ok(Self { device, name, events })
    }

    /// Errors since the last look, in their order.
    fn xids(&self) -> Vec<u64> {
        let Some(events) = &self.events else { return Vec::new() };
        let mut xids = Vec::new();
        while xids.len() < limits::GPU_XIDS {
            // It waits for nothing: what is there is there.
            match events.wait(0).map(|event| event.event_data) {
                Ok(Some(XidError::Value(xid))) => xids.push(xid),
                Ok(Some(XidError::Unknown)) => xids.push(UNKNOWN_XID),
                Ok(None) | Err(_) => break,
            }
        }
        xids
    }
}

impl Reader for NvmlReader<'_> {
    fn read(&mut self) -> Result<Reading, Lost> {
        let device = &self.device;
        let xids = self.xids();
        if let Some(&xid) = xids.iter().find(|xid| FATAL_XIDS.contains(xid)) {
            return Err(Lost { why: format!("its driver tells Xid {xid}"), xid: Some(xid) });
        }
        let ecc = |kind| device.total_ecc_errors(kind, EccCounter::Volatile);
        let (corrected, uncorrected) =
            (told(ecc(MemoryError::Corrected))?, told(ecc(MemoryError::Uncorrected))?);
        let memory = told(device.memory_info())?;
        let load = told(device.utilization_rates())?;
        let clock =
            |value: Result<u32, NvmlError>| told(value).map(|mhz| mhz.filter(|mhz| *mhz > 0));
        let watts = |milliwatts: Option<u32>| milliwatts.map(|mw| mw as f32 / 1_000.0);
        let slowdown = device.temperature_threshold(TemperatureThreshold::Slowdown);
        let energy = told(device.total_energy_consumption())?;
        Ok(Reading {
            name: self.name.clone(),
            memory: memory.map(|info| Memory { total_bytes: info.total, free_bytes: info.free }),
            load: load.map(|rates| rates.gpu as f32 / 100.0),
            temperature_c: told(device.temperature(TemperatureSensor::Gpu))?.map(|c| c as f32),
            slowdown_c: told(slowdown)?.map(|c| c as f32),
            power_w: watts(told(device.power_usage())?),
            power_limit_w: watts(told(device.enforced_power_limit())?),
            energy_j: energy.map(|millijoules| millijoules as f64 / 1_000.0),
            clock_mhz: clock(device.clock_info(Clock::Graphics))?,
            max_clock_mhz: clock(device.max_clock_info(Clock::Graphics))?,
            throttle: told(device.current_throttle_reasons())?.map(throttle),
            ecc: corrected
                .zip(uncorrected)
                .map(|(corrected, uncorrected)| Ecc { corrected, uncorrected }),
            xids,
        })
    }
}

fn throttle(reasons: ThrottleReasons) -> Throttle {
    let heat = ThrottleReasons::SW_THERMAL_SLOWDOWN | ThrottleReasons::HW_THERMAL_SLOWDOWN;
    let power = ThrottleReasons::SW_POWER_CAP | ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN;
    Throttle {
        heat: reasons.intersects(heat),
        power: reasons.intersects(power),
        hardware: reasons.contains(ThrottleReasons::HW_SLOWDOWN),
    }
}

/// What was told; `None` where the device, the driver or the library does not tell it.
fn told<T>(answer: Result<T, NvmlError>) -> Result<Option<T>, Lost> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error @ (NvmlError::GpuLost | NvmlError::ResetRequired | NvmlError::Uninitialized)) => {
            Err(Lost::of(error))
        }
        Err(_) => Ok(None),
    }
}
