//! A call that can be recorded: the same three functions, and what they are given and give is
//! written down on the way.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::block::{beginning, block};
use super::decision;
use super::entry::{Decided, EntryWriter, Fetched};
use super::head::Head;
use crate::base::limits;
use crate::call::record::CallRecord;
use crate::call::state::{Call, Input, Opening, Outgoing, Output, Settings, Wish};
use crate::converse;
use crate::sdp::Refusal;
use crate::sip::LegId;
use crate::speak::PlayoutFrame;

/// A block is given out when it is this old, so that a killed program loses no more.
const BLOCK_AGE: Duration = Duration::from_secs(1);
/// Or when it has this many bytes: a second of a busy call has fewer.
const BLOCK_BYTES: usize = 64 * 1024;

/// What is to be written next.
#[derive(Debug)]
pub enum Piece {
    /// The beginning of the file. It is long with a long playbook, so [`Self::into_bytes`] is not for
    /// the thread that the call is on.
    Head(Box<Head>),
    /// Bytes of the file.
    Block(Vec<u8>),
    /// Nothing follows.
    End,
}

impl Piece {
    /// The bytes that it adds to the file.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Head(head) => [beginning(), block(0, &head.encode())].concat(),
            Self::Block(bytes) => bytes,
            Self::End => Vec::new(),
        }
    }
}

/// A call, recorded if that is wanted.
#[derive(Debug)]
pub struct Tracked {
    call: Call,
    recorder: Option<Recorder>,
}

impl Tracked {
    /// As [`Call::answer`].
    pub fn answer(
        settings: &Settings,
        opening: Opening,
        is_recorded: bool,
    ) -> Result<Self, Refusal> {
        let now = opening.start.now;
        let head = is_recorded.then(|| Head::of(settings, &opening));
        let call = Call::answer(settings, opening)?;
        let recorder = head.map(|head| {
            let mut recorder = Recorder::new(now, head);
            recorder.entries.input(now, None);
            recorder
        });
        Ok(Self { call, recorder })
    }

    /// As [`Call::dial`]. It is not recorded: a record begins with the INVITE that came.
    pub fn dial(settings: &Settings, outgoing: Outgoing) -> Self {
        Self { call: Call::dial(settings, outgoing), recorder: None }
    }

    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if let Some(recorder) = self.recording() {
            recorder.input(now, &input);
        }
        self.call.handle(now, input);
    }

    /// What two people say after one was put through to the other, or has taken the call over, is not recorded.
    fn recording(&mut self) -> Option<&mut Recorder> {
        self.recorder.as_mut().filter(|recorder| !recorder.is_over)
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        let output = self.call.poll_output();
        if let Some(recorder) = self.recorder.as_mut().filter(|recorder| !recorder.is_over) {
            recorder.output(&output, &self.call);
            if self.call.is_joined() && matches!(output, Output::Timeout(_)) {
                recorder.end();
            }
        }
        output
    }

    pub fn next_frame(&mut self, now: Instant) -> Option<PlayoutFrame> {
        let frame = self.call.next_frame(now);
        if let Some(recorder) = self.recording() {
            recorder.frame(now, frame.as_ref());
        }
        frame
    }

    pub fn record(&self) -> &CallRecord {
        self.call.record()
    }

    /// As [`Call::told_first`].
    pub fn told_first(&self) -> converse::ToldFirst {
        self.call.told_first()
    }

    /// As [`Call::awaits_person`].
    pub fn awaits_person(&self) -> bool {
        self.call.awaits_person()
    }

    /// As [`Call::has_key_events`].
    pub fn has_key_events(&self) -> bool {
        self.call.has_key_events()
    }

    /// As [`Call::can`].
    pub fn can(&self, wish: &Wish) -> bool {
        self.call.can(wish)
    }

    /// As [`Call::may_be_taken_over`].
    pub fn may_be_taken_over(&self) -> bool {
        self.call.may_be_taken_over()
    }

    /// As [`Call::is_joined`].
    pub fn is_joined(&self) -> bool {
        self.call.is_joined()
    }

    pub fn leg(&self) -> LegId {
        self.call.leg()
    }

    pub fn is_ended(&self) -> bool {
        self.call.is_ended()
    }

    /// Something to be written, if it is time; call until `None`.
    pub fn poll_piece(&mut self, now: Instant) -> Option<Piece> {
        let piece = self.recorder.as_mut()?.poll_piece(now)?;
        if matches!(piece, Piece::End) {
            self.recorder = None;
        }
        Some(piece)
    }

    /// The call is forgotten: all that is left is to be written, however young.
    pub fn end_recording(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.end();
        }
    }

    /// The call goes on, its record does not: it ends with the last piece that was given out.
    pub fn stop_recording(&mut self) {
        self.recorder = None;
    }
}

