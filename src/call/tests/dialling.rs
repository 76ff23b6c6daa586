//! Calls that we make: what comes before the answer leads to nothing, the answer to all at once.

use super::super::record::Dialled;
use super::*;
use crate::listen::answered::{OnMachine, Verdict};
use crate::sip::Invite;

const RING: Duration = Duration::from_secs(45);
const SILENT: Option<&str> = None;

/// Dialled; the subject of the call is a value of it.
fn dial(subject: Option<&str>) -> Desk {
    dial_with(subject, OnMachine::Talk)
}

fn dial_with(subject: Option<&str>, on_machine: OnMachine) -> Desk {
    dial_as(subject, on_machine, false)
}

fn dial_as(subject: Option<&str>, on_machine: OnMachine, has_agent: bool) -> Desk {
    let settings = settings();
    let now = Instant::now();
    let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
    let value = |subject: &str| ("subject".to_owned(), Private::new(subject.to_owned()));
    let outgoing = Outgoing {
        id: CallId(1),
        leg: LEG,
        start: Start { now, unix_ms: 1_000_000, local: WeekMinute::default() },
        invite: Box::new(Invite {
            flow,
            others: Vec::new(),
            target: Private::new("sip:+4930123456@192.0.2.9".into()),
            from: None,
            display: None,
            sdp: None,
            credentials: None,
            headers: Vec::new(),
        }),
        peer: Private::new("+4930123456".into()),
        dialled: Dialled { trunk: "office".into(), ..Dialled::default() },
        media: LocalMedia {
            address: flow.local.ip(),
            port: 20_000,
            id: 7,
            srtp: None,
            keys: None,
            fingerprint: None,
            ice: Default::default(),
            seed: Private::default(),
        },
        manner: Manner { agent: has_agent, ..Manner::plain(LanguageCode::ENGLISH) },
        shelf: Arc::new(shelf(&settings, 10)),
        ring: RING,
        variables: subject.map(value).into_iter().collect(),
        on_machine,
        offer: None,
    };
    let mut desk = Desk::of(now, Tracked::dial(&settings, outgoing), 10);
    let Some(sip::Command::Invite { leg: LEG, invite }) = desk.commands.pop_front() else {
        panic!("no INVITE")
    };
    let offer = String::from_utf8(invite.sdp.unwrap()).unwrap();
    assert!(offer.contains("m=audio 20000"), "{offer}");
    assert!(desk.media.is_empty() && desk.commands.is_empty());
    desk
}

fn sdp(port: u16) -> Vec<u8> {
    OFFER.replace("40000", &port.to_string()).into_bytes()
}

impl Desk {
    fn provisional(&mut self, status: u16, port: Option<u16>) {
        self.sip(sip::Event::Progress { leg: LEG, status, sdp: port.map(sdp) });
    }

    /// The 200 and, as of a trunk of the policy `sip-200`, with it the answer.
    fn answers(&mut self, port: Option<u16>) {
        self.sip(sip::Event::Answered { leg: LEG, sdp: port.map(sdp) });
        self.input(Input::PickedUp);
    }

    fn state(&self) -> &'static str {
        self.call.record().progress.name()
    }

    /// Sound and speech of the other end are there, and nothing comes of them.
    fn nothing_is_connected(&mut self) {
        self.texts.push_back("hello");
        self.run(700, true);
        self.run(1_500, false);
        self.texts.clear();
        assert!(self.played.is_empty(), "something was spoken");
        assert!(self.asked.is_empty() && self.spoken.is_empty(), "the engine was asked");
        assert!(self.work.is_empty() && self.call.record().turns().is_empty());
    }
}

#[test]
fn a_200_without_anything_before_it_is_greeted_at_once_from_the_shelf() {
    let mut desk = dial(SILENT);
    assert_eq!(desk.state(), "dialling");
    desk.provisional(180, None);
    assert_eq!(desk.state(), "ringing");
    desk.run(3_000, false);
    desk.answers(Some(40_000));
    assert_eq!((desk.state(), desk.media.as_slice()), ("active", &["start"][..]));
    desk.run(20, false);
    assert_eq!(desk.played.len(), 1, "the first frame is there with the next tick");
    assert!(desk.spoken.is_empty(), "it was rendered before the call");
    let record = desk.call.record();
    assert!(record.greeting_delay_ms.unwrap() <= 60);
    assert_eq!(record.answer_delay_ms, Some(3_000));
    assert_eq!(record.direction, Direction::Outbound);
    let said = desk.replies().concat();
    assert!(said.contains("automatic assistant of Northgate Logistics"), "{said}");
    assert!(!said.contains("How can I help"), "these are a caller's words: {said}");
    assert!(!said.contains("I am calling about"), "nothing was given to say: {said}");
}

