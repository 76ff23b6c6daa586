//! The protocol's texts, as the provider writes them and otherwise.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::base::{Private, limits};
use crate::converse::llm::ToolRequest;
use crate::converse::playbook::{Playbook, PlaybookError};

fn private(text: &str) -> Private<String> {
    Private::new(text.to_owned())
}

#[test]
fn every_message_that_means_something_is_read() {
    let audio = json!({"audio_base_64": "AAEC", "event_id": 7, "alignment": {"chars": ["a"]}});
    let tool =
        json!({"tool_name": "t", "tool_call_id": "c", "parameters": {"a": 1}, "event_id": 3});
    let response = |text: &str| json!({"agent_response": text, "event_id": 1});
    let cases = [
        (
            json!({"type": "conversation_initiation_metadata",
                "conversation_initiation_metadata_event": {"conversation_id": "conv_1",
                    "agent_output_audio_format": "ulaw_8000", "user_input_audio_format": "pcm_48000"}}),
            ServerMessage::Metadata(Metadata {
                conversation: private("conv_1"),
                output: Format::Ulaw,
                input: Format::Pcm(48_000),
            }),
        ),
        (
            json!({"type": "audio", "audio_event": audio}),
            ServerMessage::Audio { event_id: 7, sound: Private::new(vec![0, 1, 2]) },
        ),
        (
            json!({"type": "ping", "ping_event": {"event_id": 4, "ping_ms": null}}),
            ServerMessage::Ping { event_id: 4 },
        ),
        (
            json!({"type": "interruption", "interruption_event": {"event_id": "12"}}),
            ServerMessage::Interruption { event_id: 12 },
        ),
        (
            json!({"type": "user_transcript",
                "user_transcription_event": {"user_transcript": "a \"b\"\n", "event_id": 1}}),
            ServerMessage::UserTranscript(private("a \"b\"\n")),
        ),
        (
            json!({"type": "agent_response", "agent_response_event": response("x")}),
            ServerMessage::AgentResponse(private("x")),
        ),
        (
            json!({"type": "agent_response_correction", "agent_response_correction_event":
                {"original_agent_response": "x y", "corrected_agent_response": "x", "event_id": 1}}),
            ServerMessage::AgentResponseCorrection(private("x")),
        ),
        (
            json!({"type": "client_tool_call", "client_tool_call": tool}),
            ServerMessage::ToolCall(ToolRequest {
                id: "c".into(),
                name: "t".into(),
                arguments: private("{\"a\":1}"),
            }),
        ),
        (
            json!({"type": "agent_tool_response",
                "agent_tool_response": {"tool_name": "end_call", "is_error": false}}),
            ServerMessage::SystemTool { ends_call: true },
        ),
        (
            json!({"type": "error", "error_event": {"code": 1008, "message": "no"}}),
            ServerMessage::Error { code: 1008 },
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(super::read(&message.to_string()), expected, "{message}");
    }
}

#[test]
fn what_is_new_or_broken_harms_nothing() {
    for unknown in ["vad_score", "agent_typing", "mcp_tool_call", "", "something_new"] {
        let message = json!({"type": unknown, "x": [1, {"y": null}]}).to_string();
        assert_eq!(read(&message), ServerMessage::Unknown, "{unknown}");
    }
    assert_eq!(read("{}"), ServerMessage::Unknown);
    for broken in [
        "",
        "no JSON",
        "[]",
        "{\"type\":7}",
        "{\"type\":\"audio\"}",
        "{\"type\":\"audio\",\"audio_event\":{\"event_id\":1}}",
        "{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":\"%\",\"event_id\":1}}",
        "{\"type\":\"ping\",\"ping_event\":{}}",
        "{\"type\":\"interruption\",\"interruption_event\":{\"event_id\":\"x\"}}",
        "{\"type\":\"agent_response\",\"agent_response_event\":{}}",
        "{\"type\":\"client_tool_call\",\"client_tool_call\":{\"tool_name\":\"t\"}}",
    ] {
        assert_eq!(read(broken), ServerMessage::Malformed, "{broken}");
    }
}

#[test]
fn formats_that_are_not_named_are_those_of_old_servers_and_strange_ones_are_refused() {
    let metadata = |event: Value| {
        let message = json!({"type": "conversation_initiation_metadata",
            "conversation_initiation_metadata_event": event});
        read(&message.to_string())
    };
    let ServerMessage::Metadata(opened) = metadata(json!({})) else { panic!() };
    assert_eq!((opened.output, opened.input), (Format::Pcm(16_000), Format::Pcm(16_000)));
    for strange in ["mp3_44100", "pcm_12345", "pcm_", "ulaw_16000"] {
        let event = json!({"agent_output_audio_format": strange});
        assert_eq!(metadata(event), ServerMessage::NoFormat, "{strange}");
    }
}

#[test]
fn what_we_send_is_what_the_provider_reads() {
    let text = |message: ClientMessage| serde_json::from_str::<Value>(&message.to_text()).unwrap();
    let audio = text(ClientMessage::Audio(Private::new(vec![0, 1, 2])));
    assert_eq!(audio, json!({"user_audio_chunk": "AAEC"}), "without a type");
    assert_eq!(text(ClientMessage::Pong { event_id: 3 }), json!({"type": "pong", "event_id": 3}));
    let result =
        ClientMessage::ToolResult { id: "c".into(), result: private("no"), is_error: true };
    assert_eq!(
        text(result),
        json!({"type": "client_tool_result", "tool_call_id": "c", "result": "no", "is_error": true})
    );
    let read =
        |initiation: Initiation| serde_json::from_str::<Value>(&initiation.to_text()).unwrap();
    let plain = read(Initiation::default());
    assert_eq!(plain["type"], "conversation_initiation_client_data");
    assert!(plain.get("conversation_config_override").is_none(), "what is not set is left out");
    let full = read(Initiation {
        first_message: Some("Hello.".into()),
        language: Some("de".into()),
        voice: Some("v".into()),
        variables: vec![("city".into(), private("Bern"))],
        prompt: None,
    });
    assert_eq!(
        full["conversation_config_override"],
        json!({"agent": {"first_message": "Hello.", "language": "de"}, "tts": {"voice_id": "v"}})
    );
    assert_eq!(full["dynamic_variables"], json!({"city": "Bern"}));
}

#[test]
fn a_connection_that_stalls_loses_the_oldest_sound_and_no_message() {
    let mut outbox = Outbox::default();
    let chunk = |n: u8| ClientMessage::Audio(Private::new(vec![n]));
    (0..100).for_each(|n| assert!(outbox.push(chunk(n), 40)));
    assert!(outbox.push(ClientMessage::Pong { event_id: 1 }, 0));
    assert_eq!(outbox.dropped_ms(), 100 * 40 - limits::AGENT_OUTBOX_MS);
    assert_eq!(outbox.pop(), Some(ClientMessage::Pong { event_id: 1 }), "it goes first");
    assert_eq!(outbox.pop(), Some(chunk(50)));
    for n in 0..limits::AGENT_OUTBOX_MESSAGES {
        assert!(outbox.push(ClientMessage::Pong { event_id: n as i64 }, 0));
    }
    assert!(!outbox.push(ClientMessage::Pong { event_id: -1 }, 0), "nobody reads there any more");
}

#[test]
fn nothing_of_a_call_prints() {
    let secret = "seven four";
    let shown = format!(
        "{:?} {:?} {:?}",
        Event::Heard { text: private(secret) },
        ClientMessage::UserMessage(private(secret)),
        Initiation { variables: vec![("a".into(), private(secret))], ..Initiation::default() }
    );
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn only_what_may_pass_is_tried_again() {
    for (fault, passes, lasts) in [
        (Fault::of_status(401), false, true),
        (Fault::of_status(403), false, true),
        (Fault::of_status(404), false, true),
        (Fault::of_status(422), false, true),
        (Fault::of_status(429), true, false),
        (Fault::of_status(500), true, false),
        (Fault::of_status(503), true, false),
        (Fault::Closed(1011), true, false),
        (Fault::Lost, true, false),
        (Fault::Closed(1002), false, false),
        (Fault::Closed(1008), false, true),
        (Fault::Closed(1000), false, false),
    ] {
        assert_eq!((fault.may_pass(), fault.is_lasting()), (passes, lasts), "{fault:?}");
    }
}

fn playbook(agent: &str) -> Result<Playbook, PlaybookError> {
    Playbook::parse(&format!("{}\n[agent]\n{agent}", Playbook::logistics().source()))
}

#[test]
fn a_readsays_what_an_agent_is_told_and_every_fault_of_that() {
    let whole = "talks = true\nid = \"agent_7\"\nfirst_message = \"This is {firm}.\"\n\
                 takes_over = \"Sorry, I am back.\"\n[agent.variables]\ncity = \"Bern\"\n";
    let read = playbook(whole).unwrap();
    let agent = read.agent().unwrap();
    assert_eq!((agent.talks, agent.id.as_deref()), (Some(true), Some("agent_7")));
    assert_eq!(agent.first_message.as_deref(), Some("This is Northgate Logistics."));
    assert_eq!(read.takes_over(), ["Sorry, I am back."]);
    assert!(read.is_fixed("Sorry, I am back."), "it is rendered before the call");
    for (keys, key) in [
        ("id = \"a b\"", "agent.id"),
        ("prompt = \"\"", "agent.prompt"),
        ("[agent.variables]\nsystem__caller_id = \"1\"", "agent.variables.system__caller_id"),
        ("[[agent.tool]]\nname = \"remember\"", "agent.tool.remember"),
        (
            "[[agent.tool]]\nname = \"hang_up\"\nconfirm = \"Shall I?\"",
            "agent.tool.hang_up.confirm",
        ),
        ("unknown = 1", "agent.unknown"),
    ] {
        let error = playbook(keys).unwrap_err().to_string();
        assert!(error.contains(key), "{keys}: {error}");
    }
}

#[test]
fn a_tool_without_a_rule_is_refused_and_one_with_a_rule_as_often_as_it_may() {
    let request = |name: &str, arguments: &str| ToolRequest {
        id: "1".into(),
        name: name.into(),
        arguments: private(arguments),
    };
    let mut none = Tools::new(Arc::new(Playbook::logistics()));
    assert!(matches!(none.call(&request("hang_up", "{}")), Effect::Refused(_)));
    let rules = "[[agent.tool]]\nname = \"send_dtmf\"\nmost = 1\nallowed = [\"9\"]\n";
    let mut tools = Tools::new(Arc::new(playbook(rules).unwrap()));
    for (name, arguments) in
        [("open", "{}"), ("hang_up", "{}"), ("send_dtmf", r#"{"digits":"1"}"#), ("send_dtmf", "{}")]
    {
        assert!(matches!(tools.call(&request(name, arguments)), Effect::Refused(_)), "{name}");
    }
    let nine = request("send_dtmf", r#"{"digits":"9"}"#);
    assert_eq!(tools.call(&nine), Effect::SendDigits(private("9")));
    assert!(matches!(tools.call(&nine), Effect::Refused(_)), "once");
}
