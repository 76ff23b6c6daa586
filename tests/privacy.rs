//! No number, address, name or word of a caller reaches a log, at any level.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

#[path = "support/sources.rs"]
mod sources;

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attendant::appliance::config::Level;
use attendant::appliance::log;
use attendant::base::{CallId, Private};
use attendant::call::ending::Cause;
use attendant::call::record::{CallRecord, Direction, Progress, Turn};
use attendant::listen::PartialText;
use attendant::web::{Board, Health};
use support::appliance::Setup;
use support::baresip::Baresip;
use support::folder::Folder;
use support::model::{Manner, StandIn, open_playbook};
use support::{model, peers, sound, wait};

const ANSWER: Duration = Duration::from_secs(20);
const HEARD: Duration = Duration::from_secs(60);

/// What the scripted caller and we say, and who the caller is.
const SECRETS: [&str; 4] = ["5550100", "192.0.2.77", "four five six seven", "Maria"];

fn private_call() -> CallRecord {
    let peer = format!("sip:+1{}@{}", SECRETS[0], SECRETS[1]);
    let mut record = CallRecord::new(CallId(1), Direction::Inbound, peer, 1_000);
    record.push_turn(Turn {
        caller_text: Private::new(format!("my number is {}", SECRETS[2])),
        reply_text: Private::new(format!("Thank you, {}.", SECRETS[3])),
        ..Turn::default()
    });
    let rest = Private::new(SECRETS[3].to_owned());
    record.partial = Some(PartialText { settled: Private::new(SECRETS[2].to_owned()), rest });
    record.progress = Progress::Ended {
        answered_at_ms: Some(1_200),
        ended_at_ms: 9_000,
        ending: Cause::HungUp.into(),
    };
    record
}

fn assert_clean(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_holds_private_words_does_not_print_them() {
    let board = Board::default();
    board.set_health(Health::Ready);
    board.update_call(private_call());
    assert_clean(&format!("{:?} {board:?}", private_call()));
}

#[test]
fn the_finest_log_of_a_call_is_clean() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing::subscriber::with_default(log::on(Level::Trace, move || writer.clone()), || {
        let record = private_call();
        tracing::warn!(target: "attendant", ?record, peer = ?record.peer, "a call has ended");
        for turn in record.turns() {
            tracing::info!(target: "attendant", ?turn, text = ?turn.caller_text, "a turn");
        }
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("a call has ended") && text.contains("a turn"), "{text}");
    assert_clean(&text);
}

/// A whole call through the real program, from a marked caller who says a name and a number.
#[test]
fn the_finest_log_of_a_real_call_is_clean() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let lead = || sound::silence_ms(4_500);
    let mut words = lead();
    for text in ["my name is maria", "track my order number four seven two nine one"] {
        words.extend(sound::speak(text));
        words.extend(lead());
    }
    let appliance = Setup::default().with("log", "level = \"trace\"").start();
    let mut caller = Baresip::start("5550142", appliance.sip.ip(), "udp", "PCMA/8000/1");
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", ANSWER);
    caller.play(&words);
    let heard = wait::until("both sentences are heard", HEARD, || {
        let record = appliance.record(|call| call["peer"].as_str().unwrap().contains("5550142"))?;
        let turns = record["turns"].as_array().unwrap();
        let heard: Vec<String> =
            turns.iter().filter_map(|turn| turn["caller"].as_str()).map(str::to_owned).collect();
        (heard.iter().filter(|text| !text.is_empty()).count() >= 2).then_some(heard)
    });
    caller.command("sndcode", "8642");
    caller.command("hangup", "");
    let log = wait::until("the call's end is in the log", ANSWER, || {
        let log = appliance.log().to_lowercase();
        log.contains("call ended").then_some(log)
    });
    assert!(log.contains("call taken"), "{log}");
    let spoken = ["5550142", "maria", "47291", "4 7 2 9 1", "four seven", "8642", "track my"];
    for secret in spoken.into_iter().map(str::to_owned).chain(heard) {
        let secret = secret.to_lowercase();
        assert!(secret.is_empty() || !log.contains(&secret), "{secret} in: {log}");
    }
}

