use super::desk::{Desk, run, transcript};
use crate::converse::{Playbook, Settings, playbook};

const MORE: &str = "Is there anything else I can do for you?";

/// `MORE` saves writing the same question in each transcript.
pub fn talk(script: &str) {
    transcript(&script.replace("MORE", MORE));
}

#[test]
fn opening_hours_then_thanks_and_goodbye() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: What are your opening hours?
         desk: We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm. MORE
         expect: YesNo
         caller: No, thank you.
         desk: Thank you for calling Northgate Logistics. Goodbye.
         end: Goodbye",
    );
}

#[test]
fn address_in_other_words_and_yes_to_more() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Hi, good morning. Where's your warehouse?
         desk: You find us at 12 Harbour Road, at the north gate of the port. MORE
         caller: Yes, please.
         desk: What can I do for you?
         expect: Anything
         caller: Thank you, goodbye.
         desk: Thank you for calling Northgate Logistics. Goodbye.
         end: Goodbye",
    );
}

#[test]
fn tracking_asks_reads_back_and_offers_a_call_back() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Where's my package?
         desk: What is your order number?
         expect: Digits { min: 3, max: 12 }
         caller: It is four seven two nine.
         desk: That is 4729. Is that right?
         expect: YesNo
         caller: Yes, that is correct.
         desk: I have noted order 4729. I cannot see its status from here. Shall a colleague call you back about it?
         caller: Yes.
         desk: What is your name, please?
         expect: Text
         caller: My name is Anna Smith.
         desk: Which number can we reach you at?
         caller: 555 0123
         desk: I have 5550123. Is that right?
         caller: That's right.
         desk: Thank you. A colleague will call you back about order 4729. MORE
         message: be called back about an order | Anna Smith | 5550123 | - | order=4729
         caller: Nope.
         desk: Thank you for calling Northgate Logistics. Goodbye.
         end: Goodbye",
    );
}

#[test]
fn tracking_with_the_number_at_once_and_no_call_back() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Track order 4729.
         desk: That is 4729. Is that right?
         caller: Yes.
         desk: I have noted order 4729. I cannot see its status from here. Shall a colleague call you back about it?
         caller: No.
         desk: All right. MORE
         caller: Are you open tomorrow?
         desk: We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm. MORE
         caller: No, that's all.
         desk: Thank you for calling Northgate Logistics. Goodbye.
         end: Goodbye",
    );
}

#[test]
fn a_number_in_two_turns_is_joined() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: My order number is 47
         desk: Yes, go on.
         expect: Digits { min: 1, max: 12 }
         caller: 29.
         desk: That is 4729. Is that right?
         caller: and 31
         desk: That is 472931. Is that right?
         caller: Okay.
         desk: I have noted order 472931. I cannot see its status from here. Shall a colleague call you back about it?",
    );
}

#[test]
fn a_number_is_corrected_while_it_is_read_back_and_afterwards() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Order 4729.
         desk: That is 4729. Is that right?
         caller: No, I meant 4728.
         desk: That is 4728. Is that right?
         caller: No.
         desk: What is your order number?
         caller: 4727, no, sorry, 4726.
         desk: That is 4726. Is that right?
         caller: 4726, yes.
         desk: I have noted order 4726. I cannot see its status from here. Shall a colleague call you back about it?
         caller: No, I meant 4725.
         desk: That is 4725. Is that right?
         caller: Correct.
         desk: I have noted order 4725. I cannot see its status from here. Shall a colleague call you back about it?",
    );
}

#[test]
fn cancelling_is_confirmed_and_left_as_a_message_and_the_number_is_remembered() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: I want to cancel order 4729.
         desk: You want to cancel order 4729. Is that right?
         caller: Yes, please.
         desk: I have noted that you want to cancel order 4729. Our staff will take care of it. MORE
         message: cancel an order | - | - | - | order=4729
         caller: I'd like to confirm my order.
         desk: You want to confirm order 4729. Is that right?
         caller: No, 5810.
         desk: You want to confirm order 5810. Is that right?
         caller: Sure.
         desk: I have noted that you confirm order 5810. Our staff will take care of it. MORE
         message: confirm an order | - | - | - | order=5810",
    );
}

#[test]
fn cancel_without_a_number_asks_for_it_and_can_be_dropped() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Cancel.
         desk: Which order do you want to cancel? Please say its number.
         caller: Never mind.
         desk: All right, I have dropped that. What can I do for you?
         expect: Anything
         caller: Please cancel my parcel
         desk: Which order do you want to cancel? Please say its number.
         caller: Stop.
         desk: All right, I have dropped that. What can I do for you?",
    );
}

#[test]
fn a_person_is_asked_for() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Can I speak to someone?
         desk: I cannot put you through at the moment, but a colleague will call you back. What is it about?
         caller: My invoice is wrong, and I want to cancel order 4729.
         desk: What is your name, please?
         caller: Peter.
         desk: Which number can we reach you at?
         caller: I don't have one.
         desk: Thank you. I have taken that down, and a colleague will call you back. MORE
         message: speak to a person | Peter | - | My invoice is wrong, and I want to cancel order 4729. |",
    );
}

