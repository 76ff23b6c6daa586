//! A conversation beside a model that the test plays: what is asked, said, cancelled, allowed.

use std::time::Duration;

mod faults;
mod injections;

use super::desk::Desk;
use crate::base::{Private, limits};
use crate::converse::llm::{Chat, Event, Finish, Message as Told, ToolRequest};
use crate::converse::*;

/// Nothing that the playbook knows.
const QUESTION: &str = "Do purple dragons fly over the moon?";

fn desk() -> Desk {
    let settings = Settings { has_model: true, ..Settings::default() };
    let mut desk = Desk::with(Playbook::logistics(), settings);
    desk.give(Input::Connected);
    desk.play();
    desk
}

fn asks() -> Desk {
    let mut desk = desk();
    desk.hear(QUESTION);
    assert_eq!((desk.asked.len(), desk.said.len()), (1, 0));
    desk
}

impl Desk {
    fn model(&mut self, event: Event) {
        let ask = self.asked.last().expect("somebody asked").0;
        self.give(Input::Thought { ask, event });
    }

    fn tells(&mut self, text: &str) {
        self.model(Event::Text(Private::new(text.to_owned())));
    }

    fn calls(&mut self, name: &str, arguments: &str) {
        let arguments = Private::new(arguments.to_owned());
        self.model(Event::Call(ToolRequest { id: "c".into(), name: name.into(), arguments }));
    }

    fn done(&mut self) {
        self.model(Event::Done(Finish::Stop));
    }

    fn guesses(&mut self, text: &str) {
        self.give(Input::Guessed(Speech::certain(text)));
    }

    fn last_chat(&self) -> &Chat {
        &self.asked.last().expect("somebody asked").1
    }
}

fn words(chat: &Chat) -> Vec<String> {
    let words = |told: &Told| match told {
        Told::System(_) => "system".to_owned(),
        Told::Earlier(text) => format!("earlier: {}", text.reveal()),
        Told::Caller(text) => format!("caller: {}", text.reveal()),
        Told::Desk(text) => format!("desk: {}", text.reveal()),
        Told::Calls { said, calls } if said.reveal().is_empty() => {
            format!("calls: {}", calls.len())
        }
        Told::Calls { said, calls } => format!("calls: {}, {}", said.reveal(), calls.len()),
        Told::Result { text, .. } => format!("result: {}", text.reveal()),
    };
    chat.messages.iter().map(words).collect()
}

const GREETING: &str = "desk: Hello, this is Northgate Logistics. How can I help you?";
const OFFER: &str = "take a message";

#[test]
fn what_the_playbook_knows_is_not_asked_and_what_it_misses_is() {
    let mut desk = desk();
    desk.hear("What are your opening hours?");
    assert!(desk.asked.is_empty());
    assert!(desk.play()[0].contains("8 am"));
    desk.hear(QUESTION);
    assert_eq!(desk.asked.len(), 1);
    desk.tells("Not that I kn");
    assert!(desk.said.is_empty());
    desk.tells("ow. Can I");
    assert_eq!(desk.play(), ["Not that I know."]);
    desk.tells(" help otherwise?");
    desk.done();
    assert_eq!(desk.play(), ["Can I help otherwise?"]);
    desk.hear("Say it again.");
    assert_eq!(desk.play(), ["Not that I know. Can I help otherwise?"], "repeat knows it");
}

#[test]
fn without_a_model_or_with_doubtful_words_nothing_is_asked() {
    let mut plain = Desk::new();
    plain.give(Input::Connected);
    plain.play();
    plain.guesses(QUESTION);
    plain.hear(QUESTION);
    assert!(plain.asked.is_empty() && !plain.play().is_empty());
    let mut desk = desk();
    desk.give(Input::Heard(Speech::evenly(QUESTION, 0.1)));
    assert!(desk.asked.is_empty() && !desk.play().is_empty());
}

