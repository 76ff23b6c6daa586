//! The sections `[[person]]` and `[handover]`: whom callers can be put through to, and how they wait.

use std::time::Duration;

use super::checked::Check;
use super::file;
use super::values::{Allowed, allowed, within};
use crate::appliance::handset::SCHEME;
use crate::base::{Private, limits};
use crate::call::HoldSound;
use crate::converse::people::{Address, Hours, People, Person, PersonId, Way};
use crate::sip::message::Uri;

/// Phrases of one person, and characters of one or of a name.
const PHRASES: usize = 20;
const CHARS: usize = 60;
/// Digits of a number that is called, with prefixes.
const DIGITS: usize = 20;
const URI_BYTES: usize = 255;

pub(super) fn people(sections: &[file::Person], check: &mut Check<'_>) -> Option<People> {
    if sections.len() > limits::PEOPLE {
        let fault = allowed::<()>(format!("at most {} sections", limits::PEOPLE));
        check.take("person", sections.len(), fault);
    }
    let people: Vec<Option<Person>> =
        sections.iter().map(|section| one(section, sections, check)).collect();
    for (index, section) in sections.iter().enumerate() {
        let is_same = |other: &file::Person| other.name.eq_ignore_ascii_case(&section.name);
        if sections.iter().take(index).any(is_same) {
            let key = format!("person.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once"));
        }
    }
    people.into_iter().collect::<Option<Vec<_>>>().map(People::new)
}

pub(super) fn hold(file: &file::Handover, check: &mut Check<'_>) -> Option<HoldSound> {
    let hold = match file.hold.as_str() {
        "ringing" => Ok(HoldSound::Ringing),
        "music" => Ok(HoldSound::Music),
        "silence" => Ok(HoldSound::Silence),
        _ => allowed("ringing, music or silence"),
    };
    check.take("handover.hold", &file.hold, hold)
}

fn one(section: &file::Person, all: &[file::Person], check: &mut Check<'_>) -> Option<Person> {
    let key = |name: &str| format!("person.{}.{name}", section.name);
    let speakable = |text: &str| {
        let count = text.trim().chars().count();
        let is_plain = |c: char| c.is_alphanumeric() || " .,'-".contains(c);
        (1..=CHARS).contains(&count) && text.chars().all(is_plain)
    };
    let name = match section.name.trim() {
        name if speakable(name) => Ok(name.to_owned()),
        _ => allowed(format!("a name as it is said, at most {CHARS} letters")),
    };
    let name = check.take(&key("name"), &section.name, name);
    let fits = |phrase: &String| {
        (1..=CHARS).contains(&phrase.chars().count()) && !phrase.contains(['{', '}'])
    };
    let phrases = match &section.phrases {
        phrases if phrases.len() <= PHRASES && phrases.iter().all(fits) => Ok(phrases.clone()),
        _ => allowed(format!(
            "at most {PHRASES} phrases, each of at most {CHARS} characters and without braces"
        )),
    };
    let phrases = check.take(&key("phrases"), &section.phrases, phrases);
    let address = check.take(&key("address"), &section.address, address(&section.address));
    let hours = match (section.hours.trim(), Hours::parse(&section.hours)) {
        ("", _) => Ok(None),
        (_, Some(hours)) => Ok(Some(hours)),
        _ => allowed("days and times as in Mon-Fri 08:00-18:00, Sat 09:00-13:00"),
    };
    let hours = check.take(&key("hours"), &section.hours, hours);
    let ring = within(section.ring_s, 5, 120).map(|s| Duration::from_secs(s.into()));
    let ring = check.take(&key("ring_s"), section.ring_s, ring);
    let way = match section.by.as_str() {
        "refer" => Ok(Way::Refer),
        "bridge" => Ok(Way::Bridge),
        "attended" => Ok(Way::Attended),
        _ => allowed("refer, bridge or attended"),
    };
    // A tel: URI means something to an exchange only.
    let is_tel = section.address.trim_start().starts_with("tel:");
    let is_local = section.address.trim_start().starts_with(SCHEME);
    let way = match way {
        // Nobody else has a way to a handset of ours.
        Ok(Way::Refer | Way::Bridge) if is_local => Ok(Way::Bridge),
        Ok(Way::Attended) if is_local => {
            allowed("refer or bridge, which are the same for a handset of this box")
        }
        Ok(Way::Bridge | Way::Attended) if is_tel => {
            allowed("refer for a tel: URI, or a telephone number")
        }
        way => way,
    };
    let way = check.take(&key("by"), &section.by, way);
    let then = then(section, all);
    let then = check.take(&key("then"), &section.then, then);
    Some(Person {
        name: name?,
        phrases: phrases?,
        address: address?,
        hours: hours?,
        way: way?,
        then: then?,
        ring: ring?,
    })
}

