//! The engine's voices at work.
//!
//! ```text
//!            ┌─ kept ──── on the disk ─▶ sound
//! phrase ────┤             │ damaged
//!            └─ vits n ◀───┘ ── fails ─▶ flite or espeak-ng ─▶ sound
//! ```
//! What fails in mid-phrase is begun again by the stand-in: the front drops as much of it as it has.

// A shell: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use super::{Shared, employ};
use crate::base::{Private, limits};
use crate::speech::desk::{Job, Skill, Ticket, Work};
use crate::speech::espeak::{Espeak, EspeakError};
use crate::speech::flite::{Flite, Flow};
use crate::speech::neural::{self, Loaded, Neural, NeuralError, NeuralSettings, NeuralVoices};
use crate::speech::onnx::OnnxError;
use crate::speech::protocol::{Failure, FromEngine, Phrase};
use crate::speech::vits::VitsError;
use crate::speech::voice::Onset;
use crate::speech::{DeviceWish, EngineError, EngineSettings};
use crate::store::phrases::{PhraseKey, Phrases};

/// Samples of a kept phrase that are sent at a time.
const CHUNK_SAMPLES: usize = 8_000;
/// Sounds on their way to the disk; beyond this they are not kept.
const TO_KEEP: usize = 16;

/// Those who speak, before they are at work.
pub(super) struct Speakers {
    pub flite: Flite,
    pub espeak: Option<Espeak>,
    pub neural: Vec<(u8, NeuralWorker)>,
}

/// A neural voice with what it needs to be loaded again.
pub(super) struct NeuralWorker {
    loaded: Loaded,
    settings: NeuralSettings,
    engine: EngineSettings,
}

/// Voices that are being loaded, each by a thread of its own.
pub(super) struct Loading {
    begun: Instant,
    voices: Vec<(NeuralSettings, Receiver<Result<Loaded, NeuralError>>)>,
}

/// Begins to load the neural voices, while Whisper is loaded.
pub(super) fn begin_loading(settings: &EngineSettings) -> Loading {
    let begin = |voice: &NeuralSettings| {
        let (done, loaded) = sync_channel(1);
        let (voice_too, engine) = (voice.clone(), settings.clone());
        let load = move || {
            let device = (engine.device, neural::threads());
            // Nobody waits any more for one that was too slow.
            let _ = done.send(neural::load(&voice_too, engine.onnxruntime.as_deref(), device));
        };
        if settings.without_onnx.is_none()
            && let Err(error) = employ("voice load", load)
        {
            tracing::error!(%error, "a voice cannot be loaded");
        }
        (voice.clone(), loaded)
    };
    Loading { begun: Instant::now(), voices: settings.neural.iter().map(begin).collect() }
}

impl Loading {
    /// Waits for all of them, for as long as a box may wait.
    pub(super) fn finish(
        self,
        settings: &EngineSettings,
    ) -> (NeuralVoices, Vec<(u8, NeuralWorker)>) {
        let mut all = Vec::new();
        let mut workers = Vec::new();
        for (index, (voice, loaded)) in self.voices.into_iter().enumerate() {
            let left = limits::VOICE_LOAD.saturating_sub(self.begun.elapsed());
            let loaded = match settings.without_onnx {
                Some(why) => Err(NeuralError::LeftAlone(why)),
                None => loaded.recv_timeout(left).unwrap_or(Err(NeuralError::Slow)),
            };
            let standing = match (loaded, u8::try_from(index)) {
                (Ok(loaded), Ok(index)) => {
                    let (device, id) = (loaded.vits.device().to_owned(), loaded.id);
                    tracing::info!(voice = voice.name, device, "the voice is loaded");
                    let (settings, engine) = (voice.clone(), settings.clone());
                    workers.push((index, NeuralWorker { loaded, settings, engine }));
                    Ok((device, id))
                }
                (Err(error), _) => {
                    let reason = in_words(&error);
                    tracing::error!(voice = voice.name, reason, "the voice cannot speak");
                    Err(reason)
                }
                (Ok(_), Err(_)) => Err("there are too many voices".to_owned()),
            };
            all.push(Neural::new(voice.name, standing));
        }
        let kept = if workers.is_empty() { None } else { kept(settings) };
        (NeuralVoices { all: all.into(), kept }, workers)
    }
}

/// The phrases on the disk; without them a box works as well.
fn kept(settings: &EngineSettings) -> Option<Arc<Phrases>> {
    let (path, most_bytes) = settings.phrases.as_ref()?;
    match Phrases::open(path, *most_bytes) {
        Ok(phrases) => Some(Arc::new(phrases)),
        Err(error) => {
            let reason = in_words(&error);
            tracing::warn!(path = %path.display(), reason, "rendered phrases are not kept");
            None
        }
    }
}

