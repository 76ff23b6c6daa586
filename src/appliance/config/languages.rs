//! The sections `[[language]]`: what is right, and which calls they are for.

use std::path::PathBuf;

use super::checked::{Check, Config, Converse, Sip, Speech, path};
use super::file::{self, File};
use super::values::{Allowed, ListenAddress, Voice, allowed};
use crate::base::LanguageCode;
use crate::call::language::{Choice, Rules};
use crate::converse::playbook::SHIPPED;

/// Sections at most: each renders its phrases at start.
const SECTIONS: usize = 16;
/// Digits of an international number at most (E.164).
const DIGITS: usize = 15;
/// Characters of a called user at most.
const USER_CHARS: usize = 64;

/// One section.
#[derive(Clone, Debug, PartialEq)]
pub struct Language {
    /// `None`: the model finds out.
    pub code: Option<LanguageCode>,
    /// `None`: the one inside the program.
    pub playbook: Option<PathBuf>,
    /// `None`: the default language's, or the one that fits the language.
    pub voice: Option<Voice>,
    /// Digits without the plus.
    pub callers: Vec<String>,
    /// Small letters.
    pub called: Vec<String>,
    pub listen: Vec<ListenAddress>,
}

impl Config {
    /// Which calls are held in which language, where `default` is that of the default playbook.
    pub fn language_rules(&self, default: LanguageCode) -> Rules {
        let otherwise = self.speech.language.map_or(Choice::Detect, |_| Choice::Language(default));
        let mut rules = Rules::only(otherwise);
        for section in &self.languages {
            let choice = section.code.map_or(Choice::Detect, Choice::Language);
            rules.called.extend(section.called.iter().map(|user| (user.clone(), choice)));
            rules.callers.extend(section.callers.iter().map(|prefix| (prefix.clone(), choice)));
            let listen = section.listen.iter();
            rules.listen.extend(listen.map(|listen| (listen.transport, listen.address, choice)));
        }
        rules
    }

    /// Some calls begin without their language being known.
    pub fn detects_languages(&self) -> bool {
        self.speech.language.is_none() || self.languages.iter().any(|s| s.code.is_none())
    }

    /// The voice of a language whose section names none.
    pub fn voice_of(&self, code: LanguageCode, is_default: bool) -> Voice {
        if is_default {
            return self.speech.voice.clone();
        }
        match code {
            LanguageCode::ENGLISH => Voice::Slt,
            code => Voice::Espeak { language: code.to_string() },
        }
    }

    /// Every language that the engine may be asked for, the default first.
    pub fn spoken_languages(&self) -> Vec<LanguageCode> {
        let built_in = || self.converse.playbook.is_none().then_some(LanguageCode::ENGLISH);
        let mut codes: Vec<LanguageCode> =
            self.speech.language.or_else(built_in).into_iter().collect();
        for code in self.languages.iter().filter_map(|section| section.code) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes
    }
}

pub(super) fn language_or_auto(text: &str) -> Result<Option<LanguageCode>, Allowed> {
    match (text, LanguageCode::new(text)) {
        ("auto", _) => Ok(None),
        (_, Some(code)) => Ok(Some(code)),
        _ => allowed("two or three small letters as in en or de, or auto"),
    }
}

/// The default language needs a voice and a playbook that fit it.
pub(super) fn default_language(speech: &Speech, converse: &Converse, check: &mut Check<'_>) {
    let Some(code) = speech.language else { return };
    if speech.voice == Voice::Slt && code != LanguageCode::ENGLISH {
        let fault =
            allowed::<()>(format!("a voice for {code}, as in espeak:{code}; slt is English"));
        check.take("speech.voice", "slt", fault);
    }
    if let Some(fault) = wrong_language(&speech.voice, code) {
        check.take("speech.voice", code.as_str(), fault);
    }
    if converse.playbook.is_none() && !is_shipped(code) {
        check.take("converse.playbook", "", no_playbook(code));
    }
}

/// A voice of the shelf that does not speak the language.
fn wrong_language(voice: &Voice, code: LanguageCode) -> Option<Result<(), Allowed>> {
    match voice {
        Voice::Neural(voice) if !voice.may_speak(code.as_str()) => {
            Some(allowed(format!("a voice for {code}; {} is none", voice.written)))
        }
        _ => None,
    }
}

fn is_shipped(code: LanguageCode) -> bool {
    SHIPPED.iter().any(|(shipped, _)| *shipped == code.as_str())
}

fn no_playbook(code: LanguageCode) -> Result<(), Allowed> {
    let shipped: Vec<&str> = SHIPPED.iter().map(|(code, _)| *code).collect();
    allowed(format!("a file in {code}; inside the program are {}", shipped.join(", ")))
}

