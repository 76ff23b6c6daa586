//! A request to a model, and its body in the words of either protocol.
//!
//! The bytes of a body depend on the chat alone and keep their order, so that a chat that goes on
//! begins with the same bytes as before and the server's prompt cache holds.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::fields::Fields;
use super::tools::ToolRequest;
use crate::base::Private;

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `/api/chat`: one JSON object a line.
    Ollama,
    /// `/v1/chat/completions`: server-sent events.
    OpenAi,
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    System(Private<String>),
    /// A summary of what came before the next message.
    Earlier(Private<String>),
    Caller(Private<String>),
    /// What the caller heard of us.
    Desk(Private<String>),
    /// The model called these tools, and said this beside them.
    Calls {
        said: Private<String>,
        calls: Vec<ToolRequest>,
    },
    Result {
        id: String,
        tool: String,
        text: Private<String>,
    },
}

/// What is asked of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    pub messages: Vec<Message>,
    /// What the model is told of each, in the order of the playbook.
    pub tools: Vec<Value>,
    pub most_tokens: u32,
}

/// Which model answers, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub protocol: Protocol,
    pub name: String,
    /// Seconds that the server keeps the model in memory after an answer; -1: for ever. Ollama's
    /// alone.
    pub keep_alive_s: i64,
    /// Tokens of prompt and answer; the server's default if `None`. A change reloads the model, so
    /// every request has the same. Ollama's alone.
    pub context: Option<u32>,
    /// The model can think before it answers, which takes too long for a telephone: switched off.
    pub thinks: bool,
    /// The owner wants it to, all the same.
    pub may_think: bool,
    /// How the other protocol's server is told not to.
    pub switch: Switch,
    /// How the other protocol's server takes what is asked of every model.
    pub fields: Fields,
    /// The model can call tools; to others none are offered.
    pub calls_tools: bool,
}

/// How a server with OpenAI's protocol is told that the model shall not think before it answers.
/// There is no one way, and servers refuse fields that they do not know, so each is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `reasoning_effort` as Ollama and OpenAI have it, and `chat_template_kwargs` as llama.cpp,
    /// vLLM and SGLang have it.
    Both,
    Template,
    Effort,
    /// It knows neither.
    Unknown,
}

impl Switch {
    /// What to try after a refusal; `None`: the switch was not the reason.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Both => Some(Self::Template),
            Self::Template => Some(Self::Effort),
            Self::Effort => Some(Self::Unknown),
            Self::Unknown => None,
        }
    }
}

/// Low, for the same question should get the same answer.
const TEMPERATURE: f32 = 0.3;

#[derive(Serialize)]
struct OllamaBody<'a> {
    model: &'a str,
    messages: Vec<Written<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<bool>,
    options: Options,
    keep_alive: i64,
}

#[derive(Serialize)]
struct Options {
    num_predict: u32,
    temperature: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u32>,
}

#[derive(Serialize)]
struct OpenAiBody<'a> {
    model: &'a str,
    messages: Vec<Written<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_template_kwargs: Option<TemplateArguments>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
}

#[derive(Serialize)]
struct TemplateArguments {
    enable_thinking: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WrittenCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: WrittenFunction<'a>,
}

#[derive(Serialize)]
struct WrittenFunction<'a> {
    name: &'a str,
    arguments: Value,
}

/// The body of a request that asks for an answer in parts.
pub fn body(model: &Model, chat: &Chat) -> Vec<u8> {
    let messages =
        alternating(chat.messages.iter().map(|message| written(model.protocol, message)));
    let tools = if model.calls_tools { chat.tools.clone() } else { Vec::new() };
    let written = match model.protocol {
        Protocol::Ollama => serde_json::to_vec(&OllamaBody {
            model: &model.name,
            messages,
            stream: true,
            tools,
            think: (model.thinks && !model.may_think).then_some(false),
            options: Options {
                num_predict: chat.most_tokens,
                temperature: TEMPERATURE,
                num_ctx: model.context,
            },
            keep_alive: model.keep_alive_s,
        }),
        Protocol::OpenAi => serde_json::to_vec(&OpenAiBody {
            model: &model.name,
            messages,
            stream: true,
            max_tokens: (!model.fields.has_new_limit).then_some(chat.most_tokens),
            max_completion_tokens: model.fields.has_new_limit.then_some(chat.most_tokens),
            temperature: (!model.fields.has_own_temperature).then_some(TEMPERATURE),
            reasoning_effort: (!model.may_think
                && matches!(model.switch, Switch::Both | Switch::Effort))
            .then_some("none"),
            chat_template_kwargs: (!model.may_think
                && matches!(model.switch, Switch::Both | Switch::Template))
            .then_some(TemplateArguments { enable_thinking: false }),
            tools,
        }),
    };
    written.expect("texts, numbers and lists can always be written")
}

/// Templates of some models refuse two messages of the user's in a row.
fn alternating<'a>(messages: impl Iterator<Item = Written<'a>>) -> Vec<Written<'a>> {
    let mut all: Vec<Written<'a>> = Vec::new();
    for message in messages {
        match all.last_mut().filter(|last| last.role == "user" && message.role == "user") {
            Some(last) => last.content = format!("{}\n\n{}", last.content, message.content).into(),
            None => all.push(message),
        }
    }
    all
}