#[test]
fn a_guess_is_asked_ahead_and_its_answer_is_said_only_once_the_turn_is_closed() {
    let mut desk = desk();
    desk.guesses("Do purple dragons");
    desk.guesses("Do purple dragons");
    assert_eq!(desk.asked.len(), 1);
    desk.give(Input::GoesOn);
    assert_eq!(desk.cancelled.len(), 1);
    desk.guesses(QUESTION);
    desk.tells("No. They do not.");
    desk.calls("take_message", r#"{"text":"dragons"}"#);
    desk.calls("hang_up", "{}");
    desk.done();
    desk.wait(Duration::from_millis(300));
    assert!(desk.said.is_empty() && desk.messages.is_empty() && desk.ended.is_none());
    let preview = desk.conversation.preview(&Speech::certain(QUESTION));
    assert_eq!(preview.reply.map(Private::into_revealed), Some("No.".to_owned()));
    desk.hear(QUESTION);
    assert_eq!(desk.asked.len(), 2, "what was asked ahead is used");
    assert_eq!((desk.said.len(), desk.awaited.answer), (3, Expectation::YesNo));
    desk.play();
    assert!(desk.messages.is_empty(), "it needs a yes first");
    assert_eq!(desk.ended, None, "nobody hangs up on a question");
}

#[test]
fn barge_in_cancels_the_answer_and_only_what_was_heard_is_told() {
    let mut desk = asks();
    desk.tells("One two three four. Five six");
    let utterance = desk.said.remove(0).utterance;
    desk.give(Input::CallerSpeaking);
    desk.give(Input::Interrupted { utterance, heard_fraction: 0.6 });
    assert_eq!(desk.cancelled, [desk.asked[0].0]);
    desk.tells(" seven. Eight.");
    assert!(desk.said.is_empty(), "a late answer is nobody's");
    desk.hear("But purple dragons sing, do they?");
    assert_eq!(
        words(desk.last_chat())[1..],
        [
            GREETING.to_owned(),
            format!("caller: {QUESTION}"),
            "desk: One two".to_owned(),
            "caller: But purple dragons sing, do they?".to_owned(),
        ]
    );
    let (first, second) = (&desk.asked[0].1, &desk.asked[1].1);
    assert!(second.messages.starts_with(&first.messages), "a stable beginning");
    assert_eq!(first.tools, second.tools);
}

#[test]
fn nothing_is_said_into_the_callers_words_and_it_is_said_after_a_cough() {
    let mut desk = asks();
    desk.give(Input::CallerSpeaking);
    desk.tells("Yes. No.");
    assert!(desk.said.is_empty());
    desk.give(Input::CallerSilent { since: desk.now });
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.said.len(), 1);
}

