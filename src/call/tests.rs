//! A call in memory: scripted frames in, the work of an engine played by the test, time as input.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flight::{Flight, Tracked};
use super::incoming::Incoming;
use super::language::{Manner, Tongue, Tongues};
use super::media::{HeardFrame, MediaEvent, Origin};
use super::record::{Direction, Progress};
use super::*;
use crate::base::handshake::Fingerprint;
use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame};
use crate::base::{CallId, LanguageCode, Private, UtteranceId, WorkId};
use crate::codec::Codec;
use crate::converse::people::WeekMinute;
use crate::converse::{self, Playbook, fixed_phrases};
use crate::listen::{self, Recognition, Urgency, VadScore};
use crate::sdp::{OfferedKeys, Offering, Srtp};
use crate::sip::{self, EndCause, Flow, LegId};

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
mod agent;
mod barge_in;
mod dialling;
mod doubt;
mod flights;
mod hint;
mod languages;
mod latency;
mod line;
mod model;
mod operator;
mod partial;
mod securing;
mod stalls;
mod succeeding;
mod transfer;
mod voicemail;
mod wishing;

const LEG: LegId = LegId(1);

fn settings() -> Settings {
    Settings {
        offering: Offering {
            codecs: vec![Codec::Pcmu, Codec::G722],
            dtmf: true,
            ptime_ms: 20,
            srtp: Srtp::Optional,
            keys: OfferedKeys::Sdes,
        },
        answer_after: Duration::ZERO,
        listen: listen::Settings::default(),
        converse: converse::Settings::default(),
        tongues: Tongues::only(Playbook::logistics()),
        hold: HoldSound::Ringing,
        voicemail: VoicemailSettings::default(),
    }
}

/// All that can be said without a slot, each phrase so many frames long.
fn shelf(settings: &Settings, phrase_frames: usize) -> Shelf {
    let mut shelf = Shelf::default();
    for Tongue { code, playbook } in settings.tongues.iter() {
        for phrase in render_list(&fixed_phrases(playbook), *code) {
            shelf.put(*code, phrase, vec![5_000; phrase_frames * FRAME_SAMPLES]);
        }
    }
    shelf
}

/// A call with the rest of the program played by the test.
struct Desk {
    now: Instant,
    start: Instant,
    call: Tracked,
    /// The call's flight record as it is written.
    file: Vec<u8>,
    commands: VecDeque<sip::Command>,
    media: Vec<&'static str>,
    work: VecDeque<Work>,
    silenced: UtteranceId,
    deadline: Option<Instant>,
    /// What the recogniser will make of the next utterances.
    texts: VecDeque<&'static str>,
    /// Frames of each utterance that the caller heard.
    played: Vec<(UtteranceId, u32)>,
    /// What is spoken has no voice.
    is_breath: bool,
    /// When something could be heard.
    sounded: Vec<Instant>,
    engine: Engine,
    /// What the model takes the next utterances for.
    detected: Option<(LanguageCode, f32)>,
    /// A word that the engine hardly believes.
    doubted: &'static str,
    /// The languages of all work that came.
    asked: Vec<Vec<LanguageCode>>,
    spoken: Vec<(LanguageCode, String)>,
    model: model::StandIn,
    digits: Vec<String>,
    put_through: Option<PutThrough>,
    /// Of a message after the tone.
    tapes: Vec<Tape>,
    is_accepted: bool,
    is_not_handed_over: bool,
    partner_waits: Vec<bool>,
    invited: Option<(LegId, Vec<u8>)>,
    /// What was wanted of a remote agent.
    agent: Vec<(WorkId, converse::agent::Command)>,
    looked_up: Vec<(WorkId, converse::lookup::LookUp)>,
    /// How long a phrase sounds that the engine speaks.
    phrase_frames: usize,
    /// How long packets wait before they are played.
    jitter: Duration,
    /// Of the caller's speech, as samples.
    loudness: i16,
    /// When the caller's last packet with speech arrived.
    spoke: Option<Instant>,
    /// How long the voice takes for its first sound.
    voice_takes: Duration,
    speaking: VecDeque<(Instant, WorkId)>,
    partials: partial::Script,
    /// What the recogniser was told with each utterance.
    hints: Vec<listen::Hint>,
    /// What has stood still.
    stalled: Vec<Stage>,
}

