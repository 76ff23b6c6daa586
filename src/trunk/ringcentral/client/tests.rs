//! The ways of a request, with time as an input.

use super::*;
use crate::base::Private;

struct Desk {
    client: Client<u32>,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        let application = Application {
            client_id: "box".to_owned(),
            secret: Some(Private::new("hush".to_owned())),
            jwt: Private::new("jwt".to_owned()),
        };
        Self { client: Client::new(application), now: Instant::now() }
    }

    fn signed_in() -> Self {
        let mut desk = Self::new();
        desk.ask(0, None);
        assert_eq!(desk.sent(), Some("/restapi/oauth/token".to_owned()));
        desk.grant();
        assert_eq!(desk.sent(), Some("/restapi/0".to_owned()));
        desk.answer(200, None);
        assert_eq!(desk.done(), Some((0, Ok(()))));
        desk
    }

    fn ask(&mut self, ticket: u32, within: Option<u64>) {
        let request = Request::get(format!("/restapi/{ticket}"));
        self.client.ask(self.now, ticket, request, within.map(Duration::from_secs));
    }

    fn grant(&mut self) {
        let body = br#"{"access_token":"A","expires_in":3600}"#.to_vec();
        let answer = Answer { status: 200, retry_after_s: None, body };
        self.client.answered(self.now, Some(answer));
    }

    fn answer(&mut self, status: u16, retry_after_s: Option<u32>) {
        let answer = Answer { status, retry_after_s, body: b"{}".to_vec() };
        self.client.answered(self.now, Some(answer));
    }

    fn sent(&mut self) -> Option<String> {
        match self.client.poll_output() {
            Output::Send(request) => Some(request.path),
            Output::Timeout(_) => None,
            Output::Done { ticket, outcome } => panic!("{ticket}: {outcome:?}"),
        }
    }

    fn done(&mut self) -> Option<(u32, Result<(), Refusal>)> {
        match self.client.poll_output() {
            Output::Done { ticket, outcome } => Some((ticket, outcome.map(drop))),
            _ => None,
        }
    }

    /// To the next deadline; the seconds that passed.
    fn step(&mut self) -> Option<u64> {
        let Output::Timeout(at) = self.client.poll_output() else { panic!("not drained") };
        let waited = at?.saturating_duration_since(self.now);
        self.now += waited;
        self.client.timeout(self.now);
        Some(waited.as_secs())
    }
}

#[test]
fn a_token_is_got_once_renewed_at_four_fifths_and_used_for_all() {
    let mut desk = Desk::signed_in();
    desk.ask(1, None);
    assert_eq!(desk.sent(), Some("/restapi/1".to_owned()));
    desk.answer(204, None);
    assert_eq!(desk.done(), Some((1, Ok(()))));
    assert_eq!(desk.step(), Some(2_880));
    assert_eq!(desk.sent(), Some("/restapi/oauth/token".to_owned()));
    desk.grant();
    assert_eq!(desk.sent(), None);
}

#[test]
fn a_401_renews_once_and_asks_once_more() {
    let mut desk = Desk::signed_in();
    desk.ask(1, None);
    assert_eq!(desk.sent(), Some("/restapi/1".to_owned()));
    desk.answer(401, None);
    assert_eq!(desk.sent(), Some("/restapi/oauth/token".to_owned()));
    desk.grant();
    assert_eq!(desk.sent(), Some("/restapi/1".to_owned()));
    desk.answer(401, None);
    assert!(matches!(desk.done(), Some((1, Err(Refusal::Refused(401, _))))));
}

#[test]
fn nothing_is_sent_during_a_penalty() {
    for (retry_after_s, waited) in [(Some(7), 7), (None, 30)] {
        let mut desk = Desk::signed_in();
        desk.ask(1, None);
        desk.sent();
        desk.answer(429, retry_after_s);
        desk.ask(2, None);
        desk.ask(3, Some(3_600));
        assert_eq!(desk.sent(), None);
        assert_eq!(desk.step(), Some(waited));
        // Who is in a hurry comes first.
        assert_eq!(desk.sent(), Some("/restapi/3".to_owned()));
    }
}

#[test]
fn what_is_out_of_order_is_asked_three_times() {
    let mut desk = Desk::signed_in();
    desk.ask(1, None);
    for _ in 0..2 {
        assert!(desk.sent().is_some());
        desk.answer(500, None);
        assert_eq!(desk.step(), Some(10));
    }
    assert!(desk.sent().is_some());
    desk.client.answered(desk.now, None);
    assert_eq!(desk.done(), Some((1, Err(Refusal::Silent))));
}

#[test]
fn a_refusal_is_asked_once_and_the_next_one_goes_on() {
    let mut desk = Desk::signed_in();
    desk.ask(1, None);
    desk.ask(2, None);
    desk.sent();
    desk.answer(404, None);
    assert_eq!(desk.done(), Some((1, Err(Refusal::Unknown))));
    assert_eq!(desk.sent(), Some("/restapi/2".to_owned()));
}

#[test]
fn who_is_in_a_hurry_comes_first_and_is_not_waited_for_too_long() {
    let mut desk = Desk::signed_in();
    for (ticket, within) in [(1, None), (2, None), (3, Some(5)), (4, Some(5))] {
        desk.ask(ticket, within);
    }
    assert_eq!(desk.sent(), Some("/restapi/1".to_owned()));
    desk.answer(429, Some(4));
    assert_eq!(desk.step(), Some(4));
    // The one that was interrupted first, then those in a hurry.
    assert_eq!(desk.sent(), Some("/restapi/1".to_owned()));
    desk.answer(200, None);
    assert_eq!(desk.done(), Some((1, Ok(()))));
    assert_eq!(desk.sent(), Some("/restapi/3".to_owned()));
    desk.answer(500, None);
    assert_eq!(desk.step(), Some(1), "not the 10 s");
    assert_eq!(desk.done(), Some((3, Err(Refusal::Silent))));
    assert_eq!(desk.done(), Some((4, Err(Refusal::Silent))));
}

#[test]
fn a_refused_sign_in_fails_all_and_is_left_alone_for_minutes() {
    let mut desk = Desk::new();
    desk.ask(1, None);
    desk.sent();
    let body = br#"{"error":"invalid_grant"}"#.to_vec();
    let refusal = Answer { status: 400, retry_after_s: None, body };
    desk.client.answered(desk.now, Some(refusal));
    let told = Err(Refusal::SignIn("invalid_grant".to_owned()));
    assert_eq!(desk.done(), Some((1, told.clone())));
    desk.now += Duration::from_secs(299);
    desk.ask(2, None);
    assert_eq!(desk.done(), Some((2, told)));
    desk.now += Duration::from_secs(1);
    desk.ask(3, None);
    assert_eq!(desk.sent(), Some("/restapi/oauth/token".to_owned()));
}

#[test]
fn at_the_end_the_session_is_given_back() {
    let mut desk = Desk::signed_in();
    desk.client.leave();
    assert_eq!(desk.sent(), Some("/restapi/oauth/revoke".to_owned()));
    let mut nobody = Desk::new();
    nobody.client.leave();
    assert_eq!(nobody.sent(), None);
}
