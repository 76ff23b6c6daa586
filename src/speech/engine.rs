//! The engine's parts put together: models loaded and warm, workers waiting at the desk.
//!
//! ```text
//!              reader (socket.rs)            workers                     writer (socket.rs)
//! socket ──▶ messages ──▶ Desk ──▶ whisper x n, the voices ──▶ Replies ──▶ socket
//! ```
//! Who waits: a worker on the desk, the writer on the replies. `Replies` is bounded, so workers
//! wait for a front that does not read, and nothing piles up.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use whisper_rs::WhisperState;

use super::desk::{Cancelling, Desk, Job, Skill, Ticket, Work};
use super::espeak::Espeak;
use super::flite::{Flite, Flow};
use super::model::Model;
use super::protocol::{Failure, FromEngine, Phrase, Ready, RequestId};
use super::turn::asking::TurnWatch;
use super::voice::Voices;
use super::whisper::{Decoded, DeviceWish, Recogniser, RecogniserError, Whisper};
use super::{EngineError, EngineSettings};
use crate::base::pcm;

mod speaking;
mod turning;

use speaking::Speakers;

/// Messages on their way to the socket; beyond this the workers wait.
const REPLIES: usize = 256;
/// Spoken and heard once before the engine says that it is ready.
const WARM_UP: &str = "one two three";

/// A message and the connection that it is for.
pub type Reply = (u64, FromEngine);

/// Loaded, warm and at work.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    ready: Ready,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    /// A request came, or a lane became free.
    work: Condvar,
    replies: SyncSender<Reply>,
    /// One state for each lane, and the last for partial texts. The desk gives one to one worker at
    /// a time.
    lanes: Vec<Mutex<WhisperState>>,
    turns: Option<TurnWatch>,
    voices: Voices,
}

impl Engine {
    /// Loads and warms everything and starts the workers. The receiver gets their answers.
    pub fn start(settings: &EngineSettings) -> Result<(Self, Receiver<Reply>), EngineError> {
        let begun = Instant::now();
        let loading = speaking::begin_loading(settings);
        let turns = turning::begin_loading(settings);
        let model = settings.model.read()?;
        let flite = Flite::open()?;
        let espeak = Espeak::find();
        let sample = warm_up_sample(&flite)?;
        let Hearing { whisper, mut lanes, partials, warm_ms } =
            Hearing::prepare(settings, &model, &sample)?;
        lanes.push(partials);
        let hearers = usize::from(settings.decode_workers.max(1));
        let (neural, voices_loaded) = loading.finish(settings);
        let turns = turns.finish(settings)?;
        let voices =
            Voices { english: settings.english_voice, has_espeak: espeak.is_some(), neural };
        let ready = Ready {
            device: whisper.device.clone(),
            model: model.name,
            model_sha256: model.sha256,
            window_ms: model.outline.window_ms(),
            lanes: settings.lanes.max(1),
            decoders: settings.decode_workers.max(1),
            voices: voices.names(),
            languages: whisper.heard_of(&settings.languages),
            neural: voices.neural.reports(),
            turn: turns.as_ref().map(TurnWatch::report),
            load_ms: millis_since(begun).saturating_sub(warm_ms),
            warm_ms,
        };
        let (replies, answers) = sync_channel(REPLIES);
        let shared = Arc::new(Shared {
            desk: Mutex::new(Desk::new(hearers)),
            work: Condvar::new(),
            replies,
            lanes: lanes.into_iter().map(Mutex::new).collect(),
            turns,
            voices,
        });
        shared.employ(settings, whisper)?;
        shared.employ_voices(Speakers { flite, espeak, neural: voices_loaded })?;
        Ok((Self { shared, ready }, answers))
    }

    /// What the engine has now.
    pub fn ready(&self) -> Ready {
        let neural = &self.shared.voices.neural;
        Ready {
            voices: self.shared.voices.names(),
            neural: neural.reports(),
            turn: self.shared.turns.as_ref().map(TurnWatch::report),
            ..self.ready.clone()
        }
    }

    /// As [`Desk::moves`].
    pub fn moves(&self) -> Option<u64> {
        self.shared.desk().moves()
    }

    /// A request of `connection`. What cannot be done is answered at once.
    pub fn transcribe(&self, connection: u64, request: RequestId, work: Work) {
        let ticket = Ticket::new(connection, request);
        let lanes = self.shared.lanes.len() - 1;
        if matches!(work, Work::Transcribe { lane, .. } if usize::from(lane) >= lanes) {
            return self.shared.fail(&ticket, Failure::NoSuchLane);
        }
        self.shared.put(Job { ticket, work });
    }

