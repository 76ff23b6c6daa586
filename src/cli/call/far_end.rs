//! The far end's own record of our call, read from its HTTP interface: what it heard of each turn
//! and what it answered.

use std::time::Duration;

use serde_json::Value;

use crate::cli::api::{Api, Method, Unreachable};

/// The record is complete shortly after the call.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("--api: {path} gave no answer that can be read")]
    Answer { path: String },
    #[error("--api: {path} wants a token that may read what is said: ATTENDANT_TOKEN")]
    Token { path: String },
    #[error("--api: that end has no record of our call")]
    NoRecord,
}

/// The call as the far end has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FarCall {
    pub turns: Vec<FarTurn>,
    pub messages: Vec<FarMessage>,
}

/// A message that was left: its parts by name, such as `topic` and `number`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FarMessage {
    pub parts: Vec<(String, String)>,
}

/// One turn as the far end has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FarTurn {
    /// Empty where it spoke by itself: greeting, prompts, answers to keys.
    pub caller: String,
    pub reply: String,
    /// Since the answer, 0 where nobody was heard.
    pub heard_at_ms: u64,
    pub gap: Option<FarGap>,
}

/// A gap as the far end measured it, and where it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FarGap {
    pub gap_ms: u64,
    /// Name and milliseconds, in the order of the time line.
    pub parts: Vec<(String, u64)>,
}

impl FarGap {
    /// The time line; a record of another program may have other names and is not shown.
    const PARTS: [&str; 6] = ["jitter", "endpoint", "decode", "think", "voice", "pacing"];

    fn of(turn: &Value) -> Option<Self> {
        let part = |name: &str| {
            let ms = turn["latency"][format!("{name}_ms")].as_u64()?;
            Some((name.to_owned(), ms))
        };
        let parts = Self::PARTS.iter().filter_map(|name| part(name)).collect();
        Some(Self { gap_ms: turn["gap_ms"].as_u64()?, parts })
    }
}

/// The record of the call with our Call-ID, once it has ended there too.
pub(super) fn ended(api: &Api, sip_call_id: &str) -> Result<FarCall, ApiError> {
    let mut found = Err(ApiError::NoRecord);
    for _ in 0..TRIES {
        found = record(api, sip_call_id);
        match &found {
            Ok(record) if record["state"] == "ended" => break,
            Ok(_) | Err(ApiError::NoRecord) => std::thread::sleep(BETWEEN),
            Err(_) => break,
        }
    }
    Ok(FarCall::of(&found?))
}

/// The turns as they stand while the call goes on.
pub(super) fn turns_so_far(api: &Api, sip_call_id: &str) -> Result<Vec<FarTurn>, ApiError> {
    Ok(FarCall::of(&record(api, sip_call_id)?).turns)
}

fn record(api: &Api, sip_call_id: &str) -> Result<Value, ApiError> {
    let calls = get(api, "/api/calls")?;
    let ours = list(&calls, "calls").iter().find(|call| call["sip_call_id"] == sip_call_id);
    let id = ours.and_then(|call| call["id"].as_str()).ok_or(ApiError::NoRecord)?;
    get(api, &format!("/api/calls/{id}"))
}

fn get(api: &Api, path: &str) -> Result<Value, ApiError> {
    match api.ask(Method::Get, path, None)? {
        Some((200, value)) => Ok(value),
        Some((401 | 403, _)) => Err(ApiError::Token { path: path.to_owned() }),
        _ => Err(ApiError::Answer { path: path.to_owned() }),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

impl FarCall {
    fn of(record: &Value) -> Self {
        Self {
            turns: list(record, "turns").iter().map(FarTurn::of).collect(),
            messages: list(record, "messages").iter().map(FarMessage::of).collect(),
        }
    }
}

impl FarMessage {
    fn of(value: &Value) -> Self {
        let texts = |value: &Value| -> Vec<(String, String)> {
            let parts = value.as_object().into_iter().flatten();
            parts.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
        };
        Self { parts: [texts(value), texts(&value["fields"])].concat() }
    }

    pub(super) fn part(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }
}

impl FarTurn {
    fn of(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Self {
            caller: text("caller"),
            reply: text("reply"),
            heard_at_ms: value["heard_at_ms"].as_u64().unwrap_or(0),
            gap: FarGap::of(value),
        }
    }
}

/// One of our acts, for [`align`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnTurn {
    /// Since the answer.
    pub began_at_ms: u64,
    /// Keys, and silence, are answered by turns that heard nobody.
    pub is_mute: bool,
}

/// What was said at one point of the conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Of us, as the far end understood it.
    pub heard: String,
    pub reply: String,
    /// The gap before the last of the reply that answers us, by the far end's own clock.
    pub gap: Option<FarGap>,
}

