//! An operator's leg in memory, frames played by the test, time as input.

use std::time::Duration;

use super::*;
use crate::base::Private;
use crate::base::handshake::Fingerprint;
use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES};
use crate::call::Cause;
use crate::codec::Codec;
use crate::listen::VadScore;
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::{EndCause, OfferBy};

const LEG: LegId = LegId(3);
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0\r\n";

struct Desk {
    now: Instant,
    operator: Operator,
    wants: Vec<String>,
    deadline: Option<Instant>,
}

impl Desk {
    fn listening() -> Self {
        let media = LocalMedia {
            address: [192, 0, 2, 1].into(),
            port: 20_000,
            id: 7,
            srtp: None,
            keys: None,
            fingerprint: Some(Fingerprint::of(b"ours")),
            ice: Default::default(),
            seed: Private::default(),
        };
        let operator = Operator::answer(offering(), LEG, &media, OFFER.as_bytes()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        let now = Instant::now();
        let mut desk = Self { now, operator, wants: Vec::new(), deadline: None };
        desk.drain();
        assert_eq!(desk.took(), ["answer", "start"]);
        desk
    }

    fn drain(&mut self) {
        loop {
            let wanted = match self.operator.poll_output() {
                Output::Leg(output) => named(&output),
                Output::TakesOver => {
                    self.operator.speaks(self.now);
                    "takes over"
                }
                Output::GivesBack(Back::Given) => "gives back",
                Output::GivesBack(Back::Lost) => "lost",
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            };
            self.wants.push(wanted.to_owned());
        }
    }

    fn took(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wants)
    }

    fn input(&mut self, input: &Input<'_>) {
        self.operator.handle(self.now, input);
        self.drain();
    }

    fn asks(&mut self) {
        self.operator.ask(self.now);
        self.drain();
    }

    /// So long, with or without packets of a microphone.
    fn run(&mut self, ms: u64, origin: Origin) {
        for _ in 0..ms / FRAME_MS {
            self.now += Duration::from_millis(FRAME_MS);
            let score = VadScore { speech: 0.9, tonal: false, voiced: true };
            let frame = Frame([700; FRAME_SAMPLES]);
            let heard = HeardFrame { frame, score, origin, arrived: self.now, at: self.now };
            self.input(&Input::Heard(&heard));
            if self.deadline.is_some_and(|at| at <= self.now) {
                self.input(&Input::Timeout);
            }
        }
    }

    /// What it hears of a frame of the call, by the first sample.
    fn hears(&mut self, heard: i16, said: i16) -> Option<i16> {
        self.operator.passed(&Frame([heard; FRAME_SAMPLES]), &Frame([said; FRAME_SAMPLES]));
        self.operator.next_frame().map(|next| next.frame.0[0])
    }
}

fn named(output: &LegOutput) -> &'static str {
    match output {
        LegOutput::Sip(sip::Command::Answer { .. }) => "answer",
        LegOutput::Sip(sip::Command::AcceptOffer { .. }) => "accept",
        LegOutput::Sip(sip::Command::RefuseOffer { .. }) => "refuse",
        LegOutput::Sip(sip::Command::Bye { .. }) => "bye",
        LegOutput::StartMedia(_) => "start",
        LegOutput::ApplyMedia(_) => "apply",
        LegOutput::StopMedia => "stop",
        _ => "something else",
    }
}

fn offering() -> Offering {
    Offering {
        codecs: vec![Codec::Pcmu],
        dtmf: true,
        ptime_ms: 20,
        srtp: Srtp::Optional,
        keys: OfferedKeys::Sdes,
    }
}

#[test]
fn who_listens_hears_both_sides_and_is_never_heard() {
    let mut desk = Desk::listening();
    assert_eq!(desk.hears(1_000, 20), Some(1_020));
    assert_eq!(desk.hears(30_000, 30_000), Some(i16::MAX), "two who shout are cut, not folded");
    assert_eq!(desk.hears(-30_000, -30_000), Some(i16::MIN));
    desk.run(60_000, Origin::Received);
    assert_eq!(desk.took(), [""; 0], "a microphone that is on asks for nothing");
    assert!(!desk.operator.is_speaking());
}

