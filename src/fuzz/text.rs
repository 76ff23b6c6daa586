//! What people, programs and servers write: files of the owner, bodies of requests, other services.

use serde_json::Value;

use super::{Script, beginning};
use crate::appliance::config as settings;
use crate::base::Private;
use crate::converse::Playbook;
use crate::converse::agent as remote;
use crate::converse::llm::{Event, Protocol, Reader, Sentences, ToolRequest, parse};
use crate::store::shelf::manifest::Manifest;
use crate::store::shelf::onnx;
use crate::trunk::ringcentral::{AgentMessage, AgentWish, ApiIds, events};
use crate::web;

/// Netstrings in pieces, and the commands in them.
pub fn ctrl_tcp(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut pieces = Vec::new();
    while !script.is_over() {
        pieces.push(script.piece());
    }
    web::fuzz::commands(&pieces);
}

/// The body of each request of the interface.
pub fn bodies(bytes: &[u8]) {
    web::fuzz::bodies(bytes);
}

/// A configuration is right, or its faults are told.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = settings::from_text(text) {
        assert!(!error.to_string().is_empty());
    }
    let _ = Manifest::parse(text);
}

/// A playbook is right, or its faults are told; one that is right reads the same again.
pub fn playbook(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Playbook::parse(text) {
        Ok(playbook) => assert!(playbook.source() == text),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Headers, messages and events of RingCentral's servers.
pub fn ringcentral(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = ApiIds::parse(text);
    if let Some(message) = AgentMessage::parse(text) {
        let _ = message.reply(&AgentWish::ReceiveConfirm, "authorization");
    }
    let mut sessions = events::Sessions::default();
    for line in text.lines() {
        if let Ok(event) = serde_json::from_str::<Value>(line) {
            for news in sessions.take(beginning(), &event) {
                let _ = (news.rings(), news.verdict());
            }
        }
    }
}

/// Messages of a remote agent, tool calls of a model, and the graph of a voice.
pub fn agent(bytes: &[u8]) {
    let _ = onnx::external_files(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop(remote::read(text));
    let (name, arguments) = text.split_once('\n').unwrap_or((text, ""));
    let request = ToolRequest {
        id: String::new(),
        name: name.to_owned(),
        arguments: Private::new(arguments.to_owned()),
    };
    let _ = parse(&request, Playbook::logistics().lookups());
}

/// What a language model's server streams: the same words come of it wherever it is cut.
pub fn model(bytes: &[u8]) {
    let mut script = Script(bytes);
    let cut = usize::from(script.byte()) + 1;
    let rest = script.take(usize::MAX);
    for protocol in [Protocol::Ollama, Protocol::OpenAi] {
        assert!(words(protocol, rest.chunks(cut)) == words(protocol, [rest].into_iter()));
    }
}

/// What would be said of an answer that comes in these pieces.
fn words<'a>(protocol: Protocol, pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let (mut events, mut said) = (Vec::new(), String::new());
    let mut reader = Reader::new(protocol);
    pieces.for_each(|piece| reader.push(piece, &mut events));
    reader.end(&mut events);
    let mut sentences = Sentences::default();
    let mut say = |piece: String| {
        said.push_str(&piece);
        true
    };
    for event in &events {
        if let Event::Text(text) = event {
            sentences.push(text.reveal(), &mut say);
        }
    }
    sentences.end(&mut say);
    said
}
