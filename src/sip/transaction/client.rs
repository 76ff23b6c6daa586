//! Non-INVITE client transaction: RFC 3261 figure 6. Timers E, F, K.

use std::mem;
use std::time::Duration;

use super::{Class, Effect, GIVE_UP, T1, T2, T4, Timer};

/// The machine; data lives in the state that needs it.
#[derive(Debug)]
pub enum Client {
    Trying { request: Vec<u8>, interval: Duration },
    Proceeding { request: Vec<u8> },
    Completed,
    Terminated,
}

#[derive(Debug)]
pub enum Input {
    Response(Class),
    Timer(Timer),
    TransportError,
}

impl Client {
    /// Sends `request` and starts the timers.
    pub fn start(request: Vec<u8>, reliable: bool, effects: &mut Vec<Effect>) -> Self {
        effects.push(Effect::Transmit(request.clone()));
        effects.push(Effect::Arm(Timer::F, GIVE_UP));
        if !reliable {
            effects.push(Effect::Arm(Timer::E, T1));
        }
        Self::Trying { request, interval: T1 }
    }

    pub fn handle(&mut self, input: Input, reliable: bool, effects: &mut Vec<Effect>) {
        use Client::{Completed, Proceeding, Terminated, Trying};
        *self = match (mem::replace(self, Terminated), input) {
            (Trying { request, interval }, Input::Timer(Timer::E)) => {
                let interval = (interval * 2).min(T2);
                effects.push(Effect::Transmit(request.clone()));
                effects.push(Effect::Arm(Timer::E, interval));
                Trying { request, interval }
            }
            (Proceeding { request }, Input::Timer(Timer::E)) => {
                effects.push(Effect::Transmit(request.clone()));
                effects.push(Effect::Arm(Timer::E, T2));
                Proceeding { request }
            }
            (Trying { .. } | Proceeding { .. }, Input::Timer(Timer::F)) => {
                effects.extend([Effect::TimedOut, Effect::Terminated]);
                Terminated
            }
            (Trying { .. } | Proceeding { .. }, Input::TransportError) => {
                effects.extend([Effect::Unreachable, Effect::Terminated]);
                Terminated
            }
            (
                Trying { request, .. } | Proceeding { request },
                Input::Response(Class::Provisional),
            ) => {
                effects.push(Effect::Deliver);
                Proceeding { request }
            }
            (
                Trying { .. } | Proceeding { .. },
                Input::Response(Class::Success | Class::Failure),
            ) => {
                effects.extend([Effect::Disarm(Timer::E), Effect::Disarm(Timer::F)]);
                effects.push(Effect::Deliver);
                if reliable {
                    effects.push(Effect::Terminated);
                    Terminated
                } else {
                    effects.push(Effect::Arm(Timer::K, T4));
                    Completed
                }
            }
            (Completed, Input::Timer(Timer::K)) => {
                effects.push(Effect::Terminated);
                Terminated
            }
            (state @ (Trying { .. } | Proceeding { .. }), Input::Timer(_)) => state,
            (Completed, Input::Response(_) | Input::Timer(_) | Input::TransportError) => Completed,
            (Terminated, _) => Terminated,
        };
    }
}
