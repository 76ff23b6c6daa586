//! What becomes of words that are not sure.

use super::desk::{Desk, run};
use super::transcripts::talk;
use crate::converse::playbook::SHIPPED;
use crate::converse::{Playbook, Settings};

#[test]
fn a_doubtful_answer_is_asked_for_again_and_a_doubtful_yes_confirms_nothing() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: cancel my order
         desk: Which order do you want to cancel? Please say its number.
         doubtful: 4719
         desk: Sorry, I did not catch that. Please say the order number digit by digit, or use the keys of your phone and finish with the hash key.
         caller: 4729
         desk: You want to cancel order 4729. Is that right?
         doubtful: Yes.
         desk: Sorry, I did not catch that. You want to cancel order 4729. Is that right?
         caller: No, I meant 4728.
         desk: You want to cancel order 4728. Is that right?
         caller: Yes.
         desk: I have noted that you want to cancel order 4728. Our staff will take care of it. MORE
         message: cancel an order | - | - | - | order=4728
         doubtful: No.
         desk: Sorry, I did not catch that. MORE
         caller: No.
         desk: Thank you for calling Northgate Logistics. Goodbye.
         end: Goodbye",
    );
}

#[test]
fn a_number_with_read_back_is_read_back_corrected_and_read_back_again() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: I want to leave a message.
         desk: I will take a message. What is your name, please?
         caller: Anna.
         desk: Which number can we reach you at?
         caller: five five five one two three
         desk: I have 555123. Is that right?
         caller: No, I meant five five five one two four.
         desk: I have 555124. Is that right?
         caller: Yes.
         desk: Thank you. What is your message?
         pause: Some(1000)
         doubtful: The pallet is broken.
         desk: Shall I pass your message on?
         caller: Yes.
         desk: Thank you. I have taken your message, and a colleague will call you back. MORE
         message: leave a message | Anna | 555124 | The pallet is broken. |",
    );
}

#[test]
fn a_name_that_stays_in_doubt_is_better_than_none() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: I want to leave a message.
         desk: I will take a message. What is your name, please?
         doubtful: Mario.
         desk: Sorry, I did not catch that. Please just say your name.
         doubtful: Maria.
         desk: Which number can we reach you at?
         caller: five five five one two three
         desk: I have 555123. Is that right?
         caller: Yes.
         desk: Thank you. What is your message?
         caller: The pallet is broken.
         desk: Shall I pass your message on?
         caller: Yes.
         desk: Thank you. I have taken your message, and a colleague will call you back. MORE
         message: leave a message | Maria | 555123 | The pallet is broken. |",
    );
}

#[test]
fn each_step_has_the_threshold_that_its_playbook_gives_it() {
    let strict = SHIPPED[0].1.replacen("ask_again_below = 0.3", "ask_again_below = 0", 1).replacen(
        "ask = \"Which order do you want to cancel?",
        "ask_again_below = 1\nask = \"Which order do you want to cancel?",
        1,
    );
    let mut desk = Desk::with(Playbook::parse(&strict).unwrap(), Settings::default());
    run(
        &mut desk,
        "desk: Hello, this is Northgate Logistics. How can I help you?
         doubtful: cancel my order
         desk: Which order do you want to cancel? Please say its number.
         doubtful: 4729
         desk: Sorry, I did not catch that. Please say the order number digit by digit, or use the keys of your phone and finish with the hash key.
         keys: 4729#
         desk: You want to cancel order 4729. Is that right?",
    );
}

#[test]
fn words_that_are_doubtful_are_asked_back() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         doubtful: cancel order 4729
         desk: Do you want to cancel an order?
         caller: Yes.
         desk: You want to cancel order 4729. Is that right?",
    );
}

#[test]
fn digits_that_are_heard_clearly_are_believed_however_unsure_the_sentence_is() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: I want to leave a message.
         desk: I will take a message. What is your name, please?
         marked: um/0.1 my/0.4 name is Anna
         desk: Which number can we reach you at?
         marked: um/0.1 the/0.2 number is 5550123
         desk: I have 5550123. Is that right?
         marked: yes/0.2 5550123
         desk: Sorry, I did not catch that. I have 5550123. Is that right?
         marked: no/0.2 I/0.1 meant 5550124
         desk: I have 5550124. Is that right?
         marked: no/0.2 5550125/0.2
         desk: Sorry, I did not catch that. I have 5550124. Is that right?
         caller: Yes.
         desk: Thank you. What is your message?",
    );
}

