//! A call that comes: whether it is taken, in which language, and what the caller is told if not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::recording::Sound;
use super::ringcentral::Announced;
use super::{Line, Switchboard};
use crate::appliance::canary::UNLISTED;
use crate::appliance::clock::{unix_ms, week_minute};
use crate::appliance::handset;
use crate::appliance::rtp_socket::{PortsExhausted, RtpSockets};
use crate::appliance::visits::local_towards;
use crate::appliance::ways::{Wanted, Ways};
use crate::base::handshake::IceSide;
use crate::base::{CallId, Private, Way};
use crate::call::admission::{Limit, Refusal};
use crate::call::flight::Tracked;
use crate::call::language::{Known, Manner};
use crate::call::record::Direction;
use crate::call::{self, LocalMedia, Opening, Start};
use crate::sdp::OfferedKeys;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::{self, AccountId, Flow, LegId};

impl Switchboard {
    /// What calls from here on are held by, and the phrases of it.
    pub fn renew(&mut self, settings: call::Settings, shelf: call::Shelf) {
        self.parts.call = settings;
        self.stock(shelf);
    }

    /// Says goodbye in every call, and hangs up; what only rings is refused.
    pub fn leave_all(&mut self, now: Instant) {
        self.give_up_waiting(call::Cause::ShuttingDown);
        let ids: Vec<CallId> = self.lines.keys().copied().collect();
        for id in ids {
            self.call(now, id, call::Input::Wish(call::Wish::Leave));
        }
        self.settle(now);
    }

    /// Ports for the sound of a call, and what is said of them to the peer.
    pub(super) fn open_media(
        &mut self,
        now: Instant,
        wish: MediaWish,
    ) -> Result<(RtpSockets, LocalMedia), PortsExhausted> {
        let MediaWish { own, bound, towards, side, has_ice } = wish;
        let call::Towards { address, srtp, keys } = towards;
        let is_likely = has_ice || keys == Some(OfferedKeys::Dtls);
        let (mut sockets, seen) = self.parts.ways.bind(&mut self.parts.ports, bound, is_likely)?;
        let wanted = Wanted { side, described: address, own, is_likely, seen };
        let ice = self.parts.ways.of(now, wanted, &mut sockets);
        // What is hidden stands in no other line either; without anything lent there is no way to such a call.
        let described = match (ice.is_hidden, ice.others.first()) {
            (false, _) => SocketAddr::new(address, sockets.port()),
            (true, Some(lent)) => lent.address,
            (true, None) => SocketAddr::new(nowhere(own), sockets.port()),
        };
        let media = LocalMedia {
            address: described.ip(),
            port: described.port(),
            id: self.parts.entropy.next_u32().into(),
            srtp,
            keys,
            fingerprint: Some(self.parts.associations.fingerprint().clone()),
            ice,
            seed: Private::new(self.parts.entropy.seed()),
        };
        Ok((sockets, media))
    }

    /// For a peer whose signalling goes this way.
    pub(super) fn wish(&self, flow: Flow, has_ice: bool) -> MediaWish {
        MediaWish {
            own: flow.local.ip(),
            bound: nowhere(flow.local.ip()),
            towards: self.towards(flow),
            side: self.parts.accounts.ice_of(flow.peer.ip()),
            has_ice,
        }
    }

    /// What is said to a peer whose signalling goes this way.
    pub(super) fn towards(&self, flow: Flow) -> call::Towards {
        call::Towards {
            address: self.parts.media_address.of(flow, self.parts.sip.seen_as(flow)),
            srtp: self.parts.accounts.srtp_of(flow.peer.ip()),
            keys: self.parts.accounts.keys_of(flow.peer.ip()),
        }
    }

    /// The same for another peer of a call that has its sockets; `None` where these are of the other version
    /// of IP, so that no sound could pass.
    pub(super) fn towards_another(&self, id: CallId, flow: Flow) -> Option<call::Towards> {
        let is_ipv4 = self.lines.get(&id)?.is_ipv4;
        (is_ipv4 == flow.local.is_ipv4()).then(|| self.towards(flow))
    }

    /// Decides whether a remote agent holds a call.
    pub(super) fn choose_agent(
        &self,
        manner: &mut Manner,
        direction: Direction,
        asked: Option<bool>,
        account: Option<bool>,
    ) {
        let playbook = &self.parts.call.tongues.find(manner.language).playbook;
        manner.agent = self.parts.agent_rule.holds(direction, asked, account, playbook);
    }

