//! One entry of a flight record: an input with what was decided on it, frames that were fetched, a
//! phrase of the shelf.
//!
//! Moments are nanoseconds: that of an entry since the entry before it, those within an input since
//! its own.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::FlightError;
use super::bytes::{Reader, Writer};
use super::{keyless, sound};
use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::base::{LanguageCode, Private, SrtpSuite, UtteranceId, WorkId, limits};
use crate::call::agreement::Towards;
use crate::call::ending::Cause;
use crate::call::incoming::Incoming;
use crate::call::media::{HeardFrame, MediaEvent, Origin, Report};
use crate::call::state::{Attendance, Input, Wish};
use crate::call::voice::Shelved;
use crate::call::voicemail::TapeNews;
use crate::call::work::WorkResult;
use crate::listen::VadScore;
use crate::sip;

const OPENING: u8 = 0;
const HEARD: u8 = 1;
const MEDIA: u8 = 2;
const FINISHED: u8 = 3;
const SILENCED: u8 = 4;
const REPORT: u8 = 5;
const AUDIO: u8 = 6;
const TIMEOUT: u8 = 7;
const OTHER: u8 = 8;
const FETCHED: u8 = 32;
const SHELVED: u8 = 33;
const END: u8 = 34;

/// What happened.
#[derive(Clone, Debug)]
pub enum Entry {
    /// `None`: the call was taken.
    Input {
        now: Instant,
        input: Option<Given>,
        decided: Decided,
    },
    Fetched {
        now: Instant,
        fetched: Fetched,
    },
    /// Sound that was ready before the call and was said in it.
    Shelved {
        language: LanguageCode,
        phrase: Private<String>,
        samples: Private<Vec<i16>>,
    },
    /// Nothing of the call is missing after this.
    End,
}

/// An input that owns its frame.
#[derive(Clone, Debug)]
pub enum Given {
    Heard(Box<HeardFrame>),
    Other(Box<Input<'static>>),
}

impl Given {
    pub fn input(&self) -> Input<'_> {
        match self {
            Self::Heard(frame) => Input::Heard(frame),
            Self::Other(input) => input.as_ref().clone(),
        }
    }
}

/// What came of an input, in words that are equal if and only if the decisions are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    pub lines: Vec<String>,
    pub deadline: Option<Instant>,
}

/// Frames that were fetched for the ring after an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    pub frames: u32,
    /// Whether there were no more.
    pub to_the_end: bool,
    /// Of their utterances and their sound.
    pub fingerprint: u64,
}

/// Inputs without sound and without moments.
#[derive(Serialize, Deserialize)]
enum Plain {
    Sip(sip::Event),
    PickedUp,
    Joined,
    HandOver(sip::LegId),
    Handed,
    Replaced { leg: sip::LegId, incoming: Box<Incoming>, towards: Towards },
    Succeed { leg: sip::LegId, within: Duration, towards: Towards },
    Redirected { leg: sip::LegId, towards: Towards },
    Secured(String),
    NotSecured,
    Work(WorkResult),
    Tape(TapeNews),
    EngineLost,
    EngineBack,
    WayBack,
    HangUp(Cause),
    Wish(Wish),
    Attended(Attendance),
}

/// Writes entries; keeps the time of the last one.
#[derive(Debug)]
pub(super) struct EntryWriter {
    pub(super) bytes: Writer,
    last: Instant,
}

impl EntryWriter {
    pub(super) fn new(start: Instant) -> Self {
        Self { bytes: Writer::default(), last: start }
    }

    fn head(&mut self, kind: u8, now: Instant) {
        self.bytes.byte(kind);
        self.bytes.signed(nanos(self.last, now));
        self.last = now;
    }

