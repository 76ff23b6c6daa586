//! People who listen to calls: let in, heard, given the call, and gone.

use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::visiting::offer;
use super::*;
use crate::appliance::rings::TapFrame;
use crate::base::Private;
use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::call::CallRecord;
use crate::call::media::{HeardFrame, Origin};
use crate::call::record::Part;
use crate::listen::VadScore;
use crate::web::{Command, Operated, Operating};
use crate::webrtc::{Crowd, Observes, Opening, Refusal, Request, Response, SessionId, Visitor};

const CALL: CallId = CallId(1);

impl Desk {
    async fn talking() -> Self {
        let mut desk = Self::ready().await;
        desk.calls("one").await;
        desk
    }

    fn wants_to_listen(&mut self, call: CallId) -> Option<Response> {
        let observes = Observes { call, by: Private::new("desk".to_owned()) };
        self.asks(Request::Open(Opening {
            visitor: Visitor::default(),
            offer: offer("aaaa"),
            called: Private::default(),
            observes: Some(observes),
        }))
    }

    fn listens(&mut self) -> (SessionId, CallId) {
        match self.wants_to_listen(CALL) {
            Some(Response::Opened { session, call: Some(operator), .. }) => (session, operator),
            other => panic!("nobody listens: {other:?}"),
        }
    }

    fn operates(&mut self, session: &SessionId, wish: Operating) -> Operated {
        let (told, mut outcome) = oneshot::channel();
        let session = session.clone();
        self.switchboard.command(self.now, Command::Operate { session, wish, told });
        self.play();
        outcome.try_recv().unwrap()
    }

    /// 20 ms of the call in its place, where somebody listens to it.
    fn passes(&mut self, heard: i16, said: i16) {
        let place = &mut self.audio.places[0];
        if place.is_observed.load(Ordering::Relaxed) {
            let [heard, said] = [heard, said].map(|sample| Frame([sample; FRAME_SAMPLES]));
            let frame = TapFrame { call: CALL, tick: 1, heard, said };
            place.observed.as_mut().unwrap().push(frame).unwrap();
        }
        self.now += Duration::from_millis(20);
        self.switchboard.audio(self.now);
        self.play();
    }

    /// 20 ms of an operator's microphone, by place.
    fn speaks(&mut self, place: usize, sample: i16) {
        let frame = HeardFrame {
            frame: Frame([sample; FRAME_SAMPLES]),
            score: VadScore { speech: 0.9, tonal: false, voiced: true },
            origin: Origin::Received,
            arrived: self.now,
            at: self.now,
        };
        self.audio.places[place].heard.push(frame).unwrap();
        self.passes(0, 0);
    }

    /// What lies in the ring of a place, by the first samples.
    fn plays(&mut self, place: usize) -> Vec<i16> {
        let ring = &mut self.audio.places[place].playout;
        std::iter::from_fn(|| ring.pop().ok()).map(|next| next.frame.0[0]).collect()
    }

    fn record(&self) -> Arc<CallRecord> {
        self.switchboard.parts.board.call(CALL).unwrap()
    }

    fn parts(&self) -> Vec<(Part, bool)> {
        self.record().attended().iter().map(|one| (one.part, one.to_ms.is_some())).collect()
    }

    /// This utterance was heard to its end.
    fn has_played(&mut self, utterance: u32) {
        let kind = AudioEventKind::Finished { utterance: crate::base::UtteranceId(utterance) };
        self.audio.events.push(AudioEvent { place: Place(0), call: CALL, kind }).unwrap();
        self.switchboard.audio(self.now);
    }

    fn closes(&mut self, session: &SessionId) {
        let closed = self.asks(Request::Close { session: session.clone() });
        assert_eq!(closed, Some(Response::Closed));
    }
}

#[tokio::test]
async fn who_listens_takes_no_line_hears_both_sides_and_leaves_no_trace_in_the_call() {
    let mut desk = Desk::talking().await;
    desk.passes(100, 20);
    assert!(desk.audio.places[0].observed.as_ref().unwrap().slots() > 0);
    let before = desk.record().turns().len();
    let (session, operator) = desk.listens();
    assert_eq!(desk.switchboard.parts.places.taken(), 1, "the call's own");
    assert_eq!(desk.listening.len(), 1);
    desk.plays(1);
    desk.passes(100, 20);
    assert_eq!(desk.plays(1), [120]);
    desk.speaks(1, 9_000);
    assert!(!desk.plays(0).contains(&9_000), "whoever listens is not heard");
    assert_eq!(desk.parts(), [(Part::Listened, false)]);
    assert_eq!(
        (desk.record().attended()[0].operator, desk.record().turns().len()),
        (operator, before)
    );
    desk.closes(&session);
    assert_eq!(desk.parts(), [(Part::Listened, true)]);
    assert!(desk.listening.is_empty() && desk.switchboard.operators.is_empty());
    assert!(!desk.audio.places[0].is_observed.load(Ordering::Relaxed));
    assert_eq!((desk.switchboard.calls(), desk.cause(1)), (1, None), "the call goes on");
    assert_eq!(desk.switchboard.legs.len(), 1, "no leg is remembered");
}