    /// Whether it is the box itself that calls: by the name that only the running program has, or from this machine by
    /// that of a call which is to leave nothing.
    fn is_own(&self, known: &Known, from: IpAddr) -> bool {
        let is_called = |name: &String| known.called.reveal().contains(name);
        // A packet from outside with an address of ours is one that the kernel throws away.
        let is_from_here =
            known.local.is_some_and(|(_, local)| from.is_loopback() || from == local.ip());
        self.parts.canary.as_ref().map(Private::reveal).is_some_and(is_called)
            || (is_from_here && is_called(&UNLISTED.to_owned()))
    }

    /// An INVITE asks for a call.
    pub(super) fn incoming(&mut self, now: Instant, leg: LegId, incoming: Box<sip::Incoming>) {
        if let Some(incoming) = self.announced(now, leg, incoming) {
            self.consider(now, leg, incoming);
        }
    }

    /// Takes the call of an INVITE, or refuses it.
    pub(super) fn consider(&mut self, now: Instant, leg: LegId, incoming: Box<sip::Incoming>) {
        let arrived = Arrived {
            known: known(&incoming),
            agent: self.parts.accounts.agent_of(incoming.flow.peer.ip()),
            wish: self.wish(incoming.flow, has_ice(incoming.offer.as_deref())),
            account: incoming.flow.account,
            is_at_once: self.is_platforms(&incoming)
                && Announced::is_to_be_answered_at_once(&incoming),
            announced: Announced::of(&incoming),
            incoming: (*incoming).into(),
        };
        self.arrived(now, leg, arrived);
    }

    /// A leg that is no SIP asks for one.
    pub(super) fn visit(&mut self, now: Instant, leg: LegId, visit: call::Visit) {
        let wish = MediaWish::of_visit(&visit, &self.parts.ways);
        let call::Visit { incoming, called, caller, .. } = visit;
        let called = called.into_revealed().into_iter().collect();
        let known = Known { called: Private::new(called), caller, local: None };
        let arrived = Arrived {
            wish,
            incoming,
            agent: None,
            known,
            account: None,
            is_at_once: false,
            announced: None,
        };
        self.arrived(now, leg, arrived);
    }

    fn arrived(&mut self, now: Instant, leg: LegId, mut arrived: Arrived) {
        let announced = arrived.announced.take();
        let id = self.new_call();
        self.platform.became(leg, id);
        if let Err(refusal) = self.take(now, id, leg, arrived) {
            tracing::info!(call_id = %id, status = refusal.status(), "call refused");
            let is_full = refusal.is_for_want_of_room();
            let goes_on =
                is_full && announced.as_ref().is_some_and(|call| self.pass_on(now, leg, call));
            if !goes_on {
                self.commands.push_back(refusal.command(leg));
            }
        } else if let Some(announced) = announced {
            self.name_announced(now, id, &announced);
        }
    }

    fn take(
        &mut self,
        now: Instant,
        id: CallId,
        leg: LegId,
        arrived: Arrived,
    ) -> Result<(), NotTaken> {
        let Arrived { incoming, wish, agent, known, account, is_at_once, .. } = arrived;
        self.admitted()?;
        let is_ipv4 = wish.own.is_ipv4();
        let (sockets, media) = self.open_media(now, wish).map_err(|error| {
            tracing::warn!(%error, "call refused");
            self.parts.admission.no_ports()
        })?;
        let start = Start { now, unix_ms: unix_ms(), local: week_minute() };
        let shelf = Arc::clone(&self.shelf);
        let choice = self.parts.languages.choose(&known);
        let mut manner = self.abilities.manner(choice, &self.parts.call.tongues);
        let is_own = self.is_own(&known, incoming.signals_from);
        // An agent's time costs something.
        let agent = agent.filter(|_| !is_own).or_else(|| is_own.then_some(false));
        self.choose_agent(&mut manner, Direction::Inbound, None, agent);
        let way = incoming.way;
        let opening = Opening { id, leg, start, incoming, media, manner, shelf };
        let is_recorded = self.parts.flights.is_some() && !is_own;
        let mut settings = self.settings_of(way);
        if is_at_once {
            settings.to_mut().answer_after = Duration::ZERO;
        }
        let call =
            Tracked::answer(&settings, opening, is_recorded).map_err(NotTaken::Description)?;
        let admission = &self.parts.admission;
        let place =
            self.parts.places.reserve(id, sockets).ok_or_else(|| admission.full(Limit::Lines))?;
        tracing::info!(call_id = %id, way = way.name(), is_own, "call taken");
        self.legs.insert(leg, id);
        self.parts.visits.took(leg, id);
        let sound = if is_own { Sound::Not } else { Sound::default() };
        let line = Line { account, is_own, sound, ..Line::new(call, place, is_ipv4) };
        self.lines.insert(id, line);
        self.parts.accounts.call_begins(account);
        // It may ring for long before anything else is to be shown.
        self.show(now, id);
        self.drain(now, id);
        self.admit();
        Ok(())
    }
}