    /// [`Self::decided`] must follow. `None`: the call was taken.
    pub(super) fn input(&mut self, now: Instant, input: Option<&Input<'_>>) {
        let Some(input) = input else { return self.head(OPENING, now) };
        match input {
            Input::Heard(frame) => {
                self.head(HEARD, now);
                write_heard(&mut self.bytes, now, frame);
            }
            Input::Media(event) => {
                self.head(MEDIA, now);
                write_media(&mut self.bytes, now, event);
            }
            Input::Finished(utterance) => {
                self.head(FINISHED, now);
                self.bytes.number(utterance.0.into());
            }
            Input::Silenced { through, utterance, frames } => {
                self.head(SILENCED, now);
                for value in [through.0, utterance.0, *frames] {
                    self.bytes.number(value.into());
                }
            }
            Input::Report(report) => {
                self.head(REPORT, now);
                write_report(&mut self.bytes, now, report);
            }
            Input::Work(WorkResult::Audio { id, samples }) => {
                self.head(AUDIO, now);
                self.bytes.number(id.0.into());
                sound::write(&mut self.bytes, samples.reveal());
            }
            Input::Timeout => self.head(TIMEOUT, now),
            Input::Sip(event) => self.plain(now, &Plain::Sip(keyless::event(event))),
            Input::PickedUp => self.plain(now, &Plain::PickedUp),
            Input::Joined => self.plain(now, &Plain::Joined),
            Input::HandOver(leg) => self.plain(now, &Plain::HandOver(*leg)),
            Input::Handed => self.plain(now, &Plain::Handed),
            Input::Replaced { leg, incoming, towards } => {
                let incoming = Box::new(keyless::incoming(incoming));
                let towards = towards.clone();
                self.plain(now, &Plain::Replaced { leg: *leg, incoming, towards });
            }
            Input::Redirected { leg, towards } => {
                self.plain(now, &Plain::Redirected { leg: *leg, towards: towards.clone() });
            }
            Input::Succeed { leg, within, towards } => {
                let (leg, within, towards) = (*leg, *within, towards.clone());
                self.plain(now, &Plain::Succeed { leg, within, towards });
            }
            Input::Secured(suite) => self.plain(now, &Plain::Secured(suite.name().to_owned())),
            Input::NotSecured => self.plain(now, &Plain::NotSecured),
            // A record ends where a call is joined with another, or taken over.
            Input::Relayed(_) | Input::PartnerWaits(_) | Input::LeftBehind => {}
            Input::Work(result) => self.plain(now, &Plain::Work(result.clone())),
            Input::Tape(news) => self.plain(now, &Plain::Tape(*news)),
            Input::EngineLost => self.plain(now, &Plain::EngineLost),
            Input::EngineBack => self.plain(now, &Plain::EngineBack),
            Input::WayBack => self.plain(now, &Plain::WayBack),
            Input::HangUp(cause) => self.plain(now, &Plain::HangUp(*cause)),
            Input::Wish(wish) => self.plain(now, &Plain::Wish(wish.clone())),
            Input::Attended(attendance) => {
                self.plain(now, &Plain::Attended(attendance.clone()));
            }
        }
    }

    fn plain(&mut self, now: Instant, input: &Plain) {
        self.head(OTHER, now);
        // No map in it has keys other than texts, and no float of it is beyond the numbers: writing
        // cannot fail. If it did, reading would tell.
        self.bytes.bytes(&serde_json::to_vec(input).unwrap_or_default());
    }

    pub(super) fn decided(&mut self, decided: &Decided) {
        self.bytes.number(decided.lines.len() as u64);
        decided.lines.iter().for_each(|line| self.bytes.text(line));
        self.bytes.byte(decided.deadline.is_some().into());
        if let Some(at) = decided.deadline {
            self.bytes.signed(nanos(self.last, at));
        }
    }

    pub(super) fn fetched(&mut self, now: Instant, fetched: Fetched) {
        self.head(FETCHED, now);
        self.bytes.number(fetched.frames.into());
        self.bytes.byte(fetched.to_the_end.into());
        self.bytes.number(fetched.fingerprint);
    }

    pub(super) fn shelved(&mut self, shelved: &Shelved) {
        let Shelved { language, phrase, samples } = shelved;
        self.bytes.byte(SHELVED);
        self.bytes.text(language.as_str());
        self.bytes.text(phrase.reveal());
        sound::write(&mut self.bytes, samples.reveal());
    }

