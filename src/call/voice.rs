//! What a call says: text to phrases, phrases to sound, ready beforehand where that is possible.
//!
//! ```text
//!  prepare(text) ─▶ Speak work ─▶ prepared phrases ┐ (thrown away by `forget`)
//!  say(utterance, text) ─▶ phrases ─▶ on the shelf? prepared? else Speak work ─▶ Playout
//! ```
//!
//! Owns the playout of one call. Invariant: each phrase that was asked of the engine is either in
//! the playout, prepared, or cancelled.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::work::{Work, WorkIds};
use crate::base::{LanguageCode, Private, UtteranceId, WorkId, limits};
use crate::speak::{Language, Playout, PlayoutFrame, Progress, Sound, normalise, phrases};

/// Phrases that were rendered before any call: the greeting, prompts, notices.
///
/// Keyed by language and normalised phrase, as [`render_list`] gives them.
#[derive(Debug, Default)]
pub struct Shelf {
    sounds: HashMap<(LanguageCode, String), Arc<[i16]>>,
    samples: usize,
}

impl Shelf {
    /// Keeps a phrase's sound, if there is room: false when there is not.
    pub fn put(&mut self, language: LanguageCode, phrase: String, samples: Vec<i16>) -> bool {
        if self.samples + samples.len() > limits::SHELF_SAMPLES {
            return false;
        }
        self.samples += samples.len();
        self.sounds.insert((language, phrase), samples.into());
        true
    }

    /// Phrases of one language.
    pub fn phrases_in(&self, language: LanguageCode) -> usize {
        self.sounds.keys().filter(|(of, _)| *of == language).count()
    }

    fn sound(&self, language: LanguageCode, phrase: &str) -> Option<&Arc<[i16]>> {
        self.sounds.get(&(language, phrase.to_owned()))
    }

    /// All of it, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (LanguageCode, &str, &Arc<[i16]>)> {
        self.sounds.iter().map(|((language, phrase), sound)| (*language, phrase.as_str(), sound))
    }

    pub fn len(&self) -> usize {
        self.sounds.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sounds.is_empty()
    }
}

/// The phrases to be rendered so that all of `texts` can be said without the engine.
pub fn render_list(texts: &[String], language: LanguageCode) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for phrase in texts.iter().flat_map(|text| speakable(text, language)) {
        if !list.contains(&phrase) {
            list.push(phrase);
        }
    }
    list
}

fn speakable(text: &str, language: LanguageCode) -> Vec<String> {
    let language = Language::of(language);
    let capped: String = text.chars().take(limits::REPLY_CHARS).collect();
    phrases(&capped, language).iter().map(|phrase| normalise(&phrase.text, language)).collect()
}

/// Samples of sound that a character of text about becomes: 65 ms.
const CHARACTER_SAMPLES: usize = 1_040;

/// A phrase that may be said next.
#[derive(Debug)]
struct Prepared {
    phrase: Private<String>,
    work: WorkId,
    samples: Vec<i16>,
    complete: bool,
}

/// The voice of one call.
#[derive(Debug)]
pub struct Voice {
    language: LanguageCode,
    shelf: Arc<Shelf>,
    /// The phrase on the shelf that stands in for one that cannot be spoken.
    apology: String,
    playout: Playout,
    prepared: Vec<Prepared>,
    work: VecDeque<Work>,
    /// What of the shelf was said.
    shelved: Vec<Shelved>,
}

/// A phrase of the shelf that was said.
#[derive(Clone, Debug)]
pub struct Shelved {
    pub language: LanguageCode,
    pub phrase: Private<String>,
    pub samples: Private<Arc<[i16]>>,
}

impl Voice {
    /// `apology` is said where the engine fails; its first phrase should be on the shelf.
    pub fn new(language: LanguageCode, shelf: Arc<Shelf>, apology: &str) -> Self {
        Self {
            language,
            shelf,
            apology: speakable(apology, language).into_iter().next().unwrap_or_default(),
            playout: Playout::default(),
            prepared: Vec::new(),
            work: VecDeque::new(),
            shelved: Vec::new(),
        }
    }

    /// Speaks another language from here on; what is being said goes on as it is.
    pub fn switch(&mut self, language: LanguageCode, apology: &str) {
        self.forget();
        self.language = language;
        self.apology = speakable(apology, language).into_iter().next().unwrap_or_default();
    }

    /// Says `text` after what is being said already.
    pub fn say(&mut self, ids: &mut WorkIds, utterance: UtteranceId, text: &str) {
        let mut early: Vec<Prepared> = Vec::new();
        let mut sounds = Vec::new();
        let mut expected = Vec::new();
        for phrase in speakable(text, self.language) {
            if let Some(samples) = self.take_from_shelf(&phrase) {
                sounds.push(Sound::Ready(samples));
                continue;
            }
            let at = self.prepared.iter().position(|p| *p.phrase.reveal() == phrase);
            let samples = phrase.chars().count() * CHARACTER_SAMPLES;
            let work = match at {
                Some(index) => {
                    let prepared = self.prepared.swap_remove(index);
                    let work = prepared.work;
                    early.push(prepared);
                    work
                }
                None => self.request(ids, phrase),
            };
            sounds.push(Sound::Arriving(work));
            expected.push((work, samples));
        }
        self.playout.say(utterance, sounds);
        for (work, samples) in expected {
            self.playout.expect(work, samples);
        }
        for prepared in early {
            self.playout.audio(prepared.work, &prepared.samples);
            if prepared.complete {
                self.playout.complete(prepared.work);
            }
        }
    }

