//! Callers who want a person: whom they get, and what they are offered when nobody answers.

use std::time::Duration;

use super::desk::Desk;
use crate::base::{Private, limits};
use crate::converse::llm::{Event, Finish, ToolRequest};
use crate::converse::people::{Address, Hours, People, Person, PersonId, Way, WeekMinute};
use crate::converse::*;

const SAY: &str = "One moment, please. I am putting you through to Anna Weber.";
const FAILED: &str = "I am sorry, I cannot reach Anna Weber at the moment. Shall I take a message?";
const CLOSED: &str = "I am sorry, nobody can take your call at this time. Shall I take a message?";

fn address(user: &str) -> Address {
    Address::Uri(Private::new(format!("sip:{user}@192.0.2.5")))
}

fn people() -> People {
    let person = |name: &str, phrases: &[&str], user: &str, hours: &str| Person {
        name: name.to_owned(),
        phrases: phrases.iter().map(|text| (*text).to_owned()).collect(),
        address: address(user),
        hours: Hours::parse(hours),
        way: Way::Refer,
        then: None,
        ring: Duration::from_secs(30),
    };
    People::new(vec![
        person("the night desk", &[], "night", "Mon-Sun 20:00-06:00"),
        person("Anna Weber", &["(anna|ann)", "sales"], "anna", ""),
        person("Bob", &["billing"], "bob", "Mon-Fri 08:00-18:00"),
    ])
}

/// The same, called by us, and each followed by the next.
fn bridged() -> People {
    let people: Vec<Person> = people()
        .iter()
        .map(|(id, person)| {
            let then = Some(PersonId((id.0 + 1) % 3));
            Person { way: Way::Bridge, then, ..person.clone() }
        })
        .collect();
    People::new(people)
}

/// On Monday at this hour.
fn desk_at(hour: u16) -> Desk {
    let began = WeekMinute::new(0, hour, 0);
    let settings = Settings { began, has_model: true, ..Settings::default() };
    Desk::with(Playbook::logistics().with_people(people()).unwrap(), settings)
}

fn desk() -> Desk {
    let mut desk = desk_at(10);
    desk.give(Input::Connected);
    desk.play();
    desk
}

#[test]
fn whoever_is_named_is_called_and_nobody_named_is_the_first_who_is_there() {
    for (words, hour, user) in [
        ("Can I speak to Anna, please?", 10, "anna"),
        ("Put me through to Anna Weber.", 10, "anna"),
        ("Sales, please.", 10, "anna"),
        ("connect me to billing", 10, "bob"),
        ("Is Bob there?", 10, "bob"),
        ("I want to speak to a person.", 10, "anna"),
        ("I want to speak to a person.", 22, "night"),
        ("Can I speak to John?", 10, "anna"),
    ] {
        let mut desk = desk_at(hour);
        desk.give(Input::Connected);
        desk.play();
        desk.hear(words);
        assert_eq!(desk.transfers, [], "{words}: nothing before the caller was told");
        assert!(desk.play()[0].starts_with("One moment, please."), "{words}");
        assert_eq!(desk.transfers, [address(user)], "{words}");
    }
}

#[test]
fn without_people_the_wish_is_a_message() {
    let mut desk = Desk::new();
    desk.give(Input::Connected);
    desk.play();
    desk.hear("I want to speak to a person.");
    assert!(desk.play()[0].starts_with("I cannot put you through at the moment"));
    assert!(desk.transfers.is_empty());
}

#[test]
fn nobody_answers_and_a_message_is_taken() {
    let mut desk = desk();
    desk.hear("Can I speak to Anna?");
    assert_eq!(desk.play(), [SAY]);
    desk.give(Input::NotTransferred);
    assert_eq!(desk.play(), [FAILED]);
    assert_eq!(desk.awaited.answer, Expectation::YesNo);
    desk.hear("Yes.");
    assert_eq!(desk.play(), ["I will take a message. What is your name, please?"]);
    let mut desk = self::desk();
    desk.hear("Put me through to sales.");
    assert_eq!(desk.play(), [SAY]);
    desk.give(Input::NotTransferred);
    assert_eq!(desk.play(), [FAILED]);
    desk.hear("No, thank you.");
    assert_eq!(desk.play(), ["All right. Is there anything else I can do for you?"]);
}

#[test]
fn outside_their_hours_nobody_is_called() {
    let mut desk = desk_at(19);
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Can I speak to Bob?");
    assert_eq!(desk.play(), [CLOSED]);
    assert!(desk.transfers.is_empty());
    desk.hear("Yes, please.");
    assert_eq!(desk.play(), ["I will take a message. What is your name, please?"]);
}

