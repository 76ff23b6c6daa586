//! The first block: all that a call is made from, so that it can be made again on another machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FlightError, keyless};
use crate::base::{CallId, LanguageCode, serial};
use crate::call::agreement::LocalMedia;
use crate::call::floor::HoldSound;
use crate::call::incoming::Incoming;
use crate::call::language::{Manner, Tongue, Tongues};
use crate::call::state::{Opening, Settings, Start};
use crate::call::tuning;
use crate::call::voice::Shelf;
use crate::call::voicemail;
use crate::converse::lookup::{Lookup, Lookups};
use crate::converse::people::{People, Person, WeekMinute};
use crate::converse::{self, Playbook, PlaybookError};
use crate::listen;
use crate::sdp::Offering;
use crate::sip::LegId;

/// What a call was made from. `Debug` shows no word of it.
#[derive(Clone)]
pub struct Head {
    /// Of the program that recorded it.
    pub program: String,
    pub settings: Settings,
    opened: Opened,
    shelf: Arc<Shelf>,
}

/// Of [`Opening`], what is not the shelf and not a clock.
#[derive(Clone, Serialize, Deserialize)]
struct Opened {
    id: CallId,
    leg: LegId,
    unix_ms: u64,
    local: WeekMinute,
    incoming: Incoming,
    media: LocalMedia,
    manner: Manner,
}

/// The settings that `--set` changes, by their names.
#[derive(Serialize, Deserialize)]
struct Knobs {
    calls: Calls,
    media: Offering,
    listen: listen::Settings,
    converse: converse::Settings,
}

#[derive(Serialize, Deserialize)]
struct Calls {
    #[serde(rename = "answer_after_ms", with = "serial::ms")]
    answer_after: Duration,
    #[serde(default)]
    hold: HoldSound,
    #[serde(default)]
    voicemail: voicemail::Settings,
}

#[derive(Serialize, Deserialize)]
struct Written {
    program: String,
    settings: Knobs,
    opened: Opened,
    playbooks: Vec<(LanguageCode, String)>,
    people: Vec<Person>,
    lookups: Vec<Lookup>,
    /// Phrases that were ready, and their samples.
    shelf: Vec<(LanguageCode, String, usize)>,
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Head({}, {})", self.program, self.opened.id)
    }
}

impl Head {
    pub(super) fn of(settings: &Settings, opening: &Opening) -> Self {
        let Opening { id, leg, start, incoming, media, manner, shelf } = opening;
        Self {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            settings: settings.clone(),
            opened: Opened {
                id: *id,
                leg: *leg,
                unix_ms: start.unix_ms,
                local: start.local,
                incoming: keyless::incoming(incoming),
                media: media.clone(),
                manner: manner.clone(),
            },
            shelf: Arc::clone(shelf),
        }
    }

    /// The payload of the first block.
    pub(super) fn encode(&self) -> Vec<u8> {
        let tongues = self.settings.tongues.iter();
        let playbooks = tongues.map(|t| (t.code, t.playbook.source().to_owned())).collect();
        let shelf = self
            .shelf
            .iter()
            .map(|(language, phrase, samples)| (language, phrase.to_owned(), samples.len()));
        let playbook = &self.settings.tongues.default_one().playbook;
        let (people, lookups) = (playbook.people(), playbook.lookups());
        let written = Written {
            program: self.program.clone(),
            settings: knobs(&self.settings),
            opened: self.opened.clone(),
            playbooks,
            people: people.iter().map(|(_, person)| person.clone()).collect(),
            lookups: lookups.iter().map(|(_, lookup)| lookup.clone()).collect(),
            shelf: shelf.collect(),
        };
        // As with entries: writing cannot fail, and reading would tell.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// `said`: the sound of those phrases of the shelf that were said.
    pub(super) fn decode(
        block: &[u8],
        said: &BTreeMap<(LanguageCode, String), Vec<i16>>,
    ) -> Result<Self, FlightError> {
        let written: Written = serde_json::from_slice(block)
            .map_err(|_| FlightError::Malformed("its settings cannot be read"))?;
        let Written { program, settings, opened, playbooks, people, lookups, shelf } = written;
        if tuning::first_fault(&settings.listen).is_some() {
            return Err(FlightError::Malformed("a setting of its ear is out of its range"));
        }
        let (people, lookups) = (People::new(people), Lookups::new(lookups));
        let mut tongues = Vec::new();
        for (code, text) in playbooks {
            let playbook = joined(&text, &people, &lookups)
                .map_err(|error| FlightError::Playbook { reason: error.to_string() })?;
            tongues.push(Tongue { code, playbook: Arc::new(playbook) });
        }
        let mut tongues = tongues.into_iter();
        let first = tongues.next().ok_or(FlightError::Malformed("it names no language"))?;
        let tongues = Tongues::new(first, tongues);
        let mut whole = Shelf::default();
        for (language, phrase, samples) in shelf {
            let sound = said.get(&(language, phrase.clone())).cloned();
            // Never said in the recorded call: only how long it is counts.
            let sound = sound.unwrap_or_else(|| stand_in(samples));
            if !whole.put(language, phrase, sound) {
                return Err(FlightError::Malformed("more phrases than a box has"));
            }
        }
        let settings = with_knobs(settings, tongues);
        Ok(Self { program, settings, opened, shelf: Arc::new(whole) })
    }

    /// As of a box whose voice is another one.
    #[cfg(test)]
    pub(in crate::call) fn change_shelf(&mut self) {
        let mut other = Shelf::default();
        for (language, phrase, sound) in self.shelf.iter() {
            let sound = sound.iter().map(|sample| sample.wrapping_add(1)).collect();
            other.put(language, phrase.to_owned(), sound);
        }
        self.shelf = Arc::new(other);
    }

    /// When the call came: Unix milliseconds.
    pub fn unix_ms(&self) -> u64 {
        self.opened.unix_ms
    }

    /// A beginning at `now` by the clock of this machine.
    pub fn opening(&self, now: Instant) -> Opening {
        let Opened { id, leg, unix_ms, local, incoming, media, manner } = self.opened.clone();
        Opening {
            id,
            leg,
            start: Start { now, unix_ms, local },
            incoming,
            media,
            manner,
            shelf: Arc::clone(&self.shelf),
        }
    }

    /// Another value of a setting, as in `listen.close_complete_ms`: JSON, or a bare word.
    ///
    /// # Errors
    /// Names the keys there are, or what is wrong with the value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SetError> {
        // Numbers, texts and lists of them only: every one of them can be written.
        let mut all = serde_json::to_value(knobs(&self.settings)).unwrap_or_default();
        let pointer = format!("/{}", key.replace('.', "/"));
        let Some(place) = all.pointer_mut(&pointer).filter(|place| !place.is_object()) else {
            return Err(SetError::NoSuchKey { key: key.to_owned(), keys: keys(&all) });
        };
        *place = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        let wrong = |error: serde_json::Error| SetError::Value {
            key: key.to_owned(),
            reason: error.to_string(),
        };
        let changed: Knobs = serde_json::from_value(all).map_err(wrong)?;
        if let Some((_, allowed)) = tuning::first_fault(&changed.listen) {
            let reason = format!("{value} is out of its range, which is {allowed}");
            return Err(SetError::Value { key: key.to_owned(), reason });
        }
        self.settings = with_knobs(changed, self.settings.tongues.clone());
        Ok(())
    }

