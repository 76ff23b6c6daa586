//! The WebSocket gateway: events without a public address of ours.
//!
//! ```text
//! Waiting ─▶ Asking (wstoken) ─▶ Connecting ─▶ Opening ─ ConnectionDetails ─▶ Subscribing ─▶ Up
//!    ▲                                           └ recovered: nothing was missed ─────────────▶ │
//!    └──────────────────────── closed, silent, refused ◀────────────────────────────────────────┘
//! ```
//!
//! Each frame is an array of meta and body. Nothing is sent before the server's first frame. A connection
//! that is lost is made again with its recovery token, while that is good.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::request::{Answer, Body, Request};
use crate::base::percent::escape_all;
use crate::base::{Entropy, Private, limits};
use crate::trunk::account::jittered;

const TOKEN: &str = "/restapi/oauth/wstoken";
const SUBSCRIPTION: &str = "/restapi/v1.0/subscription/";
/// The wait before a new connection, doubled by each that does not stay, up to the most.
const BACK_OFF: Duration = Duration::from_secs(2);
const BACK_OFF_MOST: Duration = Duration::from_secs(300);
/// A connection that was up for so long has worked: what failed before it counts no more.
const STAYED: Duration = Duration::from_secs(60);
/// After a refusal that will be one again.
const REFUSED: Duration = Duration::from_secs(300);
/// Where it wants fewer requests and does not say for how long, and the longest that is obeyed.
const PENALTY: Duration = Duration::from_secs(30);
const PENALTY_MOST: Duration = Duration::from_secs(3_600);
/// How long the server's first frame and its answer to the subscription are waited for.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// Silence after which a sign of life is asked for, and how long that may take.
const SILENCE: Duration = Duration::from_secs(60);
const ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// How long the server keeps what we have missed.
const RECOVERY: Duration = Duration::from_secs(180);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        until: Instant,
    },
    /// The token is asked for.
    Asking,
    Connecting {
        until: Instant,
    },
    /// Connected; the server's first frame is waited for.
    Opening {
        until: Instant,
    },
    Subscribing {
        message: String,
        until: Instant,
    },
    Up {
        since: Instant,
        silent_at: Instant,
        is_asked: bool,
    },
}

/// What the gateway wants.
pub enum Output {
    /// Ask the REST interface for a token; [`Gateway::token`] tells.
    AskToken(Request),
    /// Connect there; it has a token in it.
    Connect(Private<String>),
    Send(String),
    Close,
    Event(Value),
    Refused(Refusal),
}

/// See the module.
pub struct Gateway {
    filters: Vec<String>,
    entropy: Entropy,
    state: State,
    /// The recovery token with its sequence, and when the connection was lost.
    recovery: Option<(String, i64)>,
    lost_at: Option<Instant>,
    /// Connections in a row that did not stay.
    failures: u32,
    outputs: VecDeque<Output>,
}

impl std::fmt::Debug for Gateway {
    /// Whoever has its words can take up the connection.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateway")
    }
}

