//! What is remembered of one call: who, when, each turn with its gap, the RTP's quality, the end.
//!
//! Written by the call, read by the page, the API and the log. Times are Unix milliseconds that the
//! shell passes in. Invariant: at most `limits::TURNS_PER_CALL` turns, and words are private.

use super::ending::Ending;
use super::latency::Latency;
use super::one_way::OneWay;
use super::quality::Mos;
use crate::base::{CallId, LanguageCode, Private, SrtpSuite, Way, limits};
use crate::codec::Codec;
use crate::converse::Message;
use crate::converse::agent::Fault;
use crate::listen::answered::Verdict;
use crate::listen::{Guards, PartialText};

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Inbound,
    Outbound,
}

/// How far the call has come. Times are Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Our INVITE is on its way.
    Dialling,
    /// Here, or at the other end.
    Ringing,
    /// The other end sends sound and has not answered.
    EarlyMedia,
    /// Nobody was reached, and we try again then.
    Waiting {
        until_ms: u64,
    },
    Active {
        answered_at_ms: u64,
    },
    Ended {
        answered_at_ms: Option<u64>,
        ended_at_ms: u64,
        ending: Ending,
    },
}

impl Progress {
    pub const fn answered_at_ms(self) -> Option<u64> {
        match self {
            Self::Dialling | Self::Ringing | Self::EarlyMedia | Self::Waiting { .. } => None,
            Self::Active { answered_at_ms } => Some(answered_at_ms),
            Self::Ended { answered_at_ms, .. } => answered_at_ms,
        }
    }

    pub const fn ending(self) -> Option<Ending> {
        match self {
            Self::Ended { ending, .. } => Some(ending),
            Self::Dialling
            | Self::Ringing
            | Self::EarlyMedia
            | Self::Waiting { .. }
            | Self::Active { .. } => None,
        }
    }

    /// One word for the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dialling => "dialling",
            Self::Ringing => "ringing",
            Self::EarlyMedia => "early-media",
            Self::Waiting { .. } => "waiting",
            Self::Active { .. } => "active",
            Self::Ended { .. } => "ended",
        }
    }

    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

/// What the caller said and what came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// As recognised; empty for our opening and for a prompt after silence.
    pub caller_text: Private<String>,
    /// What we said, as far as it was meant to be heard.
    pub reply_text: Private<String>,
    /// When the caller's last speech packet arrived, in milliseconds after the answer.
    pub heard_at_ms: u64,
    /// From the caller's last packet with speech that can be heard (-45 dBFS) to our first; `None` when
    /// nothing was replied.
    pub gap_ms: Option<u32>,
    /// Silence that was waited for before the turn was taken as closed.
    pub endpoint_ms: u32,
    /// Time that the recogniser worked for the text that was used.
    pub decode_ms: u32,
    /// From the question to a model to the first of its answer; `None` where none was asked.
    pub model_ms: Option<u32>,
    /// From asking the voice to its first sound; `None` where the sound was there already.
    pub voice_ms: Option<u32>,
    /// Where the gap went; `None` as long as there is none.
    pub latency: Option<Latency>,
    /// The same gap by the audio thread alone, from its own last packet with speech; it differs from
    /// `gap_ms` where the caller was heard again before the reply.
    pub wire_gap_ms: Option<u32>,
    /// The caller spoke over our reply and it was stopped.
    pub interrupted: bool,
}

/// A call that we make, beyond what every call has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialled {
    /// The account that it goes through.
    pub trunk: String,
    /// Attempts before this one, which reached nobody, the oldest first.
    pub earlier: Vec<Attempt>,
    /// Of a campaign: the number, as the database knows it.
    pub campaign_number: Option<i64>,
}

/// A remote agent's part in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentRecord {
    pub state: AgentState,
    /// From the moment that the caller could hear us until its connection was open.
    pub connected_after_ms: Option<u32>,
    /// How long it was connected, all its connections together.
    pub used_ms: u64,
    /// By which the provider knows the conversation.
    pub conversation: Private<String>,
    /// Why the playbook holds the call in its place.
    pub fault: Option<Fault>,
    /// Of its sound, what was left out because too much waited.
    pub dropped_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentState {
    /// It is not there yet.
    #[default]
    Waiting,
    Talking,
    Over,
}

impl AgentState {
    /// One word for the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Talking => "talking",
            Self::Over => "over",
        }
    }
}

/// Somebody of the firm's has listened to the call, or spoken in it in the assistant's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attended {
    /// Their leg, numbered like calls.
    pub operator: CallId,
    /// As the interface knows them.
    pub by: Private<String>,
    pub part: Part,
    /// Unix milliseconds.
    pub from_ms: u64,
    /// `None`: it goes on.
    pub to_ms: Option<u64>,
}

/// What they have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Listened,
    TookOver,
}