    /// Another playbook for the default language or for `code`.
    ///
    /// # Errors
    /// For a text that is no playbook, one in another language, a language that the call had not.
    pub fn set_playbook(&mut self, code: Option<LanguageCode>, text: &str) -> Result<(), SetError> {
        let wrong = |reason: String| SetError::Value { key: "playbook".to_owned(), reason };
        let old = &self.settings.tongues.default_one().playbook;
        let playbook = joined(text, old.people(), old.lookups());
        let playbook = playbook.map_err(|error| wrong(error.to_string()))?;
        let code = code.unwrap_or(self.settings.tongues.default_one().code);
        if LanguageCode::of_tag(playbook.language()) != Some(code) {
            return Err(wrong(format!("it is in {}, wanted is {code}", playbook.language())));
        }
        let mut playbook = Some(Arc::new(playbook));
        let tongues = self.settings.tongues.iter().map(|tongue| match tongue.code == code {
            true => {
                playbook.take().map_or_else(|| tongue.clone(), |playbook| Tongue { code, playbook })
            }
            false => tongue.clone(),
        });
        let tongues: Vec<Tongue> = tongues.collect();
        if playbook.is_some() {
            return Err(wrong(format!("the call was not held in {code}")));
        }
        let mut tongues = tongues.into_iter();
        if let Some(first) = tongues.next() {
            self.settings.tongues = Tongues::new(first, tongues);
        }
        Ok(())
    }
}

/// A playbook with whom it puts through to and what it asks.
fn joined(text: &str, people: &People, lookups: &Lookups) -> Result<Playbook, PlaybookError> {
    let playbook = Playbook::parse(text)?.with_people(people.clone());
    let playbook = playbook.and_then(|playbook| playbook.with_lookups(lookups.clone()));
    playbook.map_err(PlaybookError::Faults)
}

/// Why a setting is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    #[error("no such key: {key}; there are {}", .keys.join(", "))]
    NoSuchKey { key: String, keys: Vec<String> },
    #[error("{key}: {reason}")]
    Value { key: String, reason: String },
}

fn keys(all: &Value) -> Vec<String> {
    let sections = all.as_object().into_iter().flatten();
    let keys = sections.flat_map(|(section, keys)| {
        let keys = keys.as_object().into_iter().flat_map(|keys| keys.keys());
        keys.map(move |key| format!("{section}.{key}"))
    });
    keys.collect()
}

fn knobs(settings: &Settings) -> Knobs {
    let Settings { offering, answer_after, listen, converse, tongues: _, hold, voicemail } =
        settings.clone();
    Knobs { calls: Calls { answer_after, hold, voicemail }, media: offering, listen, converse }
}

fn with_knobs(knobs: Knobs, tongues: Tongues) -> Settings {
    let Knobs { calls: Calls { answer_after, hold, voicemail }, media, listen, converse } = knobs;
    Settings { offering: media, answer_after, listen, converse, tongues, hold, voicemail }
}

/// Audible throughout, so that nothing of it is trimmed as silence.
fn stand_in(samples: usize) -> Vec<i16> {
    vec![5_000; samples.min(crate::base::limits::SHELF_SAMPLES)]
}
