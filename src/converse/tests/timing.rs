use std::time::Duration;

use super::desk::Desk;
use crate::base::UtteranceId;
use crate::converse::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn silence_is_prompted_at_8_s_and_16_s_and_ends_the_call() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.wait(Duration::from_millis(7_999));
    assert!(desk.said.is_empty());
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.play(), ["Are you still there?"]);
    desk.wait(seconds(8));
    assert_eq!(desk.play(), ["I cannot hear you."]);
    desk.wait(seconds(8));
    assert_eq!(desk.ended, None);
    assert_eq!(desk.play().len(), 1);
    assert_eq!(desk.ended, Some(EndCause::Silence));
    assert_eq!(desk.deadline, None);
}

#[test]
fn silence_is_not_counted_while_one_side_speaks() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.wait(seconds(60));
    assert_eq!(desk.said.len(), 1, "our greeting is still being played");
    desk.play();
    desk.give(Input::CallerSpeaking);
    desk.wait(seconds(60));
    assert!(desk.said.is_empty());
    desk.give(Input::CallerSilent { since: desk.now });
    desk.wait(seconds(8));
    assert_eq!(desk.play(), ["Are you still there?"]);
    desk.hear("Where are you?");
    desk.play();
    desk.wait(seconds(8));
    assert_eq!(
        desk.play(),
        ["Are you still there? Is there anything else I can do for you?"],
        "speech starts the count again, and the open question is repeated"
    );
}

#[test]
fn the_end_of_a_long_call_is_announced() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.give(Input::CallerSpeaking);
    desk.wait(seconds(269));
    assert!(desk.said.is_empty());
    desk.wait(seconds(3));
    assert!(desk.said.is_empty(), "the warning waits for the caller to finish");
    desk.give(Input::CallerSilent { since: desk.now });
    desk.wait(seconds(1));
    assert_eq!(desk.said.first().map(|say| say.purpose), Some(Purpose::LengthWarning));
    desk.play();
    desk.give(Input::CallerSpeaking);
    desk.wait(seconds(27));
    let end = desk.said.remove(0);
    assert_eq!((end.purpose, end.interruptible), (Purpose::Farewell, false));
    desk.hear("Where is my parcel?");
    assert!(desk.said.is_empty(), "time is over");
    desk.give(Input::Finished { utterance: end.utterance });
    assert_eq!(desk.ended, Some(EndCause::MaxDuration));
}

#[test]
fn a_farewell_that_is_never_reported_as_played_ends_the_call_anyway() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Goodbye.");
    assert_eq!(desk.said.len(), 1);
    desk.wait(seconds(20));
    assert_eq!(desk.ended, Some(EndCause::Goodbye));
}

#[test]
fn a_wish_during_the_farewell_is_answered_and_thanks_are_not() {
    for (words, is_wish) in [("Oh, when are you open?", true), ("Thank you.", false)] {
        // Before our last word, and over it.
        for is_over in [false, true] {
            let mut desk = Desk::new();
            desk.give(Input::Connected);
            desk.play();
            desk.hear("Goodbye.");
            let farewell = desk.said.remove(0);
            assert!(!farewell.interruptible);
            desk.give(Input::CallerSpeaking);
            if is_over {
                desk.give(Input::Finished { utterance: farewell.utterance });
                desk.wait(seconds(3));
                assert_eq!(desk.ended, None, "nobody is hung up on who speaks");
            }
            desk.hear(words);
            if !is_over {
                desk.give(Input::Finished { utterance: farewell.utterance });
            }
            let said = desk.play();
            assert_eq!(
                said.iter().any(|said| said.starts_with("We are open")),
                is_wish,
                "{said:?}"
            );
            desk.wait(seconds(1));
            assert_eq!(desk.ended, (!is_wish).then_some(EndCause::Goodbye), "{words} {is_over}");
        }
    }
}

#[test]
fn whoever_speaks_at_the_end_is_waited_for_and_not_for_ever() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Goodbye.");
    desk.give(Input::CallerSpeaking);
    desk.play();
    desk.wait(seconds(14));
    assert_eq!(desk.ended, None);
    desk.wait(seconds(2));
    assert_eq!(desk.ended, Some(EndCause::Goodbye));
}

#[test]
fn a_key_during_the_farewell_of_silence_is_an_answer() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    while desk.said.last().is_none_or(|say| say.purpose != Purpose::Farewell) {
        desk.play();
        desk.wait(seconds(1));
    }
    desk.give(Input::Digit('2'));
    desk.said.remove(0);
    assert!(desk.play()[0].starts_with("You find us at"));
    desk.wait(seconds(5));
    assert_eq!(desk.ended, None);
}

