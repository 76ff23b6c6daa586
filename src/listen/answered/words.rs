//! What the first words say of who answered: they may tell sooner than the length does.
//!
//! Phrases are whole words of the text in lower case; `~` at a word's end stands for any ending. All
//! languages are looked at, since who answers speaks whatever he speaks.

use super::Verdict;

/// Asks who calls, to let a person decide whether to take it: said by telephones and assistants. Looked
/// for first, for it may speak of messages and of people who are not there, too.
const SCREENING: &[&str] = &[
    "state your name",
    "say your name",
    "record your name",
    "your name and reason",
    "your name and the reason",
    "reason for calling",
    "reason for your call",
    "why you are calling",
    "why youre calling",
    "screening service",
    "call screening",
    "call assistant",
    "if this person is available",
    "to accept this call",
    "представьтесь",
    "назовите себя",
    "назовите ваше имя",
    "назовите свое имя",
    "цел~ звонка",
    "цел~ вашего звонка",
    "причин~ звонка",
    "причин~ вашего звонка",
    "голосов~ помощник~",
    "голосов~ ассистент~",
    "виртуальн~ секретар~",
    "электронн~ секретар~",
    "что передать",
];
/// Said by machines, and by networks in place of who was called.
const MACHINE: &[&str] = &[
    "leave a message",
    "leave me a message",
    "leave us a message",
    "leave your message",
    "leave a brief message",
    "leave a short message",
    "leave your name",
    "record your message",
    "record a message",
    "after the tone",
    "after the beep",
    "at the tone",
    "at the beep",
    "voicemail",
    "voice mail",
    "voice messaging",
    "mailbox",
    "answering machine",
    "not available",
    "isnt available",
    "is unavailable",
    "unable to take",
    "unable to answer",
    "cant take your call",
    "cannot take your call",
    "cant come to the phone",
    "cannot come to the phone",
    "cant get to the phone",
    "cannot get to the phone",
    "missed your call",
    "get back to you",
    "return your call",
    "you have reached",
    "youve reached",
    "away from my desk",
    "been forwarded to",
    "not in service",
    "оставьте сообщение",
    "оставьте ваше сообщение",
    "оставьте свое сообщение",
    "оставьте мне сообщение",
    "оставить сообщение",
    "после сигнала",
    "после звукового сигнала",
    "после гудка",
    "автоответчик~",
    "голосов~ почт~",
    "не может ответить",
    "не могу ответить",
    "не могу подойти",
    "не можем ответить",
    "недоступен",
    "недоступна",
    "вне зоны",
    "перезвоните позже",
    "позвоните позже",
    "я вам перезвоню",
    "мы вам перезвоним",
    "аппарат абонента",
    "абонент не",
    "номер не обслуживается",
    "вы позвонили",
];
/// Said by people, and nothing beside it.
const PERSON: &[&str] = &[
    "hello",
    "hello hello",
    "hi",
    "yes",
    "yes hello",
    "yeah",
    "yep",
    "speaking",
    "hello who is this",
    "hello whos this",
    "who is this",
    "whos this",
    "who is calling",
    "whos calling",
    "hello who is calling",
    "алло",
    "але",
    "алло алло",
    "да",
    "да алло",
    "алло да",
    "слушаю",
    "да слушаю",
    "слушаю вас",
    "я слушаю",
    "говорите",
    "кто это",
    "алло кто это",
];

/// Said by people at a desk, among whatever else, so that a long greeting is not a machine's by its length.
const AT_A_DESK: &[&str] = &[
    "my name is",
    "speaking",
    "how can i help",
    "how may i help",
    "how can we help",
    "what can i do for you",
    "меня зовут",
    "чем могу помочь",
    "чем я могу помочь",
    "чем могу быть полез~",
];

/// Person, machine or screening, where the words tell.
pub(super) fn verdict(text: &str) -> Option<Verdict> {
    let words = words(text);
    let says = |phrases: &[&str]| {
        phrases.iter().any(|phrase| {
            let wanted: Vec<&str> = phrase.split(' ').collect();
            words.windows(wanted.len()).any(|said| is_phrase(said, &wanted))
        })
    };
    if says(SCREENING) {
        return Some(Verdict::Screening);
    }
    if says(MACHINE) {
        return Some(Verdict::Machine);
    }
    let whole = words.join(" ");
    (PERSON.contains(&whole.as_str()) || says(AT_A_DESK)).then_some(Verdict::Person)
}

fn is_phrase(said: &[String], wanted: &[&str]) -> bool {
    said.iter().zip(wanted).all(|(said, wanted)| match wanted.strip_suffix('~') {
        Some(stem) => said.starts_with(stem),
        None => said == wanted,
    })
}

/// Words in lower case, without apostrophes and other marks.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace('ё', "е").replace(['\'', '’'], "");
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_tell_who_answered() {
        for (text, expected) in [
            ("Hello?", Some(Verdict::Person)),
            ("Алло, да?", Some(Verdict::Person)),
            ("Да, слушаю.", Some(Verdict::Person)),
            ("Hi, this is Tom. Please leave a message", Some(Verdict::Machine)),
            ("I can't come to the phone right now", Some(Verdict::Machine)),
            ("You’ve reached Acme", Some(Verdict::Machine)),
            (
                "Your call has been forwarded to an automatic voice messaging",
                Some(Verdict::Machine),
            ),
            ("Sorry, he is not available", Some(Verdict::Machine)),
            ("Здравствуйте, оставьте сообщение после сигнала", Some(Verdict::Machine)),
            ("Аппарат абонента выключен", Some(Verdict::Machine)),
            ("Вас приветствует автоответчик", Some(Verdict::Machine)),
            ("Это голосовая почта", Some(Verdict::Machine)),
            (
                "If you record your name and reason for calling, I'll see if this person is available",
                Some(Verdict::Screening),
            ),
            ("Please state your name after the tone", Some(Verdict::Screening)),
            ("Здравствуйте, это голосовой помощник, представьтесь", Some(Verdict::Screening)),
            ("Good morning, Acme, my name is Maria", Some(Verdict::Person)),
            ("Acme logistics, how can I help you?", Some(Verdict::Person)),
            ("Компания Акме, меня зовут Мария", Some(Verdict::Person)),
            ("My name is Maria, I am not available", Some(Verdict::Machine)),
            ("Acme logistics, good morning", None),
            ("Yes, but what is your address", None),
            ("A lease", None),
            ("", None),
            ("?! 12", None),
        ] {
            assert_eq!(verdict(text), expected, "{text}");
        }
    }

    #[test]
    fn phrases_are_written_as_the_words_of_a_text_are() {
        for phrase in [SCREENING, MACHINE, PERSON, AT_A_DESK].concat() {
            let bare = phrase.replace('~', "");
            assert_eq!(words(&bare).join(" "), bare);
        }
    }
}
