//! What follows from how GPU and box are: how many calls, which model, which device. Pure: the time is given.
//!
//! Heat is answered before the calls are heard to suffer: half as many of them, and a smaller model where it
//! lasts. What is over is believed only after a while, so that nothing swings.

use std::time::{Duration, Instant};

use super::Machine;
use super::watch::{Sample, Watched};
use crate::appliance::engine::Mode;

/// So far below its limit a temperature is cool again.
const COOLED_BY_C: f32 = 5.0;
/// A device that is hot is taken for hot at least for this long.
const COOL_FOR: Duration = Duration::from_secs(30);
/// Heat that lasts, or an engine at its end: then a smaller model.
const HOT_FOR: Duration = Duration::from_secs(30);
const STRAINED_FOR: Duration = Duration::from_secs(10);
const STRAINED: f32 = 0.9;
/// The usual model comes back only after all has been well for so long.
const EASED_FOR: Duration = Duration::from_secs(600);
const EASED: f32 = 0.5;
/// A GPU that was lost and is there again is trusted after this.
const FOUND_FOR: Duration = Duration::from_secs(60);

/// The owner's limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Of the GPU, in °C.
    pub gpu_c: f32,
    /// Of the processor.
    pub cpu_c: f32,
    /// That stay free where the models are: in the GPU, else in the box.
    pub memory_reserve_bytes: u64,
    /// There is a smaller model that the engine can be given.
    pub has_smaller_model: bool,
}

/// What is known of the engine and the calls at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// The engine's measured real-time factor, 0 to 1.
    pub load: f32,
    pub calls: usize,
    /// It has its models in the GPU.
    pub on_gpu: bool,
}

/// What follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub is_hot: bool,
    pub is_memory_short: bool,
    pub mode: Mode,
    /// Sentences for the owner.
    pub faults: Vec<String>,
}

/// Remembers since when things are as they are.
#[derive(Debug)]
pub struct Protection {
    limits: Limits,
    hot_since: Option<Instant>,
    last_hot: Option<Instant>,
    strained_since: Option<Instant>,
    /// Since when nothing speaks against the usual model.
    eased_since: Option<Instant>,
    /// The engine was told to do without the GPU; since when that is there again.
    lost: Option<Option<Instant>>,
    is_lean: bool,
}

