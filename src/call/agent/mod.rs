//! A remote agent that holds a call: how far it has come, what it has said, what it has cost.
//!
//! ```text
//!  ring ─▶ Preparing ─ answered ─▶ Connecting ─ it is there ─▶ Talking ─ it has said goodbye ─▶ Leaving
//!              │ fails                 │ fails, or takes too long │ fails, twice; a limit
//!              └───────────────────────┴──────────────────────────┴──▶ the playbook takes over
//! ```
//!
//! `floor::agent` is what joins it with the call.

mod sound;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::AgentRecord;
use crate::base::{Private, UtteranceId, WorkId, limits};
use crate::converse::agent::{Initiation, Metadata, Tools};
use crate::converse::{Playbook, Settings, Variables};
pub(super) use sound::{Downlink, Uplink};

/// Keys that wait to be told together.
const KEYS: usize = 32;

/// The agent of one call.
#[derive(Debug)]
pub(super) struct Remote {
    /// Of the connection that counts; what comes of others is nothing any more.
    pub(super) work: WorkId,
    pub(super) stage: Stage,
    pub(super) tools: Tools,
    /// The agent that the playbook names.
    pub(super) agent: Option<String>,
    pub(super) initiation: Initiation,
    /// The call's longest duration, and how long before its end the agent is told.
    pub(super) longest: Duration,
    pub(super) warning: Duration,
    /// When the caller could hear us.
    pub(super) since: Option<Instant>,
    pub(super) has_tried_again: bool,
    /// Something of it was heard.
    pub(super) was_heard: bool,
    /// Keys that the caller has pressed and the agent has yet to be told of.
    pub(super) keys: Private<String>,
    /// Questions to the owner's systems: their work, the agent's id of its call, whether they may change
    /// something.
    pub(super) look_ups: Vec<(WorkId, String, bool)>,
    pub(super) record: AgentRecord,
    /// Time of connections that are over.
    used: Duration,
    /// When the one that is open was.
    connected: Option<Instant>,
    /// What both have said, for another connection; the newest of it.
    told: Private<String>,
    /// The caller's longest words.
    wish: Private<String>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The call is not answered.
    Preparing,
    /// Nor will the agent be there when it is.
    Failed,
    Connecting,
    Talking(Box<Talk>),
    /// It has ended the call; what it has said is heard to its end.
    Leaving(Box<Talk>),
}

/// A connection with the agent at its other end.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) up: Uplink,
    pub(super) down: Downlink,
    /// Nothing up to this number is to be heard any more.
    pub(super) watermark: Option<i64>,
    /// Under which the reply at hand goes to the caller.
    pub(super) reply: Option<Reply>,
    /// The turn that is going on, and what the agent has said in it.
    pub(super) words: Words,
    /// The same of the one before.
    earlier: Words,
    /// The turn whose gap is not known yet.
    pub(super) awaited: Option<usize>,
    /// The agent's connection is read.
    pub(super) reads: bool,
    /// It has ended the call, or had us end it.
    pub(super) is_leaving: bool,
    /// Frames of the caller's speech since the agent's last sound.
    pub(super) speech_frames: u32,
}

/// A reply on its way to the caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) wire: UtteranceId,
    /// Samples that have come of it.
    pub(super) samples: usize,
    /// Frames that went to the ring, and when the last did.
    pub(super) frames: u32,
    pub(super) fetched: Option<Instant>,
    /// It was interrupted: how much of it was heard is yet to be told.
    pub(super) is_cut: bool,
}

/// What the agent has said in a turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) turn: Option<usize>,
    before: String,
    last: String,
    /// The agent itself has said what was heard of the last.
    is_told: bool,
}

impl Words {
    pub(super) fn of_turn(turn: usize) -> Self {
        Self { turn: Some(turn), ..Self::default() }
    }

    /// More of the same turn.
    pub(super) fn add(&mut self, text: &str) {
        let gap = if self.before.is_empty() || self.last.is_empty() { "" } else { " " };
        self.before.push_str(gap);
        self.before.push_str(&self.last);
        // An agent that goes on without a word of the caller's is still within one turn.
        self.before = last_of(&self.before).to_owned();
        self.last = first_of(text.trim()).to_owned();
        self.is_told = false;
    }

    /// What was heard of the last that it said: by the agent's word, or by what was played of it, which counts
    /// only without the other.
    pub(super) fn correct(&mut self, text: &str, is_told: bool) {
        if is_told || !self.is_told {
            self.last = first_of(text.trim()).to_owned();
            self.is_told = is_told;
        }
    }

    pub(super) fn last(&self) -> &str {
        &self.last
    }

    pub(super) fn all(&self) -> Private<String> {
        let gap = if self.before.is_empty() || self.last.is_empty() { "" } else { " " };
        Private::new(format!("{}{gap}{}", self.before, self.last))
    }
}

