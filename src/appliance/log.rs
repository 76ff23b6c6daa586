//! Where the log goes: to journald under systemd, else to standard error.
//!
//! Invariant: no number, address, name or word of a caller stands in it, unless the owner wants that for a while
//! (`log.private`); `base::Private` sees to that, and `tests/privacy.rs` watches.
//!
//! journald gets each field under its own name: `journalctl CALL_ID=c7`, `TURN=`, `TRUNK=`.

mod repeats;

use std::io;
use std::os::linux::fs::MetadataExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, registry, reload};

use self::repeats::Repeats;
use super::config::{Level, Log};
use super::recent_log;

/// Of the log that was started, to change what it says.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts the log of this process. The first log stays when there is one already, as in tests.
pub fn start(log: &Log) {
    SHOWS_PRIVATE.store(log.private, Ordering::Relaxed);
    // Without journald's socket the log still has a place.
    let place = match goes_to_journal().then(journal) {
        Some(Ok(journal)) => journal.boxed(),
        Some(Err(_)) | None => lines(io::stderr).boxed(),
    };
    let (subscriber, handle) = both(place, lines(recent_log::Writer).boxed(), log.level);
    let _ = subscriber.try_init();
    let _ = LEVEL.set(handle);
}

/// What the log says from here on.
pub fn set(log: &Log) {
    SHOWS_PRIVATE.store(log.private, Ordering::Relaxed);
    // Where another log was there first nothing is to be changed.
    let _ = LEVEL.get().map(|handle| handle.reload(filter(log.level)));
}

static SHOWS_PRIVATE: AtomicBool = AtomicBool::new(false);

/// The owner wants to see who called and what was said.
pub fn shows_private() -> bool {
    SHOWS_PRIVATE.load(Ordering::Relaxed)
}

fn journal() -> io::Result<tracing_journald::Layer> {
    let journal = tracing_journald::layer()?;
    Ok(journal.with_field_prefix(None).with_syslog_identifier("attendant".to_owned()))
}

/// The page gets the lines that the log gets: one filter stands before both.
fn both(
    place: Box<dyn Layer<Registry> + Send + Sync>,
    page: Box<dyn Layer<Registry> + Send + Sync>,
    level: Level,
) -> (impl Subscriber + Send + Sync, reload::Handle<Targets, Registry>) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let both = place.and_then(page);
    (registry().with(both.with_filter(filter.and(Repeats::default()))), handle)
}

/// The log as lines on `writer`; systemd and terminals stamp the time themselves where they want.
pub fn on<W>(level: Level, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    registry().with(lines(writer).with_filter(filter(level)))
}

fn lines<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer().with_writer(writer).with_target(false).with_ansi(false)
}

/// The handshakes' library warns of what any stranger may send, once for each of its words.
const SILENT: &str = "rtc_";

/// Ours as configured; of other people's crates warnings only, whose texts we do not know.
fn filter(level: Level) -> Targets {
    let ours = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(LevelFilter::WARN.min(ours))
        .with_target(env!("CARGO_CRATE_NAME"), ours)
        .with_target(SILENT, LevelFilter::OFF)
}

/// systemd names the device and inode of the journal's stream; a redirected standard error has
/// others (sd_journal_print(3)).
fn goes_to_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    named == format!("{}:{}", stderr.st_dev(), stderr.st_ino())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::base::Private;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, write: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(on(level, move || writer.clone()), write);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_level_is_ours_and_others_only_warn() {
        let text = logged(Level::Debug, || {
            tracing::debug!("ours");
            tracing::trace!("too fine");
            tracing::info!(target: "hyper", "theirs");
            tracing::warn!(target: "hyper", "their warning");
            tracing::error!(target: "rtc_dtls::handshake", "theirs of strangers");
        });
        assert!(text.contains("ours") && text.contains("their warning"), "{text}");
        assert!(!text.contains("too fine") && !text.contains("theirs"), "{text}");
    }

    #[test]
    fn a_private_field_does_not_reach_the_log() {
        let text = logged(Level::Trace, || {
            let peer = Private::new("+15550100");
            tracing::info!(?peer, "a call came in");
        });
        assert!(text.contains("a call came in") && !text.contains("5550100"), "{text}");
    }

    #[test]
    fn the_page_gets_what_the_log_gets() {
        let (log, page) = (Lines::default(), Lines::default());
        let [to_log, to_page] = [&log, &page].map(|to| {
            let to = to.clone();
            lines(move || to.clone()).boxed()
        });
        let (subscriber, handle) = both(to_log, to_page, Level::Info);
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..300 {
                tracing::info!(n, "a flood");
            }
            tracing::debug!("too fine");
            handle.reload(filter(Level::Debug)).unwrap();
            tracing::debug!("fine enough");
        });
        // Each has stamped its own time.
        let [log, page] = [log, page].map(|lines| {
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            let untimed = |line: &str| line.split_once(' ').unwrap().1.to_owned();
            text.lines().map(untimed).collect::<Vec<_>>()
        });
        assert_eq!(log, page);
        assert_eq!(page.iter().filter(|line| line.contains("a flood")).count(), 200);
        assert!(page.last().unwrap().contains("fine enough") && page.len() == 201, "{page:?}");
    }
}
