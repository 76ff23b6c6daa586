//! A recorded call once more: the same inputs at the same moments, each decision compared.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::FlightError;
use super::block::{Blocks, blocks};
use super::decision;
use super::entry::{Decided, Entries, Entry, Fetched, Given};
use super::head::Head;
use super::tracked::{hash_frame, print_of};
use crate::base::{LanguageCode, Private};
use crate::call::record::CallRecord;
use crate::call::state::{Call, Output};

/// A recorded call that was read.
pub struct Flight<'a> {
    head: Head,
    blocks: Vec<&'a [u8]>,
    /// Byte at which the file was cut off.
    pub cut_at: Option<usize>,
    /// The record goes up to the call's end.
    pub is_whole: bool,
    start: Instant,
}

impl std::fmt::Debug for Flight<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flight({:?}, {} blocks)", self.head, self.blocks.len())
    }
}

/// Sound of phrases of the shelf.
type Said = BTreeMap<(LanguageCode, String), Vec<i16>>;

impl<'a> Flight<'a> {
    /// Reads all of a file; the recorded call begins at `start` by the clock of this machine.
    ///
    /// # Errors
    /// For what is no flight record, one of another version, and one that is damaged before its
    /// end.
    pub fn read(file: &'a [u8], start: Instant) -> Result<Self, FlightError> {
        let Blocks { payloads, cut_at } = blocks(file)?;
        let (head, rest) = payloads.split_first().ok_or(FlightError::NoHead)?;
        let (mut said, mut is_whole) = (Said::new(), false);
        let mut entries = Entries::new(rest, start);
        while let Some(entry) = entries.next()? {
            match entry {
                Entry::Shelved { language, phrase, samples } => {
                    said.insert((language, phrase.into_revealed()), samples.into_revealed());
                }
                Entry::End => is_whole = true,
                Entry::Input { .. } | Entry::Fetched { .. } => (),
            }
        }
        let head = Head::decode(head, &said)?;
        Ok(Self { head, blocks: rest.to_vec(), cut_at, is_whole, start })
    }

    /// As another program would have it.
    #[cfg(test)]
    pub(in crate::call) fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn start(&self) -> Instant {
        self.start
    }

    pub(super) fn entries(&self) -> Entries<'_> {
        Entries::new(&self.blocks, self.start)
    }

    /// Makes the call again and compares.
    ///
    /// # Errors
    /// For a damaged entry.
    pub fn replay(&self) -> Result<Replayed, FlightError> {
        self.replay_with(|_| ())
    }

    /// The same; `seen` is told everything in its order.
    pub(super) fn replay_with(
        &self,
        mut seen: impl FnMut(Seen<'_>),
    ) -> Result<Replayed, FlightError> {
        let mut entries = self.entries();
        let mut replayed = Replayed::default();
        let mut call: Option<Call> = None;
        while let Some(entry) = entries.next()? {
            let (now, differs) = match entry {
                Entry::Shelved { .. } => continue,
                Entry::End => break,
                Entry::Input { now, input, decided } => {
                    seen(Seen::Input { now, given: input.as_ref() });
                    replayed.inputs += 1;
                    let Some(call) = self.step(&mut call, now, input.as_ref())? else {
                        return Err(FlightError::Malformed(
                            "the call that it describes is refused",
                        ));
                    };
                    let ours = drain(call, |output| seen(Seen::Output { now, output }));
                    replayed.decisions += ours.lines.len() as u64;
                    (now, differing(&decided, &ours))
                }
                Entry::Fetched { now, fetched } => {
                    let call = call.as_mut().ok_or(FlightError::NoHead)?;
                    let ours = fetch(call, now, fetched);
                    replayed.frames += u64::from(ours.frames);
                    (now, (fetched != ours).then(|| (frames(fetched), frames(ours))))
                }
            };
            if let Some((recorded, replayed_as)) = differs {
                let at = now.saturating_duration_since(self.start);
                let (recorded, replayed_as) = (Private::new(recorded), Private::new(replayed_as));
                let input = replayed.inputs;
                replayed.difference =
                    Some(Difference { at, input, recorded, replayed: replayed_as });
                break;
            }
        }
        replayed.record = call.map(|call| call.record().clone());
        Ok(replayed)
    }

    fn step<'c>(
        &self,
        call: &'c mut Option<Call>,
        now: Instant,
        input: Option<&Given>,
    ) -> Result<Option<&'c mut Call>, FlightError> {
        match (input, call.as_mut()) {
            (Some(given), Some(call)) => call.handle(now, given.input()),
            (None, None) => {
                *call = Call::answer(&self.head.settings, self.head.opening(now)).ok();
            }
            (Some(_), None) => return Err(FlightError::NoHead),
            (None, Some(_)) => return Err(FlightError::Malformed("it begins twice")),
        }
        Ok(call.as_mut())
    }
}

/// What a replay comes by.
pub(super) enum Seen<'a> {
    Input { now: Instant, given: Option<&'a Given> },
    Output { now: Instant, output: &'a Output },
}

/// What came of a replay.
#[derive(Debug, Default)]
pub struct Replayed {
    pub inputs: u64,
    pub decisions: u64,
    pub frames: u64,
    /// The first decision that is another one.
    pub difference: Option<Difference>,
    /// The call's, as replayed.
    pub record: Option<CallRecord>,
}

/// A decision that is not the recorded one; its words are the call's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Since the call's beginning.
    pub at: Duration,
    /// The input that it follows, counted from 1.
    pub input: u64,
    pub recorded: Private<String>,
    pub replayed: Private<String>,
}

fn drain(call: &mut Call, mut seen: impl FnMut(&Output)) -> Decided {
    let mut decided = Decided::default();
    loop {
        let output = call.poll_output();
        seen(&output);
        decided.lines.extend(decision::line(&output, call.record()));
        if let Output::Timeout(deadline) = output {
            decided.deadline = deadline;
            return decided;
        }
    }
}

fn fetch(call: &mut Call, now: Instant, wanted: Fetched) -> Fetched {
    let mut hash = Sha256::new();
    let mut fetched = Fetched::default();
    while fetched.frames < wanted.frames || wanted.to_the_end {
        let Some(frame) = call.next_frame(now) else {
            fetched.to_the_end = true;
            break;
        };
        hash_frame(&mut hash, &frame);
        fetched.frames += 1;
        // More than there were: no need to go on.
        if fetched.frames > wanted.frames {
            break;
        }
    }
    fetched.fingerprint = print_of(hash);
    fetched
}

fn frames(fetched: Fetched) -> String {
    let Fetched { frames, to_the_end, fingerprint } = fetched;
    let end = if to_the_end { "no more" } else { "more" };
    format!("{frames} frames to play and {end}, {fingerprint:016x}")
}

/// The first line that differs, or the deadline.
fn differing(recorded: &Decided, ours: &Decided) -> Option<(String, String)> {
    let nothing = || "(nothing)".to_owned();
    let longer = recorded.lines.len().max(ours.lines.len());
    for at in 0..longer {
        let (before, now) = (recorded.lines.get(at), ours.lines.get(at));
        if before != now {
            let text = |line: Option<&String>| line.cloned().unwrap_or_else(nothing);
            return Some((text(before), text(now)));
        }
    }
    let deadline = |at: Option<Instant>| format!("look again at {at:?}");
    (recorded.deadline != ours.deadline)
        .then(|| (deadline(recorded.deadline), deadline(ours.deadline)))
}
