//! Processor time and memory of the box, from /proc.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::appliance::Appliance;
use crate::support::counters;

/// Between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What one process used over a stretch of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Use {
    /// Share of one core, user and system.
    pub cores: f64,
    /// The largest that were seen, in MiB: resident, and with shared pages counted by share.
    pub resident_mib: f64,
    pub proportional_mib: f64,
}

/// Of front and engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxUse {
    pub front: Use,
    pub engine: Use,
}

/// Watches both processes until it is read.
#[derive(Debug)]
pub struct Meter {
    pids: [u32; 2],
    began: Instant,
    processor_s: [f64; 2],
    stop: Arc<AtomicBool>,
    memory: JoinHandle<[(f64, f64); 2]>,
}

impl Meter {
    pub fn start(appliance: &Appliance) -> Self {
        let engine = appliance.engine_pid().expect("the engine runs");
        let pids = [appliance.pid(), engine];
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let memory = std::thread::spawn(move || watch(pids, &stopping));
        Self {
            pids,
            began: Instant::now(),
            processor_s: pids.map(counters::processor_s),
            stop,
            memory,
        }
    }

    pub fn read(self) -> BoxUse {
        let wall_s = self.began.elapsed().as_secs_f64();
        let now = self.pids.map(counters::processor_s);
        self.stop.store(true, Ordering::Relaxed);
        let memory = self.memory.join().unwrap_or_default();
        let [front, engine] = [0, 1].map(|at: usize| Use {
            cores: (now[at] - self.processor_s[at]) / wall_s,
            resident_mib: memory[at].0,
            proportional_mib: memory[at].1,
        });
        BoxUse { front, engine }
    }
}

fn watch(pids: [u32; 2], stop: &AtomicBool) -> [(f64, f64); 2] {
    let mut most = [(0.0, 0.0); 2];
    loop {
        for (most, pid) in most.iter_mut().zip(pids) {
            let (resident, proportional) = (field_mib(pid, "Rss:"), field_mib(pid, "Pss:"));
            *most = (resident.max(most.0), proportional.max(most.1));
        }
        if stop.load(Ordering::Relaxed) {
            return most;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A field of `smaps_rollup` (proc(5)), which counts in KiB.
fn field_mib(pid: u32, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse().ok());
    kib.map_or(0.0, |kib: f64| kib / 1_024.0)
}
