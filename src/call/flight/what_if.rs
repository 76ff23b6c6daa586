//! What would have been with other settings: the caller's side of a recorded call as it was, our side
//! anew.
//!
//! The caller says what it said when it said it, whatever we do: a caller who would have answered
//! another reply otherwise is not in the record. Engine and model answer as in [`World`], after the
//! time that they took then. Ring and audio thread are played here, by the ticks that were recorded.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::FlightError;
use super::head::Head;
use super::replay::Flight;
use super::world::{Certainty, Found, Outside, World};
use crate::base::{Private, UtteranceId};
use crate::call::media::{MediaEvent, SOUND_DBFS};
use crate::call::record::Turn;
use crate::call::state::{Call, Input, Output};
use crate::call::work::{Work, WorkResult};
use crate::converse::lookup::LookedUp;
use crate::listen::Urgency;
use crate::sip::{self, LegId};
use crate::speak::PlayoutFrame;

/// Frames in the ring between call and audio thread.
const RING_FRAMES: usize = 25;
/// An answer to our BYE.
const BYE_TAKES: Duration = Duration::from_millis(20);
/// Turns that began within this time of each other are the same turn.
const SAME_TURN_MS: u64 = 300;

/// A turn of the call as it would have been.
#[derive(Clone, Debug)]
pub struct NewTurn {
    pub turn: Turn,
    pub certainty: Certainty,
}

/// One turn of the caller, then and now.
#[derive(Clone, Debug)]
pub struct Pair {
    pub before: Option<Turn>,
    pub now: Option<NewTurn>,
}

/// Both calls beside each other, by the caller's time.
///
/// # Errors
/// As [`Flight::replay`], and [`FlightError::Differs`] for a call that this program does not replay
/// as it was: from it nothing follows.
pub fn what_if(recorded: &Flight<'_>, changed: &Head) -> Result<Vec<Pair>, FlightError> {
    let world = World::of(recorded)?;
    if world.replayed.difference.is_some() {
        return Err(FlightError::Differs);
    }
    let before = world.replayed.record.as_ref().map(|record| record.turns().to_vec());
    let now = Anew::run(&world, changed, recorded.start())?;
    Ok(pairs(before.unwrap_or_default(), now))
}

/// The call while it is made anew.
struct Anew<'a> {
    world: &'a World,
    call: Call,
    leg: LegId,
    now: Instant,
    deadline: Option<Instant>,
    /// What engine, model and network will give, in no order.
    coming: Vec<(Instant, Input<'static>)>,
    ring: VecDeque<PlayoutFrame>,
    silenced: UtteranceId,
    told: UtteranceId,
    /// The utterance that was heard last, and its frames.
    playing: Option<(UtteranceId, u32)>,
    audible: Option<UtteranceId>,
    spoke: Option<Instant>,
    /// Samples of the caller that have come.
    heard: usize,
    certainty: Certainty,
    certainties: Vec<Certainty>,
}

impl<'a> Anew<'a> {
    fn run(world: &'a World, changed: &Head, start: Instant) -> Result<Vec<NewTurn>, FlightError> {
        let opening = changed.opening(start);
        let leg = opening.leg;
        let call = Call::answer(&changed.settings, opening)
            .map_err(|_| FlightError::Malformed("the call that it describes is refused"))?;
        let mut anew = Self {
            world,
            call,
            leg,
            now: start,
            deadline: None,
            coming: Vec::new(),
            ring: VecDeque::new(),
            silenced: UtteranceId(0),
            told: UtteranceId(0),
            playing: None,
            audible: None,
            spoke: None,
            heard: 0,
            certainty: Certainty::Recorded,
            certainties: Vec::new(),
        };
        anew.drain();
        for (at, outside) in &world.outside {
            if anew.call.is_ended() {
                break;
            }
            anew.until(*at);
            match outside {
                Outside::Input(input) => anew.input(input.as_ref().clone()),
                Outside::Heard(frame) => {
                    if frame.is_speech() {
                        anew.spoke = Some(frame.arrived);
                    }
                    anew.play(frame.at);
                    anew.heard += frame.frame.0.len();
                    anew.input(Input::Heard(frame));
                }
            }
        }
        let turns = anew.call.record().turns().iter().cloned();
        let certainties = anew.certainties.iter().copied();
        let all = turns.zip(certainties.chain(std::iter::repeat(anew.certainty)));
        Ok(all.map(|(turn, certainty)| NewTurn { turn, certainty }).collect())
    }

    /// Everything that is due before the next recorded input.
    fn until(&mut self, end: Instant) {
        loop {
            let first = self.coming.iter().enumerate().min_by_key(|(_, (at, _))| *at);
            let coming = first.map(|(index, (at, _))| (*at, Some(index)));
            let timer = self.deadline.map(|at| (at.max(self.now), None));
            let next = [coming, timer].into_iter().flatten().min_by_key(|(at, _)| *at);
            let Some((at, index)) = next.filter(|(at, _)| *at <= end) else { break };
            self.now = self.now.max(at);
            match index {
                Some(index) => {
                    let (_, input) = self.coming.remove(index);
                    self.input(input);
                }
                None => self.input(Input::Timeout),
            }
        }
        self.now = self.now.max(end);
    }

    fn input(&mut self, input: Input<'_>) {
        self.call.handle(self.now, input);
        self.drain();
        while self.ring.len() < RING_FRAMES {
            let Some(frame) = self.call.next_frame(self.now) else { break };
            self.ring.push_back(frame);
        }
    }