#[test]
fn who_asks_speaks_as_soon_as_the_microphone_is_heard() {
    let mut desk = Desk::listening();
    desk.asks();
    desk.run(3_000, Origin::Nothing);
    assert_eq!(desk.took(), [""; 0], "the assistant goes on for a microphone that is not there");
    assert_eq!(desk.hears(1_000, 20), Some(1_020));
    desk.run(20, Origin::Received);
    assert_eq!(desk.took(), ["takes over"]);
    assert_eq!(desk.hears(1_000, 20), Some(1_000), "nobody hears themselves");
    desk.operator.give_back();
    desk.drain();
    assert_eq!(desk.took(), ["gives back"]);
    assert_eq!(desk.hears(1_000, 20), Some(1_020));
    desk.run(60_000, Origin::Received);
    assert_eq!(desk.took(), [""; 0]);
}

#[test]
fn who_has_no_microphone_is_given_up() {
    let mut desk = Desk::listening();
    desk.asks();
    desk.run(u64::try_from(limits::OPERATOR_MICROPHONE.as_millis()).unwrap() + 40, Origin::Nothing);
    desk.run(100, Origin::Received);
    assert_eq!(desk.took(), [""; 0], "what comes so late was not meant");
}

#[test]
fn who_is_not_heard_any_more_gives_the_call_back_within_a_second() {
    for origin in [Origin::Concealed, Origin::Nothing, Origin::Pause] {
        let mut desk = Desk::listening();
        desk.asks();
        desk.run(5_000, Origin::Received);
        assert_eq!(desk.took(), ["takes over"]);
        desk.run(940, origin);
        assert_eq!(desk.took(), [""; 0], "a hiccup is none");
        desk.run(20, Origin::Received);
        desk.run(940, origin);
        assert_eq!(desk.took(), [""; 0]);
        desk.run(80, origin);
        assert_eq!(desk.took(), ["lost"]);
        desk.run(1_000, Origin::Received);
        assert_eq!(desk.took(), [""; 0], "it listens, and has to ask again");
        assert_eq!(desk.hears(1, 2), Some(3));
    }
}

#[test]
fn a_leg_that_ends_gives_the_call_back_first_and_ends_once() {
    let ended = || Input::Sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByPeer });
    let mut desk = Desk::listening();
    desk.asks();
    desk.run(20, Origin::Received);
    desk.took();
    desk.input(&ended());
    assert_eq!(desk.took(), ["gives back", "stop"]);
    assert!(desk.operator.is_ended());
    desk.input(&ended());
    desk.operator.end();
    desk.asks();
    desk.run(100, Origin::Received);
    assert_eq!(desk.took(), [""; 0]);
    assert_eq!(desk.hears(1, 2), None);
    for input in [
        Input::NotSecured,
        Input::Media(MediaEvent::MediaTimeout),
        Input::HangUp(Cause::ShuttingDown),
    ] {
        let mut desk = Desk::listening();
        desk.input(&input);
        assert_eq!(desk.took(), ["bye", "stop"]);
        desk.input(&ended());
        assert_eq!(desk.took(), [""; 0]);
    }
}

#[test]
fn another_offer_is_answered_and_a_bad_one_changes_nothing() {
    let mut desk = Desk::listening();
    let offered = |offer: &str| {
        let offer = Some(offer.as_bytes().to_vec());
        Input::Sip(sip::Event::OfferReceived { leg: LEG, offer, by: OfferBy::Update })
    };
    desk.input(&offered(&OFFER.replace("40000", "40002")));
    assert_eq!(desk.took(), ["accept", "apply"]);
    desk.input(&offered("v=0\r\nm=audio 9 RTP/AVP 99\r\n"));
    assert_eq!(desk.took(), ["refuse"]);
    assert_eq!(desk.hears(1, 2), Some(3));
}