#[test]
fn what_the_call_is_about_is_rendered_while_the_greeting_is_heard() {
    let mut desk = dial(Some("your delivery"));
    desk.nothing_is_connected();
    desk.answers(Some(40_000));
    desk.run(20, false);
    assert_eq!(desk.played.len(), 1);
    let spoken: Vec<&str> = desk.spoken.iter().map(|(_, phrase)| phrase.as_str()).collect();
    assert_eq!(spoken, ["I am calling about your delivery."]);
    desk.run(2_000, false);
    desk.says("No.");
    desk.run(3_000, false);
    let last = desk.replies().concat();
    assert!(last.to_lowercase().contains("goodbye"), "the question was asked: {last}");
}

#[test]
fn early_media_is_heard_and_leads_to_nothing() {
    let mut desk = dial(SILENT);
    desk.provisional(183, Some(40_000));
    assert_eq!((desk.state(), desk.media.as_slice()), ("early-media", &["start"][..]));
    desk.nothing_is_connected();
    desk.input(Input::Media(MediaEvent::Digit {
        digit: '1',
        duration: Duration::from_millis(100),
    }));
    desk.input(Input::Media(MediaEvent::MediaTimeout));
    desk.nothing_is_connected();
    assert_eq!(desk.ending(), None, "an end that sends no early media is none");
    desk.answers(Some(40_000));
    assert_eq!(desk.media, ["start", "apply"]);
    desk.run(20, false);
    assert_eq!((desk.state(), desk.played.len()), ("active", 1));
}

#[test]
fn of_several_early_dialogs_the_last_is_heard_and_the_one_that_answers_counts() {
    let mut desk = dial(SILENT);
    for port in [40_000, 41_000, 42_000] {
        desk.provisional(183, Some(port));
        desk.nothing_is_connected();
    }
    assert_eq!(desk.media, ["start", "apply", "apply"]);
    desk.answers(Some(41_000));
    desk.run(20, false);
    assert_eq!((desk.media.len(), desk.played.len()), (4, 1));
}

#[test]
fn a_description_of_the_200_replaces_that_of_the_183() {
    let mut desk = dial(SILENT);
    desk.provisional(183, Some(40_000));
    let other = OFFER.replace("RTP/AVP 0 101", "RTP/AVP 9 101").replace("40000", "44000");
    desk.sip(sip::Event::Answered { leg: LEG, sdp: Some(other.into_bytes()) });
    desk.input(Input::PickedUp);
    assert_eq!(desk.media, ["start", "apply"]);
    assert_eq!(desk.call.record().codec, Some(Codec::G722));
}

#[test]
fn a_200_that_fits_nothing_is_ended() {
    for port in [None, Some(40_000)] {
        let mut desk = dial(SILENT);
        let sdp = port.map(|_| OFFER.replace("RTP/AVP 0 101", "RTP/AVP 18").into_bytes());
        desk.sip(sip::Event::Answered { leg: LEG, sdp });
        desk.input(Input::PickedUp);
        assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
        assert_eq!(desk.ending(), Some(Cause::NoCommonCodec));
        desk.nothing_is_connected();
        desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByUs });
        assert!(desk.call.is_ended());
    }
}

#[test]
fn a_200_that_the_trunk_does_not_take_for_an_answer_connects_nothing() {
    let mut desk = dial(SILENT);
    desk.sip(sip::Event::Answered { leg: LEG, sdp: Some(sdp(40_000)) });
    assert_eq!((desk.state(), desk.media.as_slice()), ("early-media", &["start"][..]));
    desk.nothing_is_connected();
    desk.input(Input::PickedUp);
    desk.run(20, false);
    assert_eq!((desk.state(), desk.played.len()), ("active", 1));
    // And one that nobody answers is hung up: a CANCEL would come too late.
    let mut desk = dial(SILENT);
    desk.sip(sip::Event::Answered { leg: LEG, sdp: Some(sdp(40_000)) });
    desk.now += RING;
    desk.input(Input::Timeout);
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.ending(), Some(Cause::NoAnswer));
}