#[test]
fn while_it_rings_nobody_is_hurried_and_who_speaks_is_answered() {
    let mut desk = desk();
    desk.hear("Can I speak to Anna?");
    desk.play();
    desk.wait(Duration::from_secs(29));
    assert!(desk.said.is_empty() && desk.ended.is_none(), "silence is not asked about");
    desk.hear("Hello? Are you there?");
    assert_eq!(desk.play(), ["One moment, please. I am still trying to reach Anna Weber."]);
    desk.give(Input::Digit('1'));
    desk.give(Input::HeardUnclear);
    assert!(desk.said.is_empty());
    // No news at all: the conversation takes the caller back by itself.
    desk.wait(Duration::from_secs(12));
    assert_eq!(desk.play(), [FAILED]);
    desk.give(Input::NotTransferred);
    assert!(desk.said.is_empty(), "and hears of it once");
    desk.wait(Duration::from_secs(9));
    assert_eq!(desk.said.len(), 1, "silence counts again");
}

#[test]
fn the_longest_call_ends_after_the_ringing() {
    let mut desk = desk();
    desk.wait(Duration::from_secs(3));
    while desk.now + Duration::from_secs(8) < desk.deadline.unwrap() {
        desk.hear("What are your opening hours?");
        desk.play();
    }
    desk.hear("Can I speak to Anna?");
    desk.play();
    desk.wait(Duration::from_secs(25));
    assert_eq!(desk.ended, None);
}

#[test]
fn a_caller_who_reaches_nobody_again_and_again_is_not_put_through_any_more() {
    let mut desk = desk();
    for _ in 0..limits::TRANSFERS_PER_CALL {
        desk.hear("Can I speak to Anna?");
        assert_eq!(desk.play(), [SAY]);
        desk.give(Input::NotTransferred);
        desk.play();
    }
    desk.hear("Can I speak to Anna?");
    let said = desk.play();
    assert_eq!(said.last().unwrap(), FAILED);
    assert_eq!(desk.transfers.len(), limits::TRANSFERS_PER_CALL as usize);
}

#[test]
fn what_is_said_of_people_is_rendered_before_a_call() {
    let playbook = Playbook::logistics().with_people(people()).unwrap();
    let fixed = fixed_phrases(&playbook);
    for text in [SAY, FAILED, CLOSED] {
        assert!(fixed.iter().any(|phrase| phrase == text), "{text}");
    }
}

#[test]
fn a_wrong_phrase_of_a_person_is_told() {
    let mut wrong = people().iter().map(|(_, person)| person.clone()).collect::<Vec<_>>();
    wrong[1].phrases = vec!["(anna".to_owned()];
    let faults = Playbook::logistics().with_people(People::new(wrong)).unwrap_err();
    assert!(faults[0].to_string().starts_with("person.Anna Weber.phrases"), "{}", faults[0]);
}

impl Desk {
    fn tool(&mut self, name: &str, arguments: &str) {
        let ask = self.asked.last().expect("somebody asked").0;
        let arguments = Private::new(arguments.to_owned());
        let call = ToolRequest { id: "c".into(), name: name.into(), arguments };
        self.give(Input::Thought { ask, event: Event::Call(call) });
        self.give(Input::Thought { ask, event: Event::Done(Finish::Stop) });
    }
}

#[test]
fn a_model_puts_through_after_the_callers_yes_and_to_configured_people_only() {
    let mut desk = desk();
    desk.hear("Do purple dragons fly over the moon?");
    let offered = desk.asked[0].1.tools.iter().map(ToString::to_string).collect::<String>();
    assert!(offered.contains("\"enum\":[\"the night desk\",\"Anna Weber\",\"Bob\"]"), "{offered}");
    for wrong in [
        r#"{"person":"sip:mallory@203.0.113.9"}"#,
        r#"{"person":"+1 900 555 0100"}"#,
        r#"{"person":"Mallory"}"#,
        r#"{"to":"Anna Weber"}"#,
        r#"{"person":"the night desk"}"#,
    ] {
        desk.hear("Do purple dragons fly over the moon?");
        desk.tool("transfer", wrong);
        assert!(desk.play().is_empty() && desk.transfers.is_empty(), "{wrong}");
    }
    desk.tool("transfer", r#"{"person":"anna"}"#);
    assert_eq!(desk.play(), ["Shall I put you through to Anna Weber?"]);
    assert!(desk.transfers.is_empty());
    desk.hear("Yes.");
    assert_eq!(desk.play(), [SAY]);
    assert_eq!(desk.transfers, [address("anna")]);
    desk.give(Input::NotTransferred);
    assert_eq!(desk.play(), [FAILED]);
    desk.hear("No.");
    desk.play();
}

#[test]
fn news_of_a_transfer_waits_for_a_caller_who_speaks() {
    for word in [None, Some("Hello? Are you there?")] {
        let mut desk = desk();
        desk.hear("Can I speak to Anna?");
        desk.play();
        desk.give(Input::CallerSpeaking);
        desk.give(Input::NotTransferred);
        assert!(desk.said.is_empty(), "it would be spoken over the caller");
        desk.give(Input::CallerSilent { since: desk.now });
        match word {
            Some(word) => desk.give(Input::Heard(Speech::certain(word))),
            None => desk.wait(Duration::from_millis(20)),
        }
        assert_eq!(desk.play(), [FAILED], "{word:?}");
        desk.hear("Yes, please.");
        assert_eq!(desk.play(), ["I will take a message. What is your name, please?"]);
    }
}

#[test]
fn a_person_whom_we_call_is_told_what_the_caller_has_said() {
    let playbook = Playbook::logistics().with_people(bridged()).unwrap();
    let mut desk = Desk::with(playbook, Settings::default());
    desk.give(Input::Connected);
    desk.play();
    desk.hear("My parcel has been lying at your depot since last Tuesday.");
    desk.play();
    desk.hear("Can I speak to Anna?");
    desk.play();
    let offer = desk.offers.last().unwrap();
    assert!(offer.contains("a caller for Anna Weber"), "{offer}");
    assert!(offer.contains("lying at your depot since last Tuesday"), "{offer}");
}

#[test]
fn who_does_not_take_the_call_is_followed_by_the_next_who_is_there() {
    let playbook = Playbook::logistics().with_people(bridged()).unwrap();
    let began = WeekMinute::new(0, 10, 0);
    let mut desk = Desk::with(playbook, Settings { began, ..Settings::default() });
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Can I speak to Anna?");
    desk.play();
    desk.give(Input::NotTransferred);
    assert!(desk.play()[0].ends_with("putting you through to Bob."));
    assert_eq!(desk.transfers.last(), Some(&address("bob")));
    // The night desk is closed: Anna again. In a circle the caller is given up after some times.
    for _ in desk.transfers.len()..limits::TRANSFERS_PER_CALL as usize {
        desk.give(Input::NotTransferred);
        desk.play();
    }
    assert_eq!(desk.transfers.len(), limits::TRANSFERS_PER_CALL as usize);
    assert!(!desk.transfers.contains(&address("night")));
    desk.give(Input::NotTransferred);
    assert!(desk.play()[0].ends_with("Shall I take a message?"));
}

#[test]
fn without_a_text_nobody_is_called_by_us() {
    let text = include_str!("../playbook/logistics.toml");
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("offer = ")).collect();
    let playbook = Playbook::parse(&without.join("\n")).unwrap();
    let faults = playbook.with_people(bridged()).unwrap_err();
    assert!(faults.iter().any(|fault| fault.to_string().contains("transfer.offer")), "{faults:?}");
}

