//! What the log says of a call: one line for each thing that happens.
//!
//! Words and numbers stand in a line of their own, and only where the owner wants that (`log.private`).

use crate::appliance::log;
use crate::base::CallId;
use crate::call::{CallRecord, Stage};

/// The call itself sees to what the caller gets.
pub(super) fn stalled(id: CallId, stage: Stage) {
    tracing::error!(call_id = %id, stage = stage.name(), "a stage of the call stands still");
}

/// A gap and its parts; words stay where they are.
pub(super) fn replied(id: CallId, record: &CallRecord, number: usize) {
    let Some(turn) = record.turns().get(number) else { return };
    if log::shows_private() {
        let (caller, reply) = (turn.caller_text.reveal(), turn.reply_text.reveal());
        tracing::info!(call_id = %id, turn = number + 1, caller, reply, "said");
    }
    let (Some(gap_ms), Some(parts)) = (turn.gap_ms, turn.latency) else { return };
    tracing::info!(
        call_id = %id,
        turn = number + 1,
        gap_ms,
        jitter_ms = parts.jitter_ms,
        endpoint_ms = parts.endpoint_ms,
        decode_ms = parts.decode_ms,
        think_ms = parts.think_ms,
        voice_ms = parts.voice_ms,
        pacing_ms = parts.pacing_ms,
        "replied"
    );
}

pub(super) fn ended(id: CallId, record: &CallRecord) {
    let ending = record.progress.ending();
    let cause = ending.map_or("unknown", |ending| ending.cause.wording().name);
    tracing::info!(call_id = %id, cause, "call ended");
    if log::shows_private() {
        tracing::info!(call_id = %id, peer = record.peer.reveal(), "who that was");
    }
}
