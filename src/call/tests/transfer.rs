//! A call that is passed on: how it ends, and what the caller hears when it is not.

use std::time::Duration;

use super::*;
use crate::converse::people::{Address, People, Person, Way};
use crate::sip::ReferNews;

fn desk() -> Desk {
    desk_by(Way::Refer)
}

fn desk_by(way: Way) -> Desk {
    let person = Person {
        name: "Anna Weber".to_owned(),
        phrases: Vec::new(),
        address: Address::Number(Private::new("+4930123456".to_owned())),
        hours: None,
        way,
        then: None,
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

fn nobody_was_reached(desk: &mut Desk) {
    desk.run(1_000, false);
    let said = desk.replies();
    assert!(said.last().unwrap().contains("I cannot reach Anna Weber"), "{said:?}");
}

fn a_message_is_offered_and_taken(desk: &mut Desk) {
    nobody_was_reached(desk);
    desk.texts.clear();
    desk.says("Yes, please.");
    let said = desk.replies();
    assert!(said.last().unwrap().contains("What is your name"), "{said:?}");
}

#[test]
fn a_caller_who_reaches_nobody_is_taken_back_and_may_still_be_answered_late() {
    let mut desk = desk();
    desk.commands.clear();
    news(&mut desk, ReferNews::Accepted);
    news(&mut desk, ReferNews::Failed(486));
    a_message_is_offered_and_taken(&mut desk);
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

/// The caller has been told, and hears it ring.
fn waiting() -> Desk {
    let mut desk = desk_by(Way::Bridge);
    let wanted = desk.put_through.take().expect("somebody is to be called");
    assert_eq!(wanted.to, Address::Number(Private::new("+4930123456".to_owned())));
    assert!(wanted.offer.reveal().contains("I want to speak to a person"));
    assert!(desk.commands.is_empty(), "no REFER");
    desk
}

#[test]
fn a_caller_whom_we_put_through_hears_it_ring_and_is_told_if_nobody_takes_the_call() {
    let mut desk = waiting();
    desk.played.clear();
    desk.run(1_000, false);
    let rung: u32 = desk.played.iter().map(|(_, frames)| frames).sum();
    assert!(rung >= 45, "a second of it: {rung} frames");
    let (tone, _) = desk.played[0];
    news(&mut desk, ReferNews::Failed(480));
    assert_eq!(desk.silenced, tone, "it stops at once");
    nobody_was_reached(&mut desk);
}

#[test]
fn joined_calls_hear_each_other_and_nothing_of_ours() {
    let mut desk = waiting();
    desk.run(500, false);
    desk.input(Input::Joined);
    assert!(desk.call.record().is_joined);
    let before = desk.silenced;
    let asked = desk.asked.len();
    for sample in 1..=8 {
        desk.input(Input::Relayed(&Frame([sample; FRAME_SAMPLES])));
    }
    let mut heard = Vec::new();
    while let Some(frame) = desk.call.next_frame(desk.now) {
        assert!(frame.utterance > before, "it is not thrown away with ours");
        heard.push(frame.frame.0[0]);
    }
    assert_eq!(heard, [4, 5, 6, 7, 8], "of what comes too late the oldest is left out");
    desk.says("I have been waiting for days.");
    desk.run(120_000, false);
    assert_eq!(desk.asked.len(), asked, "no word of it is recognised");
    assert_eq!(desk.ending(), None, "and no silence or length of ours ends it");
    desk.input(Input::HangUp(Cause::Transferred));
    assert_eq!(desk.ending(), Some(Cause::Transferred));
}

#[test]
fn a_caller_whom_the_person_has_left_behind_is_offered_a_message() {
    for held in [false, true] {
        let mut desk = waiting();
        desk.run(500, false);
        desk.input(Input::Joined);
        desk.run(400_000, false);
        if held {
            desk.input(Input::PartnerWaits(true));
            desk.run(1_000, false);
        }
        desk.input(Input::LeftBehind);
        a_message_is_offered_and_taken(&mut desk);
        assert_eq!(desk.ending(), None);
        desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
        assert_eq!(desk.ending(), Some(Cause::HungUp));
    }
}

/// Somebody whom we have called is to be called by the caller's side.
#[test]
fn who_waits_to_be_called_by_the_callers_side_hears_that_and_may_hang_up() {
    let mut desk = waiting();
    desk.input(Input::Handed);
    desk.played.clear();
    desk.run(1_000, false);
    let rung: u32 = desk.played.iter().map(|(_, frames)| frames).sum();
    assert!(rung >= 45, "a second of it: {rung} frames");
    desk.input(Input::Joined);
    desk.input(Input::Relayed(&Frame([7; FRAME_SAMPLES])));
    let frame = desk.call.next_frame(desk.now).unwrap();
    assert_eq!(frame.frame.0[5], 7, "the caller is heard in its place");

    let mut desk = waiting();
    desk.input(Input::Handed);
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    assert_eq!(
        desk.ending(),
        Some(Cause::LeftInTransfer),
        "what the caller's side did is not known"
    );
}

#[test]
fn what_two_people_say_is_not_in_the_flight_record() {
    let mut desk = waiting();
    desk.input(Input::Joined);
    desk.run(2_000, false);
    let size = desk.file.len();
    for _ in 0..100 {
        desk.input(Input::Relayed(&Frame([9; FRAME_SAMPLES])));
        desk.run(20, true);
    }
    assert_eq!(desk.file.len(), size, "it has ended");
}

#[test]
fn the_tone_goes_on_after_something_was_said_over_it() {
    let mut desk = waiting();
    desk.run(300, false);
    desk.says("Are you still there?");
    desk.run(2_000, false);
    desk.played.clear();
    desk.run(3_000, false);
    let newest = desk.played.iter().map(|(utterance, _)| *utterance).max().unwrap();
    assert!(newest > desk.silenced, "what was silenced takes the tone with it");
}

const PERSON: LegId = LegId(9);

/// The person has taken the caller, whose side is asked to call them.
fn handing_over() -> Desk {
    let mut desk = desk_by(Way::Attended);
    let wanted = desk.put_through.take().expect("somebody is to be called");
    assert!(wanted.is_attended && desk.commands.is_empty(), "no REFER before anybody is there");
    desk.input(Input::HandOver(PERSON));
    let Some(sip::Command::Refer { leg: LEG, to, .. }) = desk.commands.pop_front() else {
        panic!("no REFER")
    };
    assert_eq!(to, sip::ReferTo::Leg(PERSON));
    desk
}

#[test]
fn a_caller_whose_side_calls_the_person_in_our_place_has_left_us() {
    let mut desk = handing_over();
    news(&mut desk, ReferNews::Accepted);
    desk.run(500, false);
    assert_eq!(desk.ending(), None);
    news(&mut desk, ReferNews::Done);
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.ending(), Some(Cause::Transferred));
}

#[test]
fn a_caller_whose_side_does_not_call_the_person_is_joined_with_them_and_not_dropped() {
    for before in [None, Some(ReferNews::Accepted)] {
        let mut desk = handing_over();
        before.into_iter().for_each(|before| news(&mut desk, before));
        desk.run(500, false);
        desk.played.clear();
        news(&mut desk, ReferNews::Failed(603));
        assert!(desk.is_not_handed_over && desk.ending().is_none());
        desk.run(200, false);
        assert!(!desk.played.is_empty(), "the caller still hears that somebody is waited for");
        desk.input(Input::Joined);
        assert!(desk.call.record().is_joined);
        // The caller's side has managed after all.
        news(&mut desk, ReferNews::Done);
        assert_eq!(desk.ending(), Some(Cause::Transferred));
    }
}

#[test]
fn a_caller_who_hangs_up_while_being_handed_over_may_be_with_the_person() {
    for (before, cause) in
        [(None, Cause::HungUp), (Some(ReferNews::Accepted), Cause::LeftInTransfer)]
    {
        let mut desk = handing_over();
        before.into_iter().for_each(|before| news(&mut desk, before));
        desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
        assert_eq!(desk.ending(), Some(cause));
    }
}

#[test]
fn a_caller_who_waits_too_long_to_be_handed_over_is_taken_back() {
    let mut desk = handing_over();
    desk.run(100_000, false);
    let said = desk.replies();
    assert!(said.iter().any(|said| said.contains("I cannot reach Anna Weber")), "{said:?}");
}

#[test]
fn a_caller_whose_person_holds_the_line_hears_that_it_is_held_until_it_is_taken_up_again() {
    let mut desk = waiting();
    desk.input(Input::Joined);
    desk.input(Input::PartnerWaits(true));
    desk.input(Input::Relayed(&Frame([7; FRAME_SAMPLES])));
    let held: Vec<_> = (0..3).filter_map(|_| desk.call.next_frame(desk.now)).collect();
    assert_eq!(held.len(), 3, "a sound of ours");
    assert!(held.iter().all(|frame| frame.frame.0[5] != 7), "nothing of the other call");
    desk.input(Input::PartnerWaits(false));
    assert!(desk.silenced >= held[0].utterance, "it ends at once");
    assert!(desk.call.next_frame(desk.now).is_none());
    desk.input(Input::Relayed(&Frame([7; FRAME_SAMPLES])));
    let frame = desk.call.next_frame(desk.now).unwrap();
    assert_eq!(frame.frame.0[5], 7);
    assert!(frame.utterance > desk.silenced);
}

#[test]
fn a_partner_is_told_when_nobody_hears_them_and_when_somebody_does() {
    let mut desk = waiting();
    desk.input(Input::Joined);
    let by = sip::OfferBy::Invite;
    let offer = |direction: &str, version: u32| {
        let offer = format!("{OFFER}a={direction}\r\n");
        Some(offer.replace("o=- 1 1", &format!("o=- 1 {version}")).into_bytes())
    };
    for (version, (direction, told)) in
        (2..).zip([("sendonly", &[][..]), ("inactive", &[true]), ("sendrecv", &[false])])
    {
        desk.partner_waits.clear();
        desk.sip(sip::Event::OfferReceived { leg: LEG, offer: offer(direction, version), by });
        assert_eq!(desk.partner_waits, told, "{direction}");
    }
    desk.partner_waits.clear();
    let towards = Towards { address: "192.0.2.1".parse().unwrap(), srtp: None, keys: None };
    desk.input(Input::Succeed { leg: LegId(3), within: Duration::from_secs(45), towards });
    assert_eq!(desk.partner_waits, [true], "it rings for them");
    desk.sip(sip::Event::Refused { leg: LegId(3), status: 486, retry_after_s: None });
    assert_eq!(desk.partner_waits, [true, false]);
}
