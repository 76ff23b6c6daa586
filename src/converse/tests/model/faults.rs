//! A model that is late, broken or endless: what the caller hears in its place, and when.

use super::*;
use crate::converse::llm::Fault;

const ALMOST_A_SECOND: Duration = Duration::from_millis(950);

/// What a server can do to us, each as the events that come of it.
fn mishaps() -> Vec<(&'static str, Vec<Event>)> {
    let text = |text: &str| Event::Text(Private::new(text.to_owned()));
    let call = |name: &str, arguments: &str| {
        let arguments = Private::new(arguments.to_owned());
        Event::Call(ToolRequest { id: String::new(), name: name.into(), arguments })
    };
    let done = || Event::Done(Finish::Stop);
    vec![
        ("no answer at all", vec![]),
        ("a stall in mid-answer", vec![text("Yes. And then")]),
        ("a 500", vec![Event::Failed(Fault::Server(500))]),
        ("an empty reply", vec![done()]),
        ("nothing but thoughts", vec![text("<think>hm"), done()]),
        ("invalid JSON", vec![text("Yes. "), Event::Failed(Fault::Protocol)]),
        ("an unknown tool", vec![call("format_disk", "{}"), done()]),
        ("arguments that are no JSON", vec![call("take_message", "{"), done()]),
        ("a runaway of words", vec![text("word "); 10_000]),
        ("a runaway of sentences", vec![text("A few words more. "); 10_000]),
        ("a runaway of line feeds", vec![text("\n"); 10_000]),
        ("a line of marks", vec![text(&"! ".repeat(125_000))]),
        ("a stopped server", vec![Event::Failed(Fault::Resting)]),
    ]
}

#[test]
fn whatever_the_server_does_the_caller_hears_something_within_a_second_and_the_call_ends_well() {
    for (mishap, events) in mishaps() {
        let mut desk = asks();
        events.into_iter().for_each(|event| desk.model(event));
        let mut heard = Vec::new();
        for _ in 0..10 {
            desk.wait(ALMOST_A_SECOND);
            let said = desk.play();
            let had_asked = desk.asked.len();
            assert!(had_asked <= 1 + limits::LLM_ROUNDS as usize, "{mishap}");
            if desk.conversation.is_thinking() || heard.is_empty() {
                assert!(!said.is_empty(), "{mishap}: silent for a second after {heard:?}");
            }
            heard.extend(said);
        }
        let spoken: usize = heard.iter().map(String::len).sum();
        assert!(spoken <= limits::LLM_SPOKEN_CHARS + 300, "{mishap}: {spoken}");
        if !mishap.contains("runaway of words") && !mishap.contains("runaway of sentences") {
            assert!(heard.iter().any(|said| said.contains(OFFER)), "{mishap}: {heard:?}");
            let blames = |said: &String| said.contains("not understand");
            assert!(!heard.iter().any(blames), "{mishap}: the caller was understood: {heard:?}");
            desk.hear("No.");
            desk.play();
        }
        desk.hear("Goodbye.");
        desk.play();
        assert_eq!(desk.ended, Some(EndCause::Goodbye), "{mishap}");
    }
}

#[test]
fn the_filler_counts_from_the_callers_last_word_however_long_the_end_was_waited_for() {
    for (waited, left) in [(0, 800), (500, 300), (795, 5), (900, 0)] {
        let mut desk = desk();
        desk.give(Input::CallerSpeaking);
        let since = desk.now;
        desk.wait(Duration::from_millis(waited));
        desk.give(Input::CallerSilent { since });
        desk.give(Input::Heard(Speech::certain(QUESTION)));
        if left > 0 {
            desk.wait(Duration::from_millis(left - 1));
            assert_eq!(desk.play(), Vec::<String>::new(), "{waited}");
        }
        desk.wait(Duration::from_millis(1));
        assert_eq!(desk.play(), ["Let me have a look."], "{waited}");
    }
}

