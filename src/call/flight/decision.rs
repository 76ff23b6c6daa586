//! What a call decides, as text: the same decision is the same line, and two lines that differ show
//! what differs.
//!
//! Sound stands in it by its length and a fingerprint.

use std::fmt::Write;

use super::block::fingerprint;
use crate::base::Private;
use crate::base::handshake::Terms;
use crate::call::handover::PutThrough;
use crate::call::media::Plan;
use crate::call::record::{CallRecord, Turn};
use crate::call::state::{Association, Output};
use crate::call::voicemail::Tape;
use crate::call::work::Work;
use crate::converse::llm::{self, Chat};
use crate::converse::people::Address;
use crate::converse::{self, agent};
use crate::sdp::without_keys;
use crate::sip::{Command, ReferTo};

/// Turns of a record that a change may be in: the newest, and those that are still being answered.
const TURNS: usize = 4;

/// `None` for `Timeout`, which is no decision but when to look again, and for a key, which is the other end's.
pub(super) fn line(output: &Output, record: &CallRecord) -> Option<String> {
    Some(match output {
        Output::Sip(command) => format!("sip {}", sip(command)),
        Output::Invite { leg, sdp } => format!("invite {} {}", leg.0, description(sdp)),
        Output::Associate(association) => format!("associate {}", self::association(association)),
        Output::StartMedia(plan) => format!("start media {}", media(plan)),
        Output::ApplyMedia(plan) => format!("apply media {}", media(plan)),
        Output::StopMedia => "stop media".to_owned(),
        Output::Silence(through) => format!("silence through {}", through.0),
        Output::Work(asked) => work(asked),
        Output::Message(left) => format!("message {}", message(left)),
        Output::Tape(Tape::Begin(left)) => format!("record a message: {}", message(left)),
        Output::Tape(Tape::Sound(frame)) => format!("to the tape {:016x}", sound(&frame.0)),
        Output::Tape(Tape::End { is_spoken }) => format!("the tape ends, spoken: {is_spoken}"),
        Output::SendDigits(digits) => format!("press {}", digits.reveal()),
        Output::PutThrough(PutThrough { to, within, offer, is_attended }) => {
            let to = match to {
                Address::Uri(to) | Address::Number(to) => to.reveal(),
            };
            let offer = offer.reveal();
            format!("put through to {to:?} within {within:?}, saying {offer:?} {is_attended}")
        }
        Output::Accepted => "accepted".to_owned(),
        Output::GiveUpPerson => "give up the person".to_owned(),
        Output::PartnerWaits(waits) => format!("the partner waits: {waits}"),
        Output::NotHandedOver => "join after all".to_owned(),
        Output::Recorded => format!("record {}", self::record(record)),
        Output::Replied(number) => {
            let turn = record.turns().get(*number);
            format!("replied turn {} {}", number + 1, turn.map(gap).unwrap_or_default())
        }
        Output::Stalled(stage) => format!("stalled {}", stage.name()),
        Output::Pressed(_) | Output::Timeout(_) => return None,
    })
}

fn sip(command: &Command) -> String {
    let sdp = description;
    match command {
        Command::Ring { leg, status, sdp: early } => {
            format!("ring {} {status} {}", leg.0, sdp(early.as_deref().unwrap_or_default()))
        }
        Command::Answer { leg, sdp: answer } => format!("answer {} {}", leg.0, sdp(answer)),
        Command::Reject { leg, status, retry_after_s, warning } => {
            format!("reject {} {status} {retry_after_s:?} {warning:?}", leg.0)
        }
        Command::AcceptOffer { leg, sdp: answer } => {
            format!("accept offer {} {}", leg.0, sdp(answer))
        }
        Command::RefuseOffer { leg, status, warning } => {
            format!("refuse offer {} {status} {warning:?}", leg.0)
        }
        Command::Reoffer { leg, sdp: offer } => format!("offer {} {}", leg.0, sdp(offer)),
        Command::Bye { leg, reason } => format!("bye {} {reason:?}", leg.0),
        Command::Cancel { leg } => format!("cancel {}", leg.0),
        Command::Refer { leg, to, within } => {
            let to = match to {
                ReferTo::Uri(to) | ReferTo::Number(to) => to.reveal().clone(),
                ReferTo::Leg(leg) => format!("leg {}", leg.0),
            };
            format!("refer {} to {to:?} within {within:?}", leg.0)
        }
        Command::AnswerRefer { leg, status } => format!("answer refer {} {status}", leg.0),
        Command::NotifyRefer { leg, status } => format!("notify refer {} {status}", leg.0),
        Command::Invite { leg, .. } => format!("invite {}", leg.0),
        Command::Admit(admission) => format!("admit {admission:?}"),
        Command::EndAll { retry_after_s } => format!("end all {retry_after_s:?}"),
        // The house's, of no call.
        Command::LetIn(_)
        | Command::Register { .. }
        | Command::Unregister { .. }
        | Command::Ping { .. }
        | Command::Probe { .. }
        | Command::DropFlow { .. }
        | Command::Tell { .. } => String::new(),
    }
}

