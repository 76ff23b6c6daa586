//! What we send, as texts of the protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::base::Private;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientMessage {
    /// The caller's sound in the agent's input format.
    Audio(Private<Vec<u8>>),
    /// The answer to a ping.
    Pong {
        event_id: i64,
    },
    /// Counts as words of the caller.
    UserMessage(Private<String>),
    /// What the agent should know; it says nothing to that.
    ContextualUpdate(Private<String>),
    ToolResult {
        id: String,
        result: Private<String>,
        is_error: bool,
    },
}

/// What a conversation begins with: the owner's values for it, and what of the agent's own settings they
/// replace. The agent must allow each of these, or closes with code 1008.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Initiation {
    pub prompt: Option<String>,
    pub first_message: Option<String>,
    /// As in `en`.
    pub language: Option<String>,
    pub voice: Option<String>,
    /// By name; none begins with `system__`, which are the server's own.
    pub variables: Vec<(String, Private<String>)>,
}

impl ClientMessage {
    pub const fn is_audio(&self) -> bool {
        matches!(self, Self::Audio(_))
    }

    pub fn to_text(&self) -> String {
        let value = match self {
            Self::Audio(sound) => json!({ "user_audio_chunk": base64(sound.reveal()) }),
            Self::Pong { event_id } => json!({ "type": "pong", "event_id": event_id }),
            Self::UserMessage(text) => json!({ "type": "user_message", "text": text.reveal() }),
            Self::ContextualUpdate(text) => {
                json!({ "type": "contextual_update", "text": text.reveal() })
            }
            Self::ToolResult { id, result, is_error } => json!({
                "type": "client_tool_result",
                "tool_call_id": id,
                "result": result.reveal(),
                "is_error": is_error,
            }),
        };
        value.to_string()
    }
}

impl Initiation {
    /// The first message. What is not set is left out.
    pub fn to_text(&self) -> String {
        let mut agent = Map::new();
        if let Some(prompt) = &self.prompt {
            agent.insert("prompt".to_owned(), json!({ "prompt": prompt }));
        }
        for (name, value) in [("first_message", &self.first_message), ("language", &self.language)]
        {
            agent.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
        }
        let mut overrides = Map::new();
        if !agent.is_empty() {
            overrides.insert("agent".to_owned(), Value::Object(agent));
        }
        if let Some(voice) = &self.voice {
            overrides.insert("tts".to_owned(), json!({ "voice_id": voice }));
        }
        let mut message = json!({
            "type": "conversation_initiation_client_data",
            "source_info": { "source": "attendant", "version": env!("CARGO_PKG_VERSION") },
        });
        if !overrides.is_empty() {
            message["conversation_config_override"] = Value::Object(overrides);
        }
        if !self.variables.is_empty() {
            let variables =
                self.variables.iter().map(|(name, value)| (name.clone(), json!(value.reveal())));
            message["dynamic_variables"] = Value::Object(variables.collect());
        }
        message.to_string()
    }
}

pub(super) fn base64(sound: &[u8]) -> String {
    STANDARD.encode(sound)
}
