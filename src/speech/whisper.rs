//! Hearing: one complete utterance in, its text out, by whisper.cpp through whisper-rs.
//!
//! The weights are loaded once; each lane has a state of its own, made at start, so that nothing
//! large is allocated for an utterance. Parameters are built once for each worker and copied: some
//! of whisper-rs's setters leak.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState,
    WhisperSysContext, WhisperSysState, WhisperTokenData,
};

use super::gate::speech_span;
use super::model::{Model, ModelError, ModelSource};
use super::protocol::{Detected, Failure, Transcript};
use super::words::{self, Token};
use crate::base::{LanguageCode, limits, pcm};
use crate::listen::{DecodeWish, Hint, Recognition};

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

/// Of so little whisper.cpp takes the sound and the context, and begins no encoding.
const NOT_ENCODED_MS: c_int = 100;

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
    /// Tokens that begin a remark.
    remarks: Vec<usize>,
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
                    let remarks = remarks(&context);
                    return Ok(Self {
                        context,
                        device,
                        on_gpu: true,
                        audio_context,
                        remarks,
                        is_multilingual,
                    });
                }
                Err(_) => device = "cpu (the GPU refused the model)".to_owned(),
            }
        }
        let refused = |_| ModelError::Refused { path: source.path().to_path_buf() };
        let context = with(false).map_err(refused)?;
        let remarks = remarks(&context);
        Ok(Self { context, device, on_gpu: false, audio_context, remarks, is_multilingual })
    }

    /// `models/train` makes models with a window of their own and teaches them to tell whether the
    /// voice goes on.
    const fn tells_the_end(&self) -> bool {
        self.audio_context < LARGE_WINDOW
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

    fn first_look(&self) -> FirstLook<'_> {
        let vocabulary = usize::try_from(self.context.n_vocab()).unwrap_or_default();
        FirstLook { vocabulary, remarks: &self.remarks, no_speech: AtomicU32::new(0) }
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
        Recogniser { whisper: self, parameters, threads, prompts: false, samples: Vec::new() }
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
    /// Hints are given to the model, as text that came before.
    prompts: bool,
    /// The utterance as whisper.cpp wants it; kept for its memory.
    samples: Vec<f32>,
}