/// The error and what it comes from.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl Shared {
    /// Starts the voices, which work until the program ends.
    pub(super) fn employ_voices(self: &Arc<Self>, speakers: Speakers) -> Result<(), EngineError> {
        let Speakers { flite, espeak, neural } = speakers;
        let shared = Arc::clone(self);
        employ("flite", move || {
            shared.work(Skill::Flite, |job| {
                shared.say(job, |phrase, sink| {
                    flite.speak(phrase.text.reveal(), sink).map_err(|_| Failure::Voice)
                });
                None
            });
        })?;
        if let Some(espeak) = espeak {
            let shared = Arc::clone(self);
            employ("espeak", move || {
                shared.work(Skill::Espeak, |job| {
                    shared.say(job, |phrase, sink| {
                        let text = phrase.text.reveal();
                        espeak.speak(&phrase.language, text, sink).map_err(failure_of)
                    });
                    None
                });
            })?;
        }
        let keeper = self.employ_kept()?;
        for (place, mut worker) in neural {
            let (shared, keeper) = (Arc::clone(self), keeper.clone());
            employ(&format!("voice {place}"), move || {
                let skill = Skill::Vits(place);
                shared.work(skill, |job| shared.say_neural(job, &mut worker, keeper.as_ref()));
            })?;
        }
        Ok(())
    }

    /// Starts who reads kept phrases and who writes them.
    fn employ_kept(self: &Arc<Self>) -> Result<Option<Keeper>, EngineError> {
        let Some(kept) = self.voices.neural.kept.clone() else { return Ok(None) };
        let shared = Arc::clone(self);
        employ("kept phrases", move || {
            shared.work(Skill::Kept, |job| shared.say_kept(job));
        })?;
        let (keeper, to_keep) = sync_channel::<(PhraseKey, Vec<i16>)>(TO_KEEP);
        employ("phrase writer", move || {
            let mut has_failed = false;
            while let Ok((key, samples)) = to_keep.recv() {
                if let Err(error) = kept.write(key, &samples)
                    && !std::mem::replace(&mut has_failed, true)
                {
                    tracing::warn!(%error, "a rendered phrase cannot be kept; told once");
                }
            }
        })?;
        Ok(Some(Keeper(keeper)))
    }

    fn say(
        &self,
        job: &Job,
        speak: impl FnOnce(&Phrase, &mut dyn FnMut(&[i16]) -> Flow) -> Result<(), Failure>,
    ) {
        let outcome = self.render(job, speak);
        self.end(&job.ticket, outcome);
    }

    /// Sends a phrase's sound as it is made; how many samples it had.
    fn render<E>(
        &self,
        job: &Job,
        speak: impl FnOnce(&Phrase, &mut dyn FnMut(&[i16]) -> Flow) -> Result<(), E>,
    ) -> Result<u32, E> {
        let Work::Speak { phrase, .. } = &job.work else { return Ok(0) };
        let Ticket { connection, request, .. } = job.ticket;
        let mut onset = Onset::new(|offset, samples| {
            let samples = Private::new(samples);
            self.reply(connection, FromEngine::Audio { request, offset, samples });
            Flow::Continue
        });
        speak(phrase, &mut |samples| {
            if job.ticket.is_cancelled() { Flow::Stop } else { onset.push(samples) }
        })?;
        Ok(onset.sent())
    }

    fn end(&self, ticket: &Ticket, outcome: Result<u32, Failure>) {
        let request = ticket.request;
        let message = match outcome {
            _ if ticket.is_cancelled() => FromEngine::Cancelled { request },
            Ok(samples) => FromEngine::Spoken { request, samples },
            Err(failure) => FromEngine::Failed { request, failure },
        };
        self.reply(ticket.connection, message);
    }

    /// A phrase from the disk; one that is damaged there is rendered again.
    fn say_kept(&self, job: &Job) -> Option<Job> {
        let Work::Speak { phrase, .. } = &job.work else { return None };
        let neural = &self.voices.neural;
        match neural.key(phrase).and_then(|(kept, key)| kept.read(&key)) {
            Some(sound) => {
                let outcome = self.render(job, |_, sink| {
                    sound.chunks(CHUNK_SAMPLES).any(|chunk| sink(chunk) == Flow::Stop);
                    Ok(())
                });
                self.end(&job.ticket, outcome);
                None
            }
            // It is known to be missing by now.
            None => match self.voices.skill_for(phrase) {
                Ok(skill) if skill != Skill::Kept => Some(again(job, phrase, skill)),
                _ => self.stand_in(job),
            },
        }
    }

    /// A phrase by its neural voice, or by its stand-in.
    fn say_neural(
        &self,
        job: &Job,
        worker: &mut NeuralWorker,
        keeper: Option<&Keeper>,
    ) -> Option<Job> {
        let Work::Speak { phrase, .. } = &job.work else { return None };
        let (_, voice) = self.voices.neural.named(phrase)?;
        // It may have been given up while this one waited.
        if voice.id().is_none() {
            return self.stand_in(job);
        }
        let mut outcome = self.render_neural(job, worker);
        if let Err(error) = &outcome
            && !job.ticket.is_cancelled()
            && worker.loaded.vits.is_on_gpu()
            && worker.leaves_gpu(voice, &in_words(error))
        {
            self.tell_voices(&job.ticket);
            outcome = self.render_neural(job, worker);
        }
        match outcome {
            _ if job.ticket.is_cancelled() => self.end(&job.ticket, Ok(0)),
            Ok((samples, sound)) => {
                voice.spoke();
                self.end(&job.ticket, Ok(samples));
                self.keep(phrase, sound, keeper);
            }
            Err(error) => {
                let reason = in_words(&error);
                tracing::warn!(voice = voice.name, reason, "a voice failed at a phrase");
                if voice.failed(&reason) {
                    tracing::error!(voice = voice.name, "it is left alone from here on");
                    self.tell_voices(&job.ticket);
                }
                return self.stand_in(job);
            }
        }
        None
    }

    /// The number of samples that were sent, and the sound to keep.
    fn render_neural(
        &self,
        job: &Job,
        worker: &mut NeuralWorker,
    ) -> Result<(u32, Vec<i16>), VitsError> {
        let mut sound = Vec::new();
        let has_words = |text: &str| text.chars().any(char::is_alphanumeric);
        let mut must_sound = false;
        let vits = &mut worker.loaded.vits;
        let samples = self.render(job, |phrase, sink| {
            must_sound = has_words(phrase.text.reveal());
            let mut both = |samples: &[i16]| {
                sound.extend_from_slice(samples);
                sink(samples)
            };
            vits.speak(phrase.text.reveal(), &job.ticket.cancelled, &mut both)
        })?;
        match samples == 0 && must_sound && !job.ticket.is_cancelled() {
            true => Err(OnnxError::NoSound.into()),
            false => Ok((samples, sound)),
        }
    }

    /// Gives a sound to the disk if it is likely to be wanted again.
    fn keep(&self, phrase: &Phrase, sound: Vec<i16>, keeper: Option<&Keeper>) {
        let Some((keeper, (kept, key))) = keeper.zip(self.voices.neural.key(phrase)) else {
            return;
        };
        if phrase.is_known || kept.comes_again(key) {
            match keeper.0.try_send((key, sound)) {
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => tracing::error!("no phrase is kept any more"),
            }
        }
    }

    /// The job for the plain voice of the language, or its failure if there is none.
    fn stand_in(&self, job: &Job) -> Option<Job> {
        let Work::Speak { phrase, .. } = &job.work else { return None };
        match self.voices.stand_in(phrase) {
            Ok(skill) => Some(again(job, phrase, skill)),
            Err(failure) => {
                self.end(&job.ticket, Err(failure));
                None
            }
        }
    }

    fn tell_voices(&self, ticket: &Ticket) {
        let reports = self.voices.neural.reports();
        self.reply(ticket.connection, FromEngine::Voices(reports));
    }
}

