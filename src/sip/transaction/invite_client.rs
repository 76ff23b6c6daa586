//! INVITE client transaction: RFC 3261 figure 5 as changed by RFC 6026 figure 2. Timers A, B, D, M.

use std::mem;
use std::time::Duration;

use super::{ABSORB_FINAL, Effect, GIVE_UP, T1, Timer};

/// The machine; data lives in the state that needs it.
#[derive(Debug)]
pub enum InviteClient {
    Calling { request: Vec<u8>, interval: Duration },
    Proceeding,
    Completed { ack: Vec<u8> },
    Accepted,
    Terminated,
}

#[derive(Debug)]
pub enum Input {
    Provisional,
    Success,
    /// 300-699, with the ACK that this transaction owes for it.
    Failure {
        ack: Vec<u8>,
    },
    Timer(Timer),
    TransportError,
}

impl InviteClient {
    /// Sends `request` and starts the timers.
    pub fn start(request: Vec<u8>, reliable: bool, effects: &mut Vec<Effect>) -> Self {
        effects.push(Effect::Transmit(request.clone()));
        effects.push(Effect::Arm(Timer::B, GIVE_UP));
        if !reliable {
            effects.push(Effect::Arm(Timer::A, T1));
        }
        Self::Calling { request, interval: T1 }
    }

    pub fn handle(&mut self, input: Input, reliable: bool, effects: &mut Vec<Effect>) {
        use InviteClient::{Accepted, Calling, Completed, Proceeding, Terminated};
        *self = match (mem::replace(self, Terminated), input) {
            (Calling { request, interval }, Input::Timer(Timer::A)) => {
                let interval = interval * 2;
                effects.push(Effect::Transmit(request.clone()));
                effects.push(Effect::Arm(Timer::A, interval));
                Calling { request, interval }
            }
            (Calling { .. } | Proceeding, Input::Timer(Timer::B)) => end(Effect::TimedOut, effects),
            (Calling { .. } | Proceeding, Input::Provisional) => {
                effects.extend([Effect::Disarm(Timer::A), Effect::Disarm(Timer::B)]);
                effects.push(Effect::Deliver);
                Proceeding
            }
            (Calling { .. } | Proceeding, Input::Success) => {
                effects.extend([Effect::Disarm(Timer::A), Effect::Disarm(Timer::B)]);
                effects.push(Effect::Arm(Timer::M, GIVE_UP));
                effects.push(Effect::Deliver);
                Accepted
            }
            (Calling { .. } | Proceeding, Input::Failure { ack }) => {
                effects.extend([Effect::Disarm(Timer::A), Effect::Disarm(Timer::B)]);
                effects.push(Effect::Transmit(ack.clone()));
                effects.push(Effect::Deliver);
                if reliable {
                    effects.push(Effect::Terminated);
                    Terminated
                } else {
                    effects.push(Effect::Arm(Timer::D, ABSORB_FINAL));
                    Completed { ack }
                }
            }
            (Calling { .. } | Proceeding | Completed { .. }, Input::TransportError) => {
                end(Effect::Unreachable, effects)
            }
            (Completed { ack }, Input::Failure { .. }) => {
                effects.push(Effect::Transmit(ack.clone()));
                Completed { ack }
            }
            (Completed { .. }, Input::Timer(Timer::D)) | (Accepted, Input::Timer(Timer::M)) => {
                effects.push(Effect::Terminated);
                Terminated
            }
            // A repeated or forked 2xx: the user agent acknowledges each.
            (Accepted, Input::Success) => {
                effects.push(Effect::Deliver);
                Accepted
            }
            (
                state @ (Calling { .. } | Proceeding | Completed { .. } | Accepted),
                Input::Timer(_),
            ) => state,
            (state @ Completed { .. }, Input::Provisional | Input::Success) => state,
            (Accepted, Input::Provisional | Input::Failure { .. } | Input::TransportError) => {
                Accepted
            }
            (Terminated, _) => Terminated,
        };
    }
}

fn end(why: Effect, effects: &mut Vec<Effect>) -> InviteClient {
    effects.extend([why, Effect::Terminated]);
    InviteClient::Terminated
}
