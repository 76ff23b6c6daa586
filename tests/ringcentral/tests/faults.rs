//! What the platform refuses, and what of it is gone.

use std::time::Duration;

use crate::boxes::{CALL, account, box_of, in_state, noted, registered, told};
use crate::phone::Phone;
use crate::stand_in::{INSTANCES, StandIn};
use crate::support::wait;

/// A place among an extension's telephones is asked for again after a minute.
const FULL_AGAIN: Duration = Duration::from_secs(80);

#[test]
fn faults_of_the_platform_are_outlived_and_told() {
    let stand_in = StandIn::start();
    {
        let mut state = stand_in.lock();
        state.faults.refusals.push_back(("/oauth/token", 429, Some(2)));
        state.faults.denied.insert("WebSocketsSubscription");
    }
    // As many telephones as an extension may have are there already.
    let mut others: Vec<Phone> = (0..INSTANCES)
        .map(|number| Phone::register(&stand_in, "101", &format!("other{number}")))
        .collect();
    let mut appliance = box_of(&stand_in, "").start();
    // Told to wait, it has asked nothing meanwhile.
    let token = "POST /restapi/oauth/token";
    noted(&stand_in, token, 2);
    let times = stand_in.times("POST /restapi/");
    assert!(times[1] - times[0] >= Duration::from_millis(1_900), "{:?}", times[1] - times[0]);
    println!("{}", told(&appliance, "(603)"));
    let reason = told(&appliance, "WebSocketsSubscription");
    assert!(reason.contains("developer console"), "{reason}");
    assert_eq!(stand_in.count("POST /restapi/v1.0/client-info/sip-provision"), 1);
    others[0].unregister();
    wait::until("there is a place", FULL_AGAIN, || {
        (account(&appliance)["state"] == "registered").then_some(())
    });
    // After a restart it registers with what it was given, and takes that back at its end.
    appliance.crash_and_start_again();
    wait::until("it says so", CALL, || {
        (account(&appliance)["state"] == "registered").then_some(())
    });
    assert_eq!(stand_in.count("POST /restapi/v1.0/client-info/sip-provision"), 1);
    appliance.stop();
    // The other one was a telephone that made room.
    assert_eq!(stand_in.count("UNREGISTERED 101"), 2);
    assert_eq!(stand_in.count("BINARY"), 0);
}

#[test]
fn a_proxy_that_dies_is_left_for_the_other_one_with_its_calls_and_come_back_to() {
    let stand_in = StandIn::start();
    {
        let mut state = stand_in.lock();
        (state.faults.granted_s, state.faults.switch_back_s) = (Some(8), Some(10));
    }
    let appliance = box_of(&stand_in, "").start();
    noted(&stand_in, "REGISTERED 101 by 0", 1);
    let mut phone = Phone::register(&stand_in, "102", "caller");
    assert_eq!(phone.call("101").status(), 183);
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    in_state(&appliance, "active");
    stand_in.kill_proxy(0);
    phone.wait_until("the call goes on by the other one", || stand_in.count("REANSWERED") > 0);
    assert_eq!(stand_in.count("REGISTERED 101 by 1"), 1);
    assert!(appliance.record(|call| call["state"] == "active").is_some());
    phone.hang_up(&ok);
    in_state(&appliance, "ended");
    stand_in.revive_proxy(0);
    // Not before it is time.
    let left = *stand_in.times("REGISTERED 101 by 1").first().unwrap();
    noted(&stand_in, "REGISTERED 101 by 0", 2 + before_death(&stand_in));
    let back = *stand_in.times("REGISTERED 101 by 0").last().unwrap();
    assert!(back - left >= Duration::from_secs(10), "{:?}", back - left);
    registered(&stand_in, "101");
    let answer = phone.call("101");
    assert_eq!(answer.status(), 183, "{answer:?}");
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    phone.hang_up(&ok);
}

/// Renewals by the first proxy before it died.
fn before_death(stand_in: &StandIn) -> usize {
    let died = *stand_in.times("PROXY 0 DIES").first().unwrap();
    stand_in.times("REGISTERED 101 by 0").iter().filter(|at| **at < died).count() - 1
}
