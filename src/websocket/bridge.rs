//! The line to a bridge that the box calls, in place of being called by it: one connection waits for the next call.
//!
//! ```text
//!              opened                 start
//!  Connecting ─▶ Waiting ─────────────▶ Announced ─ taken ─▶ a Session has it; Connecting for the next
//!     ▲ │ failed  │ lost, silent            │ refused: after 5 s, and the bridge works
//!     └─┴─ Resting ◀────────────────────────┘   5 times after 5 s, then each minute for ever
//! ```
//!
//! Whoever calls is known by the first message, `start` with the call's name; from there on it is a call like one that
//! a bridge has announced by HTTP. `handle` takes one input; then [`Bridge::poll_output`] until `Timeout`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::control::{ErrorCode, Reply};
use super::prepared::Order;
use crate::base::{Private, TimerTable, limits};
use crate::call::Cause;

/// What happens on the line.
pub enum Input<'a> {
    Opened,
    /// It could not be opened, or is gone.
    Lost,
    Text(&'a str),
    /// Anything else came: the bridge is there.
    Sign,
    /// The call that was announced has the connection now.
    Taken,
    /// It was not taken, for this reason.
    Refused(Cause),
    Timeout,
}

#[derive(Debug)]
pub enum Output {
    Connect,
    Ping,
    Say(Private<String>),
    Close,
    /// A call has come.
    Announce(Order),
    /// How the line is has changed.
    Shows(Shown),
    Timeout(Option<Instant>),
}

/// How the line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// A call can come.
    pub is_open: bool,
    /// Attempts in a row that came to nothing.
    pub failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting,
    Connecting,
    Waiting,
    Announced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Another attempt is due.
    Again,
    /// A sign of life is asked for.
    Ping,
    /// None has come.
    Silent,
}

/// What a bridge says first. Members that are not known are passed over.
#[derive(Deserialize)]
struct Arriving {
    #[serde(rename = "type")]
    kind: String,
    #[serde(alias = "call_id", rename = "callId")]
    call_id: String,
    #[serde(default, alias = "from_number", alias = "fromNumber")]
    from: String,
    #[serde(default, alias = "to_number", alias = "toNumber")]
    to: String,
}

/// See the module.
#[derive(Debug)]
pub struct Bridge {
    state: State,
    shown: Shown,
    timers: TimerTable<Timer>,
    out: VecDeque<Output>,
}

impl Bridge {
    /// It begins at once.
    pub fn new() -> Self {
        let mut bridge = Self {
            state: State::Resting,
            shown: Shown::default(),
            timers: TimerTable::default(),
            out: VecDeque::new(),
        };
        bridge.connect();
        bridge
    }

    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match (input, self.state) {
            (Input::Opened, State::Connecting) => {
                self.state = State::Waiting;
                self.timers.set(Timer::Ping, now + limits::BRIDGE_HEALTH);
                self.show(Shown { is_open: true, ..self.shown });
            }
            (Input::Lost, State::Connecting | State::Waiting | State::Announced) => self.rest(now),
            (Input::Text(text), State::Waiting) => self.text(now, text),
            (Input::Sign, State::Waiting) => self.is_there(now),
            (Input::Taken, State::Announced) => {
                self.show(Shown { is_open: false, failures: 0 });
                self.connect();
            }
            (Input::Refused(cause), State::Announced) => {
                let ended = Reply::Ended { by: "us", cause: cause.wording().name };
                self.out.push_back(Output::Say(ended.to_json().into()));
                self.out.push_back(Output::Close);
                // That no line is free is not the bridge's fault: it has brought a call.
                self.rest_for(now, limits::BRIDGE_AGAIN, 0);
            }
            (Input::Timeout, _) => self.timeout(now),
            _ => (),
        }
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    fn connect(&mut self) {
        self.timers.clear();
        self.state = State::Connecting;
        self.out.push_back(Output::Connect);
    }

    /// The bridge works: what failed before is forgotten, which a connection alone does not show.
    fn is_there(&mut self, now: Instant) {
        self.timers.cancel(Timer::Silent);
        self.timers.set(Timer::Ping, now + limits::BRIDGE_HEALTH);
        self.show(Shown { is_open: true, failures: 0 });
    }

    fn text(&mut self, now: Instant, text: &str) {
        self.timers.cancel(Timer::Silent);
        let arriving = serde_json::from_str::<Arriving>(text).ok();
        let order = arriving.filter(|arriving| arriving.kind == "start").and_then(|arriving| {
            let Arriving { call_id, from, to, .. } = arriving;
            Order::new(call_id, from, to).ok()
        });
        match order {
            Some(order) => {
                self.timers.clear();
                self.state = State::Announced;
                self.out.push_back(Output::Announce(order));
            }
            None => {
                self.out
                    .push_back(Output::Say(Reply::error(ErrorCode::NotStarted).to_json().into()));
                self.close(now);
            }
        }
    }

    fn close(&mut self, now: Instant) {
        self.out.push_back(Output::Close);
        self.rest(now);
    }

    fn rest(&mut self, now: Instant) {
        let failures = self.shown.failures.saturating_add(1);
        let wait = match failures {
            ..=limits::BRIDGE_ATTEMPTS => limits::BRIDGE_AGAIN,
            _ => limits::BRIDGE_SLOWLY,
        };
        self.rest_for(now, wait, failures);
    }

    fn rest_for(&mut self, now: Instant, wait: Duration, failures: u32) {
        self.timers.clear();
        self.timers.set(Timer::Again, now + wait);
        self.state = State::Resting;
        self.show(Shown { is_open: false, failures });
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Again => self.connect(),
                Timer::Ping => {
                    self.out.push_back(Output::Ping);
                    self.timers.set(Timer::Silent, now + limits::AUDIO_SILENT);
                }
                Timer::Silent => self.close(now),
            }
        }
    }

    fn show(&mut self, shown: Shown) {
        if self.shown != shown {
            self.shown = shown;
            self.out.push_back(Output::Shows(shown));
        }
    }
}

