//! What a server sends, read message by message.
//!
//! A type that is not known, and a known one that is not made as it should be, are told apart from those
//! that mean something, and harm nothing. Numbers may come as texts, as some do.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Format;
use crate::base::{Private, serial};
use crate::converse::llm::ToolRequest;

/// Characters of an id of theirs that is kept: theirs have some 30.
const ID_CHARS: usize = 200;
/// Of a text: an answer of a minute has a tenth.
const TEXT_CHARS: usize = 10_000;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    Metadata(Metadata),
    Audio {
        event_id: i64,
        sound: Private<Vec<u8>>,
    },
    Ping {
        event_id: i64,
    },
    Interruption {
        event_id: i64,
    },
    UserTranscript(Private<String>),
    AgentResponse(Private<String>),
    AgentResponseCorrection(Private<String>),
    ToolCall(ToolRequest),
    /// A tool of the server's own has run: `end_call` announces the end.
    SystemTool {
        ends_call: bool,
    },
    /// A close frame follows.
    Error {
        code: u16,
    },
    /// The formats cannot be used.
    NoFormat,
    /// Something that a call has no use for, or that is new.
    Unknown,
    /// A known type without what it needs.
    Malformed,
}

/// `conversation_initiation_metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// By which the conversation is found at the provider.
    #[serde(with = "serial::revealed")]
    pub conversation: Private<String>,
    /// Of the agent's sound.
    pub output: Format,
    /// Of the caller's.
    pub input: Format,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct MetadataMessage<'a> {
    #[serde(borrow, rename = "conversation_initiation_metadata_event")]
    event: MetadataEvent<'a>,
}

#[derive(Deserialize)]
struct MetadataEvent<'a> {
    #[serde(borrow, default)]
    conversation_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    agent_output_audio_format: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_input_audio_format: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct AudioMessage<'a> {
    #[serde(borrow)]
    audio_event: AudioEvent<'a>,
}

#[derive(Deserialize)]
struct AudioEvent<'a> {
    #[serde(borrow)]
    audio_base_64: Cow<'a, str>,
    #[serde(default, deserialize_with = "number")]
    event_id: i64,
}

#[derive(Deserialize)]
struct Numbered {
    #[serde(alias = "ping_event", alias = "interruption_event")]
    event: EventId,
}

#[derive(Deserialize)]
struct EventId {
    #[serde(deserialize_with = "number")]
    event_id: i64,
}

#[derive(Deserialize)]
struct Texts<'a> {
    #[serde(
        borrow,
        alias = "user_transcription_event",
        alias = "agent_response_event",
        alias = "agent_response_correction_event"
    )]
    event: Text<'a>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(
        borrow,
        alias = "user_transcript",
        alias = "agent_response",
        alias = "corrected_agent_response"
    )]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ToolCallMessage {
    client_tool_call: ClientToolCall,
}

#[derive(Deserialize)]
struct ClientToolCall {
    tool_name: String,
    tool_call_id: String,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct SystemToolMessage {
    agent_tool_response: SystemTool,
}

#[derive(Deserialize)]
struct SystemTool {
    #[serde(default)]
    tool_name: String,
    #[serde(default)]
    is_error: bool,
}

#[derive(Deserialize)]
struct ErrorMessage {
    error_event: ErrorEvent,
}

#[derive(Deserialize)]
struct ErrorEvent {
    #[serde(default, deserialize_with = "number")]
    code: i64,
}

/// An integer, also where it comes as a text; 0 where it is null.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let read = match Value::deserialize(from)? {
        Value::Null => Some(0),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    read.ok_or_else(|| serde::de::Error::custom("no integer"))
}

/// Reads one frame's text.
pub fn read(text: &str) -> ServerMessage {
    let Ok(Kind { kind }) = serde_json::from_str(text) else { return ServerMessage::Malformed };
    let read = match kind.as_deref().unwrap_or_default() {
        "conversation_initiation_metadata" => metadata(text),
        "audio" => audio(text),
        "ping" => numbered(text).map(|event_id| ServerMessage::Ping { event_id }),
        "interruption" => numbered(text).map(|event_id| ServerMessage::Interruption { event_id }),
        "user_transcript" => words(text).map(ServerMessage::UserTranscript),
        "agent_response" => words(text).map(ServerMessage::AgentResponse),
        "agent_response_correction" => words(text).map(ServerMessage::AgentResponseCorrection),
        "client_tool_call" => tool_call(text),
        "agent_tool_response" => system_tool(text),
        "error" => error(text),
        _ => Some(ServerMessage::Unknown),
    };
    read.unwrap_or(ServerMessage::Malformed)
}

fn metadata(text: &str) -> Option<ServerMessage> {
    let event = serde_json::from_str::<MetadataMessage<'_>>(text).ok()?.event;
    let format = |name: Option<Cow<'_, str>>| match name {
        Some(name) => Format::of_name(&name),
        None => Some(Format::default()),
    };
    let output = format(event.agent_output_audio_format);
    let input = format(event.user_input_audio_format);
    let (Some(output), Some(input)) = (output, input) else {
        return Some(ServerMessage::NoFormat);
    };
    let conversation = Private::new(cut(event.conversation_id.unwrap_or_default(), ID_CHARS));
    Some(ServerMessage::Metadata(Metadata { conversation, output, input }))
}

fn audio(text: &str) -> Option<ServerMessage> {
    let event = serde_json::from_str::<AudioMessage<'_>>(text).ok()?.audio_event;
    let sound = Private::new(of_base64(&event.audio_base_64)?);
    Some(ServerMessage::Audio { event_id: event.event_id, sound })
}

fn numbered(text: &str) -> Option<i64> {
    serde_json::from_str::<Numbered>(text).ok().map(|message| message.event.event_id)
}

fn words(text: &str) -> Option<Private<String>> {
    let text = serde_json::from_str::<Texts<'_>>(text).ok()?.event.text;
    Some(Private::new(cut(text, TEXT_CHARS)))
}

fn tool_call(text: &str) -> Option<ServerMessage> {
    let call = serde_json::from_str::<ToolCallMessage>(text).ok()?.client_tool_call;
    let arguments = Value::Object(call.parameters.unwrap_or_default()).to_string();
    let is_short = call.tool_call_id.chars().count() <= ID_CHARS;
    is_short.then(|| {
        ServerMessage::ToolCall(ToolRequest {
            id: call.tool_call_id,
            name: call.tool_name,
            arguments: Private::new(arguments),
        })
    })
}

fn system_tool(text: &str) -> Option<ServerMessage> {
    let tool = serde_json::from_str::<SystemToolMessage>(text).ok()?.agent_tool_response;
    let ends_call = tool.tool_name == "end_call" && !tool.is_error;
    Some(ServerMessage::SystemTool { ends_call })
}

fn error(text: &str) -> Option<ServerMessage> {
    let event = serde_json::from_str::<ErrorMessage>(text).ok()?.error_event;
    Some(ServerMessage::Error { code: u16::try_from(event.code).unwrap_or_default() })
}

pub(super) fn of_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn cut(text: Cow<'_, str>, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text.into_owned(),
    }
}