impl Recogniser<'_> {
    pub const fn tells_the_end(&self) -> bool {
        self.whisper.tells_the_end()
    }

    #[must_use]
    pub fn with_prompts(self, prompts: bool) -> Self {
        Self { prompts, ..self }
    }

    /// Decodes `audio`, 16 kHz mono, until done or until `cancelled` is seen to be set, which on a
    /// CPU is after the encoder and between tokens. A look at the language first, one pass of the
    /// encoder more, cannot be given up within.
    pub fn decode(
        &mut self,
        state: &mut WhisperState,
        audio: &[i16],
        cancelled: &AtomicBool,
    ) -> Decoded {
        self.decode_in(state, audio, &DecodeWish::default(), cancelled)
    }

    /// The same in the way that is wished. A language that the model does not know is refused, never
    /// heard as something else.
    pub fn decode_in(
        &mut self,
        state: &mut WhisperState,
        audio: &[i16],
        wish: &DecodeWish,
        cancelled: &AtomicBool,
    ) -> Decoded {
        let begun = Instant::now();
        if audio.len() > self.whisper.window_samples() {
            return Decoded::Failed(Failure::TooLong);
        }
        let Some(speech) = speech_span(audio).and_then(|span| audio.get(span)) else {
            return Decoded::Text(transcript(Recognition::nothing(), begun));
        };
        if cancelled.load(Ordering::Relaxed) {
            return Decoded::Cancelled;
        }
        self.samples.clear();
        self.samples.extend(speech.iter().map(|&sample| f32::from(sample) / 32_768.0));
        self.samples.resize(speech.len().max(LEAST_SAMPLES), 0.0);
        let (index, detected) = match self.language_of(state, &wish.languages, cancelled) {
            Ok(chosen) => chosen,
            Err(ended) => return ended,
        };
        let first_look = self.whisper.first_look();
        let prompt = self.prompt(&wish.hint);
        let mut parameters = self.parameters_for(index, speech.len(), cancelled, &first_look);
        if !prompt.is_empty() {
            parameters.set_tokens(&prompt);
        }
        let ended = state.full(parameters, &self.samples);
        // The flag may have been set after the last look at it: then the text is there.
        if ended.is_err() && cancelled.load(Ordering::Relaxed) {
            return Decoded::Cancelled;
        }
        if ended.is_err() {
            return Decoded::Failed(Failure::Recogniser);
        }
        let heard = transcript(read(self.whisper, state, &first_look), begun);
        Decoded::Text(Transcript { detected, ..heard })
    }

    /// Which of `parameters` to decode with, or how the decode has ended already.
    fn language_of(
        &self,
        state: &mut WhisperState,
        languages: &[LanguageCode],
        cancelled: &AtomicBool,
    ) -> Result<Chosen, Decoded> {
        let place = |wanted: &LanguageCode| self.parameters.iter().position(|(l, _)| l == wanted);
        if languages.is_empty() {
            return Ok((0, None));
        }
        let known: Vec<_> = languages.iter().filter_map(|l| Some((place(l)?, *l))).collect();
        let Some(&(first, _)) = known.first() else {
            return Err(Decoded::Failed(Failure::WrongLanguage));
        };
        if known.len() == 1 {
            return Ok((first, None));
        }
        let shares = self.language_shares(state).unwrap_or_default();
        if cancelled.load(Ordering::Relaxed) {
            return Err(Decoded::Cancelled);
        }
        Ok(likeliest(&known, &shares).unwrap_or((first, None)))
    }

    /// What the model thinks of every language that whisper.cpp knows.
    fn language_shares(&self, state: &mut WhisperState) -> Option<Vec<f32>> {
        self.prepare(state)?;
        let (_, shares) = state.lang_detect(0, usize::from(self.threads)).ok()?;
        Some(shares)
    }

    /// Gives the state the utterance and a context that fits it, as a decode would, and decodes
    /// nothing. whisper.cpp's own look at the language takes the context of the decode before.
    fn prepare(&self, state: &mut WhisperState) -> Option<()> {
        let mut parameters = self.fitted(0, self.samples.len());
        parameters.set_duration_ms(NOT_ENCODED_MS);
        state.full(parameters, &self.samples).ok()
    }

    /// The hint in tokens, the likeliest phrases first: a decoder takes half of its context.
    fn prompt(&self, hint: &Hint) -> Vec<c_int> {
        let phrases = hint.phrases();
        if !self.prompts || phrases.is_empty() {
            return Vec::new();
        }
        let text = format!(" {}.", phrases.join(", "));
        let context = &self.whisper.context;
        let mut tokens = context.tokenize(&text, limits::HINT_BYTES + 2).unwrap_or_default();
        let half = usize::try_from(context.n_text_ctx() / 2).unwrap_or_default();
        tokens.truncate(half.saturating_sub(1));
        tokens
    }

    fn fitted(&self, index: usize, samples: usize) -> FullParams<'static, 'static> {
        let (_, parameters) = self.parameters.get(index).expect("`language_of` finds it here");
        let mut parameters = parameters.clone();
        let context = self.whisper.context_for(samples);
        parameters
            .set_audio_ctx(c_int::try_from(context).expect("a file's u32 checked on reading"));
        parameters
    }

    fn parameters_for<'p>(
        &self,
        index: usize,
        samples: usize,
        cancelled: &AtomicBool,
        first_look: &FirstLook<'_>,
    ) -> FullParams<'static, 'p> {
        let mut parameters: FullParams<'static, 'p> = self.fitted(index, samples);
        let seconds = samples.div_ceil(pcm::SAMPLE_RATE_HZ as usize);
        let tokens = LEAST_TOKENS + TOKENS_PER_SECOND * seconds;
        parameters.set_max_tokens(c_int::try_from(tokens).unwrap_or(c_int::MAX));
        // SAFETY: `is_cancelled` and `look` take their pointers for what they are. whisper.cpp
        // calls them only inside `full`, which returns before `decode` does, and `decode` borrows
        // the one and owns the other.
        unsafe {
            parameters.set_filter_logits_callback(Some(look));
            parameters.set_filter_logits_callback_user_data(
                std::ptr::from_ref(first_look) as *mut c_void
            );
            parameters.set_abort_callback(Some(is_cancelled));
            parameters.set_abort_callback_user_data(std::ptr::from_ref(cancelled) as *mut c_void);
        }
        parameters
    }
}

/// A place among a recogniser's parameters, and how the language was found out if it had to be.
type Chosen = (usize, Option<Detected>);

