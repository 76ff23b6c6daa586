//! Looks at GPU and box once a second, and carries out what follows: calls, model, device, what the owner is told.

use std::time::{Duration, Instant};

use super::switchboard::Switchboard;
use crate::appliance::engine::{Engine, EngineState, Mode};
use crate::appliance::gpu::protection::Work;
use crate::appliance::gpu::{Gauge, Protection, Sample};
use crate::call::admission::Headroom;
use crate::speech::protocol::Ready;
use crate::web::{Board, Watch};

/// A gauge has nothing new before.
const EVERY: Duration = Duration::from_secs(1);

/// The gauge with what was made of it.
#[derive(Debug)]
pub struct Guard {
    gauge: Gauge,
    protection: Protection,
    looked: Option<Instant>,
    /// Joules that calls were told of.
    spent_j: Option<f64>,
    /// The engine that was ready last had its models in the GPU.
    on_gpu: bool,
    faults: Vec<String>,
}

impl Guard {
    pub fn new(gauge: Gauge, protection: Protection) -> Self {
        Self { gauge, protection, looked: None, spent_j: None, on_gpu: false, faults: Vec::new() }
    }

    /// Sentences for the owner.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Whether there is something else to be told to the owner.
    pub fn look(
        &mut self,
        now: Instant,
        engine: &dyn Engine,
        switchboard: &mut Switchboard,
        board: &Board,
    ) -> bool {
        if self.looked.is_some_and(|at| now.saturating_duration_since(at) < EVERY) {
            return false;
        }
        self.looked = Some(now);
        let sample = self.gauge.sample(now);
        if let EngineState::Ready(ready) = &*engine.state().borrow() {
            self.on_gpu = uses_gpu(ready);
        }
        let load = engine.load();
        let calls = switchboard.calls();
        let work = Work { load: load.level, calls, on_gpu: self.on_gpu };
        let verdict = self.protection.judge(now, &sample, work);
        switchboard.set_headroom(
            now,
            Headroom {
                load: load.level,
                is_hot: verdict.is_hot,
                is_memory_short: verdict.is_memory_short,
            },
        );
        engine.steer(verdict.mode);
        self.spend(&sample, switchboard);
        let is_lean = verdict.mode != Mode::Usual;
        board.set_watch(Watch { sample, load, limit: switchboard.limit(), is_lean });
        if verdict.faults == self.faults {
            return false;
        }
        let is_new = |fault: &&String| !self.faults.iter().any(|known| alike(known, fault));
        verdict.faults.iter().filter(is_new).for_each(|fault| tracing::error!("{fault}"));
        self.faults = verdict.faults;
        true
    }

    fn spend(&mut self, sample: &Sample, switchboard: &mut Switchboard) {
        let before = self.spent_j.unwrap_or_default();
        if let Some(used) = sample.energy_j {
            switchboard.spend((used - before).max(0.0));
            self.spent_j = Some(used);
        }
    }
}

/// Sentences that differ in a number only, as a temperature, are one for the log.
fn alike(one: &str, other: &str) -> bool {
    let words = |text: &str| text.split(|c: char| c.is_ascii_digit()).collect::<String>();
    words(one) == words(other)
}

fn uses_gpu(ready: &Ready) -> bool {
    let is_gpu = |device: &str| device.starts_with("cuda");
    is_gpu(&ready.device) || ready.neural.iter().any(|voice| is_gpu(&voice.device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_with_another_temperature_is_not_told_twice() {
        assert!(alike("the GPU has 91 °C", "the GPU has 92 °C"));
        assert!(!alike("the GPU has 91 °C", "the GPU slows itself down"));
    }

    #[test]
    fn a_voice_in_the_gpu_counts_as_the_engine_there() {
        let mut ready = crate::appliance::engine::double::Scripted::ready();
        assert!(!uses_gpu(&ready));
        ready.device = "cuda (NVIDIA L4)".to_owned();
        assert!(uses_gpu(&ready));
    }
}