fn description(sdp: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&without_keys(sdp)))
}

fn media(plan: &Plan) -> String {
    let (rtp, rtcp) = (plan.remote.reveal(), plan.remote_rtcp.reveal());
    // Its `Debug` leaves out the two addresses and the keys, which are in no record, and nothing else.
    format!("to {rtp} {rtcp} {plan:?}")
}

/// Its `Debug` leaves out the addresses, and the passwords, which are in no record.
fn association(association: &Association) -> String {
    let Terms { remote, remote_rtcp, .. } = &association.terms;
    format!("to {} {} {association:?}", remote.reveal(), remote_rtcp.reveal())
}

fn work(work: &Work) -> String {
    match work {
        Work::Transcribe { id, wish, audio } => {
            let (samples, print) = (audio.reveal().len(), sound(audio.reveal()));
            format!("transcribe {} {wish:?} {samples} samples {print:016x}", id.0)
        }
        Work::Speak { id, language, phrase } => {
            format!("speak {} {language} {:?}", id.0, phrase.reveal())
        }
        Work::Think { id, chat } => format!("think {} {}", id.0, self::chat(chat)),
        Work::LookUp { id, asked } => {
            let values: Vec<_> = asked.values().collect();
            format!("look up {} {:?} {values:?}", id.0, asked.lookup)
        }
        Work::Agent { id, command } => format!("agent {} {}", id.0, agent(command)),
        Work::Cancel { id } => format!("cancel work {}", id.0),
    }
}

fn agent(command: &agent::Command) -> String {
    use agent::{ClientMessage as M, Command as C};
    match command {
        C::Prepare { agent } => format!("prepare {agent:?}"),
        C::Connect(initiation) => format!("connect {}", initiation.to_text()),
        C::Read(reads) => format!("read {reads}"),
        C::Send(M::Audio(sound)) => {
            let sound = sound.reveal();
            format!("{} bytes of sound {:016x}", sound.len(), fingerprint(sound))
        }
        C::Send(message) => message.to_text(),
    }
}

/// A chat is long: its last message, and a fingerprint of all.
fn chat(chat: &Chat) -> String {
    let last = chat.messages.last().map(chat_message).unwrap_or_default();
    let count = chat.messages.len();
    format!("{count} messages {:016x}, the last {last:?}", chat_print(chat))
}

/// A number that stands for all that is asked.
pub(super) fn chat_print(chat: &Chat) -> u64 {
    let Chat { messages, tools, most_tokens } = chat;
    let mut all = format!("{tools:?} {most_tokens}");
    for message in messages {
        let _ = write!(all, "\n{}", chat_message(message));
    }
    fingerprint(all.as_bytes())
}

fn chat_message(message: &llm::Message) -> String {
    match message {
        llm::Message::System(text) => format!("system {}", text.reveal()),
        llm::Message::Earlier(text) => format!("earlier {}", text.reveal()),
        llm::Message::Caller(text) => format!("caller {}", text.reveal()),
        llm::Message::Desk(text) => format!("desk {}", text.reveal()),
        llm::Message::Calls { said, calls } => {
            let calls = calls.iter().map(|c| (&c.id, &c.name, c.arguments.reveal()));
            format!("said {} calls {:?}", said.reveal(), calls.collect::<Vec<_>>())
        }
        llm::Message::Result { id, tool, text } => format!("result {id} {tool} {}", text.reveal()),
    }
}

fn message(message: &converse::Message) -> String {
    let converse::Message { topic, name, number, text, fields } = message;
    let some = |value: &Option<Private<String>>| value.as_ref().map(|v| v.reveal().clone());
    let fields = fields.iter().map(|(name, value)| (name, value.reveal()));
    let fields: Vec<_> = fields.collect();
    format!("{topic:?} {:?} {:?} {:?} {fields:?}", some(name), some(number), some(text))
}

/// What of a record may have changed. Its RTP figures are the audio thread's and no decision.
fn record(record: &CallRecord) -> String {
    let turns = record.turns();
    let newest = turns.iter().skip(turns.len().saturating_sub(TURNS));
    let text = newest.fold(String::new(), |text, turn| format!("{text}\n{}", self::turn(turn)));
    let partial = record.partial.as_ref().map(|p| (p.settled.reveal(), p.rest.reveal()));
    format!(
        "{:?} {:?} {:?} answered {:?} greeted {:?}, {} turns {:016x}, {partial:?} {:?}",
        record.progress,
        record.codec,
        record.language,
        record.answer_delay_ms,
        record.greeting_delay_ms,
        turns.len(),
        fingerprint(text.as_bytes()),
        record.guards,
    )
}

fn turn(turn: &Turn) -> String {
    let (caller, reply) = (turn.caller_text.reveal(), turn.reply_text.reveal());
    // Its `Debug` leaves the two texts out and nothing else.
    format!("{caller:?} {reply:?} {turn:?}")
}

fn gap(turn: &Turn) -> String {
    format!("gap {:?} {:?}", turn.gap_ms, turn.latency)
}

pub(super) fn sound(samples: &[i16]) -> u64 {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    fingerprint(&bytes)
}