/// Writes a call down.
#[derive(Debug)]
struct Recorder {
    head: Option<Box<Head>>,
    entries: EntryWriter,
    decided: Decided,
    /// Since the last input.
    fetching: Option<Fetching>,
    /// Phrases of the shelf that are written already.
    shelved: usize,
    /// Of the next block.
    number: u64,
    /// When the first entry of the block came.
    since: Option<Instant>,
    is_over: bool,
    bytes: u64,
}

#[derive(Debug)]
struct Fetching {
    now: Instant,
    fetched: Fetched,
    hash: Sha256,
}

impl Recorder {
    fn new(start: Instant, head: Head) -> Self {
        Self {
            head: Some(Box::new(head)),
            entries: EntryWriter::new(start),
            decided: Decided::default(),
            fetching: None,
            shelved: 0,
            number: 1,
            since: Some(start),
            is_over: false,
            bytes: 0,
        }
    }

    fn input(&mut self, now: Instant, input: &Input<'_>) {
        self.fetched();
        self.since.get_or_insert(now);
        self.entries.input(now, Some(input));
    }

    fn output(&mut self, output: &Output, call: &Call) {
        self.decided.lines.extend(decision::line(output, call.record()));
        let Output::Timeout(deadline) = output else { return };
        self.decided.deadline = *deadline;
        self.entries.decided(&std::mem::take(&mut self.decided));
        for shelved in call.shelved().get(self.shelved..).unwrap_or_default() {
            self.entries.shelved(shelved);
        }
        self.shelved = call.shelved().len();
    }

    fn frame(&mut self, now: Instant, frame: Option<&PlayoutFrame>) {
        let fetching = self.fetching.get_or_insert_with(|| Fetching {
            now,
            fetched: Fetched::default(),
            hash: Sha256::new(),
        });
        match frame {
            Some(frame) => {
                fetching.fetched.frames += 1;
                hash_frame(&mut fetching.hash, frame);
            }
            None => fetching.fetched.to_the_end = true,
        }
    }

    fn fetched(&mut self) {
        if let Some(Fetching { now, mut fetched, hash }) = self.fetching.take() {
            fetched.fingerprint = print_of(hash);
            self.entries.fetched(now, fetched);
        }
    }

    fn end(&mut self) {
        if !self.is_over {
            self.fetched();
            self.entries.end();
            self.is_over = true;
        }
    }

    fn poll_piece(&mut self, now: Instant) -> Option<Piece> {
        if let Some(head) = self.head.take() {
            return Some(Piece::Head(head));
        }
        let written = self.entries.bytes.0.len();
        let is_old =
            self.since.is_some_and(|since| now.saturating_duration_since(since) >= BLOCK_AGE);
        if written > 0 && (is_old || written >= BLOCK_BYTES || self.is_over) {
            // Frames that were fetched belong to the input before them, in the same block or the next.
            let block = block(self.number, &std::mem::take(&mut self.entries.bytes.0));
            self.number += 1;
            self.since = None;
            self.bytes += block.len() as u64;
            if self.bytes > limits::FLIGHT_BYTES {
                self.is_over = true;
            }
            return Some(Piece::Block(block));
        }
        self.is_over.then_some(Piece::End)
    }
}

pub(super) fn hash_frame(hash: &mut Sha256, frame: &PlayoutFrame) {
    let PlayoutFrame { utterance, frame, last } = frame;
    hash.update(utterance.0.to_le_bytes());
    hash.update([u8::from(*last)]);
    for sample in frame.0 {
        hash.update(sample.to_le_bytes());
    }
}

pub(super) fn print_of(hash: Sha256) -> u64 {
    u64::from_le_bytes(hash.finalize().first_chunk().copied().unwrap_or_default())
}
