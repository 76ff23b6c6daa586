//! Every limit of the program, in one place, each with its reason.

mod campaigns;
mod handsets;
mod history;
mod operators;
mod page;
mod recordings;
mod voicemail;

use std::time::Duration;

pub use campaigns::*;
pub use handsets::*;
pub use history::*;
pub use operators::*;
pub use page::*;
pub use recordings::*;
pub use voicemail::*;

/// Largest SIP message taken from a datagram or a stream. UDP cannot carry more than 64 KiB, and
/// no legitimate INVITE comes near it.
pub const SIP_MESSAGE_BYTES: usize = 65_535;
/// Header fields in one SIP message. Real ones have 10 to 40; beyond this it is an attack.
pub const SIP_HEADERS: usize = 200;
/// Via fields in one SIP message: the default Max-Forwards allows 70 hops (RFC 3261 section 8.1.1.6).
pub const SIP_VIAS: usize = 70;
/// Bytes waiting on one stream connection for the rest of a message: one message plus its head.
pub const SIP_STREAM_BUFFER_BYTES: usize = 2 * SIP_MESSAGE_BYTES;
/// SIP transactions alive at once, over all peers. One lives 32 s at most after its final response;
/// 100 calls a second keep about 2 x 32 x 100 of them.
pub const SIP_TRANSACTIONS: usize = 16_384;
/// SIP dialogs alive at once: each call has one; the rest wait for their BYE to be answered.
pub const SIP_DIALOGS: usize = 4_096;
/// New dialogs from one source address in one second: far above any trunk's burst to one box, far
/// below what hurts.
pub const SIP_NEW_DIALOGS_PER_SOURCE_PER_SECOND: u32 = 200;
/// Source addresses whose rate is remembered; the oldest is forgotten first.
pub const SIP_SOURCES: usize = 4_096;
/// Stream connections at once, all peers together.
pub const SIP_CONNECTIONS: usize = 1_024;
/// Stream connections from one address: a proxy needs one or two; this leaves room for restarts.
pub const SIP_CONNECTIONS_PER_SOURCE: usize = 32;
/// A stream connection without a dialog and without traffic is closed after this long.
pub const SIP_CONNECTION_IDLE: Duration = Duration::from_secs(120);
/// Time for the rest of a message to arrive once its first byte has (slow-loris).
pub const SIP_STREAM_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that has said 100 to our INVITE and then nothing: where there is another, the call goes there
/// after this long. Networks that need longer to find a telephone say 183 by then (ISUP's T11, 15 to 20 s),
/// and few people wait longer before they hear anything.
pub const SIP_TRYING_TIME: Duration = Duration::from_secs(15);
/// How long a server is left alone at most because it wants that in its 503 to a call. It may be right for
/// that one call only, so it is asked again soon: minutes by the second best server, not an hour.
pub const CALL_RETRY_AFTER: Duration = Duration::from_secs(120);
/// The shortest session interval in seconds that is agreed to (RFC 4028 section 4): below it the
/// refreshes would cost more than a call that hangs.
pub const SESSION_LEAST_S: u32 = 90;
/// The longest that a 422 may ask us for: a day, in which a dead call would be found out otherwise.
pub const SESSION_LONGEST_S: u32 = 86_400;
/// Bytes in a session description; a browser's large offer has about 8 KiB.
pub const SDP_BYTES: usize = 32_768;
/// Lines in a session description.
pub const SDP_LINES: usize = 1_000;
/// Media lines in a session description.
pub const SDP_MEDIA_LINES: usize = 32;
/// Largest RTP or RTCP datagram: an Ethernet frame's.
pub const RTP_DATAGRAM_BYTES: usize = 1_500;
/// Datagrams taken from one call's sockets in one tick; the rest wait or are lost in the kernel.
pub const RTP_DATAGRAMS_PER_TICK: usize = 32;
/// Streams (SSRCs) under one SRTP key whose replays are known: a telephone system that passes on music and
/// people by turns has a few. Only the peer itself can begin one.
pub const SRTP_STREAMS: usize = 16;
/// Certificates' hashes that are read from a description: each hash of one certificate, or a few.
pub const SDP_FINGERPRINTS: usize = 8;
/// Characters of an ICE name or password (RFC 8839 section 5.4), and of a `tls-id` (RFC 8842 section 4).
pub const SDP_CREDENTIAL_BYTES: usize = 256;
/// Bytes of a message that RingCentral's server tells a telephone beside a call: real ones have 300.
pub const AGENT_MESSAGE_BYTES: usize = 8_192;
/// Sections `[[ringcentral]]`: an extension takes five calls, and a box no more than some dozens.
pub const RINGCENTRAL_ACCOUNTS: usize = 8;
/// Calls of one extension at once, as the platform has it.
pub const RINGCENTRAL_CALLS: usize = 5;
/// Requests to the REST interface that wait for their turn: those of all calls of an extension, and a few
/// of the account's own.
pub const RINGCENTRAL_REQUESTS: usize = 64;
/// Bytes of an event that comes by HTTP: real ones have up to 20 KiB.
pub const RINGCENTRAL_EVENT_BYTES: usize = 64 * 1024;
/// Bytes of an answer or a frame: lists of devices and subscriptions are longer than events.
pub const RINGCENTRAL_BODY_BYTES: usize = 256 * 1024;
/// SIP servers of one provisioning: there are four.
pub const RINGCENTRAL_PROXIES: usize = 8;
/// Characters of a reply, which the platform speaks to a caller.
pub const RINGCENTRAL_REPLY_CHARS: usize = 160;
/// Minutes after which a caller is promised a call: nobody waits for one beyond a day.
pub const RINGCENTRAL_CALL_BACK_MINUTES: u16 = 1_440;
/// Telephony sessions whose sequence is remembered: of a whole account's calls those of some minutes.
pub const RINGCENTRAL_SESSIONS: usize = 512;
/// Parties of one event: a conference has a few dozens.
pub const RINGCENTRAL_PARTIES: usize = 64;
/// Events that wait for the net thread; a webhook that finds no room is answered so that it comes again.
pub const RINGCENTRAL_EVENTS: usize = 256;
/// Frames of the platform's connection that wait to be written, and to be read: it says a word now and then.
pub const RINGCENTRAL_FRAMES: usize = 64;
/// News of calls of ours that are not known by name yet, and parties that were answered by Call Control, so that none is
/// twice: some for each of `RINGCENTRAL_CALLS` of every account.
pub const RINGCENTRAL_UNCLAIMED: usize = 64;
pub const RINGCENTRAL_ASKED: usize = 64;
/// Characters of the id of a session or a party; real ones have 40.
pub const RINGCENTRAL_ID_CHARS: usize = 100;
/// STUN and DTLS datagrams of one call that wait for the net thread: more than a tick brings of a
/// handshake and of checks. Those of a flood beyond it are dropped.
pub const HANDSHAKE_DATAGRAMS: usize = 24;
/// Of them for sources that are known already.
pub const HANDSHAKE_DATAGRAMS_KNOWN: usize = 6;
/// Of them for checks: who floods a port with hellos leaves room for a peer that is yet to show itself.
pub const HANDSHAKE_DATAGRAMS_CHECKS: usize = 8;
/// A handshake without the peer's certificate, or without an end, is given up after this long, and the
/// call with it: nobody listens to silence for longer.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(12);
/// Handshakes of one call at once whose client has shown that it hears us. Half of them may be of one IP address;
/// those of the description's are the last to make room for another.
pub const HANDSHAKES: usize = 8;
/// How long a flight waits for its answer before it is sent again for the first time, then twice as long.
pub const HANDSHAKE_FLIGHT: Duration = Duration::from_millis(250);
/// A flight is sent again so often: with pauses of 2 s at most that is all of `HANDSHAKE_TIME`. The library
/// knows no more.
pub const HANDSHAKE_REPETITIONS: u32 = 7;
/// Bytes of a ClientHello: one with the largest keys of our days has 2 KB.
pub const HANDSHAKE_HELLO_BYTES: usize = 4_096;
/// Extensions of one: a browser has some twenty.
pub const HANDSHAKE_EXTENSIONS: usize = 64;
/// Datagrams of use that one handshake may take: with all retransmissions a real one has some fifty.
pub const HANDSHAKE_BUDGET: u32 = 256;
/// Datagrams that are taken after it, for a last flight that was lost.
pub const HANDSHAKE_AFTER_BUDGET: u32 = 32;
/// Bytes of one handshake message, a chain of large certificates.
pub const HANDSHAKE_MESSAGE_BYTES: usize = 16_384;
/// Bytes of a fragment of one, the last excepted: nobody cuts smaller.
pub const HANDSHAKE_FRAGMENT_BYTES: usize = 64;
/// Messages of one handshake: some twelve of both sides.
pub const HANDSHAKE_MESSAGES: u16 = 16;
/// Without a check of the peer's, a sign that keeps its path open, or authentic sound for this long nothing is sent any more (RFC 7675 section 5.1).
pub const ICE_CONSENT: Duration = Duration::from_secs(30);
/// Candidates of the peer's that are looked at: a browser with three networks and two relays has some fifteen.
/// Each is sent five small datagrams at most, unless it answers, and few before the peer has shown a password.
pub const ICE_CANDIDATES: usize = 20;
/// Checks of one component that leave before the peer has shown that it knows a password: some 130 bytes each, to
/// addresses that whoever calls may have invented. Each candidate of an honest one has at least one of them, and its own
/// checks prove it.
pub const ICE_UNPROVEN_CHECKS: usize = 24;
/// Of those, so many go to one IP address: together they are shorter than the request that named it, so that nobody is
/// flooded by way of us more than directly. It is one candidate's five, and three of another port's.
pub const ICE_UNPROVEN_CHECKS_OF_ADDRESS: usize = 8;
/// Where no way is left those that worked are tried again for so long: a router that is switched on again needs a
/// minute, and a call without sound ends before it unless it is held...
pub const ICE_RECOVERY: Duration = Duration::from_secs(90);
/// ...and so often.
pub const ICE_RECOVERY_EVERY: Duration = Duration::from_secs(5);
/// Pairs of one component: those, what a relay of ours reaches of them, and what only the peer's checks tell.
pub const ICE_PAIRS: usize = 48;
/// Peer's addresses that a relay of ours sends to for one call.
pub const ICE_DOORS: usize = 16;
/// Between two checks (RFC 8445 section 14.2).
pub const ICE_PACE: Duration = Duration::from_millis(50);
/// A check that is not answered is sent again after this long, then twice as long (RFC 8445 section 14.3).
pub const ICE_FIRST_WAIT: Duration = Duration::from_millis(500);
/// Times that one check is sent: with the waits between them longer than `HANDSHAKE_TIME`.
pub const ICE_COPIES: u32 = 5;
/// Checks of one pair whose answers still count: one may have been sent again meanwhile.
pub const ICE_REMEMBERED: usize = 4;
/// How often a way that works is checked again (RFC 7675 section 5.1), a fifth more or less.
pub const ICE_CONSENT_EVERY: Duration = Duration::from_secs(5);
/// Candidates of ours that are of this box: a laptop with containers has some five addresses.
pub const ICE_HOSTS: usize = 8;
/// Times that a STUN server is asked where it sees a socket, and datagrams that are looked at at once for its answer:
/// whatever else comes to a socket that no call has is a stranger's.
pub const STUN_COPIES: u32 = 4;
pub const STUN_DATAGRAMS: usize = 16;
/// Permissions that one lease asks a TURN server for: each door once, and a second time.
pub const TURN_PERMISSIONS: usize = 2 * ICE_DOORS;
/// Bytes of one message of a TURN server: a datagram of a call and the head around it.
pub const TURN_MESSAGE_BYTES: usize = 2_048;
/// Datagrams of one call that wait for the way to a TURN server: half a second of sound, more is too late.
pub const TURN_WAITING: usize = 25;
/// What leases have to tell the net thread: more than calls and their doors bring at once. They wait beyond it.
pub const TURN_NEWS: usize = 256;
/// Packets that the jitter buffer holds: 1.28 s at 20 ms.
pub const JITTER_PACKETS: usize = 64;
/// A peer's address may be learnt within this many packets (reliability rule: RTP bleed).
pub const RTP_LEARN_PACKETS: u32 = 5;
/// A peer's address may be learnt within this time after its first packet.
pub const RTP_LEARN_WINDOW: Duration = Duration::from_millis(500);
/// A call without RTP and RTCP from its peer ends after this long.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(30);
/// Digits that a caller may press in a second; more is a tone storm and is dropped.
pub const DTMF_PER_SECOND: u32 = 20;
/// The recogniser's window: Whisper models of ours hear 10.24 s at once; 10 s leave a margin.
pub const UTTERANCE_MS: u64 = 10_000;
/// Speech without an end for so long is many people's, or a television's: whoever dictates a message has
/// paused by then.
pub const TURN_MS: u64 = 60_000;
/// Longest silence, in milliseconds, that a playbook may wait for within an answer: the ear keeps it.
pub const PAUSE_MS: u64 = 2_000;
/// What each of the ear's settings, `listen::Settings`, may be: its name, the least and the most, both
/// included; milliseconds, but for the threshold. The ear takes memory for the longest silence and for
/// the preroll at the start of a call: at their most some 190 KiB.
pub const LISTEN_RANGES: [(&str, f64, f64); 22] = [
    // At 0 everything is speech and no turn ends, at 1 nothing is.
    ("speech_threshold", 0.05, 0.95),
    // The ear remembers 32 frames of 20 ms; without any, a silence would be an utterance.
    ("onset_ms", 20.0, 400.0),
    ("preroll_ms", 0.0, 1_000.0),
    ("resume_ms", 20.0, 400.0),
    ("speculate_after_ms", 20.0, 1_000.0),
    // With it and the 2 s in which a cut is looked for, an utterance must stay within `UTTERANCE_MS`.
    ("tail_ms", 0.0, 1_000.0),
    ("shortest_speech_ms", 0.0, 1_000.0),
    // 20 ms are one frame; after 5 s of silence a caller asks whether anybody is there.
    ("close_complete_ms", 20.0, 5_000.0),
    ("close_probable_ms", 20.0, 5_000.0),
    ("close_yes_no_ms", 20.0, 5_000.0),
    ("close_unknown_ms", 20.0, 5_000.0),
    ("close_unclear_ms", 20.0, 5_000.0),
    ("close_doubtful_ms", 20.0, 5_000.0),
    ("close_incomplete_ms", 20.0, 5_000.0),
    ("close_digits_ms", 20.0, 5_000.0),
    ("close_digits_incomplete_ms", 20.0, 5_000.0),
    ("longest_pace_ms", 0.0, 5_000.0),
    ("cut_off_within_ms", 0.0, 5_000.0),
    ("held_vowel_ms", 0.0, 5_000.0),
    ("lost_speech_ms", 0.0, 5_000.0),
    // Frames come every 20 ms, and a tick may be late.
    ("stalled_ms", 100.0, 10_000.0),
    // 0: never.
    ("partial_every_ms", 0.0, 60_000.0),
];
/// Characters of recognised text taken from one utterance.
pub const TRANSCRIPT_CHARS: usize = 1_000;
/// Words of one recognised text: 10 s have 136 tokens at most, and a token hardly two digits.
pub const TRANSCRIPT_WORDS: usize = 300;
/// Bytes of what a recogniser is told that the caller is likely to say: half of a Whisper decoder's
/// text context has 224 tokens, each of about four bytes.
pub const HINT_BYTES: usize = 800;
/// The same in phrases.
pub const HINT_PHRASES: usize = 100;
/// Bytes of one flight record without its head: some 50 minutes of talk. It ends there, the call
/// goes on.
pub const FLIGHT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of a file that is read as one: the head has a playbook of `PLAYBOOK_BYTES`, escaped, for
/// each language beside.
pub const FLIGHT_FILE_BYTES: u64 = 2 * FLIGHT_BYTES;
/// Bytes of one block of a flight record: the head.
pub const FLIGHT_BLOCK_BYTES: usize = 64 * 1024 * 1024;
/// Samples of one sound in a flight record: what `ENGINE_MESSAGE_BYTES` carry.
pub const FLIGHT_SOUND_SAMPLES: usize = ENGINE_MESSAGE_BYTES / 2;
/// Turns kept in a call's record.
pub const TURNS_PER_CALL: usize = 500;
/// Messages shown with a call: a caller leaves one or two, and a model may do so 20 times.
pub const MESSAGES_PER_CALL: usize = 20;
/// The largest `calls.max`.
pub const CALLS: u32 = 100;
/// Ended calls kept in memory for the API.
pub const ENDED_CALLS: usize = 200;
/// Characters in one reply that is spoken.
pub const REPLY_CHARS: usize = 2_000;
/// Bytes of one framed message between the two processes: 60 s of 16 kHz PCM and its head.
pub const ENGINE_MESSAGE_BYTES: usize = 2 * 1024 * 1024;
/// Longest Retry-After that we send: a trunk must find its way back within the hour.
pub const RETRY_AFTER_MAX_S: u32 = 3_600;
/// Payload types that one call may receive: each codec twice leaves room for an odd offer.
pub const RTP_PAYLOAD_TYPES: usize = 8;
/// Connections to the interface at once: some browsers with six each, who listens to events, and who follows a call
/// from a page.
pub const WEB_CONNECTIONS: usize = 192;
/// A connection to the status page without a byte either way is closed after this long.
pub const WEB_CONNECTION_IDLE: Duration = Duration::from_secs(30);
/// Bytes of SIP messages kept for retransmission, all transactions together; beyond it no new call
/// begins. 16,384 transactions of a usual 1 KiB fit four times.
pub const SIP_TRANSACTION_BYTES: usize = 64 * 1024 * 1024;
/// Longest that any work of the engine may take: a minute of sound by a large model on a slow processor takes half of
/// it, and a longer one serves no call.
pub const ENGINE_WORK: Duration = Duration::from_secs(60);
/// Requests waiting in the engine or for it: `calls.max` utterances and phrases, and the phrases
/// that are rendered at start.
pub const ENGINE_REQUESTS: usize = 256;
/// Bytes of one phrase's sound taken from a voice that runs as a child: 60 s at 22.05 kHz.
pub const VOICE_BYTES: usize = 60 * 22_050 * 2;
/// A voice that runs as a child is killed when a phrase takes longer.
pub const VOICE_TIMEOUT: Duration = Duration::from_secs(10);
/// A decode for a call that takes longer, its wait for a worker included, has failed: the longest sound,
/// `UTTERANCE_MS`, at twice its length. A machine or a model slower than that holds no conversation, and
/// the last silence of `converse.silence_s`, 24 s, must not come before the caller is told.
pub const DECODE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a request that may begin a call: a browser's offer beside long identity tokens has
/// half of it. Keeps 4,096 calls that wait for an answer small.
pub const SIP_NEW_CALL_BYTES: usize = 32_768;
/// Requests in one dialog in one second, but for BYE, ACK and CANCEL: a digit each 50 ms is faster
/// than fingers. One call then keeps 20 x 32 = 640 of the transactions, and its own BYE apart.
pub const SIP_IN_DIALOG_PER_SECOND: u32 = 20;
/// Requests in one dialog at once: 2 s of them, as a network that hung delivers them.
pub const SIP_IN_DIALOG_BURST: u32 = 40;
/// Answers in one second to one source that asks over UDP without calling (OPTIONS, unknown
/// methods): a trunk asks every few seconds, a scanner all day, and a forged source must not be
/// flooded by us.
pub const SIP_PROBES_PER_SOURCE_PER_SECOND: u32 = 1;
/// Such answers at once: a proxy with some workers that all begin to ask.
pub const SIP_PROBES_PER_SOURCE_BURST: u32 = 5;
/// Bytes of one WAV file that `attendant transcribe` or `attendant call --play` reads: four hours of 8 kHz, 23 minutes of 48 kHz
/// in stereo.
pub const RECORDING_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of a list of files: a quarter of a million paths.
pub const FILE_LIST_BYTES: u64 = 32 * 1024 * 1024;
/// Stream connections accepted beyond `SIP_CONNECTIONS`, so that the core sees the newcomer and
/// closes an idle one for it; each is there only until one of them is closed.
pub const SIP_CONNECTIONS_HEADROOM: usize = 64;
/// Bytes of a configuration; the one that shows every key has 6 KiB.
pub const CONFIG_BYTES: u64 = 1024 * 1024;
/// Bytes of a playbook: the desk's texts have 20 KiB, and a table of 100,000 orders fits.
pub const PLAYBOOK_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of a pin, of a note beside a file that is being fetched: a line, and an address.
pub const SMALL_FILE_BYTES: u64 = 16 * 1024;
/// Bytes of a manifest of models; the one inside the program has 13 KiB.
pub const MANIFEST_BYTES: u64 = 1024 * 1024;
/// Models in a manifest, and files of one model: far above what a shelf on one box holds.
pub const MANIFEST_MODELS: usize = 1_000;
pub const MODEL_FILES: usize = 16;
/// Bytes of one model file; the largest Whisper has 3.1 GB.
pub const MODEL_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// Bytes of an ONNX file that is looked through: protobuf itself ends at 2 GiB.
pub const ONNX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Messages within messages of an ONNX file: a graph in an attribute of a node in a graph takes
/// three, and real models nest two graphs.
pub const ONNX_DEPTH: usize = 64;
/// Room on the disk that a pull leaves for messages, logs and the system.
pub const SHELF_RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// A pull writes this much at most before it makes sure that the disk has it: what an interrupted
/// pull of a file without a known hash fetches again.
pub const PULL_SYNC_BYTES: u64 = 8 * 1024 * 1024;
/// Redirects of one request: a hub sends on once or twice.
pub const PULL_REDIRECTS: u32 = 5;
/// Attempts in a row that bring no byte before a pull gives up: 1 minute with the waits below.
pub const PULL_TRIES: u32 = 8;
/// The first wait between two attempts; each doubles, to the most.
pub const PULL_WAIT: Duration = Duration::from_millis(500);
pub const PULL_WAIT_MOST: Duration = Duration::from_secs(30);
/// A server that is silent for longer has gone.
pub const PULL_SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a file of certificates that the owner names: a system's whole list has 220 KiB.
pub const CERTIFICATES_BYTES: u64 = 4 * 1024 * 1024;
/// Samples of phrases that are rendered before the first call, all languages together: 35 minutes,
/// 64 MiB. A playbook like ours has two minutes.
pub const SHELF_SAMPLES: usize = 32 * 1024 * 1024;
/// Bytes of one line or event of a model's answer: a token has some hundred, a tool call a few KiB.
pub const LLM_LINE_BYTES: usize = 256 * 1024;
/// Bytes of one answer of a model in all: 10,000 tokens in either protocol's wrapping.
pub const LLM_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of text taken of one answer, in one part or in many, with what is not spoken: what
/// `LLM_TOKENS` come to in any script twice over, and little enough to look through at once.
pub const LLM_TEXT_BYTES: usize = 8 * 1024;
/// Characters of one argument in a question to the caller: 20 s of speech, which nobody follows for
/// longer.
pub const LLM_ASKED_CHARS: usize = 300;
/// Tool calls in one answer.
pub const LLM_TOOL_CALLS: usize = 8;
/// Bytes of one tool call's name, id and arguments.
pub const LLM_ARGUMENT_BYTES: usize = 8 * 1024;
/// Times that a model may call tools before it must answer one turn of the caller.
pub const LLM_ROUNDS: u32 = 4;
/// Tools carried out in one call.
pub const LLM_TOOLS_PER_CALL: usize = 20;
/// Answers that one call may ask of a model, those that were only prepared included.
pub const LLM_ASKS_PER_CALL: u32 = 300;
/// Tokens of one answer: about a minute of speech.
pub const LLM_TOKENS: u32 = 200;
/// Characters of one answer that are spoken: about a minute.
pub const LLM_SPOKEN_CHARS: usize = 900;
/// Bytes of what was said that a model is told word for word: about 1,500 tokens. With as many of
/// instructions, 500 of rules and tools, 400 of summary and an answer they stay within 4,096, which
/// is `llm.context` where nothing else is configured.
pub const LLM_HISTORY_BYTES: usize = 6_000;
/// The same in messages.
pub const LLM_MESSAGES: usize = 60;
/// Characters of one message.
pub const LLM_MESSAGE_CHARS: usize = 2_000;
/// Bytes of the summary of what was said before.
pub const LLM_SUMMARY_BYTES: usize = 1_500;
/// Facts that a model keeps in one call.
pub const LLM_NOTES: usize = 16;
/// Bytes of a playbook's instructions for a model: about 1,500 tokens, read anew with every call
/// that finds no prompt cache.
pub const LLM_INSTRUCTIONS_BYTES: usize = 6_000;
/// Silence after the caller's last word after which a caller who waits is told so: with the way to the
/// caller's ear it stays below a second.
pub const LLM_FILLER_AFTER: Duration = Duration::from_millis(800);
/// The same after our own words, whose sound has 0.14 s of silence at its end: until the second filler,
/// and until the playbook takes over. All together about four seconds, beyond which callers ask whether
/// anybody is there.
pub const LLM_AGAIN_AFTER: Duration = Duration::from_millis(700);
/// A model's server that takes no connection within this time is not there.
pub const LLM_CONNECT: Duration = Duration::from_secs(2);
/// Time of a server for the first words of an answer, all attempts together. Shorter than the
/// conversation waits (`LLM_FILLER_AFTER`, two fillers of half a second and more, `LLM_AGAIN_AFTER` after
/// each), for it cancels then, and what is cancelled speaks against no server: one that hangs would
/// never be left alone.
pub const LLM_FIRST_TOKEN: Duration = Duration::from_secs(3);
/// The same while it may load a model from a slow disk.
pub const LLM_COLD: Duration = Duration::from_secs(300);
/// Time between two parts of an answer, shorter than the conversation waits for the same reason.
pub const LLM_BETWEEN_TOKENS: Duration = Duration::from_secs(3);
/// Bytes of one rendered phrase that is kept on the disk: 60 s at 16 kHz.
pub const PHRASE_BYTES: u64 = 60 * 16_000 * 2;
/// Phrases that were said once and are remembered, so that the second time is known as such.
pub const PHRASES_MET: usize = 4_096;
/// Samples of one inference of a voice, at its own rate: a minute at 48 kHz.
pub const VOICE_SAMPLES: usize = 60 * 48_000;
/// Bytes of the file beside a voice: Piper's with 904 speakers has 20 KiB, Coqui's hold a training.
pub const VOICE_CONFIG_BYTES: u64 = 4 * 1024 * 1024;
/// A voice that takes longer to be read, loaded and tried is left alone: a box answers without it.
pub const VOICE_LOAD: Duration = Duration::from_secs(60);
/// How long a decode that is done waits for the turn model's look, which began with it: what comes
/// later would make replies late.
pub const TURN_WAIT: Duration = Duration::from_millis(100);
/// Times that one caller is put through: who has reached nobody so often leaves a message.
pub const TRANSFERS_PER_CALL: u32 = 5;
/// Other addresses that one call of ours is sent on to, one after the other: a house needs one or two, and
/// more is a circle.
pub const REDIRECTS_PER_CALL: usize = 4;
/// How long the caller's side may take to call a person in our place who has taken the caller already: both
/// wait in silence, and are joined by us otherwise.
pub const HANDED_OVER_WITHIN: Duration = Duration::from_secs(10);
/// People whom callers can be put through to: each has four phrases that are rendered at start.
pub const PEOPLE: usize = 32;
/// Sound that waits for a remote agent: what is older is of no use to whoever listens.
pub const AGENT_OUTBOX_MS: u64 = 2_000;
/// Other messages that wait for it: a pong every two seconds, results of a few tools.
pub const AGENT_OUTBOX_MESSAGES: usize = 64;
/// Bytes of one frame of its WebSocket: what the provider's own clients take.
pub const AGENT_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// Sound of an agent that is kept for one call: longer than anybody talks without a pause. What comes
/// beyond it is left out and counted.
pub const AGENT_REPLY_MS: u64 = 120_000;
/// From this on nothing more is read of an agent's connection, down to that.
pub const AGENT_READ_UP_TO_MS: u64 = 60_000;
pub const AGENT_READ_AGAIN_MS: u64 = 45_000;
/// Sound in one message to it: providers want 20 to 100 ms.
pub const AGENT_CHUNK_MS: u64 = 40;
/// An agent that is not there so long after the answer is not waited for: a silent line is taken for a
/// broken one after two to three seconds.
pub const AGENT_THERE_WITHIN: Duration = Duration::from_secs(2);
/// Neither the agent nor the caller has said anything since the agent is there.
pub const AGENT_FIRST_WORDS: Duration = Duration::from_secs(5);
/// The caller has spoken, and the agent has said nothing for so long: twice what a slow model takes.
pub const AGENT_ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Its server has sent nothing at all, not even one of the pings that it sends every few seconds.
pub const AGENT_SILENCE: Duration = Duration::from_secs(15);
/// One attempt to connect to it: it is not waited for any longer in a call.
pub const AGENT_CONNECT: Duration = Duration::from_secs(2);
/// A connection that takes nothing for so long is of no use.
pub const AGENT_STALL: Duration = Duration::from_secs(10);
/// The close frame leaves within this time, or the connection is closed without it.
pub const AGENT_CLOSE: Duration = Duration::from_millis(500);
/// Bytes of the answer with an agent's signed address.
pub const AGENT_ADDRESS_BYTES: usize = 16 * 1024;
/// Signed addresses that are kept for the next calls: one for each that rings at once. The provider takes one for 15
/// minutes, in which it must also have rung.
pub const AGENT_ADDRESSES: usize = 16;
pub const AGENT_ADDRESS_AGE: Duration = Duration::from_secs(10 * 60);
/// Questions of one agent to the owner's systems at once.
pub const AGENT_LOOK_UPS: usize = 4;
/// Characters of what an agent is told of a call that another connection has begun.
pub const AGENT_CONTEXT_CHARS: usize = 2_000;
/// Of what an agent says in one turn the record has so much of the end, besides its last message.
pub const AGENT_TURN_CHARS: usize = 4_000;
/// Accounts that the box registers with.
pub const ACCOUNTS: usize = 16;
/// Calls that were asked for and are under way or wait to be tried again; each is a few hundred bytes,
/// and far more than a box can make in a day.
pub const DIALLINGS: usize = 100;
/// Values of one call that we make, characters of a name and of a value: they are spoken in one
/// sentence.
pub const DIAL_VARIABLES: usize = 16;
pub const DIAL_VARIABLE_NAME_CHARS: usize = 32;
pub const DIAL_VARIABLE_CHARS: usize = 200;
/// Waits in one list of `[dial]`.
pub const DIAL_RETRIES: usize = 10;
/// Bytes of the body of a request to the HTTP interface: a number and its values.
pub const API_BODY_BYTES: usize = 16 * 1024;
/// Requests of the HTTP interface that wait for the net thread.
pub const API_COMMANDS: usize = 32;
/// Bytes of the file that remembers the calls we made: 600 moments and the calls under way.
pub const LEDGER_BYTES: u64 = 64 * 1024;
/// Addresses of one account's servers.
pub const ACCOUNT_SERVERS: usize = 16;
/// Questions to the owner's systems in one call, of the playbook and of a model together.
pub const LOOK_UPS_PER_CALL: u32 = 20;
/// Questions to the owner's systems at once, all calls together; the others wait for their turn
/// within their own time.
pub const LOOK_UPS_AT_ONCE: usize = 8;
/// A caller who waits for the owner's system is told so again after so long.
pub const LOOK_UP_AGAIN: Duration = Duration::from_secs(3);
/// Times that it is told, until the answer is that it failed: longer than any `timeout_ms`, so that it
/// is there for a shell that says nothing.
pub const LOOK_UP_TOLD: u32 = 4;
/// Bytes of an answer of the owner's systems: a field of a record is looked for, not a list.
pub const LOOK_UP_BYTES: usize = 64 * 1024;
/// Characters of one field that is spoken or told to a model.
pub const LOOK_UP_FIELD_CHARS: usize = 300;
/// Files of the folder of knowledge, bytes of one and of all: some thousand pages, whose index takes
/// a few times as much memory.
pub const KNOWLEDGE_FILES: usize = 500;
pub const KNOWLEDGE_FILE_BYTES: u64 = 256 * 1024;
pub const KNOWLEDGE_BYTES: u64 = 8 * 1024 * 1024;
/// Characters that a model is told of what was found: about 400 tokens.
pub const KNOWLEDGE_CHARS: usize = 1_600;
/// Browsers' sessions at once: each is a call that is taken, or waits for that; `calls.max` is below it.
pub const WEBRTC_SESSIONS: usize = 256;
/// Of a hundred lines so many may be browsers' at once: the others are for those who telephone, whom no page could keep
/// out then. One line is anybody's.
pub const WEBRTC_SHARE: usize = 80;
/// So many those of one token's pages: a token in a page is everybody's who can read it.
pub const WEBRTC_SHARE_OF_TOKEN: usize = 60;
/// So many those of one source address with it, and never more than `WEBRTC_CALLS_OF_ADDRESS`: a family or an office
/// behind one router calls twice at once, and whoever holds lines does it from one place.
pub const WEBRTC_SHARE_OF_ADDRESS: usize = 40;
pub const WEBRTC_CALLS_OF_ADDRESS: usize = 4;
/// Calls that pages of one source address may ask for at once, and then in a second: each has the box send datagrams to
/// addresses that the page names.
pub const WEBRTC_OFFERS_BURST: u32 = 10;
pub const WEBRTC_OFFERS_PER_SECOND: u32 = 1;
/// The same for all pages of one token.
pub const WEBRTC_OFFERS_OF_TOKEN_BURST: u32 = 40;
pub const WEBRTC_OFFERS_OF_TOKEN_PER_SECOND: u32 = 5;
/// Offers and restarts of ICE within one session: a page on the move asks for one with each change of networks, and each
/// has the box look at addresses that the page names.
pub const WEBRTC_REOFFERS: u32 = 60;
/// Pages that follow their calls at once: all that may call, `WEBRTC_SHARE` of `CALLS`; each has one of `WEB_CONNECTIONS`.
pub const WEBRTC_FOLLOWERS: usize = 80;
const _: () = assert!(WEBRTC_FOLLOWERS * 100 >= WEBRTC_SHARE * CALLS as usize);
const _: () = assert!(WEBRTC_FOLLOWERS + EVENTS_LISTENERS < WEB_CONNECTIONS);
/// Changes of calls that a follower may be behind before it looks at its call anew.
pub const WEBRTC_CHANGES: usize = 256;
/// Characters of whom a page wants.
pub const WEBRTC_TO_CHARS: usize = 64;
/// Every line is in use: a call of some minutes may end at any time. In seconds.
pub const WEBRTC_RETRY_AFTER_S: u32 = 10;
/// Ended ones whose last words and ending their page may still read.
pub const WEBRTC_ENDED_SESSIONS: usize = 64;
/// Bytes of the body of a request that may hold a browser's description: `SDP_BYTES`, each line with its
/// ends escaped as JSON, and its frame.
pub const WEBRTC_BODY_BYTES: usize = 2 * SDP_BYTES;
/// Bytes of a fragment with candidates (RFC 8840): some of 100 to 200 bytes each, and names.
pub const WEBRTC_FRAGMENT_BYTES: usize = 16 * 1024;
/// Bytes of one candidate: with extensions of a browser some 200.
pub const WEBRTC_CANDIDATE_BYTES: usize = 512;
/// Candidates of one ICE session: a machine with many addresses and two relays has some thirty.
pub const WEBRTC_CANDIDATES: usize = 128;
/// A GPU's driver that has not answered for so long is told to be silent: it may take seconds to wake one up.
pub const GPU_SILENT: Duration = Duration::from_secs(10);
/// Errors of a GPU that are taken in one look, of which a broken one may have thousands.
pub const GPU_XIDS: usize = 32;
/// Bytes of a file of sysfs or procfs, and entries of a folder there: meminfo has 2 KiB, and a large server some
/// hundred processors.
pub const SYSFS_BYTES: u64 = 64 * 1024;
pub const SYSFS_ENTRIES: usize = 1_024;
/// A call that is announced for a WebSocket and that nobody comes for is forgotten after this long.
pub const AUDIO_START: Duration = Duration::from_secs(30);
/// Who has come says `start` within this time.
pub const AUDIO_GREETING: Duration = Duration::from_secs(10);
/// A call whose WebSocket is lost waits for another one so long: its caller hears silence meanwhile.
pub const AUDIO_RESUME: Duration = Duration::from_secs(10);
/// A sign of life is asked for when none has come for so long...
pub const AUDIO_PING: Duration = Duration::from_secs(3);
/// ...and a WebSocket without one for so long is lost.
pub const AUDIO_SILENT: Duration = Duration::from_secs(10);
/// Bytes of one message of a WebSocket for sound: 2 s of 16 kHz.
pub const AUDIO_MESSAGE_BYTES: usize = 64 * 1024;
/// Frames of a client's sound that wait to be played: 20 s, a long answer that was rendered at once.
pub const AUDIO_IN_FRAMES: usize = 1_000;
/// Frames for a client that wait because it does not read: what is older than 1 s helps nobody.
pub const AUDIO_OUT_FRAMES: usize = 50;
/// Sound that may be on its way to a client without its having read it, in milliseconds: networks with a second
/// of delay both ways are still served.
pub const AUDIO_UNREAD_MS: u64 = 2_000;
/// Text messages that wait for a client: who does not read so many is not there.
pub const AUDIO_TEXTS: usize = 64;
/// Marks that wait for their sound to be played, and bytes of a mark's name.
pub const AUDIO_MARKS: usize = 64;
pub const AUDIO_MARK_BYTES: usize = 128;
/// Keys in one message; as many may wait to be sent.
pub const AUDIO_DIGITS: usize = 32;
/// Messages that break the protocol, before the WebSocket is closed.
pub const AUDIO_FAULTS: u32 = 20;
/// Characters of a call's foreign name, and of who calls whom.
pub const AUDIO_NAME_BYTES: usize = 128;
/// What a WebSocket has to tell the net thread, all calls together; beyond it the session waits.
pub const AUDIO_EVENTS: usize = 64;
/// What a call has to tell its WebSocket; one that takes none of it is not there.
pub const AUDIO_NEWS: usize = 256;
/// How long a WebSocket may take for its last message.
pub const AUDIO_FAREWELL: Duration = Duration::from_secs(3);
/// Bridges that the box connects to.
pub const BRIDGES: usize = 8;
/// A bridge that is not there is tried so often after so long, as one that is being restarted is back by then; and then
/// for ever, seldom enough for a machine that was taken away.
pub const BRIDGE_ATTEMPTS: u32 = 5;
pub const BRIDGE_AGAIN: Duration = Duration::from_secs(5);
pub const BRIDGE_SLOWLY: Duration = Duration::from_secs(60);
/// A waiting connection is asked for a sign of life this often: routers forget silent ones after some minutes.
pub const BRIDGE_HEALTH: Duration = Duration::from_secs(30);
/// For a connection with its handshakes.
pub const BRIDGE_CONNECT: Duration = Duration::from_secs(5);
/// A call that has lost its connection tries again after this: its caller waits.
pub const BRIDGE_RESUME: Duration = Duration::from_secs(1);
/// Requests that whoever asks may make at once, and then in a second: several pages and programs of one machine. Of a
/// token each source address has its own.
pub const API_BURST: u32 = 200;
pub const API_PER_SECOND: u32 = 100;
/// The same for all addresses of one token: what the box can answer beside its calls.
pub const API_TOKEN_BURST: u32 = 1_000;
pub const API_TOKEN_PER_SECOND: u32 = 500;
/// Wrong tokens that an address may show at once, and then in a second: somebody who has mistyped, not who guesses.
pub const API_REFUSED_BURST: u32 = 10;
pub const API_REFUSED_PER_SECOND: u32 = 1;
/// Attempts to sign in that an address may make at once, and then in a second: five a minute, for people.
pub const SIGN_IN_BURST: u32 = 5;
pub const SIGN_IN_PER_SECOND: f64 = 1.0 / 12.0;
/// The same of all addresses together: whoever has many guesses no faster than this.
pub const SIGN_IN_ALL_BURST: u32 = 30;
pub const SIGN_IN_ALL_PER_SECOND: f64 = 0.5;
/// Characters of a password: fewer can be guessed (NIST SP 800-63B), more is no password.
pub const PASSWORD_LEAST_CHARS: usize = 8;
pub const PASSWORD_MOST_CHARS: usize = 128;
/// Browsers that are signed in at once; the one that was quiet longest makes room.
pub const WEB_SESSIONS: usize = 64;
/// A browser is signed out after this time without a request, and after the second in any case.
pub const WEB_SESSION_IDLE: Duration = Duration::from_secs(12 * 60 * 60);
pub const WEB_SESSION_LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Lines of the log that the page shows, and characters of one: some minutes of a busy box.
pub const LOG_LINES: usize = 500;
pub const LOG_LINE_CHARS: usize = 500;
/// Numbers to be forgotten that wait for one attempt of a webhook.
pub const ERASURES: usize = 64;
/// Bytes of what is in a backup, which is made in memory, and files of one folder in it.
pub const BACKUP_BYTES: usize = 32 * 1024 * 1024;
pub const BACKUP_FILES: usize = 256;
/// Bytes of the file that keeps the passwords' hashes.
pub const PASSWORDS_BYTES: u64 = 4 * 1024;
/// Addresses and tokens whose requests are counted.
pub const API_SOURCES: usize = 1_024;
/// Tickets that are out: each page needs one for a moment.
pub const API_TICKETS: usize = 256;
/// Of those, one token's, and one source address's with it: the visitors of one page leave some to the others.
pub const API_TICKETS_OF_TOKEN: usize = 128;
pub const API_TICKETS_OF_ADDRESS: usize = 16;
/// A request is answered within this time: the net thread's answer with all that is before it.
pub const API_REQUEST_TIME: Duration = Duration::from_secs(30);
/// Tokens that the owner gives out, and pages of one.
pub const TOKENS: usize = 32;
pub const TOKEN_ORIGINS: usize = 16;
/// Events that are kept for who comes back: some minutes of a busy box.
pub const EVENTS_KEPT: usize = 1_000;
/// Events that a listener may be behind before it misses some. A partial text is one.
pub const EVENTS_COMING: usize = 512;
/// Who listens to events at once; each has one of `WEB_CONNECTIONS`.
pub const EVENTS_LISTENERS: usize = 32;
/// What a listener may send over its WebSocket: nothing of it is read.
pub const EVENTS_MESSAGE_BYTES: usize = 1_024;
/// Keys that are pressed by one request.
pub const PRESSED_KEYS: usize = 32;
/// Characters of a number or URI that a call is transferred to.
pub const TRANSFER_CHARS: usize = 256;
/// A call that is to be answered by hand is answered by itself after this time: no caller waits for ever.
pub const ANSWERED_BY_HAND: Duration = Duration::from_secs(120);
/// A command of ctrl_tcp as JSON: baresip takes 1023 bytes of the command itself.
pub const CTRL_TCP_BYTES: usize = 8 * 1024;
/// Who is connected to ctrl_tcp at once; baresip itself has one.
pub const CTRL_TCP_CLIENTS: usize = 8;
/// Requests with an Idempotency-Key that are remembered, and for how long: a program that retries does so within it.
pub const IDEMPOTENCY_KEYS: usize = 4_096;
pub const IDEMPOTENCY_TIME: Duration = Duration::from_secs(24 * 3_600);
/// Webhooks of the owner's.
pub const WEBHOOKS: usize = 16;
/// Deliveries that wait for one webhook; what comes beyond that pushes out the oldest.
pub const WEBHOOK_QUEUE: usize = 1_000;
/// A webhook answers within this time, and nobody reads more of its answer.
pub const WEBHOOK_TIME: Duration = Duration::from_secs(15);
/// A delivery as it is kept on the disk: an event with a message.
pub const WEBHOOK_FILE_BYTES: u64 = 256 * 1024;
/// Two days of what is counted begin no sooner after each other while the box runs: the shortest day has 23 hours, and
/// travellers set their clocks.
pub const DAY_LEAST: Duration = Duration::from_secs(20 * 3_600);
/// A day that a wrong clock has put into the future is over when the clock has shown an earlier one for so long.
pub const DAY_BEHIND: Duration = Duration::from_secs(24 * 3_600);
