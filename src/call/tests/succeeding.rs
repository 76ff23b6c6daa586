//! Another leg takes the place of a call's own, and the conversation goes on.

use super::*;

const NEW: LegId = LegId(7);
const RINGS: Duration = Duration::from_secs(45);

fn other_sdp(port: u16) -> Vec<u8> {
    OFFER.replace("40000", &port.to_string()).replace("192.0.2.9", "192.0.2.77").into_bytes()
}

fn incoming(offer: Option<Vec<u8>>) -> Box<Incoming> {
    let local = "192.0.2.1:5060".parse().unwrap();
    Box::new(Incoming::from(sip::Incoming {
        flow: Flow::udp(local, "192.0.2.77:5060".parse().unwrap()),
        request_uri: Private::default(),
        from_uri: Private::new("sip:other@example.net".into()),
        from_display: Private::default(),
        to_uri: Private::default(),
        sip_call_id: Private::new("def".into()),
        offer,
        replaces: Some(LEG),
        headers: Private::default(),
    }))
}

fn towards() -> Towards {
    Towards { address: "198.51.100.7".parse().unwrap(), srtp: None, keys: None }
}

fn replaced(offer: Option<Vec<u8>>) -> Input<'static> {
    Input::Replaced { leg: NEW, incoming: incoming(offer), towards: towards() }
}

fn succeed(leg: LegId) -> Input<'static> {
    Input::Succeed { leg, within: RINGS, towards: towards() }
}

/// Greeted, and nothing commanded yet.
fn greeted() -> Desk {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.commands.clear();
    desk.media.clear();
    desk
}

fn answers_a_question(desk: &mut Desk) {
    desk.says("What is your address?");
    assert!(desk.replies().last().unwrap().contains("Harbour Road"), "{:?}", desk.replies());
    assert_eq!(desk.ending(), None);
}

/// Whom a REFER names is called.
fn passed_on() -> Desk {
    let mut desk = greeted();
    desk.input(succeed(NEW));
    assert_eq!(desk.told(), [(LEG, 202)]);
    let (leg, offer) = desk.invited.take().expect("they are called");
    assert_eq!(leg, NEW);
    let offer = String::from_utf8(offer).unwrap();
    assert!(offer.contains("m=audio 20000") && offer.contains("IN IP4 198.51.100.7"), "{offer}");
    desk
}

impl Desk {
    /// What the peer was told of its REFER.
    fn told(&mut self) -> Vec<(LegId, u16)> {
        let told = |command: &sip::Command| match command {
            sip::Command::AnswerRefer { leg, status } => Some((*leg, *status)),
            sip::Command::NotifyRefer { leg, status } => Some((*leg, *status)),
            _ => None,
        };
        let all = self.commands.iter().filter_map(told).collect();
        self.commands.retain(|command| told(command).is_none());
        all
    }

    fn of_new(&mut self, status: u16) {
        let event = match status {
            100..200 => sip::Event::Progress { leg: NEW, status, sdp: None },
            200 => sip::Event::Answered { leg: NEW, sdp: Some(other_sdp(41_000)) },
            _ => sip::Event::Refused { leg: NEW, status, retry_after_s: None },
        };
        self.sip(event);
    }

    fn byes(&mut self) -> Vec<LegId> {
        let bye = |command: &sip::Command| match command {
            sip::Command::Bye { leg, .. } => Some(*leg),
            _ => None,
        };
        self.commands.drain(..).filter_map(|command| bye(&command)).collect()
    }
}

#[test]
fn a_leg_that_replaces_ours_has_the_conversation_and_the_one_before_gets_bye() {
    let mut desk = greeted();
    desk.input(replaced(Some(other_sdp(41_000))));
    let Some(sip::Command::Answer { leg: NEW, sdp }) = desk.commands.pop_front() else { panic!() };
    let sdp = String::from_utf8(sdp).unwrap();
    assert!(sdp.contains("m=audio 20000") && sdp.contains("c=IN IP4 198.51.100.7"), "{sdp}");
    assert_eq!(desk.byes(), [LEG]);
    assert_eq!(desk.media, ["apply"]);
    assert_eq!(desk.call.record().sip_call_id.reveal(), "def");
    assert_eq!(desk.call.record().peer.reveal(), "sip:other@example.net");
    desk.sip(sip::Event::Established { leg: NEW, answer: None });
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByUs });
    answers_a_question(&mut desk);
    desk.sip(sip::Event::Ended { leg: NEW, cause: EndCause::ByPeer });
    assert_eq!(desk.ending(), Some(Cause::HungUp));
}

#[test]
fn a_leg_without_an_offer_is_spoken_to_once_its_ack_has_said_where_it_is() {
    let mut desk = greeted();
    desk.input(replaced(None));
    assert_eq!(desk.media, ["hold"], "nobody hears anything meanwhile");
    desk.sip(sip::Event::Established { leg: NEW, answer: Some(other_sdp(41_000)) });
    assert_eq!(desk.media, ["hold", "apply"]);
    answers_a_question(&mut desk);

    let mut desk = greeted();
    desk.input(replaced(None));
    desk.commands.clear();
    desk.sip(sip::Event::Established { leg: NEW, answer: None });
    assert_eq!((desk.byes(), desk.ending()), (vec![NEW], Some(Cause::NoCommonCodec)));
}

