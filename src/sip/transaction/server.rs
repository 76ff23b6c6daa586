//! Non-INVITE server transaction: RFC 3261 figure 8. Timer J.

use std::mem;

use super::{Class, Effect, GIVE_UP, Timer};

/// The machine; data lives in the state that needs it.
#[derive(Debug)]
pub enum Server {
    Trying,
    Proceeding { last: Vec<u8> },
    Completed { response: Vec<u8> },
    Terminated,
}

#[derive(Debug)]
pub enum Input {
    /// The request again.
    Retransmission,
    Respond(Class, Vec<u8>),
    Timer(Timer),
    TransportError,
}

impl Server {
    pub const fn start() -> Self {
        Self::Trying
    }

    pub fn handle(&mut self, input: Input, reliable: bool, effects: &mut Vec<Effect>) {
        use Server::{Completed, Proceeding, Terminated, Trying};
        *self = match (mem::replace(self, Terminated), input) {
            (Trying | Proceeding { .. }, Input::Respond(Class::Provisional, response)) => {
                effects.push(Effect::Transmit(response.clone()));
                Proceeding { last: response }
            }
            (
                Trying | Proceeding { .. },
                Input::Respond(Class::Success | Class::Failure, response),
            ) => {
                effects.push(Effect::Transmit(response.clone()));
                if reliable {
                    effects.push(Effect::Terminated);
                    Terminated
                } else {
                    effects.push(Effect::Arm(Timer::J, GIVE_UP));
                    Completed { response }
                }
            }
            (Proceeding { last }, Input::Retransmission) => {
                effects.push(Effect::Transmit(last.clone()));
                Proceeding { last }
            }
            (Completed { response }, Input::Retransmission) => {
                effects.push(Effect::Transmit(response.clone()));
                Completed { response }
            }
            (Completed { .. }, Input::Timer(Timer::J)) => {
                effects.push(Effect::Terminated);
                Terminated
            }
            (Trying | Proceeding { .. } | Completed { .. }, Input::TransportError) => {
                effects.extend([Effect::Unreachable, Effect::Terminated]);
                Terminated
            }
            (Trying, Input::Retransmission | Input::Timer(_)) => Trying,
            (state @ Proceeding { .. }, Input::Timer(_)) => state,
            (state @ Completed { .. }, Input::Respond(..) | Input::Timer(_)) => state,
            (Terminated, _) => Terminated,
        };
    }
}
