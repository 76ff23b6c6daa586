//! What we are saying in one call: utterances in order, each a row of phrases whose sound is either
//! ready or still arriving from the voice.
//!
//! ```text
//!  say(utterance, phrases) ─▶ queue ─▶ next_frame() ─▶ playout ring ─▶ media tick
//!  audio(request, samples) ─▶   ▲
//! ```
//!
//! An utterance is kept until it was heard to its end, so that one that was stopped can go on.
//!
//! Invariant: frames leave in the order in which utterances were said, and the last frame of each
//! utterance is marked, also when its sound could not be made, so that nobody waits for an end that
//! does not come.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::pcm::{FRAME_SAMPLES, Frame, SOUND_DBFS, ms_to_samples};
use crate::base::{UtteranceId, WorkId};

/// Where the sound of a phrase comes from.
#[derive(Clone, Debug)]
pub enum Sound {
    /// Rendered before, at 16 kHz.
    Ready(Arc<[i16]>),
    /// The voice is at work on it.
    Arriving(WorkId),
}

/// 20 ms on their way to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutFrame {
    pub utterance: UtteranceId,
    pub frame: Frame,
    /// The utterance ends with this frame.
    pub last: bool,
}

/// Sound below this counts as silence at the borders of a phrase: about -50 dBFS.
const QUIET: i16 = 100;
/// Silence kept before the first sound, so that a plosive keeps its attack.
const LEAD_MS: u64 = 5;
/// What an utterance begins with and is too soft to be heard on a telephone, such as the breath of an "h", is left
/// out, so long at most: the caller would take it for hesitation.
const SOFT_MS: u64 = 60;
/// Steps in which the place is sought where it is heard.
const SOFT_STEP: usize = FRAME_SAMPLES / 8;
/// Of the first frame no codec keeps back more for its next packet than Opus, 6.5 ms.
const HELD_BACK: usize = 104;
/// Silence kept after a phrase: a breath between phrases.
const TAIL_MS: u64 = 140;
/// An utterance that was stopped goes on with the word that was lost: at the quietest place between
/// these times before its end. A fade hides the last 40 ms of it.
const RESUME_FROM_MS: [u64; 2] = [900, 160];
/// Sound by which a place is called quiet.
const PLACE_MS: u64 = 30;
/// It begins with a fade, so that no click is heard where it was cut.
const RISE_MS: u64 = 10;

#[derive(Debug)]
struct Phrase {
    source: Sound,
    samples: Vec<i16>,
    /// The voice has delivered all of it.
    complete: bool,
    /// It is known where it begins.
    started: bool,
    /// Samples that it will about have.
    expected: usize,
    /// It is the first of its utterance.
    opens: bool,
}

impl Phrase {
    fn new(source: Sound, opens: bool) -> Self {
        let mut phrase = Self {
            source: source.clone(),
            samples: Vec::new(),
            complete: false,
            started: false,
            expected: 0,
            opens,
        };
        if let Sound::Ready(samples) = source {
            phrase.push(&samples);
            phrase.finish(0);
        }
        phrase
    }

    /// Samples that it has or is going to have.
    fn length(&self) -> usize {
        if self.complete { self.samples.len() } else { self.samples.len().max(self.expected) }
    }

    fn is(&self, id: WorkId) -> bool {
        matches!(self.source, Sound::Arriving(own) if own == id)
    }

    /// A voice starts with a stretch of silence, which the caller would hear as hesitation.
    fn push(&mut self, samples: &[i16]) {
        self.samples.extend_from_slice(samples);
        if self.started {
            return;
        }
        let lead = ms_to_samples(LEAD_MS);
        match self.samples.iter().position(|s| s.unsigned_abs() > QUIET as u16) {
            Some(first) => {
                self.samples.drain(..first.saturating_sub(lead));
                self.started = !self.opens || self.begins_aloud();
            }
            None => {
                let surplus = self.samples.len().saturating_sub(lead);
                self.samples.drain(..surplus);
            }
        }
    }

