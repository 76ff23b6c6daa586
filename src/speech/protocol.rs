//! What the front and the engine say to each other over their Unix socket. Pure.
//!
//! A message is a little-endian `u32` length, then that many bytes: one for its kind, the rest for
//! its fields in order. Strings and lists carry a `u32` count. Every request is complete in itself,
//! so after a crash of the engine the front only has to send it again.
//!
//! Invariant: decoding never panics, never allocates more than the bytes it was given justify, and
//! refuses a message with bytes left over.

use crate::base::{LanguageCode, Private, limits};
use crate::listen::{DecodeWish, Hint, Recognition, Urgency, WordSpan};

mod ready;

pub use ready::{Ready, TurnReport, VoiceReport};

/// Both sides must speak the same version; they come from one binary, but a unit may still be
/// running the one from before an upgrade.
pub const VERSION: u16 = 7;
/// Stands for a probability that the model does not tell.
const UNTOLD: f32 = -1.0;

/// Bytes of a name in a message: a language, a voice, a device, a model.
const NAME_BYTES: usize = 256;
/// Languages that a request or an engine may list.
const LANGUAGES: usize = 32;
/// Bytes of a text, recognised or to be spoken: four for each character of UTF-8.
const TEXT_BYTES: usize = 4 * limits::REPLY_CHARS;
const LENGTH_BYTES: usize = 4;

/// A request of the front, numbered from 1 while the front runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Front to engine.
#[derive(Clone, Debug, PartialEq)]
pub enum ToEngine {
    /// First message on a connection.
    Hello {
        version: u16,
    },
    /// Recognise one utterance: 16 kHz mono, at most the engine's window. `lane` is the call's
    /// place below `calls.max`; utterances of one lane are decoded one after the other. What is
    /// only a partial text may be answered by `Failed` or `Cancelled` for anything else's sake.
    Transcribe {
        request: RequestId,
        lane: u16,
        wish: DecodeWish,
        audio: Private<Vec<i16>>,
    },
    /// The answer is no longer wanted. Answered by `Cancelled`, or by the end that came first.
    Cancel {
        request: RequestId,
    },
    /// Speak one phrase, already normalised for speech.
    Speak {
        request: RequestId,
        phrase: Phrase,
    },
    Ping {
        nonce: u64,
    },
}

/// What is to be spoken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// BCP 47, lower case: `en`, `de`, `pt-br`.
    pub language: String,
    /// A name from `Ready::voices`, or empty for the default of the language.
    pub voice: String,
    pub text: Private<String>,
    /// It stands in a playbook and was not made in a call: worth keeping when it was rendered.
    pub is_known: bool,
}

/// Engine to front.
#[derive(Clone, Debug, PartialEq)]
pub enum FromEngine {
    /// Models are loaded and warm; requests are taken.
    Ready(Ready),
    /// The other side speaks another version; the connection ends.
    Mismatch {
        version: u16,
    },
    Text {
        request: RequestId,
        transcript: Transcript,
    },
    /// A chunk of a phrase: 16 kHz mono, `offset` samples after its beginning.
    Audio {
        request: RequestId,
        offset: u32,
        samples: Private<Vec<i16>>,
    },
    /// All chunks of the phrase have been sent; it has `samples` samples.
    Spoken {
        request: RequestId,
        samples: u32,
    },
    Failed {
        request: RequestId,
        failure: Failure,
    },
    Cancelled {
        request: RequestId,
    },
    /// `waiting` requests have not been begun.
    Pong {
        nonce: u64,
        waiting: u32,
    },
    /// The neural voices are not as `Ready` said any more.
    Voices(Vec<VoiceReport>),
    /// Nor is the turn model.
    Turn(TurnReport),
}

/// What was heard in one utterance.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    pub recognition: Recognition,
    /// Time in the recogniser, without waiting.
    pub decode_ms: u32,
    /// `None` where there was nothing to decide.
    pub detected: Option<Detected>,
}

/// The language that the model takes an utterance for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected {
    pub language: LanguageCode,
    /// Its share among the languages that were asked for, 0 to 1.
    pub probability: f32,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the utterance is longer than the recogniser's window")]
    TooLong,
    #[error("there is no such lane")]
    NoSuchLane,
    #[error("the recogniser failed")]
    Recogniser,
    #[error("the speech model does not know this language")]
    WrongLanguage,
    #[error("there is no voice for this language")]
    NoVoice,
    #[error("the voice failed")]
    Voice,
    #[error("the engine has too many requests")]
    Overloaded,
    #[error("the engine is down")]
    EngineDown,
}