    pub(super) fn end(&mut self) {
        self.bytes.byte(END);
    }
}

/// Reads the entries of a file's blocks, one after the other.
pub(super) struct Entries<'a> {
    blocks: std::slice::Iter<'a, &'a [u8]>,
    reader: Reader<'a>,
    last: Instant,
}

impl<'a> Entries<'a> {
    pub(super) fn new(blocks: &'a [&'a [u8]], start: Instant) -> Self {
        Self { blocks: blocks.iter(), reader: Reader(&[]), last: start }
    }

    /// `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, FlightError> {
        while self.reader.is_empty() {
            match self.blocks.next() {
                Some(block) => self.reader = Reader(block),
                None => return Ok(None),
            }
        }
        let kind = self.reader.byte()?;
        match kind {
            SHELVED => return self.shelved().map(Some),
            END => return Ok(Some(Entry::End)),
            _ => (),
        }
        let now = self.moment(self.last)?;
        self.last = now;
        if kind == FETCHED {
            let reader = &mut self.reader;
            let (frames, to_the_end) = (reader.small()?, reader.flag()?);
            let fetched = Fetched { frames, to_the_end, fingerprint: reader.number()? };
            return Ok(Some(Entry::Fetched { now, fetched }));
        }
        let input = self.given(kind, now)?;
        let decided = self.decided(now)?;
        Ok(Some(Entry::Input { now, input, decided }))
    }

    fn moment(&mut self, since: Instant) -> Result<Instant, FlightError> {
        moment(&mut self.reader, since)
    }

    fn given(&mut self, kind: u8, now: Instant) -> Result<Option<Given>, FlightError> {
        let reader = &mut self.reader;
        let input = match kind {
            OPENING => return Ok(None),
            HEARD => return Ok(Some(Given::Heard(Box::new(read_heard(reader, now)?)))),
            MEDIA => Input::Media(read_media(reader, now)?),
            FINISHED => Input::Finished(UtteranceId(reader.small()?)),
            SILENCED => {
                let (through, utterance) =
                    (UtteranceId(reader.small()?), UtteranceId(reader.small()?));
                Input::Silenced { through, utterance, frames: reader.small()? }
            }
            REPORT => Input::Report(read_report(reader, now)?),
            AUDIO => {
                let id = WorkId(reader.small()?);
                let samples = Private::new(sound::read(reader, limits::FLIGHT_SOUND_SAMPLES)?);
                Input::Work(WorkResult::Audio { id, samples })
            }
            TIMEOUT => Input::Timeout,
            OTHER => match serde_json::from_slice(reader.bytes()?) {
                Ok(Plain::Sip(event)) => Input::Sip(event),
                Ok(Plain::PickedUp) => Input::PickedUp,
                Ok(Plain::Joined) => Input::Joined,
                Ok(Plain::HandOver(leg)) => Input::HandOver(leg),
                Ok(Plain::Handed) => Input::Handed,
                Ok(Plain::Replaced { leg, incoming, towards }) => {
                    Input::Replaced { leg, incoming, towards }
                }
                Ok(Plain::Redirected { leg, towards }) => Input::Redirected { leg, towards },
                Ok(Plain::Succeed { leg, within, towards }) => {
                    Input::Succeed { leg, within, towards }
                }
                Ok(Plain::Secured(name)) => match SrtpSuite::from_name(&name) {
                    Some(suite) => Input::Secured(suite),
                    None => return Err(FlightError::Malformed("a suite that is none")),
                },
                Ok(Plain::NotSecured) => Input::NotSecured,
                Ok(Plain::Work(WorkResult::Text { recognition, .. }))
                    if !recognition.is_sound() =>
                {
                    return Err(FlightError::Malformed("words that lie outside of their text"));
                }
                Ok(Plain::Work(result)) => Input::Work(result),
                Ok(Plain::Tape(news)) => Input::Tape(news),
                Ok(Plain::EngineLost) => Input::EngineLost,
                Ok(Plain::EngineBack) => Input::EngineBack,
                Ok(Plain::WayBack) => Input::WayBack,
                Ok(Plain::HangUp(cause)) => Input::HangUp(cause),
                Ok(Plain::Wish(wish)) => Input::Wish(wish),
                Ok(Plain::Attended(attendance)) => Input::Attended(attendance),
                Err(_) => return Err(FlightError::Malformed("an input that cannot be read")),
            },
            _ => return Err(FlightError::Malformed("an entry of an unknown kind")),
        };
        Ok(Some(Given::Other(Box::new(input))))
    }

    fn decided(&mut self, now: Instant) -> Result<Decided, FlightError> {
        let mut lines = Vec::new();
        for _ in 0..self.reader.number()? {
            lines.push(self.reader.text()?.to_owned());
        }
        let deadline = match self.reader.flag()? {
            true => Some(self.moment(now)?),
            false => None,
        };
        Ok(Decided { lines, deadline })
    }

    fn shelved(&mut self) -> Result<Entry, FlightError> {
        let reader = &mut self.reader;
        let language = LanguageCode::new(reader.text()?)
            .ok_or(FlightError::Malformed("a language that is none"))?;
        let phrase = Private::new(reader.text()?.to_owned());
        let samples = Private::new(sound::read(reader, limits::FLIGHT_SOUND_SAMPLES)?);
        Ok(Entry::Shelved { language, phrase, samples })
    }
}