#[test]
fn a_message_is_taken_with_a_digression_help_and_repeat() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: I want to leave a message.
         desk: I will take a message. What is your name, please?
         caller: Maria Lopez.
         desk: Which number can we reach you at?
         caller: What are your opening hours?
         desk: We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm. Which number can we reach you at?
         caller: Help.
         desk: I can tell you our opening hours and our address, note an order number, cancel or confirm an order, and take a message. Which number can we reach you at?
         caller: double five five oh one two three
         desk: I have 5550123. Is that right?
         caller: Can you repeat that, please?
         desk: I have 5550123. Is that right?
         caller: Right.
         desk: Thank you. What is your message?
         caller: Please bring the pallets back on Monday at 3 o'clock.
         desk: Shall I pass your message on?
         caller: Yes.
         desk: Thank you. I have taken your message, and a colleague will call you back. MORE
         message: leave a message | Maria Lopez | 5550123 | Please bring the pallets back on Monday at 3 o'clock. |",
    );
}

#[test]
fn two_misses_offer_a_message() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Purple dragons swim in winter.
         desk: Sorry, I did not understand that.
         unclear
         desk: I am sorry, I do not understand. Shall I take a message, so that a colleague can call you back?
         caller: Okay.
         desk: I will take a message. What is your name, please?",
    );
}

#[test]
fn after_every_offer_failed_the_desk_says_goodbye() {
    let offer = "I am sorry, I do not understand. Shall I take a message, so that a colleague can call you back?";
    let again = "Shall I take a message, so that a colleague can call you back?";
    let miss = "Sorry, I did not understand that.";
    talk(&format!(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Purple dragons swim.
         desk: {miss}
         caller: Purple dragons swim.
         desk: {offer}
         caller: Purple dragons swim.
         desk: {miss} {again}
         caller: Purple dragons swim.
         desk: {offer}
         caller: Purple dragons swim.
         desk: {miss} {again}
         caller: Purple dragons swim.
         desk: {offer}
         caller: Purple dragons swim.
         desk: {miss} {again}
         caller: Purple dragons swim.
         desk: I am sorry that I cannot help you today. Please call again later. Goodbye.
         end: NotUnderstood",
    ));
}

#[test]
fn a_slot_that_is_missed_is_asked_in_other_words_and_then_given_up() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Track my order.
         desk: What is your order number?
         caller: Purple dragons.
         desk: Sorry, I did not understand that. Please say your order number digit by digit, or use the keys of your phone and finish with the hash key.
         caller: I don't know.
         desk: I am sorry, I do not understand. Shall I take a message, so that a colleague can call you back?
         caller: No.
         desk: What can I do for you?",
    );
}

#[test]
fn keys_choose_from_the_menu_give_digits_and_answer_questions() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         keys: 3
         desk: What is your order number?
         keys: 4729#
         desk: That is 4729. Is that right?
         keys: 2
         desk: What is your order number?
         keys: 99*5810
         wait: 3
         desk: That is 5810. Is that right?
         keys: 1
         wait: 1
         keys: 1
         desk: I have noted order 5810. I cannot see its status from here. Shall a colleague call you back about it?
         keys: 9
         desk: I have noted order 5810. I cannot see its status from here. Shall a colleague call you back about it?
         keys: 7
         wait: 1
         desk: Shall a colleague call you back about it? Press 1 for yes, or 2 for no.
         keys: x",
    );
}

#[test]
fn too_few_keys_are_asked_again() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         keys: 3
         desk: What is your order number?
         keys: 47#
         desk: Sorry, I did not understand that. Please say your order number digit by digit, or use the keys of your phone and finish with the hash key.
         keys: 123456789012
         desk: That is 123456789012. Is that right?",
    );
}

#[test]
fn pleasantries_are_answered_and_give_way_to_wishes() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Hello.
         desk: Hello. I can hear you. What can I do for you?
         caller: Hello. My order number is 4729.
         desk: That is 4729. Is that right?
         caller: Thank you. Yes.
         desk: I have noted order 4729. I cannot see its status from here. Shall a colleague call you back about it?",
    );
}

#[test]
fn a_caller_who_gives_the_name_first_is_not_asked_for_it_again() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Hello, my name is Martin.
         desk: Hello Martin. What can I do for you?
         caller: Call me back on Wednesday at 10 o'clock.
         desk: Which number can we reach you at?
         caller: No.
         desk: Thank you. What is your message?
         caller: It is about the gate.
         desk: Shall I pass your message on?
         caller: Yes.
         desk: Thank you. I have taken your message, and a colleague will call you back. MORE
         message: leave a message | Martin | - | It is about the gate. |",
    );
}

#[test]
fn cancel_drops_a_question_and_a_bare_yes_is_no_wish() {
    talk(
        "desk: Hello, this is Northgate Logistics. How can I help you?
         caller: Yes.
         desk: What can I do for you?
         caller: Track my order.
         desk: What is your order number?
         caller: Cancel.
         desk: All right, I have dropped that. What can I do for you?
         caller: 10 am.
         desk: Sorry, I did not understand that.",
    );
}

#[test]
fn the_rest_of_a_number_of_the_usual_length_completes_it_and_a_correction_replaces_it() {
    let (_, text) = playbook::SHIPPED[0];
    let text = text.replace("usual = 4\n", "usual = 6\n");
    for (words, number) in
        [("123.", "456123"), ("No, 123.", "123"), ("I meant 123.", "123"), ("123456.", "123456")]
    {
        let mut desk = Desk::with(Playbook::parse(&text).unwrap(), Settings::default());
        run(
            &mut desk,
            &format!(
                "desk: Hello, this is Northgate Logistics. How can I help you?
                 caller: Where is order 456?
                 desk: That is 456. Is that right?
                 caller: {words}
                 desk: That is {number}. Is that right?"
            ),
        );
    }
}