const OFFER: &str = "I have a caller for you. Press one to take the call.";

/// Somebody whom we have called for a caller has answered.
fn offered() -> Desk {
    let mut desk = Desk::new();
    let conversation = Conversation::new(Playbook::logistics().into(), Settings::default());
    desk.conversation = conversation.offering(Private::new(OFFER.to_owned()));
    desk.give(Input::Connected);
    desk
}

#[test]
fn one_or_yes_takes_the_caller_also_before_everything_is_said() {
    let mut desk = offered();
    assert_eq!(desk.awaited.answer, Expectation::YesNo);
    desk.give(Input::Digit('1'));
    assert!(desk.is_accepted && !desk.stopped.is_empty(), "what was being said stops");
    let mut desk = offered();
    assert_eq!(desk.play(), [OFFER]);
    desk.hear("Hello?");
    assert!(!desk.is_accepted && desk.ended.is_none());
    desk.hear("Yes.");
    assert!(desk.is_accepted && desk.ended.is_none());
}

#[test]
fn another_key_or_no_leaves_the_caller_where_it_is() {
    for key in ['2', '#'] {
        let mut desk = offered();
        desk.give(Input::Digit(key));
        assert!(!desk.is_accepted);
        assert_eq!(desk.ended, Some(EndCause::Goodbye));
    }
    let mut desk = offered();
    desk.play();
    desk.hear("No.");
    assert_eq!(desk.ended, Some(EndCause::Goodbye));
}

/// An answering machine talks, and then waits.
#[test]
fn who_says_neither_is_asked_once_more_and_then_left() {
    let mut desk = offered();
    assert_eq!(desk.play(), [OFFER]);
    desk.hear("This is the mailbox of Anna Weber. Please leave a message after the tone.");
    desk.wait(Duration::from_secs(6));
    assert_eq!(desk.play(), [OFFER]);
    desk.wait(Duration::from_secs(6));
    assert_eq!((desk.is_accepted, desk.ended), (false, Some(EndCause::Silence)));
}

/// A menu that talks on and on takes nobody, and is not asked for ever.
#[test]
fn an_offer_ends_also_where_somebody_talks_without_an_end() {
    let mut desk = offered();
    for _ in 0..60 {
        desk.play();
        desk.hear("for sales please hold the line");
        desk.wait(Duration::from_secs(2));
    }
    assert_eq!((desk.is_accepted, desk.ended), (false, Some(EndCause::Silence)));
}

#[test]
fn a_caller_who_has_waited_for_too_long_gives_the_person_up() {
    let playbook = Playbook::logistics().with_people(bridged()).unwrap();
    let mut desk = Desk::with(playbook, Settings::default());
    desk.give(Input::Connected);
    desk.play();
    desk.hear("Can I speak to Anna?");
    desk.play();
    desk.wait(Duration::from_secs(30 + 45));
    assert!(!desk.is_given_up, "it rang until then, and the person is being told");
    desk.wait(Duration::from_secs(11));
    assert!(desk.is_given_up);
}