#[derive(Clone, Copy, PartialEq)]
enum Engine {
    Up,
    /// Answers when it is up again.
    Slow,
    /// Its work is lost.
    Down,
}

impl Desk {
    fn take(settings: &Settings, offer: Option<&str>) -> Result<Self, crate::sdp::Refusal> {
        Self::take_in(settings, Manner::plain(LanguageCode::ENGLISH), offer)
    }

    fn take_in(
        settings: &Settings,
        manner: Manner,
        offer: Option<&str>,
    ) -> Result<Self, crate::sdp::Refusal> {
        Self::take_with(settings, manner, offer, 10)
    }

    /// Each phrase sounds for so many frames.
    fn take_with(
        settings: &Settings,
        manner: Manner,
        offer: Option<&str>,
        phrase_frames: usize,
    ) -> Result<Self, crate::sdp::Refusal> {
        let now = Instant::now();
        let local = "192.0.2.1:5060".parse().unwrap();
        let incoming = Incoming::from(sip::Incoming {
            flow: Flow::udp(local, "192.0.2.9:5060".parse().unwrap()),
            request_uri: Private::default(),
            from_uri: Private::new("sip:caller@example.net".into()),
            from_display: Private::default(),
            to_uri: Private::default(),
            sip_call_id: Private::new("abc".into()),
            offer: offer.map(|sdp| sdp.as_bytes().to_vec()),
            replaces: None,
            headers: Private::default(),
        });
        let opening = Opening {
            id: CallId(1),
            leg: LEG,
            start: Start { now, unix_ms: 1_000_000, local: WeekMinute::default() },
            incoming,
            media: LocalMedia {
                address: local.ip(),
                port: 20_000,
                id: 7,
                srtp: None,
                keys: None,
                fingerprint: Some(Fingerprint::of(b"ours")),
                ice: Default::default(),
                seed: Private::default(),
            },
            manner,
            shelf: Arc::new(shelf(settings, phrase_frames)),
        };
        let call = Tracked::answer(settings, opening, true)?;
        Ok(Self::of(now, call, phrase_frames))
    }

    fn of(now: Instant, call: Tracked, phrase_frames: usize) -> Self {
        let mut desk = Self {
            now,
            start: now,
            call,
            file: Vec::new(),
            commands: VecDeque::new(),
            media: Vec::new(),
            work: VecDeque::new(),
            silenced: UtteranceId(0),
            deadline: None,
            texts: VecDeque::new(),
            played: Vec::new(),
            is_breath: false,
            sounded: Vec::new(),
            engine: Engine::Up,
            detected: None,
            doubted: "",
            asked: Vec::new(),
            spoken: Vec::new(),
            model: model::StandIn::default(),
            digits: Vec::new(),
            put_through: None,
            tapes: Vec::new(),
            is_accepted: false,
            is_not_handed_over: false,
            partner_waits: Vec::new(),
            invited: None,
            agent: Vec::new(),
            looked_up: Vec::new(),
            phrase_frames,
            jitter: Duration::ZERO,
            loudness: 3_000,
            spoke: None,
            voice_takes: Duration::ZERO,
            speaking: VecDeque::new(),
            partials: partial::Script::default(),
            hints: Vec::new(),
            stalled: Vec::new(),
        };
        desk.drain();
        desk
    }

    fn talking() -> Self {
        let mut desk = Self::take(&settings(), Some(OFFER)).unwrap();
        desk.sip(sip::Event::Established { leg: LEG, answer: None });
        desk
    }

    fn input(&mut self, input: Input<'_>) {
        self.call.handle(self.now, input);
        self.drain();
        self.keep();
    }

    /// What is to be written of the call.
    fn keep(&mut self) {
        while let Some(piece) = self.call.poll_piece(self.now) {
            self.file.extend(piece.into_bytes());
        }
    }

