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

#[test]
fn no_log_line_reveals_a_private_value() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources::sources(&root) {
        // `attendant call` is the caller: it prints its own conversation on its own terminal.
        if path.starts_with(root.join("cli")) {
            continue;
        }
        let lines = revealing(&fs::read_to_string(&path).unwrap());
        assert!(lines.is_empty(), "{}: lines {lines:?}", path.display());
    }
    assert_eq!(revealing("tracing::info!(\n  peer = f(x).reveal(),\n);"), [1]);
    assert!(revealing("info!(calls);\nlet x = peer.reveal();").is_empty());
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
/// What is named like that and tells nobody anything, or lives no longer than a function.
const HARMLESS: [(&str, &str); 23] = [
    // The owner's own file, as it is written and checked.
    ("appliance/config/", ""),
    ("converse/playbook/", ""),
    ("converse/agent/outgoing.rs", "Initiation.prompt"),
    // The box's own words and names.
    ("appliance/front/rendering.rs", "State.phrase"),
    ("sip/user_agent/api.rs", "Warning.text"),
    ("web/metrics/exposition.rs", ""),
    ("store/shelf/", ""),
    ("store/knowledge/passages.rs", "Passage.text"),
    ("trunk/locating.rs", "Machine.target"),
    ("web/access/", ""),
    // One step of reading or speaking a sentence.
    ("converse/matching/", ""),
    ("listen/transcript.rs", "Chunk.text"),
    ("speak/phrases.rs", "Phrase.text"),
    // Stand-ins of tests.
    ("appliance/llm/stand_in.rs", ""),
    ("trunk/ringcentral/gateway.rs", "State.message"),
    ("cli/", ""),
    ("sip/", ""),
    ("sdp/", ""),
    ("speech/", ""),
    ("speak/", ""),
    ("converse/llm/", ""),
    ("converse/lookup", ""),
    ("store/", ""),
];

/// Types that print and have a telling field as plain text, as `Type.field`.
fn printing(text: &str) -> Vec<String> {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut lines = product.lines().peekable();
    while let Some(line) = lines.next() {
        let derives = line.trim().strip_prefix("#[derive(");
        if !derives.is_some_and(|names| names.split([',', ')']).any(|name| name.trim() == "Debug"))
        {
            continue;
        }
        // Attributes and words about it stand between.
        let is_between = |line: &&str| line.trim_start().starts_with(['#', '/']);
        while lines.next_if(is_between).is_some() {}
        let Some(head) = lines.next() else { break };
        let mut words =
            head.split_whitespace().skip_while(|word| !["struct", "enum"].contains(word));
        let (Some(_), Some(name)) = (words.next(), words.next()) else { continue };
        if !head.ends_with('{') {
            continue;
        }
        let name = name.split(['<', '(']).next().unwrap_or_default();
        for line in lines.by_ref().take_while(|line| *line != "}") {
            let Some((field, kind)) = line.trim().split_once(": ") else { continue };
            let field = field.split_whitespace().last().unwrap_or_default();
            let is_plain = ["String", "Vec<u8>", "Value"].iter().any(|plain| kind.contains(plain));
            if TELLING.contains(&field) && is_plain && !kind.contains("Private") {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    found
}

#[test]
fn no_type_that_prints_has_a_telling_field_as_plain_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources::sources(&root) {
        let file = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        if file.contains("tests") {
            continue;
        }
        for field in printing(&fs::read_to_string(&path).unwrap()) {
            let is_harmless = HARMLESS.iter().any(|(place, known)| {
                file.starts_with(place) && (known.is_empty() || *known == field)
            });
            assert!(is_harmless, "{file}: {field} prints");
        }
    }
    let leak = "/// A call.\n#[derive(Clone, Debug)]\n/// Words.\npub struct Call {\n    pub peer: String,\n}\n";
    assert_eq!(printing(leak), ["Call.peer"]);
    assert!(printing(&leak.replace("String", "Private<String>")).is_empty());
    assert!(printing(&leak.replace("Debug", "Default")).is_empty());
}
