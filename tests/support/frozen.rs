//! A thread that does not run, as a debugger holds it.

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// Goes on when this is dropped.
#[derive(Debug)]
pub struct Frozen(pub Pid);

impl Frozen {
    pub fn new(thread: u32) -> Self {
        let thread = Pid::from_raw(thread.try_into().unwrap());
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        Self(thread)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Its process may have ended.
        let _ = ptrace::detach(self.0, None);
    }
}