    /// Leaves out what comes before its first frame that is heard, if that is known by now.
    fn begins_aloud(&mut self) -> bool {
        let heard = FRAME_SAMPLES - HELD_BACK;
        let longest = ms_to_samples(SOFT_MS);
        let is_heard = |at: &usize| {
            let sound = self.samples.get(*at..*at + heard).unwrap_or_default();
            let energy: f32 = sound.iter().map(|sample| f32::from(*sample).powi(2)).sum();
            let amplitude = 32_768.0 * 10.0_f32.powf(SOUND_DBFS / 20.0);
            energy >= FRAME_SAMPLES as f32 * amplitude.powi(2)
        };
        match (0..=longest).step_by(SOFT_STEP).find(is_heard) {
            Some(at) => drop(self.samples.drain(..at)),
            // Softer for longer than that: so is the voice.
            None => return self.samples.len() >= longest + heard,
        }
        true
    }

    /// `played` samples have left already.
    fn finish(&mut self, played: usize) {
        self.complete = true;
        let audible =
            self.samples.iter().rposition(|s| s.unsigned_abs() > QUIET as u16).map_or(0, |i| i + 1);
        self.samples.truncate((audible + ms_to_samples(TAIL_MS)).max(played));
    }
}

#[derive(Debug)]
struct Utterance {
    id: UtteranceId,
    phrases: Vec<Phrase>,
    /// The phrase that the next frame is from, and the samples of it that have left already.
    phrase: usize,
    offset: usize,
    /// Frames that have left.
    frames: u32,
    /// Nothing more of it leaves until it is resumed.
    is_paused: bool,
    /// The next frame fades in.
    rises: bool,
}

/// How far an utterance had come when it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub utterance: UtteranceId,
    /// Frames that had left the queue; some of them may still lie in the ring.
    pub frames: u32,
    /// Frames that were there and had not left; of sound that was still arriving, what had come.
    pub frames_left: u32,
}

/// The queue of utterances of one call.
#[derive(Debug, Default)]
pub struct Playout {
    queue: VecDeque<Utterance>,
    /// Times that a frame was wanted and the voice had not delivered it.
    starved: u32,
}

impl Playout {
    /// Puts an utterance at the end of the queue.
    pub fn say(&mut self, id: UtteranceId, phrases: impl IntoIterator<Item = Sound>) {
        let phrases = phrases.into_iter().enumerate();
        let phrases = phrases.map(|(index, sound)| Phrase::new(sound, index == 0)).collect();
        self.queue.push_back(Utterance {
            id,
            phrases,
            phrase: 0,
            offset: 0,
            frames: 0,
            is_paused: false,
            rises: false,
        });
    }

    /// About so many samples will come of this phrase.
    pub fn expect(&mut self, id: WorkId, samples: usize) {
        if let Some((phrase, _)) = self.phrase(id) {
            phrase.expected = samples;
        }
    }

    /// Sound from the voice; unknown work (stopped meanwhile) is dropped.
    pub fn audio(&mut self, id: WorkId, samples: &[i16]) {
        if let Some((phrase, _)) = self.phrase(id) {
            phrase.push(samples);
        }
    }

    /// The voice has delivered all of this phrase.
    pub fn complete(&mut self, id: WorkId) {
        if let Some((phrase, played)) = self.phrase(id) {
            phrase.finish(played);
        }
    }

    /// Nothing more will come of this phrase: what came is played, and then `instead`.
    pub fn fail(&mut self, id: WorkId, instead: &[i16]) {
        let Some((utterance, at)) = self.arriving(id) else { return };
        let played = utterance.played_of(at);
        let Some(phrase) = utterance.phrases.get_mut(at) else { return };
        let is_broken_off = phrase.started;
        if !is_broken_off {
            phrase.samples.clear();
            phrase.push(instead);
        }
        phrase.finish(played);
        if is_broken_off {
            let instead = Phrase::new(Sound::Ready(instead.into()), false);
            utterance.phrases.insert(at + 1, instead);
        }
    }

