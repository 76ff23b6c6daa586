//! The section `[transfer]`: which wish is put through to a person, and what is said about it.

use super::checks::Context;
use super::phrase::expand;
use super::reader::{Faults, Section};
use super::{Fault, IntentId, Playbook};
use crate::converse::matching::score::{Element, Variant};
use crate::converse::matching::tokens::Token;
use crate::converse::people::{People, Person, PersonId};
use crate::converse::reply::Template;

/// The place of a person's name in texts and phrases.
const PERSON: &str = "{person}";
const NAME: &str = "person";
/// The place of the caller's words in `offer`.
const WORDS: &str = "words";
/// Characters of the caller's words that a person is told.
const WORDS_TOLD: usize = 160;
const CARRIERS: usize = 20;
/// Ways to say the wish, all people together: each is compared with every utterance.
const VARIANTS: usize = 4_000;

/// What is done with callers who want a person, where there are people.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The wish. Without people it is what its own section says.
    pub intent: IntentId,
    /// Ways to say the wish, with `{person}`.
    carriers: Vec<String>,
    pub say: Template,
    /// Said to a caller who speaks while it rings.
    pub waiting: Template,
    /// Yes-or-no questions: it did not come to anything, or it is not their time.
    pub failed: Template,
    pub closed: Template,
    /// Said to a person whom we call, before the caller is there; a question whether they take the call.
    pub offer: Option<Template>,
    /// What yes starts.
    pub yes: IntentId,
    /// What no starts; without it we listen on.
    pub no: Option<IntentId>,
}

/// Whom callers can name, in the words of one playbook.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    people: People,
    /// Canonical words, each way to say each name.
    words: Vec<(PersonId, Vec<String>)>,
}

pub fn transfer(
    mut section: Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
) -> Option<Transfer> {
    let s = &mut section;
    let intent = context.reference(s, faults, "intent");
    let carriers = s.texts(faults, "phrases", CARRIERS);
    if !carriers.iter().all(|carrier| carrier.contains(PERSON)) {
        s.fault(faults, "phrases", "must each hold {person}");
    }
    let mut text = |s: &mut Section<'_>, name: &'static str| {
        if s.value(name).is_none() {
            s.fault(faults, name, "is missing: a text to say");
        }
        context.template(s, faults, name, &[NAME]).unwrap_or_default()
    };
    let [say, waiting, failed, closed] =
        ["say", "waiting", "failed", "closed"].map(|name| text(s, name));
    let offer = s.value("offer").is_some().then(|| {
        let wanted = [NAME, WORDS];
        context.template(s, faults, "offer", &wanted).unwrap_or_default()
    });
    let yes = context.reference(s, faults, "yes");
    let no = context.reference(s, faults, "no");
    for (name, wanted) in [("intent", intent), ("yes", yes)] {
        if wanted.is_none() && s.value(name).is_none() {
            s.fault(faults, name, context.intent_names());
        }
    }
    if intent.is_some() && (yes == intent || no == intent) {
        s.fault(faults, "yes", "must be another intent than the one that has just failed");
    }
    section.finish(faults);
    let carriers = carriers.into_iter().map(str::to_owned).collect();
    let (intent, yes) = (intent?, yes?);
    Some(Transfer { intent, carriers, say, waiting, failed, closed, offer, yes, no })
}

impl Transfer {
    pub fn text(template: &Template, name: &str) -> String {
        template.fill(|wanted| (wanted == NAME).then_some(name))
    }

    /// What a person is told of a caller who has said this.
    pub fn offer(template: &Template, name: &str, words: &str) -> String {
        let words: String = words.chars().take(WORDS_TOLD).collect();
        template.fill(|wanted| match wanted {
            NAME => Some(name),
            WORDS => Some(&words),
            _ => None,
        })
    }
}

impl Playbook {
    /// How callers are put through, if there is somebody.
    pub fn transfer(&self) -> Option<&Transfer> {
        self.transfer.as_ref().filter(|_| !self.names.people.is_empty())
    }

    pub fn people(&self) -> &People {
        &self.names.people
    }

    /// The person whom the words name; of several, the one named by the most words.
    pub fn named(&self, tokens: &[Token]) -> Option<PersonId> {
        let names = self.names.words.iter();
        let named = names.filter(|(_, words)| self.lexicon.has_words(tokens, words));
        named.max_by_key(|(id, words)| (words.len(), std::cmp::Reverse(id.0))).map(|(id, _)| *id)
    }

    /// The person of this name, or of this phrase, with the name.
    pub fn called(&self, name: &str) -> Option<(PersonId, &str)> {
        let is_it = |person: &Person| person.name.eq_ignore_ascii_case(name.trim());
        let exact = self.names.people.iter().find(|(_, p)| is_it(p)).map(|(id, _)| id);
        let id = exact.or_else(|| self.named(&self.lexicon.tokenise(name)))?;
        self.names.people.get(id).map(|person| (id, person.name.as_str()))
    }

    /// The same playbook with people in it: it understands their names and knows what is said of
    /// them before a call. One without a section `[transfer]` stays as it is.
    ///
    /// # Errors
    /// Phrases that are none.
    pub fn with_people(mut self, people: People) -> Result<Self, Vec<Fault>> {
        let Some(transfer) = self.transfer.clone() else {
            self.names.people = people;
            return Ok(self);
        };
        let mut faults = Faults::default();
        let mut words = Vec::new();
        let mut wishes: Vec<Variant> = Vec::new();
        for (id, person) in people.iter() {
            for called in std::iter::once(&person.name).chain(&person.phrases) {
                let key = || format!("person.{}.phrases", person.name);
                match expand(called, &self.lexicon, |_| None) {
                    Ok(ways) => words.extend(ways.iter().map(|way| (id, words_of(way)))),
                    Err(fault) => faults.note(key(), format!("{called:?}"), fault),
                }
                for carrier in &transfer.carriers {
                    let wish = carrier.replace(PERSON, &format!("({called})"));
                    match expand(&wish, &self.lexicon, |_| None) {
                        Ok(ways) => wishes.extend(ways),
                        Err(fault) => faults.note(key(), format!("{wish:?}"), fault),
                    }
                }
            }
            let texts = [&transfer.say, &transfer.waiting, &transfer.failed, &transfer.closed];
            let said = texts.map(|template| Transfer::text(template, &person.name));
            self.fixed.extend(said.map(|text| text.trim().to_owned()));
        }
        let is_bridged = people.iter().any(|(_, person)| person.way.is_called_by_us());
        if is_bridged && transfer.offer.is_none() {
            let wanted = "is missing: what a person whom we call is told";
            faults.note("transfer.offer".to_owned(), String::new(), wanted);
        }
        if wishes.len() > VARIANTS {
            let most = format!("more than {VARIANTS} ways to ask for somebody");
            faults.note("person".to_owned(), String::new(), most);
        }
        if let Some(intent) = self.intents.get_mut(transfer.intent.0) {
            intent.phrases.extend(wishes);
        }
        let mut phrases: Vec<_> =
            self.intents.iter_mut().map(|i| i.phrases.as_mut_slice()).collect();
        self.lexicon.weigh(&mut phrases);
        self.names = Names { people, words };
        faults.into_result(self)
    }
}

fn words_of(way: &Variant) -> Vec<String> {
    let word = |element: &Element| match element {
        Element::Word(word) => Some(word.clone()),
        Element::Slot { .. } => None,
    };
    way.elements.iter().filter_map(word).collect()
}
