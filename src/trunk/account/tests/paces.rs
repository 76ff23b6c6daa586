//! Accounts whose servers want other times than RFC 3261 and RFC 5626 have.

use super::*;
use crate::trunk::account::Pace;

fn at(pace: Pace) -> Desk {
    let mut desk = Desk::new(1);
    let settings = Settings { keep_alive: seconds(25), registers: true, pace };
    desk.account = Account::new(settings, Entropy::new([1; 32]));
    desk.input(Input::Start);
    desk.input(Input::Servers(vec![server(1), server(2)]));
    desk.take();
    desk
}

#[test]
fn a_web_phone_renews_shortly_before_the_end_and_sends_nothing_else() {
    for (pace, granted, renewed) in [
        (Pace::WEB_PHONE, 50, 47),
        (Pace::WEB_PHONE, 2, 1),
        (Pace::SOFTPHONE, 3_600, 30),
        (Pace::SOFTPHONE, 20, 19),
    ] {
        let mut desk = at(pace);
        desk.accept(granted);
        desk.take();
        let before = desk.now;
        desk.pass(seconds(renewed - 1));
        assert!(desk.take().is_empty(), "{granted}");
        desk.pass(seconds(1));
        assert!(matches!(desk.take().as_slice(), [Output::Register { .. }]), "{granted}");
        assert_eq!(desk.now - before, seconds(renewed));
    }
}

#[test]
fn a_connection_that_is_silent_is_closed_and_another_made() {
    let mut desk = at(Pace::WEB_PHONE);
    desk.pass(seconds(5));
    assert_eq!(desk.take(), [Output::DropFlow]);
    desk.fail(RegistrationFailure::Unreachable);
    let asked: Vec<Server> = desk.asked.iter().map(|(_, server)| *server).collect();
    assert_eq!(asked, [server(1), server(2)], "the backup is tried at once");
}

#[test]
fn too_many_telephones_are_told_and_waited_for_a_minute() {
    let mut desk = at(Pace::WEB_PHONE);
    desk.fail(RegistrationFailure::Refused(603));
    let Status::Failing { reason, .. } = desk.account.status() else { panic!() };
    assert_eq!(reason, Reason::TooManyTelephones);
    assert!(reason.to_string().contains("(603)"));
    let count = desk.asked.len();
    desk.pass(seconds(59));
    assert_eq!(desk.asked.len(), count);
    desk.pass(seconds(1));
    assert_eq!(desk.asked.len(), count + 1);
    // Elsewhere it is a refusal as any.
    let mut other = at(Pace::STANDARD);
    other.fail(RegistrationFailure::Refused(603));
    let Status::Failing { reason, .. } = other.account.status() else { panic!() };
    assert_eq!(reason, Reason::Failed(RegistrationFailure::Refused(603)));
}

#[test]
fn it_comes_back_after_two_seconds_doubled_up_to_a_minute() {
    for (failures, most) in [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (9, 60)] {
        let mut desk = at(Pace::WEB_PHONE);
        for failure in 0..failures {
            // Both servers.
            desk.fail(RegistrationFailure::Unreachable);
            desk.pass(seconds(1));
            desk.fail(RegistrationFailure::Unreachable);
            if failure + 1 < failures {
                let count = desk.asked.len();
                while desk.asked.len() == count {
                    desk.pass(seconds(1));
                }
            }
        }
        let (count, before) = (desk.asked.len(), desk.now - desk.start);
        desk.pass(seconds(most));
        let waited = desk.asked[count].0 - before;
        assert!(waited >= seconds(most) / 2 && waited <= seconds(most), "{most}: {waited:?}");
    }
}

#[test]
fn the_first_server_is_gone_back_to_when_its_time_has_come_and_no_call_is_up() {
    let pace = Pace { back_to_first: seconds(60), ..Pace::WEB_PHONE };
    let mut desk = at(pace);
    desk.fail(RegistrationFailure::Unreachable);
    desk.pass(seconds(1));
    let asked = |desk: &Desk| desk.asked.last().unwrap().1;
    desk.accept(50);
    assert_eq!(asked(&desk), server(2));
    desk.pass(seconds(47));
    assert_eq!(asked(&desk), server(2), "too early");
    desk.accept(50);
    desk.account.set_busy(true);
    desk.pass(seconds(47));
    assert_eq!(asked(&desk), server(2), "a call is up");
    desk.accept(50);
    desk.account.set_busy(false);
    desk.pass(seconds(47));
    assert_eq!(asked(&desk), server(1));
}
