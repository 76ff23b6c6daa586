//! Limits of what the owner does at the page.

/// Wrong codes for the first password before there is another one: at five a minute of an address, of 2^40 codes.
pub const FIRST_CODE_TRIES: u32 = 10;
/// Bytes of the file with that code.
pub const FIRST_CODE_BYTES: u64 = 64;
/// Bytes of what the system tells of its updates: a sentence.
pub const UPDATE_TOLD_BYTES: u64 = 4 * 1024;
/// Trials that the owner may begin: some at once, and then one in ten seconds.
pub const TRIALS_BURST: u32 = 6;
pub const TRIALS_PER_SECOND: f64 = 0.1;
/// Trials that are shown: one of each kind, line and receiver of a usual box.
pub const TRIALS_SHOWN: usize = 32;
/// Characters that a voice is tried with: some 20 s.
pub const TRIAL_TEXT_CHARS: usize = 300;
/// How long a trial of a voice is waited for, below `API_REQUEST_TIME`.
pub const TRIAL_VOICE_TIME: std::time::Duration = std::time::Duration::from_secs(20);
/// The same of a line: timer F of SIP, for each of two servers.
pub const TRIAL_LINE_TIME: std::time::Duration = std::time::Duration::from_secs(70);
/// Bytes of a backup that are encrypted at once.
pub const BACKUP_PIECE_BYTES: usize = 64 * 1024;
/// Bytes of all that a backup brings: a year of recordings on a box's own disk.
pub const RESTORE_BYTES: u64 = 256 * 1024 * 1024 * 1024;
/// Files in it: recordings of some years, of a box that holds a hundred calls a day.
pub const RESTORE_FILES: usize = 200_000;
/// Room on the disk that putting a backup back leaves for calls, messages and the system.
pub const RESTORE_RESERVE_BYTES: u64 = 256 * 1024 * 1024;
/// Pieces of a backup that wait between disk and network.
pub const BACKUP_WAITING: usize = 8;
