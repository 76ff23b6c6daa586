//! Partial text while the caller speaks: what is shown, and that no turn depends on it.

use super::*;
use crate::base::pcm::samples_to_ms;

/// The recogniser's part in partial texts.
#[derive(Default)]
pub struct Script {
    /// What it hears, one after the other; then the last for ever.
    pub texts: VecDeque<&'static str>,
    /// Milliseconds of sound in each decode that was asked for.
    pub asked: Vec<u64>,
    pub ids: Vec<WorkId>,
    pub cancelled: Vec<WorkId>,
    pub manner: Manners,
}

#[derive(Default, PartialEq)]
pub enum Manners {
    #[default]
    Answers,
    /// The engine has more to do.
    Refuses,
    /// It has not come to it yet.
    Silent,
}

impl Desk {
    pub(super) fn partial(&mut self, id: WorkId, audio: &Private<Vec<i16>>) {
        self.partials.asked.push(samples_to_ms(audio.reveal().len()));
        self.partials.ids.push(id);
        match self.partials.manner {
            Manners::Answers => self.answer_partial(id),
            Manners::Refuses => self.input(Input::Work(WorkResult::Failed { id })),
            Manners::Silent => (),
        }
    }

    fn answer_partial(&mut self, id: WorkId) {
        let texts = &mut self.partials.texts;
        let text = if texts.len() > 1 { texts.pop_front() } else { texts.front().copied() };
        let recognition = Recognition::evenly(text.unwrap_or_default(), 0.999);
        let result = WorkResult::Text { id, recognition, decode_ms: 40, detected: None };
        self.input(Input::Work(result));
    }

    /// Settled words and the rest.
    fn shown(&self) -> Option<(&str, &str)> {
        let partial = self.call.record().partial.as_ref()?;
        Some((partial.settled.reveal(), partial.rest.reveal()))
    }

    fn caller_texts(&self) -> Vec<&str> {
        let turns = self.call.record().turns().iter();
        turns.map(|turn| turn.caller_text.reveal().as_str()).filter(|t| !t.is_empty()).collect()
    }
}

fn listening() -> Desk {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk
}

#[test]
fn words_are_shown_while_they_are_said_and_gone_with_the_turn() {
    let mut desk = listening();
    desk.partials.texts.extend(["What are", "What are your", "What are your open"]);
    desk.texts.push_back("What are your opening hours?");
    let mut shown = Vec::new();
    for _ in 0..120 {
        desk.tick(true);
        let now = desk.shown().map(|(settled, rest)| (settled.to_owned(), rest.to_owned()));
        if shown.last() != now.as_ref() {
            shown.extend(now);
        }
    }
    let expected = [("", "What are"), ("What are", "your"), ("What are your", "open")];
    assert_eq!(shown, expected.map(|(settled, rest)| (settled.to_owned(), rest.to_owned())));
    // A pause's text is the next hypothesis, and the turn ends them.
    desk.run(80, false);
    assert_eq!(desk.shown(), Some(("What are your", "opening hours?")));
    desk.run(1_000, false);
    assert_eq!(desk.shown(), None);
    assert_eq!(desk.caller_texts(), ["What are your opening hours?"]);
    // Each decode has all that was said so far.
    assert!(desk.partials.asked.windows(2).all(|pair| pair[0] + 500 < pair[1]));
}

#[test]
fn a_decode_that_counts_ends_a_partial_one_and_its_late_text_changes_nothing() {
    let mut desk = listening();
    desk.partials.manner = Manners::Silent;
    desk.texts.push_back("What are your opening hours?");
    desk.run(1_500, true);
    let [asked] = desk.partials.ids[..] else { panic!("one at a time") };
    assert!(desk.partials.cancelled.is_empty());
    desk.run(80, false);
    assert_eq!(desk.partials.cancelled, [asked]);
    desk.partials.texts.push_back("Wrong");
    desk.answer_partial(asked);
    assert_eq!(desk.shown(), Some(("", "What are your opening hours?")));
    desk.run(1_000, false);
    desk.answer_partial(asked);
    assert_eq!(desk.shown(), None);
    assert_eq!(desk.caller_texts(), ["What are your opening hours?"]);
}

#[test]
fn an_engine_that_has_more_to_do_is_asked_less_and_the_turn_is_the_same() {
    let mut counts = Vec::new();
    for manner in [Manners::Answers, Manners::Refuses] {
        let mut desk = listening();
        desk.partials.manner = manner;
        desk.texts.push_back("What are your opening hours?");
        desk.run(9_000, true);
        counts.push(desk.partials.asked.len());
        desk.run(1_000, false);
        assert_eq!(desk.caller_texts(), ["What are your opening hours?"]);
        assert!(desk.replies().last().unwrap().contains("8 am"));
    }
    assert!(counts[0] >= 12 && counts[1] <= 4, "{counts:?}");
}

#[test]
fn of_a_long_utterance_nothing_is_lost_or_doubled() {
    let pieces = ["one.", "two.", "three.", "four."];
    let mut desk = listening();
    desk.partials.texts.push_back("here");
    let mut cuts = 0;
    // 30 s without a pause: the recogniser's window is 10 s.
    for _ in 0..1_500 {
        desk.texts = [pieces[cuts]].into();
        desk.tick(true);
        cuts = desk.asked.len();
    }
    assert_eq!(cuts, 3);
    assert_eq!(desk.shown(), Some(("one two three here", "")));
    desk.texts = [pieces[3]].into();
    desk.run(2_500, false);
    assert_eq!(desk.caller_texts(), ["one two three four."]);
    assert_eq!(desk.shown(), None);
    // No decode had more than the window.
    assert!(desk.partials.asked.iter().all(|ms| *ms <= 10_000));
}

#[test]
fn noise_that_is_no_speech_and_a_call_that_ends_leave_no_partial_text() {
    let mut desk = listening();
    desk.partials.texts.push_back("[noise]");
    desk.texts.push_back("[BLANK_AUDIO]");
    desk.run(1_500, true);
    assert_eq!(desk.shown(), None);
    desk.run(1_500, false);
    let guards: Vec<_> = desk.call.record().guards.counts().collect();
    assert_eq!(guards, [(listen::Guard::Remark, 1)]);

    let mut desk = listening();
    desk.partials.texts.push_back("My number is");
    desk.run(1_500, true);
    assert!(desk.shown().is_some());
    desk.input(Input::HangUp(Cause::ShuttingDown));
    assert_eq!(desk.shown(), None);
}

#[test]
fn with_zero_nothing_is_decoded_while_the_caller_speaks() {
    let quiet = listen::Settings { partial_every_ms: 0, ..listen::Settings::default() };
    let settings = Settings { listen: quiet, ..settings() };
    let mut desk = Desk::take(&settings, Some(OFFER)).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(1_000, false);
    desk.run(5_000, true);
    assert!(desk.partials.asked.is_empty());
}