    fn sip(&mut self, event: sip::Event) {
        self.input(Input::Sip(event));
    }

    fn drain(&mut self) {
        loop {
            match self.call.poll_output() {
                Output::Sip(command) => self.commands.push_back(command),
                Output::Invite { leg, sdp } => self.invited = Some((leg, sdp)),
                Output::Associate(_) => self.media.push("associate"),
                Output::StartMedia(_) => self.media.push("start"),
                Output::ApplyMedia(plan) => {
                    self.media.push(if plan.sends { "apply" } else { "hold" });
                }
                Output::StopMedia => self.media.push("stop"),
                Output::Silence(through) => self.silenced = through,
                Output::Work(Work::Think { id, .. }) => self.model.ask(self.now, id),
                Output::Work(Work::Cancel { id }) if self.model.cancel(id) => (),
                Output::Work(Work::Agent { id, command }) => self.agent.push((id, command)),
                Output::Work(work) => self.work.push_back(work),
                Output::SendDigits(digits) => self.digits.push(digits.into_revealed()),
                Output::PutThrough(person) => self.put_through = Some(person),
                Output::Accepted => self.is_accepted = true,
                Output::GiveUpPerson => self.put_through = None,
                Output::NotHandedOver => self.is_not_handed_over = true,
                Output::Tape(tape) => self.tapes.push(tape),
                Output::PartnerWaits(waits) => self.partner_waits.push(waits),
                Output::Message(_) | Output::Recorded | Output::Replied(_) | Output::Pressed(_) => {
                }
                Output::Stalled(stage) => self.stalled.push(stage),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    /// 20 ms: the engine answers, a frame is heard, one is played, timers fire.
    fn tick(&mut self, speech: bool) {
        self.now += Duration::from_millis(FRAME_MS);
        self.run_voice();
        self.run_engine();
        while let Some((id, event)) = self.model.due(self.now) {
            self.input(Input::Work(WorkResult::Thought { id, event }));
        }
        let voiced = speech && !self.is_breath;
        let score = VadScore { speech: if speech { 0.95 } else { 0.02 }, tonal: false, voiced };
        let frame = HeardFrame {
            frame: Frame([if speech { self.loudness } else { 3 }; FRAME_SAMPLES]),
            score,
            origin: Origin::Received,
            arrived: self.now - self.jitter,
            at: self.now,
        };
        if frame.is_speech() {
            self.spoke = Some(frame.arrived);
        }
        self.input(Input::Heard(&frame));
        self.play();
        if self.deadline.is_some_and(|at| at <= self.now) {
            self.input(Input::Timeout);
        }
    }

    fn run(&mut self, ms: u64, speech: bool) {
        (0..ms / FRAME_MS).for_each(|_| self.tick(speech));
    }

    /// Speech of half a second that will be heard as `text`.
    fn says(&mut self, text: &'static str) {
        self.texts.push_back(text);
        self.run(500, true);
        self.run(1_600, false);
    }

    fn run_engine(&mut self) {
        if self.engine == Engine::Down {
            self.work.clear();
        }
        while self.engine == Engine::Up {
            let Some(work) = self.work.pop_front() else { return };
            match work {
                Work::Transcribe { id, wish, audio } if wish.urgency == Urgency::Partial => {
                    self.partial(id, &audio);
                }
                Work::Transcribe { id, wish, .. } => {
                    self.asked.push(wish.languages);
                    self.hints.push(wish.hint);
                    self.transcribed(id);
                }
                Work::Speak { id, language, phrase } => {
                    self.spoken.push((language, phrase.into_revealed()));
                    self.speaking.push_back((self.now + self.voice_takes, id));
                }
                Work::LookUp { id, asked } => self.looked_up.push((id, asked)),
                Work::Cancel { id } => self.partials.cancelled.push(id),
                Work::Think { .. } | Work::Agent { .. } => (),
            }
            self.run_voice();
        }
    }

    fn run_voice(&mut self) {
        while let Some((_, id)) = self.speaking.pop_front_if(|(at, _)| *at <= self.now) {
            let samples = Private::new(vec![5_000; self.phrase_frames * FRAME_SAMPLES]);
            self.input(Input::Work(WorkResult::Audio { id, samples }));
            self.input(Input::Work(WorkResult::Spoken { id }));
        }
    }

    fn transcribed(&mut self, id: WorkId) {
        let text = self.texts.front().copied().unwrap_or_default();
        let mut recognition = Recognition::evenly(text, 0.999);
        doubt::lower(&mut recognition, self.doubted);
        let detected = self.detected;
        let result = WorkResult::Text { id, recognition, decode_ms: 40, detected };
        self.input(Input::Work(result));
    }

    /// The audio thread's part: one frame of what is not silenced.
    fn play(&mut self) {
        while let Some(frame) = self.call.next_frame(self.now) {
            if frame.utterance <= self.silenced {
                continue;
            }
            let utterance = frame.utterance;
            if frame.frame.level_dbfs() >= media::SOUND_DBFS {
                self.sounded.push(self.now);
            }
            match self.played.last_mut() {
                Some((last, frames)) if *last == utterance => *frames += 1,
                _ => {
                    self.played.push((utterance, 1));
                    let (at, peer_spoke) = (self.now, self.spoke);
                    let event = MediaEvent::UtteranceAudible { utterance, at, peer_spoke };
                    self.input(Input::Media(event));
                }
            }
            if frame.last {
                self.input(Input::Finished(utterance));
            }
            return;
        }
    }

    /// The whole flight record.
    fn flight(&mut self) -> &[u8] {
        self.call.end_recording();
        self.keep();
        &self.file
    }

    fn replies(&self) -> Vec<String> {
        self.call.record().turns().iter().map(|t| t.reply_text.reveal().clone()).collect()
    }

    fn ending(&self) -> Option<Cause> {
        self.call.record().progress.ending().map(|ending| ending.cause)
    }
}

/// Every call of these tests was recorded: made again from its record it decides the same.
impl Drop for Desk {
    fn drop(&mut self) {
        let is_recorded = self.call.record().direction == Direction::Inbound;
        if std::thread::panicking() || !is_recorded {
            return;
        }
        let start = self.start;
        let flight = Flight::read(self.flight(), start).unwrap();
        let replayed = flight.replay().unwrap();
        if let Some(difference) = replayed.difference {
            let (recorded, now) = (difference.recorded.reveal(), difference.replayed.reveal());
            panic!("{difference:?}\nrecorded {recorded}\nreplayed {now}");
        }
        assert!(flight.is_whole && flight.cut_at.is_none());
        // What becomes of a call that is joined with another one, or taken over, is not in its record.
        let record = self.call.record();
        if !record.is_joined && !record.was_taken_over() {
            assert_eq!(replayed.record.as_ref(), Some(self.call.record()));
        }
    }
}

#[test]
fn a_call_is_answered_at_once_and_greeted_after_the_ack() {
    let mut desk = Desk::take(&settings(), Some(OFFER)).unwrap();
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Answer { .. })));
    assert_eq!(desk.media, ["start"]);
    desk.run(100, false);
    assert!(desk.played.is_empty(), "nobody is greeted before the ACK");
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(40, false);
    assert_eq!(desk.played.len(), 1);
    assert!(desk.replies()[0].contains("Northgate Logistics"));
    assert_eq!(desk.call.record().greeting_delay_ms, Some(20));
}

