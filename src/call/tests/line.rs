//! What the reports of a call's media leave in its record.

use super::*;
use crate::call::media::Report;
use crate::call::one_way::{Side, Why};

/// A report a second, each of which `change` makes from the one before.
fn reports(desk: &mut Desk, seconds: u32, change: impl Fn(&mut Report)) {
    let mut report = Report::default();
    for _ in 0..seconds {
        desk.now += Duration::from_secs(1);
        report.sent += 50;
        change(&mut report);
        desk.input(Input::Report(report));
    }
}

#[test]
fn both_directions_are_rated_and_nothing_is_one_way() {
    let mut desk = Desk::talking();
    reports(&mut desk, 11, |report| {
        report.received += 45;
        report.lost += 5;
        report.gaps += 5;
        report.sound_ms += 1_000;
        report.delay_ms = 40.0;
        (report.rtt_ms, report.peer_loss) = (Some(40.0), Some(0.0));
    });
    let record = desk.call.record();
    let [incoming, outgoing] = [record.rtp.mos_incoming, record.rtp.mos_outgoing];
    assert!(incoming.is_some_and(|mos| mos.last < 3.8), "{incoming:?}");
    assert!(outgoing.is_some_and(|mos| mos.last > 4.2), "{outgoing:?}");
    assert_eq!((record.rtp.packets_lost, record.one_way), (55, None));
}

#[test]
fn a_caller_who_names_an_address_of_a_network_of_his_own_is_not_heard() {
    let offer = OFFER.replace("192.0.2.9", "10.0.0.9");
    let mut desk = Desk::take(&settings(), Some(&offer)).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    reports(&mut desk, 4, |_| ());
    assert_eq!(desk.call.record().one_way, None);
    reports(&mut desk, 4, |_| ());
    let found = OneWay { side: Side::Incoming, why: Why::PrivateAddress };
    assert_eq!(desk.call.record().one_way, Some(found));
    assert_eq!(desk.call.record().rtp.mos_incoming, None);
}
