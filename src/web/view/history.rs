//! Calls of the past and the messages of callers, as they are sent. What holds words or numbers does not print.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::Private;
use crate::store::history::{self, Figures, Times};

/// A part of the calls, newest first.
#[derive(Serialize, ToSchema)]
pub struct History {
    calls: Vec<Past>,
    /// What to ask for as `before` for the next part; null at the end.
    before: Option<i64>,
}

/// What the list shows of one call.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryCall)]
pub struct Past {
    id: i64,
    /// The start of the program that it was held by, counted, and its id since then, as in `c7`.
    run: i64,
    call: String,
    /// `up`, `ended` or `cut-off`: the program ended in the middle of it.
    state: &'static str,
    /// `inbound` or `outbound`.
    direction: String,
    /// `sip`, `webrtc` or `websocket`.
    way: String,
    /// The number or address of the other end.
    peer: String,
    sip_call_id: String,
    started_at_ms: u64,
    answered_at_ms: Option<u64>,
    ended_at_ms: Option<u64>,
    /// `caller` (the other end), `us`, `network` or `fault`.
    ended_by: Option<String>,
    /// One word, stable.
    cause: Option<String>,
    language: Option<String>,
    codec: Option<String>,
    /// The account that a call of ours went through.
    trunk: Option<String>,
    turn_count: u64,
    /// Turns that came after the list was full.
    turns_left_out: u64,
    message_count: u64,
}

/// One call with all that is kept of it. Words are null for whoever may not read them.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryWhole)]
pub struct PastWhole {
    #[serde(flatten)]
    call: Past,
    /// Its sound can be had from `/api/history/{id}/recording`.
    has_recording: bool,
    figures: Figures,
    turns: Vec<PastTurn>,
    messages: Option<Vec<Kept>>,
}

/// What the other end said and what came back.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryTurn)]
pub struct PastTurn {
    caller: Option<String>,
    reply: Option<String>,
    /// After the answer.
    heard_at_ms: u64,
    /// From the other end's last sound to our first.
    gap_ms: Option<u32>,
    interrupted: bool,
    #[serde(flatten)]
    times: Times,
}

/// A part of the messages, newest first.
#[derive(Serialize, ToSchema)]
pub struct Messages {
    messages: Vec<Kept>,
    /// What to ask for as `before` for the next part; null at the end.
    before: Option<i64>,
}

/// What a caller left.
#[derive(Serialize, ToSchema)]
#[schema(as = KeptMessage)]
pub struct Kept {
    id: i64,
    /// Its call's id in the history; null where that is not known.
    call: Option<i64>,
    left_at_ms: u64,
    topic: String,
    name: Option<String>,
    /// To call back, digits.
    number: Option<String>,
    text: Option<String>,
    fields: BTreeMap<String, String>,
    /// Null: it was not read yet.
    read_at_ms: Option<u64>,
    /// Of a message after the tone; null for others.
    #[schema(required = true)]
    sound: Option<KeptSound>,
}

/// The caller's own voice.
#[derive(Serialize, ToSchema)]
pub struct KeptSound {
    duration_ms: u64,
    /// `waiting`: the text follows; `done`: it is what is said; `none`: no words can be had.
    transcript: &'static str,
    /// Where the sound is, as long as it is kept.
    url: String,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erased {
    calls: u64,
    messages: u64,
    /// Places in campaigns.
    campaign_numbers: u64,
    /// Calls of that number that are up: they stay, and can be deleted when they have ended.
    still_up: u64,
}

/// What is counted over all starts of the program, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Totals {
    totals: BTreeMap<String, u64>,
}

impl History {
    /// `limit` calls were asked for.
    pub fn of(calls: Vec<history::Call>, limit: u32) -> Self {
        let is_full = calls.len() as u64 == u64::from(limit);
        let before = calls.last().map(|call| call.id).filter(|_| is_full);
        Self { calls: calls.into_iter().map(Past::from).collect(), before }
    }
}

impl Messages {
    pub fn of(messages: Vec<history::Message>, limit: u32) -> Self {
        let is_full = messages.len() as u64 == u64::from(limit);
        let before = messages.last().map(|message| message.id).filter(|_| is_full);
        Self { messages: messages.into_iter().map(Kept::from).collect(), before }
    }
}

