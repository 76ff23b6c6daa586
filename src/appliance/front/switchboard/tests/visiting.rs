//! Calls of pages: taken, refused, ended by either side, and at shutdown.

use tokio::sync::oneshot;

use super::*;
use crate::base::handshake::Fingerprint;
use crate::base::{Private, Way};
use crate::call::record::Progress;
use crate::web::Command;
use crate::webrtc::{IfMatch, Opening, Refusal, Request, Response, SessionId, Visitor};

pub(super) fn offer(name: &str) -> Private<Vec<u8>> {
    let fingerprint = Fingerprint::of(b"a browser's");
    let text = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 0 110\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n\
         a=ice-ufrag:{name}\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:{fingerprint}\r\n\
         a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=msid:- one\r\na=rtpmap:111 opus/48000/2\r\n\
         a=rtpmap:110 telephone-event/48000\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n"
    );
    Private::new(text.into_bytes())
}

impl Desk {
    /// The response, if there is one.
    pub(super) fn asks(&mut self, request: Request) -> Option<Response> {
        let (told, mut response) = oneshot::channel();
        self.now += Duration::from_millis(1);
        self.switchboard.command(self.now, Command::WebRtc { request, told });
        self.play();
        response.try_recv().ok()
    }

    fn opens(&mut self) -> Option<Response> {
        self.asks(Request::Open(Opening {
            visitor: Visitor::default(),
            offer: offer("aaaa"),
            called: Private::default(),
            observes: None,
        }))
    }

    /// A session whose call is up, and our answer.
    pub(super) fn visits(&mut self) -> (SessionId, String) {
        match self.opens() {
            Some(Response::Opened { session, answer, .. }) => {
                (session, String::from_utf8(answer.into_revealed()).unwrap())
            }
            other => panic!("not taken: {other:?}"),
        }
    }

    pub(super) fn cause(&self, id: u64) -> Option<Cause> {
        let record = self.switchboard.parts.board.call(CallId(id)).unwrap();
        record.progress.ending().map(|ending| ending.cause)
    }
}

#[tokio::test]
async fn a_page_is_answered_on_its_audio_line_and_hangs_up() {
    let mut desk = Desk::ready().await;
    let (session, answer) = desk.visits();
    for line in ["m=video 0 ", "m=application 0 ", "a=group:BUNDLE 0\r\n", "a=mid:2", "a=msid:"] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
    assert!(answer.contains("a=setup:active") && answer.contains("a=rtcp-mux"), "{answer}");
    let record = desk.switchboard.parts.board.call(CallId(1)).unwrap();
    assert_eq!((record.way, record.peer.reveal().as_str()), (Way::WebRtc, "browser"));
    assert!(matches!(record.progress, Progress::Active { .. }));
    assert!(desk.playing.is_some());
    assert_eq!(desk.asks(Request::Close { session: session.clone() }), Some(Response::Closed));
    assert_eq!(desk.cause(1), Some(Cause::HungUp));
    assert_eq!(desk.switchboard.calls(), 0);
    assert!(desk.switchboard.legs.is_empty(), "no leg is remembered");
    let again = desk.asks(Request::Close { session: session.clone() });
    assert_eq!(again, Some(Response::Refused(Refusal::NoSuchSession)));
    let look = desk.asks(Request::Look { session });
    assert_eq!(look, Some(Response::Call { call: CallId(1) }));
}

#[tokio::test]
async fn a_page_is_refused_as_a_telephone_is() {
    let mut desk = Desk::open(28_320).await;
    let status = |response: Option<Response>| match response {
        Some(Response::Refused(Refusal::Busy { status, retry_after_s })) => (status, retry_after_s),
        other => panic!("{other:?}"),
    };
    assert_eq!(status(desk.opens()), (503, Some(5)), "nothing is loaded yet");
    desk.switchboard.set_readiness(desk.now, Readiness::Ready);
    desk.calls("one").await;
    assert_eq!(status(desk.opens()), (486, None), "the telephone has the only place");
    desk.switchboard.set_readiness(desk.now, Readiness::Draining);
    assert_eq!(status(desk.opens()), (503, Some(5)));
    assert_eq!(desk.switchboard.calls(), 1);
}

