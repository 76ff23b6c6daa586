//! What of a call and of a turn is only shown, and never searched for: kept as JSON, and shown as it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::call::record::{self, CallRecord, Turn};

/// Figures of a call.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
#[schema(as = HistoryFigures)]
pub struct Figures {
    /// Null: the sound was not encrypted.
    pub srtp: Option<String>,
    /// Who has answered a call of ours, by sound.
    pub answered_by: Option<String>,
    /// The caller was put through by us.
    pub is_joined: bool,
    /// Who of the firm's has listened to it or spoken in it, in the order in which it began.
    pub attended: Vec<Attended>,
    /// How many more there were.
    pub attended_left_out: u32,
    pub answer_delay_ms: Option<u32>,
    pub greeting_delay_ms: Option<u32>,
    /// Mean opinion scores (ITU-T G.107).
    pub mos_incoming: Option<Mos>,
    pub mos_outgoing: Option<Mos>,
    /// One side has heard nothing for a while.
    pub one_way: Option<OneWay>,
    pub packets_sent: u64,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub packets_late: u64,
    pub jitter_ms: f32,
    pub concealed_ms: u64,
    pub peer_loss: Option<f32>,
    pub round_trip_ms: Option<f32>,
    /// What was kept from being taken for the caller's words, by kind.
    pub guards: BTreeMap<String, u32>,
    /// Attempts before, which reached nobody.
    pub earlier: Vec<Attempt>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = HistoryMos)]
pub struct Mos {
    pub last: f32,
    pub worst: f32,
}

/// Somebody of the firm's was there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = HistoryAttended)]
pub struct Attended {
    /// The name of a token, or who has signed in.
    pub by: String,
    /// `listened` or `took-over`.
    pub part: String,
    pub from_ms: u64,
    pub to_ms: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = HistoryOneWay)]
pub struct OneWay {
    pub side: String,
    pub why: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = HistoryAttempt)]
pub struct Attempt {
    pub began_at_ms: u64,
    pub ended_at_ms: u64,
    pub cause: String,
}

impl Attended {
    fn of(attended: &record::Attended) -> Self {
        Self {
            by: attended.by.reveal().clone(),
            part: attended.part.name().to_owned(),
            from_ms: attended.from_ms,
            to_ms: attended.to_ms,
        }
    }
}

impl Figures {
    pub fn of(record: &CallRecord) -> Self {
        let rtp = &record.rtp;
        let mos =
            |mos: Option<crate::call::Mos>| mos.map(|mos| Mos { last: mos.last, worst: mos.worst });
        let one_way = record.one_way.map(|found| OneWay {
            side: found.side.name().to_owned(),
            why: found.why.name().to_owned(),
        });
        let earlier = record.dialled.iter().flat_map(|dialled| &dialled.earlier);
        let earlier = earlier.map(|attempt| Attempt {
            began_at_ms: attempt.began_at_ms,
            ended_at_ms: attempt.ended_at_ms,
            cause: attempt.ending.cause.wording().name.to_owned(),
        });
        Self {
            srtp: record.srtp.map(|suite| suite.name().to_owned()),
            answered_by: record.answered_by.map(|verdict| verdict.name().to_owned()),
            is_joined: record.is_joined,
            attended: record.attended().iter().map(Attended::of).collect(),
            attended_left_out: record.attended_left_out(),
            answer_delay_ms: record.answer_delay_ms,
            greeting_delay_ms: record.greeting_delay_ms,
            mos_incoming: mos(rtp.mos_incoming),
            mos_outgoing: mos(rtp.mos_outgoing),
            one_way,
            packets_sent: rtp.packets_sent,
            packets_received: rtp.packets_received,
            packets_lost: rtp.packets_lost,
            packets_late: rtp.packets_late,
            jitter_ms: rtp.jitter_ms,
            concealed_ms: rtp.concealed_ms,
            peer_loss: rtp.peer_loss,
            round_trip_ms: rtp.round_trip_ms,
            guards: record.guards.counts().map(|(guard, n)| (guard.name().to_owned(), n)).collect(),
            earlier: earlier.collect(),
        }
    }
}

/// Where the time of a turn went, in milliseconds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
#[schema(as = HistoryTimes)]
pub struct Times {
    /// The parts of the gap: each begins where the one before it ended.
    pub latency: Option<Parts>,
    /// The gap by the audio thread alone.
    pub wire_gap_ms: Option<u32>,
    pub endpoint_ms: u32,
    pub decode_ms: u32,
    pub model_ms: Option<u32>,
    pub voice_ms: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
#[schema(as = HistoryLatency)]
pub struct Parts {
    pub jitter_ms: u32,
    pub endpoint_ms: u32,
    pub decode_ms: u32,
    pub think_ms: u32,
    pub voice_ms: u32,
    pub pacing_ms: u32,
}

impl Times {
    pub fn of(turn: &Turn) -> Self {
        Self {
            latency: turn.latency.map(|parts| Parts {
                jitter_ms: parts.jitter_ms,
                endpoint_ms: parts.endpoint_ms,
                decode_ms: parts.decode_ms,
                think_ms: parts.think_ms,
                voice_ms: parts.voice_ms,
                pacing_ms: parts.pacing_ms,
            }),
            wire_gap_ms: turn.wire_gap_ms,
            endpoint_ms: turn.endpoint_ms,
            decode_ms: turn.decode_ms,
            model_ms: turn.model_ms,
            voice_ms: turn.voice_ms,
        }
    }
}