#[test]
fn it_rings_as_long_as_configured() {
    let patient = Settings { answer_after: Duration::from_millis(500), ..settings() };
    let mut desk = Desk::take(&patient, Some(OFFER)).unwrap();
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Ring { status: 180, .. })));
    desk.run(480, false);
    assert!(desk.commands.is_empty());
    desk.run(40, false);
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Answer { .. })));
    assert_eq!(desk.call.record().answer_delay_ms, Some(500));
}

#[test]
fn a_late_offer_starts_the_media_with_the_answer_in_the_ack() {
    let mut desk = Desk::take(&settings(), None).unwrap();
    let Some(sip::Command::Answer { sdp, .. }) = desk.commands.pop_front() else { panic!() };
    assert!(String::from_utf8(sdp).unwrap().contains("m=audio 20000"));
    assert!(desk.media.is_empty());
    let answer = Some(OFFER.as_bytes().to_vec());
    desk.sip(sip::Event::Established { leg: LEG, answer });
    assert_eq!(desk.media, ["start"]);
    assert_eq!(desk.call.record().codec, Some(Codec::Pcmu));
}

#[test]
fn an_ack_without_the_answer_ends_the_call() {
    let mut desk = Desk::take(&settings(), None).unwrap();
    desk.commands.clear();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.ending(), Some(Cause::NoCommonCodec));
}

