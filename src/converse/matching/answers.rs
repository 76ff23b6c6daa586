//! Yes and no in all their forms, and what else answers a question without being content.

use super::tokens::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
}

const YES: &str = "yes|yes please|sure|of course|certainly|absolutely|definitely|correct|right|exactly|\
    okay|all right|alright|fine|perfect|good|great|that is right|that is correct|that is it|this is correct|\
    that is fine|that is good|it is correct|it is right|sounds good|go ahead|do that|do it|please do|i do|\
    i would|i am|it is|of course yes|affirmative|indeed|why not|mhm yes|true|that is true|you got it|ja|\
    yes it is|yes i do|yes i would|yes that is right|yes that is correct|uhhuh|right yes|very good";
const NO: &str = "no|no thank you|no thanks|not|incorrect|wrong|false|not right|not correct|that is wrong|\
    this is wrong|it is wrong|that is not right|that is not correct|that is incorrect|it is not|it is not correct|\
    i do not|i do not think so|not really|not at all|never|negative|never mind|do not|please do not|\
    no it is not|no i do not|no that is wrong|not quite|that is not it|nothing|nothing else|no nothing|\
    that is all|that is everything|that was all|that will be all|thanks no|nein";
const DO_NOT_KNOW: &str = "i do not know|i do not have it|i do not have one|i do not have the number|\
    i do not have a number|i have not got it|no idea|i have no idea|do not know|i lost it|i forgot|\
    i can not find it|i do not remember|i do not have that|i have no number|there is no number|not sure|\
    i am not sure";

/// The answer in `tokens`: at the beginning (`yes, that is correct`, `no, it is 4728`) or else in a
/// sentence of its own (`thank you. Yes.`).
pub fn yes_no(tokens: &[Token]) -> Option<Answer> {
    one_answer(tokens)
        .or_else(|| tokens.chunk_by(|a, b| a.sentence == b.sentence).skip(1).find_map(one_answer))
}

fn one_answer(tokens: &[Token]) -> Option<Answer> {
    let words: Vec<&str> = tokens
        .iter()
        .map(|t| t.word.as_str())
        .skip_while(|word| matches!(*word, "oh" | "well" | "so" | "and" | "hey" | "actually"))
        .collect();
    if do_not_know(tokens) {
        return None;
    }
    let whole: Vec<&str> =
        words.iter().copied().filter(|w| !matches!(*w, "please" | "just" | "very")).collect();
    let text = whole.join(" ");
    if is_one_of(NO, &text) {
        return Some(Answer::No);
    }
    if is_one_of(YES, &text) {
        return Some(Answer::Yes);
    }
    leading(&words)
}

/// A first word that decides, whatever follows: `no, I meant ...`, `yes, and ...`.
fn leading(words: &[&str]) -> Option<Answer> {
    match words {
        ["no", "problem", ..] => Some(Answer::Yes),
        ["no" | "incorrect" | "wrong" | "nein", ..] => Some(Answer::No),
        ["not", "yet" | "right" | "correct" | "quite", ..] => Some(Answer::No),
        ["that" | "this" | "it", "is", "not" | "wrong" | "incorrect", ..] => Some(Answer::No),
        ["yes" | "correct" | "exactly" | "sure" | "absolutely" | "certainly" | "ja", ..] => {
            Some(Answer::Yes)
        }
        ["that" | "this" | "it", "is", "right" | "correct" | "fine", ..] => Some(Answer::Yes),
        ["of", "course", ..] | ["all", "right", ..] | ["go", "ahead", ..] => Some(Answer::Yes),
        [
            "okay" | "right" | "fine" | "perfect" | "good",
            "thank" | "thanks" | "yes" | "that",
            ..,
        ] => Some(Answer::Yes),
        _ => None,
    }
}

/// The caller has no answer to the question.
pub fn do_not_know(tokens: &[Token]) -> bool {
    let text = content(tokens);
    let whole = super::tokens::joined(tokens);
    is_one_of(DO_NOT_KNOW, &text)
        || is_one_of(DO_NOT_KNOW, &whole)
        || text.starts_with("i do not know ")
        || text.starts_with("i do not have ")
        || text.starts_with("i have not got ")
}

/// Where what the caller takes back ends and the correction starts: the token after the last
/// `meant`, `sorry`, `no`, `actually`, `correction`, `rather`.
pub fn correction_start(tokens: &[Token]) -> Option<usize> {
    let marks = ["no", "meant", "sorry", "actually", "correction", "rather", "wait"];
    let last = tokens.iter().rposition(|t| marks.contains(&t.word.as_str()))?;
    if last + 1 < tokens.len() { Some(last + 1) } else { None }
}

fn content(tokens: &[Token]) -> String {
    let words: Vec<&str> = tokens
        .iter()
        .map(|t| t.word.as_str())
        .filter(|w| !matches!(*w, "sorry" | "well" | "oh" | "no" | "please" | "actually"))
        .collect();
    words.join(" ")
}

fn is_one_of(list: &str, text: &str) -> bool {
    list.split('|').any(|entry| entry.trim() == text)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokenise;
    use super::*;

    #[test]
    fn yes_and_no_in_all_forms() {
        let yes = [
            "Yes.",
            "Yes, please.",
            "Yeah.",
            "Yep",
            "Okay.",
            "Sure.",
            "Correct.",
            "That is right.",
            "That's correct.",
            "Yes, that is correct.",
            "Of course.",
            "Go ahead.",
            "Right.",
            "All right.",
            "Oh yes",
            "Absolutely!",
            "Well, yes.",
            "No problem.",
            "It is.",
            "Yes, thank you.",
            "Okay, thanks",
        ];
        let no = [
            "No.",
            "No, thank you.",
            "Nope.",
            "No, that is wrong.",
            "That's not right.",
            "Wrong.",
            "Not really.",
            "I don't think so.",
            "It isn't.",
            "No, it's 4728.",
            "That is incorrect.",
            "No thanks",
            "That's all.",
            "Nothing else.",
            "Never mind.",
            "Please don't.",
        ];
        let neither = [
            "Maybe.",
            "I don't know.",
            "4729",
            "Where is my parcel?",
            "Thank you.",
            "Goodbye.",
            "",
            "My name is Anna.",
            "I'm not sure.",
        ];
        for text in yes {
            assert_eq!(yes_no(&tokenise(text)), Some(Answer::Yes), "{text}");
        }
        for text in no {
            assert_eq!(yes_no(&tokenise(text)), Some(Answer::No), "{text}");
        }
        for text in neither {
            assert_eq!(yes_no(&tokenise(text)), None, "{text}");
        }
    }

    #[test]
    fn not_knowing_is_an_answer_of_its_own() {
        for text in [
            "I don't know.",
            "Sorry, I don't have it.",
            "No idea.",
            "I don't have the number here.",
        ] {
            assert!(do_not_know(&tokenise(text)), "{text}");
        }
        assert!(!do_not_know(&tokenise("4729")));
    }
}
