mod outbound;
mod paces;
mod watching;

use super::*;
use crate::sip::Transport;

const fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn server(n: u8) -> Server {
    let address = SocketAddr::from(([192, 0, 2, n], 5060));
    Server { transport: Transport::Udp, address }
}

/// One account under a clock of the test's own.
struct Desk {
    account: Account,
    start: Instant,
    now: Instant,
    deadline: Option<Instant>,
    outputs: Vec<Output>,
    /// When REGISTERs were wanted, and of whom.
    asked: Vec<(Duration, Server)>,
    /// Pings are not answered by themselves.
    is_deaf: bool,
}

impl Desk {
    fn new(seed: u8) -> Self {
        let settings = Settings { keep_alive: seconds(25), registers: true, pace: Pace::STANDARD };
        let now = Instant::now();
        Self {
            account: Account::new(settings, Entropy::new([seed; 32])),
            start: now,
            now,
            deadline: None,
            outputs: Vec::new(),
            asked: Vec::new(),
            is_deaf: false,
        }
    }

    /// Started, with these servers.
    fn with(seed: u8, servers: &[u8]) -> Self {
        let mut desk = Self::new(seed);
        desk.input(Input::Start);
        assert_eq!(desk.take(), [Output::Resolve]);
        desk.input(Input::Servers(servers.iter().map(|n| server(*n)).collect()));
        desk
    }

    /// Registered with its first server, for 300 s.
    fn registered(servers: &[u8]) -> Self {
        let mut desk = Self::with(1, servers);
        desk.accept(300);
        desk.take();
        desk
    }

