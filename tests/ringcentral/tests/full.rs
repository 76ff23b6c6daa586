//! More calls than there is room for: at an extension, and at the box.

use std::time::Duration;

use crate::boxes::{CALL, box_of_many, dial, in_state, left, noted, registered};
use crate::phone::Phone;
use crate::stand_in::{CALLS, StandIn};
use crate::support::wait;

#[test]
fn an_extension_makes_five_calls_and_the_next_ones_go_out_by_another() {
    let stand_in = StandIn::start();
    let all = [("desk", "101", ""), ("second", "103", "")];
    let appliance = box_of_many(&stand_in, &all)
        .calls_max(9)
        .with("dial", "allow = [\"+1\"]\ncalls_per_minute = 60")
        .start();
    registered(&stand_in, "101");
    registered(&stand_in, "103");
    noted(&stand_in, "SUBSCRIBED by gateway", 2);
    let mut phone = Phone::register(&stand_in, "102", "callee");
    for number in 1..=CALLS {
        let (status, told) = dial(&appliance, "+17205550102", Some("desk"));
        assert_eq!(status, 202, "{told}");
        phone.wait_until("it is called", || stand_in.count("CALL of 101") == number);
    }
    let (status, told) = dial(&appliance, "+17205550102", Some("desk"));
    assert!(
        status == 503 && told.to_string().contains("as many calls as it may"),
        "{status} {told}"
    );
    for number in 1..=2 {
        let (status, told) = dial(&appliance, "+17205550102", None);
        assert_eq!(status, 202, "{told}");
        phone.wait_until("it is called", || stand_in.count("CALL of 103") == number);
    }
    assert_eq!((stand_in.count("CALL of 101"), stand_in.count("TOO MANY CALLS")), (CALLS, 0));
    // Somebody declines (603): that call is over, and its place is another one's.
    let invite = stand_in.lock().calls[0].callees[0].invite.clone();
    phone.decline(&invite);
    let record = in_state(&appliance, "ended");
    println!("{:#}", record["ending"]);
    assert_eq!(record["ending"]["cause"], "refused", "{record:#}");
    let status = wait::until("there is room", CALL, || {
        let (status, _) = dial(&appliance, "+17205550102", Some("desk"));
        (status == 202).then_some(status)
    });
    assert_eq!(status, 202);
}

#[test]
fn where_every_line_is_in_use_each_caller_gets_what_the_extension_says() {
    let stand_in = StandIn::start();
    let all = [
        ("desk", "101", "when_full = \"voicemail\""),
        ("second", "103", "when_full = \"forward\"\nforward_to = \"+17205550105\""),
        ("third", "104", "when_full = \"call-back\"\ncall_back_minutes = 20"),
        ("fourth", "106", "when_full = \"reply\"\nreply_text = \"Please write to us\""),
        ("fifth", "107", "when_full = \"refuse\""),
    ];
    let appliance = box_of_many(&stand_in, &all).calls_max(1).start();
    all.iter().for_each(|(_, number, _)| registered(&stand_in, number));
    let mut first = Phone::register(&stand_in, "102", "first");
    let mut caller = Phone::register(&stand_in, "102", "caller");
    let mut elsewhere = Phone::register(&stand_in, "105", "elsewhere");
    assert_eq!(first.call("101").status(), 183);
    let ok = first.wait("it is answered", |message| message.status() == 200);
    in_state(&appliance, "active");
    for (number, message) in
        [("101", "AGENT 11 "), ("104", "AGENT 14 "), ("106", "AGENT 14 "), ("107", "AGENT 12 ")]
    {
        let before = stand_in.count(message);
        let answer = caller.call(number);
        assert_eq!(answer.status(), 480, "{number}: {answer:?}");
        assert_eq!(stand_in.count(message), before + 1, "{number}");
        first.pass(Duration::from_millis(100));
    }
    assert_eq!(stand_in.count("MAILBOX of 101"), 1);
    let replies: Vec<String> = {
        let state = stand_in.lock();
        let all = state.log.iter().map(|(_, noted)| noted.clone());
        all.filter(|noted| noted.starts_with("AGENT 14 ")).collect()
    };
    assert!(replies[0].contains("RepTp=\"1\" Dir=\"0\" Vl=\"20\" Units=\"0\""), "{}", replies[0]);
    assert!(replies[1].contains("RepTp=\"0\" Bdy=\"Please write to us\""), "{}", replies[1]);
    // What the callers have said to these is left as messages.
    left(&appliance, "urgent", 2);
    caller.begin_call(&stand_in, "103", 2);
    let invite = elsewhere.ringing();
    elsewhere.answer(&invite);
    caller.wait("somebody answers", |message| message.status() == 200);
    assert_eq!(stand_in.count("AGENT 10 "), 1);
    first.hang_up(&ok);
    in_state(&appliance, "ended");
}
