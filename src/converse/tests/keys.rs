//! Keys beside questions and words.

use std::time::Duration;

use super::desk::{Desk, transcript as talk};
use crate::converse::*;

fn press(desk: &mut Desk, keys: &str) {
    for key in keys.chars() {
        desk.give(Input::Digit(key));
        desk.wait(Duration::from_millis(300));
    }
}

fn asked_for_a_number() -> Desk {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Where is my parcel?");
    desk.play();
    desk
}

#[test]
fn a_hash_after_keys_that_were_taken_means_nothing_and_neither_do_keys_too_many() {
    for (keys, pause_ms, late, number) in
        [("4729", 3_100, "#", "4729"), ("123456789012", 0, "34#", "123456789012")]
    {
        let mut desk = asked_for_a_number();
        press(&mut desk, keys);
        desk.wait(Duration::from_millis(pause_ms));
        let read_back = format!("That is {number}. Is that right?");
        assert_eq!(desk.play(), [read_back.as_str()]);
        press(&mut desk, late);
        desk.wait(Duration::from_secs(1));
        assert_eq!(desk.play(), Vec::<String>::new(), "{keys} {late}");
        desk.wait(Duration::from_secs(3));
        press(&mut desk, "1");
        assert!(desk.play()[0].starts_with(&format!("I have noted order {number}.")));
    }
}

#[test]
fn a_key_that_means_nothing_to_a_question_repeats_the_question_and_no_menu() {
    let mut desk = asked_for_a_number();
    press(&mut desk, "4729#");
    assert_eq!(desk.play(), ["That is 4729. Is that right?"]);
    press(&mut desk, "*");
    desk.wait(Duration::from_secs(1));
    assert_eq!(desk.play(), ["That is 4729. Is that right? Press 1 for yes, or 2 for no."]);
}

#[test]
fn silence_in_a_call_by_keys_repeats_the_question_that_keys_answer() {
    let mut desk = Desk::new();
    desk.conversation =
        Conversation::new(Playbook::logistics().into(), Settings::default()).by_keys();
    desk.give(Input::Connected);
    desk.play();
    press(&mut desk, "3");
    desk.play();
    press(&mut desk, "4729#");
    desk.play();
    desk.wait(Duration::from_secs(9));
    assert_eq!(desk.play(), ["That is 4729. Is that right? Press 1 for yes, or 2 for no."]);
}

#[test]
fn words_before_the_keys_leave_them_and_words_after_them_do_not() {
    let mut desk = asked_for_a_number();
    desk.give(Input::CallerSpeaking);
    let since = desk.now;
    desk.wait(Duration::from_millis(300));
    press(&mut desk, "47");
    desk.give(Input::CallerSilent { since });
    desk.give(Input::Heard(Speech::certain("Okay.")));
    desk.give(Input::HeardUnclear);
    press(&mut desk, "29#");
    assert_eq!(desk.play(), ["That is 4729. Is that right?"]);
    let mut desk = asked_for_a_number();
    press(&mut desk, "47");
    desk.hear("5810.");
    press(&mut desk, "#");
    assert_eq!(desk.play()[0], "That is 5810. Is that right?");
}

#[test]
fn a_number_may_be_spoken_in_part_and_keyed_in_part() {
    for (keys, number) in [("29#", "4729"), ("4729#", "4729"), ("58#", "4758")] {
        talk(&format!(
            "desk: Hello, this is Northgate Logistics. How can I help you?
             caller: My order number is 47
             desk: Yes, go on.
             keys: {keys}
             desk: That is {number}. Is that right?"
        ));
    }
}

#[test]
fn a_yes_before_the_question_was_heard_has_it_said_once_more() {
    for (heard, messages) in [(0.2, 0), (0.6, 1)] {
        let mut desk = Desk::new();
        desk.give(Input::Connected);
        desk.play();
        desk.hear("Cancel order 4729.");
        let question = desk.said.remove(0);
        desk.give(Input::CallerSpeaking);
        let utterance = question.utterance;
        desk.give(Input::Interrupted { utterance, heard_fraction: heard });
        desk.hear("Yes.");
        assert_eq!(desk.messages.len(), messages, "{heard}");
        let mut by_key = Desk::new();
        by_key.give(Input::Connected);
        by_key.play();
        by_key.hear("Cancel order 4729.");
        let utterance = by_key.said.remove(0).utterance;
        by_key.give(Input::HeardPart { utterance, heard_fraction: heard });
        press(&mut by_key, "1");
        assert_eq!(by_key.messages.len(), messages, "{heard}");
        if messages == 0 {
            assert_eq!(desk.play(), ["You want to cancel order 4729. Is that right?"]);
            desk.hear("Yes.");
            assert_eq!(desk.messages.len(), 1);
        }
    }
}