impl Protection {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hot_since: None,
            last_hot: None,
            strained_since: None,
            eased_since: None,
            lost: None,
            is_lean: false,
        }
    }

    pub fn judge(&mut self, now: Instant, sample: &Sample, work: Work) -> Verdict {
        let heat = self.heat(sample);
        self.note_heat(now, heat.is_some());
        let is_hot = self.hot_since.is_some();
        self.note_strain(now, work, is_hot);
        self.note_loss(now, &sample.gpu, work);
        let is_memory_short = self.is_memory_short(sample, work);
        let mode = match (self.lost, self.is_lean) {
            (Some(_), _) => Mode::WithoutGpu,
            (None, true) => Mode::Lean,
            (None, false) => Mode::Usual,
        };
        let hot = is_hot.then(|| {
            let what = heat.unwrap_or_else(|| "it cools down".to_owned());
            format!("heat: fewer calls are taken: {what}")
        });
        let short = is_memory_short.then(|| {
            let place = if work.on_gpu { "the GPU" } else { "the box" };
            format!(
                "gpu.memory_reserve_mb: {place} has less free memory than that: one call at a time is taken"
            )
        });
        let lean = self.is_lean.then(|| {
            "gpu.smaller_model: the smaller speech model hears until the box has less to do"
                .to_owned()
        });
        let faults = [fault_of(&sample.gpu, self.lost.is_some(), work.on_gpu), hot, short, lean];
        let faults = faults.into_iter().flatten().collect();
        Verdict { is_hot, is_memory_short, mode, faults }
    }

    /// What is too hot, in words. Once hot, less heat is too much, too.
    fn heat(&self, sample: &Sample) -> Option<String> {
        let margin = if self.hot_since.is_some() { COOLED_BY_C } else { 0.0 };
        let over = |celsius: Option<f32>, limit: f32, what: &str| {
            let celsius = celsius.filter(|celsius| *celsius >= limit - margin)?;
            Some(format!("{what} has {celsius:.0} °C, its limit is {limit:.0} °C"))
        };
        let gpu = sample.gpu.reading().and_then(|reading| {
            let throttled = reading.throttle.is_some_and(|throttle| throttle.heat);
            let throttled = throttled.then(|| "the GPU slows itself down".to_owned());
            throttled.or_else(|| over(reading.temperature_c, self.limits.gpu_c, "the GPU"))
        });
        let Machine { temperature_c, throttled, .. } = sample.machine;
        let braked = throttled.unwrap_or(false);
        let braked = braked.then(|| "the processor slows itself down".to_owned());
        gpu.or(braked).or_else(|| over(temperature_c, self.limits.cpu_c, "the processor"))
    }

    fn note_heat(&mut self, now: Instant, is_hot: bool) {
        if is_hot {
            self.last_hot = Some(now);
            self.hot_since.get_or_insert(now);
        } else if self.last_hot.is_none_or(|at| now.saturating_duration_since(at) >= COOL_FOR) {
            self.hot_since = None;
        }
    }

    fn note_strain(&mut self, now: Instant, work: Work, is_hot: bool) {
        let lasts = |since: Option<Instant>, long: Duration| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= long)
        };
        match work.load > STRAINED {
            true => drop(self.strained_since.get_or_insert(now)),
            false => self.strained_since = None,
        }
        match is_hot || work.load > EASED {
            true => self.eased_since = None,
            false => drop(self.eased_since.get_or_insert(now)),
        }
        if !self.limits.has_smaller_model {
            return;
        }
        if lasts(self.strained_since, STRAINED_FOR) || lasts(self.hot_since, HOT_FOR) {
            self.is_lean = true;
        } else if work.calls == 0 && lasts(self.eased_since, EASED_FOR) {
            // While somebody talks the engine is not exchanged for the better.
            self.is_lean = false;
        }
    }

    fn note_loss(&mut self, now: Instant, gpu: &Watched, work: Work) {
        match (gpu, &mut self.lost) {
            (Watched::Lost { .. }, None) if work.on_gpu => self.lost = Some(None),
            (Watched::Lost { .. } | Watched::Silent { .. }, Some(found)) => *found = None,
            (Watched::Found(_), Some(found)) => {
                let since = *found.get_or_insert(now);
                let is_back = now.saturating_duration_since(since) >= FOUND_FOR;
                if is_back && work.calls == 0 {
                    self.lost = None;
                }
            }
            _ => {}
        }
    }

    fn is_memory_short(&self, sample: &Sample, work: Work) -> bool {
        let of_gpu = sample.gpu.reading().and_then(|reading| reading.memory);
        let memory = if work.on_gpu { of_gpu } else { sample.machine.memory };
        memory.is_some_and(|memory| memory.free_bytes < self.limits.memory_reserve_bytes)
    }
}

/// What the owner is to know of the GPU itself.
fn fault_of(gpu: &Watched, is_left: bool, on_gpu: bool) -> Option<String> {
    let left = if on_gpu { "" } else { "; speech works on the CPU" };
    match gpu {
        Watched::Lost { name, why } => Some(format!("gpu: {name} is lost: {why}{left}")),
        Watched::Silent { name } => {
            let name = name.as_deref().unwrap_or("the GPU");
            Some(format!("gpu: the driver of {name} does not answer{left}"))
        }
        Watched::Fault(why) => Some(format!("gpu.device: nothing is watched: {why}")),
        Watched::Found(_) if is_left => {
            Some("gpu: it was lost and is back; speech works on the CPU a while longer".to_owned())
        }
        Watched::Absent | Watched::Found(_) => None,
    }
}

#[cfg(test)]
mod tests;
