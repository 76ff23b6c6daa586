//! The last lines of the log, for the page: the same that journald or standard error gets.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::base::limits;

static RECENT: Mutex<Recent> = Mutex::new(Recent { told: 0, lines: VecDeque::new() });

#[derive(Debug)]
struct Recent {
    /// Lines since the start, those that are not kept any more included.
    told: u64,
    lines: VecDeque<String>,
}

/// Writes into it.
#[derive(Clone, Copy, Debug)]
pub struct Writer;

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl io::Write for Writer {
    /// Each event comes as one text.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line: String = text.trim_end().chars().take(limits::LOG_LINE_CHARS).collect();
        let mut recent = recent();
        if recent.lines.len() >= limits::LOG_LINES {
            recent.lines.pop_front();
        }
        recent.lines.push_back(line);
        recent.told += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Those after the first `after` lines since the start, and how many there are now.
pub fn since(after: u64) -> (Vec<String>, u64) {
    let recent = recent();
    let new = recent.told.saturating_sub(after);
    let kept = recent.lines.len();
    let skipped = kept.saturating_sub(usize::try_from(new).unwrap_or(kept));
    (recent.lines.iter().skip(skipped).cloned().collect(), recent.told)
}

/// A writer that panicked left whole lines behind.
fn recent() -> MutexGuard<'static, Recent> {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_last_lines_are_kept_and_told_once() {
        let (_, before) = since(0);
        for n in 0..limits::LOG_LINES + 5 {
            Writer.write_all(format!("line {n}\n").as_bytes()).unwrap();
        }
        let (lines, told) = since(before);
        assert_eq!(lines.len(), limits::LOG_LINES);
        assert!(lines.last().unwrap().starts_with("line ") && told > before);
        assert_eq!(since(told).0, Vec::<String>::new());
        Writer.write_all("x".repeat(limits::LOG_LINE_CHARS + 9).as_bytes()).unwrap();
        assert_eq!(since(told).0[0].len(), limits::LOG_LINE_CHARS);
    }
}