#[tokio::test]
async fn who_takes_a_call_over_is_heard_in_the_assistants_place_until_it_is_given_back() {
    let mut desk = Desk::talking().await;
    let (session, operator) = desk.listens();
    assert_eq!(desk.operates(&session, Operating::TakeOver), Operated::Done);
    assert!(!desk.record().is_taken_over, "nobody is heard yet");
    desk.speaks(1, 700);
    assert!(desk.record().is_taken_over);
    assert!(desk.audio.places[0].silenced.load(Ordering::Relaxed) > 0, "at once");
    desk.plays(0);
    desk.plays(1);
    desk.speaks(1, 701);
    assert_eq!(desk.plays(0), [701]);
    desk.passes(100, 701);
    assert_eq!(desk.plays(1).last(), Some(&100), "the caller, and nobody's own voice");
    let other = desk.listens().0;
    let refused = desk.operates(&other, Operating::TakeOver);
    assert!(matches!(refused, Operated::NotNow(text) if text.contains("somebody else")));
    assert_eq!(desk.operates(&session, Operating::TakeOver), Operated::Done, "it has it already");
    assert_eq!(desk.operates(&session, Operating::GiveBack), Operated::Done);
    assert!(!desk.record().is_taken_over);
    desk.plays(0);
    desk.speaks(1, 702);
    assert!(!desk.plays(0).contains(&702));
    let attended = desk.record();
    let is_its = |(part, is_over)| {
        attended.attended().iter().any(|one| {
            one.operator == operator && (one.part, one.to_ms.is_some()) == (part, is_over)
        })
    };
    assert!(is_its((Part::Listened, false)) && is_its((Part::TookOver, true)));
}

#[tokio::test]
async fn an_operator_who_goes_or_falls_silent_leaves_no_dead_line() {
    let mut desk = Desk::talking().await;
    let (session, _) = desk.listens();
    desk.operates(&session, Operating::TakeOver);
    desk.speaks(1, 700);
    let since = desk.now;
    while desk.record().is_taken_over {
        let deadline = desk.switchboard.deadline().unwrap();
        desk.now = desk.now.max(deadline);
        desk.switchboard.timeout(desk.now);
        desk.play();
    }
    assert!(desk.now - since <= limits::OPERATOR_LOST, "{:?}", desk.now - since);
    assert_eq!(desk.switchboard.operators.len(), 1, "the page may come back, and listens");
    desk.operates(&session, Operating::TakeOver);
    desk.speaks(1, 700);
    assert!(desk.record().is_taken_over);
    desk.closes(&session);
    assert!(!desk.record().is_taken_over);
    assert_eq!(desk.cause(1), None);
    let gone = desk.operates(&session, Operating::TakeOver);
    assert_eq!(gone, Operated::NoSuchSession);
}

#[tokio::test]
async fn a_call_that_ends_ends_with_all_who_listen() {
    let mut desk = Desk::talking().await;
    let sessions = [desk.listens().0, desk.listens().0];
    desk.operates(&sessions[0], Operating::TakeOver);
    desk.speaks(1, 700);
    desk.switchboard.hang_up_all(desk.now, Cause::ShuttingDown);
    desk.play();
    assert!(desk.parts().iter().all(|(_, is_over)| *is_over), "{:?}", desk.parts());
    assert!(desk.listening.is_empty() && desk.switchboard.operators.is_empty());
    for session in sessions {
        let closed = desk.asks(Request::Close { session });
        assert_eq!(closed, Some(Response::Refused(Refusal::NoSuchSession)));
    }
    assert!(!desk.record().is_taken_over);
}

#[tokio::test]
async fn nobody_listens_where_it_is_not_wanted_or_makes_no_sense() {
    let refused = |response: Option<Response>| match response {
        Some(Response::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let mut desk = Desk::talking().await;
    desk.switchboard.parts.has_operators = false;
    assert_eq!(refused(desk.wants_to_listen(CALL)), Refusal::Forbidden);
    desk.switchboard.parts.has_operators = true;
    assert_eq!(refused(desk.wants_to_listen(CallId(77))), Refusal::NoSuchCall);
    for _ in 0..limits::OPERATORS_OF_CALL {
        desk.listens();
    }
    let Refusal::NotNow(text) = refused(desk.wants_to_listen(CALL)) else { panic!() };
    assert!(text.contains("as many"), "{text}");
    assert_eq!(desk.listening.len(), limits::OPERATORS_OF_CALL);
    // A page's own session is none that listens.
    let mut desk = Desk::ready().await;
    let (session, _) = desk.visits();
    assert_eq!(desk.operates(&session, Operating::TakeOver), Operated::NoSuchSession);
    let crowded = Crowd::Operators;
    assert_ne!(refused(desk.wants_to_listen(CallId(2))), Refusal::Crowded(crowded));
}

#[tokio::test]
async fn where_callers_are_to_be_told_nobody_listens_before_they_have_heard_it() {
    let mut desk = Desk::ready().await;
    let sentence = ("en".to_owned(), "A colleague may listen.".to_owned());
    desk.switchboard.parts.call.converse.announced = [sentence].into();
    desk.calls("one").await;
    let Some(Response::Refused(Refusal::NotNow(text))) = desk.wants_to_listen(CALL) else {
        panic!("its caller has heard nothing yet")
    };
    assert!(text.contains("has not heard"), "{text}");
    // What else was heard to its end is not the greeting.
    desk.has_played(9);
    assert!(matches!(desk.wants_to_listen(CALL), Some(Response::Refused(Refusal::NotNow(_)))));
    desk.has_played(1);
    desk.listens();
}

#[tokio::test]
async fn where_the_voice_has_failed_in_the_greeting_nobody_was_told() {
    let mut desk = Desk::ready().await;
    let sentence = ("en".to_owned(), "A colleague may listen.".to_owned());
    desk.switchboard.parts.call.converse.announced = [sentence].into();
    desk.calls("one").await;
    let call = desk.switchboard.lines.get_mut(&CALL).unwrap();
    let failed = crate::call::WorkResult::Failed { id: crate::base::WorkId(1) };
    call.call.handle(desk.now, call::Input::Work(failed));
    desk.has_played(1);
    assert!(matches!(desk.wants_to_listen(CALL), Some(Response::Refused(Refusal::NotNow(_)))));
}
