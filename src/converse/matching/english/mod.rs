//! English as callers speak it.

mod days;
mod times;

use super::answers::Answer;
use super::grammar::{Answers, Corrections, Grammar, Names, Words};
use super::numbers::Part;
use super::tokens::Token;

pub static ENGLISH: Grammar = Grammar {
    code: "en",
    words: Words {
        fillers: &["um", "uh", "er", "erm", "hm", "hmm", "mm", "mhm", "ah", "eh", "uhm", "ehm"],
        abbreviations: &["mr.", "mrs.", "ms.", "dr.", "st.", "a.m.", "p.m.", "no."],
        expand,
        common: COMMON,
        dangling: DANGLING,
        thinking: THINKING,
        negations: &["not", "never"],
        is_form,
        stem: |word| word.strip_suffix('s').unwrap_or(word),
        inflects_synonyms: false,
    },
    answers: Answers {
        yes: YES,
        no: NO,
        do_not_know: DO_NOT_KNOW,
        do_not_know_starts: &["i do not know ", "i do not have ", "i have not got "],
        openers: &["oh", "well", "so", "and", "hey", "actually"],
        backchannels: BACKCHANNELS,
        padding: &["please", "just", "very"],
        excuses: &["sorry", "well", "oh", "no", "please", "actually"],
        leading,
        spoken_yes: "yes",
        spoken_no: "no",
    },
    names: Names {
        openers: &[
            "yes", "sure", "okay", "oh", "hello", "hi", "no", "well", "sorry", "of", "course",
        ],
        introduced: introduced_name,
        stops: &["and", "speaking", "calling", "from", "here", "i"],
        tails: &["please", "speaking", "here", "thanks"],
    },
    corrections: Corrections {
        marks: &["no", "meant", "sorry", "actually", "correction", "rather", "wait"],
        meant: &["meant", "correction"],
        restarts: &["is", "number"],
        links: &["and", "then", "no", "sorry"],
    },
    number,
    number_link: "and",
    number_marks: &["dash", "hyphen", "minus", "slash", "space"],
    letter,
    letter_links: &[&["for"], &["like"], &["as", "in"]],
    day: days::find,
    time: times::find,
};

const COMMON: &str = "a the is are am was were be been do does did to of in on at for from with \
        it this that these those my your our i you we me us he she they him her and or but so \
        please would will could can should may might have has had just some any there here like \
        want need get got hello hi hey yes okay well now then as if about tell know say let sir \
        madam thanks thank very much really also";
const DANGLING: &str = "a the my your our their his her this and or but because if so to of in \
        on at for from with by about is are was were am be would will could can should want need \
        like have has i we they which who where when what than as until between into \
        number order's called named double triple plus dot dash hyphen slash st mr mrs";
const THINKING: &str = "wait|wait wait|hold on|hang on|let me see|let me think|let me check|let me look|\
    one moment|one second|one minute|a moment|a second|a minute|just a moment|just a second|\
    just a minute|give me a moment|give me a second|please hold|well|so|okay so|how do i say|you know|\
    i mean|let us see|bear with me";

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
const BACKCHANNELS: &str = "okay|ok|yeah|yep|yes|uhhuh|huh|mmhm|mmhmm|mhmm|aha|oh|right|sure|i see|\
    got it|all right|alright|good|great|fine";
const DO_NOT_KNOW: &str = "i do not know|i do not have it|i do not have one|i do not have the number|\
    i do not have a number|i have not got it|no idea|i have no idea|do not know|i lost it|i forgot|\
    i can not find it|i do not remember|i do not have that|i have no number|there is no number|not sure|\
    i am not sure";

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

/// The name after `my name is`, `this is`, `I am`, `it is`.
fn introduced_name(tokens: &[Token]) -> Option<usize> {
    let word = |at: usize| tokens.get(at).map(|t| t.word.as_str());
    (0..tokens.len()).find_map(|at| match (word(at)?, word(at + 1)?) {
        ("name", "is") => Some(at + 2),
        ("this" | "it" | "name's", "is") | ("i", "am") => {
            let next = tokens.get(at + 2)?;
            let capital = next.written.chars().next().is_some_and(char::is_uppercase);
            (capital && !next.is_common()).then_some(at + 2)
        }
        ("called" | "is", _) if at > 0 && word(at - 1) == Some("am") => Some(at + 1),
        _ => None,
    })
}

