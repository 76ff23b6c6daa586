//! Of messages after the tone.

/// Frames of all messages that wait for the thread that writes them: 80 s of one caller, 0.8 s of a hundred, which is
/// four times as long as that thread may be busy with anything else.
pub const VOICEMAIL_ORDERS: usize = 4_096;
/// Bytes of one message's file: ten minutes, the longest that can be set, at 24 kbit/s are 1.8 MB; twice that leaves room.
pub const VOICEMAIL_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of room that a second of a message is to have on the disk when it begins.
pub const VOICEMAIL_SECOND_BYTES: u64 = 4_000;
/// Attempts to have the words of a piece of a message, each some seconds after the one before: by then it is the sound.
pub const VOICEMAIL_ATTEMPTS: u32 = 5;
/// Messages of one call: more than anybody leaves; each is a file that is looked for by its number.
pub const VOICEMAIL_PER_CALL: u16 = 100;
/// Bytes of sound that are attached to an e-mail: mailboxes take 10 MB, and base64 makes four bytes of three.
pub const MAIL_SOUND_BYTES: u64 = 6 * 1024 * 1024;
