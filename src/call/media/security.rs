//! Between the network and all that knows packets: what comes is authenticated and decrypted before
//! anybody believes it, what leaves is encrypted after everything else was done (SRTP).
//!
//! A call that is not encrypted passes through as it is. What fails is counted, and that is all: the
//! call does not end, and nothing is learnt from it.

use super::plan::Plan;
use super::report::{HeardFrame, MediaEvent};
use super::{Path, Sink};
use crate::base::limits::RTP_DATAGRAM_BYTES;
use crate::base::{Keying, SrtpKey, SrtpSuite};
use crate::rtp::Protocol;
use crate::rtp::srtp::{Fault, Protector, TRAILER_BYTES, Unprotector};
use std::net::SocketAddr;

pub(super) struct Security {
    is_on: bool,
    incoming: Option<Context<Unprotector>>,
    outgoing: Option<Context<Protector>>,
    opened: [u8; RTP_DATAGRAM_BYTES],
    sealed: [u8; RTP_DATAGRAM_BYTES + TRAILER_BYTES],
    failed: u64,
    replayed: u64,
}

/// What there is for a key, as long as it stays the same.
struct Context<T> {
    suite: SrtpSuite,
    key: SrtpKey,
    state: T,
}

impl Security {
    pub(super) fn new() -> Self {
        Self {
            is_on: false,
            incoming: None,
            outgoing: None,
            opened: [0; RTP_DATAGRAM_BYTES],
            sealed: [0; RTP_DATAGRAM_BYTES + TRAILER_BYTES],
            failed: 0,
            replayed: 0,
        }
    }

    pub(super) fn start(&mut self, plan: &Plan) {
        self.forget();
        self.failed = 0;
        self.replayed = 0;
        self.apply(plan);
    }

    /// A key that stays keeps rollover counter and replay list, another one begins anew, each direction
    /// for itself. While a call is not encrypted the keys of before are kept: should they come back,
    /// nothing of before can be played again.
    pub(super) fn apply(&mut self, plan: &Plan) {
        let Some(Keying { suite, tx, rx }) = &plan.keying else {
            self.is_on = false;
            return;
        };
        self.is_on = true;
        renew(&mut self.incoming, *suite, rx, Unprotector::new);
        renew(&mut self.outgoing, *suite, tx, Protector::new);
    }

    /// The keys go.
    pub(super) fn forget(&mut self) {
        self.is_on = false;
        self.incoming = None;
        self.outgoing = None;
        self.opened.fill(0);
    }

    pub(super) const fn failed(&self) -> u64 {
        self.failed
    }

    pub(super) const fn replayed(&self) -> u64 {
        self.replayed
    }

    /// What a datagram says; `None` where it is not the peer's.
    pub(super) fn open<'a>(&'a mut self, protocol: Protocol, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if !self.is_on {
            return Some(bytes);
        }
        let context = &mut self.incoming.as_mut()?.state;
        let copy = self.opened.get_mut(..bytes.len());
        let opened = copy.ok_or(Fault::Malformed).and_then(|copy| {
            copy.copy_from_slice(bytes);
            match protocol {
                Protocol::Rtp => context.unprotect_rtp(copy),
                Protocol::Rtcp => context.unprotect_rtcp(copy),
                Protocol::Other => Err(Fault::Malformed),
            }
        });
        match opened {
            Ok(length) => self.opened.get(..length),
            Err(Fault::Replayed) => {
                self.replayed += 1;
                None
            }
            Err(Fault::Forged | Fault::Malformed) => {
                self.failed += 1;
                None
            }
        }
    }

    /// A sink whose datagrams are encrypted on their way to `sink`.
    pub(super) fn sealing<'a, S: Sink>(
        &'a mut self,
        protocol: Protocol,
        sink: &'a mut S,
    ) -> Sealing<'a, S> {
        Sealing { security: self, protocol, sink }
    }

    /// `None`: it must not leave.
    fn seal<'a>(&'a mut self, protocol: Protocol, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if !self.is_on {
            return Some(bytes);
        }
        let context = &mut self.outgoing.as_mut()?.state;
        self.sealed.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let length = match protocol {
            Protocol::Rtp => context.protect_rtp(&mut self.sealed, bytes.len()),
            Protocol::Rtcp => context.protect_rtcp(&mut self.sealed, bytes.len()),
            Protocol::Other => None,
        };
        self.sealed.get(..length?)
    }
}

fn renew<T>(
    context: &mut Option<Context<T>>,
    suite: SrtpSuite,
    key: &SrtpKey,
    new: impl FnOnce(SrtpSuite, &SrtpKey) -> T,
) {
    let stays = context.as_ref().is_some_and(|before| before.suite == suite && before.key == *key);
    if !stays {
        *context = Some(Context { suite, key: key.clone(), state: new(suite, key) });
    }
}

/// See [`Security::sealing`].
pub(super) struct Sealing<'a, S> {
    security: &'a mut Security,
    protocol: Protocol,
    sink: &'a mut S,
}

impl<S: Sink> Sink for Sealing<'_, S> {
    fn datagram(&mut self, path: Path, to: SocketAddr, bytes: &[u8]) {
        if let Some(sealed) = self.security.seal(self.protocol, bytes) {
            self.sink.datagram(path, to, sealed);
        }
    }

    fn heard(&mut self, frame: &HeardFrame) {
        self.sink.heard(frame);
    }

    fn event(&mut self, event: MediaEvent) {
        self.sink.event(event);
    }
}