/// `parcels`, `tracking`: another form with an English ending.
fn is_form(short: &str, long: &str) -> bool {
    short.len() >= 3
        && long
            .strip_prefix(short)
            .is_some_and(|ending| matches!(ending, "s" | "es" | "d" | "ed" | "ing" | "ly" | "er"))
}

fn number(word: &str) -> Option<Part> {
    Some(match word {
        "zero" | "nought" | "naught" | "null" => Part::Unit(0),
        "one" => Part::Unit(1),
        "two" => Part::Unit(2),
        "three" => Part::Unit(3),
        "four" => Part::Unit(4),
        "five" => Part::Unit(5),
        "six" => Part::Unit(6),
        "seven" => Part::Unit(7),
        "eight" => Part::Unit(8),
        "nine" | "niner" => Part::Unit(9),
        "ten" => Part::Teen(10),
        "eleven" => Part::Teen(11),
        "twelve" => Part::Teen(12),
        "thirteen" => Part::Teen(13),
        "fourteen" => Part::Teen(14),
        "fifteen" => Part::Teen(15),
        "sixteen" => Part::Teen(16),
        "seventeen" => Part::Teen(17),
        "eighteen" => Part::Teen(18),
        "nineteen" => Part::Teen(19),
        "twenty" => Part::Tens(20),
        "thirty" => Part::Tens(30),
        "forty" | "fourty" => Part::Tens(40),
        "fifty" => Part::Tens(50),
        "sixty" => Part::Tens(60),
        "seventy" => Part::Tens(70),
        "eighty" => Part::Tens(80),
        "ninety" => Part::Tens(90),
        "hundred" => Part::Hundred,
        "thousand" => Part::Thousand,
        "double" => Part::Repeat(2),
        "triple" | "treble" => Part::Repeat(3),
        "quadruple" => Part::Repeat(4),
        "oh" | "o" => Part::Oh,
        "zeros" | "zeroes" | "ohs" | "noughts" => Part::Things(0),
        "ones" => Part::Things(1),
        "twos" => Part::Things(2),
        "threes" => Part::Things(3),
        "fours" => Part::Things(4),
        "fives" => Part::Things(5),
        "sixes" => Part::Things(6),
        "sevens" => Part::Things(7),
        "eights" => Part::Things(8),
        "nines" => Part::Things(9),
        _ => return None,
    })
}

/// Names of letters that mean nothing else, and the alphabet of the ITU, Radio Regulations, appendix 14.
fn letter(word: &str) -> Option<char> {
    let spelt = [
        "alpha", "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india",
        "juliet", "juliett", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec",
        "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "whisky", "xray", "yankee",
        "zulu", "zed", "zee",
    ];
    match word {
        "aitch" => Some('h'),
        "cue" => Some('q'),
        _ => spelt.contains(&word).then(|| word.chars().next()).flatten(),
    }
}

fn expand(word: &str) -> Vec<String> {
    let whole = match word {
        "can't" | "cannot" => "can not",
        "won't" => "will not",
        "let's" => "let us",
        "wanna" => "want to",
        "gonna" => "going to",
        "gotta" => "have to",
        "yeah" | "yep" | "yup" | "ya" => "yes",
        "nope" | "nah" => "no",
        "okay" | "ok" => "okay",
        "thanks" => "thanks",
        "a" | "an" => "a",
        "e" if word.len() == 1 => "e",
        _ => "",
    };
    if !whole.is_empty() {
        return whole.split(' ').map(str::to_owned).collect();
    }
    let endings = [
        ("n't", "not"),
        ("'re", "are"),
        ("'m", "am"),
        ("'ve", "have"),
        ("'ll", "will"),
        ("'d", "would"),
    ];
    for (ending, meaning) in endings {
        if let Some(stem) = word.strip_suffix(ending)
            && !stem.is_empty()
        {
            return vec![stem.to_owned(), meaning.to_owned()];
        }
    }
    match word.strip_suffix("'s") {
        Some(stem) if is_before_is(stem) => vec![stem.to_owned(), "is".to_owned()],
        Some(stem) if !stem.is_empty() => vec![stem.to_owned()],
        _ => vec![word.to_owned()],
    }
}

/// Words after which `'s` means `is`; elsewhere it is a possessive.
fn is_before_is(stem: &str) -> bool {
    let stems = [
        "where",
        "what",
        "when",
        "who",
        "how",
        "that",
        "it",
        "there",
        "here",
        "he",
        "she",
        "name",
        "number",
        "this",
        "which",
        "everything",
        "order",
    ];
    stems.contains(&stem)
}