#[test]
fn a_leg_that_does_not_fit_is_refused_and_the_call_goes_on_with_ours() {
    let foreign = OFFER.replace("RTP/AVP 0 101", "RTP/AVP 18").into_bytes();
    let mut desk = greeted();
    desk.input(replaced(Some(foreign)));
    let refused = desk.commands.pop_front();
    assert!(matches!(refused, Some(sip::Command::Reject { leg: NEW, status: 488, .. })));
    assert!(desk.commands.is_empty() && desk.media.is_empty());
    answers_a_question(&mut desk);

    let mut desk = Desk::take(&settings(), Some(OFFER)).unwrap();
    desk.commands.clear();
    desk.input(replaced(Some(other_sdp(41_000))));
    let refused = desk.commands.pop_front();
    assert!(matches!(refused, Some(sip::Command::Reject { leg: NEW, status: 491, .. })));
}

#[test]
fn whom_the_peer_wants_called_has_the_conversation_once_they_answer() {
    let mut desk = passed_on();
    for status in [180, 180, 183] {
        desk.of_new(status);
    }
    assert_eq!(desk.told(), [(LEG, 180)], "it rings, once");
    answers_a_question(&mut desk);
    desk.commands.clear();
    desk.of_new(200);
    assert_eq!(desk.told(), [(LEG, 200)]);
    assert_eq!(desk.media, ["apply"]);
    assert!(desk.byes().is_empty(), "who passed it on may hang up by itself");
    desk.run(2_100, false);
    assert_eq!(desk.byes(), [LEG], "or not");
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByUs });
    answers_a_question(&mut desk);
    desk.input(Input::HangUp(Cause::EndedByOwner));
    assert_eq!(desk.byes(), [NEW]);
}

#[test]
fn a_peer_that_hangs_up_at_once_is_followed_by_whom_it_has_named() {
    let mut desk = passed_on();
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    assert_eq!((desk.ending(), desk.media.as_slice()), (None, &["hold"][..]));
    desk.input(Input::Media(MediaEvent::MediaTimeout));
    desk.run(20_000, false);
    assert_eq!(desk.ending(), None);
    desk.of_new(200);
    assert!(desk.told().is_empty(), "nobody is there to be told");
    answers_a_question(&mut desk);
}

#[test]
fn a_call_that_nobody_is_left_in_is_over() {
    for status in [486, 404, 487] {
        let mut desk = passed_on();
        desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
        desk.of_new(status);
        assert!(desk.call.is_ended(), "{status}");
        assert_eq!(desk.ending(), Some(Cause::LeftInTransfer));
    }
    let mut desk = passed_on();
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    desk.input(Input::HangUp(Cause::ShuttingDown));
    let cancelled = desk.commands.pop_front();
    assert!(matches!(cancelled, Some(sip::Command::Cancel { leg: NEW })));
    assert!(desk.call.is_ended() && desk.commands.is_empty());
}

#[test]
fn who_cannot_be_reached_changes_nothing_and_the_peer_is_told() {
    for status in [302, 404, 486, 603] {
        let mut desk = passed_on();
        desk.of_new(status);
        assert_eq!(desk.told(), [(LEG, status)]);
        answers_a_question(&mut desk);
        desk.input(succeed(LegId(8)));
        assert_eq!(desk.told(), [(LEG, 202)], "the next one may be tried");
    }
    let mut desk = passed_on();
    let foreign = OFFER.replace("RTP/AVP 0 101", "RTP/AVP 18").into_bytes();
    desk.sip(sip::Event::Answered { leg: NEW, sdp: Some(foreign) });
    assert_eq!((desk.told(), desk.byes()), (vec![(LEG, 488)], vec![NEW]));
    answers_a_question(&mut desk);
}

#[test]
fn who_never_answers_is_given_up() {
    let mut desk = passed_on();
    desk.texts.push_back("");
    desk.input(Input::Sip(sip::Event::OfferReceived {
        leg: LEG,
        offer: Some(format!("{OFFER}a=sendonly\r\n").replace("o=- 1 1", "o=- 1 2").into_bytes()),
        by: sip::OfferBy::Invite,
    }));
    desk.commands.clear();
    desk.run(46_000, false);
    let cancelled = desk.commands.pop_front();
    assert!(matches!(cancelled, Some(sip::Command::Cancel { leg: NEW })));
    desk.of_new(487);
    assert_eq!(desk.told(), [(LEG, 487)]);
    assert_eq!(desk.ending(), None);
}

#[test]
fn a_call_that_ends_ends_what_rings_for_it() {
    let mut desk = passed_on();
    desk.input(Input::HangUp(Cause::EndedByOwner));
    let cancelled = desk.commands.pop_front();
    assert!(matches!(cancelled, Some(sip::Command::Cancel { leg: NEW })));
    assert_eq!(desk.told(), [(LEG, 487)]);
    assert_eq!(desk.byes(), [LEG]);
    // It has answered in the same moment: the user agent ends that by itself.
    desk.of_new(487);
    assert!(desk.commands.is_empty());
}

#[test]
fn a_wish_at_the_wrong_time_is_put_off() {
    let mut desk = passed_on();
    desk.input(succeed(LegId(8)));
    assert_eq!(desk.told(), [(LEG, 491)]);
    assert!(desk.invited.is_none());
}
