//! The body of an answer, in whatever parts it arrives, to events.
//!
//! Invariant: the last event is one `Done` or one `Failed`, and nothing follows it.

use serde::Deserialize;
use serde_json::Value;

use super::chat::Protocol;
use super::fault::Fault;
use super::lines::{Events, Lines, TooLong};
use super::tools::ToolRequest;
use crate::base::{Private, limits};

/// What a model sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Some characters more of the answer. What a model thinks is left out where the server tells it
    /// apart.
    Text(Private<String>),
    /// It wants a tool. Comes once all of it is there.
    Call(ToolRequest),
    Done(Finish),
    Failed(Fault),
}

impl Event {
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_))
    }
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It had said all, or wants its tools.
    Stop,
    /// It reached `Chat::most_tokens`.
    Length,
}

/// Reads one answer.
#[derive(Debug)]
pub struct Reader {
    protocol: Protocol,
    lines: Lines,
    events: Events,
    progress: Progress,
}

/// How far the answer has come.
#[derive(Debug)]
enum Progress {
    Reading(Answering),
    Ended,
}

#[derive(Debug, Default)]
struct Answering {
    bytes: usize,
    calls: Vec<Fragment>,
    /// Told before the end of the stream, as the other protocol does.
    finish: Option<Finish>,
}

/// A tool call that may still grow.
#[derive(Debug)]
struct Fragment {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct OllamaLine {
    message: Option<OllamaMessage>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct OllamaMessage {
    content: Option<String>,
    tool_calls: Option<Vec<CallPart>>,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<CallPart>>,
}

#[derive(Deserialize)]
struct CallPart {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionPart>,
}

#[derive(Deserialize)]
struct FunctionPart {
    index: Option<u64>,
    name: Option<String>,
    arguments: Option<Value>,
}

impl Reader {
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            lines: Lines::default(),
            events: Events::default(),
            progress: Progress::Reading(Answering::default()),
        }
    }

    pub const fn has_ended(&self) -> bool {
        matches!(self.progress, Progress::Ended)
    }

    /// Some bytes more of the body.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let Self { protocol, lines, events, progress } = self;
        if let Progress::Reading(answering) = progress {
            answering.bytes += bytes.len();
            if answering.bytes > limits::LLM_ANSWER_BYTES {
                return progress.fail(Fault::TooLong, out);
            }
        }
        let whole = lines.push(bytes, |line| {
            match protocol {
                Protocol::Ollama => progress.ollama(line, out),
                Protocol::OpenAi => match events.line(line) {
                    Ok(Some(data)) => progress.openai(&data, out),
                    Ok(None) => (),
                    Err(TooLong) => progress.fail(Fault::TooLong, out),
                },
            }
            matches!(progress, Progress::Reading(_))
        });
        if whole.is_err() {
            progress.fail(Fault::TooLong, out);
        }
    }

    /// The body has ended.
    pub fn end(&mut self, out: &mut Vec<Event>) {
        if let Some(line) = self.lines.end() {
            match self.protocol {
                Protocol::Ollama => self.progress.ollama(&line, out),
                Protocol::OpenAi => drop(self.events.line(&line)),
            }
        }
        if let Some(data) = self.events.end() {
            self.progress.openai(&data, out);
        }
        match &self.progress {
            Progress::Reading(Answering { finish: Some(finish), .. }) => {
                let finish = *finish;
                self.progress.done(finish, out);
            }
            Progress::Reading(_) => self.progress.fail(Fault::CutOff, out),
            Progress::Ended => (),
        }
    }
}

