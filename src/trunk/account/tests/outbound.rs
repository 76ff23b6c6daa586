//! Registrars that keep our stream as the way to us (RFC 5626).

use super::*;

#[test]
fn a_stream_that_is_kept_for_us_is_pinged_as_often_as_the_registrar_wants_it() {
    for (flow_timer_s, bounds) in
        [(Some(12), 9_600..=12_000), (Some(600), 20_000..=25_000), (None, 20_000..=25_000)]
    {
        let mut desk = Desk::with(1, &[1]);
        desk.is_deaf = true;
        let outbound = Some(Outbound { flow_timer_s });
        let registered = RegistrationNews::Registered { expires_s: 300, seen: None, outbound };
        desk.input(Input::News(registered));
        desk.take();
        let mut last = desk.now;
        for _ in 0..5 {
            while !desk.outputs.contains(&Output::Ping { server: server(1) }) {
                desk.now = desk.deadline.unwrap();
                desk.input(Input::Timeout);
            }
            desk.take();
            let waited = (desk.now - last).as_millis();
            assert!(bounds.contains(&u64::try_from(waited).unwrap()), "{waited}");
            last = desk.now;
            desk.pass(seconds(3));
            desk.input(Input::News(RegistrationNews::Alive { seen: None }));
        }
    }
}

#[test]
fn after_a_lost_stream_it_is_asked_at_once_and_then_in_waits_of_rfc_5626() {
    let mut desk = Desk::with(1, &[1]);
    let outbound = Some(Outbound { flow_timer_s: None });
    desk.input(Input::News(RegistrationNews::Registered {
        expires_s: 3_600,
        seen: None,
        outbound,
    }));
    desk.pass(seconds(300));
    desk.input(Input::News(RegistrationNews::FlowLost));
    let count = desk.asked.len();
    assert_eq!(desk.asked[count - 1].0, desk.now - desk.start, "at once");
    for most_s in [4, 30, 60, 120, 240, 480, 960, 1_800, 1_800] {
        desk.fail(RegistrationFailure::Unreachable);
        let wait = desk.until_asked();
        assert!((seconds(most_s / 2)..=seconds(most_s)).contains(&wait), "{most_s}: {wait:?}");
    }
    desk.input(Input::News(RegistrationNews::Registered {
        expires_s: 3_600,
        seen: None,
        outbound,
    }));
    assert!(matches!(desk.account.status(), Status::Registered { .. }));
}
