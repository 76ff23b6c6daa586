//! Accounts that do not register: which of their servers calls go to.

use super::*;
use crate::sip::{FoundBy, Presence};

/// One that does not register, with these servers.
fn open(keep_alive: Duration, servers: &[u8]) -> Desk {
    let mut desk = Desk::new(1);
    let settings = Settings { keep_alive, registers: false, pace: Pace::STANDARD };
    desk.account = Account::new(settings, Entropy::new([1; 32]));
    desk.input(Input::Start);
    assert_eq!(desk.take(), [Output::Resolve]);
    assert!(desk.account.servers().is_empty());
    desk.input(Input::Servers(servers.iter().map(|n| server(*n)).collect()));
    desk
}

impl Desk {
    /// Of a question.
    fn found(&mut self, n: u8, presence: Presence) {
        self.input(Input::Presence(server(n), presence, FoundBy::Probe));
    }

    /// By a call.
    fn passed(&mut self, n: u8, presence: Presence) {
        self.input(Input::Presence(server(n), presence, FoundBy::Call));
    }

    fn answers(&mut self, n: u8, status: u16) {
        self.found(n, Presence::Answered { status, retry_after_s: None });
    }

    /// The servers that were asked since the last time.
    fn probed(&mut self) -> Vec<Server> {
        let of = |output| match output {
            Output::Probe { server } => Some(server),
            _ => None,
        };
        self.take().into_iter().filter_map(of).collect()
    }

    /// Passes time, with these servers answering all questions.
    fn pass_with(&mut self, time: Duration, alive: &[u8]) {
        let until = self.now + time;
        while let Some(at) = self.deadline.filter(|at| *at <= until) {
            self.now = at;
            self.input(Input::Timeout);
            for asked in self.probed() {
                if let Some(n) = alive.iter().find(|n| server(**n) == asked) {
                    self.answers(*n, 200);
                }
            }
        }
        self.now = until;
    }

    fn uses(&self) -> Vec<Server> {
        self.account.servers()
    }
}

const fn standing(used: usize, of: usize, gone: usize) -> Status {
    Status::Open(Standing { used, of, gone })
}

#[test]
fn an_account_without_registration_that_asks_nothing_is_open_with_its_addresses() {
    let mut desk = open(Duration::ZERO, &[1, 2]);
    assert_eq!(desk.take(), [Output::Changed]);
    assert_eq!(
        (desk.account.status(), desk.uses()),
        (standing(1, 2, 0), vec![server(1), server(2)])
    );
    // Nobody would find out that it is there again.
    desk.found(1, Presence::Silent);
    assert_eq!(desk.account.status(), standing(1, 2, 0));
    desk.input(Input::Servers(vec![server(3)]));
    assert_eq!((desk.uses(), desk.deadline), (vec![server(3)], None));
    desk.input(Input::Stop);
    assert!(desk.uses().is_empty());
    assert!(desk.asked.is_empty() && !desk.account.is_leaving());
}

#[test]
fn all_servers_are_asked_at_once_and_calls_go_to_the_first_that_answers() {
    let mut desk = open(seconds(25), &[1, 2, 3]);
    assert_eq!(desk.probed(), [server(1), server(2), server(3)]);
    // Until it is known calls are tried in the owner's order.
    assert_eq!(desk.uses(), [server(1), server(2), server(3)]);
    desk.answers(2, 404);
    desk.answers(3, 200);
    desk.pass(ALIVE_WITHIN);
    assert_eq!(
        (desk.account.status(), desk.uses()),
        (standing(2, 3, 1), vec![server(2), server(3)])
    );
    assert!(desk.probed().is_empty(), "not before its time");
    desk.pass_with(seconds(26), &[1, 2, 3]);
    assert_eq!((desk.account.status(), desk.uses()[0]), (standing(1, 3, 0), server(1)));
    // It ends: that is found out within the pings and their patience.
    desk.pass_with(seconds(25) + ALIVE_WITHIN, &[2, 3]);
    assert_eq!(desk.account.status(), standing(2, 3, 1));
}

