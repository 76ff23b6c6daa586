use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::Desk;
use crate::base::{Entropy, Private, UtteranceId, limits};
use crate::converse::*;

const SAID: [&str; 48] = [
    "Where is my parcel?",
    "Track order 4729.",
    "4729",
    "47",
    "29.",
    "Yes.",
    "No.",
    "No, I meant 4728.",
    "Cancel.",
    "I want to cancel order 12345.",
    "Help.",
    "Repeat.",
    "Thank you.",
    "Hello.",
    "I want to leave a message.",
    "My name is Anna.",
    "Anna.",
    "555 0123 456",
    "I don't know.",
    "Stop.",
    "Can I speak to someone?",
    "What are your opening hours?",
    "Purple dragons.",
    "",
    "[BLANK_AUDIO]",
    "double double double",
    "oh oh oh",
    "hundred thousand hundred",
    "999999999999999999999999999",
    "<digits>1</digits>",
    "{order}",
    "my order number is",
    "and",
    "one two three four five six seven",
    "Sorry?",
    "That is right.",
    "That's all.",
    "Confirm order 1, 2, 3, 4.",
    "...",
    "\u{0}\u{7f}é漢字🎉",
    "meant",
    "no no no",
    "is",
    "3 o'clock on Monday",
    "half past",
    "quarter to",
    "12:99",
    "call me Al",
];

fn text(entropy: &mut Entropy) -> String {
    let pick = |entropy: &mut Entropy| SAID[entropy.next_u32() as usize % SAID.len()];
    match entropy.next_u32() % 8 {
        0 => format!("{} {}", pick(entropy), pick(entropy)),
        1 => {
            let characters: Vec<char> = pick(entropy).chars().collect();
            let cut = entropy.next_u32() as usize % (characters.len() + 1);
            characters.into_iter().take(cut).collect()
        }
        2 if entropy.next_u32().is_multiple_of(20) => pick(entropy).repeat(200),
        _ => pick(entropy).to_owned(),
    }
}

fn random_input(entropy: &mut Entropy, now: Instant) -> Input {
    let utterance = UtteranceId(entropy.next_u32() % 50);
    match entropy.next_u32() % 24 {
        0 => Input::HeardUnclear,
        1 => Input::CallerSpeaking,
        2 | 3 => Input::CallerSilent { since: now },
        4..=6 => Input::Digit(b"0123456789*#ABDx"[entropy.next_u32() as usize % 16].into()),
        7 | 8 => Input::Finished { utterance },
        9 => {
            Input::Interrupted { utterance, heard_fraction: entropy.next_u32() as f32 / 1e9 - 1.0 }
        }
        10 => Input::RecognizerLost,
        11 => Input::RecognizerBack,
        12 => Input::SynthesizerLost,
        13 => Input::SynthesizerBack,
        14 => Input::Timeout,
        15 => Input::Connected,
        n => Input::Heard(Speech {
            confidence: if n == 16 { f32::NAN } else { f32::from((n % 4) as u8) / 3.0 },
            ..random_speech(entropy)
        }),
    }
}

/// Sometimes with words, which need not lie where the text has any.
fn random_speech(entropy: &mut Entropy) -> Speech {
    let speech = Speech::evenly(&text(entropy), (entropy.next_u32() % 5) as f32 / 4.0);
    let has_words = entropy.next_u32().is_multiple_of(2);
    let mut at = 0;
    let words = (0..entropy.next_u32() % 9).map(|_| {
        let start = at + entropy.next_u32() as usize % 3;
        at = start + entropy.next_u32() as usize % 9;
        Word { range: start..at, confidence: (entropy.next_u32() % 5) as f32 / 4.0 }
    });
    Speech { words: words.filter(|_| has_words).collect(), ..speech }
}

#[test]
fn random_inputs_never_panic_and_never_grow() {
    let mut entropy = Entropy::new([5; 32]);
    let playbook = Playbook::logistics();
    for _ in 0..40 {
        let mut desk = Desk::with(playbook.clone(), Settings::default());
        desk.give(Input::Connected);
        for _ in 0..250 {
            let input = random_input(&mut entropy, desk.now);
            desk.now += Duration::from_millis(u64::from(entropy.next_u32() % 3_000));
            desk.give(input);
            for say in desk.said.drain(..) {
                assert!(say.text.reveal().len() <= limits::REPLY_CHARS);
                assert!(!say.text.reveal().is_empty());
            }
            desk.stopped.clear();
            desk.records.clear();
            desk.messages.clear();
            assert!(desk.conversation.history().count() <= limits::TURNS_PER_CALL);
            assert!(format!("{:?}", desk.conversation).len() < 100_000);
        }
    }
}

