//! A call, in the list and by itself.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::agent::InCall;
use crate::base::Private;
use crate::call::latency;
use crate::call::record::{self, CallRecord, Direction, Progress};
use crate::converse;
use crate::listen::PartialText;
use crate::web::board::Board;

/// The calls that are up, newest first, then those that have ended, newest first.
#[derive(Serialize, ToSchema)]
pub struct Calls {
    calls: Vec<Summary>,
}

impl Calls {
    pub fn of(board: &Board) -> Self {
        Self { calls: board.calls().iter().map(|record| Summary::of(record)).collect() }
    }
}

/// What the list shows of one call.
#[derive(Serialize, ToSchema)]
#[schema(as = CallSummary)]
pub struct Summary {
    /// As in `c7`.
    id: String,
    /// `inbound` or `outbound`.
    direction: &'static str,
    /// `sip`, `webrtc`, `websocket` or `handset`.
    way: &'static str,
    /// The number or address of the other end.
    peer: String,
    /// The dialog's Call-ID; empty until it is known.
    sip_call_id: String,
    /// `dialling`, `ringing`, `early-media`, `waiting` (to be tried again), `active` or `ended`.
    state: &'static str,
    started_at_ms: u64,
    answered_at_ms: Option<u64>,
    ended_at_ms: Option<u64>,
    codec: Option<&'static str>,
    /// Null: the sound is not encrypted.
    srtp: Option<&'static str>,
    language: Option<String>,
    answer_delay_ms: Option<u32>,
    greeting_delay_ms: Option<u32>,
    mos: Quality,
    /// Its part of the energy that the GPU has used while it was up; null where that is not told.
    gpu_energy_j: Option<f64>,
    one_way: Option<OneWay>,
    /// Who has answered a call of ours, by sound.
    answered_by: Option<&'static str>,
    /// The caller was put through by us, and the two talk.
    is_joined: bool,
    /// Somebody of the firm's speaks in it in the assistant's place.
    is_taken_over: bool,
    /// Who of the firm's has listened to it or spoken in it, in the order in which it began.
    attended: Vec<Attended>,
    /// `mute` is in force: the other end hears nothing of the box.
    is_muted: bool,
    turn_count: usize,
    speaking: Speaking,
    ending: Option<Ending>,
    /// Null where no remote agent was to hold it.
    agent: Option<InCall>,
    /// Null for a call that came.
    dialled: Option<Dialled>,
    /// At RingCentral's interface; null elsewhere.
    ringcentral: Option<Platform>,
}

/// A telephony session, and the box's party in it.
#[derive(Serialize, ToSchema)]
#[schema(as = RingCentralIds)]
struct Platform {
    session: String,
    party: String,
}

/// Somebody of the firm's was there.
#[derive(Serialize, ToSchema)]
struct Attended {
    /// As `POST /api/calls/{id}/listen` has named them.
    operator: String,
    /// The name of a token, or who has signed in.
    by: String,
    /// `listened` or `took-over`.
    part: &'static str,
    from_ms: u64,
    /// Null: it goes on.
    to_ms: Option<u64>,
}

/// Mean opinion scores (ITU-T G.107).
#[derive(Serialize, ToSchema)]
struct Quality {
    /// How the peer sounds to us.
    incoming: Option<Mos>,
    /// How we sound to the peer, by its reports.
    outgoing: Option<Mos>,
}

#[derive(Serialize, ToSchema)]
struct Mos {
    last: f64,
    worst: f64,
}

/// One side has heard nothing for a while.
#[derive(Serialize, ToSchema)]
struct OneWay {
    side: &'static str,
    why: &'static str,
    text: &'static str,
}

/// Who is speaking at this moment; both is somebody who interrupts.
#[derive(Debug, Serialize, ToSchema)]
struct Speaking {
    /// The other end.
    caller: bool,
    us: bool,
}

/// How a call ended.
#[derive(Serialize, ToSchema)]
struct Ending {
    /// `caller` (the other end), `us`, `network` or `fault`.
    by: &'static str,
    /// One word, stable.
    cause: &'static str,
    /// A sentence.
    text: &'static str,
}

/// A call that we make: the account, and what became of the attempts before.
#[derive(Serialize, ToSchema)]
struct Dialled {
    trunk: String,
    again_at_ms: Option<u64>,
    earlier: Vec<Attempt>,
}