impl Part {
    /// One word for the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listened => "listened",
            Self::TookOver => "took-over",
        }
    }
}

/// An attempt that reached nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub began_at_ms: u64,
    pub ended_at_ms: u64,
    pub ending: Ending,
}

/// The quality of both directions, from the packets and from the peer's RTCP reports.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RtpReport {
    pub packets_sent: u64,
    pub packets_received: u64,
    /// Expected by sequence number and never seen.
    pub packets_lost: u64,
    /// Came after their moment had passed.
    pub packets_late: u64,
    pub packets_duplicated: u64,
    /// RFC 3550 section 6.4.1, in milliseconds.
    pub jitter_ms: f32,
    /// Sound that was made up for missing packets.
    pub concealed_ms: u64,
    /// Share of ours that the peer lost by its last report, 0 to 1; `None` without a report.
    pub peer_loss: Option<f32>,
    pub round_trip_ms: Option<f32>,
    /// How the peer sounds to us; `None` in the first seconds and where nothing comes.
    pub mos_incoming: Option<Mos>,
    /// How we sound to the peer, by its RTCP reports; `None` without one.
    pub mos_outgoing: Option<Mos>,
    /// Ignored because they were not encrypted under the peer's key.
    pub srtp_failed: u64,
    /// Ignored because they had come before.
    pub srtp_replayed: u64,
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    pub id: CallId,
    pub direction: Direction,
    /// By which it came or left.
    pub way: Way,
    /// The number or address on the other end.
    pub peer: Private<String>,
    /// The dialog's Call-ID, by which both ends can name the call; empty until it is known.
    pub sip_call_id: Private<String>,
    /// Arrival of the INVITE, or its departure: Unix milliseconds.
    pub started_at_ms: u64,
    pub progress: Progress,
    /// The caller was put through by us: the two talk, and what they say is not known here.
    pub is_joined: bool,
    /// Somebody of the firm's speaks in it in the assistant's place.
    pub is_taken_over: bool,
    /// The caller hears nothing of us, by the wish of a program of the owner's.
    pub is_muted: bool,
    /// `None` until offer and answer are both there.
    pub codec: Option<Codec>,
    /// Who has answered a call of ours, by sound.
    pub answered_by: Option<Verdict>,
    /// `None` for a call that came.
    pub dialled: Option<Dialled>,
    /// `None` where there is no platform, or it has not told them.
    pub platform: Option<PlatformIds>,
    /// `None`: no remote agent was to hold it.
    pub agent: Option<AgentRecord>,
    /// `None`: the sound is not encrypted.
    pub srtp: Option<SrtpSuite>,
    /// In which the call is held.
    pub language: Option<LanguageCode>,
    /// From the INVITE to the 200.
    pub answer_delay_ms: Option<u32>,
    /// From the ACK to the first packet of the greeting.
    pub greeting_delay_ms: Option<u32>,
    pub rtp: RtpReport,
    /// Its part of the energy that the GPU has used while it was up, in joules; `None` where that is not told.
    pub gpu_energy_j: Option<f64>,
    /// One side heard nothing for a while; the last time that it was so.
    pub one_way: Option<OneWay>,
    /// What the caller seems to be saying at this moment.
    pub partial: Option<PartialText>,
    /// Who is speaking at this moment.
    pub speaking: Speaking,
    /// What was kept from being taken for the caller's words.
    pub guards: Guards,
    /// Who of the firm's was there, in the order in which it began; those beyond `limits::OPERATOR_PARTS` are counted.
    attended: Vec<Attended>,
    attended_left_out: u32,
    turns: Vec<Turn>,
    /// What the caller left for the firm's people.
    messages: Vec<Message>,
    /// Turns that came after the list was full.
    turns_left_out: u32,
}

/// Who is speaking; both is somebody who interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speaking {
    /// The other end, as the ear hears it.
    pub caller: bool,
    /// We are heard at the other end.
    pub us: bool,
}

/// A call's names at its platform's own interface: its session there, and our party in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformIds {
    pub session: String,
    pub party: String,
}

impl Turn {
    /// Adds a piece of the reply.
    pub fn add_reply(&mut self, text: &Private<String>) {
        let before = self.reply_text.reveal();
        let gap = if before.is_empty() { "" } else { " " };
        self.reply_text = Private::new(format!("{before}{gap}{}", text.reveal()));
    }
}

