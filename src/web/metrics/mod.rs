//! `GET /metrics`: the board as Prometheus reads it.
//!
//! Numbers and words of our own tables only: no number, address, name of an account or word of a caller is
//! a label, so each family has a bounded number of samples.

mod exposition;
mod handsets;
mod machine;
mod totals;

pub use totals::Totals;

use exposition::{Exposition, Kind};
use totals::{GAP_BOUNDS_MS, MOS_BOUNDS, PART_BOUNDS_MS};

use super::board::{Board, SipFigures};
use crate::appliance::lateness::BOUNDS_US;
use crate::call::latency::Latency;

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How an account may be (`AccountReport::state`).
const ACCOUNT_STATES: [&str; 6] =
    ["registering", "registered", "failing", "open", "unreachable", "ended"];

/// Everything, in the text format.
pub(super) fn text(board: &Board) -> String {
    let mut out = Exposition::default();
    let totals = board.totals();
    health(&mut out, board);
    canary(&mut out, board);
    calls(&mut out, &totals);
    latency(&mut out, &totals);
    sound(&mut out, &totals);
    audio(&mut out, board);
    voicemail(&mut out, board);
    machine::machine(&mut out, board, &totals);
    sip(&mut out, board);
    handsets::handsets(&mut out, board);
    agent(&mut out, board, &totals);
    ringcentral(&mut out, board);
    out.into_text()
}