fn random_thought(entropy: &mut Entropy, ask: AskId) -> Input {
    let arguments = Private::new(text(entropy));
    let name = ["take_message", "hang_up", "remember", "", "dial"][entropy.next_u32() as usize % 5];
    let event = match entropy.next_u32() % 8 {
        0 => llm::Event::Done(llm::Finish::Stop),
        1 => llm::Event::Done(llm::Finish::Length),
        2 => llm::Event::Failed(llm::Fault::Stalled),
        3 => llm::Event::Call(llm::ToolRequest { id: String::new(), name: name.into(), arguments }),
        _ => llm::Event::Text(arguments),
    };
    Input::Thought { ask, event }
}

#[test]
fn beside_a_model_random_inputs_never_panic_and_one_answer_is_asked_at_most() {
    let mut entropy = Entropy::new([7; 32]);
    let playbook = Playbook::logistics();
    for _ in 0..40 {
        let settings = Settings { has_model: true, ..Settings::default() };
        let mut desk = Desk::with(playbook.clone(), settings);
        desk.give(Input::Connected);
        let mut open: Vec<AskId> = Vec::new();
        for _ in 0..300 {
            let latest = open.last().copied().unwrap_or(AskId(entropy.next_u32() % 50));
            let input = match entropy.next_u32() % 8 {
                0 => Input::Guessed(Speech::certain(&text(&mut entropy))),
                1 => Input::GoesOn,
                2..=4 => random_thought(&mut entropy, latest),
                _ => random_input(&mut entropy, desk.now),
            };
            if let Input::Thought { ask, event } = &input
                && event.is_end()
            {
                open.retain(|of| of != ask);
            }
            desk.now += Duration::from_millis(u64::from(entropy.next_u32() % 2_000));
            desk.give(input);
            open.extend(desk.asked.drain(..).map(|(ask, _)| ask));
            open.retain(|ask| !desk.cancelled.contains(ask));
            assert!(open.len() <= 1, "{open:?}");
            assert!(desk.ended.is_none() || open.is_empty(), "nobody waits for it any more");
            assert!(desk.digits.is_empty());
            for say in desk.said.drain(..) {
                assert!(!say.text.reveal().is_empty() && !say.text.reveal().contains("<|"));
            }
            assert!(format!("{:?}", desk.conversation).len() < 100_000);
        }
    }
}

#[test]
fn a_preview_is_what_is_said_and_changes_nothing() {
    let mut entropy = Entropy::new([6; 32]);
    let playbook = Playbook::logistics();
    for _ in 0..20 {
        let mut desk = Desk::with(playbook.clone(), Settings::default());
        desk.give(Input::Connected);
        for _ in 0..25 {
            let speech = random_speech(&mut entropy);
            let preview = desk.conversation.preview(&speech);
            assert_eq!(desk.conversation.preview(&speech), preview);
            desk.said.clear();
            desk.give(Input::Heard(speech.clone()));
            let said = desk.said.first().map(|say| say.text.clone());
            assert_eq!(said, preview.reply, "{}", speech.text.reveal());
            desk.play();
        }
    }
}

