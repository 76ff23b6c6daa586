//! A call that somebody of the firm's listens to, takes over, and gives back.

use std::collections::BTreeMap;

use super::model::{QUESTION, tokens};
use super::*;
use crate::call::record::Part;

const OPERATOR: CallId = CallId(9);
const BACK: &str = "I am back. What can I do for you?";

fn with_words() -> Settings {
    let mut settings = settings();
    settings.converse.back = BTreeMap::from([("en".to_owned(), BACK.to_owned())]);
    settings
}

fn by() -> Private<String> {
    Private::new("owner".to_owned())
}

fn takes_over(desk: &mut Desk) {
    desk.input(Input::Attended(Attendance::TakesOver { operator: OPERATOR, by: by() }));
}

fn gives_back(desk: &mut Desk) {
    desk.input(Input::Attended(Attendance::GivesBack(OPERATOR)));
}

fn talking(settings: &Settings, phrase_frames: usize) -> Desk {
    let manner = Manner::plain(LanguageCode::ENGLISH);
    let mut desk = Desk::take_with(settings, manner, Some(OFFER), phrase_frames).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk
}

/// What goes to the caller while somebody speaks, by the first samples.
fn relayed(desk: &mut Desk, samples: &[i16]) -> Vec<i16> {
    samples.iter().for_each(|s| desk.input(Input::Relayed(&Frame([*s; FRAME_SAMPLES]))));
    std::iter::from_fn(|| desk.call.next_frame(desk.now)).map(|next| next.frame.0[0]).collect()
}

#[test]
fn who_only_listens_changes_nothing_but_the_record() {
    let mut desk = talking(&with_words(), 10);
    desk.run(1_000, false);
    let (played, said) = (desk.played.clone(), desk.replies());
    desk.input(Input::Attended(Attendance::Listens { operator: OPERATOR, by: by() }));
    assert_eq!((&desk.played, desk.replies(), desk.silenced.0), (&played, said, 0));
    desk.says("What are your opening hours?");
    assert!(desk.replies().last().unwrap().contains("open"), "{:?}", desk.replies());
    desk.input(Input::Attended(Attendance::Leaves(OPERATOR)));
    let record = desk.call.record();
    let [part] = record.attended() else { panic!("{:?}", record.attended()) };
    assert_eq!(
        (part.operator, part.part, part.by.reveal().as_str()),
        (OPERATOR, Part::Listened, "owner")
    );
    assert_eq!((part.from_ms, part.to_ms), (1_001_000, Some(1_003_100)));
    assert!(!record.was_taken_over());
    assert!(!format!("{record:?}").contains("owner"), "nobody's name prints");
}

#[test]
fn the_assistant_is_silent_at_once_and_hears_nothing_until_it_is_given_the_call_back() {
    let mut desk = talking(&with_words(), 100);
    desk.run(600, false);
    let greeting = desk.played.last().unwrap().0;
    takes_over(&mut desk);
    assert!(desk.silenced >= greeting, "what is in the ring is not heard");
    assert!(desk.call.record().is_taken_over && desk.call.is_joined());
    assert!(!desk.call.may_be_taken_over(), "by one at a time");
    let frames = desk.played.last().unwrap().1;
    let through = desk.silenced;
    desk.input(Input::Silenced { through, utterance: greeting, frames });
    assert_eq!(relayed(&mut desk, &[1, 2, 3]), [1, 2, 3]);
    desk.asked.clear();
    desk.played.clear();
    desk.says("I have waited for days.");
    desk.run(400_000, false);
    assert_eq!(
        (desk.asked.len(), desk.ending()),
        (0, None),
        "nothing is recognised, and no time runs"
    );
    assert!(desk.played.is_empty(), "{:?}", desk.played);
    assert!(desk.call.record().turns()[0].interrupted);

    gives_back(&mut desk);
    assert!(!desk.call.record().is_taken_over && !desk.call.is_joined());
    desk.run(200, false);
    assert_eq!(desk.replies().last().unwrap(), BACK);
    assert!(!desk.played.is_empty(), "within 200 ms");
    desk.run(2_500, false);
    desk.texts.clear();
    desk.says("What are your opening hours?");
    assert!(desk.replies().last().unwrap().contains("open"), "{:?}", desk.replies());
    assert_eq!(desk.ending(), None);
    let parts: Vec<_> =
        desk.call.record().attended().iter().map(|one| (one.part, one.to_ms.is_some())).collect();
    assert_eq!(parts, [(Part::TookOver, true)]);
}

#[test]
fn without_words_of_the_owners_the_playbook_has_some() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    takes_over(&mut desk);
    gives_back(&mut desk);
    desk.run(200, false);
    let playbook = Playbook::logistics();
    let said = playbook.takes_over().join(" ");
    assert_eq!(*desk.replies().last().unwrap(), said);
}

#[test]
fn a_goodbye_and_a_question_are_given_up_for_whoever_speaks() {
    let mut desk = talking(&with_words(), 100);
    desk.run(2_500, false);
    desk.says("Goodbye.");
    let said = desk.replies().len();
    takes_over(&mut desk);
    desk.run(60_000, false);
    assert_eq!((desk.ending(), desk.replies().len()), (None, said));
    gives_back(&mut desk);
    desk.run(4_000, false);
    assert_eq!(desk.replies().last().unwrap(), BACK);
    assert_eq!(desk.ending(), None, "the goodbye was not heard");
}