#[test]
fn an_offer_that_nothing_fits_is_refused_before_there_is_a_call() {
    let offer = OFFER.replace("RTP/AVP 0 101", "RTP/AVP 18");
    assert_eq!(Desk::take(&settings(), Some(&offer)).err().unwrap().status, 488);
}

#[test]
fn a_question_is_answered_and_the_turn_recorded() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.says("What are your opening hours?");
    let record = desk.call.record();
    let turn = &record.turns()[1];
    assert_eq!(turn.caller_text.reveal(), "What are your opening hours?");
    assert!(turn.reply_text.reveal().contains("8 am"));
    let latency = turn.latency.unwrap();
    assert_eq!(Some(latency.sum_ms()), turn.gap_ms, "{latency:?}");
    assert!(turn.endpoint_ms >= 120, "{}", turn.endpoint_ms);
}

#[test]
fn goodbye_is_said_to_its_end_before_we_hang_up() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.commands.clear();
    desk.says("Thank you, goodbye.");
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.media.last(), Some(&"stop"));
    assert!(desk.replies().last().unwrap().contains("Goodbye"));
    assert!(!desk.call.is_ended());
    desk.sip(sip::Event::Ended { leg: LEG, cause: EndCause::ByUs });
    assert!(desk.call.is_ended());
    assert_eq!(desk.ending(), Some(Cause::Goodbye));
}

#[test]
fn the_caller_stops_our_reply_by_speaking_and_a_cough_does_not() {
    for cough_ms in [60, 100, 140] {
        let mut desk = Desk::talking();
        desk.run(40, false);
        desk.run(cough_ms, true);
        desk.run(400, false);
        assert_eq!(desk.silenced, UtteranceId(0), "a cough of {cough_ms} ms");
    }
    let manner = Manner::plain(LanguageCode::ENGLISH);
    let mut desk = Desk::take_with(&settings(), manner, Some(OFFER), 60).unwrap();
    desk.sip(sip::Event::Established { leg: LEG, answer: None });
    desk.run(600, false);
    desk.texts.push_back("What is your address?");
    desk.run(460, true);
    assert_eq!(desk.silenced, UtteranceId(1));
    let (utterance, frames) = *desk.played.last().unwrap();
    let through = desk.silenced;
    desk.input(Input::Silenced { through, utterance, frames });
    desk.run(1_600, false);
    assert!(desk.replies().last().unwrap().contains("Harbour Road"), "{:?}", desk.replies());
    assert!(desk.call.record().turns()[0].interrupted);
}

#[test]
fn a_caller_who_goes_on_while_the_text_is_awaited_is_not_talked_over() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.engine = Engine::Slow;
    desk.texts.push_back("order 4729");
    desk.run(500, true);
    desk.run(900, false);
    desk.run(300, true);
    let asked = desk.played.len();
    desk.engine = Engine::Up;
    desk.run(500, true);
    assert_eq!(desk.played.len(), asked, "still speaking");
    desk.run(1_600, false);
    assert!(desk.replies().last().unwrap().contains("4729"), "{:?}", desk.replies());
}

