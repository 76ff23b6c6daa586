//! Attendant answers the telephone: it greets, listens, understands, replies aloud and hangs up.
//!
//! The path of a call, and of a reader:
//!
//! ```text
//!  caller ──SIP/RTP──▶ sip · sdp · rtp ──▶ listen ──▶ converse ──▶ speak ──▶ rtp ──▶ caller
//!                                          VAD, STT    who has       text,
//!                                             ▲        the floor,    phrases,
//!                                             │        what to say   playout
//!                                             │                        ▲
//!                                             └──── speech process ────┘
//!                                             Whisper            voice
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`base`] | time, PCM frames, ids, limits, private text |
//! | [`codec`] | G.711, G.722, Opus, resampling, concealment |
//! | [`sip`] | messages, transactions, dialogs, user agent (sans-IO) |
//! | [`sdp`] | offer and answer |
//! | [`association`] | ICE and DTLS: the way to a peer, and keys with it (sans-IO) |
//! | [`rtp`] | packets, jitter buffer, RTCP, telephone-events |
//! | [`listen`] | VAD, endpointing, reading the recogniser |
//! | [`converse`] | playbook and conversation |
//! | [`speak`] | text for speech, phrases, playout |
//! | [`call`] | one call: joins all of the above |
//! | [`websocket`] | a call whose sound comes by WebSocket (sans-IO) |
//! | [`trunk`] | SIP accounts: when each registers; who may call, and whom we may call |
//! | [`webrtc`] | a browser's way in: offer and answer by HTTP (sans-IO) |
//! | [`speech`] | the engine process: Whisper, flite, espeak-ng |
//! | [`store`] | what outlives a call |
//! | [`appliance`] | configuration, threads, rings, sockets, the engine's supervisor |
//! | [`web`] | HTTP interface and status page |
//! | [`cli`] | the command line |
//! | `fuzz` | bodies of fuzz targets; compiled for them and for tests |
//!
//! Everything above `speech` is pure: no socket, clock, thread, file or random source. The time is
//! an argument: `handle(now, input)`, then `poll_output()` until it gives the next deadline.

// Tests have clocks of their own making, whose zero is now.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod appliance;
pub mod association;
pub mod base;
pub mod call;
pub mod cli;
pub mod codec;
pub mod converse;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod listen;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod speak;
#[allow(unsafe_code)] // Bindings to flite and whisper.cpp.
pub mod speech;
pub mod store;
pub mod trunk;
pub mod web;
pub mod webrtc;
pub mod websocket;