impl Gateway {
    pub fn new(now: Instant, filters: Vec<String>, entropy: Entropy) -> Self {
        Self {
            filters,
            entropy,
            state: State::Waiting { until: now },
            recovery: None,
            lost_at: None,
            failures: 0,
            outputs: VecDeque::new(),
        }
    }

    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until }
            | State::Connecting { until }
            | State::Opening { until }
            | State::Subscribing { until, .. } => Some(*until),
            State::Up { silent_at, .. } => Some(*silent_at),
            State::Asking => None,
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn timeout(&mut self, now: Instant) {
        if self.deadline().is_none_or(|at| now < at) {
            return;
        }
        match &self.state {
            State::Waiting { .. } => {
                self.state = State::Asking;
                let request = Request::post(TOKEN, Body::None);
                self.outputs.push_back(Output::AskToken(request));
            }
            State::Up { since, is_asked: false, .. } => {
                let (since, silent_at) = (*since, now + ALIVE_WITHIN);
                self.state = State::Up { since, silent_at, is_asked: true };
                let id = self.entropy.token();
                self.send(&json!([{ "type": "Heartbeat", "messageId": id }]));
            }
            State::Connecting { .. }
            | State::Opening { .. }
            | State::Subscribing { .. }
            | State::Up { .. } => {
                self.outputs.push_back(Output::Close);
                self.lost(now);
            }
            State::Asking => {}
        }
    }

    /// What came of asking for the token.
    pub fn token(&mut self, now: Instant, outcome: Result<Vec<u8>, Refusal>) {
        if self.state != State::Asking {
            return;
        }
        let body = match outcome {
            Ok(body) => serde_json::from_slice::<Value>(&body).unwrap_or_default(),
            Err(refusal) => return self.refused(now, refusal),
        };
        let field = |name: &str| body.get(name).and_then(Value::as_str);
        let (Some(uri), Some(token)) = (field("uri"), field("ws_access_token")) else {
            return self.refused(now, Refusal::Unreadable("uri or ws_access_token"));
        };
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < RECOVERY;
        let is_recoverable = self.lost_at.is_some_and(is_fresh);
        let mut url = format!("{uri}?access_token={}", escape_all(token));
        match &self.recovery {
            Some((recovery, _)) if is_recoverable => {
                url += &format!("&wsc={}", escape_all(recovery))
            }
            _ => self.recovery = None,
        }
        self.state = State::Connecting { until: now + OPEN_WITHIN };
        self.outputs.push_back(Output::Connect(Private::new(url)));
    }

    /// The connection is up.
    pub fn opened(&mut self, now: Instant) {
        if matches!(self.state, State::Connecting { .. }) {
            self.state = State::Opening { until: now + OPEN_WITHIN };
        }
    }

    /// It is gone, or could not be made. `retry_after_s`: the server wants to be left alone for so long.
    pub fn closed(&mut self, now: Instant, retry_after_s: Option<u32>) {
        if matches!(
            self.state,
            State::Connecting { .. }
                | State::Opening { .. }
                | State::Subscribing { .. }
                | State::Up { .. }
        ) {
            self.lost(now);
            self.wait_at_least(now, retry_after_s.map(seconds));
        }
    }

    /// A frame. What is none that is known here is a sign of life all the same.
    pub fn frame(&mut self, now: Instant, text: &str) {
        if let State::Up { since, .. } = self.state {
            self.state = State::Up { since, silent_at: now + SILENCE, is_asked: false };
        }
        if text.len() > limits::RINGCENTRAL_BODY_BYTES {
            return;
        }
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return };
        let (Some(meta), body) = (frame.get(0), frame.get(1)) else { return };
        self.keep_recovery(meta, body);
        let kind = meta.get("type").and_then(Value::as_str).unwrap_or_default();
        match (kind, &self.state) {
            ("ConnectionDetails", State::Opening { .. }) => {
                let state = body.and_then(|body| body.get("recoveryState")?.as_str());
                match state {
                    Some("Successful") => self.up(now),
                    _ => self.subscribe(now),
                }
            }
            ("ServerNotification", _) => {
                self.outputs.extend(body.cloned().map(Output::Event));
            }
            ("ClientRequest" | "Error", State::Subscribing { message, .. }) => {
                let is_ours = meta.get("messageId").and_then(Value::as_str) == Some(message);
                let status = meta.get("status").and_then(Value::as_u64).unwrap_or_default();
                match (is_ours, kind, status) {
                    (true, "ClientRequest", 200..=299) => self.up(now),
                    (true, ..) => self.not_subscribed(now, meta, body),
                    (false, ..) => {}
                }
            }
            _ => {}
        }
    }

    fn not_subscribed(&mut self, now: Instant, meta: &Value, body: Option<&Value>) {
        let status = meta.get("status").and_then(Value::as_u64).unwrap_or_default();
        let status = u16::try_from(status).unwrap_or_default();
        self.outputs.push_back(Output::Close);
        if matches!(status, 429 | 503) {
            self.refused(now, Refusal::Busy);
            return self.wait_at_least(now, Some(retry_after(meta)));
        }
        let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let answer = Answer { status, retry_after_s: None, body };
        self.refused(now, Refusal::of(&answer));
    }

    fn up(&mut self, now: Instant) {
        self.state = State::Up { since: now, silent_at: now + SILENCE, is_asked: false };
    }

    fn subscribe(&mut self, now: Instant) {
        let message = self.entropy.token();
        let meta = json!({
            "type": "ClientRequest", "messageId": message, "method": "POST", "path": SUBSCRIPTION,
        });
        let body = json!({
            "eventFilters": self.filters, "deliveryMode": { "transportType": "WebSocket" },
        });
        self.send(&json!([meta, body]));
        self.state = State::Subscribing { message, until: now + OPEN_WITHIN };
    }

    fn send(&mut self, frame: &Value) {
        self.outputs.push_back(Output::Send(frame.to_string()));
    }

    /// The one with the highest sequence, and whatever comes with what a recovery came to.
    fn keep_recovery(&mut self, meta: &Value, body: Option<&Value>) {
        let Some(wsc) = meta.get("wsc") else { return };
        let Some(token) = wsc.get("token").and_then(Value::as_str) else { return };
        let sequence = wsc.get("sequence").and_then(Value::as_i64).unwrap_or_default();
        let is_anew = body.is_some_and(|body| body.get("recoveryState").is_some());
        let is_later = self.recovery.as_ref().is_none_or(|(_, known)| sequence > *known);
        if is_anew || is_later {
            self.recovery = Some((token.to_owned(), sequence));
        }
    }

    fn lost(&mut self, now: Instant) {
        if let State::Up { since, .. } = self.state {
            self.lost_at = Some(now);
            if now >= since + STAYED {
                self.failures = 0;
            }
        }
        let wait = BACK_OFF.saturating_mul(1 << self.failures.min(10)).min(BACK_OFF_MOST);
        self.failures = self.failures.saturating_add(1);
        // Between half of it and all, so that boxes that were cut off together do not come back together.
        self.state = State::Waiting { until: now + jittered(&mut self.entropy, wait, 0.5) };
    }

    fn wait_at_least(&mut self, now: Instant, asked: Option<Duration>) {
        if let (State::Waiting { until }, Some(asked)) = (&mut self.state, asked) {
            *until = (now + asked.min(PENALTY_MOST)).max(*until);
        }
    }

    fn refused(&mut self, now: Instant, refusal: Refusal) {
        let is_passing = refusal.is_passing();
        self.lost(now);
        if !is_passing {
            self.state = State::Waiting { until: now + REFUSED };
        }
        self.outputs.push_back(Output::Refused(refusal));
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// What the head of a frame says of it, as a number or as its digits.
fn retry_after(meta: &Value) -> Duration {
    let headers = meta.get("headers").and_then(Value::as_object);
    let mut fields = headers.into_iter().flatten();
    let field = fields.find(|(name, _)| name.eq_ignore_ascii_case("Retry-After"));
    let told = field.and_then(|(_, value)| match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    });
    told.map_or(PENALTY, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Desk {
        gateway: Gateway,
        now: Instant,
    }

    impl Desk {
        fn new() -> Self {
            let now = Instant::now();
            let gateway = Gateway::new(now, vec!["/f".to_owned()], Entropy::new([1; 32]));
            Self { gateway, now }
        }

        fn wait(&mut self) -> u64 {
            let at = self.gateway.deadline().unwrap();
            let waited = at - self.now;
            self.now = at;
            self.gateway.timeout(at);
            waited.as_secs()
        }

        /// Up to the connection; its address.
        fn connect(&mut self) -> String {
            self.wait();
            assert!(matches!(self.gateway.poll(), Some(Output::AskToken(_))));
            let token = br#"{"uri":"wss://h/ws","ws_access_token":"T/","expires_in":30}"#.to_vec();
            self.gateway.token(self.now, Ok(token));
            let Some(Output::Connect(url)) = self.gateway.poll() else { panic!() };
            self.gateway.opened(self.now);
            url.into_revealed()
        }

        fn subscribed(&mut self) -> String {
            let url = self.connect();
            let details = r#"[{"type":"ConnectionDetails","status":200,
                "wsc":{"token":"W1","sequence":1}},{"recoveryTimeout":180}]"#;
            self.gateway.frame(self.now, details);
            let Some(Output::Send(frame)) = self.gateway.poll() else { panic!() };
            let frame: Value = serde_json::from_str(&frame).unwrap();
            assert_eq!(frame[1]["deliveryMode"]["transportType"], "WebSocket");
            let id = frame[0]["messageId"].as_str().unwrap();
            let answer = format!(
                "[{{\"type\":\"ClientRequest\",\"messageId\":\"{id}\",\"status\":200,\
                 \"wsc\":{{\"token\":\"W2\",\"sequence\":2}}}},{{\"id\":\"x\"}}]"
            );
            self.gateway.frame(self.now, &answer);
            url
        }
    }

    #[test]
    fn it_subscribes_after_the_first_frame_and_hands_on_events() {
        let mut desk = Desk::new();
        assert_eq!(desk.subscribed(), "wss://h/ws?access_token=T%2F");
        assert!(desk.gateway.is_up());
        desk.gateway.frame(desk.now, r#"[{"type":"ServerNotification"},{"body":1}]"#);
        let Some(Output::Event(event)) = desk.gateway.poll() else { panic!() };
        assert_eq!(event["body"], 1);
        for foul in ["", "{}", "[]", "[1]", "[{\"type\":\"ClientRequest\"}]"] {
            desk.gateway.frame(desk.now, foul);
            assert!(desk.gateway.poll().is_none() && desk.gateway.is_up(), "{foul}");
        }
    }

    #[test]
    fn a_silent_server_is_asked_and_then_left_and_what_was_missed_is_asked_for() {
        let mut desk = Desk::new();
        desk.subscribed();
        assert_eq!(desk.wait(), 60);
        assert!(
            matches!(desk.gateway.poll(), Some(Output::Send(text)) if text.contains("Heartbeat"))
        );
        assert_eq!(desk.wait(), 10);
        assert!(matches!(desk.gateway.poll(), Some(Output::Close)));
        assert!(!desk.gateway.is_up());
        assert_eq!(desk.connect(), "wss://h/ws?access_token=T%2F&wsc=W2");
        let details = r#"[{"type":"ConnectionDetails","wsc":{"token":"W0","sequence":0}},
            {"recoveryState":"Successful"}]"#;
        desk.gateway.frame(desk.now, details);
        assert!(desk.gateway.is_up() && desk.gateway.poll().is_none());
        desk.gateway.closed(desk.now, None);
        assert!(desk.connect().ends_with("&wsc=W0"));
    }

    #[test]
    fn a_recovery_that_fails_or_comes_too_late_is_a_new_subscription() {
        let mut desk = Desk::new();
        desk.subscribed();
        desk.gateway.closed(desk.now, None);
        desk.connect();
        let details = r#"[{"type":"ConnectionDetails"},{"recoveryState":"Failed"}]"#;
        desk.gateway.frame(desk.now, details);
        assert!(matches!(desk.gateway.poll(), Some(Output::Send(_))));
        let mut late = Desk::new();
        late.subscribed();
        late.gateway.closed(late.now, None);
        late.now += RECOVERY;
        late.gateway.timeout(late.now);
        late.gateway.poll();
        let token = br#"{"uri":"wss://h/ws","ws_access_token":"T"}"#.to_vec();
        late.gateway.token(late.now, Ok(token));
        let Some(Output::Connect(url)) = late.gateway.poll() else { panic!() };
        assert!(!url.reveal().contains("wsc="));
    }

    #[test]
    fn it_comes_back_sooner_from_a_lost_connection_than_from_a_refusal() {
        let mut desk = Desk::new();
        for (least, most) in [(0, 0), (1, 2), (2, 4), (4, 8), (8, 16)] {
            let at = desk.gateway.deadline().unwrap() - desk.now;
            assert!(seconds(least) <= at && at <= seconds(most), "{at:?}");
            desk.connect();
            desk.gateway.closed(desk.now, None);
        }
        desk.wait();
        desk.gateway.poll();
        let refusal = Refusal::Application("WebSocketsSubscription".to_owned());
        desk.gateway.token(desk.now, Err(refusal.clone()));
        assert!(matches!(desk.gateway.poll(), Some(Output::Refused(told)) if told == refusal));
        assert_eq!(desk.gateway.deadline(), Some(desk.now + REFUSED));
    }

    #[test]
    fn connections_that_do_not_stay_are_made_less_and_less_often_and_one_that_stays_is_a_new_beginning()
     {
        let mut desk = Desk::new();
        let mut waits = Vec::new();
        for _ in 0..12 {
            desk.subscribed();
            desk.now += STAYED - seconds(1);
            desk.gateway.closed(desk.now, None);
            waits.push(desk.gateway.deadline().unwrap() - desk.now);
            // Too late for what was missed.
            desk.now += RECOVERY;
        }
        assert!(waits[..8].windows(2).all(|two| two[0] <= two[1]), "{waits:?}");
        assert!(waits[8..].iter().all(|wait| *wait >= BACK_OFF_MOST / 2), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= BACK_OFF_MOST), "{waits:?}");
        assert!(waits[8] != waits[9] && waits[9] != waits[10], "by chance: {waits:?}");
        desk.subscribed();
        desk.now += STAYED;
        desk.gateway.closed(desk.now, None);
        assert!(desk.gateway.deadline().unwrap() - desk.now <= BACK_OFF);
    }

    #[test]
    fn it_is_left_alone_for_as_long_as_it_wants() {
        let mut desk = Desk::new();
        desk.connect();
        desk.gateway.closed(desk.now, Some(77));
        assert_eq!(desk.wait(), 77);
        for (headers, waited) in [
            (r#"{"Retry-After":"40"}"#, 40),
            (r#"{"retry-after":50}"#, 50),
            ("{}", 30),
            (r#"{"Retry-After":"999999999"}"#, 3_600),
        ] {
            let mut desk = Desk::new();
            desk.connect();
            desk.gateway.frame(desk.now, r#"[{"type":"ConnectionDetails"},{}]"#);
            let Some(Output::Send(frame)) = desk.gateway.poll() else { panic!() };
            let frame: Value = serde_json::from_str(&frame).unwrap();
            let id = frame[0]["messageId"].as_str().unwrap();
            let refused = format!(
                "[{{\"type\":\"Error\",\"messageId\":\"{id}\",\"status\":429,\"headers\":{headers}}},{{}}]"
            );
            desk.gateway.frame(desk.now, &refused);
            assert!(matches!(desk.gateway.poll(), Some(Output::Close)));
            assert!(matches!(desk.gateway.poll(), Some(Output::Refused(Refusal::Busy))));
            assert_eq!(desk.wait(), waited, "{headers}");
        }
    }
}