fn written<'a>(protocol: Protocol, message: &'a Message) -> Written<'a> {
    let plain = |role, content: &'a str| Written {
        role,
        content: Cow::Borrowed(content),
        tool_calls: Vec::new(),
        tool_name: None,
        tool_call_id: None,
    };
    match message {
        Message::System(text) => plain("system", text.reveal()),
        // Of the ranks that both protocols and all models know, the caller's is the lowest.
        Message::Earlier(text) | Message::Caller(text) => plain("user", text.reveal()),
        Message::Desk(text) => plain("assistant", text.reveal()),
        Message::Calls { said, calls } => Written {
            tool_calls: calls.iter().map(|call| written_call(protocol, call)).collect(),
            ..plain("assistant", said.reveal())
        },
        Message::Result { id, tool, text } => {
            let tool_name = (protocol == Protocol::Ollama).then_some(tool.as_str());
            Written { tool_name, tool_call_id: Some(id), ..plain("tool", text.reveal()) }
        }
    }
}

/// Ollama wants the arguments as an object, the other protocol as a text.
fn written_call(protocol: Protocol, call: &ToolRequest) -> WrittenCall<'_> {
    let text = call.arguments.reveal();
    let object = || serde_json::from_str(text).ok().filter(Value::is_object);
    let arguments = match protocol {
        Protocol::Ollama => object().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        Protocol::OpenAi => Value::String(text.clone()),
    };
    WrittenCall {
        id: &call.id,
        r#type: "function",
        function: WrittenFunction { name: &call.name, arguments },
    }
}

#[cfg(test)]
mod tests {
    use super::super::tools::Tool;
    use super::*;

    fn model(protocol: Protocol) -> Model {
        Model {
            protocol,
            name: "qwen3:4b".into(),
            keep_alive_s: -1,
            context: Some(4_096),
            thinks: true,
            may_think: false,
            switch: Switch::Both,
            fields: Fields::default(),
            calls_tools: true,
        }
    }

    fn chat() -> Chat {
        let private = |text: &str| Private::new(text.to_owned());
        let call = ToolRequest {
            id: "call_1".into(),
            name: "hang_up".into(),
            arguments: private("{\"a\":1}"),
        };
        Chat {
            messages: vec![
                Message::System(private("Be kind.")),
                Message::Caller(private("Hello \"you\"")),
                Message::Calls { said: private("Bye."), calls: vec![call] },
                Message::Result {
                    id: "call_1".into(),
                    tool: "hang_up".into(),
                    text: private("no"),
                },
                Message::Desk(private("Hi.")),
            ],
            tools: vec![Tool::HangUp.schema(&[])],
            most_tokens: 200,
        }
    }

    #[test]
    fn each_protocol_gets_its_own_words() {
        let body_of = |protocol| -> Value {
            serde_json::from_slice(&body(&model(protocol), &chat())).unwrap()
        };
        let ollama = body_of(Protocol::Ollama);
        assert_eq!(ollama["options"]["num_predict"], 200);
        assert_eq!(ollama["options"]["num_ctx"], 4_096);
        assert_eq!((&ollama["think"], &ollama["keep_alive"]), (&false.into(), &(-1).into()));
        assert_eq!(ollama["messages"][2]["tool_calls"][0]["function"]["arguments"]["a"], 1);
        assert_eq!(ollama["messages"][3]["tool_name"], "hang_up");
        assert_eq!(ollama["messages"][2]["content"], "Bye.");
        let openai = body_of(Protocol::OpenAi);
        assert_eq!(openai["max_tokens"], 200);
        assert_eq!(openai["messages"][1]["content"], "Hello \"you\"");
        let arguments = &openai["messages"][2]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(arguments, "{\"a\":1}");
        assert_eq!(openai["messages"][3]["tool_call_id"], "call_1");
        assert!(openai["messages"][3].get("tool_name").is_none());
        assert!(openai.get("keep_alive").is_none() && openai.get("think").is_none());
        assert_eq!(openai["tools"][0]["function"]["name"], "hang_up");
    }

    #[test]
    fn a_model_that_knows_no_tools_is_offered_none() {
        let model = Model { calls_tools: false, ..model(Protocol::Ollama) };
        let body: Value = serde_json::from_slice(&body(&model, &chat())).unwrap();
        assert!(body.get("tools").is_none());
    }

    #[test]
    fn thinking_is_switched_off_in_each_servers_way_unless_it_is_wanted() {
        let fields = |model: &Model| {
            let body: Value = serde_json::from_slice(&body(model, &chat())).unwrap();
            ["think", "reasoning_effort", "chat_template_kwargs"].map(|name| body[name].to_string())
        };
        let (null, none, off) = ("null", "\"none\"", "{\"enable_thinking\":false}");
        let mut model = model(Protocol::OpenAi);
        let mut seen = vec![fields(&model)];
        while let Some(next) = model.switch.next() {
            model.switch = next;
            seen.push(fields(&model));
        }
        let each = [[null, none, off], [null, null, off], [null, none, null], [null; 3]];
        assert_eq!(seen, each);
        for protocol in [Protocol::Ollama, Protocol::OpenAi] {
            let model = Model { may_think: true, ..self::model(protocol) };
            assert_eq!(fields(&model), [null; 3]);
        }
    }

    #[test]
    fn fields_that_were_refused_are_not_sent() {
        let neither = Fields { has_new_limit: true, has_own_temperature: true };
        let body_of = |fields| -> Value {
            let model = Model { fields, ..model(Protocol::OpenAi) };
            serde_json::from_slice(&body(&model, &chat())).unwrap()
        };
        let body = body_of(neither);
        assert_eq!(body["max_completion_tokens"], 200);
        assert!(body.get("max_tokens").is_none() && body.get("temperature").is_none());
        assert!(body_of(Fields::default()).get("max_completion_tokens").is_none());
    }

    #[test]
    fn the_same_chat_has_the_same_bytes() {
        let model = model(Protocol::OpenAi);
        assert_eq!(body(&model, &chat()), body(&model, &chat()));
    }
}
