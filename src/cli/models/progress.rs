//! How far a pull is: a bar that moves on a terminal, a line now and then elsewhere.

// A shell: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::bytes_in_words;
use crate::cli::printable;
use crate::store::shelf::pull::Event;

const BAR_CELLS: u64 = 24;
const MOVES_EVERY: Duration = Duration::from_millis(100);
/// Without a terminal a line for each of these parts of a file.
const PLAIN_PERCENT: u64 = 10;
/// Of a file whose length nobody knows.
const PLAIN_BYTES: u64 = 100_000_000;

/// Where a file is.
#[derive(Clone, Debug)]
struct Way {
    file: String,
    from: u64,
    total: Option<u64>,
    began: Instant,
    shown: Instant,
    /// The last tenth that a plain line told.
    told: u64,
}

/// Shows on standard error what a pull does.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    way: Option<Way>,
}

impl Progress {
    pub fn here() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), way: None }
    }

    pub fn show(&mut self, event: &Event) {
        match event {
            Event::WaitsForOther => self.line("another pull is at work; waiting for it"),
            Event::Kept { file } => self.line(&format!("{file}: here and verified")),
            Event::Begins { file, from, total } => self.begins(file, *from, *total),
            Event::At { bytes } => self.at(*bytes),
            Event::Pauses { cause, wait } => {
                let seconds = wait.as_secs_f32();
                self.about(&format!("{cause}; again in {seconds:.1} s"));
            }
            Event::StartsOver { cause } => self.about(&format!("{cause}; from the beginning")),
            Event::Verifies => self.about("verifying"),
            Event::Done { bytes, learnt } => {
                let pinned = if *learnt { ", its SHA-256 is now pinned" } else { "" };
                self.about(&format!("verified, {}{pinned}", bytes_in_words(*bytes)));
                self.way = None;
            }
        }
    }

    fn begins(&mut self, file: &str, from: u64, total: Option<u64>) {
        let size = total.map_or_else(|| "of unknown length".to_owned(), bytes_in_words);
        let goes_on = match from {
            0 => String::new(),
            from => format!(", going on after {}", bytes_in_words(from)),
        };
        self.line(&format!("{file}: {size}{goes_on}"));
        let now = Instant::now();
        let told = step(from, total);
        self.way = Some(Way { file: file.to_owned(), from, total, began: now, shown: now, told });
    }

    fn at(&mut self, bytes: u64) {
        let is_terminal = self.is_terminal;
        let Some(way) = &mut self.way else { return };
        let now = Instant::now();
        if is_terminal {
            if now.duration_since(way.shown) >= MOVES_EVERY || way.total == Some(bytes) {
                way.shown = now;
                let took = now.duration_since(way.began);
                // A terminal that has gone is no reason to stop.
                let text = bar(&way.file, bytes, way.total, rate(bytes - way.from, took));
                let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
            }
        } else if step(bytes, way.total) > way.told {
            way.told = step(bytes, way.total);
            eprintln!("{}: {}", way.file, share(bytes, way.total));
        }
    }

    fn about(&self, text: &str) {
        match &self.way {
            Some(way) => self.line(&format!("{}: {text}", way.file)),
            None => self.line(text),
        }
    }

    fn line(&self, text: &str) {
        let text = printable(text);
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(std::io::stderr(), "{clear}{text}");
    }
}

fn step(bytes: u64, total: Option<u64>) -> u64 {
    match total {
        Some(total) => percent(bytes, total) / PLAIN_PERCENT,
        None => bytes / PLAIN_BYTES,
    }
}

fn percent(bytes: u64, total: u64) -> u64 {
    bytes.saturating_mul(100) / total.max(1)
}

fn share(bytes: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => {
            let percent = percent(bytes, total);
            format!("{percent} %, {} of {}", bytes_in_words(bytes), bytes_in_words(total))
        }
        None => bytes_in_words(bytes),
    }
}

/// Bytes in a second.
fn rate(bytes: u64, took: Duration) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1_000) / ms
}

fn bar(file: &str, bytes: u64, total: Option<u64>, rate: u64) -> String {
    let filled =
        total.map_or(0, |total| (bytes.saturating_mul(BAR_CELLS) / total.max(1)).min(BAR_CELLS));
    let cells: String = (0..BAR_CELLS).map(|cell| if cell < filled { '#' } else { '.' }).collect();
    format!("{file} [{cells}] {}, {}/s", share(bytes, total), bytes_in_words(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_and_how_fast() {
        let text = bar("m.bin", 50_000_000, Some(100_000_000), 2_500_000);
        assert_eq!(text, "m.bin [############............] 50 %, 50.0 MB of 100 MB, 2.5 MB/s");
        assert!(bar("m.bin", 7, None, 0).contains("7 B"));
        assert!(bar("m.bin", 7, Some(0), 0).contains('#'), "no division by nothing");
        assert_eq!(rate(1_000, Duration::from_millis(500)), 2_000);
        assert_eq!(rate(1_000, Duration::ZERO), 1_000_000);
    }

    #[test]
    fn without_a_terminal_a_line_comes_with_each_tenth() {
        let steps = |total| [0, 9, 10, 99, 100].map(|bytes| step(bytes, total));
        assert_eq!(steps(Some(100)), [0, 0, 1, 9, 10]);
        assert_eq!(steps(None), [0; 5]);
        assert_eq!(step(250_000_000, None), 2);
    }
}
