//! Our side of a call: the real `Call` with the starter model's ears and phrases made beforehand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendant::base::pcm::FRAME_SAMPLES;
use attendant::base::{CallId, LanguageCode, Private, UtteranceId};
use attendant::call::language::{Manner, Tongues};
use attendant::call::media::Plan;
use attendant::call::{
    Call, HoldSound, Input, LocalMedia, Opening, Output, Settings, Shelf, Start, VoicemailSettings,
    Work, WorkResult, render_list,
};
use attendant::codec::Codec;
use attendant::converse::people::WeekMinute;
use attendant::converse::playbook::SHIPPED;
use attendant::converse::{self, Playbook};
use attendant::listen::{self, Recognition};
use attendant::sdp::{OfferedKeys, Offering, Srtp};
use attendant::sip::{self, Flow, LegId};

use crate::pauses::recogniser::Ears;

const LEG: LegId = LegId(1);
/// What is not on the shelf sounds so long; nothing is measured in it.
const PHRASE_FRAMES: usize = 15;
const GREETING: &str = "greeting = \"Hello, this is {firm}. How can I help you?\"";

/// The desk with a greeting of our own: no question is open while it is said.
pub fn playbook(greeting: &str) -> Playbook {
    let text = SHIPPED[0].1.replace(GREETING, &format!("greeting = \"{greeting}\""));
    assert!(text.contains(greeting), "the playbook's greeting is replaced");
    Playbook::parse(&text).expect("the desk's playbook")
}

/// The greeting's phrases, each as `voice` speaks it.
pub fn shelf(greeting: &str, voice: impl Fn(&str) -> Vec<i16>) -> Arc<Shelf> {
    let mut shelf = Shelf::default();
    for phrase in render_list(&[greeting.to_owned()], LanguageCode::ENGLISH) {
        let samples = voice(&phrase);
        shelf.put(LanguageCode::ENGLISH, phrase, samples);
    }
    Arc::new(shelf)
}

/// What recognises speech.
pub trait Hears {
    /// The text, and how long it takes.
    fn hear(&mut self, audio: &[i16]) -> (Recognition, Duration);
}

impl Hears for Ears {
    fn hear(&mut self, audio: &[i16]) -> (Recognition, Duration) {
        Self::hear(self, audio)
    }
}

/// Hears the same in everything, after 100 ms.
pub struct Fixed(pub &'static str);

impl Hears for Fixed {
    fn hear(&mut self, _: &[i16]) -> (Recognition, Duration) {
        (Recognition::evenly(self.0, 0.99), Duration::from_millis(100))
    }
}

/// What the call wants of its media.
#[derive(Debug)]
pub enum Order {
    Start(Plan),
    Silence(UtteranceId),
}

pub struct Side {
    call: Call,
    deadline: Option<Instant>,
    /// What the engine will say, and when.
    pending: Vec<(Instant, WorkResult)>,
    pub orders: Vec<Order>,
    pub decodes: usize,
}

impl Side {
    /// A call that the peer at `peer` has just been connected to.
    pub fn connected(
        now: Instant,
        (playbook, shelf): (Playbook, Arc<Shelf>),
        (own_port, peer): (u16, SocketAddr),
        ears: &mut dyn Hears,
    ) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 5_060));
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\n",
            ip = peer.ip(),
            port = peer.port()
        );
        let incoming = sip::Incoming {
            flow: Flow::udp(local, peer),
            request_uri: Private::default(),
            from_uri: Private::default(),
            from_display: Private::default(),
            to_uri: Private::default(),
            sip_call_id: Private::default(),
            offer: Some(offer.into_bytes()),
            replaces: None,
            headers: Private::default(),
        };
        let opening = Opening {
            id: CallId(1),
            leg: LEG,
            start: Start { now, unix_ms: 0, local: WeekMinute::default() },
            incoming: incoming.into(),
            media: LocalMedia {
                address: local.ip(),
                port: own_port,
                id: 1,
                srtp: None,
                keys: None,
                fingerprint: None,
                ice: Default::default(),
                seed: Private::default(),
            },
            manner: Manner::plain(LanguageCode::ENGLISH),
            shelf,
        };
        let settings = Settings {
            offering: Offering {
                codecs: vec![Codec::Pcmu],
                dtmf: true,
                ptime_ms: 20,
                srtp: Srtp::Optional,
                keys: OfferedKeys::Sdes,
            },
            answer_after: Duration::ZERO,
            listen: listen::Settings::default(),
            converse: converse::Settings::default(),
            tongues: Tongues::only(playbook),
            hold: HoldSound::default(),
            voicemail: VoicemailSettings::default(),
        };
        let call = Call::answer(&settings, opening).expect("the offer fits");
        let mut side = Self { call, deadline: None, pending: vec![], orders: vec![], decodes: 0 };
        let established = sip::Event::Established { leg: LEG, answer: None };
        side.handle(now, Input::Sip(established), ears);
        side
    }

    pub fn call(&mut self) -> &mut Call {
        &mut self.call
    }

    /// Turns in which the caller was heard.
    pub fn turns(&self) -> usize {
        let turns = self.call.record().turns();
        turns.iter().filter(|turn| !turn.caller_text.reveal().is_empty()).count()
    }

    pub fn handle(&mut self, now: Instant, input: Input<'_>, ears: &mut dyn Hears) {
        self.call.handle(now, input);
        loop {
            match self.call.poll_output() {
                Output::Work(work) => self.engine(now, work, ears),
                Output::Silence(through) => self.orders.push(Order::Silence(through)),
                Output::StartMedia(plan) => self.orders.push(Order::Start(plan)),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                Output::Sip(_)
                | Output::Associate(_)
                | Output::ApplyMedia(_)
                | Output::StopMedia
                | Output::SendDigits(_)
                | Output::Pressed(_)
                | Output::Stalled(_)
                | Output::Tape(_)
                | Output::Message(_)
                | Output::PutThrough(_)
                | Output::Accepted
                | Output::GiveUpPerson
                | Output::NotHandedOver
                | Output::PartnerWaits(_)
                | Output::Invite { .. }
                | Output::Replied(_)
                | Output::Recorded => (),
            }
        }
    }

    /// What has become due: answers of the engine and deadlines.
    pub fn advance(&mut self, now: Instant, ears: &mut dyn Hears) {
        let due = |(at, _): &mut (Instant, WorkResult)| *at <= now;
        let answers: Vec<_> = self.pending.extract_if(.., due).collect();
        for (_, answer) in answers {
            self.handle(now, Input::Work(answer), ears);
        }
        if self.deadline.is_some_and(|at| at <= now) {
            self.handle(now, Input::Timeout, ears);
        }
    }

    fn engine(&mut self, now: Instant, work: Work, ears: &mut dyn Hears) {
        match work {
            Work::Transcribe { id, audio, .. } => {
                self.decodes += 1;
                let (recognition, took) = ears.hear(audio.reveal());
                let decode_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
                let text = WorkResult::Text { id, recognition, decode_ms, detected: None };
                self.pending.push((now + took, text));
            }
            Work::Speak { id, .. } => {
                let samples = Private::new(vec![5_000; PHRASE_FRAMES * FRAME_SAMPLES]);
                self.pending.push((now, WorkResult::Audio { id, samples }));
                self.pending.push((now, WorkResult::Spoken { id }));
            }
            Work::Cancel { .. } | Work::Think { .. } | Work::LookUp { .. } | Work::Agent { .. } => {
            }
        }
    }
}