#[test]
fn a_lost_engine_is_announced_and_the_next_utterance_is_answered_when_it_is_back() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.engine = Engine::Down;
    desk.input(Input::EngineLost);
    assert!(desk.replies().last().unwrap().contains("One moment"));
    desk.run(2_000, false);
    desk.engine = Engine::Up;
    desk.input(Input::EngineBack);
    desk.run(1_000, false);
    desk.says("What is your address?");
    assert!(desk.replies().last().unwrap().contains("Harbour Road"), "{:?}", desk.replies());
    assert!(desk.ending().is_none());
}

#[test]
fn hold_pauses_what_we_say_and_resuming_goes_on_with_it() {
    let mut desk = Desk::talking();
    desk.run(60, false);
    let heard = desk.played.last().unwrap().1;
    let hold = format!("{OFFER}a=sendonly\r\n").replace("o=- 1 1", "o=- 1 2");
    let by = sip::OfferBy::Invite;
    desk.commands.clear();
    let offer = Some(hold.into_bytes());
    desk.sip(sip::Event::OfferReceived { leg: LEG, offer, by });
    let Some(sip::Command::AcceptOffer { sdp, .. }) = desk.commands.pop_front() else { panic!() };
    assert!(String::from_utf8(sdp).unwrap().contains("a=recvonly"));
    assert_eq!(desk.media.last(), Some(&"hold"));
    desk.run(20_000, false);
    assert_eq!(desk.played.last().unwrap().1, heard);
    assert!(desk.ending().is_none(), "silence on hold is nobody's fault");
    let offer = Some(OFFER.replace("o=- 1 1", "o=- 1 3").into_bytes());
    desk.sip(sip::Event::OfferReceived { leg: LEG, offer, by });
    desk.run(100, false);
    assert!(desk.played.last().unwrap().1 > heard);
}

#[test]
fn a_re_offer_that_fits_nothing_is_refused_and_the_call_goes_on() {
    let mut desk = Desk::talking();
    desk.commands.clear();
    let offer = Some(OFFER.replace("m=audio 40000 RTP/AVP 0 101", "m=image 9 udptl t38").into());
    desk.sip(sip::Event::OfferReceived { leg: LEG, offer, by: sip::OfferBy::Invite });
    let refused = desk.commands.pop_front();
    assert!(matches!(refused, Some(sip::Command::RefuseOffer { status: 488, .. })));
    assert!(desk.ending().is_none());
}

#[test]
fn every_way_to_end_is_recorded_with_its_cause() {
    for (cause, expected) in [
        (EndCause::ByPeer, Cause::HungUp),
        (EndCause::NoAck, Cause::NoAck),
        (EndCause::Gone, Cause::SignallingLost),
    ] {
        let mut desk = Desk::talking();
        desk.sip(sip::Event::Ended { leg: LEG, cause });
        assert!(desk.call.is_ended());
        assert_eq!(desk.ending(), Some(expected));
        assert_eq!(desk.media.last(), Some(&"stop"));
    }
    let mut desk = Desk::talking();
    desk.input(Input::Media(MediaEvent::MediaTimeout));
    assert_eq!(desk.ending(), Some(Cause::MediaTimeout));
    let mut desk = Desk::talking();
    desk.input(Input::HangUp(Cause::ShuttingDown));
    assert_eq!(desk.ending(), Some(Cause::ShuttingDown));
    assert!(matches!(desk.call.record().progress, Progress::Ended { .. }));
}

#[test]
fn a_caller_who_stays_silent_is_asked_twice_and_then_let_go() {
    let mut desk = Desk::talking();
    desk.commands.clear();
    desk.run(60_000, false);
    let replies = desk.replies();
    assert_eq!(replies.len(), 4, "{replies:?}");
    assert!(matches!(desk.commands.pop_front(), Some(sip::Command::Bye { .. })));
    assert_eq!(desk.ending(), Some(Cause::Silence));
}

#[test]
fn words_over_the_window_of_the_recogniser_reach_the_conversation_whole() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    desk.texts.push_back("order 4729");
    desk.run(14_000, true);
    desk.run(2_000, false);
    let turns = desk.call.record().turns();
    let words = turns.last().unwrap().caller_text.reveal();
    assert_eq!(words, "order 4729 order 4729");
}