#[test]
fn words_beside_a_tool_call_are_told_with_it_while_they_are_still_being_said() {
    let mut desk = asks();
    desk.tells("Let me note that down. ");
    desk.calls("remember", r#"{"name":"a","value":"b"}"#);
    desk.done();
    let beside = |desk: &Desk, said: &str| {
        let told = words(desk.last_chat());
        let (caller, calls) = (format!("caller: {QUESTION}"), format!("calls: {said}, 1"));
        let wanted = [GREETING.to_owned(), caller, calls, "result: done".to_owned()];
        assert!(told[1..].starts_with(&wanted), "{told:?}");
    };
    beside(&desk, "Let me note that down.");
    desk.tells("Done.");
    desk.done();
    let mut heard = desk.said.clone();
    desk.play();
    desk.hear(QUESTION);
    beside(&desk, "Let me note that down.");
    assert_eq!(words(desk.last_chat())[5], "desk: Done.");
    let mut cut = asks();
    cut.tells("Let me note that down. ");
    cut.calls("remember", r#"{"name":"a","value":"b"}"#);
    cut.done();
    let utterance = cut.said.remove(0).utterance;
    assert_eq!(heard.remove(0).utterance, utterance);
    cut.give(Input::CallerSpeaking);
    cut.give(Input::Interrupted { utterance, heard_fraction: 0.4 });
    cut.hear(QUESTION);
    beside(&cut, "Let me");
}

#[test]
fn a_tool_that_needs_a_yes_runs_after_a_yes_only() {
    let question = "I will leave this message: Call me. Is that right?";
    for (answer, messages, told) in [
        ("Yes.", 1, "result: done: the message is left"),
        ("No.", 0, "result: not done: the caller said no"),
        (
            "Purple dragons sing very loudly tonight.",
            0,
            "result: not done: the caller did not say yes",
        ),
    ] {
        let mut desk = asks();
        desk.calls("take_message", r#"{"text":"Call me."}"#);
        desk.done();
        assert_eq!(desk.awaited.answer, Expectation::YesNo);
        assert_eq!(desk.play(), [question]);
        assert!(desk.messages.is_empty());
        desk.hear(answer);
        assert_eq!(desk.messages.len(), messages, "{answer}");
        assert!(words(desk.last_chat()).contains(&told.to_owned()), "{answer}");
        desk.tells("Well.");
        desk.done();
        assert_eq!(desk.play(), ["Well."]);
        assert_eq!(desk.awaited.answer, Expectation::Anything);
    }
    let mut keys = asks();
    keys.calls("take_message", r#"{"text":"Call me."}"#);
    keys.done();
    keys.play();
    keys.give(Input::Digit('1'));
    assert_eq!(keys.messages.len(), 1);
}

#[test]
fn a_yes_counts_only_once_the_question_was_heard() {
    let asked = || {
        let mut desk = asks();
        desk.calls("take_message", r#"{"text":"Call me."}"#);
        desk.done();
        let utterance = desk.said[0].utterance;
        (desk, utterance)
    };
    let (mut early, _) = asked();
    early.hear("Yes.");
    assert_eq!((early.messages.len(), early.said.len()), (0, 2), "it is asked again");
    early.play();
    early.hear("Yes.");
    assert_eq!(early.messages.len(), 1);
    let (mut key, _) = asked();
    key.give(Input::Digit('1'));
    assert_eq!(key.messages.len(), 0);
    for (heard_fraction, messages) in [(0.1, 0), (0.7, 1)] {
        let (mut cut, utterance) = asked();
        cut.give(Input::CallerSpeaking);
        cut.give(Input::Interrupted { utterance, heard_fraction });
        cut.hear("Yes.");
        assert_eq!(cut.messages.len(), messages, "{heard_fraction}");
    }
    let mut mute = asks();
    mute.give(Input::SynthesizerLost);
    mute.calls("take_message", r#"{"text":"Call me."}"#);
    mute.done();
    for _ in 0..4 {
        mute.play();
        mute.hear("Yes.");
    }
    assert!(mute.messages.is_empty(), "nobody heard what was asked");
}

#[test]
fn a_doubtful_or_unheard_yes_is_asked_for_again_and_a_lost_question_is_told() {
    let doubtful = || Input::Heard(Speech::evenly("Yes.", 0.1));
    for answer in [doubtful, || Input::HeardUnclear] {
        let mut desk = asks();
        desk.calls("take_message", r#"{"text":"Call me."}"#);
        desk.done();
        let question = desk.play();
        for _ in 0..2 {
            desk.give(answer());
            assert_eq!((desk.play(), desk.awaited.answer), (question.clone(), Expectation::YesNo));
        }
        let mut sure = asks();
        sure.calls("take_message", r#"{"text":"Call me."}"#);
        sure.done();
        sure.play();
        sure.give(answer());
        sure.hear("Yes.");
        assert_eq!(sure.messages.len(), 1);
        desk.give(answer());
        assert_ne!(desk.play(), question);
        desk.hear("No.");
        desk.play();
        desk.hear(QUESTION);
        let told = "result: not done: the caller did not say yes".to_owned();
        assert!(desk.messages.is_empty() && words(desk.last_chat()).contains(&told));
    }
}

#[test]
fn a_caller_who_is_being_asked_is_not_hung_up_on() {
    for tools in [["take_message", "hang_up"], ["hang_up", "take_message"]] {
        let mut desk = asks();
        for tool in tools {
            let arguments = if tool == "hang_up" { "{}" } else { r#"{"text":"Call me."}"# };
            desk.calls(tool, arguments);
        }
        desk.done();
        assert_eq!(
            desk.play(),
            ["I will leave this message: Call me. Is that right?"],
            "{tools:?}"
        );
        desk.wait(Duration::from_secs(5));
        assert_eq!(desk.ended, None, "{tools:?}");
        desk.hear("Yes.");
        assert_eq!(desk.messages.len(), 1, "{tools:?}");
        let refused = |told: &String| told.contains("the caller is being asked first");
        assert!(words(desk.last_chat()).iter().any(refused), "{tools:?}");
        desk.tells("Goodbye.");
        desk.calls("hang_up", "{}");
        desk.done();
        desk.play();
        assert_eq!(desk.ended, Some(EndCause::Goodbye), "{tools:?}");
    }
}

#[test]
fn another_language_renews_neither_the_budget_nor_the_numbers() {
    let mut desk = asks();
    for _ in 0..2 {
        desk.calls("remember", r#"{"name":"order","value":"4729"}"#);
    }
    desk.done();
    desk.tells("Well.");
    desk.done();
    desk.play();
    desk.conversation.switch(std::sync::Arc::new(Playbook::logistics()));
    for _ in 0..10 {
        desk.hear(QUESTION);
        desk.calls("remember", r#"{"name":"color","value":"red"}"#);
        desk.done();
        desk.tells("Well.");
        desk.done();
        desk.play();
    }
    let refused = |told: &&String| told.contains("used too often");
    assert_eq!(words(desk.last_chat()).iter().filter(refused).count(), 2);
    for (place, (ask, _)) in desk.asked.iter().enumerate() {
        assert!(desk.asked.iter().skip(place + 1).all(|(other, _)| other != ask));
    }
    desk.hear(QUESTION);
    desk.calls("take_message", r#"{"text":"Call me."}"#);
    desk.done();
    desk.play();
    desk.hear("Yes.");
    let fields = &desk.messages[0].fields;
    assert_eq!(fields[0].0, "order", "what was noted is not lost");
}

#[test]
fn a_long_farewell_is_heard_to_its_end() {
    let mut desk = asks();
    desk.tells("One. Two. Three. Four. ");
    desk.calls("hang_up", "");
    desk.done();
    assert_eq!(desk.said.len(), 4);
    while !desk.said.is_empty() {
        desk.wait(Duration::from_secs(12));
        assert_eq!(desk.ended, None);
        let utterance = desk.said.remove(0).utterance;
        desk.give(Input::Finished { utterance });
    }
    assert_eq!(desk.ended, Some(EndCause::Goodbye));
}

#[test]
fn a_model_may_remember_and_hang_up_and_its_rounds_are_counted() {
    let mut desk = asks();
    desk.calls("remember", r#"{"name":"order","value":"4729"}"#);
    desk.done();
    assert_eq!(words(desk.last_chat()).last().unwrap(), "result: done");
    desk.tells("Goodbye then.");
    desk.calls("hang_up", "");
    desk.done();
    assert_eq!(desk.ended, None, "its words are heard first");
    desk.play();
    assert_eq!(desk.ended, Some(EndCause::Goodbye));
    let mut endless = asks();
    for _ in 0..limits::LLM_ROUNDS {
        endless.calls("remember", r#"{"name":"a","value":"b"}"#);
        endless.done();
    }
    assert_eq!(endless.asked.len(), limits::LLM_ROUNDS as usize);
    assert!(endless.play()[0].contains(OFFER));
}

#[test]
fn a_yes_to_are_you_still_there_allows_nothing() {
    const ASKED: &str = "I will leave this message: Call me. Is that right?";
    for (heard, messages) in [(0.2, 0), (0.9, 1)] {
        let mut desk = asks();
        desk.calls("take_message", r#"{"text":"Call me."}"#);
        desk.done();
        assert_eq!(desk.play(), [ASKED]);
        desk.wait(Duration::from_secs(9));
        let prompt = desk.said.remove(0);
        let text = plain(prompt.text.reveal());
        assert!(text.starts_with("Are you still there?") && text.ends_with(ASKED), "{text}");
        desk.give(Input::CallerSpeaking);
        desk.give(Input::Interrupted { utterance: prompt.utterance, heard_fraction: heard });
        desk.hear("Yes.");
        assert_eq!(desk.messages.len(), messages, "{heard}");
        if messages == 0 {
            assert_eq!(desk.play(), [ASKED]);
        }
    }
}

#[test]
fn the_key_of_yes_counts_from_where_the_question_was_heard() {
    for (heard_fraction, messages) in [(0.2, 0), (0.8, 1)] {
        let mut desk = asks();
        desk.calls("take_message", r#"{"text":"Call me."}"#);
        desk.done();
        let utterance = desk.said.remove(0).utterance;
        // The key silences us first.
        desk.give(Input::HeardPart { utterance, heard_fraction });
        desk.give(Input::Digit('1'));
        assert_eq!(desk.messages.len(), messages, "{heard_fraction}");
    }
}