    /// The phrase that the next frame is to be of, and of which too little has come.
    pub fn starved_of(&self) -> Option<WorkId> {
        let utterance = self.queue.iter().find(|u| !u.is_paused && !u.has_left())?;
        if utterance.has_frame() {
            return None;
        }
        let waiting = utterance.phrases.iter().skip(utterance.phrase).find(|p| !p.complete)?;
        match waiting.source {
            Sound::Arriving(id) => Some(id),
            Sound::Ready(_) => None,
        }
    }

    /// This is heard before what is still to come of a phrase.
    pub fn fill(&mut self, id: WorkId, samples: Arc<[i16]>) {
        let Some((utterance, at)) = self.arriving(id) else { return };
        let played = utterance.played_of(at);
        let Some(phrase) = utterance.phrases.get_mut(at) else { return };
        if !phrase.started {
            let filler = Phrase::new(Sound::Ready(samples), at == 0);
            return utterance.phrases.insert(at, filler);
        }
        let mut rest = Phrase::new(phrase.source.clone(), false);
        rest.expected = phrase.expected.saturating_sub(phrase.samples.len());
        phrase.source = Sound::Ready(Arc::default());
        phrase.finish(played);
        let filler = Phrase::new(Sound::Ready(samples), false);
        utterance.phrases.splice(at + 1..at + 1, [filler, rest]);
    }

    /// Drops the utterance and gives back how far it had come.
    pub fn stop(&mut self, id: UtteranceId) -> Option<Progress> {
        let index = self.queue.iter().position(|u| u.id == id)?;
        let stopped = self.queue.remove(index)?;
        let left = stopped.length().saturating_sub(stopped.position()).div_ceil(FRAME_SAMPLES);
        Some(Progress {
            utterance: id,
            frames: stopped.frames,
            frames_left: u32::try_from(left).unwrap_or(u32::MAX),
        })
    }

    /// The utterance was heard to its end.
    pub fn finished(&mut self, id: UtteranceId) {
        self.queue.retain(|utterance| utterance.id != id);
    }

    /// Nothing more of it leaves until it is resumed; its sound goes on arriving.
    pub fn pause(&mut self, id: UtteranceId) {
        if let Some(utterance) = self.queue.iter_mut().find(|u| u.id == id) {
            utterance.is_paused = true;
        }
    }

    /// Goes on with an utterance of which so many frames were heard, under another number and
    /// after everything else, a word before the place where it was stopped. Gives the frames before
    /// the place where it begins.
    pub fn resume(&mut self, id: UtteranceId, new: UtteranceId, heard: u32) -> Option<u32> {
        let index = self.queue.iter().position(|u| u.id == id)?;
        let mut utterance = self.queue.remove(index)?;
        let from = utterance.resumption(heard as usize * FRAME_SAMPLES);
        utterance.seek(from);
        utterance.id = new;
        utterance.is_paused = false;
        utterance.rises = true;
        utterance.frames = 0;
        self.queue.push_back(utterance);
        u32::try_from(from / FRAME_SAMPLES).ok()
    }

    /// Frames that the utterance has in all, as far as that is known.
    pub fn length(&self, id: UtteranceId) -> Option<u32> {
        let utterance = self.queue.iter().find(|u| u.id == id)?;
        u32::try_from(utterance.length().div_ceil(FRAME_SAMPLES)).ok()
    }

