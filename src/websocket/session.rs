//! One call by WebSocket, from its announcement to its end, over one socket or several.
//!
//! ```text
//!              start                     socket lost
//!  Expected ─▶ Greeted ─▶ Open ◀───────────────────────▶ Away ─ too long ─▶ Over
//!     │ nobody comes       │ hang-up, the call's end      resumed
//!     └──────────▶ Over ◀──┘
//! ```
//!
//! `handle` takes one input; then [`Session::poll_output`] until `Timeout`. What goes to the client is taken
//! by [`Session::next_message`] when its socket can take it: so nothing piles up anywhere else.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use super::control::{self, Direction, ErrorCode, Reply, Request};
use super::describe;
use super::format::Format;
use super::line::Line;
use super::prepared::Secret;
use super::sound_in::{SoundIn, Step};
use super::sound_out::SoundOut;
use super::transcript::Said;
use crate::base::pcm::{FRAME_MS, Frame};
use crate::base::{CallId, Entropy, Private, TimerTable, limits};
use crate::call::Ending;

/// What a session begins with.
#[derive(Debug)]
pub struct Opening {
    /// The number of its leg, which names it in descriptions.
    pub leg: u64,
    /// The other program's name of the call.
    pub call_id: Private<String>,
    pub secret: Secret,
    pub entropy: Entropy,
    /// Of our socket on loopback.
    pub port: u16,
}

/// What happens to a session.
pub enum Input<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Pong(&'a [u8]),
    /// Anything else came: the client is there.
    Sign,
    /// The client has closed it as one does who is done; `Detached` follows.
    Done,
    /// The socket is gone.
    Detached,
    /// From the call's media.
    Datagram(&'a [u8]),
    News(News),
    Timeout,
}

/// What the call has to say.
#[derive(Clone, Debug)]
pub enum News {
    /// It is taken, with this description.
    Answered {
        call: CallId,
        description: Vec<u8>,
    },
    /// What was on its way to the client is not to be heard any more.
    Silenced,
    Said(Said),
    Ended(Ending),
}

/// What a session wants of its call.
#[derive(Clone, PartialEq, Eq)]
pub enum Wish {
    /// It begins, by this offer.
    Begin(Vec<u8>),
    /// It is described anew: held, or taken up again.
    Describe(Vec<u8>),
    /// The client hangs up.
    HangUp,
    /// The client was lost and has not come back.
    Lost,
    /// Nobody has come for it.
    Expired,
}

/// Why a socket is closed (RFC 6455 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// The call is over.
    Ended,
    /// The client breaks the protocol.
    Policy,
    /// It is too slow even for what is not sound.
    Slow,
    /// Another socket has taken its place.
    Replaced,
}

impl CloseCode {
    pub const fn number(self) -> u16 {
        match self {
            Self::Ended => 1_000,
            Self::Policy => 1_008,
            Self::Slow => 1_013,
            Self::Replaced => 4_001,
        }
    }

    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ended => "the call is over",
            Self::Policy => "this is not the protocol",
            Self::Slow => "nothing is read",
            Self::Replaced => "resumed elsewhere",
        }
    }
}

#[derive(PartialEq, Eq)]
pub enum Output {
    /// To the call's media socket, whose port is given.
    Datagram(u16, Vec<u8>),
    Wish(Wish),
    /// Close the socket, after what [`Session::next_message`] still has.
    Close(CloseCode),
    Timeout(Option<Instant>),
}

/// To the client.
#[derive(PartialEq, Eq)]
pub enum Outgoing {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
}

/// By its name alone: the rest is what the call's ends say.
impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin(_) => "Begin",
            Self::Describe(_) => "Describe",
            Self::HangUp => "HangUp",
            Self::Lost => "Lost",
            Self::Expired => "Expired",
        })
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datagram(..) => f.write_str("Datagram"),
            Self::Wish(wish) => write!(f, "Wish({wish:?})"),
            Self::Close(code) => write!(f, "Close({code:?})"),
            Self::Timeout(at) => write!(f, "Timeout({at:?})"),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Binary(_) => "Binary",
            Self::Ping(_) => "Ping",
        })
    }
}