    /// Has the engine begin with what may be said next, in place of what was prepared before.
    pub fn prepare(&mut self, ids: &mut WorkIds, text: &str) {
        let wanted = speakable(text, self.language);
        self.forget_all_but(&wanted);
        for phrase in wanted {
            let known = self.shelf.sound(self.language, &phrase).is_some()
                || self.prepared.iter().any(|p| *p.phrase.reveal() == phrase);
            if !known {
                let work = self.request(ids, phrase.clone());
                let phrase = Private::new(phrase);
                self.prepared.push(Prepared { phrase, work, samples: Vec::new(), complete: false });
            }
        }
    }

    /// What was prepared is not going to be said.
    pub fn forget(&mut self) {
        self.forget_all_but(&[]);
    }

    fn forget_all_but(&mut self, wanted: &[String]) {
        let work = &mut self.work;
        self.prepared.retain(|prepared| {
            let keep = wanted.contains(prepared.phrase.reveal());
            if !keep && !prepared.complete {
                work.push_back(Work::Cancel { id: prepared.work });
            }
            keep
        });
    }

    /// A phrase of the shelf, which is noted as said.
    fn take_from_shelf(&mut self, phrase: &str) -> Option<Arc<[i16]>> {
        let sound = Arc::clone(self.shelf.sound(self.language, phrase)?);
        let language = self.language;
        let is_it = |of: &Shelved| of.language == language && of.phrase.reveal() == phrase;
        if !self.shelved.iter().any(is_it) {
            let phrase = Private::new(phrase.to_owned());
            let samples = Private::new(Arc::clone(&sound));
            self.shelved.push(Shelved { language, phrase, samples });
        }
        Some(sound)
    }

    /// Phrases of the shelf that were said so far, each once, with their sound.
    pub fn shelved(&self) -> &[Shelved] {
        &self.shelved
    }

    fn request(&mut self, ids: &mut WorkIds, phrase: String) -> WorkId {
        let id = ids.allocate();
        let language = self.language;
        self.work.push_back(Work::Speak { id, language, phrase: Private::new(phrase) });
        id
    }

    /// A chunk from the engine; work that is no longer wanted is ignored.
    pub fn audio(&mut self, id: WorkId, samples: &[i16]) {
        match self.prepared.iter_mut().find(|p| p.work == id) {
            Some(prepared) => prepared.samples.extend_from_slice(samples),
            None => self.playout.audio(id, samples),
        }
    }

    /// The engine could not. What was only prepared will be asked for again when it is said; what
    /// is being said becomes the apology.
    pub fn fail(&mut self, id: WorkId) {
        match self.prepared.iter().position(|p| p.work == id) {
            Some(index) => drop(self.prepared.swap_remove(index)),
            None => {
                let apology = self.take_from_shelf(&self.apology.clone());
                self.playout.fail(id, apology.as_deref().unwrap_or_default());
            }
        }
    }

    /// The work without which nothing leaves just now.
    pub fn starved_of(&self) -> Option<WorkId> {
        self.playout.starved_of()
    }

    /// Not all of this phrase is there.
    pub fn awaits(&self, id: WorkId) -> bool {
        self.playout.awaited().any(|awaited| awaited == id)
    }

    /// Says this before what the engine is late with, where it is on the shelf.
    pub fn fill(&mut self, id: WorkId, text: &str) {
        for phrase in speakable(text, self.language) {
            if let Some(sound) = self.take_from_shelf(&phrase) {
                self.playout.fill(id, sound);
            }
        }
    }

    /// The engine is too late with it: what is said becomes the apology.
    pub fn give_up(&mut self, id: WorkId) {
        self.work.push_back(Work::Cancel { id });
        self.fail(id);
    }

    /// The engine has delivered all of it.
    pub fn complete(&mut self, id: WorkId) {
        match self.prepared.iter_mut().find(|p| p.work == id) {
            Some(prepared) => prepared.complete = true,
            None => self.playout.complete(id),
        }
    }

    /// Stops an utterance and the work for it; tells how far it had come.
    pub fn stop(&mut self, utterance: UtteranceId) -> Option<Progress> {
        let before: Vec<WorkId> = self.playout.awaited().collect();
        let progress = self.playout.stop(utterance)?;
        let after: Vec<WorkId> = self.playout.awaited().collect();
        let dropped = before.into_iter().filter(|id| !after.contains(id));
        self.work.extend(dropped.map(|id| Work::Cancel { id }));
        Some(progress)
    }

    /// The utterance was heard to its end.
    pub fn finished(&mut self, utterance: UtteranceId) {
        self.playout.finished(utterance);
    }

