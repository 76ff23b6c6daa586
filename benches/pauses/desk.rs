//! A call on a simulated clock: frames in every 20 ms, the recogniser's texts after the time that
//! they took, replies of a tone, and the moment when the first of one is played.

use std::sync::Arc;
use std::time::{Duration, Instant};

use attendant::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame};
use attendant::base::{CallId, LanguageCode, Private, UtteranceId};
use attendant::call::language::{Manner, Tongues};
use attendant::call::media::{HeardFrame, MediaEvent, Origin};
use attendant::call::{
    Call, HoldSound, Input, LocalMedia, Opening, Output, Shelf, Start, Work, WorkResult,
};
use attendant::codec::Codec;
use attendant::converse::people::WeekMinute;
use attendant::converse::{self, Playbook, fixed_phrases};
use attendant::listen::{self, Ours, Urgency, Vad};
use attendant::sdp::{OfferedKeys, Offering, Srtp};
use attendant::sip::{self, Flow, LegId};

use super::corpus::{Asked, line_noise};
use super::recogniser::Ears;

const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0\r\n";
const LEG: LegId = LegId(1);
const FRAME: Duration = Duration::from_millis(FRAME_MS);
/// The first sound of a voice comes so long after its phrase was asked for.
const FIRST_SOUND: Duration = Duration::from_millis(10);
/// Every phrase is so long: short, so that each question has been asked when the caller answers.
const PHRASE_FRAMES: usize = 15;
/// Quiet after a question, and after an utterance until it counts as unanswered.
const AFTER_QUESTION_MS: u32 = 1_500;
const PATIENCE_MS: u32 = 3_000;

/// How one utterance fared.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// From the end of the speech to the first sound of the reply.
    Answered { gap: Duration },
    /// The turn was taken before the caller had ended.
    CutOff { heard: String },
    /// No reply.
    Lost,
}

impl Outcome {
    pub fn gap_ms(&self) -> Option<f64> {
        match self {
            Self::Answered { gap } => Some(gap.as_secs_f64() * 1_000.0),
            Self::CutOff { .. } | Self::Lost => None,
        }
    }
}

pub struct Desk {
    now: Instant,
    call: Call,
    vad: Vad,
    deadline: Option<Instant>,
    /// What the engine will say, and when.
    pending: Vec<(Instant, WorkResult)>,
    silenced: UtteranceId,
    playing: Option<UtteranceId>,
    /// When the last utterance of ours began to be heard.
    audible: Option<Instant>,
}

impl Desk {
    /// A call in which `asked` was asked last, by keys.
    pub fn asked(asked: Asked, settings: &listen::Settings, ears: &mut Ears) -> Self {
        let mut desk = Self::new(settings);
        desk.quiet(AFTER_QUESTION_MS, ears);
        let keys = match asked {
            Asked::Anything => "",
            Asked::Order => "3",
            Asked::YesNo => "34729#",
        };
        for digit in keys.chars() {
            let event = MediaEvent::Digit { digit, duration: Duration::from_millis(100) };
            desk.input(Input::Media(event), ears);
            desk.quiet(AFTER_QUESTION_MS, ears);
        }
        desk
    }

