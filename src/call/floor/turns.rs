//! A turn of the caller: what was heard, what is replied, and the gap between.

use std::time::{Duration, Instant};

use super::{Floor, FloorOutput, Phase, joined};
use crate::base::UtteranceId;
use crate::call::hearing::{HeardTurn, Spoken, Words};
use crate::call::latency::{LastSpeech, Moments};
use crate::call::record::Turn;
use crate::call::state::millis;
use crate::converse;

/// So long before its end a turn may have its last loud sound.
const QUIET_END: Duration = Duration::from_secs(1);

/// The reply to a turn, until it is heard.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) utterance: UtteranceId,
    pub(super) turn: usize,
    /// `None`: the caller was not heard to speak.
    pub(super) moments: Option<Moments>,
}

impl Floor {
    pub(super) fn turn(&mut self, now: Instant, heard: HeardTurn) {
        if heard.is_endless && !heard.words.as_ref().is_some_and(Words::are_likely) {
            return self.too_loud(now);
        }
        if self.is_no_turn(&heard) {
            return self.spoke_for_nothing(now);
        }
        self.overlap = None;
        self.note_turn(now, heard.words.is_some());
        self.converse(now, converse::Input::CallerSilent { since: heard.spoke_until });
        let input = match &heard.words {
            Some(words) => {
                self.stop_all();
                self.language_heard(words.detected);
                converse::Input::Heard(words.speech.clone())
            }
            None => {
                self.stop_paused();
                converse::Input::HeardUnclear
            }
        };
        let turn = self.turns;
        self.open_turn = None;
        let reply = self.conversation_says(now, input);
        self.voice.forget();
        let first = reply.first().map(|say| say.utterance);
        if heard.words.is_some() && first.is_none() {
            self.note_reply(now, false);
        }
        let speech = self.last_speech(heard.spoke_until);
        let moments = Some(Moments::new(speech, heard.closed_at, now));
        self.awaited_reply = first.map(|utterance| Reply { utterance, turn, moments });
        self.keep_open(turn, moments, first.is_some());
        let since = match self.phase {
            Phase::Open { since } | Phase::Held { since } => since,
            Phase::Waiting { .. } | Phase::Joined | Phase::Closed => now,
        };
        let (caller_text, decode_ms) =
            heard.words.map(|w| (w.speech.text, w.decode_ms)).unwrap_or_default();
        self.give_turn(Turn {
            caller_text,
            reply_text: joined(&reply),
            heard_at_ms: millis(heard.spoke_until.saturating_duration_since(since)).into(),
            endpoint_ms: heard.endpoint_ms,
            decode_ms,
            ..Turn::default()
        });
    }

    /// Where the gap begins. A voice too quiet for that measure ends where the ear heard it end.
    fn last_speech(&self, spoke_until: Instant) -> LastSpeech {
        let is_near =
            |speech: &LastSpeech| spoke_until.saturating_duration_since(speech.played) <= QUIET_END;
        let quiet = LastSpeech { arrived: spoke_until, played: spoke_until };
        self.spoke.filter(is_near).unwrap_or(quiet)
    }

    /// A turn may show that the caller speaks another language: then conversation and voice go on
    /// in that one.
    pub(super) fn language_heard(&mut self, detected: Spoken) {
        let changed = self.detection.turn(detected);
        self.hearing.listen_for(self.detection.languages());
        let Some(language) = changed else { return };
        let tongue = self.tongues.find(language).clone();
        let apology = tongue.playbook.prompts().engine.synthesizer_lost.clone();
        self.conversation.switch(tongue.playbook);
        self.voice.switch(tongue.code, &apology);
        self.out.push_back(FloorOutput::Language(language));
    }

    pub(super) fn give_turn(&mut self, turn: Turn) {
        self.turns += 1;
        self.out.push_back(FloorOutput::Turn(turn));
    }
}