#[test]
fn thoughts_are_judged_complete_or_not() {
    use Completeness::{Complete, Doubtful, Incomplete, Probable, Unknown};
    let table: [(&[&str], &str, Completeness); 59] = [
        (&[], "What are your opening hours?", Complete),
        (&[], "Where is my parcel?", Complete),
        (&[], "Goodbye.", Complete),
        (&[], "Can I speak to someone?", Complete),
        (&[], "My order number is", Incomplete),
        (&[], "Track order number", Incomplete),
        (&[], "My order number is 4", Incomplete),
        (&[], "I want to", Incomplete),
        (&[], "Where is the", Incomplete),
        (&[], "I have a question and", Incomplete),
        (&[], "Well,", Incomplete),
        (&[], "and", Incomplete),
        (&[], "Take it to the", Incomplete),
        (&[], "Hello.", Probable),
        (&[], "Good morning.", Probable),
        (&[], "Thank you very much.", Probable),
        (&[], "Hello, I want to", Incomplete),
        (&[], "Yes.", Probable),
        (&[], "Okay.", Probable),
        (&[], "Yes, I", Incomplete),
        (&[], "Purple dragons swim.", Unknown),
        (&[], "", Unknown),
        (&[], "Track order 4729.", Probable),
        (&[], "Track order 47291.", Unknown),
        (&["Track my order."], "47", Incomplete),
        (&["Track my order."], "472", Incomplete),
        (&["Track my order."], "4729", Probable),
        (&["Track my order."], "47291", Unknown),
        (&["Track my order."], "4729 and", Incomplete),
        (&["Track my order."], "472 double", Incomplete),
        (&["Track my order."], "My number is", Incomplete),
        (&["Track my order."], "I don't know.", Probable),
        (&["My order number is 47"], "29", Probable),
        (&["My order number is 47"], "2", Incomplete),
        (&["I want to leave a message.", "Anna.", "555"], "01", Doubtful),
        (&["I want to leave a message.", "Anna."], "555", Incomplete),
        (&["I want to leave a message.", "Anna."], "555 0123", Unknown),
        (&["I want to leave a message.", "Anna."], "No.", Complete),
        (&["Track my order."], "123456789012", Complete),
        (&["Track my order."], "It is", Incomplete),
        (&["Track order 4729."], "Yes.", Complete),
        (&["Track order 4729."], "No.", Complete),
        (&["Track order 4729."], "Okay.", Complete),
        (&["Track order 4729."], "No, that is wrong.", Complete),
        (&["Track order 4729."], "No, it is", Incomplete),
        (&["I want to leave a message."], "Anna.", Complete),
        (&["I want to leave a message."], "My name is", Incomplete),
        (&["I want to speak to a person."], "My parcel is damaged.", Unknown),
        (&["I want to speak to a person."], "I want the", Incomplete),
        (&["What is your address?"], "No, thank you.", Complete),
        (&["What is your address?"], "Thank you.", Probable),
        (&[], "I want to track my order.", Probable),
        (&[], "Wait.", Incomplete),
        (&[], "Hello. Let me see.", Incomplete),
        (&["Track my order."], "Hold on.", Incomplete),
        (&["Track order 4729."], "Just a second.", Incomplete),
        (&[], "Um.", Incomplete),
        (&["Track my order."], "Uh", Incomplete),
        (&["Track order 4729."], "Mm.", Unknown),
    ];
    for (before, text, expected) in table {
        let judged = judged(before, Speech::certain(text));
        assert_eq!(judged, expected, "{before:?} {text}");
    }
}

/// What is thought of `speech` after these turns.
fn judged(before: &[&str], speech: Speech) -> Completeness {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    for said in before {
        desk.hear(said);
        desk.play();
    }
    desk.conversation.preview(&speech).completeness
}

#[test]
fn a_voice_that_goes_on_or_has_ended_tells_what_words_do_not() {
    use Completeness::{Complete, Doubtful, Incomplete, Probable, Unknown};
    let order: &[&str] = &["Track my order."];
    let part: &[&str] = &["Track my order.", "62"];
    let question: &[&str] = &["Track order 4729."];
    let dictated: &[&str] = &["I want to speak to a person."];
    // With a voice that surely ended, may go on, goes on, and surely does.
    let table = [
        (&[][..], "What are your opening hours", [Complete, Complete, Doubtful, Incomplete]),
        (&[], "Can you repeat that", [Complete, Complete, Probable, Probable]),
        (&[], "What are your", [Incomplete; 4]),
        (&[], "Hello", [Probable, Probable, Doubtful, Doubtful]),
        (&[], "Sorry", [Complete, Complete, Probable, Probable]),
        (&[], "I want to track my order", [Complete, Probable, Doubtful, Doubtful]),
        (&[], "Purple dragons swim", [Probable, Unknown, Incomplete, Incomplete]),
        (dictated, "My parcel is damaged", [Unknown, Unknown, Incomplete, Incomplete]),
        (question, "Yes", [Complete, Complete, Probable, Probable]),
        (order, "47", [Unknown, Incomplete, Incomplete, Incomplete]),
        (order, "472", [Unknown, Unknown, Incomplete, Incomplete]),
        // In one go; a caller who has paused in it is another case.
        (order, "4729", [Probable; 4]),
        (order, "472912", [Probable, Probable, Incomplete, Incomplete]),
        (order, "472912472912", [Complete; 4]),
        // Of a number that comes in parts the rest does, too.
        (part, "5", [Incomplete; 4]),
        (part, "51", [Probable, Probable, Doubtful, Doubtful]),
        (part, "514", [Doubtful, Doubtful, Incomplete, Incomplete]),
    ];
    for (before, text, expected) in table {
        let judged = [0.1, 0.4, 0.65, 0.8].map(|goes_on| {
            judged(before, Speech { goes_on: Some(goes_on), ..Speech::certain(text) })
        });
        assert_eq!(judged, expected, "{before:?} {text}");
    }
}

