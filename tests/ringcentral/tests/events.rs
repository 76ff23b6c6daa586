//! Telephony events: by webhooks and by the gateway, lost, late and in the wrong order.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;

use crate::boxes::{CALL, START, act, box_of, dial, in_state, noted, registered};
use crate::phone::Phone;
use crate::stand_in::{Delivery, StandIn};
use crate::support::{peers, wait};

const CREATED: &str = "HANDSHAKE true";

#[test]
fn a_webhooks_event_has_the_call_answered_by_call_control_and_a_lost_hook_is_made_anew() {
    let stand_in = StandIn::start();
    {
        let mut state = stand_in.lock();
        state.faults.delivery = Delivery::Disordered;
        state.faults.subscription_s = Some(20);
    }
    let web = peers::free_port(Ipv4Addr::LOCALHOST.into());
    let keys = format!(
        "events = \"webhook\"\nanswer = \"call-control\"\nwebhook_check_s = 5\n\
         webhook_address = \"http://127.0.0.1:{web}/webhooks/ringcentral\"\n"
    );
    let appliance = box_of(&stand_in, &keys).web_at(web).start();
    registered(&stand_in, "101");
    noted(&stand_in, CREATED, 1);
    // Nobody but the platform has the word.
    let event = json!({ "body": { "telephonySessionId": "s-1", "sequence": 1, "parties": [] } });
    let (status, _) = appliance.send("POST", "/webhooks/ringcentral", Some(&event)).unwrap();
    assert_eq!(status, 401);
    // A token that ran out is renewed by the first 401.
    stand_in.expire_tokens();
    let mut phone = Phone::register(&stand_in, "102", "caller");
    answered_by_control(&stand_in, &mut phone, 1);
    assert_eq!(stand_in.count("CONTROL answer {\"deviceId\":\"8047101\"}"), 1);
    assert_eq!(stand_in.count("RINGS 101"), 2);
    // What the platform refuses is shown, and the next call is answered by SIP all the same.
    stand_in.lock().faults.denied.insert("CallControl");
    let answer = phone.call("101");
    assert_eq!(answer.status(), 183, "{answer:?}");
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    assert_eq!(stand_in.count("RINGS 101 Auto Answer"), 1);
    phone.hang_up(&ok);
    stand_in.lock().faults.denied.clear();
    // An INVITE without a description gets an offer, and the ACK brings the answer.
    stand_in.lock().faults.is_bodyless = true;
    assert_eq!(phone.call("101").status(), 183);
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    assert!(ok.body.contains("UDP/TLS/RTP/SAVP") && ok.body.contains("a=setup:actpass"));
    in_state(&appliance, "active");
    phone.hang_up(&ok);
    stand_in.lock().faults.is_bodyless = false;
    // Before its time is over it is renewed.
    wait::until("it is renewed", START, || {
        stand_in.last("POST /restapi/v1.0/subscription/hook-")?.ends_with("/renew").then_some(())
    });
    // A hook that the platform has given up is found out, deleted and made anew, and told of.
    stand_in.lock().subscriptions.iter_mut().for_each(|one| one.is_blacklisted = true);
    noted(&stand_in, CREATED, 2);
    wait::until("there is one hook", CALL, || {
        let state = stand_in.lock();
        let [one] = state.subscriptions.as_slice() else { return None };
        (!one.is_blacklisted).then_some(())
    });
    assert!(appliance.log().contains("webhook_address"), "{}", appliance.log());
    // Events come by the new one.
    answered_by_control(&stand_in, &mut phone, 3);
    // One that is given up as soon as it is made is not made again and again.
    {
        let mut state = stand_in.lock();
        state.faults.blacklists = true;
        state.subscriptions.iter_mut().for_each(|one| one.is_blacklisted = true);
    }
    wait::until("it is deleted", CALL, || stand_in.lock().subscriptions.is_empty().then_some(()));
    phone.pass(Duration::from_secs(8));
    assert_eq!(stand_in.count(CREATED), 2, "it waits");
}

