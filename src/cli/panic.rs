//! A thread that panics ends the program, whose supervisor starts it again: a box that goes on
//! without its audio, net or link thread would take calls and be silent.
//!
//! A release build has it from the compiler (`panic = "abort"`).

/// From here on every panic is printed and then aborts.
pub(super) fn ends_the_program() {
    #[cfg(panic = "unwind")]
    {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            print(panic);
            std::process::abort();
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use nix::sys::signal::Signal;

    /// Not a test: what the child of the test below runs.
    #[test]
    #[ignore = "ends the program"]
    fn panic_in_a_thread() {
        super::ends_the_program();
        let _ = std::thread::spawn(|| panic!("a thread has ended")).join();
    }

    #[test]
    fn a_panic_in_any_thread_ends_the_program() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "cli::panic::tests::panic_in_a_thread"])
            .output()
            .unwrap();
        assert_eq!(child.status.signal(), Some(Signal::SIGABRT as i32), "{child:?}");
    }
}
