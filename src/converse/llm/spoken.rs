//! A model's text to what a voice can say: without thoughts, markup, emoji and control tokens.
//!
//! It works character by character, so that it does not matter how the text was cut on its way.

/// A tag or a bracket longer than this is text.
const TAG_CHARS: usize = 40;
const BRACKET_CHARS: usize = 200;
/// Between these the model thinks.
const THOUGHTS: [&str; 4] = ["think", "thinking", "thought", "reasoning"];
/// Between these it calls a tool in words of its own, or quotes what one returned.
const TOOLS: [&str; 6] =
    ["tool_call", "tool_calls", "tool_response", "function_call", "function_calls", "function"];
/// In square brackets these are control tokens.
const TOKENS: [&str; 2] = ["INST", "/INST"];
/// And after these comes nothing for the caller any more.
const LAST_TOKENS: [&str; 3] = ["TOOL_CALLS", "AVAILABLE_TOOLS", "TOOL_RESULTS"];

/// Takes text in parts and gives what is speech of it.
#[derive(Clone, Default)]
pub struct Spoken {
    state: State,
    last: Option<char>,
}

#[derive(Clone, Default)]
enum State {
    #[default]
    Text,
    /// After `<`.
    Tag(String),
    /// Within what the caller must not hear; the tag that may end it.
    Hidden(Hidden, Option<String>),
    /// Before a message: the channel that it is for, as far as it is told.
    Header(String),
    /// After `[`.
    Bracket(String),
    /// After `[...]`, which may be a link's text.
    AfterBracket(String),
    /// A link's address.
    Address,
}

/// What is not for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Thought,
    Tool,
    /// A message for another channel than the caller's.
    Message,
    /// The channel of the message that follows; what it is stands in `Header` until a tag comes.
    Header {
        is_final: bool,
    },
    /// All that follows.
    Rest,
}

impl Spoken {
    pub fn push(&mut self, text: &str, out: &mut String) {
        text.chars().for_each(|c| self.take(c, out));
    }

    /// The text has ended: what looked like the start of markup was none.
    pub fn end(&mut self, out: &mut String) {
        match std::mem::take(&mut self.state) {
            State::Bracket(text) | State::AfterBracket(text) => self.say_all(&text, out),
            State::Text | State::Tag(_) | State::Hidden(..) | State::Header(_) | State::Address => {
            }
        }
    }

    fn take(&mut self, c: char, out: &mut String) {
        self.state = match (std::mem::take(&mut self.state), c) {
            (State::Text, '<') => State::Tag(String::new()),
            (State::Text, '[') => State::Bracket(String::new()),
            (State::Text, c) => {
                self.say(c, out);
                State::Text
            }
            (State::Tag(name), '>') => tag(&name),
            (State::Tag(mut name), c) => {
                let begins = !name.is_empty() || c.is_alphabetic() || "|/!".contains(c);
                name.push(c);
                if !begins || name.chars().count() > TAG_CHARS {
                    self.say_all(&name, out);
                    State::Text
                } else {
                    State::Tag(name)
                }
            }
            (State::Hidden(what, _), '<') => State::Hidden(what, Some(String::new())),
            (State::Hidden(what, Some(name)), '>') => after_hidden(what, &name),
            (State::Hidden(what, Some(mut name)), c) if name.chars().count() < TAG_CHARS => {
                name.push(c);
                State::Hidden(what, Some(name))
            }
            (State::Hidden(what, _), _) => State::Hidden(what, None),
            (State::Header(channel), '<') => {
                // Without a channel, as before a plain message, it is for the caller.
                let is_final = matches!(channel.trim(), "" | "assistant" | "final");
                State::Hidden(Hidden::Header { is_final }, Some(String::new()))
            }
            (State::Header(mut channel), c) => {
                if channel.len() < TAG_CHARS {
                    channel.push(c);
                }
                State::Header(channel)
            }
            (State::Bracket(text), ']') if LAST_TOKENS.contains(&text.trim()) => {
                State::Hidden(Hidden::Rest, None)
            }
            (State::Bracket(text), ']') if TOKENS.contains(&text.trim()) => State::Text,
            (State::Bracket(text), ']') => State::AfterBracket(text),
            (State::Bracket(mut text), c) => {
                text.push(c);
                if text.chars().count() > BRACKET_CHARS || c == '\n' {
                    self.say_all(&text, out);
                    State::Text
                } else {
                    State::Bracket(text)
                }
            }
            (State::AfterBracket(text), '(') => {
                self.say_all(&text, out);
                State::Address
            }
            (State::AfterBracket(text), c) => {
                self.say_all(&text, out);
                self.take(c, out);
                return;
            }
            (State::Address, ')' | '\n') => State::Text,
            (State::Address, _) => State::Address,
        };
    }

    fn say_all(&mut self, text: &str, out: &mut String) {
        text.chars().for_each(|c| self.say(c, out));
    }

    fn say(&mut self, c: char, out: &mut String) {
        let c = match c {
            '*' | '`' | '#' | '~' | '|' | '<' | '>' | '[' | ']' | '{' | '}' | '\\' => return,
            '_' | '\t' | '\u{a0}' => ' ',
            // Only a list's at the start of a line.
            '-' | '•' | '–' if self.last.is_none_or(|last| last == '\n') => return,
            '\n' => '\n',
            c if c.is_control() || is_picture(c) => return,
            c => c,
        };
        let space = |c: Option<char>| c.is_none_or(char::is_whitespace);
        if c == ' ' && space(self.last) {
            return;
        }
        self.last = Some(c);
        out.push(c);
    }
}

fn tag(name: &str) -> State {
    match name {
        "|channel|" | "|start|" => State::Header(String::new()),
        "|python_tag|" => State::Hidden(Hidden::Rest, None),
        name if is_thought(name) => State::Hidden(Hidden::Thought, None),
        name if is_tool(name) => State::Hidden(Hidden::Tool, None),
        _ => State::Text,
    }
}

/// What follows a tag within what is hidden.
fn after_hidden(what: Hidden, name: &str) -> State {
    let closed = name.strip_prefix('/').unwrap_or_default();
    match (what, name) {
        (Hidden::Thought, _) if is_thought(closed) => State::Text,
        (Hidden::Tool, _) if is_tool(closed) => State::Text,
        (Hidden::Message | Hidden::Header { .. }, "|channel|" | "|start|") => {
            State::Header(String::new())
        }
        (Hidden::Message, "|end|" | "|return|" | "|call|") => State::Text,
        (Hidden::Header { is_final: true }, "|message|") => State::Text,
        (Hidden::Header { .. }, _) => State::Hidden(Hidden::Message, None),
        (what, _) => State::Hidden(what, None),
    }
}

/// `<function=name>` is one, too.
fn is_tool(name: &str) -> bool {
    let name = name.trim().trim_matches('|').to_ascii_lowercase();
    TOOLS.contains(&name.split_once('=').map_or(name.as_str(), |(name, _)| name))
}

fn is_thought(name: &str) -> bool {
    THOUGHTS.contains(&name.trim().to_ascii_lowercase().as_str())
}

/// Emoji, arrows, dingbats and what joins and colours them.
fn is_picture(c: char) -> bool {
    matches!(u32::from(c),
        0x2190..=0x21FF | 0x2300..=0x23FF | 0x2460..=0x27BF | 0x2900..=0x297F | 0x2B00..=0x2BFF
        | 0x3030 | 0x303D | 0xFE00..=0xFE0F | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F
        | 0x20D0..=0x20FF | 0xE000..=0xF8FF | 0xFEFF | 0x1F000..=0x1FAFF | 0xE0000..=0x10_FFFF)
}
