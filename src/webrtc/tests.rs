//! Sessions in memory, with the call played by the test.

use std::net::IpAddr;

use super::*;
use crate::base::{CallId, Entropy, Private, Way, limits};
use crate::sip::{self, EndCause, LegId, ReferNews, ReferTo};

const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:aaaa\r\n\
    a=ice-pwd:0123456789012345678901\r\na=mid:0\r\n";
const ANSWER: &str = "v=0\r\na=ice-lite\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:ours\r\n\
    a=rtpmap:111 opus/48000/2\r\n";
const CANDIDATE: &str = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n";

struct Desk {
    sessions: Sessions,
    asks: u64,
    asked: Vec<LegId>,
    candidates: usize,
    events: Vec<sip::Event>,
    responses: Vec<(AskId, Response)>,
}

impl Desk {
    fn new() -> Self {
        let sessions = Sessions::new(Entropy::new([5; 32]), 1_000);
        Self { sessions, asks: 0, asked: vec![], candidates: 0, events: vec![], responses: vec![] }
    }

    fn input(&mut self, input: Input) {
        self.sessions.handle(input);
        while let Some(output) = self.sessions.poll_output() {
            match output {
                Output::Asked { leg, .. } => self.asked.push(leg),
                Output::Candidates { values, .. } => self.candidates += values.len(),
                Output::Event(event) => self.events.push(event),
                Output::Response { ask, response } => self.responses.push((ask, response)),
            }
        }
    }

    /// The response, if there is one yet.
    fn ask(&mut self, request: Request) -> Option<Response> {
        self.asks += 1;
        let ask = AskId(self.asks);
        self.input(Input::Request { ask, request });
        self.response(ask)
    }

    fn response(&mut self, of: AskId) -> Option<Response> {
        let at = self.responses.iter().position(|(ask, _)| *ask == of)?;
        Some(self.responses.remove(at).1)
    }

    fn command(&mut self, command: sip::Command) {
        self.input(Input::Command(command));
    }

    /// A session whose call is up.
    fn open(&mut self) -> (SessionId, LegId) {
        assert!(self.ask(open()).is_none(), "the call has yet to answer");
        let (leg, ask) = (*self.asked.last().unwrap(), AskId(self.asks));
        self.input(Input::Took { leg, call: CallId(9) });
        self.command(sip::Command::Answer { leg, sdp: ANSWER.into() });
        let Some(Response::Opened { session, call, answer, tag }) = self.response(ask) else {
            panic!("not opened")
        };
        assert_eq!((call, tag.as_str()), (Some(CallId(9)), "\"1\""));
        assert_eq!(answer.reveal(), ANSWER.as_bytes());
        assert!(matches!(self.events.pop(), Some(sip::Event::Established { answer: None, .. })));
        (session, leg)
    }

    fn fragment(&mut self, session: &SessionId, if_match: IfMatch, body: &str) -> Option<Response> {
        let (session, body) = (session.clone(), Private::new(body.as_bytes().to_vec()));
        self.ask(Request::Fragment { session, if_match, body })
    }
}

fn open() -> Request {
    let offer = Private::new(OFFER.as_bytes().to_vec());
    let visitor = Visitor::default();
    Request::Open(Opening { visitor, offer, called: Private::default(), observes: None })
}

fn refused(refusal: Refusal) -> Option<Response> {
    Some(Response::Refused(refusal))
}

fn malformed(response: Option<Response>) -> bool {
    matches!(response, Some(Response::Refused(Refusal::Malformed(_))))
}

#[test]
fn a_session_is_a_leg_from_its_offer_to_its_end() {
    let mut desk = Desk::new();
    let (session, leg) = desk.open();
    assert_eq!((leg.way(), desk.sessions.count()), (Way::WebRtc, 1));
    let look = || Request::Look { session: session.clone() };
    assert_eq!(desk.ask(look()), Some(Response::Call { call: CallId(9) }));
    let close = || Request::Close { session: session.clone() };
    assert_eq!(desk.ask(close()), Some(Response::Closed));
    let ended = sip::Event::Ended { leg, cause: EndCause::ByPeer };
    assert_eq!(format!("{:?}", desk.events), format!("{:?}", [ended]));
    assert_eq!(desk.ask(close()), refused(Refusal::NoSuchSession), "it is deleted once");
    assert_eq!(desk.ask(look()), Some(Response::Call { call: CallId(9) }), "its words stay");
    assert_eq!((desk.events.len(), desk.sessions.count()), (1, 0));
}

