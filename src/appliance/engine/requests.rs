//! What has been asked of the engine and not been answered. Pure.
//!
//! Requests outlive the engine: those that it took with it are sent to the next one, once. Sound
//! that was already delivered is not delivered again. Invariant: each request leaves by exactly one
//! end, and a call's decode by its deadline.
//!
//! A decode that is late says that the engine is stuck, though its socket still answers, unless decodes
//! are only slow: unless, since this one was sent, earlier ones were answered and no later one. The
//! engine begins them in their order, so that only a lane that hangs is passed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Answer, Asker, EngineEvent, Failure, Phrase, RequestId};
use crate::base::{Private, limits, pcm};
use crate::listen::{DecodeWish, Urgency};
use crate::speech::protocol::{FromEngine, ToEngine};

/// A caller who has heard nothing for so long is better told so.
const WITHOUT_ENGINE: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    Transcribe { lane: u16, wish: DecodeWish, audio: Private<Vec<i16>> },
    Speak(Phrase),
}

impl Work {
    /// Of no use by the time that another engine is there.
    fn is_partial(&self) -> bool {
        matches!(self, Self::Transcribe { wish, .. } if wish.urgency == Urgency::Partial)
    }
}

#[derive(Debug)]
struct Pending {
    asker: Asker,
    work: Work,
    place: Place,
    /// Samples of a phrase that have been delivered.
    delivered: u32,
    /// Engines that died with it.
    lost: u8,
}

#[derive(Debug)]
enum Place {
    /// No engine has it; it fails at this time.
    Here {
        until: Instant,
    },
    AtEngine(Sent),
    /// The engine has it and has been told to stop.
    Stopping(Sent),
}

/// When the engine was given it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    /// A call's decode fails then. Others have all the time: voices have a limit of their own in the
    /// engine, and a file that is transcribed waits for as long as its model takes.
    until: Option<Instant>,
}

impl Place {
    fn sent(&self) -> Option<Sent> {
        match *self {
            Self::Here { .. } => None,
            Self::AtEngine(sent) | Self::Stopping(sent) => Some(sent),
        }
    }

    fn until(&self) -> Option<Instant> {
        match *self {
            Self::Here { until } => Some(until),
            Self::AtEngine(sent) | Self::Stopping(sent) => sent.until,
        }
    }
}

impl Pending {
    fn is_decode(&self) -> bool {
        matches!(self.work, Work::Transcribe { .. })
    }

    /// By when an engine that gets it at `now` must have ended it.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let is_calls = matches!(self.asker, Asker::Call(_));
        (is_calls && self.is_decode()).then(|| now + limits::DECODE_TIMEOUT)
    }
}

/// All requests without an end.
#[derive(Debug, Default)]
pub struct Requests {
    pending: BTreeMap<RequestId, Pending>,
    /// When this engine last ended a decode, and the latest request for one that it has ended.
    decoded: Option<(Instant, RequestId)>,
    /// What this engine is to be told to stop: nobody waits for it any more.
    given_up: Vec<RequestId>,
    is_stuck: bool,
}

impl Requests {
    /// Takes a request in; it is to be sent if an engine is `ready`.
    pub fn ask(
        &mut self,
        now: Instant,
        (request, asker): (RequestId, Asker),
        work: Work,
    ) -> Result<(), EngineEvent> {
        if self.pending.len() >= limits::ENGINE_REQUESTS {
            let answer = Answer::Failed(Failure::Overloaded);
            return Err(EngineEvent { asker, request, answer });
        }
        let place = Place::Here { until: now + WITHOUT_ENGINE };
        self.pending.insert(request, Pending { asker, work, place, delivered: 0, lost: 0 });
        Ok(())
    }

    /// The answer is no longer wanted: its end, if no engine has it.
    pub fn cancel(&mut self, request: RequestId) -> Option<EngineEvent> {
        let pending = self.pending.get_mut(&request)?;
        match pending.place {
            Place::Here { .. } => self.end(request, Answer::Cancelled),
            Place::AtEngine(sent) | Place::Stopping(sent) => {
                pending.place = Place::Stopping(sent);
                None
            }
        }
    }

