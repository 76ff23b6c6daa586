//! The thread that looks, and what the others get of it.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::jetson::Jetson;
use super::machine::{Machine, MachineReader};
use super::nvml::{self, NotThere, NvmlReader};
use super::{Lost, Reader, Reading, Settings, Wish};
use crate::base::limits;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Looks without a GPU, or with a lost one, until it is looked for again: drivers are loaded late.
const AGAIN_AFTER: u32 = 30;

/// How the GPU is.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// There is none, or none is to be watched.
    Absent,
    Found(Reading),
    /// It was there, and is gone until a reset.
    Lost {
        name: String,
        why: String,
    },
    /// Its driver has not answered for too long.
    Silent {
        name: Option<String>,
    },
    /// The one that was wished cannot be watched.
    Fault(String),
}

impl Watched {
    pub fn reading(&self) -> Option<&Reading> {
        match self {
            Self::Found(reading) => Some(reading),
            Self::Absent | Self::Lost { .. } | Self::Silent { .. } | Self::Fault(_) => None,
        }
    }

    /// One word for figures and the interface, stable.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Found(_) => "found",
            Self::Lost { .. } => "lost",
            Self::Silent { .. } => "silent",
            Self::Fault(_) => "fault",
        }
    }

    /// Every [`Watched::name`].
    pub const NAMES: [&'static str; 5] = ["absent", "found", "lost", "silent", "fault"];
}

/// One look at everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub at: Instant,
    pub gpu: Watched,
    pub machine: Machine,
    /// That the GPU has used since the start, in joules; `None` where it tells neither that nor its power.
    pub energy_j: Option<f64>,
    /// Errors that the driver has told since the start, and the last of them.
    pub xids: u64,
    pub last_xid: Option<u64>,
}

impl Sample {
    /// Nothing was looked at yet.
    fn before_all(at: Instant) -> Self {
        let (gpu, machine) = (Watched::Absent, Machine::default());
        Self { at, gpu, machine, energy_j: None, xids: 0, last_xid: None }
    }
}

/// What the thread has seen last. Dropping it ends the thread, unless a driver holds it.
#[derive(Debug)]
pub struct Gauge {
    latest: watch::Receiver<Sample>,
    _stop: mpsc::Sender<()>,
}

impl Gauge {
    /// Starts the thread.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let start = Sample::before_all(Instant::now());
        let (publish, latest) = watch::channel(start);
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("gpu".to_owned());
        thread.spawn(move || run(&settings, Looker::new(&settings.root, publish, stopped)))?;
        Ok(Self { latest, _stop: stop })
    }

    /// What was seen last; what is old says nothing any more.
    pub fn sample(&self, now: Instant) -> Sample {
        let sample = self.latest.borrow().clone();
        if now.saturating_duration_since(sample.at) < limits::GPU_SILENT {
            return sample;
        }
        let name = match sample.gpu {
            Watched::Found(Reading { name, .. }) | Watched::Lost { name, .. } => Some(name),
            Watched::Silent { name } => name,
            Watched::Absent | Watched::Fault(_) => None,
        };
        Sample { gpu: Watched::Silent { name }, machine: Machine::default(), ..sample }
    }
}

/// Why a GPU is not followed any longer.
#[derive(Debug, PartialEq)]
enum End {
    Stopped,
    /// It may be worth while to look for one.
    LookAgain,
}

fn run(settings: &Settings, mut looker: Looker) {
    while follow_any(settings, &mut looker) == End::LookAgain {}
}

fn follow_any(settings: &Settings, looker: &mut Looker) -> End {
    if settings.device == Wish::None {
        return looker.follow(None);
    }
    if settings.device == Wish::Auto
        && let Some(mut jetson) = Jetson::find(&settings.root)
    {
        return looker.follow(Some(&mut jetson));
    }
    match nvml::open(settings) {
        Ok(nvml) => match NvmlReader::new(&nvml, &settings.device) {
            Ok(mut reader) => looker.follow(Some(&mut reader)),
            Err(why) => looker.without(why),
        },
        Err(why) => looker.without(why),
    }
}

