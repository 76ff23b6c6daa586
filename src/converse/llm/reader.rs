//! The body of an answer, in whatever parts it arrives, to events.
//!
//! Invariant: the last event is one `Done` or one `Failed`, and nothing follows it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::head;
use super::chat::Protocol;
use super::fault::Fault;
use super::lines::{Events, Lines, TooLong};
use super::tools::ToolRequest;
use crate::base::{Private, limits, serial};

/// What a model sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Some characters more of the answer. What a model thinks is left out where the server tells it
    /// apart.
    Text(#[serde(with = "serial::revealed")] Private<String>),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Of text that was passed on.
    text_bytes: usize,
    calls: Vec<Fragment>,
    /// Told before the end of the stream, as the other protocol does.
    finish: Option<Finish>,
}

/// A tool call that may still grow.
#[derive(Debug)]
struct Fragment {
    /// `None`: the server numbers none.
    index: Option<u64>,
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
            if answering.text(message.content, out) == Wanted::Nothing {
                return self.enough(out);
            }
            for part in message.tool_calls.unwrap_or_default() {
                // Each comes whole, and old versions number none of them.
                if answering.begin(None).and_then(|place| answering.grow(place, part)).is_err() {
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
                if answering.text(delta.content, out) == Wanted::Nothing {
                    return self.enough(out);
                }
                let parts = delta.tool_calls.unwrap_or_default();
                let is_alone = parts.len() == 1;
                for (nth, part) in parts.into_iter().enumerate() {
                    let place = match answering.place_of(&part, (!is_alone).then_some(nth)) {
                        Some(place) => Ok(place),
                        None => answering.begin(part.number()),
                    };
                    if place.and_then(|place| answering.grow(place, part)).is_err() {
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

    /// More of this text is not looked at by anybody.
    fn enough(&mut self, out: &mut Vec<Event>) {
        if matches!(std::mem::replace(self, Self::Ended), Self::Reading(_)) {
            out.push(Event::Done(Finish::Length));
        }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<Event>) {
        if matches!(std::mem::replace(self, Self::Ended), Self::Reading(_)) {
            out.push(Event::Failed(fault));
        }
    }
}

impl CallPart {
    fn number(&self) -> Option<u64> {
        self.index.or(self.function.as_ref()?.index)
    }

    fn name(&self) -> Option<&str> {
        self.function.as_ref()?.name.as_deref().filter(|name| !name.is_empty())
    }
}

/// Whether more text of an answer is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    More,
    Nothing,
}

impl Answering {
    /// Passes text on, however long the line is that it came in.
    fn text(&mut self, content: Option<String>, out: &mut Vec<Event>) -> Wanted {
        let content = content.unwrap_or_default();
        let left = limits::LLM_TEXT_BYTES.saturating_sub(self.text_bytes);
        let text = head(&content, left);
        self.text_bytes += text.len();
        if !text.is_empty() {
            out.push(Event::Text(Private::new(text.to_owned())));
        }
        if content.len() < left { Wanted::More } else { Wanted::Nothing }
    }

    /// The call that a part belongs to; `None`: it begins one. `nth` is its place among several in
    /// one chunk. Only the first part of a call has an id and a name, though some servers repeat
    /// them, some number no call, and some number all of them 0.
    fn place_of(&self, part: &CallPart, nth: Option<usize>) -> Option<usize> {
        let id = part.id.as_deref().filter(|id| !id.is_empty());
        let place = match (part.number(), id) {
            (Some(number), _) => self.calls.iter().rposition(|call| call.index == Some(number))?,
            (None, Some(id)) => {
                let known = self.calls.iter().rposition(|call| call.id == id);
                let last = self.calls.len().checked_sub(1).filter(|_| part.name().is_none());
                return known.or(last);
            }
            (None, None) if part.name().is_some() => return self.last_growing(part),
            (None, None) => match nth {
                Some(nth) => nth.min(self.calls.len().checked_sub(1)?),
                None => self.calls.len().checked_sub(1)?,
            },
        };
        let call = self.calls.get(place)?;
        let is_another =
            part.name().is_some() && id.is_some_and(|id| !call.id.is_empty() && call.id != id);
        (!is_another).then_some(place)
    }

    /// The last call, if this part goes on with it though it names it again: its arguments are not
    /// whole yet.
    fn last_growing(&self, part: &CallPart) -> Option<usize> {
        let place = self.calls.len().checked_sub(1)?;
        let last = self.calls.get(place)?;
        let is_same = part.name().is_none_or(|name| name == last.name);
        let grows =
            !last.arguments.is_empty() && serde_json::from_str::<Value>(&last.arguments).is_err();
        (is_same && grows).then_some(place)
    }

    fn begin(&mut self, index: Option<u64>) -> Result<usize, TooLong> {
        if self.calls.len() >= limits::LLM_TOOL_CALLS {
            return Err(TooLong);
        }
        let (id, name, arguments) = (String::new(), String::new(), String::new());
        self.calls.push(Fragment { index, id, name, arguments });
        Ok(self.calls.len() - 1)
    }

    fn grow(&mut self, place: usize, part: CallPart) -> Result<(), TooLong> {
        let function =
            part.function.unwrap_or(FunctionPart { index: None, name: None, arguments: None });
        let Some(call) = self.calls.get_mut(place) else { return Ok(()) };
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

fn finish(reason: Option<&str>) -> Finish {
    if reason == Some("length") { Finish::Length } else { Finish::Stop }
}