    pub fn speak(&self, connection: u64, request: RequestId, phrase: Phrase) {
        let ticket = Ticket::new(connection, request);
        match self.shared.voices.skill_for(&phrase) {
            Ok(skill) => self.shared.put(Job { ticket, work: Work::Speak { skill, phrase } }),
            Err(failure) => self.shared.fail(&ticket, failure),
        }
    }

    pub fn cancel(&self, connection: u64, request: RequestId) {
        let met = self.shared.desk().cancel(connection, request);
        if met == Cancelling::Waiting {
            self.shared.reply(connection, FromEngine::Cancelled { request });
        }
    }

    pub fn forget(&self, connection: u64) {
        self.shared.desk().forget(connection);
    }

    pub fn reply(&self, connection: u64, message: FromEngine) {
        self.shared.reply(connection, message);
    }

    /// Requests that have not been begun.
    pub fn waiting(&self) -> u32 {
        u32::try_from(self.shared.desk().waiting()).unwrap_or(u32::MAX)
    }
}

impl Shared {
    /// Starts the workers, which work until the program ends.
    fn employ(
        self: &Arc<Self>,
        settings: &EngineSettings,
        whisper: Whisper,
    ) -> Result<(), EngineError> {
        let whisper = Arc::new(whisper);
        for worker in 0..settings.decode_workers.max(1) {
            let (shared, whisper) = (Arc::clone(self), Arc::clone(&whisper));
            let (threads, languages) = (settings.decode_threads, settings.languages.clone());
            let prompts = settings.prompt;
            employ(&format!("whisper {worker}"), move || {
                let mut recogniser = whisper.recogniser(threads, &languages).with_prompts(prompts);
                shared.work(Skill::Whisper, |job| {
                    shared.hear(&mut recogniser, job);
                    None
                });
            })?;
        }
        Ok(())
    }

    /// Takes a request in, or answers that it cannot be done.
    fn put(&self, job: Job) {
        let ticket = job.ticket.clone();
        let put = self.desk().put(job);
        match put {
            Ok(()) => self.work.notify_all(),
            Err(failure) => self.fail(&ticket, failure),
        }
    }

