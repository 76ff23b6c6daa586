//! From nothing to ready, and from a killed engine to ready.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::appliance::{Appliance, Setup};
use crate::support::wait;
use crate::table::{Table, Target};

const STARTS: usize = 3;
/// Whatever has not come back by then does not.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn measure(table: &mut Table) {
    table.section("start and restart");
    let mut starts = Vec::new();
    let mut deaths = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let appliance = Setup::default().start();
        starts.push(began.elapsed().as_secs_f64());
        deaths.extend(death(&appliance));
    }
    let worst = |all: Vec<f64>| all.into_iter().reduce(f64::max);
    let name = format!("start to ready, longest of {STARTS}");
    table.figure(&name, worst(starts), "s", Target::AtMost(3.0));
    let name = format!("engine killed to ready, longest of {}", deaths.len());
    table.figure(&name, worst(deaths), "s", Target::AtMost(3.0));
}

/// Seconds from the engine's kill to a box that takes calls again, with another engine.
fn death(appliance: &Appliance) -> Option<f64> {
    let old = appliance.engine_pid()?;
    let began = Instant::now();
    kill(Pid::from_raw(i32::try_from(old).ok()?), Signal::SIGKILL).ok()?;
    wait::within(PATIENCE, || {
        let is_new = appliance.engine_pid().is_some_and(|pid| pid != old);
        let (status, _) = appliance.get("/health")?;
        (is_new && status == 200).then(|| began.elapsed().as_secs_f64())
    })
}
