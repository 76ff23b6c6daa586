//! The program starts itself again, as the owner wants it from the page: calls are told goodbye first.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;

static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// Ends the program as SIGTERM does; what follows is `again`'s.
pub fn want() -> io::Result<()> {
    IS_WANTED.store(true, Ordering::Relaxed);
    // The process, not this thread: the signal is waited for by one of its own.
    kill(getpid(), Signal::SIGTERM)?;
    Ok(())
}

/// The program ends because it is to begin anew.
pub fn is_wanted() -> bool {
    IS_WANTED.load(Ordering::Relaxed)
}

/// At the end of the program: where it was wanted it begins anew. systemd does that itself, which is told so by an exit
/// code of its own; a process that it has told goodbye is none that it would wait for.
pub fn again() -> io::Result<()> {
    if !is_wanted() || std::env::var_os("NOTIFY_SOCKET").is_some() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    // The file that runs may have been replaced by a newer one: that one is wanted.
    let program = std::env::current_exe().unwrap_or_else(|_| name.into());
    Err(Command::new(program).args(arguments).exec())
}