/// Puts the far end's turns beside ours: the greeting's words first, then those of each turn. A
/// turn of ours that was heard as two keeps the words of both.
pub(super) fn align(far: &[FarTurn], own: &[OwnTurn]) -> Vec<Words> {
    let mut words = vec![Words::default(); own.len() + 1];
    let mut current = 0;
    for turn in far {
        if turn.heard_at_ms > 0 {
            current = own.iter().filter(|own| own.began_at_ms <= turn.heard_at_ms).count();
        } else if own.get(current).is_some_and(|next| next.is_mute)
            && words.get(current).is_some_and(|words| !words.reply.is_empty())
        {
            current += 1;
        }
        if let Some(words) = words.get_mut(current) {
            append(&mut words.heard, &turn.caller);
            append(&mut words.reply, &turn.reply);
            words.gap = turn.gap.clone().or(words.gap.take());
        }
    }
    words
}

fn append(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(heard_at_ms: u64, caller: &str, reply: &str) -> FarTurn {
        FarTurn { caller: caller.into(), reply: reply.into(), heard_at_ms, gap: None }
    }

    fn words(heard: &str, reply: &str) -> Words {
        Words { heard: heard.into(), reply: reply.into(), gap: None }
    }

    fn spoken(began_at_ms: u64) -> OwnTurn {
        OwnTurn { began_at_ms, is_mute: false }
    }

    #[test]
    fn the_far_ends_turns_find_ours_by_time() {
        let far = [
            far(0, "", "Hello."),
            far(4_800, "what are", "Sorry?"),
            far(5_600, "your hours", "We are open."),
            far(0, "", "Are you still there?"),
            far(19_000, "bye", "Goodbye."),
        ];
        let aligned = align(&far, &[spoken(3_000), spoken(10_000), spoken(18_000)]);
        assert_eq!(
            aligned,
            [
                words("", "Hello."),
                words("what are your hours", "Sorry? We are open. Are you still there?"),
                words("", ""),
                words("bye", "Goodbye."),
            ]
        );
    }

    #[test]
    fn a_turn_has_the_gap_of_the_last_piece_that_was_answered_with_its_parts() {
        let turn = serde_json::json!({
            "caller": "bye", "reply": "Goodbye.", "heard_at_ms": 4_000, "gap_ms": 180,
            "latency": { "jitter_ms": 40, "endpoint_ms": 140, "other_ms": 9 },
        });
        let turns = [far(3_100, "good", ""), FarTurn::of(&turn)];
        let words = align(&turns, &[spoken(3_000)]);
        let gap = words[1].gap.as_ref().unwrap();
        assert_eq!(gap.gap_ms, 180);
        assert_eq!(gap.parts, [("jitter".to_owned(), 40), ("endpoint".to_owned(), 140)]);
    }

    #[test]
    fn keys_are_answered_by_a_turn_that_heard_nobody() {
        let keys = OwnTurn { began_at_ms: 3_000, is_mute: true };
        let aligned = align(&[far(0, "", "Hello."), far(0, "", "We are open.")], &[keys]);
        assert_eq!(aligned, [words("", "Hello."), words("", "We are open.")]);
    }

    #[test]
    fn a_record_has_its_messages_with_the_playbooks_own_fields() {
        let record = serde_json::json!({
            "turns": [{ "caller": "", "reply": "Hello.", "heard_at_ms": 0 }],
            "messages": [{ "topic": "cancel an order", "number": null, "fields": { "order": "4729" } }],
        });
        let call = FarCall::of(&record);
        assert_eq!(call.turns, [far(0, "", "Hello.")]);
        let message = &call.messages[0];
        assert_eq!((message.part("order"), message.part("number")), (Some("4729"), None));
        assert_eq!(FarCall::of(&Value::Null), FarCall::default());
    }
}