/// An attempt that reached nobody.
#[derive(Serialize, ToSchema)]
struct Attempt {
    began_at_ms: u64,
    ended_at_ms: u64,
    cause: &'static str,
}

/// One call. Words are null for whoever may not read them.
#[derive(Serialize, ToSchema)]
pub struct Call {
    #[serde(flatten)]
    summary: Summary,
    turns: Vec<Turn>,
    /// Turns that came after the list was full.
    turns_left_out: u32,
    /// What the caller left.
    messages: Option<Vec<Message>>,
    rtp: Rtp,
    /// What the other end seems to be saying at this moment.
    partial: Option<Partial>,
    /// What was kept from being taken for the caller's words, by kind.
    guards: BTreeMap<&'static str, u32>,
}

/// What the other end said and what came back.
#[derive(Serialize, ToSchema)]
struct Turn {
    /// Empty for our opening and for a prompt after silence.
    caller: Option<String>,
    reply: Option<String>,
    /// After the answer.
    heard_at_ms: u64,
    /// From the other end's last sound to our first.
    gap_ms: Option<u32>,
    /// The same by the audio thread alone.
    wire_gap_ms: Option<u32>,
    latency: Option<Latency>,
    endpoint_ms: u32,
    decode_ms: u32,
    model_ms: Option<u32>,
    voice_ms: Option<u32>,
    interrupted: bool,
}

/// The parts of a gap: each begins where the one before it ended.
#[derive(Serialize, ToSchema)]
struct Latency {
    jitter_ms: u32,
    endpoint_ms: u32,
    decode_ms: u32,
    think_ms: u32,
    voice_ms: u32,
    pacing_ms: u32,
}

/// What a caller left for the firm's people.
#[derive(Serialize, ToSchema)]
pub struct Message {
    topic: String,
    name: Option<String>,
    number: Option<String>,
    text: Option<String>,
    fields: BTreeMap<String, String>,
}

/// Words that have settled, and those that may still change.
#[derive(Serialize, ToSchema)]
struct Partial {
    settled: String,
    rest: String,
}

/// Packets of sound, both ways.
#[derive(Serialize, ToSchema)]
struct Rtp {
    packets_sent: u64,
    packets_received: u64,
    packets_lost: u64,
    packets_late: u64,
    packets_duplicated: u64,
    jitter_ms: f32,
    concealed_ms: u64,
    /// Share of ours that the peer lost, 0 to 1, by its last report.
    peer_loss: Option<f32>,
    srtp_failed: u64,
    srtp_replayed: u64,
    round_trip_ms: Option<f32>,
}

impl Summary {
    pub fn of(record: &CallRecord) -> Self {
        let ended_at_ms = match record.progress {
            Progress::Ended { ended_at_ms, .. } => Some(ended_at_ms),
            _ => None,
        };
        let one_way = record.one_way.map(|found| OneWay {
            side: found.side.name(),
            why: found.why.name(),
            text: found.why.page(),
        });
        let ending = record.progress.ending().map(|ending| {
            let wording = ending.cause.wording();
            Ending { by: ending.by.name(), cause: wording.name, text: wording.page }
        });
        let dialled = record.dialled.as_ref();
        Self {
            id: record.id.to_string(),
            direction: direction(record.direction),
            way: record.way.name(),
            peer: record.peer.reveal().clone(),
            sip_call_id: record.sip_call_id.reveal().clone(),
            state: record.progress.name(),
            started_at_ms: record.started_at_ms,
            answered_at_ms: record.progress.answered_at_ms(),
            ended_at_ms,
            codec: record.codec.map(|codec| codec.name()),
            srtp: record.srtp.map(|suite| suite.name()),
            language: record.language.map(|language| language.to_string()),
            answer_delay_ms: record.answer_delay_ms,
            greeting_delay_ms: record.greeting_delay_ms,
            mos: Quality {
                incoming: record.rtp.mos_incoming.map(Mos::from),
                outgoing: record.rtp.mos_outgoing.map(Mos::from),
            },
            gpu_energy_j: record.gpu_energy_j,
            one_way,
            answered_by: record.answered_by.map(|verdict| verdict.name()),
            is_joined: record.is_joined,
            is_taken_over: record.is_taken_over,
            attended: record.attended().iter().map(Attended::of).collect(),
            is_muted: record.is_muted,
            turn_count: record.turns().len(),
            speaking: Speaking { caller: record.speaking.caller, us: record.speaking.us },
            ending,
            agent: record.agent.as_ref().map(InCall::from),
            dialled: dialled.map(|dialled| Dialled::of(dialled, record.progress)),
            ringcentral: record
                .platform
                .as_ref()
                .map(|ids| Platform { session: ids.session.clone(), party: ids.party.clone() }),
        }
    }
}