#[test]
fn a_refusal_ends_it_with_its_reason_and_with_the_early_media() {
    for (status, cause) in [
        (486, Cause::CalleeBusy),
        (480, Cause::NoAnswer),
        (404, Cause::Refused(404)),
        (503, Cause::Refused(503)),
    ] {
        let mut desk = dial(SILENT);
        desk.provisional(183, Some(40_000));
        desk.run(500, false);
        desk.sip(sip::Event::Refused { leg: LEG, status, retry_after_s: None });
        assert_eq!((desk.ending(), desk.state()), (Some(cause), "ended"), "{status}");
        assert_eq!(desk.media, ["start", "stop"]);
        assert!(desk.call.is_ended() && desk.commands.is_empty());
        desk.nothing_is_connected();
    }
}

#[test]
fn it_rings_no_longer_than_configured() {
    let mut desk = dial(SILENT);
    desk.provisional(180, None);
    desk.now += RING - Duration::from_millis(1);
    desk.input(Input::Timeout);
    assert!(desk.commands.is_empty());
    desk.now += Duration::from_millis(1);
    desk.input(Input::Timeout);
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Cancel { .. })));
    assert_eq!((desk.ending(), desk.media.as_slice()), (Some(Cause::NoAnswer), &["stop"][..]));
    assert!(!desk.call.is_ended(), "the INVITE has no final response");
    desk.sip(sip::Event::Refused { leg: LEG, status: 487, retry_after_s: None });
    assert!(desk.call.is_ended());
    assert_eq!(desk.ending(), Some(Cause::NoAnswer));
}

#[test]
fn one_that_is_ended_while_it_rings_is_cancelled_and_connects_nothing_afterwards() {
    let mut desk = dial(SILENT);
    desk.provisional(183, Some(40_000));
    desk.input(Input::HangUp(Cause::EndedByOwner));
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Cancel { .. })));
    // The SIP core ends a 200 that crosses it by itself; nothing that comes is an answer here.
    desk.answers(Some(40_000));
    desk.nothing_is_connected();
    assert_eq!(desk.media, ["start", "stop"]);
    desk.sip(sip::Event::Refused { leg: LEG, status: 487, retry_after_s: None });
    assert_eq!(desk.ending(), Some(Cause::EndedByOwner));
    assert!(desk.call.is_ended());
}

#[test]
fn one_that_is_ended_while_they_talk_is_hung_up() {
    let mut desk = dial(SILENT);
    desk.answers(Some(40_000));
    desk.run(1_000, false);
    desk.input(Input::HangUp(Cause::EndedByOwner));
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.media, ["start", "stop"]);
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByUs });
    assert_eq!(desk.ending(), Some(Cause::EndedByOwner));
    assert!(desk.call.is_ended());
}

#[test]
fn nobody_is_told_the_reason_without_a_voice() {
    let mut desk = dial(Some("your delivery"));
    desk.engine = Engine::Down;
    desk.input(Input::EngineLost);
    desk.answers(Some(40_000));
    desk.run(2_000, false);
    let said = desk.replies().concat();
    assert!(said.contains("automatic assistant") && !said.contains("delivery"), "{said}");
    assert!(desk.spoken.is_empty());
}

#[test]
fn who_answers_is_known_before_a_call_that_wants_people_says_a_word() {
    let mut desk = dial_with(SILENT, OnMachine::HangUp);
    desk.answers(Some(40_000));
    desk.run(400, false);
    desk.run(700, true);
    assert!(desk.played.is_empty() && desk.asked.is_empty(), "nothing is said, nothing is asked");
    desk.run(1_500, false);
    assert_eq!(desk.call.record().answered_by, Some(Verdict::Person));
    assert!(!desk.played.is_empty(), "a person is greeted");
    assert_eq!(desk.ending(), None);
}