    /// Nothing more of it leaves until it is resumed; its work goes on.
    pub fn pause(&mut self, utterance: UtteranceId) {
        self.playout.pause(utterance);
    }

    /// As [`Playout::resume`].
    pub fn resume(&mut self, id: UtteranceId, new: UtteranceId, heard: u32) -> Option<u32> {
        self.playout.resume(id, new, heard)
    }

    /// Frames that the utterance has in all, as far as that is known.
    pub fn length(&self, utterance: UtteranceId) -> Option<u32> {
        self.playout.length(utterance)
    }

    /// The next 20 ms for the ring, if there are any.
    pub fn next_frame(&mut self) -> Option<PlayoutFrame> {
        self.playout.next_frame()
    }

    /// Work for the engine that has come up.
    pub fn poll_work(&mut self) -> Option<Work> {
        self.work.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(shelf: &[&str]) -> (Voice, WorkIds) {
        let mut ready = Shelf::default();
        for phrase in shelf {
            for phrase in render_list(&[(*phrase).to_owned()], LanguageCode::ENGLISH) {
                ready.put(LanguageCode::ENGLISH, phrase, vec![5_000; 640]);
            }
        }
        (Voice::new(LanguageCode::ENGLISH, Arc::new(ready), "I am sorry."), WorkIds::default())
    }

    fn asked(voice: &mut Voice) -> Vec<Work> {
        std::iter::from_fn(|| voice.poll_work()).collect()
    }

    #[test]
    fn the_shelf_takes_no_more_than_its_limit_and_keeps_languages_apart() {
        let (en, ru) = (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap());
        let mut shelf = Shelf::default();
        assert!(shelf.put(en, "OK.".into(), vec![1; 2]) && shelf.put(ru, "OK.".into(), vec![2; 2]));
        assert!(!shelf.put(ru, "Много.".into(), vec![0; limits::SHELF_SAMPLES]));
        assert_eq!((shelf.phrases_in(en), shelf.phrases_in(ru)), (1, 1));
        assert_eq!(shelf.sound(ru, "OK.").map(|sound| sound[0]), Some(2));
    }

    #[test]
    fn a_phrase_from_the_shelf_is_said_without_the_engine() {
        let (mut voice, mut ids) = voice(&["Good morning."]);
        voice.say(&mut ids, UtteranceId(1), "Good morning.");
        assert!(asked(&mut voice).is_empty());
        assert!(voice.next_frame().is_some());
    }

    #[test]
    fn what_was_prepared_is_said_at_once_and_not_asked_for_twice() {
        let (mut voice, mut ids) = voice(&[]);
        voice.prepare(&mut ids, "We are open today.");
        let work = asked(&mut voice);
        let [Work::Speak { id, .. }] = work.as_slice() else { panic!("{work:?}") };
        voice.audio(*id, &[5_000; 700]);
        voice.say(&mut ids, UtteranceId(1), "We are open today.");
        assert!(asked(&mut voice).is_empty());
        assert!(voice.next_frame().is_some(), "the first chunk was there already");
        voice.complete(*id);
        assert!(std::iter::from_fn(|| voice.next_frame()).any(|f| f.last));
    }

    #[test]
    fn a_wrong_guess_is_cancelled_and_its_late_sound_ignored() {
        let (mut voice, mut ids) = voice(&[]);
        voice.prepare(&mut ids, "Yes.");
        voice.prepare(&mut ids, "No.");
        let work = asked(&mut voice);
        let [Work::Speak { id: first, .. }, Work::Cancel { id: gone }, Work::Speak { .. }] =
            work.as_slice()
        else {
            panic!("{work:?}")
        };
        assert_eq!(first, gone);
        voice.audio(*first, &[5_000; 640]);
        voice.complete(*first);
        voice.forget();
        assert_eq!(asked(&mut voice).len(), 1);
        assert!(voice.next_frame().is_none());
    }

    #[test]
    fn a_phrase_that_cannot_be_spoken_becomes_the_apology_and_a_prepared_one_is_asked_again() {
        let (mut voice, mut ids) = voice(&["I am sorry."]);
        voice.prepare(&mut ids, "We are open today.");
        let work = asked(&mut voice);
        let [Work::Speak { id, .. }] = work.as_slice() else { panic!("{work:?}") };
        voice.fail(*id);
        voice.say(&mut ids, UtteranceId(1), "We are open today.");
        let work = asked(&mut voice);
        let [Work::Speak { id, .. }] = work.as_slice() else { panic!("{work:?}") };
        voice.fail(*id);
        assert!(voice.next_frame().unwrap().frame.level_dbfs() > -30.0);
    }

    #[test]
    fn stopping_an_utterance_cancels_its_work_only() {
        let (mut voice, mut ids) = voice(&[]);
        voice.say(&mut ids, UtteranceId(1), "One.");
        voice.say(&mut ids, UtteranceId(2), "Two.");
        let work = asked(&mut voice);
        assert_eq!(work.len(), 2);
        voice.stop(UtteranceId(1));
        let Work::Speak { id, .. } = &work[0] else { panic!() };
        assert_eq!(asked(&mut voice), [Work::Cancel { id: *id }]);
    }
}