/// Who is tried next: another one of the sections.
fn then(section: &file::Person, all: &[file::Person]) -> Result<Option<PersonId>, Allowed> {
    let wanted = section.then.trim();
    if wanted.is_empty() {
        return Ok(None);
    }
    let is_wanted = |other: &file::Person| {
        other.name.trim().eq_ignore_ascii_case(wanted)
            && !other.name.eq_ignore_ascii_case(&section.name)
    };
    match all.iter().position(is_wanted) {
        Some(index) => Ok(Some(PersonId(index))),
        None => allowed("the name of another person"),
    }
}

fn address(text: &str) -> Result<Address, Allowed> {
    let wrong = "a SIP URI as in sip:anna@192.0.2.5, a telephone number as in +49 30 123456, or local: and the \
                 name of a handset";
    let text = text.trim();
    let is_written = |c: char| c.is_ascii_digit() || " -()./".contains(c);
    if !text.is_empty() && text.strip_prefix('+').unwrap_or(text).chars().all(is_written) {
        let number: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        return match number.trim_start_matches('+').len() {
            1..=DIGITS => Ok(Address::Number(Private::new(number))),
            _ => allowed(wrong),
        };
    }
    if text.starts_with(SCHEME) && text.len() <= URI_BYTES && !text.contains(char::is_whitespace) {
        return Ok(Address::Uri(Private::new(text.to_owned())));
    }
    // Header fields in a URI would be ours to the other side; `<` would end it.
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>\"?,".contains(c);
    match Uri::parse(text) {
        Some(uri)
            if text.len() <= URI_BYTES
                && text.chars().all(is_plain)
                && uri.user_as_read().is_ok()
                && (uri.is_sip() && uri.host().is_some() || uri.scheme() == "tel") =>
        {
            Ok(Address::Uri(Private::new(text.to_owned())))
        }
        _ => allowed(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_uri_or_a_number() {
        for (text, expected) in [
            ("sip:anna@192.0.2.5", Some("sip:anna@192.0.2.5")),
            ("sips:anna@example.com;transport=tcp", Some("sips:anna@example.com;transport=tcp")),
            ("tel:+4930123456", Some("tel:+4930123456")),
            (" +49 (30) 123-456 ", Some("+4930123456")),
            ("112", Some("112")),
            ("local:desk", Some("local:desk")),
            ("local:two words", None),
            ("", None),
            ("anna", None),
            ("+", None),
            ("sip:", None),
            ("http://example.com", None),
            ("sip:%2B4930123456@192.0.2.5", Some("sip:%2B4930123456@192.0.2.5")),
            ("sip:%2B49301234%5@192.0.2.5", None),
            ("sip:anna@192.0.2.5?Replaces=x", None),
            ("sip:anna@192.0.2.5>\r\nX: y", None),
            ("123456789012345678901", None),
        ] {
            let read = address(text).ok().map(|address| match address {
                Address::Uri(text) | Address::Number(text) => text.into_revealed(),
            });
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }
}
