//! The canary: a call of our own, by the real SIP stack and the real engine, while nobody else calls.
//!
//! A process of its own calls the box as anybody does (`attendant call`), asks one question and measures. What it finds
//! stands in `/health` and `/metrics`: a box that is alive and answers nobody is found out before a caller does.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{clock, credentials};
use crate::base::Private;
use crate::web::{Board, CanaryReport};

/// The board is looked at this often.
const LOOK: Duration = Duration::from_secs(1);
/// Nobody has called for so long: whoever calls again at once finds the box free.
const IDLE: Duration = Duration::from_secs(20);
/// The call and the start of its process.
const PATIENCE: Duration = Duration::from_secs(60);
/// One that shows nothing within its time says so itself.
const CALL_S: &str = "40";
const QUESTION: &str = "what are your opening hours";

/// The user that a call is to which somebody on this machine makes to the box and which is to leave nothing, either.
pub const UNLISTED: &str = "unlisted";

/// Where and how often.
#[derive(Clone, Debug)]
pub struct Settings {
    pub every: Duration,
    /// Our own address, as a SIP URI with the name.
    pub target: Private<String>,
    /// By which its calls are known, and which nobody else can guess.
    pub name: Private<String>,
}

/// The running thread; it ends with this.
#[derive(Debug)]
pub struct Canary {
    _stop: mpsc::Sender<()>,
}

/// Begins to call.
pub fn start(settings: Settings, board: Arc<Board>) -> io::Result<Canary> {
    let (stop, stopped) = mpsc::channel();
    let thread = std::thread::Builder::new().name("canary".to_owned());
    thread.spawn(move || sing(&settings, &board, &stopped))?;
    Ok(Canary { _stop: stop })
}

fn sing(settings: &Settings, board: &Board, stopped: &mpsc::Receiver<()>) {
    let mut next = Instant::now() + settings.every.min(IDLE);
    let mut busy_at = Instant::now();
    while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let now = Instant::now();
        if board.live_calls() > 0 || !board.health().takes_calls() {
            busy_at = now;
        }
        if now < next || now.saturating_duration_since(busy_at) < IDLE {
            continue;
        }
        if let Some(found) = once(&settings.target, stopped) {
            let told = found.told();
            match found.fault {
                None => tracing::info!("{told}"),
                Some(_) => tracing::error!("{told}"),
            }
            board.set_canary(found);
            next = Instant::now() + settings.every;
        }
    }
}

/// One call of our own to this SIP URI, some 15 s. `None` where the program ends: `stopped` is closed then. Whoever calls
/// meanwhile has the other places.
pub fn once(target: &Private<String>, stopped: &mpsc::Receiver<()>) -> Option<CanaryReport> {
    let mut child = match caller(target) {
        Ok(child) => child,
        Err(error) => return Some(report(Err(format!("it cannot be started: {error}")))),
    };
    let begun = Instant::now();
    loop {
        let is_over = stopped.recv_timeout(LOOK / 5) != Err(RecvTimeoutError::Timeout);
        match child.try_wait() {
            Ok(None) if is_over => {
                give_up(&mut child);
                return None;
            }
            Ok(None) if begun.elapsed() > PATIENCE => {
                give_up(&mut child);
                return Some(report(Err("it came to no end".to_owned())));
            }
            Ok(None) => {}
            Ok(Some(_)) => break,
            Err(error) => return Some(report(Err(error.to_string()))),
        }
    }
    let mut text = String::new();
    // What cannot be read is no report.
    let _ = child.stdout.take().map(|mut out| out.read_to_string(&mut text));
    Some(report(judged(&text)))
}

fn caller(target: &Private<String>) -> io::Result<Child> {
    calling(&std::env::current_exe()?, target).spawn()
}

/// The name is a secret, and a command line is for everybody on the machine to see: it goes by the environment.
fn calling(program: &Path, target: &Private<String>) -> Command {
    let mut command = Command::new(program);
    command
        .args([
            "call",
            credentials::IN_ENVIRONMENT,
            "--json",
            "--voice",
            "slt",
            "--max-seconds",
            CALL_S,
        ])
        .args(["--say", QUESTION])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    credentials::withhold(&mut command);
    command.env(credentials::CALL_TARGET, target.reveal());
    command
}

/// What it leaves of its call ends with the program, or for want of sound.
fn give_up(child: &mut Child) {
    // It may have ended meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

/// Milliseconds until the greeting and until the answer.
fn judged(text: &str) -> Result<(u64, u64), String> {
    let report: Value = serde_json::from_str(text).map_err(|_| "it has no report".to_owned())?;
    let ending = report["ending"]["cause"].as_str().unwrap_or("unknown");
    if report["answered"] != true {
        return Err(format!("it was not answered ({ending})"));
    }
    let greeted = report["greeting_delay_ms"].as_i64().ok_or("nothing was heard")?;
    let gap = report["turns"][0]["gap_ms"].as_i64();
    let gap = gap.ok_or_else(|| format!("its question was not answered ({ending})"))?;
    let ms = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok((ms(greeted), ms(gap)))
}

fn report(found: Result<(u64, u64), String>) -> CanaryReport {
    let at_ms = clock::unix_ms();
    match found {
        Ok((greeted_ms, answered_ms)) => {
            CanaryReport { at_ms, greeted_ms, answered_ms, fault: None, well: 0, failed: 0 }
        }
        Err(fault) => CanaryReport {
            at_ms,
            greeted_ms: 0,
            answered_ms: 0,
            fault: Some(fault),
            well: 0,
            failed: 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_it_calls_stands_in_no_command_line() {
        let target = Private::new("sip:secret@127.0.0.1:5060".to_owned());
        let command = calling(Path::new("attendant"), &target);
        let shown = |text: &std::ffi::OsStr| text.to_string_lossy().contains("secret");
        assert!(!command.get_args().any(shown));
        let told = command.get_envs().find(|(name, _)| *name == credentials::CALL_TARGET).unwrap();
        assert!(shown(told.1.unwrap()));
    }

    #[test]
    fn a_call_is_well_when_it_was_greeted_and_answered() {
        let told = |text: &str| judged(text).map_err(|fault| fault.split(' ').count());
        let well = r#"{"answered":true,"greeting_delay_ms":60,"turns":[{"gap_ms":300}]}"#;
        assert_eq!(told(well), Ok((60, 300)));
        for bad in [
            r#"{"answered":false,"ending":{"cause":"refused-486"}}"#,
            r#"{"answered":true,"greeting_delay_ms":null,"turns":[]}"#,
            r#"{"answered":true,"greeting_delay_ms":1,"turns":[{"gap_ms":null}]}"#,
            "",
        ] {
            assert!(judged(bad).is_err(), "{bad}");
        }
        assert!(
            judged(r#"{"answered":false,"ending":{"cause":"refused-486"}}"#)
                .is_err_and(|fault| fault.contains("refused-486"))
        );
    }
}
