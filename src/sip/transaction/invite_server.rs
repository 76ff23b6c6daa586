//! INVITE server transaction: RFC 3261 figure 7 as changed by RFC 6026 figure 1. Timers G, H, I, L.
//!
//! The 2xx is the user agent's to retransmit, on every transport; Accepted only absorbs the
//! INVITE's retransmissions and lets further copies of the 2xx through.

use std::mem;
use std::time::Duration;

use super::{Class, Effect, GIVE_UP, T1, T2, T4, Timer};

/// The machine; data lives in the state that needs it.
#[derive(Debug)]
pub enum InviteServer {
    /// `last` is the newest provisional response; the user agent sends 100 at once.
    Proceeding {
        last: Option<Vec<u8>>,
    },
    Completed {
        response: Vec<u8>,
        interval: Duration,
    },
    Confirmed,
    Accepted,
    Terminated,
}

#[derive(Debug)]
pub enum Input {
    /// The INVITE again.
    Retransmission,
    Ack,
    Respond(Class, Vec<u8>),
    Timer(Timer),
    TransportError,
}

impl InviteServer {
    pub const fn start() -> Self {
        Self::Proceeding { last: None }
    }

    /// Whether a final response is still owed, which is what a CANCEL needs.
    pub const fn is_pending(&self) -> bool {
        matches!(self, Self::Proceeding { .. })
    }

    pub fn handle(&mut self, input: Input, reliable: bool, effects: &mut Vec<Effect>) {
        use InviteServer::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        *self = match (mem::replace(self, Terminated), input) {
            (Proceeding { last }, Input::Retransmission) => {
                effects.extend(last.clone().map(Effect::Transmit));
                Proceeding { last }
            }
            (Proceeding { .. }, Input::Respond(Class::Provisional, response)) => {
                effects.push(Effect::Transmit(response.clone()));
                Proceeding { last: Some(response) }
            }
            (Proceeding { .. }, Input::Respond(Class::Success, response)) => {
                effects.push(Effect::Transmit(response));
                effects.push(Effect::Arm(Timer::L, GIVE_UP));
                Accepted
            }
            (Proceeding { .. }, Input::Respond(Class::Failure, response)) => {
                effects.push(Effect::Transmit(response.clone()));
                effects.push(Effect::Arm(Timer::H, GIVE_UP));
                if !reliable {
                    effects.push(Effect::Arm(Timer::G, T1));
                }
                Completed { response, interval: T1 }
            }
            (Completed { response, interval }, Input::Retransmission) => {
                effects.push(Effect::Transmit(response.clone()));
                Completed { response, interval }
            }
            (Completed { response, interval }, Input::Timer(Timer::G)) => {
                let interval = (interval * 2).min(T2);
                effects.push(Effect::Transmit(response.clone()));
                effects.push(Effect::Arm(Timer::G, interval));
                Completed { response, interval }
            }
            (Completed { .. }, Input::Ack) => {
                effects.extend([Effect::Disarm(Timer::G), Effect::Disarm(Timer::H)]);
                if reliable {
                    effects.push(Effect::Terminated);
                    Terminated
                } else {
                    effects.push(Effect::Arm(Timer::I, T4));
                    Confirmed
                }
            }
            (Completed { .. }, Input::Timer(Timer::H)) => {
                effects.extend([Effect::TimedOut, Effect::Terminated]);
                Terminated
            }
            (Confirmed, Input::Timer(Timer::I)) | (Accepted, Input::Timer(Timer::L)) => {
                effects.push(Effect::Terminated);
                Terminated
            }
            (Accepted, Input::Ack) => {
                effects.push(Effect::Deliver);
                Accepted
            }
            (Accepted, Input::Respond(Class::Success, response)) => {
                effects.push(Effect::Transmit(response));
                Accepted
            }
            // RFC 6026: an unreachable peer does not end the absorbing of its retransmissions.
            (state @ (Accepted | Confirmed), Input::TransportError) => state,
            (Proceeding { .. } | Completed { .. }, Input::TransportError) => {
                effects.extend([Effect::Unreachable, Effect::Terminated]);
                Terminated
            }
            (state @ Proceeding { .. }, Input::Ack | Input::Timer(_)) => state,
            (state @ Completed { .. }, Input::Respond(..) | Input::Timer(_)) => state,
            (
                Confirmed,
                Input::Retransmission | Input::Ack | Input::Respond(..) | Input::Timer(_),
            ) => Confirmed,
            (Accepted, Input::Retransmission | Input::Respond(..) | Input::Timer(_)) => Accepted,
            (Terminated, _) => Terminated,
        };
    }
}
