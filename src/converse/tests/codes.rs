//! A slot of letters and digits.

use super::desk::{Desk, run};
use crate::base::patience::Patience;
use crate::converse::playbook::SHIPPED;
use crate::converse::{Playbook, Settings};

#[test]
fn a_code_is_taken_in_one_turn_or_in_two_read_back_and_corrected() {
    let text = SHIPPED[0].1.replace("type = \"digits\"", "type = \"code\"");
    let mut desk = Desk::with(Playbook::parse(&text).expect("valid"), Settings::default());
    run(
        &mut desk,
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: cancel my order
         desk: Which order do you want to cancel? Please say its number.
         expect: Text
         pause: Some(800)
         caller: A B forty seven
         desk: You want to cancel order AB47. Is that right?
         caller: No, I meant A C 47.
         desk: You want to cancel order AC47. Is that right?
         caller: Yes.
         desk: I have noted that you want to cancel order AC47. Our staff will take care of it. Is there anything else I can do for you?
         message: cancel an order | - | - | - | order=AC47",
    );
}

#[test]
fn each_step_has_the_patience_that_the_playbook_gives_it() {
    let text = SHIPPED[0].1.replacen(
        "name = \"cancel_order\"\n",
        "name = \"cancel_order\"\npatience = { unknown_ms = 250 }\n",
        1,
    );
    let (before, after) = text.split_once("name = \"cancel_order\"").expect("it is there");
    let after = after.replacen(
        "usual = 4\n",
        "usual = 4\npatience = { unknown_ms = 900, complete_ms = 300 }\n",
        1,
    );
    let text = format!("patience = {{ unknown_ms = 600 }}\n{before}name = \"cancel_order\"{after}");
    let mut desk = Desk::with(Playbook::parse(&text).expect("valid"), Settings::default());
    run(
        &mut desk,
        "desk: Hello, this is Northgate Logistics. How can I help you?
         pause: Some(600)
         caller: cancel my order
         desk: Which order do you want to cancel? Please say its number.
         pause: Some(900)
         caller: 4729
         desk: You want to cancel order 4729. Is that right?
         pause: Some(250)",
    );
    let without = Desk::with(Playbook::parse(SHIPPED[0].1).expect("valid"), Settings::default());
    assert_eq!(without.awaited.patience, Patience::default());
}
