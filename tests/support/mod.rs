//! What the integration tests share: a box of their own, peers that call it, sound to compare.
//!
//! Nothing here sleeps to be lucky: [`wait::until`] looks for a condition until a deadline.

#![allow(dead_code, reason = "each test needs a part of this")]
#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

pub mod appliance;
pub mod baresip;
pub mod chromium;
pub mod coturn;
pub mod counters;
pub mod ctrl_tcp;
pub mod elevenlabs;
pub mod fake_nvml;
pub mod file_server;
pub mod folder;
pub mod frozen;
pub mod handset;
pub mod http;
pub mod kamailio;
pub mod keyed;
pub mod linphone;
pub mod machine;
pub mod model;
pub mod package;
pub mod peers;
pub mod phone;
pub mod playwright;
pub mod sip_case;
pub mod sipp;
pub mod sound;
pub mod turn;
pub mod visitor;
pub mod vits;
pub mod wait;
pub mod web_telephone;
pub mod websocket;
