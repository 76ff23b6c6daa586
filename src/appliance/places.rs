//! The places of the audio thread: which call has which, and the frames to and from it.
//!
//! Invariant: a place is given to the next call only after the audio thread has given the sockets
//! of the last one back, so that nothing of one call is ever heard in another.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::appliance::rings::{
    AudioCommand, AudioEvent, HandshakeDatagram, NetSide, Place, TapFrame,
};
use crate::appliance::rtp_socket::{Channel, RtpSockets};
use crate::base::handshake::Route;
use crate::base::{CallId, Keying, UtteranceId};
use crate::call::media::{HeardFrame, Path, Plan};
use crate::speak::PlayoutFrame;

#[derive(Debug)]
enum Use {
    Free,
    /// Given to a call whose media has not begun; the sockets wait here.
    Reserved {
        call: CallId,
        sockets: Arc<RtpSockets>,
    },
    /// The audio thread has the sockets, too.
    Playing {
        call: CallId,
        sockets: Arc<RtpSockets>,
    },
    /// Asked to stop.
    Stopping,
}

/// The net thread's side of all places.
#[derive(Debug)]
pub struct Places {
    ends: NetSide,
    uses: Vec<Use>,
    /// Of these places so many are calls'; the rest are for who listens to them.
    lines: usize,
    /// Commands that found their ring full, oldest first.
    waiting: VecDeque<AudioCommand>,
}

impl Places {
    /// All of them for calls.
    pub fn new(ends: NetSide) -> Self {
        let uses: Vec<Use> = ends.places.iter().map(|_| Use::Free).collect();
        Self { lines: uses.len(), ends, uses, waiting: VecDeque::new() }
    }

    /// The first `lines` for calls, the rest for who listens to them: so these take no line.
    #[must_use]
    pub fn with_lines(self, lines: usize) -> Self {
        Self { lines, ..self }
    }

    /// Places for calls that are not free.
    pub fn taken(&self) -> usize {
        self.uses.iter().take(self.lines).filter(|used| !matches!(used, Use::Free)).count()
    }

    pub fn is_free(&self, place: Place) -> bool {
        matches!(self.uses.get(usize::from(place.0)), Some(Use::Free))
    }

    /// A free place for the call, which keeps the sockets until the media begins.
    pub fn reserve(&mut self, call: CallId, sockets: RtpSockets) -> Option<Place> {
        self.reserve_in(0..self.lines, call, sockets)
    }

    /// The same for somebody who listens to a call.
    pub fn reserve_beside(&mut self, call: CallId, sockets: RtpSockets) -> Option<Place> {
        self.reserve_in(self.lines..self.uses.len(), call, sockets)
    }

    fn reserve_in(
        &mut self,
        range: Range<usize>,
        call: CallId,
        sockets: RtpSockets,
    ) -> Option<Place> {
        let number =
            range.into_iter().find(|index| matches!(self.uses.get(*index), Some(Use::Free)))?;
        *self.uses.get_mut(number)? = Use::Reserved { call, sockets: Arc::new(sockets) };
        u16::try_from(number).ok().map(Place)
    }

    pub fn start(&mut self, place: Place, plan: Plan) {
        let Some(used) = self.uses.get_mut(usize::from(place.0)) else { return };
        match std::mem::replace(used, Use::Free) {
            Use::Reserved { call, sockets } => {
                *used = Use::Playing { call, sockets: Arc::clone(&sockets) };
                self.command(AudioCommand::Start { place, call, sockets, plan });
            }
            other => *used = other,
        }
    }

    pub fn apply(&mut self, place: Place, plan: Plan) {
        if matches!(self.uses.get(usize::from(place.0)), Some(Use::Playing { .. })) {
            self.command(AudioCommand::Apply { place, plan });
        }
    }

    /// Gives a playing call the keys of its handshake.
    pub fn secure(&mut self, place: Place, association: u32, path: Path, keying: Keying) {
        self.command(AudioCommand::Secure { place, association, path, keying });
    }

    /// Tells a playing call where ICE has found its peer.
    pub fn steer(&mut self, place: Place, route: Route) {
        self.command(AudioCommand::Steer { place, route });
    }

    /// Sends a datagram of a handshake, beside the audio thread. What cannot be sent is lost, as on any
    /// network.
    pub fn send(&self, place: Place, channel: Channel, to: SocketAddr, bytes: &[u8]) {
        if let Some(Use::Reserved { sockets, .. } | Use::Playing { sockets, .. }) =
            self.uses.get(usize::from(place.0))
        {
            sockets.send(channel, to, bytes);
        }
    }

    /// Has a relay open a door to one of the peer's addresses.
    pub fn open_door(&self, place: Place, peer: SocketAddr) {
        if let Some(Use::Reserved { sockets, .. } | Use::Playing { sockets, .. }) =
            self.uses.get(usize::from(place.0))
            && let Some(lease) = sockets.lease()
        {
            lease.open(peer);
        }
    }

