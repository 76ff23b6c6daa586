//! Yes and no in all their forms, and what else answers a question without being content.

use super::grammar::is_one_of;
use super::tokens::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
}

/// The answer in `tokens`: at the beginning (`yes, that is correct`, `no, it is 4728`) or else in a
/// sentence of its own (`thank you. Yes.`).
pub fn yes_no(tokens: &[Token]) -> Option<Answer> {
    one_answer(tokens)
        .or_else(|| tokens.chunk_by(|a, b| a.sentence == b.sentence).skip(1).find_map(one_answer))
}

fn one_answer(tokens: &[Token]) -> Option<Answer> {
    let answers = &tokens.first()?.grammar.answers;
    let words: Vec<&str> = tokens
        .iter()
        .map(|t| t.word.as_str())
        .skip_while(|word| answers.openers.contains(word))
        .collect();
    if do_not_know(tokens) {
        return None;
    }
    let whole: Vec<&str> = words.iter().copied().filter(|w| !answers.padding.contains(w)).collect();
    let text = whole.join(" ");
    if is_one_of(answers.no, &text) {
        return Some(Answer::No);
    }
    if is_one_of(answers.yes, &text) {
        return Some(Answer::Yes);
    }
    (answers.leading)(&words)
}

/// The caller has no answer to the question.
pub fn do_not_know(tokens: &[Token]) -> bool {
    let Some(first) = tokens.first() else { return false };
    let answers = &first.grammar.answers;
    let content: Vec<&str> =
        tokens.iter().map(|t| t.word.as_str()).filter(|w| !answers.excuses.contains(w)).collect();
    let text = content.join(" ");
    let whole = super::tokens::joined(tokens);
    is_one_of(answers.do_not_know, &text)
        || is_one_of(answers.do_not_know, &whole)
        || answers.do_not_know_starts.iter().any(|start| text.starts_with(start))
}

/// Where what the caller takes back ends and the correction starts: the token after the last
/// `meant`, `sorry`, `no`, `actually`, `correction`, `rather`.
pub fn correction_start(tokens: &[Token]) -> Option<usize> {
    let marks = tokens.first()?.grammar.corrections.marks;
    let last = tokens.iter().rposition(|t| t.is_one_of(marks))?;
    if last + 1 < tokens.len() { Some(last + 1) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::english as tokenise;
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