/// 102 calls, and is answered by the box's device, for the `times`th time.
fn answered_by_control(stand_in: &StandIn, phone: &mut Phone, times: usize) {
    let answer = phone.call("101");
    assert_eq!(answer.status(), 183, "{answer:?}");
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    assert_eq!(stand_in.count("RINGS 101 Auto Answer"), times);
    phone.hang_up(&ok);
}

#[test]
fn what_the_gateway_told_while_it_was_cut_off_is_heard_afterwards() {
    let stand_in = StandIn::start();
    stand_in.lock().faults.gateway_refusals = 1;
    let appliance = box_of(&stand_in, "").with("dial", "allow = [\"+1\"]").start();
    registered(&stand_in, "101");
    noted(&stand_in, "SUBSCRIBED by gateway", 1);
    // It was left alone for as long as it had said.
    let refused = stand_in.times("GATEWAY 429")[0];
    let opened = stand_in.times("GATEWAY without recovery")[0];
    assert!(opened - refused >= Duration::from_millis(3_900), "{:?}", opened - refused);
    let mut phone = Phone::register(&stand_in, "102", "callee");
    let (status, told) = dial(&appliance, "+17205550102", None);
    assert_eq!(status, 202, "{told}");
    let invite = phone.ringing();
    stand_in.cut_gateways();
    phone.answer(&invite);
    let record = appliance.record(|_| true).unwrap();
    assert!(record["state"] != "active" && record["state"] != "ended", "{record:#}");
    noted(&stand_in, "GATEWAY recovery Successful", 1);
    let record = in_state(&appliance, "active");
    assert_eq!(stand_in.count("SUBSCRIBED by gateway"), 1);
    let path = format!("/api/calls/{}", record["id"].as_str().unwrap());
    assert_eq!(appliance.send("DELETE", &path, None).unwrap().0, 202);
    phone.wait("it is hung up", |message| message.method() == "BYE");
    // Where nothing was kept it subscribes anew.
    stand_in.lock().faults.forgets = true;
    stand_in.cut_gateways();
    noted(&stand_in, "GATEWAY recovery Failed", 1);
    noted(&stand_in, "SUBSCRIBED by gateway", 2);
}

#[test]
fn an_event_that_comes_too_late_has_nobody_answer_a_call_that_is_somebody_elses() {
    let stand_in = StandIn::start();
    let appliance = box_of(&stand_in, "answer = \"call-control\"").start();
    registered(&stand_in, "101");
    noted(&stand_in, "SUBSCRIBED by gateway", 1);
    let mut colleague = Phone::register(&stand_in, "101", "colleague-another");
    let mut caller = Phone::register(&stand_in, "102", "caller");
    {
        let mut state = stand_in.lock();
        state.faults.delivery = Delivery::Held;
        // By SIP it is not told of it, either.
        state.faults.holds_sip = true;
    }
    caller.begin_call(&stand_in, "101", 2);
    let invite = colleague.ringing();
    colleague.answer(&invite);
    // Answered, then Proceeding, then Setup.
    stand_in.tell_backwards();
    wait::until("two events are dropped", CALL, || {
        let metrics = appliance.text("/metrics");
        let line = "attendant_ringcentral_events_dropped_total{reason=\"stale\"} 2";
        metrics.contains(line).then_some(())
    });
    // Longer than an event is waited for.
    caller.pass(Duration::from_secs(5));
    assert_eq!(stand_in.count("CONTROL answer"), 0);
    assert!(appliance.record(|_| true).is_none());
    stand_in.say_held();
    // And where only SIP tells whose it is.
    stand_in.lock().calls.iter_mut().for_each(|call| call.is_over = true);
    stand_in.lock().faults.delivery = Delivery::Held;
    let mut other = Phone::register(&stand_in, "102", "caller2");
    other.begin_call(&stand_in, "101", 2);
    let invite = colleague.ringing();
    colleague.answer(&invite);
    other.pass(Duration::from_secs(5));
    assert!(appliance.record(|_| true).is_none());
    let (status, told) = act(&appliance, &stand_in, "start-reply", json!({}));
    assert_eq!(status, 404, "{told}");
}