impl CallRecord {
    pub fn new(id: CallId, direction: Direction, peer: String, started_at_ms: u64) -> Self {
        Self {
            id,
            direction,
            way: Way::Sip,
            peer: Private::new(peer),
            sip_call_id: Private::default(),
            started_at_ms,
            is_joined: false,
            is_taken_over: false,
            is_muted: false,
            progress: match direction {
                Direction::Inbound => Progress::Ringing,
                Direction::Outbound => Progress::Dialling,
            },
            codec: None,
            answered_by: None,
            dialled: None,
            platform: None,
            agent: None,
            srtp: None,
            language: None,
            answer_delay_ms: None,
            greeting_delay_ms: None,
            rtp: RtpReport::default(),
            gpu_energy_j: None,
            one_way: None,
            partial: None,
            speaking: Speaking::default(),
            guards: Guards::default(),
            attended: Vec::new(),
            attended_left_out: 0,
            turns: Vec::new(),
            messages: Vec::new(),
            turns_left_out: 0,
        }
    }

    /// Adds a turn; beyond the limit it is counted only.
    pub fn push_turn(&mut self, turn: Turn) {
        if self.turns.len() < limits::TURNS_PER_CALL {
            self.turns.push(turn);
        } else {
            self.turns_left_out = self.turns_left_out.saturating_add(1);
        }
    }

    /// Shows those that `forget` names no more.
    pub fn forget_messages(&mut self, forget: impl Fn(&Message) -> bool) {
        self.messages.retain(|message| !forget(message));
    }

    /// Shows a message with the call; beyond the limit it stands in the file of messages only.
    pub fn push_message(&mut self, message: Message) {
        if self.messages.len() < limits::MESSAGES_PER_CALL {
            self.messages.push(message);
        }
    }

    /// Somebody of the firm's begins to listen or to speak. Each has one part of a kind at once.
    pub fn attend(&mut self, attended: Attended) {
        if self.attended.len() < limits::OPERATOR_PARTS {
            self.attended.push(attended);
        } else {
            self.attended_left_out = self.attended_left_out.saturating_add(1);
        }
    }

    /// A part that is going on ends.
    pub fn stop_attending(&mut self, operator: CallId, part: Part, at_ms: u64) {
        let is_it = |one: &&mut Attended| {
            one.operator == operator && one.part == part && one.to_ms.is_none()
        };
        if let Some(one) = self.attended.iter_mut().find(is_it) {
            one.to_ms = Some(at_ms);
        }
    }

    /// The call is over: nobody is there any more.
    pub fn end_attending(&mut self, at_ms: u64) {
        self.is_taken_over = false;
        for one in self.attended.iter_mut().filter(|one| one.to_ms.is_none()) {
            one.to_ms = Some(at_ms);
        }
    }

    pub fn attended(&self) -> &[Attended] {
        &self.attended
    }

    pub const fn attended_left_out(&self) -> u32 {
        self.attended_left_out
    }

    /// Somebody of the firm's has spoken in it.
    pub fn was_taken_over(&self) -> bool {
        self.is_taken_over || self.attended.iter().any(|one| one.part == Part::TookOver)
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The turn with this number, counted from 0, to add its gap or its interruption.
    pub fn turn_mut(&mut self, number: usize) -> Option<&mut Turn> {
        self.turns.get_mut(number)
    }

    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    pub const fn turns_left_out(&self) -> u32 {
        self.turns_left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ending::Cause;

    fn record() -> CallRecord {
        CallRecord::new(CallId(1), Direction::Inbound, "sip:5550100@example.net".into(), 1_000)
    }

    #[test]
    fn a_call_that_never_stops_talking_keeps_a_bounded_list() {
        let mut record = record();
        for _ in 0..limits::TURNS_PER_CALL + 3 {
            record.push_turn(Turn::default());
        }
        assert_eq!(record.turns().len(), limits::TURNS_PER_CALL);
        assert_eq!(record.turns_left_out(), 3);
    }

    #[test]
    fn a_call_shows_a_bounded_number_of_messages() {
        let mut record = record();
        for _ in 0..limits::MESSAGES_PER_CALL + 3 {
            record.push_message(Message::default());
        }
        assert_eq!(record.messages().len(), limits::MESSAGES_PER_CALL);
    }

    #[test]
    fn neither_number_nor_words_print() {
        let mut record = record();
        record.push_turn(Turn {
            caller_text: Private::new("my card is four five".into()),
            reply_text: Private::new("thank you, Maria".into()),
            ..Turn::default()
        });
        let (settled, rest) = (Private::new("I am".into()), Private::new("Jonas".into()));
        record.partial = Some(PartialText { settled, rest });
        let printed = format!("{record:?}");
        for word in ["5550100", "four five", "Maria", "I am", "Jonas"] {
            assert!(!printed.contains(word), "{printed}");
        }
    }

    #[test]
    fn an_ending_is_there_only_once_the_call_has_ended() {
        let ended = Progress::Ended {
            answered_at_ms: Some(5),
            ended_at_ms: 9,
            ending: Cause::HungUp.into(),
        };
        assert_eq!(ended.ending(), Some(Cause::HungUp.into()));
        assert_eq!(ended.answered_at_ms(), Some(5));
        assert_eq!(Progress::Active { answered_at_ms: 5 }.ending(), None);
    }
}
