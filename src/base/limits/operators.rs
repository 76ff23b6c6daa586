//! Limits of people who listen to calls and speak in them.

use std::time::Duration;

/// People who listen to calls at once, all calls together: a small firm has one or two at its desk. Each has a place
/// of its own in the audio thread, so that no caller finds the lines taken by those who listen.
pub const OPERATORS: usize = 4;
/// Of one call: who speaks, who looks over their shoulder, and the page at home that was left open.
pub const OPERATORS_OF_CALL: usize = 3;
/// Times that somebody listened to one call or spoke in it, as its record has them; those beyond it are counted.
pub const OPERATOR_PARTS: usize = 64;
/// Without a packet of whoever speaks in the assistant's place for so long, the assistant has the call again: longer
/// than a hiccup of a wireless network, shorter than a caller says "hello?".
pub const OPERATOR_LOST: Duration = Duration::from_secs(1);
/// Who has asked to speak and is not heard for so long has no microphone: a person needs some seconds to allow it.
pub const OPERATOR_MICROPHONE: Duration = Duration::from_secs(20);
/// Both sides of a call that wait for the net thread to be given to those who listen: 0.5 s. It looks at each tick.
pub const OBSERVED_FRAMES: usize = 25;
/// Characters of the sentences that say that somebody may listen, and that the assistant is back.
pub const OPERATOR_SENTENCE_CHARS: usize = 300;
