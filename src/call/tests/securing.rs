//! A call whose keys come by a handshake: what is said waits for them, and is not said without.

use super::*;
use crate::base::SrtpSuite;

const SUITE: SrtpSuite = SrtpSuite::AeadAes128Gcm;

/// An offer with the certificate and the ICE session of this name.
fn offer(certificate: &[u8], ice: &str) -> String {
    let fingerprint = Fingerprint::of(certificate);
    OFFER.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF")
        + &format!(
            "a=rtcp-mux\r\na=fingerprint:{fingerprint}\r\na=setup:actpass\r\n\
             a=ice-ufrag:{ice}\r\na=ice-pwd:0123456789012345678901\r\n"
        )
}

fn talking() -> Desk {
    let mut desk = Desk::take(&settings(), Some(&offer(b"theirs", "aaaa"))).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk
}

fn reoffer(desk: &mut Desk, offer: &str) {
    let offer = Some(offer.as_bytes().to_vec());
    let by = sip::OfferBy::Invite;
    desk.sip(sip::Event::OfferReceived { leg: LEG, offer, by });
}

#[test]
fn the_greeting_begins_when_there_are_keys_and_not_before() {
    let mut desk = talking();
    assert_eq!(desk.media, ["associate", "start"]);
    desk.run(900, false);
    assert!(desk.played.is_empty(), "nobody could hear it");
    assert_eq!(desk.call.record().srtp, None);
    desk.input(Input::Secured(SUITE));
    desk.run(40, false);
    assert_eq!(desk.played.len(), 1);
    assert!(desk.replies()[0].contains("Northgate Logistics"));
    assert_eq!(desk.call.record().srtp, Some(SUITE));
    desk.run(2_000, false);
    desk.says("What are your opening hours?");
    assert!(desk.replies().iter().any(|reply| reply.contains("8 am")));
}

#[test]
fn keys_before_the_ack_are_keys() {
    let mut desk = Desk::take(&settings(), Some(&offer(b"theirs", "aaaa"))).unwrap();
    desk.input(Input::Secured(SUITE));
    desk.run(200, false);
    assert!(desk.played.is_empty());
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(40, false);
    assert_eq!(desk.played.len(), 1);
}

#[test]
fn a_handshake_that_fails_ends_the_call_with_its_cause() {
    let mut desk = talking();
    desk.commands.clear();
    desk.input(Input::NotSecured);
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.ending(), Some(Cause::NoKeys));
    // Once there are keys it is nobody's end.
    let mut desk = talking();
    desk.input(Input::Secured(SUITE));
    desk.input(Input::NotSecured);
    assert_eq!(desk.ending(), None);
}

#[test]
fn a_new_certificate_is_waited_for_and_a_new_way_to_the_same_is_not() {
    let mut desk = talking();
    desk.input(Input::Secured(SUITE));
    desk.run(3_000, false);
    let said = desk.played.len();
    // The way changes, the certificate stays.
    reoffer(&mut desk, &offer(b"theirs", "bbbb"));
    assert_eq!(desk.call.record().srtp, Some(SUITE));
    desk.says("What are your opening hours?");
    assert!(desk.played.len() > said);
    desk.run(8_000, false);
    let said = desk.played.len();
    reoffer(&mut desk, &offer(b"another", "bbbb"));
    assert_eq!(desk.call.record().srtp, None);
    desk.run(1_000, false);
    assert_eq!(desk.played.len(), said);
    desk.input(Input::Secured(SrtpSuite::AesCm128HmacSha1_80));
    assert_eq!(desk.call.record().srtp, Some(SrtpSuite::AesCm128HmacSha1_80));
    desk.says("What is your address?");
    assert!(desk.played.len() > said);
    let media: Vec<_> = desk.media.iter().filter(|at| **at == "associate").collect();
    assert_eq!(media.len(), 3, "told with every description");
}

#[test]
fn no_password_of_ice_is_in_its_record() {
    let offer =
        offer(b"theirs", "aaaa").replace("0123456789012345678901", "never-to-be-seen-again");
    let mut desk = Desk::take(&settings(), Some(&offer)).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.input(Input::Secured(SUITE));
    let Some(sip::Command::Answer { sdp, .. }) = desk.commands.pop_front() else { panic!() };
    let sdp = String::from_utf8(sdp).unwrap();
    let ours = sdp.lines().find_map(|line| line.strip_prefix("a=ice-pwd:")).unwrap().to_owned();
    let file = desk.flight();
    let has = |text: &str| file.windows(text.len()).any(|at| at == text.as_bytes());
    assert!(has("ice-pwd:AAAA") || has("ice-pwd"), "the descriptions are there");
    assert!(!has("never-to-be-seen-again") && !has(&ours));
}