#[test]
fn a_call_that_hangs_up_ends_the_session() {
    let mut desk = Desk::new();
    let (session, leg) = desk.open();
    desk.command(sip::Command::Bye { leg, reason: None });
    assert!(matches!(desk.events[..], [sip::Event::Ended { cause: EndCause::ByUs, .. }]));
    desk.command(sip::Command::Bye { leg, reason: None });
    assert_eq!(desk.events.len(), 1, "a leg ends once");
    assert_eq!(desk.ask(Request::Close { session }), refused(Refusal::NoSuchSession));
}

#[test]
fn a_call_that_is_not_taken_leaves_nothing_behind() {
    for (status, retry_after_s, expected) in [
        (486, None, Refusal::Busy { status: 486, retry_after_s: None }),
        (503, Some(30), Refusal::Busy { status: 503, retry_after_s: Some(30) }),
        (400, None, Refusal::Malformed("why".to_owned())),
        (488, None, Refusal::Unacceptable("why".to_owned())),
    ] {
        let mut desk = Desk::new();
        assert!(desk.ask(open()).is_none());
        let leg = desk.asked[0];
        let warning = Some(sip::Warning { code: 399, text: "why".to_owned() });
        desk.command(sip::Command::Reject { leg, status, retry_after_s, warning });
        assert_eq!(desk.response(AskId(1)), refused(expected));
        assert!(desk.events.is_empty() && desk.sessions.count() == 0);
    }
}

#[test]
fn more_sessions_than_the_limit_are_refused_and_ended_ones_are_forgotten_at_last() {
    let mut desk = Desk::new();
    let all: Vec<_> = (0..limits::WEBRTC_SESSIONS).map(|_| desk.open().0).collect();
    assert_eq!(desk.ask(open()), refused(Refusal::Crowded(Crowd::All)));
    for session in all.clone() {
        assert_eq!(desk.ask(Request::Close { session }), Some(Response::Closed));
    }
    let known = |desk: &mut Desk, session: &SessionId| {
        let look = Request::Look { session: session.clone() };
        desk.ask(look) == Some(Response::Call { call: CallId(9) })
    };
    assert!(!known(&mut desk, &all[0]) && known(&mut desk, all.last().unwrap()));
    let kept = all.iter().filter(|session| known(&mut desk, session)).count();
    assert_eq!(kept, limits::WEBRTC_ENDED_SESSIONS);
}

#[test]
fn pages_leave_lines_to_telephones_tokens_to_tokens_and_visitors_to_visitors() {
    for (lines, all, of_token, of_address) in [(1, 1, 1, 1), (5, 4, 3, 2), (50, 40, 30, 4)] {
        let mut desk = Desk::new();
        desk.sessions = Sessions::new(Entropy::new([5; 32]), lines);
        let mut opens = |token: Option<&str>, last: u8| {
            let source = Private::new(Some(IpAddr::from([203, 0, 113, last])));
            let visitor =
                Visitor { token: token.map(|token| Private::new(token.to_owned())), source };
            let offer = Private::new(OFFER.as_bytes().to_vec());
            desk.ask(Request::Open(Opening {
                visitor,
                offer,
                called: Private::default(),
                observes: None,
            }))
        };
        for _ in 0..of_address {
            assert_eq!(opens(Some("shop"), 1), None);
        }
        let crowded = |crowd| refused(Refusal::Crowded(crowd));
        let of_one = if of_address == all { Crowd::All } else { Crowd::Address };
        assert_eq!(opens(Some("shop"), 1), crowded(of_one), "{lines}");
        for visitor in of_address..of_token {
            assert_eq!(opens(Some("shop"), 10 + visitor as u8), None, "{lines}");
        }
        let of_one = if of_token == all { Crowd::All } else { Crowd::Token };
        assert_eq!(opens(Some("shop"), 9), crowded(of_one), "{lines}");
        // The owner on the box is no visitor.
        for _ in of_token..all {
            assert_eq!(opens(None, 1), None, "{lines}");
        }
        assert_eq!(opens(Some("desk"), 1), crowded(Crowd::All), "{lines}");
        assert_eq!(desk.sessions.count(), all);
    }
}