/// A call that a language model answers, with a key for its server.
#[test]
fn the_finest_log_of_a_call_with_a_model_holds_neither_its_key_nor_a_word_of_its_chats() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    const KEY: &str = "sk-verysecret4711";
    let token = Duration::from_millis(20);
    let model = StandIn::start(token, token);
    let folder = Folder::new("model");
    let appliance = Setup::default()
        .with("log", "level = \"trace\"")
        .with("llm", &model.keys())
        .with("converse", &format!("playbook = \"{}\"", open_playbook(&folder)))
        .env("ATTENDANT_LLM_KEY", KEY)
        .start();
    let call = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--max-seconds", "90"])
        .args(["--say", "what are your opening hours", "--say", "what is your address"])
        .args(["--say", "thank you goodbye"])
        .output()
        .unwrap();
    assert!(call.status.success(), "{call:?}");
    model.behave(Manner::InvalidJson);
    let failing = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--max-seconds", "60"])
        .args(["--say", "what are your opening hours"])
        .output()
        .unwrap();
    assert!(failing.status.success(), "{failing:?}");
    assert!(!model.chats().is_empty(), "the model was asked");
    let bearer = format!("authorization: bearer {KEY}");
    assert!(model.heads().iter().all(|head| head.to_lowercase().contains(&bearer)));
    let log = wait::until("both ends are in the log", ANSWER, || {
        let log = appliance.log().to_lowercase();
        (log.matches("call ended").count() == 2).then_some(log)
    });
    assert!(log.contains("the model does not answer"), "{log}");
    let mut words: Vec<String> = vec![KEY.to_owned(), "opening hours".into(), "bearer".into()];
    for chat in model.chats() {
        let chat: serde_json::Value = serde_json::from_str(&chat).unwrap();
        let messages = chat["messages"].as_array().unwrap().iter();
        let texts = messages.filter_map(|message| message["content"].as_str());
        words.extend(texts.flat_map(str::lines).map(str::to_owned));
    }
    for answer in model::ANSWERS {
        words.extend(answer.split_inclusive('.').map(|sentence| sentence.trim().to_owned()));
    }
    for secret in words.iter().map(|words| words.trim().to_lowercase()) {
        assert!(secret.len() < 4 || !log.contains(&secret), "{secret} in: {log}");
    }
}

/// Log lines, prints and panics that reveal a private value, as lines of `text`.
fn revealing(text: &str) -> Vec<usize> {
    let macros = [
        "error!(",
        "warn!(",
        "info!(",
        "debug!(",
        "trace!(",
        "event!(",
        "span!(",
        "println!(",
        "panic!(",
    ];
    let mut found = Vec::new();
    for start in macros.iter().flat_map(|name| text.match_indices(name)) {
        let arguments = &text[start.0 + start.1.len()..];
        let mut depth = 1;
        let end = arguments.find(|c| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        if arguments[..end.unwrap_or(arguments.len())].contains("reveal") {
            found.push(text[..start.0].matches('\n').count() + 1);
        }
    }
    found
}

/// Without what the owner has asked for by `log.private`.
fn unasked(text: &str) -> String {
    let mut parts = text.split("if log::shows_private() {");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find("\n    }").unwrap_or(part.len());
        kept.push_str(&"\n".repeat(part[..end].matches('\n').count()));
        kept.push_str(&part[end..]);
    }
    kept
}

#[test]
fn no_log_line_reveals_a_private_value() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources::sources(&root) {
        // `attendant call` is the caller: it prints its own conversation on its own terminal.
        if path.starts_with(root.join("cli")) {
            continue;
        }
        let lines = revealing(&unasked(&fs::read_to_string(&path).unwrap()));
        assert!(lines.is_empty(), "{}: lines {lines:?}", path.display());
    }
    assert_eq!(revealing("tracing::info!(\n  peer = f(x).reveal(),\n);"), [1]);
    assert!(revealing("info!(calls);\nlet x = peer.reveal();").is_empty());
    let asked = "fn f() {\n    if log::shows_private() {\n        info!(p.reveal());\n    }\n    info!(p.reveal());\n}\n";
    assert_eq!(revealing(&unasked(asked)), [5]);
}

