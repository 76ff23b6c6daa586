//! What is recorded of calls: flight records, and their sound.

use std::time::Instant;

use super::Switchboard;
use crate::appliance::engine::EngineEvent;
use crate::appliance::voicemail::{News, Voicemail};
use crate::base::CallId;
use crate::call::{self, Tape};
use crate::listen::answered::Verdict;
use crate::store::recordings::Name;

/// A call's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sound {
    /// The sentence that says so was not heard to its end.
    #[default]
    NotYet,
    Recorded,
    /// It is not, or not any more.
    Not,
}

impl Switchboard {
    /// Writes down what there is of a recorded call. A disk that does not take it ends the record.
    pub(super) fn keep(&mut self, now: Instant, id: CallId) {
        let (Some(flights), Some(line)) = (&self.parts.flights, self.lines.get_mut(&id)) else {
            return;
        };
        while let Some(piece) = line.call.poll_piece(now) {
            if !flights.write(id, piece) {
                line.call.stop_recording();
                tracing::warn!(call_id = %id, "its flight record ends: the disk is too slow");
            }
        }
    }

    /// Something that we say was played to its end. Where that was the sentence that says that the call is recorded, it is
    /// from here on.
    pub(super) fn has_said(&mut self, id: CallId) {
        let (Some(recorder), Some(line)) = (&self.parts.recorder, self.lines.get_mut(&id)) else {
            return;
        };
        if line.sound != Sound::NotYet || !line.call.told_first().consent {
            return;
        }
        line.sound = Sound::Not;
        let record = line.call.record();
        let is_person = record.answered_by.is_none_or(|verdict| verdict == Verdict::Person);
        let is_ours = record.agent.is_none()
            && line.partner.is_none()
            && !record.is_joined
            && !record.was_taken_over();
        let Some(place) = line.place.filter(|_| is_person && is_ours) else { return };
        let name = Name::of(record.started_at_ms, id);
        if recorder.begin(name) {
            line.sound = Sound::Recorded;
            self.parts.places.record(place, true);
        }
    }

    /// What people say to each other is not recorded, one of the firm's among them, nor is anything after the end.
    pub(super) fn look_at_sound(&mut self, id: CallId) {
        let (Some(recorder), Some(line)) = (&self.parts.recorder, self.lines.get_mut(&id)) else {
            return;
        };
        let record = line.call.record();
        let is_over = record.progress.is_ended()
            || record.is_joined
            || record.was_taken_over()
            || line.partner.is_some();
        if line.sound == Sound::Recorded && is_over {
            line.sound = Sound::Not;
            if let Some(place) = line.place {
                self.parts.places.record(place, false);
            }
            recorder.end(id);
        }
    }
}

impl Switchboard {
    /// The disk has something to say to a message after the tone.
    pub fn taped(&mut self, now: Instant, News { call, news }: News) {
        self.call(now, call, call::Input::Tape(news));
        self.settle(now);
    }

    /// The engine has, to one of before.
    pub fn transcribed(&self, event: EngineEvent) {
        self.parts.voicemail.text(event);
    }
}

/// Of a message after the tone of a call that began then. False: it cannot be begun.
pub(super) fn tape(
    voicemail: &mut Voicemail,
    (call, started_at_ms): (CallId, u64),
    tape: Tape,
) -> bool {
    match tape {
        Tape::Begin(message) => voicemail.begin(Name::of(started_at_ms, call), message),
        Tape::Sound(frame) => {
            voicemail.sound(call, &frame);
            true
        }
        Tape::End { is_spoken } => {
            voicemail.end(call, is_spoken);
            true
        }
    }
}