#[test]
fn nobody_guesses_a_session_and_it_does_not_print() {
    let mut desk = Desk::new();
    let (one, other) = (desk.open().0, desk.open().0);
    assert!(one != other && one.reveal().len() == 32);
    assert!(!format!("{one:?} {:?}", desk.sessions).contains(one.reveal()));
    for name in ["", "1", "../etc", &one.reveal()[1..]] {
        let session = SessionId::new(name);
        assert_eq!(desk.ask(Request::Look { session }), refused(Refusal::NoSuchSession), "{name}");
    }
}

#[test]
fn another_offer_is_answered_by_the_call_one_at_a_time() {
    let mut desk = Desk::new();
    let (session, leg) = desk.open();
    let reoffer = |session: &SessionId| Request::Reoffer {
        session: session.clone(),
        offer: Private::new(OFFER.as_bytes().to_vec()),
    };
    assert!(desk.ask(reoffer(&session)).is_none());
    let first = AskId(desk.asks);
    assert!(matches!(desk.events.pop(), Some(sip::Event::OfferReceived { offer: Some(_), .. })));
    assert_eq!(desk.ask(reoffer(&session)), refused(Refusal::Pending));
    desk.command(sip::Command::AcceptOffer { leg, sdp: ANSWER.into() });
    let answer = Private::new(ANSWER.into());
    let same = "\"1\"".to_owned();
    assert_eq!(desk.response(first), Some(Response::Answered { answer, tag: same }));
    assert!(desk.ask(reoffer(&session)).is_none());
    let second = AskId(desk.asks);
    desk.command(sip::Command::RefuseOffer { leg, status: 488, warning: None });
    let unacceptable = Refusal::Unacceptable(String::new());
    assert_eq!(desk.response(second), refused(unacceptable));
    assert!(desk.ask(reoffer(&session)).is_none(), "the session goes on");
    let third = AskId(desk.asks);
    desk.command(sip::Command::Bye { leg, reason: None });
    assert_eq!(desk.response(third), refused(Refusal::NoSuchSession));
}

#[test]
fn a_session_has_a_bounded_number_of_offers_and_restarts() {
    let mut desk = Desk::new();
    let (session, leg) = desk.open();
    for number in 0..=limits::WEBRTC_REOFFERS {
        let offer = Private::new(OFFER.as_bytes().to_vec());
        let request = Request::Reoffer { session: session.clone(), offer };
        let fragment = "a=ice-ufrag:bbbb\r\na=ice-pwd:9876543210987654321098\r\n";
        let told = match number % 2 {
            0 => desk.ask(request),
            _ => desk.fragment(&session, IfMatch::Any, fragment),
        };
        let is_over = number == limits::WEBRTC_REOFFERS;
        assert_eq!(told, is_over.then_some(Response::Refused(Refusal::TooManyOffers)), "{number}");
        desk.command(sip::Command::AcceptOffer { leg, sdp: ANSWER.into() });
    }
    assert_eq!(desk.ask(Request::Close { session }), Some(Response::Closed), "the call goes on");
}

#[test]
fn candidates_are_taken_for_the_ice_session_that_there_is() {
    let mut desk = Desk::new();
    let (session, _) = desk.open();
    let body = format!("a=ice-ufrag:aaaa\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n{CANDIDATE}");
    let tag = |tag: &str| IfMatch::Tag(tag.to_owned());
    for if_match in [IfMatch::Unsaid, tag("\"1\"")] {
        assert_eq!(desk.fragment(&session, if_match, &body), Some(Response::Taken));
    }
    let end = "a=end-of-candidates\r\n";
    assert_eq!(desk.fragment(&session, IfMatch::Unsaid, end), Some(Response::Taken));
    let other = refused(Refusal::OtherSession);
    assert_eq!(desk.fragment(&session, tag("\"2\""), &body), other);
    let stranger = body.replace("aaaa", "zzzz");
    assert_eq!(desk.fragment(&session, IfMatch::Unsaid, &stranger), other);
    assert!(malformed(desk.fragment(&session, IfMatch::Unsaid, "a=candidate:rubbish")));
    assert!(malformed(desk.fragment(&session, IfMatch::Unsaid, "hello")));
    let many = CANDIDATE.repeat(limits::WEBRTC_CANDIDATES);
    assert!(malformed(desk.fragment(&session, IfMatch::Unsaid, &many)), "two are there already");
    assert_eq!(desk.candidates, 2);
    assert!(desk.events.is_empty());
    let nobody = SessionId::new("x");
    assert_eq!(desk.fragment(&nobody, IfMatch::Unsaid, end), refused(Refusal::NoSuchSession));
}