/// Why bytes are not a message. The connection cannot go on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("a message of {0} bytes is longer than allowed")]
    TooLong(usize),
    #[error("a message ends before its last field")]
    Truncated,
    #[error("a message has bytes after its last field")]
    TrailingBytes,
    #[error("unknown message kind {0}")]
    UnknownKind(u8),
    #[error("a field has a value that is not allowed")]
    BadValue,
}

/// A message of one direction.
pub trait Message: Sized {
    /// Appends kind and fields.
    fn write(&self, out: &mut Writer<'_>);
    /// Reads kind and fields; the caller checks that nothing is left over.
    fn read(fields: &mut Reader<'_>) -> Result<Self, ProtocolError>;

    /// Appends the whole message, length first.
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        self.write(&mut Writer(out));
        let length = u32::try_from(out.len() - start - LENGTH_BYTES)
            .expect("every field is bounded far below 4 GiB");
        if let Some(head) = out.get_mut(start..start + LENGTH_BYTES) {
            head.copy_from_slice(&length.to_le_bytes());
        }
    }
}

/// Bytes as they came from the socket, until they make messages.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Inbox {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete message, if there is one.
    pub fn take<M: Message>(&mut self) -> Result<Option<M>, ProtocolError> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((head, body)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*head) as usize;
        if length > limits::ENGINE_MESSAGE_BYTES {
            return Err(ProtocolError::TooLong(length));
        }
        let Some(body) = body.get(..length) else {
            return Ok(None);
        };
        let mut fields = Reader(body);
        let message = M::read(&mut fields)?;
        if !fields.0.is_empty() {
            return Err(ProtocolError::TrailingBytes);
        }
        self.taken += LENGTH_BYTES + length;
        Ok(Some(message))
    }
}

/// Appends fields.
#[derive(Debug)]
pub struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX));
    }

    /// Cuts at a character border what is longer than the other side would take.
    fn text(&mut self, text: &str, most_bytes: usize) {
        let cut = text.floor_char_boundary(most_bytes.min(text.len()));
        let bytes = text.as_bytes().get(..cut).unwrap_or_default();
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Words that the text's cut leaves out are left out too.
    fn recognition(&mut self, recognition: &Recognition) {
        let text = recognition.text.reveal();
        let kept = text.floor_char_boundary(TEXT_BYTES.min(text.len()));
        self.text(text, TEXT_BYTES);
        let fits = |word: &&WordSpan| word.end as usize <= kept;
        let words = recognition.words.iter().filter(fits).take(limits::TRANSCRIPT_WORDS);
        self.count(words.clone().count());
        for word in words {
            self.u32(word.start);
            self.u32(word.end);
            self.u32(word.probability.to_bits());
        }
        self.u32(recognition.ending.to_bits());
        self.u32(recognition.no_speech.to_bits());
        self.u32(recognition.goes_on.unwrap_or(UNTOLD).to_bits());
    }

    fn languages(&mut self, languages: &[LanguageCode]) {
        let languages = languages.get(..LANGUAGES).unwrap_or(languages);
        self.count(languages.len());
        languages.iter().for_each(|language| self.text(language.as_str(), NAME_BYTES));
    }

    fn wish(&mut self, wish: &DecodeWish) {
        self.languages(&wish.languages);
        self.u8(match wish.urgency {
            Urgency::Turn => 0,
            Urgency::Partial => 1,
        });
        let phrases = wish.hint.phrases();
        self.count(phrases.len());
        phrases.iter().for_each(|phrase| self.text(phrase, limits::HINT_BYTES));
    }

    fn samples(&mut self, samples: &[i16]) {
        self.count(samples.len());
        self.0.reserve(2 * samples.len());
        for sample in samples {
            self.0.extend_from_slice(&sample.to_le_bytes());
        }
    }
}