#[test]
fn a_server_that_fails_after_its_tools_brings_back_nothing_that_is_over() {
    let fails = |desk: &mut Desk| {
        desk.model(Event::Failed(Fault::Server(500)));
        desk.play().join(" ")
    };
    let asked = |answer: &str| {
        let mut desk = asks();
        desk.calls("take_message", r#"{"text":"Call me."}"#);
        desk.done();
        desk.play();
        desk.hear(answer);
        desk
    };
    let mut left = asked("Yes.");
    assert_eq!(left.messages.len(), 1);
    let said = fails(&mut left);
    assert!(said.contains("I have taken your message") && !said.contains(OFFER), "{said}");
    left.hear("No.");
    left.play();
    assert_eq!((left.ended, left.messages.len()), (Some(EndCause::Goodbye), 1));
    let mut declined = asked("No.");
    assert_eq!(fails(&mut declined), "What can I do for you?");
    // Without a question in between what the playbook would say still fits.
    let mut noted = asks();
    noted.calls("remember", r#"{"name":"a","value":"b"}"#);
    noted.done();
    assert!(fails(&mut noted).contains(OFFER));
}

#[test]
fn answers_in_between_take_back_how_often_help_was_offered() {
    let mut desk = desk();
    for _ in 0..6 {
        desk.hear(QUESTION);
        desk.model(Event::Failed(Fault::Server(500)));
        assert!(desk.play()[0].contains(OFFER));
        desk.hear("No.");
        desk.play();
        desk.hear(QUESTION);
        desk.tells("Well.");
        desk.done();
        assert_eq!(desk.play(), ["Well."]);
    }
    assert_eq!(desk.ended, None);
}

#[test]
fn silence_brings_the_filler_and_then_the_offer_and_the_server_is_told_to_stop() {
    let mut desk = asks();
    desk.wait(limits::LLM_FILLER_AFTER);
    assert_eq!(desk.play(), ["Let me have a look."]);
    desk.wait(limits::LLM_AGAIN_AFTER);
    assert_eq!(desk.play(), ["One moment, please."]);
    assert!(desk.cancelled.is_empty());
    desk.wait(limits::LLM_AGAIN_AFTER);
    assert!(desk.play()[0].contains(OFFER));
    assert_eq!(desk.cancelled.len(), 1);
    desk.hear("Yes, please.");
    assert!(!desk.play().is_empty() && desk.asked.len() == 1, "the playbook takes the message");
    let mut late = asks();
    late.wait(limits::LLM_FILLER_AFTER);
    late.play();
    late.wait(limits::LLM_AGAIN_AFTER);
    late.tells("Yes. ");
    late.done();
    late.play();
    late.hear(QUESTION);
    let fillers = ["have a look", "One moment"];
    let is_told = |filler: &str| words(late.last_chat()).iter().any(|told| told.contains(filler));
    assert!(!fillers.into_iter().any(is_told), "a model would learn to begin with them");
}

#[test]
fn a_model_that_breaks_off_is_followed_by_the_playbooks_own_answer_where_there_is_one() {
    let open = include_str!("../../playbook/logistics.toml")
        .replace("answers = \"missed\"", "answers = \"open\"");
    let settings = Settings { has_model: true, ..Settings::default() };
    let mut desk = Desk::with(Playbook::parse(&open).expect("it is sound"), settings);
    desk.give(Input::Connected);
    desk.play();
    desk.hear("What are your opening hours?");
    assert_eq!(desk.asked.len(), 1);
    desk.tells("We are open every day. On Sundays");
    assert_eq!(desk.play(), ["We are open every day."]);
    desk.model(Event::Failed(Fault::Stalled));
    let said = desk.play().join(" ");
    assert!(said.contains("8 am") && !said.contains(OFFER), "{said}");
}

#[test]
fn an_offer_of_the_playbook_that_names_none_for_models_is_the_one_after_two_misses() {
    let shipped = include_str!("../../playbook/logistics.toml");
    let old: Vec<&str> = shipped
        .lines()
        .filter(|line| !line.starts_with("offer =") && !line.starts_with("filler_again ="))
        .collect();
    let settings = Settings { has_model: true, ..Settings::default() };
    let mut desk = Desk::with(Playbook::parse(&old.join("\n")).expect("it is sound"), settings);
    desk.give(Input::Connected);
    desk.play();
    desk.hear(QUESTION);
    for wait in [limits::LLM_FILLER_AFTER, limits::LLM_AGAIN_AFTER] {
        desk.wait(wait);
        assert_eq!(desk.play(), ["Let me have a look."]);
    }
    desk.wait(limits::LLM_AGAIN_AFTER);
    assert!(desk.play()[0].contains("do not understand"));
}