#[test]
fn a_restart_by_a_fragment_is_the_same_offer_under_another_name() {
    let mut desk = Desk::new();
    let (session, leg) = desk.open();
    let body = "a=ice-ufrag:bbbb\r\na=ice-pwd:9876543210987654321098\r\n";
    assert!(malformed(desk.fragment(&session, IfMatch::Any, "a=ice-ufrag:bbbb\r\n")));
    for (if_match, name) in [(IfMatch::Any, "bbbb"), (IfMatch::Unsaid, "cccc")] {
        let body = body.replace("bbbb", name);
        assert!(desk.fragment(&session, if_match, &body).is_none());
        let ask = AskId(desk.asks);
        let Some(sip::Event::OfferReceived { offer: Some(offer), .. }) = desk.events.pop() else {
            panic!("no offer")
        };
        let offer = String::from_utf8(offer).unwrap();
        assert!(offer.contains(&format!("a=ice-ufrag:{name}\r\n")) && offer.contains("m=audio"));
        desk.command(sip::Command::AcceptOffer { leg, sdp: ANSWER.into() });
        let Some(Response::Restarted { fragment, tag }) = desk.response(ask) else {
            panic!("not restarted")
        };
        let fragment = String::from_utf8(fragment.into_revealed()).unwrap();
        assert!(fragment.contains("a=ice-ufrag:ours") && !fragment.contains("rtpmap"));
        assert_eq!(tag, if name == "bbbb" { "\"2\"" } else { "\"3\"" });
    }
    let old = IfMatch::Tag("\"1\"".to_owned());
    assert_eq!(desk.fragment(&session, old, CANDIDATE), refused(Refusal::OtherSession));
}

#[test]
fn what_a_page_cannot_do_is_told_as_a_failure() {
    let mut desk = Desk::new();
    let (_, leg) = desk.open();
    let to = ReferTo::Number(Private::new("1".to_owned()));
    let within = std::time::Duration::from_secs(1);
    desk.command(sip::Command::Refer { leg, to, within });
    desk.command(sip::Command::Reoffer { leg, sdp: Vec::new() });
    assert!(matches!(
        desk.events[..],
        [
            sip::Event::Refer { news: ReferNews::Failed(501), .. },
            sip::Event::OfferFailed { status: 501, .. }
        ]
    ));
}

#[test]
fn who_listens_takes_no_line_of_pages_and_there_are_few() {
    let mut desk = Desk::new();
    desk.sessions = Sessions::new(Entropy::new([5; 32]), 1);
    let listens = || {
        let Request::Open(opening) = open() else { unreachable!() };
        let observes = Some(Observes { call: CallId(4), by: Private::default() });
        Request::Open(Opening { observes, ..opening })
    };
    for _ in 0..limits::OPERATORS {
        assert!(desk.ask(listens()).is_none());
    }
    assert_eq!(desk.ask(listens()), refused(Refusal::Crowded(Crowd::Operators)));
    assert!(desk.ask(open()).is_none(), "the only line is a caller's");
    assert_eq!(desk.ask(open()), refused(Refusal::Crowded(Crowd::All)));
    let leg = desk.asked[0];
    desk.input(Input::Took { leg, call: CallId(9) });
    desk.command(sip::Command::Answer { leg, sdp: ANSWER.into() });
    let Some((_, Response::Opened { session, .. })) = desk.responses.pop() else { panic!() };
    assert_eq!(desk.sessions.call_of(&session), Some(CallId(9)));
    assert_eq!(desk.ask(Request::Close { session: session.clone() }), Some(Response::Closed));
    assert_eq!(desk.sessions.call_of(&session), None);
    assert!(desk.ask(listens()).is_none(), "there is room again");
    for (status, expected) in [
        (403, Refusal::Forbidden),
        (404, Refusal::NoSuchCall),
        (491, Refusal::NotNow("why".to_owned())),
    ] {
        let mut desk = Desk::new();
        assert!(desk.ask(listens()).is_none());
        let leg = desk.asked[0];
        let warning = Some(sip::Warning { code: 399, text: "why".to_owned() });
        desk.command(sip::Command::Reject { leg, status, retry_after_s: None, warning });
        assert_eq!(desk.response(AskId(1)), refused(expected));
    }
}
