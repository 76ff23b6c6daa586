//! The board as JSON: the one place where private words and numbers are shown, to the owner.
//!
//! Field names are part of the API. Times are Unix milliseconds, lengths milliseconds.

use serde_json::{Map, Value, json};

use super::board::{AccountReport, AudioFigures, Board, Hearing};
use crate::appliance::agent::Figures;
use crate::appliance::lateness::BOUNDS_US;
use crate::base::Private;
use crate::call::Mos;
use crate::call::latency::Latency;
use crate::call::record::{
    AgentRecord, Attempt, CallRecord, Dialled, Direction, Progress, RtpReport, Turn,
};
use crate::converse::Message;
use crate::converse::agent::Fault;
use crate::listen::PartialText;
use crate::speech::protocol::VoiceReport;
use crate::store::knowledge;

pub(super) fn health(board: &Board) -> Value {
    let health = board.health();
    json!({
        "state": health.name(),
        "takes_calls": health.takes_calls(),
        "reasons": health.reasons(),
        "live_calls": board.live_calls(),
        "engine": board.hearing().as_ref().map(engine),
        "audio": audio(&board.audio()),
        "knowledge": board.knowledge().as_ref().map(knowledge),
        "agent": board.agent().as_ref().map(agent),
        "accounts": board.accounts().iter().map(account).collect::<Vec<_>>(),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn engine(hearing: &Hearing) -> Value {
    let voice = |report: &VoiceReport| json!({ "name": report.name, "device": report.device, "fault": report.fault });
    json!({
        "device": hearing.device,
        "model": hearing.model,
        "voices": hearing.voices.iter().map(voice).collect::<Vec<_>>(),
        "turn_model": hearing.turn.as_ref().map(|turn| json!({ "name": turn.name, "fault": turn.fault })),
    })
}

fn knowledge(report: &knowledge::Report) -> Value {
    let left_out = report.left_out.iter();
    let left_out = left_out.map(|(why, files)| json!({ "reason": why.reason(), "files": files }));
    json!({
        "files": report.files,
        "passages": report.passages,
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

/// Remote agents, all calls together.
fn agent(figures: &Figures) -> Value {
    json!({
        "seconds_today": figures.used_today_s,
        "max_seconds_per_day": figures.per_day_s,
        "is_at_limit": figures.used_today_s >= figures.per_day_s,
        "fault": figures.fault.map(Fault::name),
    })
}

/// A remote agent's part in a call.
fn agent_record(record: &AgentRecord) -> Value {
    json!({
        "state": record.state.name(),
        "connected_after_ms": record.connected_after_ms,
        "seconds": record.used_ms.div_ceil(1_000),
        "used_ms": record.used_ms,
        "conversation_id": record.conversation.reveal(),
        "fault": record.fault.map(Fault::name),
        "text": record.fault.map(|fault| fault.to_string()),
        "dropped_ms": record.dropped_ms,
    })
}

fn account(report: &AccountReport) -> Value {
    json!({
        "name": report.name,
        "state": report.state,
        "failing_since_ms": report.since_ms,
        "registered_until_ms": report.until_ms,
        "reason": report.reason,
    })
}

fn audio(figures: &AudioFigures) -> Value {
    json!({
        "ticks": figures.late_counts.iter().sum::<u64>(),
        "late_p50_us": figures.late_p50_us,
        "late_p999_us": figures.late_p999_us,
        "late_bounds_us": BOUNDS_US,
        "late_counts": figures.late_counts,
        "dropped": figures.dropped,
    })
}

pub(super) fn calls(board: &Board) -> Value {
    let calls: Vec<Value> = board.calls().iter().map(|record| summary(record)).collect();
    json!({ "calls": calls })
}

pub(super) fn call(record: &CallRecord) -> Value {
    let mut value = summary(record);
    value["turns"] = record.turns().iter().map(turn).collect();
    value["messages"] = record.messages().iter().map(message).collect();
    value["turns_left_out"] = record.turns_left_out().into();
    value["rtp"] = rtp(&record.rtp);
    value["partial"] = record.partial.as_ref().map(partial).into();
    value["guards"] = record.guards.counts().map(|(guard, n)| (guard.name(), n)).collect();
    value
}

/// What the list shows of one call.
fn summary(record: &CallRecord) -> Value {
    let ended_at_ms = match record.progress {
        Progress::Ended { ended_at_ms, .. } => Some(ended_at_ms),
        _ => None,
    };
    let one_way = record.one_way.map(|found| {
        json!({ "side": found.side.name(), "why": found.why.name(), "text": found.why.page() })
    });
    let ending = record.progress.ending().map(|ending| {
        let wording = ending.cause.wording();
        json!({ "by": ending.by.name(), "cause": wording.name, "text": wording.page })
    });
    json!({
        "id": record.id.to_string(),
        "direction": match record.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        },
        "peer": record.peer.reveal(),
        "sip_call_id": record.sip_call_id.reveal(),
        "state": record.progress.name(),
        "started_at_ms": record.started_at_ms,
        "answered_at_ms": record.progress.answered_at_ms(),
        "ended_at_ms": ended_at_ms,
        "codec": record.codec.map(|codec| codec.name()),
        "srtp": record.srtp.map(|suite| suite.name()),
        "language": record.language.map(|language| language.to_string()),
        "answer_delay_ms": record.answer_delay_ms,
        "greeting_delay_ms": record.greeting_delay_ms,
        "mos": {
            "incoming": record.rtp.mos_incoming.map(mos),
            "outgoing": record.rtp.mos_outgoing.map(mos),
        },
        "one_way": one_way,
        "answered_by": record.answered_by.map(|verdict| verdict.name()),
        "is_joined": record.is_joined,
        "turn_count": record.turns().len(),
        "ending": ending,
        "agent": record.agent.as_ref().map(agent_record),
        "dialled": record.dialled.as_ref().map(|dialled| self::dialled(dialled, record.progress)),
    })
}

/// A call that we make: the account, and what became of the attempts before.
fn dialled(dialled: &Dialled, progress: Progress) -> Value {
    let again_at_ms = match progress {
        Progress::Waiting { until_ms } => Some(until_ms),
        _ => None,
    };
    let attempt = |attempt: &Attempt| {
        json!({
            "began_at_ms": attempt.began_at_ms,
            "ended_at_ms": attempt.ended_at_ms,
            "cause": attempt.ending.cause.wording().name,
        })
    };
    json!({
        "trunk": dialled.trunk,
        "again_at_ms": again_at_ms,
        "earlier": dialled.earlier.iter().map(attempt).collect::<Vec<_>>(),
    })
}

/// What the caller seems to be saying: words that have settled, and those that may still change.
fn partial(text: &PartialText) -> Value {
    json!({ "settled": text.settled.reveal(), "rest": text.rest.reveal() })
}

fn turn(turn: &Turn) -> Value {
    json!({
        "caller": turn.caller_text.reveal(),
        "reply": turn.reply_text.reveal(),
        "heard_at_ms": turn.heard_at_ms,
        "gap_ms": turn.gap_ms,
        "wire_gap_ms": turn.wire_gap_ms,
        "latency": turn.latency.as_ref().map(latency),
        "endpoint_ms": turn.endpoint_ms,
        "decode_ms": turn.decode_ms,
        "model_ms": turn.model_ms,
        "voice_ms": turn.voice_ms,
        "interrupted": turn.interrupted,
    })
}

/// The parts of a gap: each begins where the one before it ended.
fn latency(latency: &Latency) -> Value {
    let parts = latency.parts().map(|(name, ms)| (format!("{name}_ms"), ms.into()));
    Value::Object(parts.into_iter().collect())
}

/// As in `messages.jsonl`; what is not there is null.
fn message(message: &Message) -> Value {
    let shown = |part: &Option<Private<String>>| part.as_ref().map(|part| part.reveal().clone());
    let fields = message.fields.iter().map(|(name, value)| (name.clone(), value.reveal().clone()));
    json!({
        "topic": message.topic,
        "name": shown(&message.name),
        "number": shown(&message.number),
        "text": shown(&message.text),
        "fields": fields.map(|(name, value)| (name, value.into())).collect::<Map<_, _>>(),
    })
}

/// To hundredths: the model is no finer.
fn mos(mos: Mos) -> Value {
    let rounded = |value: f32| (f64::from(value) * 100.0).round() / 100.0;
    json!({ "last": rounded(mos.last), "worst": rounded(mos.worst) })
}

fn rtp(report: &RtpReport) -> Value {
    json!({
        "packets_sent": report.packets_sent,
        "packets_received": report.packets_received,
        "packets_lost": report.packets_lost,
        "packets_late": report.packets_late,
        "packets_duplicated": report.packets_duplicated,
        "jitter_ms": report.jitter_ms,
        "concealed_ms": report.concealed_ms,
        "peer_loss": report.peer_loss,
        "srtp_failed": report.srtp_failed,
        "srtp_replayed": report.srtp_replayed,
        "round_trip_ms": report.round_trip_ms,
    })
}