impl From<history::Call> for Past {
    fn from(call: history::Call) -> Self {
        Self {
            id: call.id,
            run: call.run,
            call: call.call.to_string(),
            state: call.state.name(),
            direction: call.direction,
            way: call.way,
            peer: call.peer.into_revealed(),
            sip_call_id: call.sip_call_id.into_revealed(),
            started_at_ms: call.started_at_ms,
            answered_at_ms: call.answered_at_ms,
            ended_at_ms: call.ended_at_ms,
            ended_by: call.ended_by,
            cause: call.cause,
            language: call.language,
            codec: call.codec,
            trunk: call.trunk,
            turn_count: call.turns,
            turns_left_out: call.turns_left_out,
            message_count: call.messages,
        }
    }
}

impl PastWhole {
    pub fn of(whole: history::Whole, has_recording: bool, shows_words: bool) -> Self {
        let history::Whole { call, figures, turns, messages } = whole;
        Self {
            call: Past::from(call),
            has_recording,
            figures,
            turns: turns.into_iter().map(|turn| PastTurn::of(turn, shows_words)).collect(),
            messages: shows_words.then(|| messages.into_iter().map(Kept::from).collect()),
        }
    }
}

impl PastTurn {
    fn of(turn: history::Turn, shows_words: bool) -> Self {
        let shown = |words: Private<String>| shows_words.then(|| words.into_revealed());
        Self {
            caller: shown(turn.caller),
            reply: shown(turn.reply),
            heard_at_ms: turn.heard_at_ms,
            gap_ms: turn.gap_ms,
            interrupted: turn.interrupted,
            times: turn.times,
        }
    }
}

impl From<history::Message> for Kept {
    fn from(message: history::Message) -> Self {
        let shown = |part: Option<Private<String>>| part.map(Private::into_revealed);
        let fields = message.fields.into_iter();
        Self {
            id: message.id,
            call: message.of_call,
            left_at_ms: message.left_at_ms,
            topic: message.topic,
            name: shown(message.name),
            number: shown(message.number),
            text: shown(message.text),
            fields: fields.map(|(name, value)| (name, value.into_revealed())).collect(),
            read_at_ms: message.read_at_ms,
            sound: message.sound.map(|sound| KeptSound {
                duration_ms: sound.ms,
                transcript: sound.transcript,
                url: format!("/api/messages/{}/sound", message.id),
            }),
        }
    }
}

impl From<history::Erased> for Erased {
    fn from(erased: history::Erased) -> Self {
        let history::Erased { calls, messages, campaign_numbers, still_up } = erased;
        Self { calls, messages, campaign_numbers, still_up }
    }
}

impl From<BTreeMap<String, u64>> for Totals {
    fn from(totals: BTreeMap<String, u64>) -> Self {
        Self { totals }
    }
}

/// The columns of [`Past::csv`].
pub const CSV_HEAD: &str = "id,started_at_ms,answered_at_ms,ended_at_ms,direction,way,peer,state,ended_by,cause,\
    language,trunk,turn_count,message_count\r\n";

impl Past {
    /// One record (RFC 4180).
    pub fn csv(&self) -> String {
        let time = |time: Option<u64>| time.map(|ms| ms.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let fields = [
            self.id.to_string(),
            self.started_at_ms.to_string(),
            time(self.answered_at_ms),
            time(self.ended_at_ms),
            self.direction.clone(),
            self.way.clone(),
            self.peer.clone(),
            self.state.to_owned(),
            text(&self.ended_by),
            text(&self.cause),
            text(&self.language),
            text(&self.trunk),
            self.turn_count.to_string(),
            self.message_count.to_string(),
        ];
        let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
        format!("{}\r\n", fields.join(","))
    }
}

/// A caller chooses its own name: what a spreadsheet would take for a formula begins with an apostrophe.
pub(super) fn quoted(field: &str) -> String {
    let is_number = field.chars().all(|c| c.is_ascii_digit() || "+-".contains(c));
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let apostrophe = if is_formula { "'" } else { "" };
    match is_formula || field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{apostrophe}{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_carry_out_is_a_text() {
        assert_eq!(quoted("+49301234"), "+49301234");
        assert_eq!(quoted("sip:a@b"), "sip:a@b");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(quoted("@SUM(1)"), "\"'@SUM(1)\"");
    }
}
