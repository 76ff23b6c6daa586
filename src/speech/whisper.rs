//! Hearing: one complete utterance in, its text out, by whisper.cpp through whisper-rs.
//!
//! The weights are loaded once; each lane has a state of its own, made at start, so that nothing
//! large is allocated for an utterance. Parameters are built once for each worker and copied: some
//! of whisper-rs's setters leak.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState,
};

use super::gate::speech_span;
use super::model::{Model, ModelError, ModelSource};
use super::protocol::{Detected, Failure, Transcript};
use crate::base::{LanguageCode, Private, limits, pcm};

/// whisper.cpp reads past the end of shorter clips.
const LEAST_SAMPLES: usize = 1_600;
/// The encoder's context is fitted to the utterance in steps of this many entries of 20 ms; with
/// flash attention whisper.cpp pads to 256 entries and does not mask the padding.
const CONTEXT_STEP: u32 = 64;
const FLASH_CONTEXT_STEP: u32 = 256;
/// Room after the end of the utterance, in entries, so that the last sound is not at the edge.
const CONTEXT_ROOM: u32 = 10;
/// A model made for 30 s invents words when its context is much shorter than what it was trained on.
const LARGE_WINDOW_ROOM: u32 = 128;
const LARGE_WINDOW: u32 = 1_500;
/// Nobody speaks more tokens than this in a second; a decoder that repeats itself ends here.
const TOKENS_PER_SECOND: usize = 12;
const LEAST_TOKENS: usize = 16;

/// Models with fewer entries in their vocabulary know English only: they lack a token.
const MULTILINGUAL_VOCABULARY: u32 = 51_865;

/// Where Whisper is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceWish {
    /// The GPU if the program was built for one and it works, else the CPU.
    #[default]
    Auto,
    Cpu,
    /// The GPU; if there is none, the CPU, and the reason is announced.
    Cuda,
}

/// The weights, and where they are.
#[derive(Debug)]
pub struct Whisper {
    context: WhisperContext,
    /// In words, with the reason if it is not what was wished.
    pub device: String,
    on_gpu: bool,
    audio_context: u32,
    is_multilingual: bool,
}

impl Whisper {
    /// Gives the model to whisper.cpp.
    pub fn load(source: &ModelSource, model: &Model, wish: DeviceWish) -> Result<Self, ModelError> {
        whisper_rs::install_logging_hooks();
        let audio_context = model.outline.audio_context;
        let is_multilingual = model.outline.vocabulary >= MULTILINGUAL_VOCABULARY;
        let with = |on_gpu: bool| {
            let mut parameters = WhisperContextParameters::default();
            parameters.use_gpu(on_gpu).flash_attn(on_gpu);
            WhisperContext::new_from_buffer_with_params(&model.bytes, parameters)
        };
        let (gpu, mut device) = super::device::choose(wish);
        if gpu.is_some() {
            match with(true) {
                Ok(context) => {
                    return Ok(Self {
                        context,
                        device,
                        on_gpu: true,
                        audio_context,
                        is_multilingual,
                    });
                }
                Err(_) => device = "cpu (the GPU refused the model)".to_owned(),
            }
        }
        let refused = |_| ModelError::Refused { path: source.path().to_path_buf() };
        let context = with(false).map_err(refused)?;
        Ok(Self { context, device, on_gpu: false, audio_context, is_multilingual })
    }

    pub const fn is_on_gpu(&self) -> bool {
        self.on_gpu
    }

    /// The working memory of one lane.
    pub fn lane(&self) -> Result<WhisperState, RecogniserError> {
        self.context.create_state().map_err(|_| RecogniserError::State)
    }

    /// Longest utterance that is taken.
    pub const fn window_samples(&self) -> usize {
        pcm::ms_to_samples(self.audio_context as u64 * 20)
    }

    /// Those of `languages` that the model knows.
    pub fn heard_of(&self, languages: &[LanguageCode]) -> Vec<LanguageCode> {
        let is_known = |language: &&LanguageCode| {
            **language == LanguageCode::ENGLISH
                || (self.is_multilingual && whisper_rs::get_lang_id(language.as_str()).is_some())
        };
        languages.iter().filter(is_known).copied().collect()
    }

