//! What the other end must have heard before it is recorded or listened to: whether it has.

use super::desk::Desk;
use crate::base::{Private, UtteranceId};
use crate::converse::*;

const CONSENT: &str = "This call is recorded.";
const ANNOUNCED: &str = "A colleague may listen.";

fn desk(announced: bool) -> Desk {
    let one = |sentence: &str| [("en".to_owned(), sentence.to_owned())].into();
    let announced = if announced { one(ANNOUNCED) } else { Default::default() };
    let settings = Settings { consent: one(CONSENT), announced, ..Settings::default() };
    Desk::with(Playbook::logistics(), settings)
}

fn told(desk: &Desk) -> (bool, bool) {
    let ToldFirst { consent, announced } = desk.conversation.told_first();
    (consent, announced)
}

#[test]
fn a_caller_is_told_once_the_greeting_was_heard_to_its_end() {
    for announced in [false, true] {
        let mut desk = desk(announced);
        desk.give(Input::Connected);
        desk.give(Input::Finished { utterance: UtteranceId(77) });
        assert_eq!(told(&desk), (false, false), "that was something else");
        let words = desk.play().concat();
        assert!(words.contains(CONSENT), "{words}");
        assert_eq!((words.contains(ANNOUNCED), told(&desk)), (announced, (true, announced)));
    }
}

#[test]
fn what_was_stopped_or_never_said_was_told_to_nobody() {
    let mut desk = desk(true);
    desk.give(Input::Connected);
    let utterance = desk.said[0].utterance;
    desk.said.clear();
    desk.give(Input::Interrupted { utterance, heard_fraction: 0.9 });
    desk.play();
    desk.hear("What are your opening hours?");
    desk.play();
    assert_eq!(told(&desk), (false, false));
    // Without a voice an apology stands in its place.
    let mut desk = self::desk(true);
    desk.give(Input::SynthesizerLost);
    desk.give(Input::Connected);
    let words = desk.play().concat();
    assert!(!words.contains(CONSENT), "{words}");
    assert_eq!(told(&desk), (false, false));
}

#[test]
fn a_person_who_is_offered_a_caller_and_a_machine_are_told_nothing() {
    let mut desk = self::desk(true);
    desk.conversation = desk.conversation.offering(Private::new("Anna?".to_owned()));
    desk.give(Input::Connected);
    assert!(!desk.play().concat().contains(CONSENT));
    assert_eq!(told(&desk), (false, false));
    let mut desk = self::desk(true);
    desk.conversation = desk.conversation.dialled(Variables::default());
    desk.conversation.leave_message();
    desk.give(Input::Connected);
    assert!(!desk.play().concat().contains(CONSENT));
    assert_eq!(told(&desk), (false, false));
}