/// Why a socket may not be this call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAttached {
    #[error(
        "the token is not that of this call, or the call goes on and resume is not its newest token"
    )]
    Forbidden,
    #[error("another connection is being opened for this call")]
    InUse,
    #[error("the call is over")]
    Over,
}

/// Sound that was thrown away, in frames, and how often a socket was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub lost_in: u64,
    pub lost_out: u64,
    pub resumed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Nobody has come, or said `start`.
    Start,
    /// The client has not come back.
    Resume,
    /// A sign of life is asked for.
    Ping,
    /// None has come.
    Silent,
}

enum State {
    Expected,
    /// A socket is there.
    Greeted,
    Open(Box<Talk>),
    Away(Box<Talk>),
    Over,
}

/// A call that was begun.
struct Talk {
    format: Format,
    sound_in: SoundIn,
    sound_out: SoundOut,
    line: Line,
    /// Of the call's media, once it is answered.
    media_port: Option<u16>,
    call: CallId,
    /// That is to be shown by who resumes it.
    resume: Secret,
}

/// See the module.
pub struct Session {
    opening: Opening,
    state: State,
    timers: TimerTable<Timer>,
    /// Offers so far.
    version: u32,
    texts: VecDeque<String>,
    /// What is said last, and then the socket is closed.
    last: Option<String>,
    wants_ping: bool,
    faults: u32,
    figures: Figures,
    out: VecDeque<Output>,
}

impl Session {
    /// A call that is announced.
    pub fn new(now: Instant, opening: Opening) -> Self {
        let mut timers = TimerTable::default();
        timers.set(Timer::Start, now + limits::AUDIO_START);
        Self {
            opening,
            state: State::Expected,
            timers,
            version: 0,
            texts: VecDeque::new(),
            last: None,
            wants_ping: false,
            faults: 0,
            figures: Figures::default(),
            out: VecDeque::new(),
        }
    }

    pub fn figures(&self) -> Figures {
        let mut figures = self.figures;
        if let State::Open(talk) | State::Away(talk) = &self.state {
            figures.lost_in = talk.sound_in.lost();
            figures.lost_out = talk.sound_out.lost();
        }
        figures
    }