    /// How one worker decodes.
    pub fn recogniser(&self, threads: u16, languages: &[LanguageCode]) -> Recogniser<'_> {
        let mut heard = self.heard_of(languages);
        if heard.is_empty() {
            // What is refused in a call can still be warmed up.
            heard.push(LanguageCode::ENGLISH);
        }
        let parameters = |language| (language, parameters(threads, language));
        let parameters = heard.into_iter().map(parameters).collect();
        Recogniser { whisper: self, parameters, threads, samples: Vec::new() }
    }
    /// Entries of the encoder's context for so many samples.
    fn context_for(&self, samples: usize) -> u32 {
        let entries = u32::try_from(samples.div_ceil(pcm::ms_to_samples(20))).unwrap_or(u32::MAX);
        let large = self.audio_context >= LARGE_WINDOW;
        let room = if large { LARGE_WINDOW_ROOM } else { CONTEXT_ROOM };
        let step = if self.on_gpu { FLASH_CONTEXT_STEP } else { CONTEXT_STEP };
        let fitted = entries.saturating_add(room).next_multiple_of(step);
        fitted.min(self.audio_context)
    }
}

/// Built once for each language of a worker and copied for each utterance.
fn parameters(threads: u16, language: LanguageCode) -> FullParams<'static, 'static> {
    let mut parameters = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    parameters.set_n_threads(c_int::from(threads));
    // whisper-rs keeps this string for ever, which is why it is set once.
    let id = whisper_rs::get_lang_id(language.as_str());
    parameters.set_language(id.and_then(whisper_rs::get_lang_str).or(Some("en")));
    parameters.set_no_context(true);
    parameters.set_single_segment(true);
    parameters.set_no_timestamps(true);
    parameters.set_temperature(0.0);
    parameters.set_temperature_inc(0.0);
    parameters.set_print_special(false);
    parameters.set_print_progress(false);
    parameters.set_print_realtime(false);
    parameters.set_print_timestamps(false);
    parameters
}

/// Why no recogniser can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecogniserError {
    #[error("there is not enough memory for a recogniser's state")]
    State,
    #[error("the recogniser fails on its first utterance")]
    WarmUp,
}

/// How a decode ended.
#[derive(Debug, PartialEq)]
pub enum Decoded {
    Text(Transcript),
    Cancelled,
    Failed(Failure),
}

/// A worker's way of decoding; it brings no memory of earlier utterances.
pub struct Recogniser<'a> {
    whisper: &'a Whisper,
    /// At least one; the first is the default.
    parameters: Vec<(LanguageCode, FullParams<'static, 'static>)>,
    threads: u16,
    /// The utterance as whisper.cpp wants it; kept for its memory.
    samples: Vec<f32>,
}

impl Recogniser<'_> {
    /// Decodes `audio`, 16 kHz mono, until done or until `cancelled` is seen to be set, which on a
    /// CPU is after the encoder and between tokens.
    pub fn decode(
        &mut self,
        state: &mut WhisperState,
        audio: &[i16],
        cancelled: &AtomicBool,
    ) -> Decoded {
        self.decode_in(state, audio, &[], cancelled)
    }

    /// The same in one of `languages`, among which the model decides; none means the default. What
    /// the model does not know is refused, never heard as something else.
    pub fn decode_in(
        &mut self,
        state: &mut WhisperState,
        audio: &[i16],
        languages: &[LanguageCode],
        cancelled: &AtomicBool,
    ) -> Decoded {
        let begun = Instant::now();
        if audio.len() > self.whisper.window_samples() {
            return Decoded::Failed(Failure::TooLong);
        }
        let Some(speech) = speech_span(audio).and_then(|span| audio.get(span)) else {
            return Decoded::Text(transcript(String::new(), &[], begun));
        };
        if cancelled.load(Ordering::Relaxed) {
            return Decoded::Cancelled;
        }
        self.samples.clear();
        self.samples.extend(speech.iter().map(|&sample| f32::from(sample) / 32_768.0));
        self.samples.resize(speech.len().max(LEAST_SAMPLES), 0.0);
        let Some((index, detected)) = self.language_of(state, languages) else {
            return Decoded::Failed(Failure::WrongLanguage);
        };
        let parameters = self.parameters_for(index, speech.len(), cancelled);
        let ended = state.full(parameters, &self.samples);
        // The flag may have been set after the last look at it: then the text is there.
        if ended.is_err() && cancelled.load(Ordering::Relaxed) {
            return Decoded::Cancelled;
        }
        if ended.is_err() {
            return Decoded::Failed(Failure::Recogniser);
        }
        let (text, probabilities) = read_text(state, self.whisper.context.token_eot());
        Decoded::Text(Transcript { detected, ..transcript(text, &probabilities, begun) })
    }

    /// The place of the language among `parameters`, and how it was found out if it had to be.
    fn language_of(
        &self,
        state: &mut WhisperState,
        languages: &[LanguageCode],
    ) -> Option<(usize, Option<Detected>)> {
        let place = |wanted: &LanguageCode| self.parameters.iter().position(|(l, _)| l == wanted);
        if languages.is_empty() {
            return Some((0, None));
        }
        let known: Vec<usize> = languages.iter().filter_map(place).collect();
        let first = (*known.first()?, None);
        if known.len() == 1 {
            return Some(first);
        }
        let threads = usize::from(self.threads);
        let heard = state.pcm_to_mel(&self.samples, threads);
        let heard = heard.and_then(|()| state.lang_detect(0, threads));
        let Ok((_, probabilities)) = heard else { return Some(first) };
        let share = |place: usize| {
            let (language, _) = self.parameters.get(place)?;
            let id = whisper_rs::get_lang_id(language.as_str())?;
            Some((place, *language, *probabilities.get(usize::try_from(id).ok()?)?))
        };
        let shares: Vec<_> = known.into_iter().filter_map(share).collect();
        let sum: f32 = shares.iter().map(|(.., share)| share).sum();
        let best = shares.into_iter().max_by(|a, b| a.2.total_cmp(&b.2));
        let (place, language, share) = best.filter(|_| sum > 0.0)?;
        let probability = (share / sum).clamp(0.0, 1.0);
        Some((place, Some(Detected { language, probability })))
    }

    fn parameters_for(
        &self,
        index: usize,
        samples: usize,
        cancelled: &AtomicBool,
    ) -> FullParams<'static, 'static> {
        let (_, parameters) = self.parameters.get(index).expect("`language_of` finds it here");
        let mut parameters = parameters.clone();
        let context = self.whisper.context_for(samples);
        parameters
            .set_audio_ctx(c_int::try_from(context).expect("a file's u32 checked on reading"));
        let seconds = samples.div_ceil(pcm::SAMPLE_RATE_HZ as usize);
        let tokens = LEAST_TOKENS + TOKENS_PER_SECOND * seconds;
        parameters.set_max_tokens(c_int::try_from(tokens).unwrap_or(c_int::MAX));
        // SAFETY: `is_cancelled` takes the pointer for the flag that it is. whisper.cpp calls it
        // only inside `full`, which returns before `decode` does, and `decode` borrows the flag.
        unsafe {
            parameters.set_abort_callback(Some(is_cancelled));
            parameters.set_abort_callback_user_data(std::ptr::from_ref(cancelled) as *mut c_void);
        }
        parameters
    }
}

