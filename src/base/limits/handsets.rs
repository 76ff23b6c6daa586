//! Limits of handsets on the box.

use std::time::Duration;

/// Sections `[[handset]]`: a box stands in one office; each has a thread.
pub const HANDSETS: usize = 8;
/// Characters of an announcement: half a minute of speech, which nobody listens to for longer.
pub const ANNOUNCEMENT_CHARS: usize = 500;
/// Announcements that wait for the voice.
pub const ANNOUNCEMENTS: usize = 8;
/// Sound of announcements that a handset holds, in samples: 45 s, what the longest text may become.
pub const ANNOUNCED_SAMPLES: usize = 45 * 16_000;
/// Between two attempts to open a sound card that is not there: soon enough for whoever plugs it in, and
/// opening costs a few system calls.
pub const HANDSET_AGAIN: Duration = Duration::from_secs(2);
/// A call whose handset has lost its sound card ends after this long: a plug that was moved is back by then.
pub const HANDSET_AWAY: Duration = Duration::from_secs(10);
/// A handset whose thread has told nothing for this long counts as lost: a driver may hang.
pub const HANDSET_SILENT: Duration = Duration::from_secs(3);
/// Frames of a call that wait to be played: what waits is delay, and the call's jitter buffer has evened them out.
pub const HANDSET_FRAMES: usize = 4;
/// Orders that a handset's thread has yet to take; it takes all of them every 20 ms.
pub const HANDSET_ORDERS: usize = 32;
