//! The text frames: one JSON object each, named by its `type`.

use serde::{Deserialize, Serialize};

use super::format::Encoding;
use crate::base::{Private, limits};
use crate::rtp::telephone_event::event_of;

/// What a client says. Members that are not known are passed over, so that a newer client is understood.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Written {
    Start {
        format: Encoding,
        rate: u32,
    },
    Stop,
    Dtmf {
        digits: String,
    },
    Mark {
        name: String,
    },
    Clear,
    #[serde(alias = "hang-up", alias = "hang_up")]
    Hangup,
}

/// The same, looked at.
pub enum Request {
    Start { encoding: Encoding, rate_hz: u32 },
    Stop,
    Dtmf(Private<String>),
    Mark(String),
    Clear,
    Hangup,
}

/// Who has said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    Caller,
    Attendant,
}

/// What a client did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// No JSON, or none that this protocol has.
    BadMessage,
    /// No such format, or one at a rate that it does not have.
    BadFormat,
    /// Something else than `start` came first.
    NotStarted,
    /// A second `start` with another format.
    Started,
    /// Digits that no telephone has, or too many.
    BadDigits,
    /// Marks beyond `limits::AUDIO_MARKS` wait.
    TooManyMarks,
}

impl ErrorCode {
    const fn text(self) -> &'static str {
        match self {
            Self::BadMessage => {
                "a text frame is a JSON object with \"type\": start, stop, dtmf, mark, clear or hangup"
            }
            Self::BadFormat => "pcm16 has a rate of 8000 or 16000, mulaw of 8000",
            Self::NotStarted => "the first message is start",
            Self::Started => "a call keeps the format that it was started with",
            Self::BadDigits => {
                "digits: 1 to 32 of 0-9 * # A-D, not faster than they can be pressed"
            }
            Self::TooManyMarks => "too many marks wait for their sound to be played",
        }
    }
}

/// Which way sound was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the client.
    In,
    /// To it.
    Out,
}

/// What we say.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Reply<'a> {
    Started {
        call: &'a str,
        #[serde(rename = "callId")]
        call_id: &'a str,
        format: Encoding,
        rate: u32,
        frame_ms: u64,
        resume: &'a str,
        resumed: bool,
    },
    Clear {
        sent_ms: u64,
    },
    Mark {
        name: &'a str,
        cleared: bool,
    },
    Transcript {
        who: Who,
        text: &'a str,
        #[serde(rename = "final")]
        is_final: bool,
    },
    Dtmf {
        digit: char,
    },
    Lost {
        direction: Direction,
        ms: u64,
        total_ms: u64,
    },
    Error {
        code: ErrorCode,
        text: &'static str,
    },
    Ended {
        by: &'static str,
        cause: &'static str,
    },
}

impl Reply<'_> {
    pub const fn error(code: ErrorCode) -> Self {
        Self::Error { code, text: code.text() }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers are always JSON")
    }
}

/// Reads a text frame.
///
/// # Errors
/// What the client is told.
pub fn read(text: &str) -> Result<Request, ErrorCode> {
    let written = serde_json::from_str::<Written>(text).map_err(|_| ErrorCode::BadMessage)?;
    Ok(match written {
        Written::Start { format, rate } => Request::Start { encoding: format, rate_hz: rate },
        Written::Stop => Request::Stop,
        Written::Clear => Request::Clear,
        Written::Hangup => Request::Hangup,
        Written::Dtmf { digits } => {
            let count = digits.chars().count();
            let fits = (1..=limits::AUDIO_DIGITS).contains(&count);
            if !fits || !digits.chars().all(|digit| event_of(digit).is_some()) {
                return Err(ErrorCode::BadDigits);
            }
            Request::Dtmf(Private::new(digits))
        }
        Written::Mark { name } => match name.len() {
            0..=limits::AUDIO_MARK_BYTES => Request::Mark(name),
            _ => return Err(ErrorCode::BadMessage),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_may_say() {
        let read = |text| read(text).ok().unwrap();
        let start = read(r#"{"type":"start","format":"pcm16","rate":16000,"newer":[1]}"#);
        assert!(matches!(start, Request::Start { encoding: Encoding::Pcm16, rate_hz: 16_000 }));
        let start = read(r#"{"rate":8000,"format":"ulaw","type":"start"}"#);
        assert!(matches!(start, Request::Start { encoding: Encoding::MuLaw, rate_hz: 8_000 }));
        assert!(matches!(read(r#"{"type":"stop"}"#), Request::Stop));
        assert!(matches!(read(r#"{"type":"clear"}"#), Request::Clear));
        assert!(matches!(read(r#"{"type":"hangup"}"#), Request::Hangup));
        assert!(
            matches!(read(r#"{"type":"mark","name":"a"}"#), Request::Mark(name) if name == "a")
        );
        let dtmf = read(r##"{"type":"dtmf","digits":"1*#aD"}"##);
        assert!(matches!(dtmf, Request::Dtmf(digits) if digits.reveal() == "1*#aD"));
    }

    #[test]
    fn what_it_may_not() {
        let long = format!(r#"{{"type":"mark","name":"{}"}}"#, "a".repeat(1_000));
        let many = format!(r#"{{"type":"dtmf","digits":"{}"}}"#, "1".repeat(33));
        for (text, code) in [
            ("", ErrorCode::BadMessage),
            ("[]", ErrorCode::BadMessage),
            ("{}", ErrorCode::BadMessage),
            ("null", ErrorCode::BadMessage),
            (r#"{"type":"sing"}"#, ErrorCode::BadMessage),
            (r#"{"type":"start"}"#, ErrorCode::BadMessage),
            (r#"{"type":"start","format":"mp3","rate":8000}"#, ErrorCode::BadMessage),
            (r#"{"type":"start","format":"pcm16","rate":-1}"#, ErrorCode::BadMessage),
            (r#"{"type":"dtmf","digits":""}"#, ErrorCode::BadDigits),
            (r#"{"type":"dtmf","digits":"1,2"}"#, ErrorCode::BadDigits),
            (&many, ErrorCode::BadDigits),
            (&long, ErrorCode::BadMessage),
        ] {
            assert_eq!(read(text).err(), Some(code), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(&deep).err(), Some(ErrorCode::BadMessage));
    }

    #[test]
    fn what_we_say_has_the_names_of_the_document() {
        let told = Reply::Transcript { who: Who::Attendant, text: "a \"b\"", is_final: true };
        assert_eq!(
            told.to_json(),
            r#"{"type":"transcript","who":"attendant","text":"a \"b\"","final":true}"#
        );
        let lost = Reply::Lost { direction: Direction::Out, ms: 40, total_ms: 60 };
        assert_eq!(lost.to_json(), r#"{"type":"lost","direction":"out","ms":40,"total_ms":60}"#);
        let error = Reply::error(ErrorCode::NotStarted).to_json();
        assert!(error.starts_with(r#"{"type":"error","code":"not-started","text":"#), "{error}");
        let ended = Reply::Ended { by: "caller", cause: "hung-up" };
        assert_eq!(ended.to_json(), r#"{"type":"ended","by":"caller","cause":"hung-up"}"#);
    }
}