#[test]
fn a_models_answer_is_cancelled() {
    let mut settings = with_words();
    settings.converse.has_model = true;
    let mut desk = talking(&settings, 10);
    desk.model.script =
        vec![tokens("One two three four five six seven eight nine ten eleven twelve.")];
    desk.run(1_000, false);
    desk.texts.push_back(QUESTION);
    desk.run(500, true);
    desk.run(400, false);
    assert!(desk.model.asked > 0);
    let cancelled = desk.model.cancelled;
    takes_over(&mut desk);
    assert_eq!(desk.model.cancelled, cancelled + 1, "it stops generating");
    desk.run(20_000, false);
    let said = desk.replies().len();
    gives_back(&mut desk);
    desk.run(20_000, false);
    assert_eq!(desk.replies()[said], BACK);
    assert_eq!(desk.ending(), None);
}

#[test]
fn a_caller_on_the_way_to_somebody_else_is_left_alone() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.input(Input::Joined);
    assert!(!desk.call.may_be_taken_over());
    let record = desk.call.record().clone();
    takes_over(&mut desk);
    assert_eq!(desk.call.record().attended(), record.attended());
    assert!(!desk.call.record().is_taken_over);
    gives_back(&mut desk);
    assert!(desk.call.is_joined(), "it is not the operator's to give back");
}

#[test]
fn a_caller_who_hangs_up_on_whoever_speaks_ends_the_call_and_their_part() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.input(Input::Attended(Attendance::Listens { operator: OPERATOR, by: by() }));
    takes_over(&mut desk);
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    assert_eq!(desk.ending(), Some(Cause::HungUp));
    assert!(desk.call.record().attended().iter().all(|one| one.to_ms == Some(1_001_000)));
    assert!(!desk.call.record().is_taken_over && desk.call.record().was_taken_over());
    gives_back(&mut desk);
    desk.input(Input::Attended(Attendance::Leaves(OPERATOR)));
    assert_eq!(desk.call.record().attended().len(), 2);
    assert!(desk.call.is_ended());
}

#[test]
fn a_call_that_was_on_hold_is_given_back_on_hold() {
    let mut desk = talking(&with_words(), 10);
    desk.run(1_000, false);
    desk.input(Input::Wish(Wish::Mute(true)));
    takes_over(&mut desk);
    assert_eq!(relayed(&mut desk, &[5]), [5], "whoever speaks is heard");
    gives_back(&mut desk);
    desk.played.clear();
    desk.run(1_000, false);
    assert!(desk.played.is_empty(), "the assistant is still muted");
    desk.input(Input::Wish(Wish::Mute(false)));
    desk.run(1_000, false);
    assert!(!desk.played.is_empty());
}

#[test]
fn an_engine_that_came_back_meanwhile_is_used_again() {
    let mut desk = talking(&with_words(), 10);
    desk.run(1_000, false);
    desk.input(Input::EngineLost);
    desk.run(1_000, false);
    takes_over(&mut desk);
    for _ in 0..50 {
        desk.input(Input::EngineBack);
        desk.input(Input::EngineLost);
    }
    desk.input(Input::EngineBack);
    gives_back(&mut desk);
    desk.run(3_000, false);
    desk.texts.clear();
    desk.says("What are your opening hours?");
    assert!(desk.replies().last().unwrap().contains("open"), "{:?}", desk.replies());
}

#[test]
fn a_take_over_ends_a_message_after_the_tone_and_another_may_follow() {
    let mut desk = talking(&with_words(), 10);
    for take in 1..=2 {
        desk.run(1_000, false);
        desk.press('8');
        desk.run(3_000, false);
        let begun = desk.tapes.iter().filter(|tape| matches!(tape, Tape::Begin(_))).count();
        assert_eq!(begun, take);
        desk.hears_the_tone();
        desk.run(1_000, true);
        takes_over(&mut desk);
        assert_eq!(desk.tapes.last(), Some(&Tape::End { is_spoken: true }), "{take}");
        let taped = desk.tapes.len();
        desk.run(1_000, true);
        assert_eq!(desk.tapes.len(), taped, "what people say to each other is on no tape");
        gives_back(&mut desk);
    }
}

#[test]
fn a_voice_that_was_given_up_is_tried_again_after_somebody_has_spoken() {
    let mut desk = talking(&with_words(), 10);
    desk.run(1_000, false);
    desk.voice_takes = Duration::from_secs(3_600);
    for _ in 0..2 {
        desk.texts.clear();
        desk.says("Track my order.");
        desk.texts.clear();
        desk.says("4729");
        desk.run(10_000, false);
        desk.texts.clear();
        desk.says("no");
    }
    let sounds = desk.stalled.iter().filter(|stage| **stage == Stage::Sound).count();
    assert!(sounds >= 2, "the assistant is mute: {:?}", desk.stalled);
    takes_over(&mut desk);
    desk.run(5_000, false);
    desk.voice_takes = Duration::ZERO;
    desk.speaking.clear();
    gives_back(&mut desk);
    desk.run(3_000, false);
    let asked = desk.spoken.len();
    desk.texts.clear();
    desk.says("Track my order.");
    desk.texts.clear();
    desk.says("4729");
    desk.run(3_000, false);
    assert!(desk.spoken.len() > asked, "{:?}", desk.replies());
}
