//! The recogniser is told what the conversation expects.

use super::*;

#[test]
fn each_decode_has_the_hint_of_the_question_that_is_open() {
    let mut desk = Desk::talking();
    desk.run(1_000, false);
    for text in ["I want to cancel my order", "4729", "yes"] {
        desk.texts.clear();
        desk.says(text);
    }
    let first = |hint: &listen::Hint| hint.phrases()[0].clone();
    let firsts: Vec<String> = desk.hints.iter().map(first).collect();
    assert_eq!(firsts.len(), 3);
    assert_ne!(firsts[0], firsts[1]);
    assert_eq!(firsts[1..], ["0 1 2 3 4 5 6 7 8 9", "yes"]);
}