/// A call that asks to be taken, with what is decided of it before.
struct Arrived {
    incoming: call::Incoming,
    /// Whether a remote agent holds it, by its account.
    agent: Option<bool>,
    wish: MediaWish,
    known: Known,
    account: Option<AccountId>,
    /// It has been answered elsewhere on our behalf.
    is_at_once: bool,
    announced: Option<Announced>,
}

/// What the ports of a call are for.
pub(super) struct MediaWish {
    /// Our address on the way to the peer.
    own: IpAddr,
    /// Where the sockets are bound.
    bound: IpAddr,
    towards: call::Towards,
    /// Another side of ICE than that of all calls.
    side: Option<IceSide>,
    /// The peer's offer has ICE, or ours is to.
    has_ice: bool,
}

impl MediaWish {
    /// For whoever is there by another way than SIP.
    pub(super) fn of_visit(visit: &call::Visit, ways: &Ways) -> Self {
        let call::Visit { incoming, towards, .. } = visit;
        let has_ice = has_ice(incoming.offer.as_deref());
        let own = local_towards(incoming.signals_from);
        let bound = match incoming.way {
            // A browser may have one version of IP alone, and tells its addresses later.
            Way::WebRtc => ways.everywhere(),
            // Its peer is this program.
            Way::WebSocket | Way::Handset => own,
            Way::Sip => nowhere(own),
        };
        Self { own, bound, towards: towards.clone(), side: None, has_ice }
    }

    /// Over loopback, to a handset of this machine.
    pub(super) fn of_handset() -> Self {
        let own = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self { own, bound: own, towards: handset::towards(), side: None, has_ice: false }
    }
}

/// All addresses of this machine of the same version of IP; to others it is none.
fn nowhere(own: IpAddr) -> IpAddr {
    match own {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Whether a caller's description knows ICE.
fn has_ice(offer: Option<&[u8]>) -> bool {
    let name = b"a=ice-ufrag:";
    offer.is_some_and(|offer| offer.windows(name.len()).any(|part| part == name))
}

/// Why a call was not taken.
enum NotTaken {
    Admission(Refusal),
    Description(crate::sdp::Refusal),
}

impl From<Refusal> for NotTaken {
    fn from(refusal: Refusal) -> Self {
        Self::Admission(refusal)
    }
}

impl NotTaken {
    const fn is_for_want_of_room(&self) -> bool {
        use crate::call::Cause::{Busy, Overloaded};
        matches!(self, Self::Admission(Refusal { cause: Busy | Overloaded, .. }))
    }

    fn status(&self) -> u16 {
        match self {
            Self::Admission(refusal) => refusal.cause.wording().sip_status,
            Self::Description(refusal) => refusal.status,
        }
    }

    fn command(&self, leg: LegId) -> sip::Command {
        let (retry_after_s, warning) = match self {
            Self::Admission(refusal) => (refusal.retry_after_s, None),
            Self::Description(refusal) => (None, Some(call::warning(refusal))),
        };
        sip::Command::Reject { leg, status: self.status(), retry_after_s, warning }
    }
}

/// What the INVITE says for the choice of a language. The asserted identity comes before From, which
/// is anonymous where a caller hides.
fn known(incoming: &sip::Incoming) -> Known {
    let user = |uri: &str| Uri::parse(uri)?.user().map(str::to_owned);
    let asserted = incoming.headers.reveal().iter().find_map(|(name, value)| {
        let asserted = name.eq_ignore_ascii_case("P-Asserted-Identity");
        NameAddr::parse(value).filter(|_| asserted)?.uri.user().map(str::to_owned)
    });
    let called = [&incoming.request_uri, &incoming.to_uri];
    Known {
        called: Private::new(called.iter().filter_map(|uri| user(uri.reveal())).collect()),
        caller: Private::new(asserted.or_else(|| user(incoming.from_uri.reveal()))),
        local: Some((incoming.flow.transport, incoming.flow.local)),
    }
}