    /// The voice's work that is still wanted.
    pub fn awaited(&self) -> impl Iterator<Item = WorkId> + '_ {
        self.queue.iter().flat_map(|u| &u.phrases).filter(|p| !p.complete).filter_map(|p| {
            match p.source {
                Sound::Arriving(id) => Some(id),
                Sound::Ready(_) => None,
            }
        })
    }

    /// Nothing is left to be played.
    pub fn is_empty(&self) -> bool {
        self.queue.iter().all(Utterance::has_left)
    }

    /// Times that the voice was late.
    pub fn starved(&self) -> u32 {
        self.starved
    }

    /// The next 20 ms, or nothing while there is nothing to say or the voice has not delivered.
    pub fn next_frame(&mut self) -> Option<PlayoutFrame> {
        let utterance = self.queue.iter_mut().find(|u| !u.is_paused && !u.has_left())?;
        if !utterance.has_frame() {
            self.starved = self.starved.saturating_add(1);
            return None;
        }
        let mut frame = Frame::SILENCE;
        utterance.fill(&mut frame.0);
        if std::mem::take(&mut utterance.rises) {
            rise(&mut frame);
        }
        utterance.frames += 1;
        Some(PlayoutFrame { utterance: utterance.id, frame, last: utterance.has_left() })
    }

    /// The utterance with a phrase of which more is to come, and which one it is.
    fn arriving(&mut self, id: WorkId) -> Option<(&mut Utterance, usize)> {
        self.queue.iter_mut().find_map(|utterance| {
            let at = utterance.phrases.iter().position(|p| p.is(id) && !p.complete)?;
            Some((utterance, at))
        })
    }

    /// The phrase and how many of its samples have left.
    fn phrase(&mut self, id: WorkId) -> Option<(&mut Phrase, usize)> {
        self.queue.iter_mut().find_map(|utterance| {
            let index = utterance.phrases.iter().position(|phrase| phrase.is(id))?;
            let played = utterance.played_of(index);
            utterance.phrases.get_mut(index).map(|phrase| (phrase, played))
        })
    }
}

impl Utterance {
    /// Its last frame has left.
    fn has_left(&self) -> bool {
        self.phrase >= self.phrases.len()
    }

    /// Samples of a phrase that have left.
    fn played_of(&self, index: usize) -> usize {
        if index == self.phrase { self.offset } else { 0 }
    }

    /// Whether a frame can leave: enough samples, or all that there will ever be.
    fn has_frame(&self) -> bool {
        let mut ready = 0;
        for (index, phrase) in self.phrases.iter().enumerate().skip(self.phrase) {
            let left = if index == self.phrase { self.offset } else { 0 };
            if phrase.started || phrase.complete {
                ready += phrase.samples.len().saturating_sub(left);
            }
            if ready >= FRAME_SAMPLES {
                return true;
            }
            if !phrase.complete {
                return false;
            }
        }
        true
    }

    /// Samples in all, as far as that is known.
    fn length(&self) -> usize {
        self.phrases.iter().map(Phrase::length).sum()
    }

    /// Samples that have left.
    fn position(&self) -> usize {
        let whole = self.phrases.iter().take(self.phrase);
        whole.map(|phrase| phrase.samples.len()).sum::<usize>() + self.offset
    }

    /// Takes a frame's worth of samples.
    fn fill(&mut self, mut room: &mut [i16]) {
        while let Some(phrase) = self.phrases.get(self.phrase) {
            let rest = phrase.samples.get(self.offset..).unwrap_or_default();
            let taken = rest.len().min(room.len());
            let (now, later) = room.split_at_mut(taken);
            now.copy_from_slice(rest.get(..taken).unwrap_or_default());
            room = later;
            self.offset += taken;
            if self.offset < phrase.samples.len() || !phrase.complete {
                return;
            }
            self.phrase += 1;
            self.offset = 0;
        }
    }

