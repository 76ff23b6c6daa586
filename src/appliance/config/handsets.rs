//! The sections `[[handset]]`: handsets and speakerphones of this machine.

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::file;
use super::tokens::name;
use super::values::{Allowed, allowed, within};
use crate::appliance::handset::{SCHEME, Settings, Sound, tone};
use crate::base::limits;

/// A section as it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handset {
    /// As it is addressed: `local:NAME` of a person.
    pub name: String,
    /// ALSA's name of the device, for both directions.
    pub device: String,
    /// Another one for the microphone. Empty: `device`.
    pub microphone: String,
    /// Another one for the bell and for announcements. Empty: `device`.
    pub ring_device: String,
    /// A loudspeaker in a room: its echo is taken out of what the microphone hears.
    pub hands_free: bool,
    /// `by-hand`, or `itself`: it takes each call after a beep.
    pub answer: String,
    /// Who calls is said where it rings.
    pub announce_calls: bool,
    /// The country in whose rhythm it rings.
    pub ring: String,
    /// How loud it rings, 0 to 100.
    pub ring_volume: i64,
}

impl Default for Handset {
    fn default() -> Self {
        Self {
            name: String::new(),
            device: String::new(),
            microphone: String::new(),
            ring_device: String::new(),
            hands_free: false,
            answer: "by-hand".to_owned(),
            announce_calls: true,
            ring: "de".to_owned(),
            ring_volume: 50,
        }
    }
}

/// Characters of a device's name.
const DEVICE_CHARS: usize = 128;

pub(super) fn handsets(sections: &[file::Handset], check: &mut Check<'_>) -> Option<Vec<Settings>> {
    if !cfg!(feature = "alsa") && !sections.is_empty() {
        let fault = allowed::<()>("none: this program was built without ALSA");
        check.take("handset", sections.len(), fault);
    }
    if sections.len() > limits::HANDSETS {
        let fault = allowed::<()>(format!("at most {} sections", limits::HANDSETS));
        check.take("handset", sections.len(), fault);
    }
    let all: Vec<Option<Settings>> = sections.iter().map(|section| one(section, check)).collect();
    for (index, section) in sections.iter().enumerate() {
        if sections.iter().take(index).any(|other| other.name == section.name) {
            let key = format!("handset.{}.name", section.name);
            check.take(&key, &section.name, allowed::<()>("each once"));
        }
    }
    all.into_iter().collect()
}

/// People whose address is a handset's are reached by a section that there is.
pub(super) fn people_are_there(file: &file::File, check: &mut Check<'_>) {
    for person in &file.person {
        let wanted = person.address.trim().strip_prefix(SCHEME);
        let is_there = |wanted: &str| file.handset.iter().any(|handset| handset.name == wanted);
        if wanted.is_some_and(|wanted| !is_there(wanted)) {
            let key = format!("person.{}.address", person.name);
            let fault = allowed::<()>("local: and the name of a section [[handset]]");
            check.take(&key, &person.address, fault);
        }
    }
}

fn one(section: &file::Handset, check: &mut Check<'_>) -> Option<Settings> {
    let key = |name: &str| format!("handset.{}.{name}", section.name);
    let name = check.take(&key("name"), &section.name, name(&section.name));
    let loudspeaker = check.take(&key("device"), &section.device, device(&section.device));
    let or_device = |text: &str| match text.trim() {
        "" => device(&section.device),
        text => device(text),
    };
    let microphone =
        check.take(&key("microphone"), &section.microphone, or_device(&section.microphone));
    let bell = match section.ring_device.trim() {
        "" => Ok(None),
        text => device(text).map(Some),
    };
    let bell = check.take(&key("ring_device"), &section.ring_device, bell);
    let cadence = tone::cadence(section.ring.trim()).map_or_else(
        || allowed(format!("a country's code, one of {}", tone::countries().join(", "))),
        Ok,
    );
    let cadence = check.take(&key("ring"), &section.ring, cadence);
    let volume = within(section.ring_volume, 0, 100);
    let volume = check.take(&key("ring_volume"), section.ring_volume, volume);
    let answers_itself = match section.answer.as_str() {
        "by-hand" => Ok(false),
        "itself" => Ok(true),
        _ => allowed("by-hand or itself"),
    };
    let answers_itself = check.take(&key("answer"), &section.answer, answers_itself);
    let sound = Sound {
        name: name?,
        microphone: microphone?,
        loudspeaker: loudspeaker?,
        bell: bell?,
        is_hands_free: section.hands_free,
        cadence: cadence?,
        volume: f32::from(u8::try_from(volume?).unwrap_or(100)) / 100.0,
    };
    Some(Settings { sound, answers_itself: answers_itself?, announces: section.announce_calls })
}