    fn input(&mut self, input: Input) {
        self.account.handle(self.now, input);
        loop {
            match self.account.poll_output() {
                Output::Ping { .. } if !self.is_deaf => {
                    let alive = RegistrationNews::Alive { seen: None };
                    self.account.handle(self.now, Input::News(alive));
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                output => {
                    if let Output::Register { server, .. } = output {
                        self.asked.push((self.now - self.start, server));
                    }
                    self.outputs.push(output);
                }
            }
        }
    }

    fn accept(&mut self, expires_s: u32) {
        self.input(Input::News(RegistrationNews::Registered {
            expires_s,
            seen: None,
            outbound: None,
        }));
    }

    fn fail(&mut self, failure: RegistrationFailure) {
        self.fail_for(failure, None);
    }

    fn fail_for(&mut self, failure: RegistrationFailure, retry_after_s: Option<u32>) {
        self.input(Input::News(RegistrationNews::Failed { failure, retry_after_s }));
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.deadline.filter(|at| *at <= until) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// Passes time until the next REGISTER is wanted; how long that took.
    fn until_asked(&mut self) -> Duration {
        let (before, count) = (self.now, self.asked.len());
        while self.asked.len() == count {
            self.now = self.deadline.expect("it is tried again");
            self.input(Input::Timeout);
        }
        self.now - before
    }

    fn last_server(&self) -> Server {
        self.asked.last().unwrap().1
    }

    fn words(&self) -> String {
        match self.account.status() {
            Status::Failing { reason, .. } => reason.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

const UNANSWERED: RegistrationFailure = RegistrationFailure::Unanswered;

#[test]
fn it_registers_once_calls_can_be_taken_and_refreshes_at_about_half() {
    let mut waits = Vec::new();
    for seed in 0..20 {
        let mut desk = Desk::with(seed, &[1]);
        assert_eq!(desk.take(), [Output::Register { server: server(1), contact: None }]);
        assert_eq!(desk.account.status(), Status::Registering);
        desk.accept(300);
        let until = desk.now + seconds(300);
        assert_eq!(desk.account.status(), Status::Registered { until });
        waits.push(desk.until_asked());
    }
    assert!(waits.iter().all(|wait| (seconds(120)..=seconds(150)).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 15, "jitter: {waits:?}");
}

#[test]
fn a_short_time_is_refreshed_before_its_end_and_not_more_than_once_a_second() {
    for granted in [1, 2, 5, 10, 60] {
        let mut desk = Desk::with(1, &[1]);
        desk.accept(granted);
        let wait = desk.until_asked();
        let least = APART.max(seconds(granted.into()) / 3);
        let most = APART.max(seconds(granted.into()) / 2);
        assert!(wait >= least && wait <= most, "{granted} s: {wait:?}");
    }
}

#[test]
fn failures_wait_longer_each_time_up_to_a_bound_and_jittered() {
    let mut desk = Desk::with(1, &[1]);
    for most in [4, 8, 16, 32, 64, 128, 256, 300, 300] {
        desk.fail(UNANSWERED);
        let wait = desk.until_asked();
        assert!(wait >= seconds(most) / 2 && wait <= seconds(most), "{wait:?} of {most} s");
    }
    desk.accept(300);
    desk.until_asked();
    desk.fail(UNANSWERED);
    assert!(desk.until_asked() <= seconds(4), "a success ends the row");
    let first = |seed| {
        let mut desk = Desk::with(seed, &[1]);
        desk.fail(UNANSWERED);
        desk.until_asked()
    };
    assert_ne!(first(1), first(2));
}

#[test]
fn retry_after_is_obeyed_within_bounds() {
    for (asked, least, most) in [(77, 77, 77), (1, 2, 4), (1_000_000, 3_600, 3_600)] {
        let mut desk = Desk::with(1, &[1]);
        desk.fail_for(RegistrationFailure::Refused(503), Some(asked));
        let wait = desk.until_asked();
        assert!(wait >= seconds(least) && wait <= seconds(most), "{asked}: {wait:?}");
    }
    let mut desk = Desk::with(1, &[1]);
    desk.fail_for(RegistrationFailure::Refused(403), Some(5));
    assert!(desk.until_asked() >= seconds(600), "a refusal stays one");
}

#[test]
fn what_will_be_refused_again_is_tried_slowly_and_told_in_words() {
    for (failure, words) in [
        (RegistrationFailure::Disbelieved, "its server does not accept the user or the password"),
        (RegistrationFailure::Refused(403), "its server has closed the account to us (403)"),
        (RegistrationFailure::Refused(404), "its server does not know the user (404)"),
    ] {
        // The next server would refuse it as well.
        let mut desk = Desk::with(1, &[1, 2]);
        desk.fail(failure);
        assert_eq!(desk.words(), words);
        let wait = desk.until_asked();
        assert!((seconds(600)..=seconds(1_200)).contains(&wait), "{failure:?}: {wait:?}");
        assert_eq!(desk.last_server(), server(1));
    }
}

#[test]
fn failing_is_told_from_its_beginning_until_it_is_over() {
    let mut desk = Desk::with(1, &[1]);
    let begun = desk.now;
    desk.fail(UNANSWERED);
    desk.until_asked();
    desk.fail(RegistrationFailure::Unreachable);
    let reason = Reason::Failed(RegistrationFailure::Unreachable);
    assert_eq!(desk.account.status(), Status::Failing { since: begun, reason });
    desk.until_asked();
    desk.take();
    desk.accept(60);
    assert_eq!(desk.take(), [Output::Changed]);
    assert!(matches!(desk.account.status(), Status::Registered { .. }));
}

#[test]
fn the_next_server_is_tried_and_the_first_one_again_later() {
    let mut desk = Desk::with(1, &[1, 2, 3]);
    desk.fail(RegistrationFailure::Refused(503));
    assert_eq!(desk.until_asked(), APART);
    assert_eq!(desk.last_server(), server(2));
    // A silent one is not waited for while there is another.
    assert_eq!(desk.until_asked(), TRY_WITHIN);
    assert_eq!(desk.last_server(), server(3));
    assert_eq!(desk.account.status(), Status::Registering, "one may still take it");
    desk.pass(TRY_WITHIN * 2);
    assert_eq!(desk.last_server(), server(3), "the last is waited for");
    desk.accept(300);
    desk.until_asked();
    assert_eq!(desk.last_server(), server(3));
    desk.accept(300);
    desk.until_asked();
    desk.accept(300);
    desk.until_asked();
    assert_eq!(desk.last_server(), server(1), "after five minutes");
    // It is still down: back at once.
    desk.fail(UNANSWERED);
    desk.until_asked();
    assert_eq!(desk.last_server(), server(2));
}

#[test]
fn all_servers_failing_is_one_failure() {
    let mut desk = Desk::with(1, &[1, 2]);
    desk.fail(UNANSWERED);
    desk.until_asked();
    desk.take();
    desk.fail(RegistrationFailure::Unreachable);
    assert_eq!(desk.words(), "its server cannot be reached");
    assert_eq!(desk.take(), [Output::Changed, Output::Resolve]);
    let wait = desk.until_asked();
    assert!(wait >= seconds(2) && wait <= seconds(4), "{wait:?}");
    assert_eq!(desk.last_server(), server(1), "from the first one on");
}

#[test]
fn never_more_than_one_a_second() {
    for seed in 0..10 {
        let mut desk = Desk::with(seed, &[1, 2, 3]);
        for turn in 0..400_u32 {
            match (turn + u32::from(seed)) % 7 {
                0 => desk.accept(1),
                1 => desk.input(Input::AddressChanged),
                2 => desk.input(Input::News(RegistrationNews::FlowLost)),
                3 => desk.input(Input::Servers(vec![server((turn % 5) as u8), server(9)])),
                4 => desk.fail(UNANSWERED),
                5 => desk.input(Input::News(RegistrationNews::Registered {
                    expires_s: 1,
                    seen: Some(server((turn % 200) as u8).address),
                    outbound: None,
                })),
                _ => desk.pass(Duration::from_millis(500)),
            }
        }
        assert!(desk.asked.len() > 15);
        let close = desk.asked.windows(2).find(|two| two[1].0 - two[0].0 < APART);
        assert_eq!(close, None);
    }
}

#[test]
fn another_address_or_a_lost_way_registers_at_once() {
    for input in [
        Input::AddressChanged,
        Input::News(RegistrationNews::FlowLost),
        Input::News(RegistrationNews::Silent),
    ] {
        let mut desk = Desk::registered(&[1]);
        desk.pass(seconds(5));
        desk.input(input.clone());
        assert_eq!(desk.asked.len(), 2, "{input:?}");
        assert!(matches!(desk.account.status(), Status::Registered { .. }));
    }
    let mut desk = Desk::registered(&[1]);
    desk.pass(seconds(5));
    desk.input(Input::Servers(vec![server(7), server(1)]));
    desk.input(Input::Servers(Vec::new()));
    desk.input(Input::Servers(vec![server(1), server(7)]));
    assert_eq!(desk.asked.len(), 1, "the one in use is still right");
    desk.until_asked();
    assert_eq!(desk.last_server(), server(1));
    for _ in 0..2 {
        desk.accept(300);
        desk.until_asked();
    }
    assert_eq!(desk.last_server(), server(7), "another order of the same is none");
}

#[test]
fn a_server_that_serves_is_left_only_when_it_is_absent_from_answer_after_answer() {
    let mut desk = Desk::registered(&[1, 2]);
    desk.pass(seconds(5));
    for others in [[7, 8], [9, 7]] {
        desk.input(Input::Servers(others.map(server).to_vec()));
        assert_eq!(desk.asked.len(), 1, "many give another part of their servers each time");
    }
    desk.input(Input::Servers(vec![server(1), server(8)]));
    for others in [[7, 8], [9, 7], [7, 9]] {
        desk.input(Input::Servers(others.map(server).to_vec()));
    }
    assert_eq!((desk.asked.len(), desk.last_server()), (2, server(7)), "three in a row");
}

#[test]
fn a_server_that_closes_each_connection_is_asked_less_and_less() {
    let mut desk = Desk::registered(&[1]);
    let mut waits = Vec::new();
    for _ in 0..12 {
        desk.pass(seconds(1));
        let before = desk.now;
        let count = desk.asked.len();
        desk.input(Input::News(RegistrationNews::FlowLost));
        if desk.asked.len() == count {
            desk.until_asked();
        }
        waits.push(desk.now - before);
        desk.accept(3_600);
    }
    assert_eq!(waits[0], Duration::ZERO, "the first is a lost way like any other");
    assert!(waits[1] >= seconds(2) && waits[1] <= seconds(4), "{waits:?}");
    assert!(waits[11] >= seconds(150) && waits[11] <= BACK_OFF_MOST, "{waits:?}");
    // One that lived, and it is forgotten.
    desk.pass(FLOW_LIVES);
    let count = desk.asked.len();
    desk.input(Input::News(RegistrationNews::FlowLost));
    assert_eq!(desk.asked.len(), count + 1);
}

#[test]
fn where_we_are_seen_becomes_our_contact_but_not_every_second() {
    let mut desk = Desk::with(1, &[1]);
    desk.pass(seconds(5));
    desk.take();
    let seen = |n| Some(SocketAddr::from(([203, 0, 113, 9], n)));
    desk.input(Input::News(RegistrationNews::Registered {
        expires_s: 300,
        seen: seen(1),
        outbound: None,
    }));
    let wanted = Output::Register { server: server(1), contact: seen(1) };
    assert_eq!(desk.take(), [wanted], "nobody can call yet");
    desk.accept(300);
    assert_eq!(desk.take(), [Output::Changed]);
    desk.pass(seconds(5));
    desk.input(Input::News(RegistrationNews::Alive { seen: seen(2) }));
    assert_eq!(desk.asked.len(), 2, "too soon");
    desk.pass(seconds(26));
    desk.take();
    desk.input(Input::News(RegistrationNews::Alive { seen: seen(3) }));
    assert_eq!(desk.take(), [Output::Register { server: server(1), contact: seen(3) }]);
    desk.accept(300);
    desk.pass(seconds(2));
    desk.take();
    desk.input(Input::AddressChanged);
    assert_eq!(desk.take(), [Output::Register { server: server(1), contact: None }]);
}

#[test]
fn after_a_lost_connection_the_port_of_the_new_one_is_told_at_once() {
    let mut desk = Desk::with(1, &[1]);
    desk.pass(seconds(5));
    desk.take();
    let seen = |n| Some(SocketAddr::from(([203, 0, 113, 9], n)));
    desk.input(Input::News(RegistrationNews::Registered {
        expires_s: 300,
        seen: seen(1),
        outbound: None,
    }));
    desk.accept(300);
    desk.pass(seconds(5));
    desk.take();
    desk.input(Input::News(RegistrationNews::FlowLost));
    assert_eq!(desk.take(), [Output::Register { server: server(1), contact: None }]);
    desk.input(Input::News(RegistrationNews::Registered {
        expires_s: 300,
        seen: seen(2),
        outbound: None,
    }));
    desk.pass(seconds(2));
    let wanted = Output::Register { server: server(1), contact: seen(2) };
    assert!(desk.take().contains(&wanted));
}

#[test]
fn a_registered_account_that_hears_nothing_is_found_out() {
    let mut desk = Desk::registered(&[1]);
    desk.is_deaf = true;
    for _ in 0..3 {
        let before = desk.now;
        while desk.outputs.is_empty() {
            desk.now = desk.deadline.unwrap();
            desk.input(Input::Timeout);
        }
        assert_eq!(desk.take(), [Output::Ping { server: server(1) }]);
        let wait = desk.now - before;
        assert!(wait >= seconds(20) && wait <= seconds(25), "{wait:?}");
        desk.input(Input::News(RegistrationNews::Alive { seen: None }));
    }
    desk.pass(seconds(25));
    assert_eq!(desk.take(), [Output::Ping { server: server(1) }]);
    assert_eq!(desk.asked.len(), 1);
    desk.pass(ALIVE_WITHIN);
    assert_eq!(desk.asked.len(), 2);
}

#[test]
fn a_server_that_answers_no_ping_is_left_in_peace() {
    let mut desk = Desk::registered(&[1]);
    desk.is_deaf = true;
    for _ in 0..2 {
        let wait = desk.until_asked();
        assert!(wait <= seconds(25 + 8), "{wait:?}");
        desk.accept(300);
    }
    desk.take();
    let wait = desk.until_asked();
    assert!(wait >= seconds(120), "the renewal: {wait:?}");
    let pings = desk.take().iter().filter(|out| matches!(out, Output::Ping { .. })).count();
    assert!(pings >= 4, "routers still see them: {pings}");
    // One that has answered since is believed again.
    desk.accept(300);
    desk.input(Input::News(RegistrationNews::Alive { seen: None }));
    let wait = desk.until_asked();
    assert!(wait <= seconds(25 + 8), "{wait:?}");
}

#[test]
fn without_an_address_it_asks_again_and_says_so() {
    let mut desk = Desk::new(1);
    desk.input(Input::Start);
    desk.input(Input::Start);
    assert_eq!(desk.take(), [Output::Resolve]);
    desk.input(Input::Servers(Vec::new()));
    assert_eq!(desk.words(), "no address is found for the name of its server");
    desk.take();
    desk.pass(seconds(4));
    assert_eq!(desk.take(), [Output::Resolve]);
    desk.input(Input::Servers(vec![server(1)]));
    assert_eq!(desk.take(), [Output::Register { server: server(1), contact: None }]);
}

#[test]
fn at_the_end_the_binding_is_taken_away_and_that_is_waited_for_a_little() {
    let mut desk = Desk::registered(&[1]);
    desk.input(Input::Stop);
    desk.input(Input::Stop);
    assert_eq!(desk.take(), [Output::Unregister]);
    assert!(desk.account.is_leaving());
    desk.input(Input::News(RegistrationNews::Unregistered));
    assert_eq!((desk.account.is_leaving(), desk.account.status()), (false, Status::Left));
    desk.input(Input::AddressChanged);
    assert_eq!((desk.take(), desk.deadline), (vec![Output::Changed], None), "nothing follows");

    let mut silent = Desk::registered(&[1]);
    silent.input(Input::Stop);
    silent.pass(LEAVE_WITHIN);
    assert!(!silent.account.is_leaving());

    // A REGISTER that is out may be let through; one that was refused has left nothing behind.
    let mut trying = Desk::with(1, &[1]);
    trying.input(Input::Stop);
    assert!(trying.account.is_leaving());
    let mut refused = Desk::with(1, &[1]);
    refused.fail(RegistrationFailure::Disbelieved);
    refused.take();
    refused.input(Input::Stop);
    assert_eq!((refused.take(), refused.account.is_leaving()), (vec![Output::Changed], false));
}

#[test]
fn calls_go_to_the_server_that_is_registered_with() {
    let mut desk = Desk::with(1, &[1, 2]);
    assert!(desk.account.servers().is_empty());
    desk.accept(300);
    assert_eq!(desk.account.servers(), [server(1)]);
}