/// Takes fields from the front of a message.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(ProtocolError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, ProtocolError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, ProtocolError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, ProtocolError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, ProtocolError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn request(&mut self) -> Result<RequestId, ProtocolError> {
        Ok(RequestId(self.u64()?))
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], ProtocolError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(ProtocolError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn text(&mut self, most_bytes: usize) -> Result<String, ProtocolError> {
        let length = self.u32()? as usize;
        if length > most_bytes {
            return Err(ProtocolError::BadValue);
        }
        let text = std::str::from_utf8(self.bytes(length)?);
        text.map(str::to_owned).map_err(|_| ProtocolError::BadValue)
    }

    fn language(&mut self) -> Result<LanguageCode, ProtocolError> {
        LanguageCode::new(&self.text(NAME_BYTES)?).ok_or(ProtocolError::BadValue)
    }

    fn languages(&mut self) -> Result<Vec<LanguageCode>, ProtocolError> {
        let count = self.u32()? as usize;
        if count > LANGUAGES {
            return Err(ProtocolError::BadValue);
        }
        (0..count).map(|_| self.language()).collect()
    }

    fn wish(&mut self) -> Result<DecodeWish, ProtocolError> {
        let languages = self.languages()?;
        let urgency = match self.u8()? {
            0 => Urgency::Turn,
            1 => Urgency::Partial,
            _ => return Err(ProtocolError::BadValue),
        };
        let count = self.u32()? as usize;
        if count > limits::HINT_PHRASES {
            return Err(ProtocolError::BadValue);
        }
        let phrases = (0..count).map(|_| self.text(limits::HINT_BYTES));
        let phrases = phrases.collect::<Result<Vec<_>, _>>()?;
        let hint = Hint::new(phrases.iter().map(String::as_str));
        Ok(DecodeWish { languages, urgency, hint })
    }

    /// A flag, and what it announces.
    fn detected(&mut self) -> Result<Option<Detected>, ProtocolError> {
        match self.u8()? {
            0 => Ok(None),
            1 => {
                let (language, probability) = (self.language()?, self.probability()?);
                Ok(Some(Detected { language, probability }))
            }
            _ => Err(ProtocolError::BadValue),
        }
    }

    fn samples(&mut self) -> Result<Private<Vec<i16>>, ProtocolError> {
        let length = (self.u32()? as usize).checked_mul(2).ok_or(ProtocolError::BadValue)?;
        let (pairs, _) = self.bytes(length)?.as_chunks::<2>();
        Ok(Private::new(pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()))
    }

    fn probability(&mut self) -> Result<f32, ProtocolError> {
        let value = f32::from_le_bytes(self.array()?);
        if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(ProtocolError::BadValue) }
    }

    fn told_probability(&mut self) -> Result<Option<f32>, ProtocolError> {
        if self.0.starts_with(&UNTOLD.to_le_bytes()) {
            return self.array::<4>().map(|_| None);
        }
        self.probability().map(Some)
    }

    fn recognition(&mut self) -> Result<Recognition, ProtocolError> {
        let text = Private::new(self.text(TEXT_BYTES)?);
        let count = self.u32()? as usize;
        if count > limits::TRANSCRIPT_WORDS {
            return Err(ProtocolError::BadValue);
        }
        let mut word = || {
            let (start, end) = (self.u32()?, self.u32()?);
            Ok(WordSpan { start, end, probability: self.probability()? })
        };
        let words = (0..count).map(|_| word()).collect::<Result<_, _>>()?;
        let (ending, no_speech) = (self.probability()?, self.probability()?);
        let goes_on = self.told_probability()?;
        let recognition = Recognition { text, words, ending, no_speech, goes_on };
        if recognition.is_sound() { Ok(recognition) } else { Err(ProtocolError::BadValue) }
    }

    fn failure(&mut self) -> Result<Failure, ProtocolError> {
        let code = self.u8()?;
        let known = FAILURES.iter().find(|(known, _)| *known == code);
        known.map(|(_, failure)| *failure).ok_or(ProtocolError::BadValue)
    }
}

const FAILURES: [(u8, Failure); 8] = [
    (0, Failure::TooLong),
    (1, Failure::NoSuchLane),
    (2, Failure::Recogniser),
    (3, Failure::NoVoice),
    (4, Failure::Voice),
    (5, Failure::Overloaded),
    (6, Failure::EngineDown),
    (7, Failure::WrongLanguage),
];

fn failure_code(failure: Failure) -> u8 {
    let known = FAILURES.iter().find(|(_, known)| *known == failure);
    known.expect("the table lists every failure").0
}

