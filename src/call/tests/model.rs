//! A call whose questions a model answers, at the pace of a real one and under the test's clock.

use std::time::{Duration, Instant};

use super::*;
use crate::converse::llm::{Event, Fault, Finish, ToolRequest};

/// Time to the first token, and between two: 20 tokens a second.
const FIRST: Duration = Duration::from_millis(150);
const TOKEN: Duration = Duration::from_millis(50);
pub(super) const QUESTION: &str = "Do purple dragons fly over the moon?";

/// Plays the model's server.
#[derive(Default)]
pub(super) struct StandIn {
    /// What each answer will be, the last for all that follow: the events, a token apart.
    pub(super) script: Vec<Vec<Event>>,
    under_way: Vec<(Instant, WorkId, Event)>,
    pub(super) asked: usize,
    pub(super) cancelled: usize,
}

impl StandIn {
    pub(super) fn ask(&mut self, now: Instant, id: WorkId) {
        let last = self.script.len().saturating_sub(1);
        let events = self.script.get(self.asked.min(last)).cloned().unwrap_or_default();
        self.asked += 1;
        let at = |index: usize| now + FIRST + TOKEN * index as u32;
        self.under_way.extend(events.into_iter().enumerate().map(|(i, e)| (at(i), id, e)));
    }

    /// False if it is no work of ours, or over.
    pub(super) fn cancel(&mut self, id: WorkId) -> bool {
        let before = self.under_way.len();
        self.under_way.retain(|(_, of, _)| *of != id);
        let was_ours = self.under_way.len() != before;
        self.cancelled += usize::from(was_ours);
        was_ours
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<(WorkId, Event)> {
        let index = self.under_way.iter().position(|(at, ..)| *at <= now)?;
        let (_, id, event) = self.under_way.remove(index);
        Some((id, event))
    }
}

/// A token a word, and the end.
pub(super) fn tokens(text: &str) -> Vec<Event> {
    let words = text.split_inclusive(' ').map(|word| Event::Text(Private::new(word.to_owned())));
    words.chain([Event::Done(Finish::Stop)]).collect()
}

pub(super) fn desk(script: Vec<Vec<Event>>) -> Desk {
    let mut settings = settings();
    settings.converse.has_model = true;
    let mut desk = Desk::take(&settings, Some(OFFER)).unwrap();
    desk.model.script = script;
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(1_000, false);
    desk
}

fn last_turn(desk: &Desk) -> crate::call::record::Turn {
    let turns = desk.call.record().turns();
    turns.iter().rfind(|turn| !turn.caller_text.reveal().is_empty()).expect("a turn").clone()
}

#[test]
fn the_first_sentence_is_heard_while_the_model_still_speaks_and_all_of_it_is_one_turn() {
    let mut desk =
        desk(vec![tokens("Not that I know. The moon is far away and it is cold there.")]);
    desk.says(QUESTION);
    desk.run(3_000, false);
    let turn = last_turn(&desk);
    let whole = "Not that I know. The moon is far away and it is cold there.";
    assert_eq!(turn.reply_text.reveal(), whole);
    assert!(turn.gap_ms.is_some());
    assert_eq!(desk.replies().len(), 2, "greeting and turn: {:?}", desk.replies());
    assert_eq!((desk.model.asked, desk.model.cancelled), (1, 0), "asked ahead, and used");
    desk.run(9_000, false);
    assert_eq!(desk.replies().len(), 3, "a prompt after silence is a turn of its own");
}

#[test]
fn at_twenty_tokens_a_second_half_of_the_gaps_are_within_half_a_second() {
    let answers = [
        "No. They do not.",
        "Yes, we do. It is open all week.",
        "I do not know. Shall I ask?",
        "On Monday. We begin at eight.",
        "That is free. You pay nothing at all for it.",
        "Of course. It is the second door on the left.",
        "Sorry, I cannot see that. I can take a message.",
    ];
    let mut gaps = Vec::new();
    for answer in answers {
        let mut desk = desk(vec![tokens(answer)]);
        desk.says(QUESTION);
        desk.run(2_000, false);
        gaps.push(last_turn(&desk).gap_ms.expect("it was answered"));
    }
    gaps.sort_unstable();
    assert!(gaps[gaps.len() / 2] <= 500, "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 1_000), "{gaps:?}");
}

#[test]
fn whatever_the_server_does_the_caller_hears_something_within_a_second_and_the_call_ends_well() {
    let text = |text: &str| Event::Text(Private::new(text.to_owned()));
    let call = |name: &str| {
        let arguments = Private::new("{".to_owned());
        Event::Call(ToolRequest { id: "1".into(), name: name.into(), arguments })
    };
    for (mishap, events) in [
        ("silence", vec![]),
        ("a stall", vec![text("Well, "), text("that")]),
        ("a stall after a sentence", vec![text("We do that. "), text("And"), text(" then")]),
        ("a 500", vec![Event::Failed(Fault::Server(500))]),
        ("an empty reply", vec![Event::Done(Finish::Stop)]),
        ("invalid JSON", vec![text("Well. "), Event::Failed(Fault::Protocol)]),
        ("an unknown tool", vec![call("launch"), Event::Done(Finish::Stop)]),
        ("a runaway", vec![text("Some words more of it. "); 10_000]),
    ] {
        let mut desk = desk(vec![events]);
        desk.phrase_frames = 30;
        desk.texts.push_back(QUESTION);
        desk.run(500, true);
        desk.run(7_000, false);
        let longest = longest_silence(&desk);
        assert!(longest <= Duration::from_secs(1), "{mishap}: {longest:?} of silence");
        let said = desk.replies().join(" ");
        assert!(!said.contains("not understand"), "{mishap}: the caller was understood: {said}");
        // Over a runaway the caller speaks up.
        desk.texts = VecDeque::from(["Thank you, goodbye."]);
        desk.run(500, true);
        let through = desk.silenced;
        if let Some(&(utterance, frames)) = desk.played.last()
            && through > UtteranceId(0)
        {
            desk.input(Input::Silenced { through, utterance, frames });
        }
        desk.run(6_000, false);
        if desk.ending().is_none() {
            desk.texts = VecDeque::from(["Goodbye."]);
            desk.run(500, true);
            desk.run(6_000, false);
        }
        assert_eq!(desk.ending(), Some(Cause::Goodbye), "{mishap}: {:?}", desk.replies());
    }
}

/// Since the caller's last word, until all was said.
fn longest_silence(desk: &Desk) -> Duration {
    let spoke = desk.spoke.expect("the caller spoke");
    let sounds = desk.sounded.iter().copied().filter(|at| *at >= spoke);
    let moments: Vec<Instant> = std::iter::once(spoke).chain(sounds).collect();
    assert!(moments.len() > 1, "nothing was heard");
    moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

#[test]
fn barge_in_stops_the_voice_and_the_server() {
    let long = "One two three four five six seven. ".repeat(12);
    let mut desk = desk(vec![tokens(&long), tokens("Fine.")]);
    desk.phrase_frames = 100;
    desk.says(QUESTION);
    assert!(last_turn(&desk).gap_ms.is_some());
    desk.texts = VecDeque::from(["But purple dragons sing, do they?"]);
    desk.run(1_100, true);
    assert_eq!(desk.model.cancelled, 1, "before the caller has ended");
    desk.run(3_000, false);
    assert_eq!(last_turn(&desk).reply_text.reveal(), "Fine.");
    assert!(desk.call.record().turns().iter().any(|turn| turn.interrupted));
}

#[test]
fn a_call_that_ends_asks_no_more() {
    let mut desk = desk(vec![tokens(&"One two three. ".repeat(20))]);
    desk.says(QUESTION);
    desk.input(Input::HangUp(Cause::ShuttingDown));
    assert_eq!(desk.model.cancelled, 1);
    assert!(desk.digits.is_empty());
}
