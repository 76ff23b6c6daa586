//! Boxes that are extensions of the stand-in.

use std::time::Duration;

use serde_json::{Value, json};

use super::stand_in::StandIn;
use super::support::appliance::{Appliance, Setup};
use super::support::wait;

/// Of a box that registers on a busy machine.
pub const START: Duration = Duration::from_secs(60);
pub const CALL: Duration = Duration::from_secs(45);

/// A box that is extension 101, as `desk`.
pub fn box_of(stand_in: &StandIn, keys: &str) -> Setup {
    box_of_many(stand_in, &[("desk", "101", keys)])
}

/// A box of several extensions: name, number and keys of each.
pub fn box_of_many(stand_in: &StandIn, all: &[(&str, &str, &str)]) -> Setup {
    let section = |(name, _, keys): &(&str, &str, &str)| {
        let server = stand_in.origin();
        format!("name = \"{name}\"\nserver = \"{server}\"\nclient_id = \"box\"\n{keys}\n")
    };
    let sections: Vec<String> = all.iter().map(section).collect();
    let setup = Setup::default().with("[ringcentral]", &sections.join("[[ringcentral]]\n"));
    all.iter().fold(setup, |setup, (name, number, _)| {
        let variable = format!("ATTENDANT_RINGCENTRAL_{}", name.to_ascii_uppercase());
        setup
            .env(format!("{variable}_SECRET"), "hush")
            .env(format!("{variable}_JWT"), format!("jwt-{number}"))
    })
}

pub fn registered(stand_in: &StandIn, number: &str) {
    noted(stand_in, &format!("REGISTERED {number} "), 1);
}

/// The stand-in has noted so many of this.
pub fn noted(stand_in: &StandIn, what: &str, times: usize) {
    wait::until(what, START, || (stand_in.count(what) >= times).then_some(()));
}

pub fn account(appliance: &Appliance) -> Value {
    appliance.get("/health").unwrap().1["accounts"][0].clone()
}

/// What is wrong with the first account, once that has these words.
pub fn told(appliance: &Appliance, words: &str) -> String {
    wait::until(words, CALL, || {
        let reason = account(appliance)["reason"].as_str()?.to_owned();
        reason.contains(words).then_some(reason)
    })
}

/// The messages that the box keeps, as text, once so many have these words.
pub fn left(appliance: &Appliance, words: &str, count: usize) -> String {
    wait::until("messages are left", CALL, || {
        let messages = appliance.get("/api/messages")?.1["messages"].as_array()?.clone();
        let texts: Vec<String> = messages.iter().map(Value::to_string).collect();
        let fitting = texts.iter().filter(|text| text.contains(words)).count();
        (fitting == count).then(|| texts.join("\n"))
    })
}

/// Every account is registered, as the box knows it.
pub fn open(appliance: &Appliance) {
    wait::until("the accounts are registered", START, || {
        let health = appliance.get("/health")?.1;
        let mut states = health["accounts"].as_array()?.iter().map(|account| &account["state"]);
        states.all(|state| state == "registered").then_some(())
    });
}

/// The box calls; what it answers to who asks.
pub fn dial(appliance: &Appliance, number: &str, trunk: Option<&str>) -> (u16, Value) {
    let mut order = json!({ "phone_number": number });
    if let Some(trunk) = trunk {
        order["trunk"] = trunk.into();
    }
    appliance.send("POST", "/api/calls/dial", Some(&order)).unwrap()
}

/// Something is asked for a party of the newest call of the stand-in, by the interface of the box.
pub fn act(appliance: &Appliance, stand_in: &StandIn, action: &str, body: Value) -> (u16, Value) {
    let (session, party) = {
        let state = stand_in.lock();
        let call = state.calls.last().unwrap();
        (call.session(), call.party(false))
    };
    let path = format!("/api/ringcentral/desk/sessions/{session}/parties/{party}/{action}");
    appliance.send("POST", &path, Some(&body)).unwrap()
}

pub fn in_state(appliance: &Appliance, state: &str) -> Value {
    wait::until(state, CALL, || appliance.record(|call| call["state"] == state))
}