fn nanos(since: Instant, moment: Instant) -> i64 {
    let long = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match moment.checked_duration_since(since) {
        Some(after) => long(after),
        None => -long(since.saturating_duration_since(moment)),
    }
}

fn moment(reader: &mut Reader<'_>, since: Instant) -> Result<Instant, FlightError> {
    let nanos = reader.signed()?;
    let apart = Duration::from_nanos(nanos.unsigned_abs());
    let moment = if nanos < 0 { since.checked_sub(apart) } else { since.checked_add(apart) };
    // A call lasts a day at most.
    moment
        .filter(|_| apart <= Duration::from_secs(2 * 24 * 3_600))
        .ok_or(FlightError::Malformed("a moment beyond the call"))
}

fn some_moment(reader: &mut Reader<'_>, since: Instant) -> Result<Option<Instant>, FlightError> {
    match reader.flag()? {
        true => moment(reader, since).map(Some),
        false => Ok(None),
    }
}

fn write_some_moment(writer: &mut Writer, since: Instant, moment: Option<Instant>) {
    writer.byte(moment.is_some().into());
    if let Some(moment) = moment {
        writer.signed(nanos(since, moment));
    }
}

fn write_heard(writer: &mut Writer, now: Instant, heard: &HeardFrame) {
    let HeardFrame { frame, score: VadScore { speech, tonal, voiced }, origin, arrived, at } =
        heard;
    let origin = match origin {
        Origin::Received => 0,
        Origin::Concealed => 1,
        Origin::Pause => 2,
        Origin::Nothing => 3,
    };
    writer.byte(origin << 2 | u8::from(*voiced) << 1 | u8::from(*tonal));
    writer.float(*speech);
    writer.signed(nanos(now, *arrived));
    writer.signed(nanos(now, *at));
    sound::write(writer, &frame.0);
}

fn read_heard(reader: &mut Reader<'_>, now: Instant) -> Result<HeardFrame, FlightError> {
    let kind = reader.byte()?;
    let origin = match kind >> 2 {
        0 => Origin::Received,
        1 => Origin::Concealed,
        2 => Origin::Pause,
        3 => Origin::Nothing,
        _ => return Err(FlightError::Malformed("a frame of an unknown origin")),
    };
    let score = VadScore { speech: reader.float()?, tonal: kind & 1 == 1, voiced: kind & 2 == 2 };
    let (arrived, at) = (moment(reader, now)?, moment(reader, now)?);
    let samples = sound::read(reader, FRAME_SAMPLES)?;
    let samples = samples.try_into().map_err(|_| FlightError::Malformed("a frame of 20 ms"))?;
    Ok(HeardFrame { frame: Frame(samples), score, origin, arrived, at })
}

