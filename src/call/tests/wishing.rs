//! What a program of the owner's wants of a call.

use super::*;
use crate::call::{TransferTo, Wish};

fn wish(desk: &mut Desk, wish: Wish) {
    assert!(desk.call.can(&wish), "{wish:?}");
    desk.input(Input::Wish(wish));
}

/// The description of our next re-INVITE.
fn reoffered(desk: &mut Desk) -> String {
    match desk.commands.pop_front() {
        Some(sip::Command::Reoffer { sdp, .. }) => String::from_utf8(sdp).unwrap(),
        _ => panic!("no offer"),
    }
}

fn frames(desk: &Desk) -> u32 {
    desk.played.iter().map(|(_, frames)| frames).sum()
}

#[test]
fn a_call_that_rings_is_answered_at_once_and_once() {
    let settings = Settings { answer_after: Duration::from_secs(60), ..settings() };
    let mut desk = Desk::take(&settings, Some(OFFER)).unwrap();
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Ring { status: 180, .. })));
    let early = [Wish::Hold(true), Wish::Mute(true), Wish::Press(Private::new("1".into()))];
    assert!(early.iter().all(|wish| !desk.call.can(wish)));
    wish(&mut desk, Wish::Answer);
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Answer { .. })));
    assert!(!desk.call.can(&Wish::Answer));
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(2_000, false);
    assert!(frames(&desk) > 0 && desk.commands.is_empty());
}

#[test]
fn who_is_held_hears_nothing_until_the_call_goes_on() {
    let mut desk = Desk::talking();
    desk.commands.clear();
    wish(&mut desk, Wish::Hold(true));
    assert!(reoffered(&mut desk).contains("a=sendonly"));
    desk.run(100, false);
    let before = frames(&desk);
    // The other end's own re-INVITE does not end it.
    desk.sip(sip::Event::OfferReceived {
        leg: LEG,
        by: sip::OfferBy::Invite,
        offer: Some(OFFER.as_bytes().to_vec()),
    });
    let Some(sip::Command::AcceptOffer { sdp, .. }) = desk.commands.pop_front() else { panic!() };
    assert!(String::from_utf8(sdp).unwrap().contains("a=sendonly"));
    desk.run(20_000, false);
    assert_eq!((frames(&desk), desk.ending()), (before, None));
    wish(&mut desk, Wish::Hold(false));
    assert!(!reoffered(&mut desk).contains("a=sendonly"));
    desk.run(20_000, false);
    assert!(frames(&desk) > before);
}

#[test]
fn who_mutes_us_hears_nothing() {
    let mut desk = Desk::talking();
    desk.commands.clear();
    wish(&mut desk, Wish::Mute(true));
    desk.run(100, false);
    let before = frames(&desk);
    desk.run(20_000, false);
    assert_eq!((frames(&desk), desk.commands.len()), (before, 0));
    wish(&mut desk, Wish::Mute(false));
    desk.run(20_000, false);
    assert!(frames(&desk) > before);
}

#[test]
fn keys_are_pressed_and_the_other_end_is_sent_elsewhere() {
    let mut desk = Desk::talking();
    desk.commands.clear();
    wish(&mut desk, Wish::Press(Private::new("42#".into())));
    assert_eq!(desk.digits, ["42#"]);
    let to = Private::new("sip:anna@example.net".to_owned());
    wish(&mut desk, Wish::Transfer(TransferTo::Uri(to.clone())));
    let Some(sip::Command::Refer { to: sip::ReferTo::Uri(told), .. }) = desk.commands.pop_front()
    else {
        panic!()
    };
    assert_eq!(told, to);
    // One after the other.
    assert!(!desk.call.can(&Wish::Transfer(TransferTo::Uri(to.clone()))));
    desk.sip(sip::Event::Refer { leg: LEG, news: sip::ReferNews::Failed(486) });
    assert_eq!(desk.ending(), None);
    wish(&mut desk, Wish::Transfer(TransferTo::Uri(to)));
    desk.sip(sip::Event::Refer { leg: LEG, news: sip::ReferNews::Done });
    assert_eq!(desk.ending(), Some(Cause::Transferred));
}

#[test]
fn who_is_put_through_to_a_handset_is_neither_talked_to_nor_listened_to() {
    let mut desk = Desk::talking();
    desk.run(300, false);
    let said = desk.replies().len();
    let to = TransferTo::Uri(Private::new("local:desk".to_owned()));
    wish(&mut desk, Wish::Transfer(to));
    assert!(desk.put_through.is_some());
    let (greeting, frames) = desk.played[0];
    assert!(desk.silenced >= greeting, "the greeting stops");
    let through = desk.silenced;
    desk.input(Input::Silenced { through, utterance: greeting, frames });
    let asked = desk.asked.len();
    desk.says("What is your address?");
    desk.input(Input::Media(MediaEvent::Digit { digit: '2', duration: Duration::from_millis(80) }));
    desk.run(58_000, false);
    assert_eq!((desk.replies().len(), desk.asked.len(), desk.ending()), (said, asked, None));
    assert!(desk.sounded.len() > 500, "it rings");
    // Nobody was reached: the conversation goes on, and its times run again.
    desk.sip(sip::Event::Refer { leg: LEG, news: sip::ReferNews::Failed(480) });
    desk.run(15_000, false);
    assert!(desk.replies().len() > said, "{:?}", desk.replies());
    desk.texts.clear();
    desk.says("What is your address?");
    assert!(desk.replies().last().unwrap().contains("Harbour Road"), "{:?}", desk.replies());
}
