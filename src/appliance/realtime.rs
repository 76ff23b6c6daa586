//! The audio thread's dealings with the kernel: scheduling class, pinning, memory, exact sleep.
//!
//! Everything here is asked for and may be refused; a refusal is a value that the caller tells the
//! owner once, and the program runs without it.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use nix::unistd::Pid;

use super::cores::{self, Roles};

/// What the kernel did not grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    RealTimeClass,
    MemoryLock,
    Pinning,
}

impl Refusal {
    /// A sentence for the log and the status page.
    pub const fn text(self) -> &'static str {
        match self {
            Self::RealTimeClass => {
                "no real-time scheduling: sound may stutter when the box is busy (LimitRTPRIO=)"
            }
            Self::MemoryLock => {
                "memory is not locked: a page fault may delay sound (LimitMEMLOCK=)"
            }
            Self::Pinning => "the audio thread is not pinned to its core",
        }
    }
}

/// What the audio thread is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Within SCHED_FIFO: above ordinary threaded interrupts' default of 50 is not needed for a 20 ms tick; 40 leaves
    /// the kernel's own work first. `None`: a thread like any other.
    pub priority: Option<i32>,
    /// Bound to this core.
    pub core: Option<usize>,
}

impl Wish {
    /// On any core.
    pub const fn unbound() -> Self {
        Self { priority: Some(40), core: None }
    }
}

/// What the kernel tells of the machine's cores.
const CORES: &str = "/sys/devices/system/cpu";
/// Bytes of the thread's own stack that a tick may need: several times what was seen.
const STACK_BYTES: usize = 128 * 1024;
/// Makes the calling thread real-time and pins it as wished, with all memory locked and its stack touched.
pub fn become_real_time(wish: Wish) -> Vec<Refusal> {
    let Wish { priority, core } = wish;
    let mut refused = Vec::new();
    if priority.is_some_and(|priority| !set_fifo(priority)) {
        refused.push(Refusal::RealTimeClass);
    }
    if !lock_memory() {
        refused.push(Refusal::MemoryLock);
    }
    touch_stack();
    if core.is_some_and(|core| !pin(core)) {
        refused.push(Refusal::Pinning);
    }
    refused
}

/// Where the audio thread and the engine of this machine are to be; `wanted` is the owner's core for the former.
pub fn roles(wanted: Option<usize>) -> Roles {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return Roles { audio: wanted, engine: None };
    };
    let allowed = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false));
    let allowed: Vec<usize> = allowed.collect();
    cores::choose(&cores::read(Path::new(CORES), &allowed), wanted)
}

/// Keeps the calling thread, and all that it starts, to these cores. To be called before the process has other threads.
/// Refused, it competes with a thread that goes before it.
pub fn keep_to(cores: &[usize]) {
    let mut set = CpuSet::new();
    let is_made = cores.iter().try_for_each(|core| set.set(*core));
    let _ = is_made.and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
}

/// The first tick would fault each page of it in otherwise.
#[inline(never)]
fn touch_stack() {
    let mut stack = [0_u8; STACK_BYTES];
    stack.iter_mut().step_by(1_024).for_each(|byte| *byte = 1);
    std::hint::black_box(&mut stack);
}

fn pin(core: usize) -> bool {
    let mut set = CpuSet::new();
    set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)).is_ok()
}

#[allow(unsafe_code)]
fn set_fifo(priority: i32) -> bool {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: `parameters` is a valid sched_param that the kernel only reads during the call; 0
    // names the calling thread.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameters) == 0
    }
}

/// Locks pages as they are first used: locking everything at once would also pin the untouched
/// stacks of all threads.
#[allow(unsafe_code)]
fn lock_memory() -> bool {
    // SAFETY: mlockall takes flags only and touches no memory of ours.
    unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) == 0 }
}

/// Gives the calling thread less of the processor than others get, for work that can wait.
#[allow(unsafe_code)]
pub fn become_background() {
    // SAFETY: setpriority takes numbers only; 0 names the calling thread on Linux. A refusal
    // leaves the priority as it was, which is harmless.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 10);
    }
}

/// `Instant`s as points of CLOCK_MONOTONIC and of the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    instant: Instant,
    monotonic: Duration,
}

impl Clocks {
    /// Reads both clocks together.
    pub fn read() -> Self {
        Self { instant: Instant::now(), monotonic: read(ClockId::CLOCK_MONOTONIC) }
    }

    /// Sleeps until `deadline`; a deadline in the past returns at once. RT safe.
    pub fn sleep_until(&self, deadline: Instant) {
        let at = self.monotonic + deadline.saturating_duration_since(self.instant);
        let at = TimeSpec::from_duration(at);
        // An interrupting signal ends the sleep early; the next deadline is absolute, so nothing drifts.
        let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &at);
    }
}

/// The two clocks at one moment, to turn the kernel's wall-clock time stamps into `Instant`s.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Instant,
    /// Since 1970.
    pub wall: Duration,
}

/// A datagram older than this was stamped before a step of the wall clock.
const OLDEST_ARRIVAL: Duration = Duration::from_secs(1);

impl Moment {
    /// RT safe (both reads are served without entering the kernel).
    pub fn read() -> Self {
        Self { now: Instant::now(), wall: read(ClockId::CLOCK_REALTIME) }
    }

    /// When a datagram with this kernel time stamp arrived. A stamp from before or after a clock
    /// step counts as now.
    pub fn arrival(&self, stamp: Duration) -> Instant {
        match self.wall.checked_sub(stamp) {
            Some(age) if age <= OLDEST_ARRIVAL => self.now.checked_sub(age).unwrap_or(self.now),
            _ => self.now,
        }
    }
}

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stamp_from_a_stepped_clock_counts_as_now() {
        let moment = Moment { now: Moment::read().now, wall: Duration::from_secs(1_000) };
        let age = moment.now - moment.arrival(Duration::from_millis(999_985));
        assert_eq!(age, Duration::from_millis(15));
        assert_eq!(moment.arrival(Duration::from_secs(5)), moment.now);
        assert_eq!(moment.arrival(Duration::from_secs(1_001)), moment.now);
    }

    #[test]
    fn a_thread_stays_on_its_cores() {
        let allowed = |set: CpuSet| -> Vec<usize> {
            (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect()
        };
        let all = allowed(sched_getaffinity(Pid::from_raw(0)).unwrap());
        let one = all[all.len() - 1];
        let kept = std::thread::spawn(move || {
            keep_to(&[one]);
            let kept = allowed(sched_getaffinity(Pid::from_raw(0)).unwrap());
            (kept, pin(one))
        });
        assert_eq!(kept.join().unwrap(), (vec![one], true));
        assert!(roles(None).audio.is_none_or(|core| all.contains(&core)));
        assert_eq!(roles(Some(one)).audio, Some(one));
    }

    #[test]
    fn a_deadline_in_the_past_does_not_sleep() {
        let clocks = Clocks::read();
        clocks.sleep_until(clocks.instant);
    }
}