    /// Where to go on after so many samples were heard.
    fn resumption(&self, heard: usize) -> usize {
        let [from, to] = RESUME_FROM_MS.map(|ms| heard.saturating_sub(ms_to_samples(ms)));
        // Where hardly more than a word was said it is said again.
        if from == 0 {
            return 0;
        }
        let samples: Vec<i16> = self.phrases.iter().flat_map(|p| &p.samples).copied().collect();
        let place = ms_to_samples(PLACE_MS);
        let peak = |at: usize| {
            let sound = samples.get(at..at + place).unwrap_or_default();
            sound.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
        };
        // The latest of the quietest: of two pauses the nearer.
        let places = (from..=to).rev().step_by(place / 2);
        places.min_by_key(|at| peak(*at)).map_or(to, |at| at + place / 2)
    }

    /// The next frame begins with this sample.
    fn seek(&mut self, mut sample: usize) {
        self.phrase = 0;
        while let Some(phrase) = self.phrases.get(self.phrase)
            && sample >= phrase.samples.len()
            && phrase.complete
        {
            sample -= phrase.samples.len();
            self.phrase += 1;
        }
        self.offset = self.phrases.get(self.phrase).map_or(0, |p| sample.min(p.samples.len()));
    }
}

fn rise(frame: &mut Frame) {
    let count = ms_to_samples(RISE_MS);
    for (index, sample) in frame.0.iter_mut().take(count).enumerate() {
        *sample = (f32::from(*sample) * index as f32 / count as f32) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(ms: u64) -> Vec<i16> {
        (0..ms_to_samples(ms)).map(|i| if i % 2 == 0 { 8_000 } else { -8_000 }).collect()
    }

    fn frames(playout: &mut Playout) -> Vec<PlayoutFrame> {
        std::iter::from_fn(|| playout.next_frame()).collect()
    }

    #[test]
    fn a_ready_phrase_leaves_at_once_without_its_leading_silence() {
        let mut sound = vec![0; ms_to_samples(200)];
        sound.extend(tone(40));
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Ready(sound.into())]);
        let out = frames(&mut playout);
        assert!(out[0].frame.level_dbfs() > -20.0);
        assert_eq!(out.iter().filter(|f| f.last).count(), 1);
        assert!(out.last().unwrap().last);
        assert!(playout.is_empty());
    }

    /// About -52 dBFS: the breath of an "h".
    fn breath(ms: u64) -> Vec<i16> {
        (0..ms_to_samples(ms)).map(|i| if i % 3 == 0 { 118 } else { -59 }).collect()
    }

    #[test]
    fn an_utterance_begins_with_a_frame_that_is_heard_and_keeps_the_rest() {
        let sound = [breath(40), tone(60)].concat();
        let mut ready = Playout::default();
        ready.say(UtteranceId(1), [Sound::Ready(sound.clone().into())]);
        let mut arriving = Playout::default();
        arriving.say(UtteranceId(1), [Sound::Arriving(WorkId(1))]);
        sound.chunks(ms_to_samples(5)).for_each(|chunk| arriving.audio(WorkId(1), chunk));
        for playout in [&mut ready, &mut arriving] {
            let first = playout.next_frame().unwrap().frame;
            let (now, held) = first.0.split_at(FRAME_SAMPLES - HELD_BACK);
            assert!(crate::base::pcm::level_dbfs(now) > SOUND_DBFS, "also out of Opus");
            assert!(held.iter().all(|sample| sample.unsigned_abs() == 8_000));
            assert_eq!(first.0.iter().filter(|s| s.unsigned_abs() < 8_000).count(), 200);
        }
    }

    #[test]
    fn a_voice_that_is_soft_for_long_is_left_whole_and_so_is_a_soft_phrase_within() {
        let whisper: Arc<[i16]> = breath(200).into();
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Ready(Arc::clone(&whisper))]);
        assert_eq!(frames(&mut playout).len(), 10);
        playout.say(UtteranceId(2), [Sound::Ready(tone(100).into()), Sound::Ready(whisper)]);
        assert_eq!(frames(&mut playout).len(), 5 + 10);
    }

    #[test]
    fn soft_sound_waits_until_it_is_known_what_comes_of_it() {
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Arriving(WorkId(1))]);
        playout.audio(WorkId(1), &breath(40));
        assert!(playout.next_frame().is_none(), "it may be left out");
        playout.audio(WorkId(1), &breath(40));
        assert!(playout.next_frame().is_some(), "it is no mere beginning");
        playout.say(UtteranceId(2), [Sound::Arriving(WorkId(2))]);
        playout.audio(WorkId(2), &breath(40));
        playout.complete(WorkId(1));
        playout.complete(WorkId(2));
        assert!(frames(&mut playout).iter().any(|frame| frame.utterance == UtteranceId(2)));
    }

    #[test]
    fn arriving_sound_is_played_as_soon_as_a_frame_is_there_and_joined_without_a_gap() {
        let mut playout = Playout::default();
        let (a, b) = (WorkId(1), WorkId(2));
        playout.say(UtteranceId(1), [Sound::Arriving(a), Sound::Arriving(b)]);
        assert!(playout.next_frame().is_none());
        playout.audio(a, &tone(30));
        assert!(playout.next_frame().is_some());
        assert!(playout.next_frame().is_none(), "10 ms are no frame yet");
        playout.complete(a);
        playout.audio(b, &tone(10));
        let joined = playout.next_frame().unwrap();
        assert!(joined.frame.0.iter().all(|s| s.unsigned_abs() == 8_000), "10 ms of each");
        playout.complete(b);
        assert!(playout.next_frame().unwrap().last);
        assert_eq!(playout.starved(), 2);
    }

    #[test]
    fn an_utterance_whose_sound_failed_still_ends() {
        let mut playout = Playout::default();
        playout.say(UtteranceId(3), [Sound::Arriving(WorkId(9))]);
        playout.complete(WorkId(9));
        let end = playout.next_frame().unwrap();
        assert!(end.last && end.utterance == UtteranceId(3));
    }

    #[test]
    fn silence_that_has_left_already_is_not_cut_off_again() {
        let mut playout = Playout::default();
        let id = WorkId(1);
        playout.say(UtteranceId(1), [Sound::Arriving(id)]);
        let mut sound = tone(40);
        sound.extend(vec![0; ms_to_samples(350)]);
        playout.audio(id, &sound);
        let mut frames_out = 0;
        while playout.next_frame().is_some() {
            frames_out += 1;
        }
        playout.complete(id);
        assert!(playout.next_frame().unwrap().last);
        assert_eq!(frames_out, 19, "390 ms had come");
    }

    #[test]
    fn a_phrase_that_fails_is_replaced_or_followed_where_some_of_it_was_heard() {
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Arriving(WorkId(1))]);
        playout.fail(WorkId(1), &tone(40));
        assert!(playout.next_frame().unwrap().frame.level_dbfs() > -20.0);
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Arriving(WorkId(1))]);
        playout.audio(WorkId(1), &tone(20));
        playout.next_frame();
        playout.fail(WorkId(1), &tone(40));
        playout.fail(WorkId(1), &tone(40));
        let out = frames(&mut playout);
        assert!(out[0].frame.level_dbfs() > -20.0);
        assert_eq!((out.len(), out[1].last), (2, true), "once");
    }

    #[test]
    fn a_phrase_that_hangs_in_its_middle_is_filled_there_and_goes_on_or_is_followed() {
        let mut playout = Playout::default();
        let id = WorkId(1);
        playout.say(UtteranceId(1), [Sound::Arriving(id)]);
        playout.audio(id, &tone(50));
        assert_eq!(frames(&mut playout).len(), 2);
        assert_eq!(playout.starved_of(), Some(id));
        playout.fill(id, tone(30).into());
        playout.fill(id, tone(20).into());
        let filler = frames(&mut playout);
        assert_eq!(filler.len(), 3, "10 ms of the phrase and both fillers");
        assert!(filler.iter().all(|frame| frame.frame.level_dbfs() > -20.0));
        assert_eq!(playout.starved_of(), Some(id), "the rest is still awaited");
        playout.audio(id, &tone(20));
        assert_eq!(frames(&mut playout).len(), 1);
        playout.fail(id, &tone(40));
        let end = frames(&mut playout);
        assert_eq!((end.len(), end[1].last), (2, true));
    }

    #[test]
    fn stopping_drops_one_utterance_only_and_tells_how_far_it_came() {
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Ready(tone(100).into())]);
        playout.say(UtteranceId(2), [Sound::Ready(tone(20).into())]);
        playout.next_frame();
        playout.next_frame();
        let progress = playout.stop(UtteranceId(1)).unwrap();
        assert_eq!(progress, Progress { utterance: UtteranceId(1), frames: 2, frames_left: 3 });
        assert_eq!(playout.next_frame().unwrap().utterance, UtteranceId(2));
        assert_eq!(playout.stop(UtteranceId(7)), None);
    }

    #[test]
    fn work_for_a_stopped_utterance_is_dropped() {
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Arriving(WorkId(1))]);
        assert_eq!(playout.awaited().collect::<Vec<_>>(), [WorkId(1)]);
        playout.stop(UtteranceId(1));
        playout.audio(WorkId(1), &tone(20));
        assert!(playout.is_empty() && playout.next_frame().is_none());
    }

    #[test]
    fn a_stopped_utterance_goes_on_with_the_word_in_which_it_was_stopped() {
        let mut playout = Playout::default();
        // Words of 200 ms, 100 ms apart.
        let word = || [tone(200), vec![0; ms_to_samples(100)]].concat();
        let sound: Vec<i16> = (0..10).flat_map(|_| word()).collect();
        playout.say(UtteranceId(1), [Sound::Ready(sound.into())]);
        for _ in 0..100 {
            playout.next_frame();
        }
        playout.pause(UtteranceId(1));
        assert!(playout.next_frame().is_none());
        // 1,300 ms were heard: the first half of the fifth word.
        let from = playout.resume(UtteranceId(1), UtteranceId(2), 65).unwrap();
        let from_ms = u64::from(from) * 20;
        assert!((1_100..=1_140).contains(&from_ms), "{from_ms}: before the word");
        let rest = frames(&mut playout);
        assert!(rest.iter().all(|frame| frame.utterance == UtteranceId(2)));
        assert!(rest.last().unwrap().last);
        let whole = playout.length(UtteranceId(2)).unwrap();
        assert!((rest.len() as i64 - i64::from(whole - from)).abs() <= 1, "nothing is left out");
        playout.finished(UtteranceId(2));
        assert_eq!(playout.length(UtteranceId(2)), None);
    }

    #[test]
    fn what_was_hardly_begun_is_said_again_and_what_came_meanwhile_goes_first() {
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Arriving(WorkId(1))]);
        playout.audio(WorkId(1), &tone(400));
        playout.next_frame();
        playout.pause(UtteranceId(1));
        playout.say(UtteranceId(2), [Sound::Ready(tone(20).into())]);
        playout.complete(WorkId(1));
        assert_eq!(playout.resume(UtteranceId(1), UtteranceId(3), 20), Some(0));
        let order: Vec<u32> = frames(&mut playout).iter().map(|f| f.utterance.0).collect();
        assert_eq!(order[0], 2);
        assert_eq!(order.iter().filter(|of| **of == 3).count(), 20);
    }

    #[test]
    fn sound_that_has_not_come_yet_counts_in_the_length_as_expected() {
        let mut playout = Playout::default();
        playout.say(UtteranceId(1), [Sound::Ready(tone(100).into()), Sound::Arriving(WorkId(1))]);
        playout.expect(WorkId(1), ms_to_samples(300));
        assert_eq!(playout.length(UtteranceId(1)), Some(20));
        playout.audio(WorkId(1), &tone(100));
        playout.complete(WorkId(1));
        assert_eq!(playout.length(UtteranceId(1)), Some(10));
    }
}