/// As much of the beginning as is kept.
fn first_of(text: &str) -> &str {
    let end = text.char_indices().nth(limits::AGENT_TURN_CHARS).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

/// As much of the end.
fn last_of(text: &str) -> &str {
    let mut from_end = text.char_indices().rev();
    let start = from_end.nth(limits::AGENT_TURN_CHARS - 1).map_or(0, |(at, _)| at);
    text.get(start..).unwrap_or_default()
}

impl Talk {
    pub(super) fn new(opened: &Metadata) -> Self {
        Self {
            up: Uplink::new(opened.input),
            down: Downlink::new(opened.output),
            watermark: None,
            reply: None,
            words: Words::default(),
            earlier: Words::default(),
            awaited: None,
            reads: true,
            is_leaving: false,
            speech_frames: 0,
        }
    }

    /// The caller's words begin another turn.
    pub(super) fn begin_turn(&mut self, turn: usize) {
        let before = std::mem::replace(&mut self.words, Words::of_turn(turn));
        if !before.last.is_empty() {
            self.earlier = before;
        }
    }

    /// What the agent said last: the caller's words that interrupt it may be known before the interruption is.
    pub(super) fn said_last(&mut self) -> &mut Words {
        match self.words.last.is_empty() {
            true => &mut self.earlier,
            false => &mut self.words,
        }
    }

    /// Whether sound with this number is still to be heard.
    pub(super) fn takes(&self, event_id: i64) -> bool {
        self.watermark.is_none_or(|watermark| event_id > watermark)
    }
}

impl Remote {
    pub(super) fn new(work: WorkId, playbook: &Arc<Playbook>, settings: &Settings) -> Self {
        let (longest, warning) = (settings.max_duration, settings.length_warning);
        let own = playbook.agent().cloned().unwrap_or_default();
        let variables = own.variables.into_iter();
        let initiation = Initiation {
            prompt: own.prompt,
            first_message: own.first_message,
            language: own.tells_language.then(|| playbook.language().to_owned()),
            voice: own.voice,
            variables: variables.map(|(name, value)| (name, Private::new(value))).collect(),
        };
        Self {
            work,
            stage: Stage::Preparing,
            tools: Tools::new(Arc::clone(playbook)),
            agent: own.id,
            initiation,
            longest,
            warning: warning.min(longest / 4),
            since: None,
            has_tried_again: false,
            was_heard: false,
            keys: Private::default(),
            look_ups: Vec::new(),
            record: AgentRecord::default(),
            used: Duration::ZERO,
            connected: None,
            told: Private::default(),
            wish: Private::default(),
        }
    }

    /// Values of a call that we make, in place of the playbook's of the same names.
    pub(super) fn know(&mut self, variables: &Variables) {
        for (name, value) in variables {
            let known = &mut self.initiation.variables;
            match known.iter_mut().find(|(of, _)| of == name) {
                Some((_, old)) => old.clone_from(value),
                None => known.push((name.clone(), value.clone())),
            }
        }
    }

    pub(super) fn talk(&mut self) -> Option<&mut Talk> {
        match &mut self.stage {
            Stage::Talking(talk) | Stage::Leaving(talk) => Some(talk),
            Stage::Preparing | Stage::Failed | Stage::Connecting => None,
        }
    }

    /// Seconds count from now on.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
        let since = self.since.map(|since| now.saturating_duration_since(since));
        if let (None, Some(since)) = (self.record.connected_after_ms, since) {
            self.record.connected_after_ms = Some(super::state::millis(since));
        }
    }

    /// And no longer.
    pub(super) fn disconnected(&mut self, now: Instant) {
        let at = self.connected.take();
        self.used += at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.note_use(now);
    }

    /// Brings the record up to date.
    pub(super) fn note_use(&mut self, now: Instant) {
        let open = self.connected.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.record.used_ms = u64::try_from((self.used + open).as_millis()).unwrap_or(u64::MAX);
        if let Stage::Talking(talk) | Stage::Leaving(talk) = &self.stage {
            self.record.dropped_ms = talk.down.dropped_ms();
        }
    }

    /// A key; false where too many wait already.
    pub(super) fn press(&mut self, digit: char) -> bool {
        let mut keys = self.keys.reveal().clone();
        if keys.len() >= KEYS {
            return false;
        }
        keys.push(digit);
        self.keys = Private::new(keys);
        true
    }

    /// What somebody has said, for another connection.
    pub(super) fn tell(&mut self, who: &str, text: &str) {
        let mut told = self.told.reveal().clone();
        told.push_str(&format!("{who}: {text}\n"));
        let surplus = told.chars().count().saturating_sub(limits::AGENT_CONTEXT_CHARS);
        self.told = Private::new(told.chars().skip(surplus).collect());
    }

    /// The caller has said this.
    pub(super) fn heard(&mut self, text: &str) {
        self.tell("Caller", text);
        if text.len() > self.wish.reveal().len() {
            self.wish = Private::new(text.to_owned());
        }
    }

    /// The caller's longest words.
    pub(super) fn wish(&self) -> Private<String> {
        self.wish.clone()
    }

    /// What another connection has to know; `None` where nothing was said.
    pub(super) fn context(&self) -> Option<Private<String>> {
        let told = self.told.reveal();
        (!told.is_empty()).then(|| {
            let text = format!(
                "The connection was lost and is back within the same telephone call. So far:\n{told}\
                 Do not greet the caller again; go on."
            );
            Private::new(text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_talks_all_day_fills_no_memory() {
        let mut words = Words::of_turn(0);
        words.add(&"ä".repeat(1_000_000));
        for number in 0..1_000 {
            words.add(&format!("And so on, for the {number}th time."));
        }
        let all = words.all().into_revealed();
        assert!(all.chars().count() <= 2 * limits::AGENT_TURN_CHARS + 1);
        assert!(all.ends_with("the 998th time. And so on, for the 999th time."), "{all}");
        let mut words = Words::of_turn(0);
        words.add("One.");
        words.add("Two.");
        assert_eq!(words.all().into_revealed(), "One. Two.");
    }
}