impl Message for ToEngine {
    fn write(&self, out: &mut Writer<'_>) {
        match self {
            Self::Hello { version } => {
                out.u8(1);
                out.u16(*version);
            }
            Self::Transcribe { request, lane, wish, audio } => {
                out.u8(2);
                out.u64(request.0);
                out.u16(*lane);
                out.wish(wish);
                out.samples(audio.reveal());
            }
            Self::Cancel { request } => {
                out.u8(3);
                out.u64(request.0);
            }
            Self::Speak { request, phrase } => {
                out.u8(4);
                out.u64(request.0);
                out.text(&phrase.language, NAME_BYTES);
                out.text(&phrase.voice, NAME_BYTES);
                out.text(phrase.text.reveal(), TEXT_BYTES);
                out.u8(u8::from(phrase.is_known));
            }
            Self::Ping { nonce } => {
                out.u8(5);
                out.u64(*nonce);
            }
        }
    }

    fn read(fields: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Ok(match fields.u8()? {
            1 => Self::Hello { version: fields.u16()? },
            2 => Self::Transcribe {
                request: fields.request()?,
                lane: fields.u16()?,
                wish: fields.wish()?,
                audio: fields.samples()?,
            },
            3 => Self::Cancel { request: fields.request()? },
            4 => Self::Speak {
                request: fields.request()?,
                phrase: Phrase {
                    language: fields.text(NAME_BYTES)?,
                    voice: fields.text(NAME_BYTES)?,
                    text: Private::new(fields.text(TEXT_BYTES)?),
                    is_known: fields.flag()?,
                },
            },
            5 => Self::Ping { nonce: fields.u64()? },
            kind => return Err(ProtocolError::UnknownKind(kind)),
        })
    }
}

impl Message for FromEngine {
    fn write(&self, out: &mut Writer<'_>) {
        match self {
            Self::Ready(ready) => {
                out.u8(129);
                ready.write(out);
            }
            Self::Mismatch { version } => {
                out.u8(130);
                out.u16(*version);
            }
            Self::Text { request, transcript } => {
                out.u8(131);
                out.u64(request.0);
                out.recognition(&transcript.recognition);
                out.u32(transcript.decode_ms);
                out.u8(u8::from(transcript.detected.is_some()));
                if let Some(detected) = transcript.detected {
                    out.text(detected.language.as_str(), NAME_BYTES);
                    out.u32(detected.probability.to_bits());
                }
            }
            Self::Audio { request, offset, samples } => {
                out.u8(132);
                out.u64(request.0);
                out.u32(*offset);
                out.samples(samples.reveal());
            }
            Self::Spoken { request, samples } => {
                out.u8(133);
                out.u64(request.0);
                out.u32(*samples);
            }
            Self::Failed { request, failure } => {
                out.u8(134);
                out.u64(request.0);
                out.u8(failure_code(*failure));
            }
            Self::Cancelled { request } => {
                out.u8(135);
                out.u64(request.0);
            }
            Self::Pong { nonce, waiting } => {
                out.u8(136);
                out.u64(*nonce);
                out.u32(*waiting);
            }
            Self::Voices(reports) => {
                out.u8(137);
                out.reports(reports);
            }
            Self::Turn(report) => {
                out.u8(138);
                out.turn(report);
            }
        }
    }

    fn read(fields: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Ok(match fields.u8()? {
            129 => Self::Ready(Ready::read(fields)?),
            130 => Self::Mismatch { version: fields.u16()? },
            131 => Self::Text {
                request: fields.request()?,
                transcript: Transcript {
                    recognition: fields.recognition()?,
                    decode_ms: fields.u32()?,
                    detected: fields.detected()?,
                },
            },
            132 => Self::Audio {
                request: fields.request()?,
                offset: fields.u32()?,
                samples: fields.samples()?,
            },
            133 => Self::Spoken { request: fields.request()?, samples: fields.u32()? },
            134 => Self::Failed { request: fields.request()?, failure: fields.failure()? },
            135 => Self::Cancelled { request: fields.request()? },
            136 => Self::Pong { nonce: fields.u64()?, waiting: fields.u32()? },
            137 => Self::Voices(fields.reports()?),
            138 => Self::Turn(fields.turn()?),
            kind => return Err(ProtocolError::UnknownKind(kind)),
        })
    }
}

#[cfg(test)]
mod tests;
