//! Who answered a call of ours, and whether it is spoken to: joins `listen::answered`, which knows sound
//! and words, with the call.
//!
//! A call that talks to whoever answers begins at once, and what is heard only stands in its record. One
//! that leaves machines alone, or a message on them, says nothing until it is known who is there, and has
//! the first words recognised meanwhile.

mod words;

use std::time::{Duration, Instant};

use super::ending::Cause;
use super::media::HeardFrame;
use crate::base::WorkId;
use crate::listen::Heard;
use crate::listen::answered::{Answered, Campaign, Known, OnMachine, Settings, Step, Verdict};

use words::FirstWords;

/// Who has not been told apart by then is not any more: what is heard is a conversation.
const LISTEN_FOR: Duration = Duration::from_secs(12);

/// A machine's greeting and the wait for its beep are over by then.
pub(super) const DECIDED_WITHIN: Duration = Duration::from_secs(75);

/// Listens to one call that we make.
pub(super) struct Who {
    answered: Answered,
    /// `None`: it talks to whoever answers.
    campaign: Option<Campaign>,
    /// When it was answered.
    since: Option<Instant>,
    /// The last verdict after the answer.
    told: Option<(Verdict, Instant)>,
    /// The last frame with speech.
    spoke: Option<Instant>,
    words: FirstWords,
    is_decided: bool,
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Who({:?})", self.told.map(|(verdict, _)| verdict))
    }
}

impl Who {
    pub(super) fn new(on_machine: OnMachine) -> Self {
        let campaign = Campaign { on_machine, ..Campaign::default() };
        Self {
            answered: Answered::new(Settings::default()),
            campaign: (on_machine != OnMachine::Talk).then_some(campaign),
            since: None,
            told: None,
            spoke: None,
            words: FirstWords::default(),
            is_decided: false,
        }
    }

    /// The call is answered; true if it is to talk at once.
    pub(super) fn connect(&mut self, now: Instant) -> bool {
        self.answered.connect();
        self.since = Some(now);
        self.is_decided = self.campaign.is_none();
        self.is_decided
    }

    /// What the call is to do now, if that is known with this frame; with the verdict, if it is new.
    pub(super) fn heard(&mut self, now: Instant, heard: &HeardFrame) -> (Option<Verdict>, Step) {
        let Some(since) = self.since else {
            // What is heard before the answer makes tones known that may go on.
            let _ = self.answered.frame(heard.at, &heard.frame, heard.score);
            return (None, Step::Listen);
        };
        if self.is_decided && now.saturating_duration_since(since) > LISTEN_FOR {
            return (None, Step::Listen);
        }
        if heard.is_speech() {
            self.spoke = Some(now);
        }
        if !self.is_decided {
            self.words.frame(heard);
        }
        let verdict = self.answered.frame(heard.at, &heard.frame, heard.score);
        (verdict, self.told(now, since, verdict))
    }

    /// The first words, where they are to be recognised now; [`Self::asked`] says as which work.
    pub(super) fn words_due(&mut self) -> Option<Vec<i16>> {
        if self.is_decided { None } else { self.words.due() }
    }

    pub(super) fn asked(&mut self, work: WorkId) {
        self.words.asked(work);
    }

    /// Whether this work was ours.
    pub(super) fn is_answered(&mut self, work: WorkId) -> bool {
        self.words.answered(work)
    }

    /// What the first words are. As [`Self::heard`].
    pub(super) fn read(&mut self, now: Instant, words: &Heard) -> (Option<Verdict>, Step) {
        let (Heard::Words { text, .. }, Some(since), false) = (words, self.since, self.is_decided)
        else {
            return (None, Step::Listen);
        };
        let verdict = self.answered.decide_with_text(text.reveal());
        (verdict, self.told(now, since, verdict))
    }

    fn told(&mut self, now: Instant, since: Instant, verdict: Option<Verdict>) -> Step {
        if let Some(verdict) = verdict {
            self.told = Some((verdict, now));
        }
        self.step(now, since)
    }

    /// Nothing has told who answered for longer than any greeting lasts, as where the other end holds us:
    /// what the call is to do at last.
    pub(super) fn give_up(&mut self) -> Step {
        if std::mem::replace(&mut self.is_decided, true) {
            return Step::Listen;
        }
        let wants_message = self.campaign.is_some_and(|c| c.on_machine == OnMachine::LeaveMessage);
        match self.told.map(|(verdict, _)| verdict) {
            Some(Verdict::Machine) if wants_message => Step::LeaveMessage,
            // It still rings: nobody is there.
            Some(Verdict::Ringback | Verdict::Announcement) => Step::HangUp,
            _ => Step::Talk,
        }
    }

    /// Nobody has answered, or nobody whom the owner wants to talk to.
    pub(super) fn cause(&self) -> Cause {
        match self.told.map(|(verdict, _)| verdict) {
            Some(Verdict::Busy) => Cause::CalleeBusy,
            Some(Verdict::Ringback | Verdict::Announcement) => Cause::NoAnswer,
            _ => Cause::NoPerson,
        }
    }

    fn step(&mut self, now: Instant, since: Instant) -> Step {
        let Some(campaign) = self.campaign.filter(|_| !self.is_decided) else {
            return Step::Listen;
        };
        let ago = |at: Instant| now.saturating_duration_since(at);
        let known = Known {
            verdict: self.told.map(|(verdict, at)| (verdict, ago(at))),
            has_beeped: self.answered.beep().is_some(),
            quiet: ago(self.spoke.unwrap_or(since)),
        };
        let step = campaign.step(&known);
        self.is_decided = step != Step::Listen;
        step
    }
}