/// The likeliest of these languages, by whisper.cpp's `shares` of all of them; nothing where it has
/// no opinion of any.
fn likeliest(candidates: &[(usize, LanguageCode)], shares: &[f32]) -> Option<Chosen> {
    let share = |&(place, language): &(usize, LanguageCode)| {
        let id = usize::try_from(whisper_rs::get_lang_id(language.as_str())?).ok()?;
        let share = shares.get(id).copied().filter(|share| share.is_finite() && *share > 0.0)?;
        Some((place, language, share))
    };
    let known: Vec<_> = candidates.iter().filter_map(share).collect();
    let sum: f32 = known.iter().map(|(.., share)| share).sum();
    let (place, language, share) = known.into_iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let probability = (share / sum).clamp(0.0, 1.0);
    Some((place, Some(Detected { language, probability })))
}

/// Asked by whisper.cpp whether to give up.
unsafe extern "C" fn is_cancelled(flag: *mut c_void) -> bool {
    // SAFETY: `parameters_for` passes a flag that outlives the decode.
    let flag = unsafe { &*flag.cast::<AtomicBool>() };
    flag.load(Ordering::Relaxed)
}

/// What the decoder thinks before its first word; whisper.cpp shows it to a callback.
struct FirstLook<'a> {
    vocabulary: usize,
    remarks: &'a [usize],
    /// Bits of an f32: the probability of a remark instead of words.
    no_speech: AtomicU32,
}

impl FirstLook<'_> {
    fn no_speech(&self) -> f32 {
        f32::from_bits(self.no_speech.load(Ordering::Relaxed))
    }

    fn see(&self, logits: &[f32]) {
        let highest = logits.iter().copied().fold(f32::MIN, f32::max);
        let share = |logit: f32| (logit - highest).exp();
        let all: f32 = logits.iter().copied().map(share).sum();
        let remarks = self.remarks.iter().filter_map(|id| logits.get(*id));
        let remarks: f32 = remarks.copied().map(share).sum();
        let no_speech = if all > 0.0 { remarks / all } else { 0.0 };
        self.no_speech.store(no_speech.to_bits(), Ordering::Relaxed);
    }
}

/// Shown the logits of each token by whisper.cpp, which may be changed and are not.
unsafe extern "C" fn look(
    _context: *mut WhisperSysContext,
    _state: *mut WhisperSysState,
    _tokens: *const WhisperTokenData,
    decoded: c_int,
    logits: *mut f32,
    first_look: *mut c_void,
) {
    if decoded != 0 {
        return;
    }
    // SAFETY: `parameters_for` passes a `FirstLook` that outlives the decode.
    let first_look = unsafe { &*first_look.cast::<FirstLook<'_>>() };
    // SAFETY: whisper.cpp has a logit for each token of the vocabulary, which it told the size of.
    first_look.see(unsafe { std::slice::from_raw_parts(logits, first_look.vocabulary) });
}

/// What the last decode has given.
fn read(whisper: &Whisper, state: &WhisperState, first_look: &FirstLook<'_>) -> Recognition {
    let eot = whisper.context.token_eot();
    let (mut tokens, mut ending) = (Vec::new(), None);
    let mut no_speech = first_look.no_speech();
    for segment in state.as_iter() {
        no_speech = no_speech.max(segment.no_speech_probability());
        for token in (0..segment.n_tokens()).filter_map(|n| segment.get_token(n)) {
            let (id, probability) = (token.token_id(), token.token_probability());
            if id == eot {
                ending = Some(probability);
            } else if id < eot {
                let bytes = whisper.context.token_to_bytes(id).unwrap_or_default();
                tokens.push(Token { bytes, probability });
            }
        }
    }
    words::recognition(&tokens, ending, no_speech, whisper.tells_the_end())
}

/// The tokens with which the model begins to tell of the sound rather than what was said:
/// `[BLANK_AUDIO]`, `(music)`, `*coughs*`, notes.
fn remarks(context: &WhisperContext) -> Vec<usize> {
    let begins_remark = |id: c_int| {
        let bytes = context.token_to_bytes(id).unwrap_or_default().trim_ascii_start();
        matches!(bytes.first(), Some(b'[' | b'(' | b'*')) || bytes.starts_with("♪".as_bytes())
    };
    let ids = (0..context.token_eot()).filter(|id| begins_remark(*id));
    ids.filter_map(|id| usize::try_from(id).ok()).collect()
}

fn transcript(recognition: Recognition, begun: Instant) -> Transcript {
    let decode_ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
    Transcript { recognition, decode_ms, detected: None }
}

#[cfg(test)]
mod tests;