/// Fields that hold what must not print, by their names; those of a type that prints are `Private`.
const TELLING: [&str; 32] = [
    "password",
    "secret",
    "token",
    "jwt",
    "phone_number",
    "number",
    "digits",
    "text",
    "words",
    "body",
    "offer",
    "sdp",
    "to",
    "from",
    "caller",
    "phrase",
    "recovery",
    "extension",
    "voicemail",
    "peer",
    "uri",
    "url",
    "caller_id",
    "signature",
    "authorization",
    "prompt",
    "message",
    "said",
    "heard",
    "target",
    "call_id",
    "resume",
];
/// What is named like that, or is a text without a name, and tells nobody anything of a caller; or is one step of reading,
/// thinking or speaking, lives no longer than that, and stands in no log line.
const HARMLESS: [(&str, &[&str]); 46] = [
    // The owner's own files, as they are written and checked, and the terminal of whoever calls.
    ("appliance/config/", &[]),
    ("cli/", &[]),
    ("converse/agent/outgoing.rs", &["Initiation.prompt"]),
    ("converse/playbook/agent.rs", &["Agent.prompt"]),
    ("converse/playbook/llm.rs", &["Llm.offer"]),
    ("converse/playbook/phrase.rs", &["Piece.Slot", "Piece.Text"]),
    ("converse/playbook/transfer.rs", &["Names.words"]),
    ("converse/reply.rs", &["Piece.Text"]),
    ("appliance/lookup/request.rs", &["Piece.Text", "Piece.Value"]),
    ("listen/recognizer.rs", &["Hint"]),
    ("store/knowledge/passages.rs", &["Passage.text"]),
    // The box's own words, names and faults.
    ("appliance/front/rendering.rs", &["State.phrase"]),
    ("appliance/gpu/mod.rs", &["Wish.Uuid"]),
    ("appliance/gpu/watch.rs", &["Watched.Fault"]),
    ("appliance/ringcentral/mod.rs", &["What.Faults"]),
    ("converse/agent/tools.rs", &["Effect.Refused"]),
    // A function.
    ("fuzz/mod.rs", &["Target.body"]),
    ("sip/message/method.rs", &["Token"]),
    ("sip/user_agent/api.rs", &["Warning.text"]),
    ("store/shelf/address.rs", &["Address.text"]),
    ("store/shelf/resume.rs", &["Verdict.Follow"]),
    ("trunk/locating.rs", &["Lead.Machine", "Lead.Service", "Machine.target"]),
    (
        "trunk/ringcentral/refusal.rs",
        &["Refusal.Application", "Refusal.Refused", "Refusal.SignIn", "Refusal.User"],
    ),
    ("trunk/ringcentral/service.rs", &["Output.Faults", "Purpose.Device"]),
    ("web/access/guard.rs", &["Whose.token"]),
    (
        "web/command.rs",
        &["NotPlaced.Forbidden", "NotPlaced.Limited", "NotPlaced.Unavailable", "NotPlaced.Wrong"],
    ),
    ("web/metrics/exposition.rs", &["Exposition.text", "Family.text"]),
    ("web/settings.rs", &["NotChanged.Wrong"]),
    ("web/updates.rs", &["Shown.message", "Told.message"]),
    (
        "webrtc/sessions.rs",
        &["IfMatch.Tag", "Refusal.Malformed", "Refusal.NotNow", "Refusal.Unacceptable"],
    ),
    ("websocket/sound_in.rs", &["Step.Mark"]),
    // One step.
    ("call/flight/bytes.rs", &["Reader", "Writer"]),
    ("call/flight/tracked.rs", &["Piece.Block"]),
    ("converse/matching/numbers.rs", &["Part.Written", "Run.digits"]),
    ("converse/matching/score.rs", &["Element.Word"]),
    ("converse/matching/slots.rs", &["Found.Partial", "Found.Value", "Value.text"]),
    ("listen/transcript.rs", &["Chunk.text"]),
    ("sip/transaction/invite_server.rs", &["Input.Respond"]),
    ("sip/transaction/mod.rs", &["Effect.Transmit"]),
    ("sip/transaction/server.rs", &["Input.Respond"]),
    ("sip/user_agent/compose.rs", &["Body.Sdp"]),
    ("speak/phrases.rs", &["Phrase.text"]),
    ("speech/protocol.rs", &["Reader", "Writer"]),
    ("speech/vits/clauses.rs", &["Words.Phonemes", "Words.Text"]),
    // Stand-ins of tests.
    ("appliance/llm/stand_in.rs", &[]),
    ("trunk/ringcentral/gateway.rs", &["State.message"]),
];