/// The desk's playbook with an order number that nothing reads back.
fn without_read_back() -> Playbook {
    let text = SHIPPED[0].1;
    let text = text.replacen("confirm = \"That is {order:digits}. Is that right?\"\n", "", 1);
    Playbook::parse(&text.replacen("read_back = true\n", "", 9)).unwrap()
}

#[test]
fn a_doubtful_digit_is_never_acted_upon_unread() {
    const NOTED: &str = "I have noted order 4729. I cannot see its status from here. Shall a colleague call you back about it?";
    const READ: &str = "I have 4729. Is that right?";
    const REASK: &str = "Sorry, I did not catch that. Please say your order number digit by digit, or use the keys of your phone and finish with the hash key.";
    let table = [
        ("4729", NOTED),
        ("my order number is 4 7 2 9/0.95", NOTED),
        ("um/0.2 my uh/0.1 order number is 4 7 2 9", NOTED),
        ("4 7/0.6 2 9", READ),
        ("4 7 uh/0.2 2 9", READ),
        ("my/0.2 order number is 4729", READ),
        ("4 7/0.2 2 9", REASK),
        ("4729 /0.1", REASK),
        ("47 /0.1 29", REASK),
        ("mumble/0.1 dragons/0.2", REASK),
    ];
    for (marked, reply) in table {
        let mut desk = Desk::with(without_read_back(), Settings::default());
        run(
            &mut desk,
            &format!(
                "desk: Hello, this is Northgate Logistics. How can I help you?
                 caller: Track my order.
                 desk: What is your order number?
                 marked: {marked}
                 desk: {reply}"
            ),
        );
    }
}

#[test]
fn what_is_read_back_in_doubt_is_confirmed_corrected_and_goes_on() {
    let noted = |order: &str| {
        format!(
            "I have noted order {order}. I cannot see its status from here. Shall a colleague call you back about it?"
        )
    };
    for (answer, order) in [("Yes.", "4729"), ("4729", "4729"), ("No, I meant 4728.", "4728")] {
        let mut desk = Desk::with(without_read_back(), Settings::default());
        run(
            &mut desk,
            &format!(
                "desk: Hello, this is Northgate Logistics. How can I help you?
                 marked: track my order 47/0.5 29
                 desk: I have 4729. Is that right?
                 caller: {answer}
                 desk: {}",
                noted(order)
            ),
        );
    }
    // A doubtful half makes the whole doubtful.
    let mut desk = Desk::with(without_read_back(), Settings::default());
    run(
        &mut desk,
        &format!(
            "desk: Hello, this is Northgate Logistics. How can I help you?
             marked: my order number is 47/0.7
             desk: Yes, go on.
             caller: 29
             desk: I have 4729. Is that right?
             caller: and 31
             desk: I have 472931. Is that right?
             keys: 1
             desk: {}",
            noted("472931")
        ),
    );
}

#[test]
fn a_playbook_may_act_on_doubtful_digits_and_an_intents_own_question_reads_them_too() {
    let text = SHIPPED[0].1.replacen("read_back_below = 0.9", "read_back_below = 0", 1);
    let text = text.replacen("confirm = \"That is {order:digits}. Is that right?\"\n", "", 1);
    let mut desk = Desk::with(Playbook::parse(&text).unwrap(), Settings::default());
    run(
        &mut desk,
        "desk: Hello, this is Northgate Logistics. How can I help you?
         marked: track my order 47/0.5 29
         desk: I have noted order 4729. I cannot see its status from here. Shall a colleague call you back about it?",
    );
    let text =
        SHIPPED[0].1.replacen("confirm = \"That is {order:digits}. Is that right?\"\n", "", 1);
    let lookup = "lookup = { table = \"orders\", by = \"order\"";
    let text = text.replacen(lookup, &format!("confirm = \"Order {{order}}, yes?\"\n{lookup}"), 1);
    let mut desk = Desk::with(Playbook::parse(&text).unwrap(), Settings::default());
    run(
        &mut desk,
        "desk: Hello, this is Northgate Logistics. How can I help you?
         marked: track my order 47/0.5 29
         desk: Order 4729, yes?",
    );
}