#[test]
fn a_machine_is_hung_up_on_without_a_word() {
    let mut desk = dial_with(SILENT, OnMachine::HangUp);
    desk.answers(Some(40_000));
    desk.run(400, false);
    desk.run(4_000, true);
    assert_eq!(desk.call.record().answered_by, Some(Verdict::Machine));
    assert_eq!(desk.ending(), Some(Cause::NoPerson));
    assert!(desk.played.is_empty());
}

#[test]
fn a_machines_first_words_tell_sooner_than_its_length() {
    let mut desk = dial_with(SILENT, OnMachine::HangUp);
    desk.answers(Some(40_000));
    desk.texts.push_back("Hi, you have reached the Weber family, please leave a message");
    desk.run(400, false);
    desk.run(1_160, true);
    assert_eq!(desk.call.record().answered_by, None);
    assert!(desk.asked.is_empty(), "too little was said");
    desk.run(240, true);
    assert_eq!(desk.call.record().answered_by, Some(Verdict::Machine));
    assert_eq!(desk.ending(), Some(Cause::NoPerson));
    assert_eq!(desk.asked.len(), 1);
}

#[test]
fn who_asks_for_a_name_first_is_told_who_calls() {
    let mut desk = dial_with(SILENT, OnMachine::HangUp);
    desk.answers(Some(40_000));
    desk.texts.push_back("Please state your name and the reason for calling");
    desk.run(400, false);
    desk.run(900, true);
    assert!(desk.played.is_empty());
    desk.run(400, false);
    assert_eq!(desk.call.record().answered_by, Some(Verdict::Screening));
    desk.run(1_500, false);
    assert!(!desk.played.is_empty(), "it says who calls");
    assert_eq!(desk.ending(), None);
}

#[test]
fn words_of_who_answered_are_no_turn_and_without_an_engine_the_sound_tells() {
    let mut desk = dial_with(SILENT, OnMachine::HangUp);
    desk.answers(Some(40_000));
    desk.texts.push_back("Weber");
    desk.run(400, false);
    desk.run(700, true);
    desk.run(1_500, false);
    assert_eq!(desk.call.record().answered_by, Some(Verdict::Person));
    assert_eq!(desk.asked.len(), 1, "a name was looked at once");
    let turns = desk.call.record().turns();
    assert!(turns.iter().all(|turn| turn.caller_text.reveal().is_empty()), "{turns:?}");

    let mut desk = dial_with(SILENT, OnMachine::HangUp);
    desk.engine = Engine::Down;
    desk.answers(Some(40_000));
    desk.run(400, false);
    desk.run(4_000, true);
    assert_eq!(desk.ending(), Some(Cause::NoPerson));
}

#[test]
fn a_message_is_left_once_the_machine_is_silent_and_then_it_is_over() {
    let mut desk = dial_with(Some("your delivery"), OnMachine::LeaveMessage);
    desk.answers(Some(40_000));
    desk.run(400, false);
    desk.run(6_000, true);
    assert!(desk.played.is_empty(), "its greeting is heard to the end");
    desk.run(30_000, false);
    let said = desk.replies().concat();
    assert!(said.contains("I am calling about your delivery"), "{said}");
    assert!(!said.contains('?'), "a machine is asked nothing: {said}");
    assert_eq!(desk.ending(), Some(Cause::Goodbye));
}

#[test]
fn whoever_answers_is_greeted_at_once_where_that_is_wanted() {
    let mut desk = dial(SILENT);
    desk.answers(Some(40_000));
    desk.run(20, false);
    assert_eq!(desk.played.len(), 1);
    desk.run(4_500, true);
    assert_eq!(desk.call.record().answered_by, Some(Verdict::Machine), "it is only written down");
    assert_eq!(desk.ending(), None);
}

#[test]
fn a_call_that_hears_nobody_is_not_silent_for_ever() {
    let mut desk = dial_with(SILENT, OnMachine::LeaveMessage);
    desk.answers(Some(40_000));
    // No frame comes where the other end holds us.
    while desk.deadline.is_some_and(|at| at <= desk.start + Duration::from_secs(80))
        && desk.call.next_frame(desk.now).is_none()
    {
        desk.now = desk.deadline.unwrap();
        desk.input(Input::Timeout);
    }
    assert!(desk.call.next_frame(desk.now).is_some(), "it talks at last");
}