    /// The engine has this request, so that a cancellation must be sent to it.
    pub fn is_at_engine(&self, request: RequestId) -> bool {
        self.pending.get(&request).is_some_and(|pending| pending.place.sent().is_some())
    }

    /// What an engine that is ready must be sent, oldest first; it has it from here on.
    pub fn send(&mut self, now: Instant) -> impl Iterator<Item = ToEngine> + '_ {
        self.pending.iter_mut().filter_map(move |(request, pending)| {
            let Place::Here { .. } = pending.place else { return None };
            pending.place = Place::AtEngine(Sent { at: now, until: pending.deadline(now) });
            let request = *request;
            Some(match pending.work.clone() {
                Work::Transcribe { lane, wish, audio } => {
                    ToEngine::Transcribe { request, lane, wish, audio }
                }
                Work::Speak(phrase) => ToEngine::Speak { request, phrase },
            })
        })
    }

    /// The engine is gone. Returns what ends with it.
    pub fn lose_engine(&mut self, now: Instant) -> Vec<EngineEvent> {
        let mut ends = Vec::new();
        (self.decoded, self.is_stuck) = (None, false);
        self.given_up.clear();
        for (request, pending) in &mut self.pending {
            match pending.place {
                Place::Here { .. } => {}
                Place::Stopping(_) => ends.push((*request, Answer::Cancelled)),
                // It may be what the engine dies of.
                Place::AtEngine(_) if pending.lost > 0 || pending.work.is_partial() => {
                    ends.push((*request, Answer::Failed(Failure::EngineDown)));
                }
                Place::AtEngine(_) => {
                    pending.lost += 1;
                    pending.place = Place::Here { until: now + WITHOUT_ENGINE };
                }
            }
        }
        ends.into_iter().filter_map(|(request, answer)| self.end(request, answer)).collect()
    }

    /// What has waited too long for an engine, or for its text.
    pub fn expire(&mut self, now: Instant) -> Vec<EngineEvent> {
        let is_due = |pending: &Pending| pending.place.until().is_some_and(|until| until <= now);
        let due = self.pending.iter().filter(|(_, pending)| is_due(pending));
        let due: Vec<RequestId> = due.map(|(request, _)| *request).collect();
        due.into_iter().filter_map(|request| self.give_up(request)).collect()
    }

    fn give_up(&mut self, request: RequestId) -> Option<EngineEvent> {
        let pending = self.pending.get(&request)?;
        let place = &pending.place;
        let answer = match place {
            Place::Here { .. } => Answer::Failed(Failure::EngineDown),
            Place::AtEngine(_) => Answer::Failed(Failure::Recogniser),
            Place::Stopping(_) => Answer::Cancelled,
        };
        if let Some(sent) = place.sent() {
            let is_slow =
                self.decoded.is_some_and(|(at, latest)| at >= sent.at && latest < request);
            // A partial text waits until no turn does.
            self.is_stuck |= !is_slow && !pending.work.is_partial();
            self.given_up.push(request);
        }
        self.end(request, answer)
    }

    /// A decode has shown that this engine is stuck.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// What the engine must be told to stop.
    pub fn given_up(&mut self) -> impl Iterator<Item = ToEngine> + '_ {
        self.given_up.drain(..).map(|request| ToEngine::Cancel { request })
    }

    /// When the next request has waited too long.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.pending.values().filter_map(|pending| pending.place.until()).min()
    }

    /// What a message of the engine means for whoever asked. Answers to requests that have ended
    /// mean nothing.
    pub fn answer(&mut self, now: Instant, message: FromEngine) -> Option<EngineEvent> {
        match message {
            FromEngine::Text { request, transcript } => {
                self.note_decoded(now, request);
                self.end(request, Answer::Text(transcript))
            }
            FromEngine::Audio { request, offset, samples } => {
                self.sound(request, offset, samples.into_revealed())
            }
            FromEngine::Spoken { request, .. } => self.end(request, Answer::Spoken),
            FromEngine::Failed { request, failure } => self.end(request, Answer::Failed(failure)),
            FromEngine::Cancelled { request } => self.end(request, Answer::Cancelled),
            FromEngine::Ready(_)
            | FromEngine::Mismatch { .. }
            | FromEngine::Pong { .. }
            | FromEngine::Voices(_)
            | FromEngine::Turn(_) => None,
        }
    }

    /// Turns of calls that an engine has to decode.
    pub fn turns(&self) -> usize {
        let is_turn = |pending: &&Pending| {
            pending.place.sent().is_some() && pending.is_decode() && !pending.work.is_partial()
        };
        self.pending.values().filter(is_turn).count()
    }

    /// Length of the sound that is to be recognised; `None` if this is no such request.
    pub fn sound_ms(&self, request: RequestId) -> Option<u64> {
        match &self.pending.get(&request)?.work {
            Work::Transcribe { audio, .. } => Some(pcm::samples_to_ms(audio.reveal().len())),
            Work::Speak(_) => None,
        }
    }

    /// An engine works on something.
    pub fn is_busy(&self) -> bool {
        self.pending.values().any(|pending| pending.place.sent().is_some())
    }

    /// The engine has ended a decode. What ended without a text may never have been begun.
    fn note_decoded(&mut self, now: Instant, request: RequestId) {
        let latest = self.decoded.map_or(request, |(_, latest)| latest.max(request));
        self.decoded = Some((now, latest));
    }

    fn sound(
        &mut self,
        request: RequestId,
        offset: u32,
        mut samples: Vec<i16>,
    ) -> Option<EngineEvent> {
        let pending = self.pending.get_mut(&request)?;
        let known = pending.delivered.checked_sub(offset)? as usize;
        samples.drain(..known.min(samples.len()));
        if samples.is_empty() || matches!(pending.place, Place::Stopping(_)) {
            return None;
        }
        let length = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        pending.delivered = pending.delivered.saturating_add(length);
        let answer = Answer::Audio(Private::new(samples));
        Some(EngineEvent { asker: pending.asker, request, answer })
    }

    fn end(&mut self, request: RequestId, answer: Answer) -> Option<EngineEvent> {
        let Pending { asker, .. } = self.pending.remove(&request)?;
        Some(EngineEvent { asker, request, answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::CallId;
    use crate::listen::Recognition;
    use crate::speech::protocol::Transcript;

    const ASKER: Asker = Asker::Call(CallId(4));
    const DOWN: Answer = Answer::Failed(Failure::EngineDown);

    fn hear() -> Work {
        Work::Transcribe {
            lane: 0,
            wish: DecodeWish::default(),
            audio: Private::new(vec![1, 2, 3]),
        }
    }

    fn say() -> Work {
        let text = Private::new("hello".to_owned());
        let (language, voice) = ("en".to_owned(), String::new());
        Work::Speak(Phrase { language, voice, text, is_known: false })
    }

    fn asked(now: Instant, works: impl IntoIterator<Item = Work>) -> Requests {
        let mut requests = Requests::default();
        for (n, work) in works.into_iter().enumerate() {
            requests.ask(now, (RequestId(n as u64 + 1), ASKER), work).unwrap();
        }
        requests
    }

    fn text(request: u64) -> FromEngine {
        let recognition = Recognition::evenly("yes", 1.0);
        let transcript = Transcript { recognition, decode_ms: 9, detected: None };
        FromEngine::Text { request: RequestId(request), transcript }
    }

    fn chunk(offset: u32, samples: &[i16]) -> FromEngine {
        let samples = Private::new(samples.to_vec());
        FromEngine::Audio { request: RequestId(1), offset, samples }
    }

    fn event(request: u64, answer: Answer) -> EngineEvent {
        EngineEvent { asker: ASKER, request: RequestId(request), answer }
    }

    #[test]
    fn a_request_is_sent_once_and_again_to_the_next_engine_but_no_third_time() {
        let now = Instant::now();
        let mut requests = asked(now, [hear()]);
        assert_eq!(requests.send(now).count(), 1);
        assert_eq!(requests.send(now).count(), 0);
        assert_eq!(requests.lose_engine(now), []);
        assert_eq!(requests.send(now).count(), 1);
        assert_eq!(requests.lose_engine(now), [event(1, DOWN)]);
        assert_eq!(requests.send(now).count(), 0);
    }

    #[test]
    fn a_partial_text_that_an_engine_took_with_it_is_not_asked_for_again() {
        let now = Instant::now();
        let wish = DecodeWish { urgency: Urgency::Partial, ..DecodeWish::default() };
        let audio = Private::new(vec![1]);
        let mut requests = asked(now, [Work::Transcribe { lane: 0, wish, audio }, hear()]);
        assert_eq!(requests.send(now).count(), 2);
        assert_eq!(requests.lose_engine(now), [event(1, DOWN)]);
        assert_eq!(requests.send(now).count(), 1);
    }

    #[test]
    fn the_next_engine_speaks_on_where_the_last_one_stopped() {
        let now = Instant::now();
        let mut requests = asked(now, [say()]);
        requests.send(now).for_each(drop);
        let audio = |samples: &[i16]| Some(event(1, Answer::Audio(Private::new(samples.to_vec()))));
        assert_eq!(requests.answer(now, chunk(0, &[1, 2, 3])), audio(&[1, 2, 3]));
        requests.lose_engine(now);
        requests.send(now).for_each(drop);
        assert_eq!(requests.answer(now, chunk(0, &[1, 2])), None);
        assert_eq!(requests.answer(now, chunk(2, &[3, 4])), audio(&[4]));
        assert_eq!(requests.answer(now, chunk(4, &[5])), audio(&[5]));
        let spoken = FromEngine::Spoken { request: RequestId(1), samples: 5 };
        assert_eq!(requests.answer(now, spoken.clone()), Some(event(1, Answer::Spoken)));
        assert_eq!(requests.answer(now, spoken), None);
    }

    #[test]
    fn without_an_engine_a_request_fails_in_time() {
        let now = Instant::now();
        let mut requests = asked(now, [hear(), say()]);
        assert_eq!(requests.next_expiry(), Some(now + WITHOUT_ENGINE));
        assert_eq!(requests.expire(now + WITHOUT_ENGINE - Duration::from_millis(1)), []);
        let failed = [event(1, DOWN), event(2, DOWN)];
        assert_eq!(requests.expire(now + WITHOUT_ENGINE), failed);
        assert_eq!(requests.next_expiry(), None);
    }

    #[test]
    fn an_engine_that_speaks_or_transcribes_a_file_has_all_the_time() {
        let now = Instant::now();
        let mut requests = asked(now, [say()]);
        requests.ask(now, (RequestId(2), Asker::Appliance), hear()).unwrap();
        requests.send(now).for_each(drop);
        assert!(requests.is_busy());
        assert_eq!(requests.next_expiry(), None);
        assert_eq!(requests.expire(now + 9 * limits::DECODE_TIMEOUT), []);
        assert!(!requests.is_stuck());
        assert_eq!(requests.answer(now, text(2)).unwrap().asker, Asker::Appliance);
    }

    #[test]
    fn a_decode_that_hangs_fails_in_time_and_shows_that_the_engine_is_stuck() {
        let now = Instant::now();
        let late = now + limits::DECODE_TIMEOUT;
        let mut requests = asked(now, [hear(), hear()]);
        requests.send(now).for_each(drop);
        // What nobody waits for can hang, too.
        requests.cancel(RequestId(2));
        assert_eq!(requests.next_expiry(), Some(late));
        assert_eq!(requests.expire(late - Duration::from_millis(1)), []);
        assert!(!requests.is_stuck());
        let failed = Answer::Failed(Failure::Recogniser);
        assert_eq!(requests.expire(late), [event(1, failed), event(2, Answer::Cancelled)]);
        assert!(requests.is_stuck() && !requests.is_busy());
        let cancels = [1, 2].map(|n| ToEngine::Cancel { request: RequestId(n) });
        assert_eq!(requests.given_up().collect::<Vec<_>>(), cancels);
        // Its text comes after all, and the next engine begins with nothing against it.
        assert_eq!(requests.answer(late, text(1)), None);
        requests.lose_engine(late);
        assert!(!requests.is_stuck());
    }

    #[test]
    fn decodes_that_wait_for_others_fail_in_time_and_the_engine_is_left_alone() {
        let now = Instant::now();
        let late = now + limits::DECODE_TIMEOUT;
        let mut requests = asked(now, [hear(), hear()]);
        requests.send(now).for_each(drop);
        requests.answer(now + Duration::from_secs(19), text(1)).unwrap();
        assert_eq!(requests.expire(late), [event(2, Answer::Failed(Failure::Recogniser))]);
        assert!(!requests.is_stuck());
        assert_eq!(requests.given_up().count(), 1);
    }

    #[test]
    fn a_partial_text_that_waits_for_turns_says_nothing_of_the_engine() {
        let now = Instant::now();
        let wish = DecodeWish { urgency: Urgency::Partial, ..DecodeWish::default() };
        let audio = Private::new(vec![1]);
        let mut requests = asked(now, [Work::Transcribe { lane: 0, wish, audio }]);
        requests.send(now).for_each(drop);
        assert_eq!(requests.expire(now + limits::DECODE_TIMEOUT).len(), 1);
        assert!(!requests.is_stuck());
    }

    #[test]
    fn a_decode_that_later_ones_have_passed_hangs_although_the_engine_decodes() {
        let now = Instant::now();
        let mut requests = asked(now, [hear(), hear()]);
        requests.send(now).for_each(drop);
        requests.answer(now + Duration::from_secs(19), text(2)).unwrap();
        requests.expire(now + limits::DECODE_TIMEOUT);
        assert!(requests.is_stuck());
    }

    #[test]
    fn a_cancelled_request_has_one_end_wherever_it_is() {
        let now = Instant::now();
        let mut requests = asked(now, [hear(), say(), hear()]);
        assert_eq!(requests.cancel(RequestId(1)), Some(event(1, Answer::Cancelled)));
        assert_eq!(requests.send(now).count(), 2);
        assert_eq!(requests.cancel(RequestId(2)), None);
        assert!(requests.is_at_engine(RequestId(2)));
        // Its text was on the way.
        assert_eq!(requests.cancel(RequestId(3)), None);
        assert!(matches!(requests.answer(now, text(3)).unwrap().answer, Answer::Text(_)));
        assert_eq!(requests.lose_engine(now), [event(2, Answer::Cancelled)]);
        assert_eq!(requests.cancel(RequestId(2)), None);
    }

    #[test]
    fn sound_after_a_cancellation_or_with_a_gap_is_not_delivered() {
        let now = Instant::now();
        let mut requests = asked(now, [say()]);
        requests.send(now).for_each(drop);
        assert_eq!(requests.answer(now, chunk(10, &[1])), None);
        requests.cancel(RequestId(1));
        assert_eq!(requests.answer(now, chunk(0, &[1])), None);
    }

    #[test]
    fn more_than_the_engine_may_have_is_refused() {
        let now = Instant::now();
        let mut requests = asked(now, (0..limits::ENGINE_REQUESTS).map(|_| say()));
        let refused = requests.ask(now, (RequestId(999), ASKER), say());
        assert_eq!(refused, Err(event(999, Answer::Failed(Failure::Overloaded))));
    }
}