fn health(out: &mut Exposition, board: &Board) {
    out.family("attendant_build_info", Kind::Gauge, "Version of the program.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.family("attendant_takes_calls", Kind::Gauge, "1 while calls are taken.")
        .sample(&[], u64::from(board.health().takes_calls()));
    out.family("attendant_engine_ready", Kind::Gauge, "1 while the speech engine is ready.")
        .sample(&[], u64::from(board.hearing().is_some()));
    let accounts = board.accounts();
    let mut family =
        out.family("attendant_accounts", Kind::Gauge, "SIP accounts by their registration.");
    for state in ACCOUNT_STATES {
        let count = accounts.iter().filter(|account| account.state == state).count();
        family.sample(&[("state", state)], count as u64);
    }
}

fn voicemail(out: &mut Exposition, board: &Board) {
    let report = board.voicemail();
    out.family("attendant_voicemail_recording", Kind::Gauge, "Messages that are being recorded.")
        .sample(&[], report.recording as u64);
    out.family("attendant_voicemail_bytes", Kind::Gauge, "Sound of messages on the disk.")
        .sample(&[], report.bytes);
    out.family("attendant_voicemail_messages_total", Kind::Counter, "Messages after the tone.")
        .sample(&[("result", "left")], report.left)
        .sample(&[("result", "failed")], report.failed);
    out.family("attendant_voicemail_transcripts_total", Kind::Counter, "Words of messages.")
        .sample(&[("result", "done")], report.transcribed)
        .sample(&[("result", "none")], report.without_words);
}

fn canary(out: &mut Exposition, board: &Board) {
    let mut family = out.family(
        "attendant_stage_stalls_total",
        Kind::Counter,
        "Times that a stage of a call stood still.",
    );
    for (stage, count) in board.stalls() {
        family.sample(&[("stage", stage.name())], count);
    }
    let Some(canary) = board.canary() else { return };
    out.family("attendant_canary_calls_total", Kind::Counter, "Calls of the box to itself.")
        .sample(&[("result", "well")], canary.well)
        .sample(&[("result", "failed")], canary.failed);
    out.family("attendant_canary_well", Kind::Gauge, "1 if the last of them was well.")
        .sample(&[], u64::from(canary.fault.is_none()));
    if canary.fault.is_none() {
        out.family("attendant_canary_answer_seconds", Kind::Gauge, "Its gap before the answer.")
            .fraction(&[], canary.answered_ms as f64 / 1_000.0);
    }
}

fn calls(out: &mut Exposition, totals: &Totals) {
    let mut family = out.family("attendant_calls", Kind::Gauge, "Calls now.");
    for direction in ["inbound", "outbound"] {
        for state in ["dialling", "ringing", "early-media", "waiting", "active"] {
            let count = totals.live.get(&(direction, state)).copied().unwrap_or(0);
            family.sample(&[("direction", direction), ("state", state)], count);
        }
    }
    let mut family =
        out.family("attendant_calls_ended_total", Kind::Counter, "Calls that have ended.");
    for ((direction, by, cause), count) in totals.endings() {
        family.sample(&[("direction", direction), ("by", by), ("cause", cause)], count);
    }
    out.family("attendant_turns_total", Kind::Counter, "Turns of callers.")
        .sample(&[], totals.turns);
    out.family("attendant_turns_interrupted_total", Kind::Counter, "Replies spoken over.")
        .sample(&[], totals.interrupted);
    let bounds = GAP_BOUNDS_MS.map(seconds);
    out.family(
        "attendant_gap_seconds",
        Kind::Histogram,
        "From the caller's last packet with speech to the first of the reply.",
    )
    .histogram(&[], &bounds, &totals.gaps.counts, totals.gaps.sum / 1_000.0);
}

/// What the gaps are made of.
fn latency(out: &mut Exposition, totals: &Totals) {
    let bounds = PART_BOUNDS_MS.map(seconds);
    let mut family = out.family(
        "attendant_gap_part_seconds",
        Kind::Histogram,
        "What the gaps are made of, one part after the other: their sum is the gap.",
    );
    let names = Latency::default().parts().map(|(name, _)| name);
    for (name, part) in names.into_iter().zip(&totals.parts) {
        family.histogram(&[("part", name)], &bounds, &part.counts, part.sum / 1_000.0);
    }
    let mut family = out.family(
        "attendant_stage_seconds",
        Kind::Histogram,
        "How long recogniser, language model and voice worked until the first of a reply, also while the end of \
         the turn was waited for.",
    );
    for (name, stage) in
        [("decode", &totals.decodes), ("model", &totals.models), ("voice", &totals.voices)]
    {
        family.histogram(&[("stage", name)], &bounds, &stage.counts, stage.sum / 1_000.0);
    }
    out.family(
        "attendant_greeting_delay_seconds",
        Kind::Histogram,
        "From the ACK to the first packet of the greeting.",
    )
    .histogram(&[], &bounds, &totals.greetings.counts, totals.greetings.sum / 1_000.0);
}

/// Milliseconds as they are written in seconds.
fn seconds(ms: u32) -> f64 {
    f64::from(ms) / 1_000.0
}

fn sound(out: &mut Exposition, totals: &Totals) {
    for (name, help, value) in [
        ("attendant_rtp_received_packets_total", "RTP packets received.", totals.packets_received),
        ("attendant_rtp_sent_packets_total", "RTP packets sent.", totals.packets_sent),
        ("attendant_rtp_lost_packets_total", "RTP packets that never came.", totals.packets_lost),
        ("attendant_rtp_late_packets_total", "RTP packets too late to play.", totals.packets_late),
    ] {
        out.family(name, Kind::Counter, help).sample(&[], value);
    }
    out.family(
        "attendant_concealed_seconds_total",
        Kind::Counter,
        "Sound made up for lost packets.",
    )
    .fraction(&[], totals.concealed_ms as f64 / 1_000.0);
    let mut family = out.family(
        "attendant_one_way_calls_total",
        Kind::Counter,
        "Ended calls in which one side heard nothing for a while.",
    );
    for (found, count) in &totals.one_way {
        family.sample(&[("side", found.side.name()), ("why", found.why.name())], *count);
    }
    let mut family = out.family(
        "attendant_call_worst_mos",
        Kind::Histogram,
        "Mean opinion score (ITU-T G.107) of the worst 5 s of each ended call.",
    );
    // As they are written, not as the nearest binary fraction.
    let bounds = MOS_BOUNDS.map(|bound| (f64::from(bound) * 100.0).round() / 100.0);
    for (side, mos) in [("incoming", &totals.mos_incoming), ("outgoing", &totals.mos_outgoing)] {
        family.histogram(&[("side", side)], &bounds, &mos.counts, mos.sum);
    }
}

fn audio(out: &mut Exposition, board: &Board) {
    let figures = board.audio();
    let bounds = BOUNDS_US.map(|us| us as f64 / 1e6);
    out.family(
        "attendant_audio_tick_lateness_seconds",
        Kind::Histogram,
        "How late the audio thread's ticks of 20 ms were.",
    )
    .histogram(&[], &bounds, &figures.late_counts, figures.late_sum_us as f64 / 1e6);
    out.family(
        "attendant_audio_dropped_total",
        Kind::Counter,
        "Frames and events that found their ring full.",
    )
    .sample(&[], figures.dropped);
    out.family(
        "attendant_audio_unobserved_total",
        Kind::Counter,
        "Frames that whoever listened to a call was too slow to take.",
    )
    .sample(&[], figures.unobserved);
}

fn sip(out: &mut Exposition, board: &Board) {
    let SipFigures { counters, held } = board.sip();
    for (name, help, value) in [
        ("attendant_sip_requests_total", "SIP requests received.", counters.requests),
        ("attendant_sip_responses_total", "SIP responses received.", counters.responses),
        (
            "attendant_sip_retransmissions_total",
            "SIP requests that came again.",
            counters.retransmissions,
        ),
        ("attendant_sip_transmitted_total", "SIP messages sent.", counters.transmitted),
    ] {
        out.family(name, Kind::Counter, help).sample(&[], value);
    }
    let mut family =
        out.family("attendant_sip_answered_total", Kind::Counter, "SIP responses given.");
    for (status, count) in counters.all_answered() {
        family.sample(&[("status", &status.to_string())], count);
    }
    let mut family =
        out.family("attendant_sip_dropped_total", Kind::Counter, "What came and was dropped.");
    for (reason, count) in counters.all_dropped() {
        family.sample(&[("reason", reason.name())], count);
    }
    let mut family = out.family("attendant_sip_held", Kind::Gauge, "What the SIP core holds now.");
    for (what, count) in [
        ("calls", held.legs),
        ("dialogs", held.dialogs),
        ("transactions", held.transactions),
        ("transaction-bytes", held.transaction_bytes),
        ("connections", held.connections),
        ("sources", held.sources),
    ] {
        family.sample(&[("what", what)], count as u64);
    }
}

fn agent(out: &mut Exposition, board: &Board, totals: &Totals) {
    let Some(figures) = board.agent() else { return };
    out.family("attendant_agent_seconds_total", Kind::Counter, "Time with a remote agent.")
        .fraction(&[], totals.agent_ms as f64 / 1_000.0);
    out.family("attendant_agent_day_seconds", Kind::Gauge, "Of this day, in calls that are over.")
        .sample(&[], figures.used_today_s.into());
    out.family("attendant_agent_day_limit_seconds", Kind::Gauge, "agent.max_seconds_per_day.")
        .sample(&[], figures.per_day_s.into());
    let mut family = out.family(
        "attendant_agent_messages_ignored_total",
        Kind::Counter,
        "What agents sent that is not known or cannot be read.",
    );
    family.sample(&[("reason", "unknown")], figures.unknown);
    family.sample(&[("reason", "malformed")], figures.malformed);
    let mut family = out.family(
        "attendant_agent_taken_over_total",
        Kind::Counter,
        "Calls that the playbook has held in place of an agent.",
    );
    for (fault, count) in &totals.agent_faults {
        family.sample(&[("reason", fault)], *count);
    }
}

fn ringcentral(out: &mut Exposition, board: &Board) {
    let Some(dropped) = board.dropped_events() else { return };
    let mut family = out.family(
        "attendant_ringcentral_events_dropped_total",
        Kind::Counter,
        "Telephony events that came again, too late, or could not be read.",
    );
    family.sample(&[("reason", "stale")], dropped.stale);
    family.sample(&[("reason", "unreadable")], dropped.unreadable);
}

#[cfg(test)]
mod tests;