impl Default for Bridge {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;

    const START: &str =
        r#"{"type":"start","format":"pcm16","rate":16000,"callId":"s-1","from":"+15550100"}"#;

    struct Desk {
        bridge: Bridge,
        now: Instant,
    }

    impl Desk {
        fn new() -> Self {
            Self { bridge: Bridge::new(), now: Instant::now() }
        }

        /// What comes of an input: names of outputs, and how long until the deadline.
        fn gives(&mut self, input: Input<'_>) -> (Vec<String>, Option<u64>) {
            self.bridge.handle(self.now, input);
            self.drains()
        }

        fn drains(&mut self) -> (Vec<String>, Option<u64>) {
            let mut all = Vec::new();
            loop {
                match self.bridge.poll_output() {
                    Output::Timeout(at) => {
                        return (all, at.map(|at| (at - self.now).as_secs()));
                    }
                    Output::Connect => all.push("connect".to_owned()),
                    Output::Ping => all.push("ping".to_owned()),
                    Output::Close => all.push("close".to_owned()),
                    Output::Announce(order) => all.push(format!("announce {}", order.call_id())),
                    Output::Say(text) => all.push(text.into_revealed()),
                    Output::Shows(_) => (),
                }
            }
        }

        fn waits(&mut self, seconds: u64) -> (Vec<String>, Option<u64>) {
            self.now += Duration::from_secs(seconds);
            self.gives(Input::Timeout)
        }
    }

    fn one(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[test]
    fn a_bridge_that_is_not_there_is_tried_five_times_soon_and_then_slowly_for_ever() {
        let mut desk = Desk::new();
        assert_eq!(desk.drains(), (one("connect"), None));
        let mut waits = Vec::new();
        for _ in 0..1_000 {
            let (_, wait) = desk.gives(Input::Lost);
            waits.push(wait.unwrap());
            assert_eq!(desk.waits(wait.unwrap()), (one("connect"), None));
        }
        assert_eq!(waits[..7], [5, 5, 5, 5, 5, 60, 60]);
        assert!(waits[5..].iter().all(|wait| *wait == 60));
    }

    #[test]
    fn one_that_closes_each_connection_is_tried_no_faster_and_one_that_works_begins_anew() {
        let mut desk = Desk::new();
        desk.drains();
        for failures in 1..=6 {
            desk.gives(Input::Opened);
            let (_, wait) = desk.gives(Input::Lost);
            assert_eq!(wait, Some(if failures <= 5 { 5 } else { 60 }), "{failures}");
            desk.waits(60);
        }
        desk.gives(Input::Opened);
        desk.waits(30);
        desk.gives(Input::Sign);
        assert_eq!(desk.bridge.shown, Shown { is_open: true, failures: 0 });
        assert_eq!(desk.gives(Input::Lost).1, Some(5));
    }

    #[test]
    fn its_health_is_asked_for_every_half_minute_and_silence_ends_the_connection() {
        let mut desk = Desk::new();
        desk.drains();
        assert_eq!(desk.gives(Input::Opened), (Vec::new(), Some(30)));
        for _ in 0..3 {
            assert_eq!(desk.waits(30), (one("ping"), Some(10)));
            assert_eq!(desk.gives(Input::Sign), (Vec::new(), Some(30)));
        }
        desk.waits(30);
        assert_eq!(desk.waits(10), (one("close"), Some(5)));
        assert!(!desk.bridge.shown.is_open);
    }

    #[test]
    fn a_call_takes_its_connection_along_and_the_next_is_opened_at_once() {
        let mut desk = Desk::new();
        desk.drains();
        desk.gives(Input::Opened);
        assert_eq!(desk.gives(Input::Text(START)), (one("announce s-1"), None));
        assert_eq!(desk.gives(Input::Taken), (one("connect"), None));
        desk.gives(Input::Opened);
        desk.gives(Input::Text(START));
        let (said, wait) = desk.gives(Input::Refused(Cause::Busy));
        assert_eq!(
            (said[0].as_str(), wait),
            (r#"{"type":"ended","by":"us","cause":"busy"}"#, Some(5))
        );
        assert_eq!(said[1], "close");
    }

    #[test]
    fn a_call_that_is_refused_is_no_failure_of_the_bridge_however_often() {
        let mut desk = Desk::new();
        desk.drains();
        desk.gives(Input::Lost);
        desk.waits(5);
        for time in 1..=6 {
            desk.gives(Input::Opened);
            desk.gives(Input::Text(START));
            let (said, wait) = desk.gives(Input::Refused(Cause::Busy));
            assert_eq!((said[1].as_str(), wait), ("close", Some(5)), "{time}");
            assert_eq!(desk.bridge.shown, Shown::default(), "{time}: nothing is wrong");
            assert_eq!(desk.waits(5), (one("connect"), None), "{time}");
        }
    }

    #[test]
    fn what_is_no_call_is_told_and_ends_the_connection() {
        for text in [
            "",
            "{}",
            r#"{"type":"start"}"#,
            r#"{"type":"stop","callId":"a"}"#,
            r#"{"type":"start","callId":"a/b"}"#,
        ] {
            let mut desk = Desk::new();
            desk.drains();
            desk.gives(Input::Opened);
            let (said, _) = desk.gives(Input::Text(text));
            assert!(said[0].contains("not-started") && said[1] == "close", "{text}: {said:?}");
        }
    }
}