/// Asked by whisper.cpp whether to give up.
unsafe extern "C" fn is_cancelled(flag: *mut c_void) -> bool {
    // SAFETY: `parameters_for` passes a flag that outlives the decode.
    let flag = unsafe { &*flag.cast::<AtomicBool>() };
    flag.load(Ordering::Relaxed)
}

/// The text of the last decode and the probabilities of its tokens.
fn read_text(state: &WhisperState, first_special: c_int) -> (String, Vec<f32>) {
    let mut bytes = Vec::new();
    let mut probabilities = Vec::new();
    for segment in state.as_iter() {
        bytes.extend_from_slice(segment.to_bytes().unwrap_or_default());
        let tokens = (0..segment.n_tokens()).filter_map(|n| segment.get_token(n));
        let words = tokens.filter(|token| token.token_id() < first_special);
        probabilities.extend(words.map(|token| token.token_probability().clamp(0.0, 1.0)));
    }
    // A token may end within a character when the decode was ended by its length.
    (without_remarks(&String::from_utf8_lossy(&bytes)), probabilities)
}

/// Takes out what the model says about the sound rather than what was said: `[BLANK_AUDIO]`,
/// `[INAUDIBLE]`, `(music)`, `*coughs*`, notes.
fn without_remarks(text: &str) -> String {
    let mut words = String::new();
    let mut closing = None;
    for c in text.chars() {
        match (closing, c) {
            (Some(end), c) if c == end => closing = None,
            (Some(_), _) => {}
            (None, '[') => closing = Some(']'),
            (None, '(') => closing = Some(')'),
            (None, '*') => closing = Some('*'),
            (None, '♪' | '♫' | '\u{fffd}') => {}
            (None, c) => words.push(c),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = words.chars().any(char::is_alphanumeric);
    if said { words.chars().take(limits::TRANSCRIPT_CHARS).collect() } else { String::new() }
}

fn transcript(text: String, probabilities: &[f32], begun: Instant) -> Transcript {
    let count = if text.is_empty() { 0 } else { probabilities.len() };
    let (confidence, least_confidence) = if count == 0 {
        (0.0, 0.0)
    } else {
        let sum: f32 = probabilities.iter().sum();
        let mean = (sum / count as f32).clamp(0.0, 1.0);
        (mean, probabilities.iter().copied().fold(1.0, f32::min))
    };
    let decode_ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
    let text = Private::new(text);
    Transcript { text, confidence, least_confidence, decode_ms, detected: None }
}

#[cfg(test)]
mod tests;