    /// Where the sockets with this port are.
    pub fn with_port(&self, port: u16) -> Option<Place> {
        let has_it = |used: &Use| match used {
            Use::Reserved { sockets, .. } | Use::Playing { sockets, .. } => sockets.port() == port,
            Use::Free | Use::Stopping => false,
        };
        let number = self.uses.iter().position(has_it)?;
        u16::try_from(number).ok().map(Place)
    }

    /// The call that plays in a place, and what has come for its handshake.
    pub fn handshake(&mut self, place: Place) -> Option<(CallId, HandshakeDatagram)> {
        let index = usize::from(place.0);
        let Some(Use::Playing { call, .. }) = self.uses.get(index) else { return None };
        let datagram = self.ends.places.get_mut(index)?.handshake.pop().ok()?;
        Some((*call, datagram))
    }

    /// Ends the media; the place is free at once when there was none.
    pub fn stop(&mut self, place: Place) {
        let Some(used) = self.uses.get_mut(usize::from(place.0)) else { return };
        match used {
            Use::Reserved { .. } => *used = Use::Free,
            Use::Playing { .. } => {
                *used = Use::Stopping;
                self.command(AudioCommand::Stop { place });
            }
            Use::Free | Use::Stopping => (),
        }
    }

    /// The audio thread has let go: the place is empty and free.
    pub fn release(&mut self, place: Place) {
        let index = usize::from(place.0);
        if let (Some(used), Some(ends)) =
            (self.uses.get_mut(index), self.ends.places.get_mut(index))
        {
            while ends.heard.pop().is_ok() {}
            while ends.handshake.pop().is_ok() {}
            ends.silenced.store(0, Ordering::Release);
            ends.is_recorded.store(false, Ordering::Relaxed);
            ends.is_observed.store(false, Ordering::Relaxed);
            ends.forget_observed();
            *used = Use::Free;
        }
    }

    /// What passes in this place is recorded from here on, or not any more.
    pub fn record(&self, place: Place, is_recorded: bool) {
        if let Some(ends) = self.ends.places.get(usize::from(place.0)) {
            ends.is_recorded.store(is_recorded, Ordering::Relaxed);
        }
    }

    /// What passes in this place is given to [`Self::passed`] from here on, or not any more.
    pub fn observe(&mut self, place: Place, is_observed: bool) {
        if let Some(ends) = self.ends.places.get_mut(usize::from(place.0)) {
            // Nothing of before, when somebody listened last.
            ends.forget_observed();
            ends.is_observed.store(is_observed, Ordering::Relaxed);
        }
    }

    /// The next 20 ms of both sides of the call in this place, while somebody listens to it.
    pub fn passed(&mut self, place: Place) -> Option<TapFrame> {
        self.ends.places.get_mut(usize::from(place.0))?.observed.as_mut()?.pop().ok()
    }

    /// Has the audio thread throw away what it holds of utterances up to this one.
    pub fn silence(&mut self, place: Place, through: UtteranceId) {
        if let Some(ends) = self.ends.places.get(usize::from(place.0)) {
            ends.silenced.fetch_max(through.0, Ordering::Release);
        }
    }

    /// The next thing that a call's media tells.
    pub fn event(&mut self) -> Option<AudioEvent> {
        self.ends.events.pop().ok()
    }

    /// The call that plays in a place and its next heard frame.
    pub fn heard(&mut self, place: Place) -> Option<(CallId, HeardFrame)> {
        let index = usize::from(place.0);
        let Some(Use::Playing { call, .. }) = self.uses.get(index) else { return None };
        let frame = self.ends.places.get_mut(index)?.heard.pop().ok()?;
        Some((*call, frame))
    }

    /// All places, for a walk.
    pub fn all(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.uses.len() as u16).map(Place)
    }

    /// Sends a digit as a telephone-event; `MediaEvent::DigitsSent` follows.
    pub fn press(&mut self, place: Place, digit: char, duration: Duration) {
        self.command(AudioCommand::Press { place, digit, duration });
    }

    /// Gives a playing call's frames to its ring until that is full or there is none.
    pub fn fill(
        &mut self,
        place: Place,
        most: usize,
        mut next: impl FnMut() -> Option<PlayoutFrame>,
    ) {
        let index = usize::from(place.0);
        if !matches!(self.uses.get(index), Some(Use::Playing { .. })) {
            return;
        }
        let Some(ends) = self.ends.places.get_mut(index) else { return };
        let waiting = |ring: &rtrb::Producer<PlayoutFrame>| ring.buffer().capacity() - ring.slots();
        while !ends.playout.is_full() && waiting(&ends.playout) < most {
            let Some(frame) = next() else { return };
            // There is room: this side is the only one that fills the ring.
            let _ = ends.playout.push(frame);
        }
    }

    /// Tries again with commands that found the ring full.
    pub fn flush(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(command)) = self.ends.commands.push(command) {
                return self.waiting.push_front(command);
            }
        }
    }

    fn command(&mut self, command: AudioCommand) {
        self.waiting.push_back(command);
        self.flush();
    }
}
