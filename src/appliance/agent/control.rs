//! What a call wants of its connection's task.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::connection::Grant;
use super::lock;
use crate::converse::agent::{ClientMessage, Fault, Format, Initiation, Outbox};

/// What a connection begins with.
pub(super) type Answered = (Box<Initiation>, Result<Grant, Fault>);

#[derive(Debug, Default)]
pub(super) struct Control {
    wishes: Mutex<Wishes>,
    /// One of the wishes has changed, for each of the two that look at them.
    for_reader: Notify,
    for_writer: Notify,
}

#[derive(Debug, Default)]
struct Wishes {
    answered: Option<Answered>,
    outbox: Outbox,
    /// Of what is in the outbox.
    input: Format,
    is_paused: bool,
    is_closing: bool,
    is_full: bool,
}

/// What the writer does next.
pub(super) enum Next {
    Send(ClientMessage),
    Close,
    /// Messages that are no sound wait, and too many: nothing of it is read.
    Full,
}

impl Control {
    fn change(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut lock(&self.wishes));
        self.for_reader.notify_one();
        self.for_writer.notify_one();
    }

    pub(super) fn connect(&self, answered: Answered) {
        self.change(|wishes| wishes.answered = Some(answered));
    }

    pub(super) fn send(&self, message: ClientMessage) {
        self.change(|wishes| {
            let ms = match &message {
                ClientMessage::Audio(sound) => wishes.input.ms(sound.reveal().len()),
                _ => 0,
            };
            wishes.is_full |= !wishes.outbox.push(message, ms);
        });
    }

    pub(super) fn read(&self, reads: bool) {
        self.change(|wishes| wishes.is_paused = !reads);
    }

    pub(super) fn close(&self) {
        self.change(|wishes| wishes.is_closing = true);
    }

    /// From here on sound has this format.
    pub(super) fn takes(&self, input: Format) {
        lock(&self.wishes).input = input;
    }

    /// The caller's sound that was left out.
    pub(super) fn dropped_ms(&self) -> u64 {
        lock(&self.wishes).outbox.dropped_ms()
    }

    /// Waits until the call is answered; `None`: it is over instead.
    pub(super) async fn answered(&self) -> Option<Answered> {
        loop {
            {
                let mut wishes = lock(&self.wishes);
                if wishes.is_closing {
                    return None;
                }
                if let Some(answered) = wishes.answered.take() {
                    return Some(answered);
                }
            }
            self.for_writer.notified().await;
        }
    }

    /// Waits until the call is over.
    pub(super) async fn closing(&self) {
        while !lock(&self.wishes).is_closing {
            self.for_writer.notified().await;
        }
    }

    /// Waits until more may be read.
    pub(super) async fn readable(&self) {
        while lock(&self.wishes).is_paused {
            self.for_reader.notified().await;
        }
    }

    /// Waits for what is to be sent.
    pub(super) async fn next(&self) -> Next {
        loop {
            {
                let mut wishes = lock(&self.wishes);
                if wishes.is_closing {
                    return Next::Close;
                }
                if wishes.is_full {
                    return Next::Full;
                }
                if let Some(message) = wishes.outbox.pop() {
                    return Next::Send(message);
                }
            }
            self.for_writer.notified().await;
        }
    }
}