#[test]
fn a_machine_that_talks_on_is_not_answered_within_our_message() {
    let mut desk = dial_with(Some(&"a very long story ".repeat(11)), OnMachine::LeaveMessage);
    desk.phrase_frames = 1_500;
    desk.answers(Some(40_000));
    desk.run(400, false);
    desk.run(6_000, true);
    desk.run(8_000, false);
    desk.says("to speak to a person press zero");
    desk.run(60_000, false);
    let said = desk.replies().concat();
    assert!(said.contains("a very long story"), "{said}");
    assert_eq!(said.matches('?').count(), 0, "{said}");
    assert_eq!(desk.ending(), Some(Cause::Goodbye));
    let frames: u32 = desk.played.iter().map(|(_, frames)| *frames).max().unwrap();
    assert!(frames > 1_000, "it is said to its end: {frames} frames of 20 ms");
}

#[test]
fn two_who_are_joined_in_a_call_that_is_counted_talk_no_longer_than_is_set_aside() {
    let mut desk = dial(SILENT);
    desk.answers(Some(40_000));
    desk.run(200, false);
    desk.input(Input::Joined);
    let longest = settings().converse.max_duration + Duration::from_secs(30);
    desk.now += longest - Duration::from_secs(2);
    desk.input(Input::Timeout);
    assert_eq!(desk.ending(), None);
    desk.now += Duration::from_secs(2);
    desk.input(Input::Timeout);
    assert_eq!(desk.ending(), Some(Cause::MaxDuration));
}

#[test]
fn who_is_elsewhere_is_called_there_and_greeted_once_they_answer() {
    let mut desk = dial(SILENT);
    desk.provisional(183, Some(40_000));
    const THERE: LegId = LegId(5);
    let towards = Towards { address: "198.51.100.7".parse().unwrap(), srtp: None, keys: None };
    desk.input(Input::Redirected { leg: THERE, towards });
    let (leg, offer) = desk.invited.take().expect("they are called there");
    assert_eq!(leg, THERE);
    assert!(String::from_utf8(offer).unwrap().contains("m=audio 20000"));
    assert_eq!(desk.media, ["start", "hold"], "nothing goes to where they are not");
    // The leg that is over says nothing more.
    desk.sip(sip::Event::Answered { leg: LEG, sdp: Some(sdp(40_000)) });
    assert_eq!(desk.state(), "dialling");
    desk.sip(sip::Event::Answered { leg: THERE, sdp: Some(sdp(41_000)) });
    desk.input(Input::PickedUp);
    assert_eq!((desk.state(), desk.media.last()), ("active", Some(&"apply")));
    desk.run(60, false);
    assert_eq!(desk.played.len(), 1, "greeted");
}

#[test]
fn a_remote_agent_is_connected_to_a_person_and_never_to_early_media_a_busy_tone_or_a_machine() {
    let mut desk = dial_as(SILENT, OnMachine::Talk, true);
    desk.provisional(183, Some(40_000));
    desk.nothing_is_connected();
    assert_eq!(
        (desk.agent.len(), desk.connects()),
        (1, 0),
        "its address is asked for, and that is all"
    );
    desk.sip(sip::Event::Refused { leg: LEG, status: 486, retry_after_s: None });
    assert_eq!((desk.state(), desk.connects()), ("ended", 0));

    let mut desk = dial_as(SILENT, OnMachine::Talk, true);
    desk.provisional(183, Some(40_000));
    desk.run(1_000, true);
    desk.answers(Some(40_000));
    assert_eq!(desk.connects(), 1, "with the answer");

    let mut desk = dial_as(SILENT, OnMachine::HangUp, true);
    desk.answers(Some(40_000));
    desk.run(400, false);
    desk.run(4_000, true);
    assert_eq!((desk.ending(), desk.connects()), (Some(Cause::NoPerson), 0));

    let mut desk = dial_as(SILENT, OnMachine::HangUp, true);
    desk.answers(Some(40_000));
    desk.run(400, false);
    desk.run(700, true);
    assert_eq!(desk.connects(), 0);
    desk.run(1_500, false);
    assert_eq!(desk.connects(), 1, "it is a person");
}