pub(super) fn languages(
    file: &File,
    sip: Option<&Sip>,
    check: &mut Check<'_>,
) -> Option<Vec<Language>> {
    if file.language.len() > SECTIONS {
        let fault = allowed::<()>(format!("at most {SECTIONS} sections"));
        check.take("language", file.language.len(), fault);
    }
    let sections: Vec<Option<Language>> =
        file.language.iter().map(|section| one(section, file, sip, check)).collect();
    once_each(&file.language, check);
    let detects = file.speech.language == "auto" || file.language.iter().any(|s| s.code == "auto");
    for section in &file.language {
        let rules = section.callers.len() + section.called.len() + section.listen.len();
        let is_auto = section.code == "auto";
        let key = format!("language.{}", section.code);
        // What is wrong there may have been a rule.
        if check.has_fault_in(&format!("{key}.")) {
            continue;
        }
        if rules == 0 && (is_auto || !detects) && section.code != file.speech.language {
            let fault = allowed::<()>("callers, called or listen: no call would be held in it");
            check.take(&key, "...", fault);
        }
    }
    sections.into_iter().collect()
}

fn one(
    section: &file::Language,
    file: &File,
    sip: Option<&Sip>,
    check: &mut Check<'_>,
) -> Option<Language> {
    let key = |name: &str| format!("language.{}.{name}", section.code);
    let code = check.take(&key("code"), &section.code, language_or_auto(&section.code));
    let is_own = code.is_some_and(|code| code.is_some()) && section.code != file.speech.language;
    for (name, value) in [("playbook", &section.playbook), ("voice", &section.voice)] {
        if !is_own && !value.is_empty() {
            let place = if name == "voice" { "speech.voice" } else { "converse.playbook" };
            check.take(&key(name), value, allowed::<()>(format!("empty; it stands in {place}")));
        }
    }
    if let Some(code) = code.flatten().filter(|code| is_own && !is_shipped(*code))
        && section.playbook.is_empty()
    {
        check.take(&key("playbook"), "", no_playbook(code));
    }
    let voice = match section.voice.as_str() {
        "" => Ok(None),
        "slt" if section.code != "en" => {
            allowed(format!("a voice for {0}, as in espeak:{0}; slt is English", section.code))
        }
        voice => Voice::try_from(voice).map(Some),
    };
    let voice = check.take(&key("voice"), &section.voice, voice);
    if let (Some(Some(voice)), Some(Some(code))) = (&voice, code)
        && let Some(fault) = wrong_language(voice, code)
    {
        check.take(&key("voice"), &section.voice, fault);
    }
    let mut list = |name: &str, texts: &[String], of: &dyn Fn(&str) -> Result<String, Allowed>| {
        let taken: Vec<String> =
            texts.iter().filter_map(|text| check.take(&key(name), text, of(text))).collect();
        (taken.len() == texts.len()).then_some(taken)
    };
    let callers = list("callers", &section.callers, &prefix);
    let called = list("called", &section.called, &user);
    let mut listen = Vec::new();
    for text in &section.listen {
        let outcome = ListenAddress::try_from(text.as_str()).and_then(|address| match sip {
            Some(sip) if !sip.listen.contains(&address) => {
                allowed("one of the addresses of sip.listen")
            }
            _ => Ok(address),
        });
        listen.push(check.take(&key("listen"), text, outcome));
    }
    Some(Language {
        code: code?,
        playbook: path(&section.playbook),
        voice: voice?,
        callers: callers?,
        called: called?,
        listen: listen.into_iter().collect::<Option<_>>()?,
    })
}

fn prefix(text: &str) -> Result<String, Allowed> {
    match text.strip_prefix('+') {
        Some(digits)
            if (1..=DIGITS).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Ok(digits.to_owned())
        }
        _ => allowed(format!("a plus and 1 to {DIGITS} digits, as in +7 or +4930")),
    }
}

fn user(text: &str) -> Result<String, Allowed> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"@<>:;".contains(c);
    match text.chars().count() {
        1..=USER_CHARS if text.chars().all(plain) => Ok(text.to_lowercase()),
        _ => allowed("the part before the @ of what was called, as in ru or +74951234567"),
    }
}

/// A code, a prefix, a called user and an address stand in one section only.
fn once_each(sections: &[file::Language], check: &mut Check<'_>) {
    let mut seen: Vec<(&str, String)> = Vec::new();
    for section in sections {
        let code = std::iter::once(("code", &section.code));
        let callers = section.callers.iter().map(|text| ("callers", text));
        let called = section.called.iter().map(|text| ("called", text));
        let listen = section.listen.iter().map(|text| ("listen", text));
        for (name, text) in code.chain(callers).chain(called).chain(listen) {
            let entry = (name, text.to_lowercase());
            if seen.contains(&entry) {
                let key = format!("language.{}.{name}", section.code);
                check.take(&key, text, allowed::<()>("each once"));
            }
            seen.push(entry);
        }
    }
}