    /// The call is over; its last words may still be waiting for the client.
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over) && self.last.is_none()
    }

    /// Whether a socket that shows these tokens may be this call's.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_attach(&self, token: &str, resume: Option<&str>) -> Result<(), NotAttached> {
        if !self.opening.secret.is(token) {
            return Err(NotAttached::Forbidden);
        }
        match &self.state {
            State::Expected => Ok(()),
            State::Greeted => Err(NotAttached::InUse),
            State::Open(talk) | State::Away(talk) => match resume {
                Some(resume) if talk.resume.is(resume) => Ok(()),
                _ => Err(NotAttached::Forbidden),
            },
            State::Over => Err(NotAttached::Over),
        }
    }

    /// By which a call that has lost its socket is taken up again; `None` where none was begun.
    pub fn resume_token(&self) -> Option<&Secret> {
        match &self.state {
            State::Open(talk) | State::Away(talk) => Some(&talk.resume),
            State::Expected | State::Greeted | State::Over => None,
        }
    }

    /// A socket that may be: it takes the place of the one before, which the caller of this closes.
    pub fn attach(&mut self, now: Instant) {
        self.texts.clear();
        self.heard(now);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Expected | State::Greeted => {
                self.timers.set(Timer::Start, now + limits::AUDIO_GREETING);
                self.state = State::Greeted;
            }
            State::Open(talk) => self.resume(now, talk, false),
            State::Away(talk) => self.resume(now, talk, true),
            State::Over => (),
        }
    }

    fn resume(&mut self, now: Instant, mut talk: Box<Talk>, was_held: bool) {
        self.timers.cancel(Timer::Resume);
        self.figures.resumed += 1;
        talk.resume = Secret::random(&mut self.opening.entropy);
        talk.sound_out.restart();
        self.texts.push_back(started(&self.opening, &talk, true));
        if was_held {
            let offer = self.offer(false);
            self.out.push_back(Output::Wish(Wish::Describe(offer)));
            if talk.media_port.is_some() {
                talk.sound_in.begin(now);
            }
        }
        self.state = State::Open(talk);
    }

    /// One input; drain [`Self::poll_output`] afterwards.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Text(text) => {
                self.heard(now);
                match control::read(text) {
                    Ok(request) => self.request(request),
                    Err(code) => self.fault(code),
                }
            }
            Input::Binary(bytes) => {
                self.heard(now);
                self.sound(now, bytes);
            }
            Input::Pong(payload) => {
                self.heard(now);
                if let (State::Open(talk), Ok(ms)) = (&mut self.state, payload.try_into()) {
                    talk.sound_out.pong(u64::from_be_bytes(ms));
                }
            }
            Input::Sign => self.heard(now),
            Input::Done => self.done(),
            Input::Detached => self.detached(now),
            Input::Datagram(bytes) => self.datagram(now, bytes),
            Input::News(news) => self.news(now, news),
            Input::Timeout => self.timeout(now),
        }
        self.step(now);
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| {
            let sound = match &self.state {
                State::Open(talk) => talk.sound_in.deadline(),
                _ => None,
            };
            Output::Timeout(self.timers.next().into_iter().chain(sound).min())
        })
    }

    /// There is something for the client.
    pub fn has_message(&self) -> bool {
        let sound = matches!(&self.state, State::Open(talk) if talk.sound_out.is_ready());
        sound || self.wants_ping || !self.texts.is_empty() || self.last.is_some()
    }

    /// The next message for the client, whose socket has room for it.
    pub fn next_message(&mut self) -> Option<Outgoing> {
        if let Some(text) = self.texts.pop_front() {
            return Some(Outgoing::Text(text));
        }
        if let State::Open(talk) = &mut self.state {
            if let Some(ms) = talk.sound_out.ping() {
                return Some(Outgoing::Ping(ms.to_be_bytes().to_vec()));
            }
            if let Some(frames) = talk.sound_out.take_untold() {
                let total_ms = talk.sound_out.lost() * FRAME_MS;
                let lost =
                    Reply::Lost { direction: Direction::Out, ms: frames * FRAME_MS, total_ms };
                return Some(Outgoing::Text(lost.to_json()));
            }
            if let Some(message) = talk.sound_out.pop() {
                return Some(Outgoing::Binary(message));
            }
        }
        if std::mem::take(&mut self.wants_ping) {
            let sent_ms = match &self.state {
                State::Open(talk) => talk.sound_out.sent_ms(),
                _ => 0,
            };
            return Some(Outgoing::Ping(sent_ms.to_be_bytes().to_vec()));
        }
        let last = self.last.take()?;
        self.out.push_back(Output::Close(CloseCode::Ended));
        Some(Outgoing::Text(last))
    }

    fn request(&mut self, request: Request) {
        let talk = match (&mut self.state, request) {
            (State::Greeted, Request::Start { encoding, rate_hz }) => {
                return match Format::new(encoding, rate_hz) {
                    Some(format) => self.start(format),
                    None => self.fault(ErrorCode::BadFormat),
                };
            }
            (State::Greeted, Request::Hangup) => {
                self.out.push_back(Output::Wish(Wish::HangUp));
                return self.end(None);
            }
            (State::Greeted, _) => return self.fault(ErrorCode::NotStarted),
            (State::Open(talk), request) => (talk, request),
            (State::Expected | State::Away(_) | State::Over, _) => return,
        };
        match talk {
            (talk, Request::Start { encoding, rate_hz }) => {
                if Format::new(encoding, rate_hz) != Some(talk.format) {
                    self.fault(ErrorCode::Started);
                }
            }
            (talk, Request::Stop) => talk.sound_in.flush(),
            (talk, Request::Clear) => {
                let marks = talk.sound_in.clear();
                marks.iter().for_each(|name| self.say(&Reply::Mark { name, cleared: true }));
            }
            (talk, Request::Mark(name)) => {
                if !talk.sound_in.mark(name) {
                    self.fault(ErrorCode::TooManyMarks);
                }
            }
            (talk, Request::Dtmf(digits)) => {
                if !digits.reveal().chars().all(|digit| talk.line.press(digit)) {
                    self.fault(ErrorCode::BadDigits);
                }
            }
            (_, Request::Hangup) => self.out.push_back(Output::Wish(Wish::HangUp)),
        }
    }

    fn start(&mut self, format: Format) {
        self.timers.cancel(Timer::Start);
        let talk = Box::new(Talk {
            format,
            sound_in: SoundIn::new(format),
            sound_out: SoundOut::new(format),
            line: Line::new(&mut self.opening.entropy),
            media_port: None,
            call: CallId(0),
            resume: Secret::random(&mut self.opening.entropy),
        });
        let offer = self.offer(false);
        self.out.push_back(Output::Wish(Wish::Begin(offer)));
        self.state = State::Open(talk);
    }

    fn sound(&mut self, now: Instant, bytes: &[u8]) {
        match &mut self.state {
            State::Open(talk) => {
                let shed = talk.sound_in.push(now, bytes);
                if shed > 0 {
                    let total_ms = talk.sound_in.lost() * FRAME_MS;
                    let ms = shed * FRAME_MS;
                    self.say(&Reply::Lost { direction: Direction::In, ms, total_ms });
                }
            }
            State::Greeted => self.fault(ErrorCode::NotStarted),
            State::Expected | State::Away(_) | State::Over => (),
        }
    }

    fn datagram(&mut self, now: Instant, bytes: &[u8]) {
        let State::Open(talk) = &mut self.state else { return };
        let Talk { line, sound_out, .. } = &mut **talk;
        line.hear(now, bytes, |frame| sound_out.push(&frame));
        let digits: Vec<char> = std::iter::from_fn(|| line.poll_digit(now)).collect();
        digits.into_iter().for_each(|digit| self.say(&Reply::Dtmf { digit }));
    }

    fn news(&mut self, now: Instant, news: News) {
        match (news, &mut self.state) {
            (News::Ended(_), State::Over) => (),
            (News::Ended(ending), _) => self.end(Some(ending)),
            (News::Answered { call, description }, State::Open(talk)) => {
                talk.call = call;
                talk.media_port = describe::port_of(&description);
                talk.sound_in.begin(now);
                let started = started(&self.opening, talk, false);
                self.texts.push_back(started);
            }
            (News::Answered { call, description }, State::Away(talk)) => {
                talk.call = call;
                talk.media_port = describe::port_of(&description);
                self.hold();
            }
            (News::Silenced, State::Open(talk)) => {
                talk.sound_out.clear();
                let sent_ms = talk.sound_out.sent_ms();
                self.say(&Reply::Clear { sent_ms });
            }
            (News::Said(said), State::Open(_)) => {
                let Said { who, text, is_final } = said;
                self.say(&Reply::Transcript { who, text: text.reveal(), is_final });
            }
            (News::Answered { .. } | News::Silenced | News::Said(_), _) => (),
        }
    }

    fn done(&mut self) {
        if matches!(self.state, State::Greeted | State::Open(_)) {
            self.request(Request::Hangup);
        }
    }

    fn detached(&mut self, now: Instant) {
        self.timers.cancel(Timer::Ping);
        self.timers.cancel(Timer::Silent);
        self.texts.clear();
        self.last = None;
        self.wants_ping = false;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open(mut talk) => {
                self.timers.set(Timer::Resume, now + limits::AUDIO_RESUME);
                talk.sound_in.stop(now);
                let is_up = talk.media_port.is_some();
                self.state = State::Away(talk);
                if is_up {
                    self.hold();
                }
            }
            // The one who is expected may have had a bad start.
            State::Greeted => self.state = State::Expected,
            other => self.state = other,
        }
    }

    /// What is to be said to the client waits.
    fn hold(&mut self) {
        let offer = self.offer(true);
        self.out.push_back(Output::Wish(Wish::Describe(offer)));
    }

    fn offer(&mut self, is_held: bool) -> Vec<u8> {
        self.version += 1;
        describe::offer(self.opening.port, self.opening.leg, self.version, is_held)
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Start => {
                    self.out.push_back(Output::Wish(Wish::Expired));
                    self.close(CloseCode::Policy);
                    self.end(None);
                }
                Timer::Resume => {
                    self.out.push_back(Output::Wish(Wish::Lost));
                    self.end(None);
                }
                Timer::Ping => {
                    self.wants_ping = true;
                    self.timers.set(Timer::Ping, now + limits::AUDIO_PING);
                }
                Timer::Silent => {
                    self.close(CloseCode::Slow);
                    self.detached(now);
                }
            }
        }
    }

    /// The client is there.
    fn heard(&mut self, now: Instant) {
        if !matches!(self.state, State::Over) {
            self.timers.set(Timer::Silent, now + limits::AUDIO_SILENT);
            if !self.timers.is_armed(Timer::Ping) {
                self.timers.set(Timer::Ping, now + limits::AUDIO_PING);
            }
        }
    }

    /// What the sound of this moment owes to the call.
    fn step(&mut self, now: Instant) {
        loop {
            let State::Open(talk) = &mut self.state else { return };
            let Some(step) = talk.sound_in.poll(now) else { return };
            let frame = match step {
                Step::Sound(frame) => frame,
                Step::Silence => Box::new(Frame::SILENCE),
                Step::Nothing(frames) => {
                    talk.line.pause(frames);
                    continue;
                }
                Step::Mark(name) => {
                    self.say(&Reply::Mark { name: &name, cleared: false });
                    continue;
                }
            };
            let datagram = talk.line.send(&frame);
            if let Some(port) = talk.media_port {
                self.out.push_back(Output::Datagram(port, datagram));
            }
        }
    }

    fn say(&mut self, reply: &Reply<'_>) {
        if self.texts.len() >= limits::AUDIO_TEXTS {
            // Who does not read even this is not there; the call waits for them to come back.
            self.close(CloseCode::Slow);
            return;
        }
        self.texts.push_back(reply.to_json());
    }

    fn fault(&mut self, code: ErrorCode) {
        self.faults += 1;
        match self.faults > limits::AUDIO_FAULTS {
            true => self.close(CloseCode::Policy),
            false => self.say(&Reply::error(code)),
        }
    }

    fn close(&mut self, code: CloseCode) {
        if !self.out.contains(&Output::Close(code)) {
            self.out.push_back(Output::Close(code));
        }
    }

    fn end(&mut self, ending: Option<Ending>) {
        self.figures = self.figures();
        let has_socket = matches!(self.state, State::Greeted | State::Open(_));
        self.state = State::Over;
        self.timers.clear();
        if let (true, Some(Ending { by, cause })) = (has_socket, ending) {
            let ended = Reply::Ended { by: by.name(), cause: cause.wording().name };
            self.last = Some(ended.to_json());
        } else if has_socket {
            self.close(CloseCode::Ended);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            State::Expected => "expected",
            State::Greeted => "greeted",
            State::Open(_) => "open",
            State::Away(_) => "away",
            State::Over => "over",
        };
        write!(f, "Session({}, {state})", self.opening.leg)
    }
}

fn started(opening: &Opening, talk: &Talk, resumed: bool) -> String {
    Reply::Started {
        call: &talk.call.to_string(),
        call_id: opening.call_id.reveal(),
        format: talk.format.encoding(),
        rate: talk.format.rate_hz(),
        frame_ms: FRAME_MS,
        resume: talk.resume.reveal(),
        resumed,
    }
    .to_json()
}