fn write_media(writer: &mut Writer, now: Instant, event: &MediaEvent) {
    match *event {
        MediaEvent::Digit { digit, duration } => {
            writer.byte(0);
            writer.number(u32::from(digit).into());
            writer.number(duration.as_nanos() as u64);
        }
        MediaEvent::FirstPacket { at } => {
            writer.byte(1);
            writer.signed(nanos(now, at));
        }
        MediaEvent::UtteranceAudible { utterance, at, peer_spoke } => {
            writer.byte(2);
            writer.number(utterance.0.into());
            writer.signed(nanos(now, at));
            write_some_moment(writer, now, peer_spoke);
        }
        MediaEvent::DigitsSent => writer.byte(3),
        MediaEvent::MediaTimeout => writer.byte(4),
        MediaEvent::RemoteLearnt => writer.byte(5),
        MediaEvent::SsrcChanged => writer.byte(6),
        MediaEvent::PeerLeft => writer.byte(7),
        MediaEvent::DigitBegun => writer.byte(8),
    }
}

fn read_media(reader: &mut Reader<'_>, now: Instant) -> Result<MediaEvent, FlightError> {
    Ok(match reader.byte()? {
        0 => {
            let digit = char::from_u32(reader.small()?)
                .ok_or(FlightError::Malformed("a key that is none"))?;
            MediaEvent::Digit { digit, duration: Duration::from_nanos(reader.number()?) }
        }
        1 => MediaEvent::FirstPacket { at: moment(reader, now)? },
        2 => MediaEvent::UtteranceAudible {
            utterance: UtteranceId(reader.small()?),
            at: moment(reader, now)?,
            peer_spoke: some_moment(reader, now)?,
        },
        3 => MediaEvent::DigitsSent,
        4 => MediaEvent::MediaTimeout,
        5 => MediaEvent::RemoteLearnt,
        6 => MediaEvent::SsrcChanged,
        7 => MediaEvent::PeerLeft,
        8 => MediaEvent::DigitBegun,
        _ => return Err(FlightError::Malformed("a media event of an unknown kind")),
    })
}

fn write_report(writer: &mut Writer, now: Instant, report: &Report) {
    let Report {
        received,
        sent,
        lost,
        late,
        duplicate,
        concealed_ms,
        gaps,
        sound_ms,
        deaf_reports,
        jitter_ms,
        delay_ms,
        rtt_ms,
        peer_loss,
        foreign,
        other_port,
        refused,
        malformed,
        srtp_failed,
        srtp_replayed,
        peer_spoke,
    } = *report;
    for count in [received, sent, lost, late, duplicate, concealed_ms, gaps, sound_ms] {
        writer.number(count);
    }
    let refusals = [foreign, other_port, refused, malformed, srtp_failed, srtp_replayed];
    for count in [u64::from(deaf_reports)].into_iter().chain(refusals) {
        writer.number(count);
    }
    writer.float(jitter_ms);
    writer.float(delay_ms);
    writer.some_float(rtt_ms);
    writer.some_float(peer_loss);
    write_some_moment(writer, now, peer_spoke);
}

fn read_report(reader: &mut Reader<'_>, now: Instant) -> Result<Report, FlightError> {
    Ok(Report {
        received: reader.number()?,
        sent: reader.number()?,
        lost: reader.number()?,
        late: reader.number()?,
        duplicate: reader.number()?,
        concealed_ms: reader.number()?,
        gaps: reader.number()?,
        sound_ms: reader.number()?,
        deaf_reports: reader.small()?,
        foreign: reader.number()?,
        other_port: reader.number()?,
        refused: reader.number()?,
        malformed: reader.number()?,
        srtp_failed: reader.number()?,
        srtp_replayed: reader.number()?,
        jitter_ms: reader.float()?,
        delay_ms: reader.float()?,
        rtt_ms: reader.some_float()?,
        peer_loss: reader.some_float()?,
        peer_spoke: some_moment(reader, now)?,
    })
}
