//! A call that is passed on: how it ends, and what the caller hears when it is not.

use std::time::Duration;

use super::*;
use crate::converse::people::{Address, People, Person};
use crate::sip::ReferNews;

fn desk() -> Desk {
    let person = Person {
        name: "Anna Weber".to_owned(),
        phrases: Vec::new(),
        address: Address::Number(Private::new("+4930123456".to_owned())),
        hours: None,
        ring: Duration::from_secs(30),
    };
    let playbook = Playbook::logistics().with_people(People::new(vec![person])).unwrap();
    let settings = Settings { tongues: Tongues::only(playbook), ..settings() };
    let mut desk = Desk::take(&settings, Some(OFFER)).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(1_000, false);
    desk.commands.clear();
    desk.says("I want to speak to a person.");
    desk.run(3_000, false);
    desk
}

fn news(desk: &mut Desk, news: ReferNews) {
    desk.sip(sip::Event::Refer { leg: LEG, news });
}

#[test]
fn the_caller_is_told_and_then_passed_on() {
    let mut desk = desk();
    let command = desk.commands.pop_front();
    let Some(sip::Command::Refer { leg: LEG, to, within }) = command else { panic!() };
    assert_eq!(to, sip::ReferTo::Number(Private::new("+4930123456".to_owned())));
    assert_eq!(within, Duration::from_secs(30));
    assert!(desk.replies().last().unwrap().contains("putting you through to Anna Weber"));
    news(&mut desk, ReferNews::Accepted);
    desk.run(5_000, false);
    assert_eq!(desk.ending(), None);
    news(&mut desk, ReferNews::Done);
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.ending(), Some(Cause::Transferred));
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByUs });
    assert!(desk.call.is_ended());
}

#[test]
fn a_caller_who_reaches_nobody_is_taken_back_and_may_still_be_answered_late() {
    let mut desk = desk();
    desk.commands.clear();
    news(&mut desk, ReferNews::Accepted);
    news(&mut desk, ReferNews::Failed(486));
    desk.run(1_000, false);
    let said = desk.replies();
    assert!(said.last().unwrap().contains("I cannot reach Anna Weber"), "{said:?}");
    desk.texts.clear();
    desk.says("Yes, please.");
    let said = desk.replies();
    assert!(said.last().unwrap().contains("What is your name"), "{said:?}");
    news(&mut desk, ReferNews::Done);
    assert_eq!(desk.ending(), Some(Cause::Transferred));
}

#[test]
fn a_caller_who_leaves_meanwhile_has_left_meanwhile() {
    for (before, cause) in [
        (Some(ReferNews::Accepted), Cause::LeftInTransfer),
        (Some(ReferNews::Failed(603)), Cause::HungUp),
        (None, Cause::HungUp),
    ] {
        let mut desk = desk();
        if let Some(before) = before {
            news(&mut desk, before);
        }
        desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
        assert_eq!(desk.ending(), Some(cause), "{before:?}");
        assert!(desk.call.is_ended());
    }
}