/// Where sounds go that are to be kept.
#[derive(Clone)]
pub(super) struct Keeper(SyncSender<(PhraseKey, Vec<i16>)>);

impl NeuralWorker {
    /// Loads the voice on the CPU after the GPU has failed; false when that fails too.
    fn leaves_gpu(&mut self, voice: &Neural, why: &str) -> bool {
        tracing::error!(voice = voice.name, why, "the GPU cannot speak; the CPU does");
        let device = (DeviceWish::Cpu, neural::threads());
        match neural::load(&self.settings, self.engine.onnxruntime.as_deref(), device) {
            Ok(loaded) => {
                self.loaded = loaded;
                voice.moved(format!("cpu (the GPU failed: {why})"), self.loaded.id);
                true
            }
            Err(error) => {
                tracing::error!(voice = voice.name, reason = in_words(&error), "nor can the CPU");
                false
            }
        }
    }
}

/// The same phrase, for another skill.
fn again(job: &Job, phrase: &Phrase, skill: Skill) -> Job {
    Job { ticket: job.ticket.clone(), work: Work::Speak { skill, phrase: phrase.clone() } }
}

fn failure_of(error: EspeakError) -> Failure {
    match error {
        EspeakError::NoVoice => Failure::NoVoice,
        error => {
            tracing::warn!(%error, "the voice failed");
            Failure::Voice
        }
    }
}
