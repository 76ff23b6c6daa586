//! What the interface of the box has done to calls at the platform.

use serde_json::{Value, json};

use crate::boxes::{CALL, act, box_of, in_state, left, noted, registered, told};
use crate::phone::Phone;
use crate::stand_in::StandIn;
use crate::support::appliance::Appliance;
use crate::support::wait;

fn to(number: &str) -> Value {
    json!({ "phone_number": number })
}

/// The newest call, once it is so.
fn newest(appliance: &Appliance, state: &str) -> Value {
    wait::until(state, CALL, || {
        let newest = appliance.record(|_| true)?;
        (newest["state"] == state).then_some(newest)
    })
}

/// A box that leaves calls ringing, so that something else can be done with them.
fn slow_box(stand_in: &StandIn) -> Appliance {
    let appliance = box_of(stand_in, "")
        .with("calls", "answer_after_ms = 60000")
        .with("dial", "allow = [\"+1720\"]")
        .start();
    registered(stand_in, "101");
    appliance
}

#[test]
fn calls_are_answered_held_passed_on_and_ended_by_the_interface() {
    let stand_in = StandIn::start();
    let appliance = slow_box(&stand_in);
    noted(&stand_in, "SUBSCRIBED by gateway", 1);
    let mut caller = Phone::register(&stand_in, "102", "caller");
    let mut third = Phone::register(&stand_in, "103", "third");
    caller.begin_call(&stand_in, "101", 1);
    let record = newest(&appliance, "ringing");
    let (session, party) = {
        let state = stand_in.lock();
        let call = state.calls.last().unwrap();
        (call.session(), call.party(false))
    };
    assert_eq!(record["ringcentral"], json!({ "session": session, "party": party }), "{record:#}");
    // What its user may not do is shown with what to do about it.
    stand_in.lock().faults.denied_to_user.insert("CallControl");
    let (status, problem) = act(&appliance, &stand_in, "answer", json!({}));
    assert!(status == 403 && problem.to_string().contains("CMN-408"), "{problem}");
    let reason = told(&appliance, "CMN-408");
    assert!(reason.contains("CallControl") && reason.contains("admin portal"), "{reason}");
    stand_in.lock().faults.denied_to_user.clear();
    assert_eq!(act(&appliance, &stand_in, "transfer", to("+17205550103")).0, 409, "it rings");
    assert_eq!(act(&appliance, &stand_in, "answer", json!({})).0, 200);
    caller.wait("it is answered", |message| message.status() == 200);
    in_state(&appliance, "active");
    for (action, body, status, event) in [
        ("unhold", json!({}), 409, ""),
        ("hold", json!({}), 200, "EVENT 101 Hold"),
        ("hold", json!({}), 409, ""),
        ("unhold", json!({}), 200, "EVENT 101 Answered"),
        // At the owner's cost, and not one of those that are allowed.
        ("transfer", to("+19005550199"), 403, ""),
        ("transfer", to("+17205550199"), 404, ""),
        ("transfer", to("+17205550103"), 200, "EVENT 103 Proceeding"),
    ] {
        let (told, problem) = act(&appliance, &stand_in, action, body);
        assert_eq!(told, status, "{action}: {problem}");
        let last = stand_in.last("EVENT").unwrap();
        assert!(last.starts_with(event), "{action}: {last}");
    }
    in_state(&appliance, "ended");
    let invite = third.ringing();
    third.answer(&invite);
    // The caller goes on with whom it was passed on to.
    caller.wait("another end", |message| message.method() == "INVITE");
    assert_eq!(stand_in.lock().calls.last().unwrap().callees[0].extension, 2);
    // A party that has gone is known no more.
    let path = format!("/api/ringcentral/desk/sessions/{session}/parties/{party}/hold");
    assert_eq!(appliance.send("POST", &path, Some(&json!({}))).unwrap().0, 404);
    assert_eq!(act(&appliance, &stand_in, "drop", json!({})).0, 200);
    caller.wait("it is dropped", |message| message.method() == "BYE");
}

#[test]
fn a_call_that_rings_is_rejected_forwarded_replied_to_or_sent_to_the_mailbox() {
    let stand_in = StandIn::start();
    let appliance = slow_box(&stand_in);
    let mut caller = Phone::register(&stand_in, "102", "caller");
    let mut third = Phone::register(&stand_in, "103", "third");
    caller.begin_call(&stand_in, "101", 1);
    newest(&appliance, "ringing");
    assert_eq!(act(&appliance, &stand_in, "reject", json!({})).0, 200);
    caller.wait("it is refused", |message| message.status() == 480);
    newest(&appliance, "ended");
    assert!(stand_in.last("EVENT 101").unwrap().starts_with("EVENT 101 Disconnected"));
    caller.begin_call(&stand_in, "101", 1);
    newest(&appliance, "ringing");
    assert_eq!(act(&appliance, &stand_in, "forward", to("+17205550103")).0, 200);
    newest(&appliance, "ended");
    let invite = third.ringing();
    third.answer(&invite);
    caller.wait("somebody answers", |message| message.status() == 200);
    assert_eq!(act(&appliance, &stand_in, "drop", json!({})).0, 200);
    // Without Call Control, by what a telephone tells its server.
    stand_in.lock().faults.denied.insert("CallControl");
    caller.begin_call(&stand_in, "101", 1);
    newest(&appliance, "ringing");
    assert_eq!(act(&appliance, &stand_in, "voicemail", json!({})).0, 200);
    caller.wait("it is the mailbox's", |message| message.status() == 480);
    assert_eq!(stand_in.count("MAILBOX of 101"), 1);
    newest(&appliance, "ended");
    caller.begin_call(&stand_in, "101", 1);
    newest(&appliance, "ringing");
    assert_eq!(act(&appliance, &stand_in, "start-reply", json!({})).0, 200);
    assert_eq!(newest(&appliance, "ringing")["state"], "ringing");
    assert_eq!(act(&appliance, &stand_in, "reply", json!({ "text": "In a <meeting>" })).0, 200);
    caller.wait("it is over", |message| message.status() == 480);
    assert_eq!(stand_in.count("AGENT 13 "), 1);
    let told = stand_in.last("AGENT 14 ").unwrap();
    assert!(
        told.contains("RepTp=\"0\" Bdy=\"In a &lt;meeting>")
            || told.contains("Bdy=\"In a &lt;meeting&gt;\""),
        "{told}"
    );
    newest(&appliance, "ended");
    // What its caller has said to that is a message.
    let left = left(&appliance, "urgent", 1);
    assert!(left.contains("16505550177"), "{left}");
    let (status, problem) = act(&appliance, &stand_in, "reply", json!({ "text": "Too late" }));
    assert_eq!(status, 404, "{problem}");
}
