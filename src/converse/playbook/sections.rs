//! The tables of a playbook, one function each.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::agent::agent;
use super::checks::{Context, patterns};
use super::dial::dial;
use super::llm::llm;
use super::lookups::lookup;
use super::patience::patience;
use super::reader::{Faults, Section, shown};
use super::slots::{learn_usual, slots};
use super::transfer::{Names, transfer};
use super::voicemail::{self, voicemail};
use super::{
    Action, EnginePhrases, Fault, FollowUp, Intent, IntentId, Length, Playbook, Prompts, Scope,
    Silence, Source, collect_fixed,
};
use crate::base::limits;
use crate::converse::lookup::Lookups;
use crate::converse::matching::grammar::Grammar;
use crate::converse::matching::score::Lexicon;

/// Below this a text is wrong more often than not, and asking again costs less than a wrong action;
/// the measured table is in the model's card.
const ASK_AGAIN_BELOW: f32 = 0.3;
/// A digit that is less sure than this is wrong once in ten times or more, and a number has several:
/// to hear it read back costs three seconds, to be answered for another number costs the call.
const READ_BACK_BELOW: f32 = 0.9;
/// The place of the value in `prompts.read_back`.
const VALUE: &str = "{value}";
const INTENTS: usize = 200;

/// Reads the whole file.
pub fn playbook(table: &Table) -> Result<Playbook, Vec<Fault>> {
    let mut faults = Faults::default();
    let mut root = Section::new(String::new(), table);
    let language = language(&mut root, &mut faults);
    let variables = root.table(&mut faults, "variables");
    let variables = variables.map(|section| section.entries(&mut faults)).unwrap_or_default();
    let synonyms = synonyms(&mut root, &mut faults);
    let tables = tables(&mut root, &mut faults);
    let mut sections = root.list(&mut faults, "intent", INTENTS);
    let names = names(&mut sections, &mut faults);
    let context = Context {
        variables: variables.into_iter().collect(),
        names,
        lexicon: Lexicon::new(Grammar::of(&language), synonyms),
        ask_again_below: root.share(&mut faults, "ask_again_below", ASK_AGAIN_BELOW),
        read_back_below: root.share(&mut faults, "read_back_below", READ_BACK_BELOW),
        read_back: read_back(&root).map(str::to_owned),
    };
    let vocabulary = vocabulary(&mut root, &mut faults);
    let prompts = prompts(&mut root, &mut faults, &context);
    let fallback = match root.table(&mut faults, "fallback") {
        Some(section) => follow_up(section, &mut faults, &context),
        None => {
            root.fault(&mut faults, "fallback", "is missing: what to offer after two misses");
            FollowUp::default()
        }
    };
    let mut intents: Vec<Intent> =
        sections.into_iter().map(|s| intent(s, &mut faults, &context, &tables)).collect();
    let patience = patience(&mut root, &mut faults);
    let keys = keys(&mut root, &mut faults, &context);
    let llm = root.table(&mut faults, "llm").map(|section| llm(section, &mut faults, &context));
    let transfer =
        root.table(&mut faults, "transfer").and_then(|s| transfer(s, &mut faults, &context));
    let dial = root.table(&mut faults, "dial").map(|s| dial(s, &mut faults, &context));
    let agent = root.table(&mut faults, "agent").map(|s| agent(s, &mut faults, &context));
    let voicemail =
        root.table(&mut faults, "voicemail").map(|s| voicemail(s, &mut faults, &context));
    voicemail::check(voicemail.as_ref(), &intents, &mut faults);
    if intents.is_empty() {
        root.fault(&mut faults, "intent", "is missing: at least one [[intent]]");
    }
    root.finish(&mut faults);
    let fixed = collect_fixed(
        (&prompts, &fallback, &intents),
        llm.as_ref(),
        dial.as_ref(),
        agent.as_ref(),
        voicemail.as_ref(),
    );
    let mut lexicon = context.lexicon;
    let mut phrases: Vec<_> = intents.iter_mut().map(|i| i.phrases.as_mut_slice()).collect();
    lexicon.weigh(&mut phrases);
    faults.into_result(Playbook {
        source: Box::default(),
        language,
        prompts,
        intents,
        keys,
        patience,
        tables,
        fallback,
        vocabulary,
        ask_again_below: context.ask_again_below,
        read_back_below: context.read_back_below,
        llm,
        agent,
        dial,
        transfer,
        voicemail,
        names: Names::default(),
        lookups: Lookups::default(),
        lexicon,
        fixed,
    })
}

