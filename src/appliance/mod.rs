//! The shells around the calls: configuration, threads, rings, sockets, the engine's supervisor.
//!
//! Only here and in `web`, `speech`, `store` and `cli` are there clocks, sockets, threads and files.

// The shells are who asks for the time.
#![allow(clippy::disallowed_methods)]

pub mod accounts;
pub mod agent;
pub mod associations;
pub mod audio;
pub mod audio_legs;
pub mod campaigns;
pub mod canary;
pub mod caution;
pub mod chance;
pub mod clock;
pub mod config;
pub mod cores;
pub mod credentials;
pub mod engine;
pub mod front;
pub mod gpu;
pub mod handset;
pub mod lateness;
pub mod listener;
pub mod llm;
pub mod log;
pub mod lookup;
pub mod media_address;
pub mod notify;
mod open_work;
pub mod outside;
pub mod paths;
pub mod places;
pub mod pulse;
pub mod realtime;
pub mod recent_log;
pub mod recorder;
pub mod relays;
pub mod restart;
pub mod ringcentral;
pub mod rings;
pub mod rtp_socket;
pub mod shutdown;
pub mod sip_line;
pub mod sip_socket;
pub mod soundness;
pub mod start_error;
pub mod stream;
mod stun;
pub mod trust;
pub mod url;
pub mod visits;
pub mod voicemail;
pub mod ways;
pub mod webhooks;