#[test]
fn a_server_that_is_out_of_order_is_left_alone_for_as_long_as_it_says() {
    for (status, is_gone) in [
        (500, true),
        (502, true),
        (503, true),
        (504, true),
        (501, false),
        (405, false),
        (603, false),
    ] {
        let mut desk = open(seconds(25), &[1, 2]);
        desk.answers(2, 200);
        desk.answers(1, status);
        assert_eq!(desk.uses()[0], server(if is_gone { 2 } else { 1 }), "{status}");
    }
    let mut desk = open(seconds(25), &[1, 2]);
    desk.probed();
    desk.answers(2, 200);
    desk.found(1, Presence::Answered { status: 503, retry_after_s: Some(100) });
    desk.pass(seconds(99));
    assert!(!desk.probed().contains(&server(1)));
    desk.pass_with(seconds(1), &[1, 2]);
    assert_eq!(desk.uses()[0], server(1));
}

#[test]
fn a_server_that_a_call_was_passed_on_from_is_asked_at_once() {
    let mut desk = open(seconds(25), &[1, 2]);
    desk.answers(1, 200);
    desk.answers(2, 200);
    desk.take();
    desk.passed(1, Presence::Silent);
    assert_eq!(desk.uses(), [server(2)]);
    assert_eq!(desk.probed(), [server(1)]);
    desk.answers(1, 200);
    assert_eq!(desk.uses(), [server(1), server(2)]);
}

#[test]
fn a_refusal_of_one_call_takes_a_server_out_for_minutes_whatever_it_says() {
    for keep_alive_s in [25, 300] {
        let mut desk = open(seconds(keep_alive_s), &[1, 2]);
        desk.answers(1, 200);
        desk.answers(2, 200);
        desk.take();
        desk.passed(1, Presence::Answered { status: 503, retry_after_s: Some(3_600) });
        desk.pass_with(seconds(119), &[1, 2]);
        assert_eq!(desk.uses(), [server(2)]);
        desk.pass_with(seconds(1), &[1, 2]);
        assert_eq!(desk.uses(), [server(1), server(2)], "it answers OPTIONS");
    }
}

#[test]
fn a_dead_server_is_asked_as_often_as_the_owner_wants() {
    let mut desk = open(seconds(300), &[1, 2]);
    desk.answers(2, 200);
    desk.probed();
    desk.pass(seconds(32));
    // The SIP core has given up waiting only now (timer F).
    desk.found(1, Presence::Silent);
    assert_eq!((desk.uses(), desk.probed()), (vec![server(2)], vec![]));
    desk.pass(seconds(200));
    assert!(desk.probed().is_empty());
}

#[test]
fn where_no_server_answers_that_is_told_and_calls_are_tried_all_the_same() {
    let mut desk = open(seconds(25), &[1, 2]);
    let since = desk.now;
    desk.found(1, Presence::Unreachable);
    desk.found(2, Presence::Unreachable);
    let reason = Reason::Failed(RegistrationFailure::Unreachable);
    let status = Status::Unreachable { since, reason, of: 2 };
    assert_eq!((desk.account.status(), desk.uses()), (status, vec![server(1), server(2)]));
    desk.take();
    desk.pass(seconds(60));
    assert_eq!(desk.account.status(), {
        let reason = Reason::Failed(UNANSWERED);
        Status::Unreachable { since, reason, of: 2 }
    });
    desk.answers(2, 200);
    assert_eq!((desk.account.status(), desk.uses()), (standing(2, 2, 1), vec![server(2)]));
}

#[test]
fn what_is_known_of_a_server_stays_known_when_the_names_are_asked_again() {
    let mut desk = open(seconds(25), &[1, 2]);
    desk.answers(1, 503);
    desk.answers(2, 200);
    desk.take();
    desk.input(Input::Servers(vec![server(3), server(1), server(2)]));
    assert_eq!(desk.probed(), [server(3)], "the new one alone");
    assert_eq!(desk.uses(), [server(3), server(2)]);
}