/// The question that reads a value back, before the other prompts are read: slots need it.
fn read_back<'a>(root: &Section<'a>) -> Option<&'a str> {
    root.peek("prompts")?.get("read_back")?.as_str()
}

/// The list `vocabulary`.
fn vocabulary(root: &mut Section<'_>, faults: &mut Faults) -> Vec<String> {
    let words = root.texts(faults, "vocabulary", limits::HINT_PHRASES);
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    if words.iter().any(|word| word.trim().is_empty()) {
        root.fault(faults, "vocabulary", "must have a word in each entry");
    } else if words.iter().map(String::len).sum::<usize>() > limits::HINT_BYTES {
        let allowed = format!("must have {} bytes at most in all", limits::HINT_BYTES);
        root.fault(faults, "vocabulary", allowed);
    }
    words
}

fn language(root: &mut Section<'_>, faults: &mut Faults) -> String {
    let language = root.text(faults, "language").unwrap_or("en");
    let tag_like = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !(2..=12).contains(&language.len()) || !language.chars().all(tag_like) {
        root.fault(faults, "language", "must be a language tag such as en, de or pt-br");
    }
    language.to_ascii_lowercase()
}

fn synonyms(root: &mut Section<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut synonyms = BTreeMap::new();
    let Some(section) = root.table(faults, "synonyms") else { return synonyms };
    for (word, list) in section.values() {
        let words: Option<Vec<&str>> =
            list.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
        match words {
            Some(words) if words.iter().all(|w| !w.is_empty() && !w.contains(' ')) => {
                let standard = word.to_lowercase();
                synonyms.extend(words.iter().map(|w| (w.to_lowercase(), standard.clone())));
            }
            _ => faults.note(section.key(word), shown(list), "must be a list of single words"),
        }
    }
    synonyms
}

fn tables(
    root: &mut Section<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut tables = BTreeMap::new();
    let Some(section) = root.table(faults, "tables") else { return tables };
    for (name, value) in section.values() {
        match value.as_table() {
            Some(table) => {
                let entries = Section::new(section.key(name), table).entries(faults);
                let entries = entries.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
                tables.insert(name.to_owned(), entries.collect());
            }
            None => faults.note(section.key(name), shown(value), "must be a table of texts"),
        }
    }
    tables
}

pub fn names<'a>(sections: &mut [Section<'a>], faults: &mut Faults) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for section in sections {
        let name = section.text(faults, "name").unwrap_or_default();
        let word_like = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(word_like) {
            section.fault(faults, "name", "must be a name of letters, digits, _ and -");
        } else if names.contains(&name) {
            section.fault(faults, "name", "is the name of another intent already");
        }
        names.push(name);
    }
    names
}

fn prompts(root: &mut Section<'_>, faults: &mut Faults, context: &Context<'_>) -> Prompts {
    let Some(mut section) = root.table(faults, "prompts") else {
        root.fault(faults, "prompts", "is missing: a table [prompts]");
        return Prompts::default();
    };
    let s = &mut section;
    if s.value("did_you_mean").is_none() {
        s.fault(faults, "did_you_mean", "is missing: a question with {title}");
    }
    if let Some(text) = s.text(faults, "read_back")
        && !text.contains(VALUE)
    {
        s.fault(faults, "read_back", "must hold {value}, which is read back");
    }
    let greeting = context.fixed(s, faults, "greeting");
    let keys_greeting = match s.value("keys_greeting") {
        Some(_) => context.fixed(s, faults, "keys_greeting"),
        None => greeting.clone(),
    };
    let length_end = context.fixed(s, faults, "length_end");
    let closing = match s.value("closing") {
        Some(_) => context.fixed(s, faults, "closing"),
        None => length_end.clone(),
    };
    let prompts = Prompts {
        greeting,
        keys_greeting,
        listen: context.fixed(s, faults, "listen"),
        miss: context.fixed(s, faults, "miss"),
        unclear: context.fixed(s, faults, "unclear"),
        did_you_mean: context.template(s, faults, "did_you_mean", &["title"]).unwrap_or_default(),
        go_on: context.fixed(s, faults, "go_on"),
        give_up: context.fixed(s, faults, "give_up"),
        silence: Silence {
            first: context.fixed(s, faults, "silence_first"),
            second: context.fixed(s, faults, "silence_second"),
            end: context.fixed(s, faults, "silence_end"),
        },
        length: Length { warning: context.fixed(s, faults, "length_warning"), end: length_end },
        engine: EnginePhrases {
            recognizer_lost: context.fixed(s, faults, "recognizer_lost"),
            recognizer_back: context.fixed(s, faults, "recognizer_back"),
            synthesizer_lost: context.fixed(s, faults, "synthesizer_lost"),
        },
        keypad: context.fixed(s, faults, "keypad"),
        closing,
        too_loud: context.fixed_or_none(s, faults, "too_loud"),
        quiet_again: context.fixed_or_none(s, faults, "quiet_again"),
        keypad_yes_no: context.fixed_or_none(s, faults, "keypad_yes_no"),
    };
    section.finish(faults);
    prompts
}