/// A text or bytes, which would print.
fn is_plain(kind: &str) -> bool {
    let plain =
        ["String", "Vec<u8>", "Value", "&str", "&[u8]", "'a str", "'a [u8]", "<str>", "<[u8]>"];
    let is_text = plain.iter().any(|plain| kind.contains(plain));
    is_text && !kind.contains("Private")
}

/// What a type that prints shows of texts, as `Type.field`, `Type.Variant` or `Type`: a telling field, or anything without
/// a name. An error that is one of `thiserror` is a text anyway.
fn printing(text: &str) -> Vec<String> {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut lines = product.lines().peekable();
    while let Some(line) = lines.next() {
        let derived = line.trim().strip_prefix("#[derive(").unwrap_or_default();
        let derives = |what: &str| {
            derived.split([',', ')']).any(|name| name.trim().rsplit("::").next() == Some(what))
        };
        if !derives("Debug") {
            continue;
        }
        let is_error = derives("Error");
        // Attributes and words about it stand between.
        let is_between = |line: &&str| line.trim_start().starts_with(['#', '/']);
        while lines.next_if(is_between).is_some() {}
        let Some(head) = lines.next() else { break };
        let mut words =
            head.split_whitespace().skip_while(|word| !["struct", "enum"].contains(word));
        let (Some(_), Some(name)) = (words.next(), words.next()) else { continue };
        let name = name.split(['<', '(']).next().unwrap_or_default();
        if let Some((_, kind)) = head.split_once('(').filter(|_| head.ends_with(");")) {
            found.extend((!is_error && is_plain(kind)).then(|| name.to_owned()));
        }
        if !head.ends_with('{') {
            continue;
        }
        for line in lines.by_ref().take_while(|line| *line != "}").map(str::trim) {
            let variant = line.split_once('(').filter(|(variant, _)| {
                variant.starts_with(char::is_uppercase)
                    && variant.chars().all(char::is_alphanumeric)
            });
            if let Some((variant, kind)) = variant {
                found.extend((!is_error && is_plain(kind)).then(|| format!("{name}.{variant}")));
                continue;
            }
            let Some((field, kind)) = line.split_once(": ") else { continue };
            let field = field.split_whitespace().last().unwrap_or_default();
            if TELLING.contains(&field) && is_plain(kind) {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    found
}

#[test]
fn no_type_that_prints_has_a_telling_field_as_plain_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut prints = Vec::new();
    for path in sources::sources(&root) {
        let file = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        if file.contains("tests") {
            continue;
        }
        for field in printing(&fs::read_to_string(&path).unwrap()) {
            let is_harmless = HARMLESS.iter().any(|(place, known)| {
                file.starts_with(place) && (known.is_empty() || known.contains(&&*field))
            });
            if !is_harmless {
                prints.push(format!("{file}: {field}"));
            }
        }
    }
    assert!(prints.is_empty(), "{prints:#?}");
    let leak = "/// A call.\n#[derive(Clone, Debug)]\n/// Words.\npub struct Call {\n    pub peer: String,\n}\n";
    assert_eq!(printing(leak), ["Call.peer"]);
    assert!(printing(&leak.replace("String", "Private<String>")).is_empty());
    assert!(printing(&leak.replace("Debug", "Default")).is_empty());
    let leak = "#[derive(Debug)]\nenum News {\n    /// Words.\n    Said(String),\n    Sound(u16, Vec<u8>),\n    Known(CallId),\n}\n";
    assert_eq!(printing(leak), ["News.Said", "News.Sound"]);
    assert_eq!(printing("#[derive(Clone, Debug)]\npub struct Words(Vec<String>);\n"), ["Words"]);
    assert!(printing(&leak.replace("Debug", "Debug, thiserror::Error")).is_empty());
}