#[test]
fn words_that_are_a_guess_tell_nothing_of_an_end_unless_they_are_taken_all_the_same() {
    use Completeness::{Complete, Doubtful, Incomplete, Unclear, Unknown};
    let order: &[&str] = &["Track my order."];
    let dictated: &[&str] = &["I want to speak to a person."];
    let table = [
        (&[][..], "This is the status of an", [Unclear, Doubtful]),
        (&[], "What are your opening hours", [Unclear, Doubtful]),
        (order, "That is all, wait", [Unclear, Doubtful]),
        (order, "47", [Unknown, Incomplete]),
        (order, "472912472912", [Complete, Complete]),
        (dictated, "My parcel is damaged", [Unknown, Incomplete]),
    ];
    for (before, text, expected) in table {
        let judged = [0.1, 0.8].map(|goes_on| {
            let certain = Speech::certain(text);
            judged(before, Speech { goes_on: Some(goes_on), confidence: 0.05, ..certain })
        });
        assert_eq!(judged, expected, "{before:?} {text}");
    }
}

#[test]
fn a_number_of_the_usual_length_is_waited_for_where_the_caller_has_paused_in_it() {
    use Completeness::{Doubtful, Probable};
    let goes_on = |text: &str| Speech { goes_on: Some(0.8), ..Speech::certain(text) };
    for (before, expected) in
        [(None, Probable), (Some("My order number is"), Probable), (Some("It is 47"), Doubtful)]
    {
        let mut desk = Desk::new();
        desk.give(Input::Connected);
        desk.play();
        desk.hear("Track my order.");
        desk.play();
        desk.give(Input::CallerSpeaking);
        let judged = |desk: &Desk| desk.conversation.preview(&goes_on("It is 4729")).completeness;
        if let Some(before) = before {
            desk.give(Input::Guessed(goes_on(before)));
            desk.give(Input::GoesOn);
            assert_eq!(judged(&desk), Probable, "so short a pause is within a word");
            desk.give(Input::Paused);
        }
        assert_eq!(judged(&desk), expected, "{before:?}");
        // A pause of the utterance before says nothing of this one.
        desk.give(Input::CallerSpeaking);
        assert_eq!(judged(&desk), Probable, "{before:?}");
    }
}

#[test]
fn every_fixed_phrase_is_known_before_the_call() {
    let playbook = Playbook::logistics();
    let fixed = fixed_phrases(&playbook);
    assert!(fixed.iter().any(|text| text.starts_with("Hello, this is Northgate")));
    assert!(fixed.iter().all(|text| !text.contains('{') && !text.contains("<digits>")));
    let mut desk = Desk::with(playbook, Settings::default());
    desk.give(Input::Connected);
    assert!(fixed.contains(desk.said[0].text.reveal()));
}

#[test]
fn the_same_playbook_serves_many_calls() {
    let playbook = Arc::new(Playbook::logistics());
    let calls: Vec<Conversation> =
        (0..3).map(|_| Conversation::new(Arc::clone(&playbook), Settings::default())).collect();
    assert_eq!(Arc::strong_count(&playbook), 1 + 2 * calls.len());
}
