//! A box as a telephone of RingCentral's, with a stand-in for the platform that RingCentral's own client
//! registers with and calls through.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

#[path = "ringcentral/boxes.rs"]
mod boxes;
#[path = "ringcentral/calls.rs"]
mod calls;
#[path = "ringcentral/gateway.rs"]
mod gateway;
#[path = "ringcentral/message.rs"]
mod message;
#[path = "ringcentral/phone.rs"]
mod phone;
#[path = "ringcentral/rest.rs"]
mod rest;
#[path = "ringcentral/sessions.rs"]
mod sessions;
#[path = "ringcentral/stand_in.rs"]
mod stand_in;
mod support;

#[path = "ringcentral/tests/control.rs"]
mod control;
#[path = "ringcentral/tests/device.rs"]
mod device;
#[path = "ringcentral/tests/events.rs"]
mod events;
#[path = "ringcentral/tests/faults.rs"]
mod faults;
#[path = "ringcentral/tests/full.rs"]
mod full;
#[path = "ringcentral/tests/their_client.rs"]
mod their_client;
