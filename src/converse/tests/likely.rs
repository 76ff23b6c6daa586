//! What a recogniser is told that the caller is likely to say.

use super::desk::Desk;
use crate::converse::playbook::SHIPPED;
use crate::converse::{Input, Playbook, Settings};

fn desk() -> Desk {
    let text = format!("vocabulary = [\"EuroPallet\"]\n{}", SHIPPED[0].1);
    let mut desk = Desk::with(Playbook::parse(&text).expect("valid"), Settings::default());
    desk.give(Input::Connected);
    desk.play();
    desk
}

fn hear(desk: &mut Desk, text: &str) -> Vec<String> {
    desk.hear(text);
    desk.play();
    desk.conversation.likely()
}

#[test]
fn what_was_asked_for_comes_first_then_the_firms_words_and_what_can_be_wished() {
    let mut desk = desk();
    let open = desk.conversation.likely();
    assert_eq!(open[0], "EuroPallet");
    assert!(open.iter().any(|phrase| phrase == "cancel an order"), "{open:?}");
    // A number, then a yes or a no.
    assert_eq!(hear(&mut desk, "cancel my order")[..2], ["0 1 2 3 4 5 6 7 8 9", "EuroPallet"]);
    let asked = hear(&mut desk, "4729");
    assert_eq!(asked[..3], ["yes", "no", "EuroPallet"]);
    assert!(!asked.iter().any(|phrase| phrase == "cancel an order"), "{asked:?}");
}

#[test]
fn nothing_that_a_caller_has_said_is_among_it() {
    let mut desk = desk();
    hear(&mut desk, "I want to leave a message.");
    let likely = hear(&mut desk, "Anna Smith");
    assert!(likely.iter().all(|phrase| !phrase.contains("Anna")), "{likely:?}");
    let text = hear(&mut desk, "0405550100");
    assert!(text.iter().all(|phrase| !phrase.contains("0405550100")), "{text:?}");
}