    /// Does jobs as they come; what a job leaves to another skill is put in again.
    fn work(&self, skill: Skill, mut do_job: impl FnMut(&Job) -> Option<Job>) -> ! {
        loop {
            let mut desk = self.desk();
            let job = loop {
                match desk.take(skill) {
                    Some(job) => break job,
                    None => desk = self.work.wait(desk).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(desk);
            let left = do_job(&job);
            self.desk().finish(&job.ticket);
            if let Some(left) = left {
                self.put(left);
            }
            // The lane may be what another worker waits for.
            self.work.notify_all();
        }
    }

    fn hear(&self, recogniser: &mut Recogniser<'_>, job: &Job) {
        let Work::Transcribe { lane, wish, audio } = &job.work else { return };
        let request = job.ticket.request;
        let state = match job.work.is_partial() {
            true => self.lanes.last(),
            false => self.lanes.get(usize::from(*lane)),
        };
        let Some(state) = state else {
            return self.fail(&job.ticket, Failure::NoSuchLane);
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        // What is only shown while the caller speaks is judged by nobody, and a model that was taught
        // to hear the end hears it better.
        let is_wanted = !job.work.is_partial() && !recogniser.tells_the_end();
        let turns = self.turns.as_ref().filter(|_| is_wanted);
        let asked = turns.and_then(|turns| turns.ask(audio.reveal()));
        let decoded = recogniser.decode_in(&mut state, audio.reveal(), wish, &job.ticket.cancelled);
        drop(state);
        let message = match decoded {
            Decoded::Text(mut transcript) => {
                let recognition = &mut transcript.recognition;
                if let Some(asked) = asked.filter(|_| !recognition.words.is_empty()) {
                    recognition.goes_on = asked.wait().map(|complete| 1.0 - complete);
                }
                FromEngine::Text { request, transcript }
            }
            Decoded::Cancelled => FromEngine::Cancelled { request },
            Decoded::Failed(failure) => FromEngine::Failed { request, failure },
        };
        self.reply(job.ticket.connection, message);
        if let Some(report) = self.turns.as_ref().and_then(TurnWatch::news) {
            tracing::error!(
                model = report.name,
                fault = report.fault,
                "the turn model is left alone"
            );
            self.reply(job.ticket.connection, FromEngine::Turn(report));
        }
    }

    fn fail(&self, ticket: &Ticket, failure: Failure) {
        self.reply(ticket.connection, FromEngine::Failed { request: ticket.request, failure });
    }

    fn reply(&self, connection: u64, message: FromEngine) {
        // Without a writer the program is ending.
        let _ = self.replies.send((connection, message));
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a model takes before it is ready for calls, and then for one utterance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warmth {
    /// In words, with the reason if it is not what was wished.
    pub device: String,
    pub sha256: [u8; 32],
    /// Reading, checking the hash, and whisper.cpp's own loading.
    pub load_ms: u32,
    /// The first decode, which fills caches.
    pub first_decode_ms: u32,
    pub decode_ms: u32,
    /// Length of the utterance that is decoded.
    pub utterance_ms: u32,
}

/// Loads the model as the engine does and decodes one utterance twice.
pub fn warm(settings: &EngineSettings) -> Result<Warmth, EngineError> {
    let flite = Flite::open()?;
    let sample = warm_up_sample(&flite)?;
    let begun = Instant::now();
    let model = settings.model.read()?;
    let hearing = Hearing::prepare(settings, &model, &sample)?;
    let load_ms = millis_since(begun).saturating_sub(hearing.warm_ms);
    let Hearing { whisper, mut lanes, warm_ms, .. } = hearing;
    let mut recogniser = whisper.recogniser(settings.decode_threads, &settings.languages);
    let begun = Instant::now();
    for lane in &mut lanes {
        if !matches!(recogniser.decode(lane, &sample, &Default::default()), Decoded::Text(_)) {
            return Err(RecogniserError::WarmUp.into());
        }
    }
    let decode_ms = millis_since(begun);
    let utterance_ms = sample.len() / pcm::ms_to_samples(1);
    Ok(Warmth {
        device: whisper.device.clone(),
        sha256: model.sha256,
        load_ms,
        first_decode_ms: warm_ms,
        decode_ms,
        utterance_ms: u32::try_from(utterance_ms).unwrap_or(u32::MAX),
    })
}

fn warm_up_sample(flite: &Flite) -> Result<Vec<i16>, EngineError> {
    let mut sample = Vec::new();
    let mut keep = |samples: &[i16]| {
        sample.extend_from_slice(samples);
        Flow::Continue
    };
    flite.speak(WARM_UP, &mut keep)?;
    Ok(sample)
}

/// Starts a thread. A worker that panics ends the program (`cli::panic`), and the front starts it
/// again: better than an engine that is ready and never answers.
pub(super) fn employ(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop).map_err(EngineError::Thread)
}

/// Whisper and its lanes, each of which has decoded once, so that the first caller does not pay
/// for caches and first allocations.
struct Hearing {
    whisper: Whisper,
    lanes: Vec<WhisperState>,
    /// For partial texts of all calls.
    partials: WhisperState,
    warm_ms: u32,
}

impl Hearing {
    /// On the device that was wished; a GPU that cannot do it is announced and left alone.
    fn prepare(
        settings: &EngineSettings,
        model: &Model,
        sample: &[i16],
    ) -> Result<Self, EngineError> {
        let whisper = Whisper::load(&settings.model, model, settings.device)?;
        let on_gpu = whisper.is_on_gpu();
        match Self::with(settings, whisper, sample) {
            Err(error) if on_gpu => {
                tracing::error!(%error, "the GPU cannot hear; the CPU does");
                let mut whisper = Whisper::load(&settings.model, model, DeviceWish::Cpu)?;
                whisper.device = format!("cpu (the GPU failed: {error})");
                Ok(Self::with(settings, whisper, sample)?)
            }
            prepared => Ok(prepared?),
        }
    }

    fn with(
        settings: &EngineSettings,
        whisper: Whisper,
        sample: &[i16],
    ) -> Result<Self, RecogniserError> {
        let lanes = (0..settings.lanes.max(1)).map(|_| whisper.lane());
        let mut lanes = lanes.collect::<Result<Vec<_>, _>>()?;
        let begun = Instant::now();
        let mut recogniser = whisper.recogniser(settings.decode_threads, &settings.languages);
        let mut partials = whisper.lane()?;
        for lane in lanes.iter_mut().chain([&mut partials]) {
            let decoded = recogniser.decode(lane, sample, &Default::default());
            if !matches!(decoded, Decoded::Text(_)) {
                return Err(RecogniserError::WarmUp);
            }
        }
        drop(recogniser);
        Ok(Self { whisper, lanes, partials, warm_ms: millis_since(begun) })
    }
}

fn millis_since(begun: Instant) -> u32 {
    u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX)
}