/// Looks and tells.
struct Looker {
    machine: MachineReader,
    publish: watch::Sender<Sample>,
    stopped: mpsc::Receiver<()>,
    /// The GPU that was followed last.
    name: Option<String>,
    energy: Energy,
}

impl Looker {
    fn new(root: &Path, publish: watch::Sender<Sample>, stopped: mpsc::Receiver<()>) -> Self {
        let (machine, energy) = (MachineReader::new(root), Energy::default());
        Self { machine, publish, stopped, name: None, energy }
    }

    fn without(&mut self, why: NotThere) -> End {
        let gpu = match (why, self.name.clone()) {
            (NotThere::Fault(why), Some(name)) => Watched::Lost { name, why },
            (NotThere::None, Some(name)) => {
                Watched::Lost { name, why: "there is no GPU any more".to_owned() }
            }
            (NotThere::Fault(why), None) => Watched::Fault(why),
            (NotThere::None, None) => Watched::Absent,
        };
        self.stay(&gpu)
    }

    /// Looks at this GPU until it is lost, or at the box alone for a while.
    fn follow(&mut self, reader: Option<&mut dyn Reader>) -> End {
        let Some(reader) = reader else { return self.stay(&Watched::Absent) };
        loop {
            match reader.read() {
                Ok(reading) => {
                    self.name = Some(reading.name.clone());
                    self.tell(Watched::Found(reading));
                }
                Err(Lost { why, xid }) => {
                    self.note_xids(xid.as_slice());
                    let name = self.name.clone().unwrap_or_else(|| "the GPU".to_owned());
                    return self.stay(&Watched::Lost { name, why });
                }
            }
            if self.is_stopped() {
                return End::Stopped;
            }
        }
    }

    fn stay(&mut self, gpu: &Watched) -> End {
        self.energy.pause();
        for _ in 0..AGAIN_AFTER {
            self.tell(gpu.clone());
            if self.is_stopped() {
                return End::Stopped;
            }
        }
        End::LookAgain
    }

    fn tell(&mut self, gpu: Watched) {
        let (machine, at) = (self.machine.read(), Instant::now());
        if let Some(reading) = gpu.reading() {
            self.energy.add(at, reading);
        }
        let energy_j = self.energy.used_j;
        self.note_xids(gpu.reading().map(|reading| reading.xids.as_slice()).unwrap_or_default());
        self.publish.send_modify(|sample| {
            (sample.at, sample.gpu, sample.machine, sample.energy_j) = (at, gpu, machine, energy_j);
        });
    }

    fn note_xids(&self, xids: &[u64]) {
        self.publish.send_modify(|sample| {
            sample.xids += xids.len() as u64;
            sample.last_xid = xids.last().copied().or(sample.last_xid);
        });
    }

    /// Waits for the next look.
    fn is_stopped(&self) -> bool {
        self.stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout)
    }
}

/// What a GPU has used, of its own counter or of its power.
#[derive(Debug, Default)]
struct Energy {
    used_j: Option<f64>,
    last: Option<(Instant, Option<f64>)>,
}

impl Energy {
    fn add(&mut self, now: Instant, reading: &Reading) {
        let counted = reading.energy_j;
        let before = self.last.replace((now, counted));
        let step = before.and_then(|(at, before)| match (before, counted) {
            // A counter that begins anew tells nothing of this step.
            (Some(before), Some(counted)) => Some((counted - before).max(0.0)),
            _ => {
                let watts = f64::from(reading.power_w?);
                Some(watts * now.saturating_duration_since(at).as_secs_f64())
            }
        });
        let is_told = counted.is_some() || reading.power_w.is_some();
        if is_told {
            *self.used_j.get_or_insert_default() += step.unwrap_or_default();
        }
    }

    /// What is used from here on is not known.
    fn pause(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests;