#[test]
fn what_is_said_into_the_farewell_is_believed_no_more_than_elsewhere() {
    let table = [
        (0.9, "You want to cancel order 4729. Is that right?"),
        (0.1, "Do you want to cancel an order?"),
    ];
    for (confidence, reply) in table {
        let mut desk = Desk::new();
        desk.give(Input::Connected);
        desk.play();
        desk.hear("Goodbye.");
        let farewell = desk.said.remove(0);
        desk.give(Input::CallerSpeaking);
        desk.give(Input::Finished { utterance: farewell.utterance });
        let speech = Speech::evenly("Cancel order 4729.", confidence);
        let preview = desk.conversation.preview(&speech).reply.map(|text| plain(text.reveal()));
        assert_eq!(preview.as_deref(), Some(reply));
        desk.give(Input::Heard(speech));
        assert_eq!(desk.play(), [reply]);
        assert_eq!(desk.ended, None);
    }
}

#[test]
fn an_interrupted_greeting_leaves_what_was_heard_in_the_history() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    let greeting = desk.said.remove(0);
    assert_eq!((greeting.purpose, greeting.interruptible), (Purpose::Greeting, true));
    desk.give(Input::Interrupted { utterance: greeting.utterance, heard_fraction: 0.45 });
    desk.hear("Where is my parcel?");
    assert_eq!(desk.play(), ["What is your order number?"]);
    let history: Vec<&str> =
        desk.conversation.history().map(|turn| turn.text.reveal().as_str()).collect();
    assert_eq!(
        history,
        ["Hello, this is Northgate", "Where is my parcel?", "What is your order number?"]
    );
}

#[test]
fn a_reply_and_a_key_stop_what_is_being_said() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.hear("Where is my parcel?");
    assert_eq!(desk.stopped, [UtteranceId(1)]);
    desk.give(Input::Digit('4'));
    assert_eq!(desk.stopped, [UtteranceId(1), UtteranceId(1), UtteranceId(2)]);
}

#[test]
fn a_run_of_keys_that_mean_nothing_gets_one_answer() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    let press = |desk: &mut Desk, keys: &str| {
        for key in keys.chars() {
            desk.give(Input::Digit(key));
            desk.wait(Duration::from_millis(200));
        }
    };
    // The 0 in it is no wish for a person.
    press(&mut desk, "*#06#");
    assert_eq!(desk.play(), Vec::<String>::new());
    desk.wait(seconds(1));
    let said = desk.play();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("You can use the keys."));
    // A key of the menu is answered at once, and who speaks meanwhile is answered instead.
    desk.give(Input::Digit('2'));
    assert!(desk.play()[0].starts_with("You find us at"));
    press(&mut desk, "7");
    desk.hear("What are your opening hours?");
    assert!(desk.play()[0].starts_with("We are open"));
    desk.wait(seconds(2));
    assert_eq!(desk.play(), Vec::<String>::new());
}

#[test]
fn a_lost_recogniser_is_announced_and_keys_still_work() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Where is my parcel?");
    desk.play();
    desk.give(Input::RecognizerLost);
    desk.give(Input::RecognizerLost);
    assert_eq!(desk.play(), ["One moment, please."]);
    desk.wait(seconds(8));
    // The menu's keys would be digits of the number.
    assert!(desk.play()[0].starts_with("Please say your order number digit by digit, or use the"));
    "4729#".chars().for_each(|key| desk.give(Input::Digit(key)));
    assert_eq!(desk.play(), ["That is 4729. Is that right?"]);
    desk.give(Input::RecognizerBack);
    assert_eq!(
        desk.play(),
        ["Thank you for waiting. Please say that again. That is 4729. Is that right?"]
    );
}

#[test]
fn without_a_voice_only_fixed_phrases_are_said() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.give(Input::SynthesizerLost);
    desk.hear("Track order 4729.");
    assert_eq!(
        desk.play(),
        ["I am sorry, I cannot answer that just now. Please go on, or call again in a moment."]
    );
    desk.hear("Stop.");
    desk.play();
    desk.hear("What is your address?");
    assert!(desk.play()[0].starts_with("You find us at"));
    desk.give(Input::SynthesizerBack);
    desk.hear("Track order 4729.");
    assert_eq!(desk.play(), ["That is 4729. Is that right?"]);
}

#[test]
fn nothing_is_said_before_the_caller_can_hear_and_after_the_end() {
    let mut desk = Desk::new();
    desk.hear("Hello?");
    desk.give(Input::Digit('1'));
    desk.give(Input::Timeout);
    assert!(desk.said.is_empty() && desk.deadline.is_none());
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Goodbye.");
    desk.play();
    desk.give(Input::Connected);
    desk.hear("Hello?");
    assert!(desk.said.is_empty() && desk.deadline.is_none());
}

#[test]
fn private_words_do_not_print() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.hear("My name is Rumpelstilz, cancel order 987654");
    let heard = Input::Heard(Speech::certain("Rumpelstilz 987654"));
    let shown = format!("{:?} {:?} {:?} {heard:?}", desk.conversation, desk.said, desk.records);
    assert!(!shown.contains("Rumpelstilz") && !shown.contains("987654"), "{shown}");
}
