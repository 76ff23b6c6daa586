//! A slot of letters and digits.

use super::desk::{Desk, run};
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
