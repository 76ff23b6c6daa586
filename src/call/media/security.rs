//! Between the network and all that knows packets: what comes is authenticated and decrypted before
//! anybody believes it, what leaves is encrypted after everything else was done (SRTP).
//!
//! A call that is not encrypted passes through as it is. What fails is counted, and that is all: the
//! call does not end, and nothing is learnt from it. Before the keys of a handshake are there nothing
//! comes through and nothing leaves.

use super::plan::Plan;
use super::report::{HeardFrame, MediaEvent};
use super::{Datagram, Path, Sink};
use crate::base::limits::RTP_DATAGRAM_BYTES;
use crate::base::{Keying, Protection, SrtpKey, SrtpSuite};
use crate::rtp::Protocol;
use crate::rtp::srtp::{Fault, Protector, TRAILER_BYTES, Unprotector};
use std::net::SocketAddr;

pub(super) struct Security {
    is_on: bool,
    both: Contexts,
    /// Where RTP and RTCP each have a handshake of their own: RTCP's.
    rtcp: Option<Contexts>,
    /// Whose keys they are.
    association: Option<u32>,
    opened: [u8; RTP_DATAGRAM_BYTES],
    sealed: [u8; RTP_DATAGRAM_BYTES + TRAILER_BYTES],
    failed: u64,
    replayed: u64,
}

#[derive(Default)]
struct Contexts {
    incoming: Option<Context<Unprotector>>,
    outgoing: Option<Context<Protector>>,
}

impl Contexts {
    fn renew(&mut self, Keying { suite, tx, rx }: &Keying) {
        renew(&mut self.incoming, *suite, rx, Unprotector::new);
        renew(&mut self.outgoing, *suite, tx, Protector::new);
    }
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
            both: Contexts::default(),
            rtcp: None,
            association: None,
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
    /// nothing of before can be played again. Those of another handshake are of no use.
    pub(super) fn apply(&mut self, plan: &Plan) {
        match &plan.protection {
            Protection::Plain => self.is_on = false,
            Protection::Keys(keying) => {
                if self.association.take().is_some() {
                    self.drop_keys();
                }
                self.is_on = true;
                self.both.renew(keying);
            }
            Protection::Handshake(handshake) => {
                if self.association != Some(handshake.association) {
                    self.drop_keys();
                }
                self.is_on = true;
                self.association = Some(handshake.association);
            }
        }
    }

    /// The keys of a handshake are there, and not those of one that was given up.
    pub(super) fn secure(&mut self, association: u32, path: Path, keying: &Keying) {
        if self.association != Some(association) {
            return;
        }
        match path {
            Path::Rtp => self.both.renew(keying),
            Path::Rtcp => self.rtcp.get_or_insert_default().renew(keying),
        }
    }

    /// Sound can be sent: it needs no keys, or they are there.
    pub(super) const fn is_ready(&self) -> bool {
        !self.is_on || self.both.outgoing.is_some()
    }

    fn drop_keys(&mut self) {
        self.both = Contexts::default();
        self.rtcp = None;
    }

    /// The keys go.
    pub(super) fn forget(&mut self) {
        self.is_on = false;
        self.association = None;
        self.drop_keys();
        self.opened.fill(0);
    }

    pub(super) const fn failed(&self) -> u64 {
        self.failed
    }

    pub(super) const fn replayed(&self) -> u64 {
        self.replayed
    }

    /// What a datagram says; `None` where it is not the peer's.
    pub(super) fn open<'a>(
        &'a mut self,
        protocol: Protocol,
        datagram: &Datagram<'a>,
    ) -> Option<&'a [u8]> {
        let bytes = datagram.bytes;
        if !self.is_on {
            return Some(bytes);
        }
        let contexts = match &mut self.rtcp {
            Some(rtcp) if datagram.path == Path::Rtcp => rtcp,
            _ => &mut self.both,
        };
        let context = &mut contexts.incoming.as_mut()?.state;
        let copy = self.opened.get_mut(..bytes.len());
        let opened = copy.ok_or(Fault::Malformed).and_then(|copy| {
            copy.copy_from_slice(bytes);
            match protocol {
                Protocol::Rtp => context.unprotect_rtp(copy),
                Protocol::Rtcp => context.unprotect_rtcp(copy),
                Protocol::Handshake | Protocol::Other => Err(Fault::Malformed),
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
    fn seal<'a>(&'a mut self, protocol: Protocol, path: Path, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if !self.is_on {
            return Some(bytes);
        }
        let contexts = match &mut self.rtcp {
            Some(rtcp) if path == Path::Rtcp => rtcp,
            // RTCP of a handshake of its own waits for that.
            None if path == Path::Rtcp && self.association.is_some() => return None,
            _ => &mut self.both,
        };
        let context = &mut contexts.outgoing.as_mut()?.state;
        self.sealed.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let length = match protocol {
            Protocol::Rtp => context.protect_rtp(&mut self.sealed, bytes.len()),
            Protocol::Rtcp => context.protect_rtcp(&mut self.sealed, bytes.len()),
            Protocol::Handshake | Protocol::Other => None,
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
        if let Some(sealed) = self.security.seal(self.protocol, path, bytes) {
            self.sink.datagram(path, to, sealed);
        }
    }

    fn heard(&mut self, frame: &HeardFrame) {
        self.sink.heard(frame);
    }

    fn event(&mut self, event: MediaEvent) {
        self.sink.event(event);
    }

    fn handshake(&mut self, datagram: &Datagram<'_>, is_known: bool) {
        self.sink.handshake(datagram, is_known);
    }

    fn heard_from(&mut self, from: SocketAddr) {
        self.sink.heard_from(from);
    }
}
