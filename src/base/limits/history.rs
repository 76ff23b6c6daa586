//! Limits of what is kept of calls.

use super::WEB_CONNECTIONS;

/// Calls and messages that wait for the thread of the database: a second of the most that a box can take.
pub const HISTORY_QUEUE: usize = 1_000;
/// Those that wait while the disk takes nothing: days of a small firm's calls, some ten MB of memory.
pub const HISTORY_WAITING: usize = 5_000;
/// Questions to the database that wait: as many as there are connections to the interface.
pub const HISTORY_QUESTIONS: usize = WEB_CONNECTIONS;
/// Calls or messages in one answer.
pub const HISTORY_PAGE: u32 = 200;
/// Words that are looked for at once, and characters of them.
pub const HISTORY_WORDS: usize = 8;
pub const HISTORY_QUERY_CHARS: usize = 100;
