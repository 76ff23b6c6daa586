//! What the engine says of each word goes all the way to what is answered.

use super::*;

/// The engine hardly believes the word `doubted`.
pub(super) fn lower(recognition: &mut Recognition, doubted: &str) {
    let Recognition { text, words, .. } = recognition;
    let is_doubted =
        |start: u32, end: u32| text.reveal().get(start as usize..end as usize) == Some(doubted);
    let found = words.iter_mut().filter(|word| is_doubted(word.start, word.end));
    found.for_each(|word| word.probability = 0.02);
}

#[test]
fn a_doubtful_filler_harms_no_number_and_a_doubtful_number_is_asked_for_again() {
    let table = [
        ("", "That is 4729. Is that right?"),
        ("um", "That is 4729. Is that right?"),
        ("order", "That is 4729. Is that right?"),
        ("4729", "Sorry, I did not catch that. Please say your order number"),
    ];
    for (doubted, reply) in table {
        let mut desk = Desk::talking();
        desk.run(1_000, false);
        desk.says("Track my order.");
        desk.texts.clear();
        desk.doubted = doubted;
        desk.says("um my order number is 4729");
        let said = desk.replies().pop().unwrap();
        assert!(said.starts_with(reply), "{doubted}: {said}");
    }
}

#[test]
fn what_was_not_understood_is_asked_for_again_sooner_than_a_dictation_is_over() {
    let waited_ms = |before: &[&'static str]| {
        let mut desk = Desk::talking();
        desk.run(1_000, false);
        for said in before {
            desk.says(said);
            desk.texts.clear();
        }
        desk.says("[INAUDIBLE]");
        desk.call.record().turns().last().unwrap().endpoint_ms
    };
    assert_eq!(waited_ms(&[]), 300);
    assert_eq!(waited_ms(&["I want to speak to a person."]), 500, "what is it about?");
}
