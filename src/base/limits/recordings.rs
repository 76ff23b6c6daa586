//! Limits of calls that are recorded.

/// Both sides of a call that wait to be recorded: 2 s. The thread that takes them looks five times a second.
pub const TAP_FRAMES: usize = 100;
/// Room on the disk that recordings leave to everything else.
pub const RECORDINGS_RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of one chunk of an encrypted recording: a second of sound has some 6 KB.
pub const RECORDING_CHUNK_BYTES: usize = 64 * 1024;
/// Characters of the sentence that says that a call is recorded.
pub const CONSENT_CHARS: usize = 300;