impl Attended {
    fn of(attended: &record::Attended) -> Self {
        Self {
            operator: attended.operator.to_string(),
            by: attended.by.reveal().clone(),
            part: attended.part.name(),
            from_ms: attended.from_ms,
            to_ms: attended.to_ms,
        }
    }
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

impl Dialled {
    fn of(dialled: &record::Dialled, progress: Progress) -> Self {
        let again_at_ms = match progress {
            Progress::Waiting { until_ms } => Some(until_ms),
            _ => None,
        };
        let attempt = |attempt: &record::Attempt| Attempt {
            began_at_ms: attempt.began_at_ms,
            ended_at_ms: attempt.ended_at_ms,
            cause: attempt.ending.cause.wording().name,
        };
        let earlier = dialled.earlier.iter().map(attempt).collect();
        Self { trunk: dialled.trunk.clone(), again_at_ms, earlier }
    }
}

impl Call {
    pub fn of(record: &CallRecord, shows_words: bool) -> Self {
        let messages = || record.messages().iter().map(Message::of).collect();
        let partial = record.partial.as_ref().filter(|_| shows_words);
        Self {
            summary: Summary::of(record),
            turns: record.turns().iter().map(|turn| Turn::of(turn, shows_words)).collect(),
            turns_left_out: record.turns_left_out(),
            messages: shows_words.then(messages),
            rtp: Rtp::of(&record.rtp),
            partial: partial.map(Partial::of),
            guards: record.guards.counts().map(|(guard, n)| (guard.name(), n)).collect(),
        }
    }
}

impl Turn {
    fn of(turn: &record::Turn, shows_words: bool) -> Self {
        let shown = |words: &Private<String>| shows_words.then(|| words.reveal().clone());
        Self {
            caller: shown(&turn.caller_text),
            reply: shown(&turn.reply_text),
            heard_at_ms: turn.heard_at_ms,
            gap_ms: turn.gap_ms,
            wire_gap_ms: turn.wire_gap_ms,
            latency: turn.latency.as_ref().map(Latency::of),
            endpoint_ms: turn.endpoint_ms,
            decode_ms: turn.decode_ms,
            model_ms: turn.model_ms,
            voice_ms: turn.voice_ms,
            interrupted: turn.interrupted,
        }
    }
}

impl Latency {
    const fn of(latency: &latency::Latency) -> Self {
        let latency::Latency { jitter_ms, endpoint_ms, decode_ms, think_ms, voice_ms, pacing_ms } =
            *latency;
        Self { jitter_ms, endpoint_ms, decode_ms, think_ms, voice_ms, pacing_ms }
    }
}

impl Message {
    pub fn of(message: &converse::Message) -> Self {
        let shown =
            |part: &Option<Private<String>>| part.as_ref().map(|part| part.reveal().clone());
        let fields = message.fields.iter();
        Self {
            topic: message.topic.clone(),
            name: shown(&message.name),
            number: shown(&message.number),
            text: shown(&message.text),
            fields: fields.map(|(name, value)| (name.clone(), value.reveal().clone())).collect(),
        }
    }
}

impl Partial {
    fn of(text: &PartialText) -> Self {
        Self { settled: text.settled.reveal().clone(), rest: text.rest.reveal().clone() }
    }
}

impl From<crate::call::Mos> for Mos {
    /// To hundredths: the model is no finer.
    fn from(mos: crate::call::Mos) -> Self {
        let rounded = |value: f32| (f64::from(value) * 100.0).round() / 100.0;
        Self { last: rounded(mos.last), worst: rounded(mos.worst) }
    }
}

impl Rtp {
    const fn of(report: &record::RtpReport) -> Self {
        Self {
            packets_sent: report.packets_sent,
            packets_received: report.packets_received,
            packets_lost: report.packets_lost,
            packets_late: report.packets_late,
            packets_duplicated: report.packets_duplicated,
            jitter_ms: report.jitter_ms,
            concealed_ms: report.concealed_ms,
            peer_loss: report.peer_loss,
            srtp_failed: report.srtp_failed,
            srtp_replayed: report.srtp_replayed,
            round_trip_ms: report.round_trip_ms,
        }
    }
}