impl Progress {
    fn ollama(&mut self, line: &[u8], out: &mut Vec<Event>) {
        let Self::Reading(answering) = self else { return };
        if line.trim_ascii().is_empty() {
            return;
        }
        let Ok(line) = serde_json::from_slice::<OllamaLine>(line) else {
            return self.fail(Fault::Protocol, out);
        };
        if line.error.is_some() {
            return self.fail(Fault::Told, out);
        }
        if let Some(message) = line.message {
            text(message.content, out);
            for part in message.tool_calls.unwrap_or_default() {
                // Each comes whole, and old versions number none of them.
                let index = answering.calls.len() as u64;
                if answering.part(part, Some(index)).is_err() {
                    return self.fail(Fault::TooLong, out);
                }
            }
        }
        if line.done {
            self.done(finish(line.done_reason.as_deref()), out);
        }
    }

    fn openai(&mut self, data: &[u8], out: &mut Vec<Event>) {
        let Self::Reading(answering) = self else { return };
        if data.trim_ascii() == b"[DONE]" {
            return match answering.finish {
                Some(finish) => self.done(finish, out),
                None => self.fail(Fault::CutOff, out),
            };
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk>(data) else {
            return self.fail(Fault::Protocol, out);
        };
        if chunk.error.is_some() || chunk.choices.is_none() {
            return self.fail(Fault::Told, out);
        }
        // There is one choice; a chunk with figures has none.
        for choice in chunk.choices.into_iter().flatten().take(1) {
            if let Some(delta) = choice.delta {
                text(delta.content, out);
                for (place, part) in delta.tool_calls.into_iter().flatten().enumerate() {
                    let index = part.index.unwrap_or(place as u64);
                    if answering.part(part, Some(index)).is_err() {
                        return self.fail(Fault::TooLong, out);
                    }
                }
            }
            if let Some(reason) = choice.finish_reason {
                answering.finish = Some(finish(Some(&reason)));
            }
        }
    }

    fn done(&mut self, finish: Finish, out: &mut Vec<Event>) {
        if let Self::Reading(answering) = std::mem::replace(self, Self::Ended) {
            out.extend(answering.calls.into_iter().enumerate().map(|(place, call)| {
                let id = if call.id.is_empty() { format!("call_{place}") } else { call.id };
                let arguments = Private::new(call.arguments);
                Event::Call(ToolRequest { id, name: call.name, arguments })
            }));
            out.push(Event::Done(finish));
        }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<Event>) {
        if matches!(std::mem::replace(self, Self::Ended), Self::Reading(_)) {
            out.push(Event::Failed(fault));
        }
    }
}

impl Answering {
    fn part(&mut self, part: CallPart, index: Option<u64>) -> Result<(), TooLong> {
        let function =
            part.function.unwrap_or(FunctionPart { index: None, name: None, arguments: None });
        let index = index.or(function.index).unwrap_or_default();
        let at = self.calls.iter().position(|call| call.index == index);
        if at.is_none() {
            if self.calls.len() >= limits::LLM_TOOL_CALLS {
                return Err(TooLong);
            }
            let (id, name, arguments) = (String::new(), String::new(), String::new());
            self.calls.push(Fragment { index, id, name, arguments });
        }
        let last = self.calls.len() - 1;
        let Some(call) = self.calls.get_mut(at.unwrap_or(last)) else { return Ok(()) };
        // Only the first part names them; some servers repeat them in each.
        if call.id.is_empty() {
            call.id = part.id.unwrap_or_default();
        }
        if call.name.is_empty() {
            call.name = function.name.unwrap_or_default();
        }
        match function.arguments {
            Some(Value::String(text)) => call.arguments.push_str(&text),
            Some(Value::Null) | None => (),
            Some(whole) => call.arguments = whole.to_string(),
        }
        let bytes = call.id.len() + call.name.len() + call.arguments.len();
        if bytes > limits::LLM_ARGUMENT_BYTES { Err(TooLong) } else { Ok(()) }
    }
}

fn text(content: Option<String>, out: &mut Vec<Event>) {
    out.extend(content.filter(|text| !text.is_empty()).map(|t| Event::Text(Private::new(t))));
}

fn finish(reason: Option<&str>) -> Finish {
    if reason == Some("length") { Finish::Length } else { Finish::Stop }
}