/// A name that ALSA knows. A card's number is none: it is given in the order in which cards are found.
fn device(text: &str) -> Result<String, Allowed> {
    let text = text.trim();
    let wrong = "a device of ALSA's by its card's name, as in plughw:CARD=Handset,DEV=0 (aplay -L shows them); \
                 a card's number changes with the order in which cards are found";
    let (_, arguments) = text.split_once(':').unwrap_or((text, ""));
    let card = arguments.split(',').next().unwrap_or_default();
    let card = card.strip_prefix("CARD=").unwrap_or(card);
    let is_number = !card.is_empty() && card.chars().all(|c| c.is_ascii_digit());
    let is_plain = |c: char| c.is_ascii_graphic() && c != '"';
    match (1..=DEVICE_CHARS).contains(&text.len()) && text.chars().all(is_plain) && !is_number {
        true => Ok(text.to_owned()),
        false => allowed(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::super::from_text;

    fn section(more: &str) -> String {
        format!("[[handset]]\nname = \"desk\"\ndevice = \"plughw:CARD=Handset\"\n{more}\n")
    }

    #[cfg(feature = "alsa")]
    #[test]
    fn a_handset_is_named_by_its_card_and_reached_by_its_name() {
        let config = from_text(&section("")).unwrap();
        let sound = &config.handsets[0].sound;
        assert_eq!(
            (sound.microphone.as_str(), sound.bell.as_deref()),
            ("plughw:CARD=Handset", None)
        );
        assert!(!config.handsets[0].answers_itself && config.handsets[0].announces);
        let more = "microphone = \"hw:CARD=Mic\"\nring_device = \"sysdefault:CARD=PCH\"\n\
                    hands_free = true\nanswer = \"itself\"\nring = \"gb\"\nring_volume = 100";
        let config = from_text(&section(more)).unwrap();
        let sound = &config.handsets[0].sound;
        assert!(sound.is_hands_free && sound.volume == 1.0 && config.handsets[0].answers_itself);
        assert_eq!(sound.bell.as_deref(), Some("sysdefault:CARD=PCH"));
        let person = |address: &str, by: &str| {
            let more = format!("[[person]]\nname = \"Anna\"\naddress = \"{address}\"\n{by}");
            from_text(&section(&more))
        };
        let people = person("local:desk", "").unwrap().people;
        let (_, anna) = people.iter().next().unwrap();
        // The caller's own side has no way there.
        assert!(anna.way.is_called_by_us());
        let unknown = person("local:shed", "").unwrap_err().to_string();
        assert!(unknown.contains("person.Anna.address"), "{unknown}");
        assert!(person("local:desk", "by = \"attended\"").is_err());
    }

    #[cfg(feature = "alsa")]
    #[test]
    fn what_is_wrong_with_a_handset_is_named() {
        for (more, key) in [
            ("microphone = \"hw:0\"", "microphone"),
            ("microphone = \"plughw:1,0\"", "microphone"),
            ("microphone = \"hw:CARD=2,DEV=0\"", "microphone"),
            ("ring_device = \"two words\"", "ring_device"),
            ("ring = \"xx\"", "ring"),
            ("ring_volume = 101", "ring_volume"),
            ("answer = \"never\"", "answer"),
        ] {
            let error = from_text(&section(more)).unwrap_err().to_string();
            assert!(error.contains(&format!("handset.desk.{key}")), "{more}: {error}");
        }
        let nameless = "[[handset]]\nname = \"\"\ndevice = \"null\"\n";
        assert!(from_text(nameless).is_err());
        assert!(from_text(&section("").repeat(2)).is_err());
    }
}