#[tokio::test]
async fn a_description_that_does_not_fit_takes_no_place() {
    let mut desk = Desk::ready().await;
    let opening = |offer: &str| {
        let offer = Private::new(offer.as_bytes().to_vec());
        Request::Open(Opening {
            visitor: Visitor::default(),
            offer,
            called: Private::default(),
            observes: None,
        })
    };
    let plain = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5000 RTP/AVP 0\r\n";
    for (text, is_malformed) in [
        ("", true),
        ("\u{0}\u{1}", true),
        ("{\"type\":\"offer\"}", true),
        (plain, false),
        ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n", false),
    ] {
        match desk.asks(opening(text)) {
            Some(Response::Refused(Refusal::Malformed(_))) => assert!(is_malformed, "{text}"),
            Some(Response::Refused(Refusal::Unacceptable(_))) => assert!(!is_malformed, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
        assert_eq!(desk.switchboard.calls(), 0);
    }
    desk.visits();
}

#[tokio::test]
async fn a_page_restarts_ice_under_the_same_keys() {
    let mut desk = Desk::ready().await;
    let (session, first) = desk.visits();
    let name = |sdp: &str| {
        let line = sdp.lines().find(|line| line.starts_with("a=ice-ufrag:"));
        line.map(str::to_owned).unwrap()
    };
    let request = Request::Reoffer { session: session.clone(), offer: offer("bbbb") };
    let Some(Response::Answered { answer, .. }) = desk.asks(request) else { panic!() };
    let second = String::from_utf8(answer.into_revealed()).unwrap();
    assert_ne!(name(&first), name(&second));
    let body = b"a=ice-ufrag:cccc\r\na=ice-pwd:9876543210987654321098\r\n".to_vec();
    let request = Request::Fragment {
        session: session.clone(),
        if_match: IfMatch::Any,
        body: Private::new(body),
    };
    let Some(Response::Restarted { fragment, .. }) = desk.asks(request) else { panic!() };
    let third = String::from_utf8(fragment.into_revealed()).unwrap();
    assert_ne!(name(&second), name(&third));
    let request =
        Request::Reoffer { session, offer: Private::new(b"v=0\r\nm=audio 9 RTP/AVP 99".to_vec()) };
    assert!(matches!(desk.asks(request), Some(Response::Refused(_))));
    assert_eq!((desk.switchboard.calls(), desk.cause(1)), (1, None), "the call goes on");
}

#[tokio::test]
async fn a_page_without_an_end_of_its_handshake_is_let_go() {
    let mut desk = Desk::ready().await;
    let (session, _) = desk.visits();
    for _ in 0..200 {
        let Some(deadline) = desk.switchboard.deadline() else { break };
        desk.now = desk.now.max(deadline);
        desk.switchboard.timeout(desk.now);
        desk.play();
        if desk.cause(1).is_some() {
            break;
        }
    }
    assert_eq!(desk.cause(1), Some(Cause::NoKeys));
    let closed = desk.asks(Request::Close { session });
    assert_eq!(closed, Some(Response::Refused(Refusal::NoSuchSession)));
}

#[tokio::test]
async fn at_shutdown_pages_are_hung_up_on() {
    let mut desk = Desk::ready().await;
    desk.visits();
    desk.switchboard.set_readiness(desk.now, Readiness::Draining);
    desk.switchboard.hang_up_all(desk.now, Cause::ShuttingDown);
    desk.play();
    assert_eq!((desk.switchboard.calls(), desk.cause(1)), (0, Some(Cause::ShuttingDown)));
}

#[tokio::test]
async fn a_page_that_has_gone_before_the_answer_holds_no_place() {
    let mut desk = Desk::ready().await;
    let (told, response) = oneshot::channel();
    drop(response);
    let request = Request::Open(Opening {
        visitor: Visitor::default(),
        offer: offer("aaaa"),
        called: Private::default(),
        observes: None,
    });
    desk.switchboard.command(desk.now, Command::WebRtc { request, told });
    desk.play();
    assert_eq!((desk.switchboard.calls(), desk.cause(1)), (0, Some(Cause::HungUp)));
    desk.visits();
}