pub fn follow_up(mut section: Section<'_>, faults: &mut Faults, context: &Context<'_>) -> FollowUp {
    let follow_up = FollowUp {
        ask: context.fixed(&mut section, faults, "ask"),
        yes: context.reference(&mut section, faults, "yes"),
        no: context.reference(&mut section, faults, "no"),
    };
    section.finish(faults);
    follow_up
}

fn keys(
    root: &mut Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
) -> Vec<(char, IntentId)> {
    let Some(section) = root.table(faults, "keys") else { return Vec::new() };
    let path = section.key("");
    let mut keys = Vec::new();
    for (key, name) in section.entries(faults) {
        let mut characters = key.chars();
        match (characters.next(), characters.next(), context.intent(name)) {
            (Some(key @ ('0'..='9' | '*' | '#')), None, Some(intent)) => keys.push((key, intent)),
            (Some('0'..='9' | '*' | '#'), None, None) => {
                faults.note(format!("{path}{key}"), format!("{name:?}"), context.intent_names());
            }
            _ => {
                faults.note(format!("{path}{key}"), String::new(), "must be a key: 0 to 9, * or #")
            }
        }
    }
    keys
}

fn intent(
    mut section: Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
    tables: &BTreeMap<String, BTreeMap<String, String>>,
) -> Intent {
    let s = &mut section;
    let name = s.text(faults, "name").unwrap_or_default().to_owned();
    let title = s.text(faults, "title").map_or_else(|| name.replace('_', " "), str::to_owned);
    let action = s.choice(faults, "action", &ACTIONS).unwrap_or(Action::Answer);
    let mut slots = slots(s, faults, context);
    let known: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
    if s.value("reply").is_none() && action != Action::Repeat {
        s.fault(faults, "reply", "is missing: a text to say");
    }
    let reply = context.template(s, faults, "reply", &known).unwrap_or_default();
    let phrases = context.phrases(s, faults, &slots);
    let patterns = patterns(s, faults, &slots);
    let confirm = context.template(s, faults, "confirm", &known);
    let read_back = context.in_doubt(s, faults, &slots, confirm.as_ref());
    let lookup = s.table(faults, "lookup").and_then(|l| lookup(l, faults, context, &known, tables));
    let follow_up = s.table(faults, "follow_up").map(|f| follow_up(f, faults, context));
    let patience = patience(s, faults);
    let scope = s.choice(faults, "scope", &SCOPES).unwrap_or(Scope::Open);
    let weak = s.flag(faults, "weak");
    slots.iter_mut().zip(read_back).for_each(|(slot, read_back)| slot.read_back = read_back);
    if let Some(Source::Table { table, slot }) = lookup.as_ref().map(|lookup| &lookup.source)
        && let (Some(slot), Some(table)) = (slots.get_mut(*slot), tables.get(table))
    {
        learn_usual(slot, table);
    }
    let intent = Intent {
        name,
        title,
        scope,
        weak,
        phrases,
        patterns,
        slots,
        confirm,
        patience,
        lookup,
        reply,
        action,
        follow_up,
    };
    section.finish(faults);
    intent
}

const ACTIONS: [(&str, Action); 6] = [
    ("answer", Action::Answer),
    ("message", Action::Message),
    ("voicemail", Action::Voicemail),
    ("hang_up", Action::HangUp),
    ("repeat", Action::Repeat),
    ("abort", Action::Abort),
];
const SCOPES: [(&str, Scope); 3] =
    [("open", Scope::Open), ("always", Scope::Always), ("asking", Scope::Asking)];