    fn new(settings: &listen::Settings) -> Self {
        let now = Instant::now();
        let playbook = Playbook::logistics();
        let mut shelf = Shelf::default();
        let phrases = fixed_phrases(&playbook);
        for phrase in attendant::call::render_list(&phrases, LanguageCode::ENGLISH) {
            shelf.put(LanguageCode::ENGLISH, phrase, tone());
        }
        let local = std::net::SocketAddr::from(([192, 0, 2, 1], 5_060));
        let incoming = sip::Incoming {
            flow: Flow::udp(local, std::net::SocketAddr::from(([192, 0, 2, 9], 5_060))),
            request_uri: Private::default(),
            from_uri: Private::default(),
            from_display: Private::default(),
            to_uri: Private::default(),
            sip_call_id: Private::default(),
            offer: Some(OFFER.to_vec()),
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
                port: 20_000,
                id: 1,
                srtp: None,
                keys: None,
                fingerprint: None,
                ice: Default::default(),
                seed: Private::default(),
            },
            manner: Manner::plain(LanguageCode::ENGLISH),
            shelf: Arc::new(shelf),
        };
        let settings = attendant::call::Settings {
            offering: Offering {
                codecs: vec![Codec::Pcmu],
                dtmf: true,
                ptime_ms: 20,
                srtp: Srtp::Optional,
                keys: OfferedKeys::Sdes,
            },
            answer_after: Duration::ZERO,
            listen: settings.clone(),
            converse: converse::Settings::default(),
            tongues: Tongues::only(playbook),
            hold: HoldSound::default(),
            voicemail: attendant::call::VoicemailSettings::default(),
        };
        let call = Call::answer(&settings, opening).expect("the offer fits");
        let mut desk = Self {
            now,
            call,
            vad: Vad::new(),
            deadline: None,
            pending: Vec::new(),
            silenced: UtteranceId(0),
            playing: None,
            audible: None,
        };
        desk.call.handle(now, Input::Sip(sip::Event::Established { leg: LEG, answer: None }));
        desk
    }

    /// One utterance of the caller, to its answer.
    pub fn hears(mut self, sound: &[i16], ears: &mut Ears) -> Outcome {
        let before = self.turns();
        self.audible = None;
        for frame in sound.chunks(FRAME_SAMPLES) {
            self.frame(frame, ears);
            // A turn without words is answered too.
            if self.turns() > before || self.audible.is_some() {
                let heard = self.call.record().turns().last().map(|turn| turn.caller_text.reveal());
                return Outcome::CutOff { heard: heard.cloned().unwrap_or_default() };
            }
        }
        let spoke_until = self.now;
        for frame in line_noise(PATIENCE_MS).chunks(FRAME_SAMPLES) {
            self.frame(frame, ears);
            if let Some(audible) = self.audible {
                return Outcome::Answered { gap: audible.saturating_duration_since(spoke_until) };
            }
        }
        Outcome::Lost
    }

    /// Turns of the caller.
    fn turns(&self) -> usize {
        let turns = self.call.record().turns();
        turns.iter().filter(|turn| !turn.caller_text.reveal().is_empty()).count()
    }

    fn quiet(&mut self, length_ms: u32, ears: &mut Ears) {
        line_noise(length_ms).chunks(FRAME_SAMPLES).for_each(|frame| self.frame(frame, ears));
    }

    /// 20 ms.
    fn frame(&mut self, samples: &[i16], ears: &mut Ears) {
        self.now += FRAME;
        let mut frame = Frame::SILENCE;
        frame.0[..samples.len()].copy_from_slice(samples);
        let due = |(at, _): &mut (Instant, WorkResult)| *at <= self.now;
        let answers: Vec<_> = self.pending.extract_if(.., due).collect();
        for (_, answer) in answers {
            self.input(Input::Work(answer), ears);
        }
        let score = self.vad.score(&frame, Ours::NONE);
        let (arrived, at) = (self.now, self.now);
        let heard = HeardFrame { frame, score, origin: Origin::Received, arrived, at };
        self.input(Input::Heard(&heard), ears);
        self.play(ears);
        if self.deadline.is_some_and(|at| at <= self.now) {
            self.input(Input::Timeout, ears);
        }
    }

    /// The audio thread's part: the next frame that is not silenced.
    fn play(&mut self, ears: &mut Ears) {
        while let Some(frame) = self.call.next_frame(self.now) {
            let utterance = frame.utterance;
            if utterance <= self.silenced {
                continue;
            }
            if self.playing != Some(utterance) {
                self.playing = Some(utterance);
                self.audible = Some(self.now);
                let (at, peer_spoke) = (self.now, None);
                let event = MediaEvent::UtteranceAudible { utterance, at, peer_spoke };
                self.input(Input::Media(event), ears);
            }
            if frame.last {
                self.input(Input::Finished(utterance), ears);
            }
            return;
        }
    }

    fn input(&mut self, input: Input<'_>, ears: &mut Ears) {
        self.call.handle(self.now, input);
        loop {
            match self.call.poll_output() {
                Output::Work(work) => self.engine(work, ears),
                Output::Silence(through) => self.silenced = through,
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                Output::Sip(_)
                | Output::Associate(_)
                | Output::StartMedia(_)
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
                | Output::Recorded
                | Output::Replied(_) => (),
            }
        }
    }

    fn engine(&mut self, work: Work, ears: &mut Ears) {
        match work {
            // Nobody looks on.
            Work::Transcribe { wish, .. } if wish.urgency == Urgency::Partial => (),
            Work::Transcribe { id, audio, .. } => {
                let (recognition, took) = ears.hear(audio.reveal());
                let decode_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
                let text = WorkResult::Text { id, recognition, decode_ms, detected: None };
                self.pending.push((self.now + took, text));
            }
            Work::Speak { id, .. } => {
                let at = self.now + FIRST_SOUND;
                self.pending.push((at, WorkResult::Audio { id, samples: Private::new(tone()) }));
                self.pending.push((at, WorkResult::Spoken { id }));
            }
            // A text that nobody waits for is ignored, and there is no model to think.
            Work::Cancel { .. } | Work::Think { .. } | Work::LookUp { .. } | Work::Agent { .. } => {
            }
        }
    }
}

fn tone() -> Vec<i16> {
    vec![5_000; PHRASE_FRAMES * FRAME_SAMPLES]
}