    fn drain(&mut self) {
        loop {
            match self.call.poll_output() {
                Output::Work(work) => self.work(work),
                Output::Silence(through) => self.silenced = self.silenced.max(through),
                Output::Sip(sip::Command::Bye { .. }) => {
                    let ended = sip::Event::Ended { leg: self.leg, cause: sip::EndCause::ByUs };
                    self.coming.push((self.now + BYE_TAKES, Input::Sip(ended)));
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    break;
                }
                _ => (),
            }
        }
        // A turn is as certain as the least certain of what it was made from.
        while self.certainties.len() < self.call.record().turns().len() {
            self.certainties.push(self.certainty);
            if self.certainty == Certainty::Estimated {
                self.certainty = Certainty::Recorded;
            }
        }
    }

    fn found<T>(&mut self, found: Option<Found<T>>) -> Option<(Duration, T)> {
        let certainty = found.as_ref().map_or(Certainty::Unknown, |found| found.certainty);
        self.certainty = self.certainty.max(certainty);
        found.map(|Found { took, answer, .. }| (took, answer))
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Transcribe { id, wish, audio } => {
                let found = self.world.hear(audio.reveal(), self.heard);
                // No turn depends on what only looks on; it may be given up.
                let found = match wish.urgency {
                    Urgency::Partial => found.map(|Found { took, answer, .. }| (took, answer)),
                    Urgency::Turn => self.found(found),
                };
                let (took, result) = match found {
                    Some((took, text)) => {
                        let (decode_ms, detected) = (text.decode_ms, text.detected);
                        let recognition = text.recognition;
                        (took, WorkResult::Text { id, recognition, decode_ms, detected })
                    }
                    None => (Duration::ZERO, WorkResult::Failed { id }),
                };
                self.coming.push((self.now + took, Input::Work(result)));
            }
            Work::Speak { id, language, phrase } => {
                let found = self.world.speak(language, phrase.reveal());
                let Some((took, spoken)) = self.found(Some(found)) else { return };
                for (after, samples) in spoken.chunks {
                    let result = WorkResult::Audio { id, samples: Private::new(samples) };
                    self.coming.push((self.now + after, Input::Work(result)));
                }
                self.coming.push((self.now + took, Input::Work(WorkResult::Spoken { id })));
            }
            Work::Think { id, chat } => {
                let found = self.world.think(&chat);
                let Some((_, events)) = self.found(found) else {
                    return self.coming.push((self.now, Input::Work(WorkResult::Failed { id })));
                };
                for (after, event) in events {
                    let result = WorkResult::Thought { id, event };
                    self.coming.push((self.now + after, Input::Work(result)));
                }
            }
            Work::LookUp { id, asked } => {
                let found = self.world.look_up(self.now, &asked);
                let (took, outcome) =
                    self.found(found).unwrap_or((Duration::ZERO, LookedUp::Failed));
                let result = WorkResult::LookedUp { id, outcome };
                self.coming.push((self.now + took, Input::Work(result)));
            }
            // What it did comes from outside, when it came.
            Work::Agent { .. } => (),
            Work::Cancel { id } => self.coming.retain(|(_, input)| !is_of(input, id)),
        }
    }

    /// A tick of the audio thread.
    fn play(&mut self, at: Instant) {
        if self.told < self.silenced {
            let through = self.silenced;
            self.told = through;
            self.ring.retain(|frame| frame.utterance > through);
            let of_it = self.playing.filter(|(utterance, _)| *utterance <= through);
            let (utterance, frames) = of_it.unwrap_or((through, 0));
            self.input(Input::Silenced { through, utterance, frames });
        }
        let Some(frame) = self.ring.pop_front() else { return };
        let utterance = frame.utterance;
        let played = self.playing.filter(|(of, _)| *of == utterance).map_or(0, |(_, n)| n);
        self.playing = Some((utterance, played + 1));
        if self.audible != Some(utterance) && frame.frame.level_dbfs() >= SOUND_DBFS {
            self.audible = Some(utterance);
            let peer_spoke = self.spoke;
            let event = MediaEvent::UtteranceAudible { utterance, at, peer_spoke };
            self.input(Input::Media(event));
        }
        if frame.last {
            self.input(Input::Finished(utterance));
        }
    }
}

fn is_of(input: &Input<'_>, id: crate::base::WorkId) -> bool {
    let Input::Work(result) = input else { return false };
    let of = match result {
        WorkResult::Text { id, .. }
        | WorkResult::Audio { id, .. }
        | WorkResult::Spoken { id }
        | WorkResult::Thought { id, .. }
        | WorkResult::LookedUp { id, .. }
        | WorkResult::Agent { id, .. }
        | WorkResult::Failed { id } => *id,
    };
    of == id
}

/// The caller's turns; what we said by ourselves has no gap to compare.
fn pairs(before: Vec<Turn>, now: Vec<NewTurn>) -> Vec<Pair> {
    let is_callers = |turn: &Turn| turn.heard_at_ms > 0;
    let mut now: VecDeque<NewTurn> = now.into_iter().filter(|n| is_callers(&n.turn)).collect();
    let mut pairs = Vec::new();
    for turn in before.into_iter().filter(is_callers) {
        while let Some(new) =
            now.pop_front_if(|new| new.turn.heard_at_ms + SAME_TURN_MS < turn.heard_at_ms)
        {
            pairs.push(Pair { before: None, now: Some(new) });
        }
        let new = now.pop_front_if(|new| new.turn.heard_at_ms <= turn.heard_at_ms + SAME_TURN_MS);
        pairs.push(Pair { before: Some(turn), now: new });
    }
    pairs.extend(now.into_iter().map(|new| Pair { before: None, now: Some(new) }));
    pairs
}
