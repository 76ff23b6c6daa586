//! One call from its INVITE to its end: the parts of the product, with the script where the front
//! has its conversation.
//!
//! ```text
//!  SipLine ─ events ─▶ Caller ─ commands ─▶ SipLine
//!  audio thread ─ frames ─▶ Talk ─▶ Script ─ acts ─▶ Mouth ─ frames ─▶ audio thread
//!                                     ▲ words ─ Reader
//! ```
//! Everything is kept for the report.

mod mouth;
mod reader;
mod securing;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::sync::mpsc;

pub(super) use reader::{Reader, Source};

use super::arguments::Target;
use super::scenario::Scenario;
use super::script::{self, Exchange, Performed, Script, Verdict, What};
use super::sound::{Ready, Rehearsed};
use super::talk::{Glimpse, Heard, Talk};
use crate::appliance::associations::Associations;
use crate::appliance::places::Places;
use crate::appliance::rings::{self, AudioEvent, AudioEventKind, Place};
use crate::appliance::rtp_socket::{PortRange, PortsExhausted};
use crate::appliance::sip_line::SipLine;
use crate::appliance::sip_socket::{Arrival, Listen, ListenError, SipSockets, Tls};
use crate::appliance::trust::{CERTIFICATES, Roots};
use crate::appliance::{audio, chance, realtime};
use crate::association::Identity;
use crate::base::SrtpSuite;
use crate::base::pcm::Frame;
use crate::base::{CallId, Private, limits};
use crate::call::media::{self, HeardFrame, MediaEvent, Plan};
use crate::call::{Agreement, LocalMedia};
use crate::codec::Codec;
use crate::sdp::{OfferedKeys, Offering, Srtp};
use crate::sip::{self, EndCause, Flow, LegId, Transport, UserAgent};
use mouth::{Done, Mouth};

/// RFC 3261 sections 21.3.3 and 21.6.2: we go nowhere else, and call nobody for the box.
const MOVED: u16 = 302;
const DECLINED: u16 = 603;
/// Our only call.
const CALL: CallId = CallId(1);
/// RTP ports of callers; each begins at a chance place, so that several seldom meet.
const PORTS: (u16, u16) = (20_000, 29_999);
const PORT_STARTS: u16 = 4_500;
/// Frames that are kept of a call: an hour.
const FRAMES: usize = 180_000;

/// Whom to call and what to do there.
#[derive(Debug)]
pub(super) struct Dial<'a> {
    pub target: &'a Target,
    pub peer: SocketAddr,
    /// Offered in this order.
    pub codecs: Vec<Codec>,
    pub scenario: &'a Scenario,
    pub srtp: Srtp,
    pub keys: OfferedKeys,
    pub sounds: Rehearsed,
    /// What the far end says, for a script that needs to know it.
    pub reader: Option<Reader>,
    pub limit: Duration,
}

/// Why the call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// Our INVITE failed with this status.
    Refused(u16),
    /// The far end's description does not fit ours.
    Incompatible,
    /// The far end takes no keys.
    NoKeys,
    /// No keys for encrypted sound came about with it.
    NotSecured,
    /// Nothing came from the far end for `limits::MEDIA_TIMEOUT`.
    NoMedia,
    Ended(EndCause),
    /// The far end never answered our hanging up.
    Unanswered,
}

impl Closing {
    /// The far end was there and is gone, whatever was said until then.
    pub(super) const fn is_loss(self) -> bool {
        match self {
            Self::NoMedia
            | Self::Unanswered
            | Self::Ended(
                EndCause::NoAck | EndCause::Timeout | EndCause::Gone | EndCause::Unreachable,
            ) => true,
            Self::Refused(_)
            | Self::Incompatible
            | Self::NoKeys
            | Self::NotSecured
            | Self::Ended(EndCause::ByPeer | EndCause::ByUs) => false,
        }
    }
}

/// Everything about a call that was made.
#[derive(Debug)]
pub(super) struct CallLog {
    pub sip_call_id: String,
    pub answer_delay: Option<Duration>,
    /// Time from the ACK to the end.
    pub lasted: Duration,
    pub codec: Option<Codec>,
    /// `None`: the sound was not encrypted.
    pub srtp: Option<SrtpSuite>,
    pub greeting: Exchange,
    pub acts: Vec<Performed>,
    pub longest_quiet: Duration,
    /// What the far end said, where it was read during the call.
    pub words: Option<String>,
    pub verdict: Verdict,
    pub closing: Closing,
    pub rtp: media::Report,
    /// The far end's sound, from the first tick on.
    pub heard: Vec<Frame>,
    /// What we sent beside it.
    pub sent: Vec<i16>,
}

/// Why no call could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("{what}")]
    System { what: &'static str, source: std::io::Error },
    #[error("cannot open a SIP socket")]
    Listen(#[from] ListenError),
    #[error("{CERTIFICATES}: {}: {reason}", path.display())]
    Certificates { path: PathBuf, reason: String },
    #[error("no free ports for sound")]
    Ports(#[from] PortsExhausted),
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> CallError {
    move |source| CallError::System { what, source }
}

/// Makes the call; returns when it is over.
pub(super) fn make(dial: Dial<'_>) -> Result<CallLog, CallError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(system("cannot start the runtime"))?;
    runtime.block_on(async {
        let mut entropy = chance::entropy().map_err(system("no random numbers"))?;
        let rings = rings::allocate(1).map_err(system("cannot allocate the rings"))?;
        let wake = UnixStream::from_std(rings.wake).map_err(system("cannot wait for sound"))?;
        let settings =
            media::Settings { timeout: Some(limits::MEDIA_TIMEOUT), timeout_on_hold: false };
        // A caller that the kernel gives no real-time class measures all the same.
        let (_audio, _refused) =
            audio::spawn(rings.audio, settings, entropy.fork(), realtime::Wish::unbound())
                .map_err(system("cannot start the audio thread"))?;
        let any = match dial.peer {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let transport = dial.target.transport;
        // Where the other end comes back over our connection it cannot make one to us.
        let own = if transport.comes_back() { Transport::Tcp } else { transport };
        let listen = Listen { transport: own, address: SocketAddr::new(any, 0) };
        let roots = Roots::here().map_err(|(path, error)| {
            let reason = error.to_string();
            CallError::Certificates { path, reason }
        })?;
        let (mut sockets, arrivals) = SipSockets::open(&[listen], Tls::client(roots)).await?;
        if let Some(name) = dial.target.name() {
            sockets.know(None, dial.peer, name);
        }
        let local = sockets.listening().first().map_or(listen.address, |listen| listen.address);
        let agent = sip::Settings { contact_user: "caller".to_owned(), ..sip::Settings::default() };
        let mut line = SipLine::new(UserAgent::new(agent, entropy.fork()), sockets);
        let flow = Flow { transport, local, peer: dial.peer, connection: None, account: None };
        let flow = line.with_local_address(flow);
        let first = PORTS.0 + 2 * (entropy.next_u16() % PORT_STARTS);
        let rtp = PortRange::new(first..=PORTS.1).bind(any)?;
        let address = flow.local.ip();
        let identity = Identity::new().map_err(std::io::Error::other);
        let identity = identity.map_err(system("cannot make a certificate"))?;
        let associations = Associations::new(identity, entropy.fork());
        let media = LocalMedia {
            address,
            port: rtp.port(),
            id: entropy.next_u32().into(),
            srtp: None,
            keys: None,
            fingerprint: Some(associations.fingerprint().clone()),
            ice: Default::default(),
            seed: Private::new(entropy.seed()),
        };
        let mut places = Places::new(rings.net);
        let place = places.reserve(CALL, rtp).unwrap_or(Place(0));
        let caller = Caller::new(dial, line, (places, place), (media, associations));
        caller.run(flow, arrivals, wake).await
    })
}

struct Caller<'a> {
    target: &'a Target,
    line: SipLine,
    leg: LegId,
    places: Places,
    place: Place,
    associations: Associations,
    /// Under which the sound is encrypted.
    suite: Option<SrtpSuite>,
    agreement: Agreement,
    script: Script<'a>,
    script_deadline: Option<Instant>,
    talk: Talk,
    mouth: Mouth,
    reader: Option<Reader>,
    plan: Option<Plan>,
    ticks: Vec<Instant>,
    dialled: Instant,
    answered: Option<Instant>,
    closing: Option<Closing>,
    log: Kept,
}

/// What the log is made of in the end.
#[derive(Default)]
struct Kept {
    sip_call_id: String,
    rtp: media::Report,
    heard: Vec<Frame>,
}

impl<'a> Caller<'a> {
    fn new(
        dial: Dial<'a>,
        mut line: SipLine,
        (places, place): (Places, Place),
        (media, associations): (LocalMedia, Associations),
    ) -> Self {
        let offering = Offering {
            codecs: dial.codecs,
            dtmf: true,
            ptime_ms: 20,
            srtp: dial.srtp,
            keys: dial.keys,
        };
        Self {
            target: dial.target,
            leg: line.reserve_leg(),
            line,
            places,
            place,
            associations,
            suite: None,
            agreement: Agreement::new(offering, &media),
            script: Script::new(dial.scenario, dial.reader.is_some(), dial.limit),
            script_deadline: None,
            talk: Talk::default(),
            mouth: Mouth::new(dial.sounds),
            reader: dial.reader,
            plan: None,
            ticks: Vec::new(),
            dialled: Instant::now(),
            answered: None,
            closing: None,
            log: Kept::default(),
        }
    }

    async fn run(
        mut self,
        flow: Flow,
        mut arrivals: mpsc::Receiver<Arrival>,
        wake: UnixStream,
    ) -> Result<CallLog, CallError> {
        self.dial(flow);
        let verdict = loop {
            self.signals(Instant::now());
            if let Some(verdict) = self.script.verdict() {
                self.places.stop(self.place);
                if self.places.is_free(self.place) {
                    break verdict;
                }
            }
            let deadline = self.deadline();
            tokio::select! {
                Some(arrival) = arrivals.recv() => self.line.arrival(Instant::now(), arrival),
                Ok(()) = wake.readable() => {
                    rings::empty(&wake);
                    self.sound(Instant::now());
                }
                words = Reader::next(&mut self.reader) => {
                    self.act(Instant::now(), script::Input::Words(&words));
                }
                () = sleep_until(deadline) => {
                    let now = Instant::now();
                    self.line.timeout(now);
                    self.shake_hands(now);
                    self.act(now, script::Input::Timeout);
                }
            }
        };
        self.read();
        let words = match self.reader.take() {
            Some(reader) => reader.last().await,
            None => None,
        };
        Ok(self.into_log(verdict, words))
    }

    fn deadline(&self) -> Option<Instant> {
        let all = [self.line.deadline(), self.script_deadline, self.associations.deadline()];
        all.into_iter().flatten().min()
    }

    fn dial(&mut self, flow: Flow) {
        let invite = sip::Invite {
            flow,
            others: Vec::new(),
            target: Private::new(self.target.uri.clone()),
            from: None,
            display: None,
            sdp: Some(self.agreement.offer()),
            credentials: None,
            headers: Vec::new(),
        };
        self.dialled = Instant::now();
        self.line.command(
            self.dialled,
            sip::Command::Invite { leg: self.leg, invite: Box::new(invite) },
        );
        self.log.sip_call_id = self.line.sip_call_id(self.leg).unwrap_or_default().to_owned();
        self.act(self.dialled, script::Input::Dialled);
    }

    fn signals(&mut self, now: Instant) {
        while let Some(event) = self.line.event() {
            self.signal(now, event);
        }
    }

    fn signal(&mut self, now: Instant, event: sip::Event) {
        use sip::Event as E;
        match event {
            E::Answered { sdp, .. } => self.answered(now, sdp.as_deref()),
            E::Refused { status, .. } => self.closed(now, Closing::Refused(status)),
            E::Redirected { .. } => self.closed(now, Closing::Refused(MOVED)),
            E::Ended { cause, .. } => self.closed(now, Closing::Ended(cause)),
            E::Referred { leg, .. } => {
                self.line.command(now, sip::Command::AnswerRefer { leg, status: DECLINED });
            }
            E::OfferReceived { offer, .. } => self.reoffered(now, offer.as_deref()),
            E::OfferAnswered { sdp, .. } => {
                if let Ok(plan) = self.agreement.accept(&sdp) {
                    self.apply(now, plan);
                }
            }
            E::Incoming { leg, .. } => {
                let reject =
                    sip::Command::Reject { leg, status: 486, retry_after_s: None, warning: None };
                self.line.command(now, reject);
            }
            // We make no offers but the first, and what is heard before the answer is no greeting.
            E::Progress { .. }
            | E::OfferWithdrawn { .. }
            | E::Refer { .. }
            | E::OfferFailed { .. }
            | E::Established { .. }
            | E::Cancelled { .. }
            | E::Dtmf { .. } => (),
        }
    }

    fn answered(&mut self, now: Instant, sdp: Option<&[u8]>) {
        match sdp.map(|sdp| self.agreement.accept(sdp)) {
            Some(Ok(plan)) => {
                self.answered = Some(now);
                self.plan = Some(plan.clone());
                let waits = plan.protection.handshake().is_some();
                self.associate(now, &plan);
                self.places.start(self.place, plan);
                self.mouth.begin(&mut self.places, self.place);
                if !waits {
                    self.act(now, script::Input::Connected);
                }
            }
            Some(Err(_)) | None => self.fail(now, Closing::Incompatible),
        }
    }

    fn reoffered(&mut self, now: Instant, offer: Option<&[u8]>) {
        let leg = self.leg;
        let command = match offer.map(|offer| self.agreement.answer(offer)) {
            None => sip::Command::AcceptOffer { leg, sdp: self.agreement.offer() },
            Some(Ok((sdp, plan))) => {
                self.apply(now, plan);
                sip::Command::AcceptOffer { leg, sdp }
            }
            Some(Err(refusal)) => {
                let warning = Some(crate::call::warning(&refusal));
                sip::Command::RefuseOffer { leg, status: refusal.status, warning }
            }
        };
        self.line.command(now, command);
    }

    fn apply(&mut self, now: Instant, plan: Plan) {
        self.plan = Some(plan.clone());
        self.associate(now, &plan);
        self.places.apply(self.place, plan);
    }

    /// The call cannot go on; its end is reported as usual.
    fn fail(&mut self, now: Instant, why: Closing) {
        self.closing.get_or_insert(why);
        self.line.command(now, sip::Command::Bye { leg: self.leg, reason: None });
    }

    fn closed(&mut self, now: Instant, why: Closing) {
        self.closing.get_or_insert(why);
        self.act(now, script::Input::Closed);
    }

    /// Gives the script an input and does what it wants.
    fn act(&mut self, now: Instant, input: script::Input<'_>) {
        self.script.handle(now, input);
        loop {
            match self.script.poll_output() {
                script::Output::Perform(what) => self.perform(now, what),
                script::Output::Read => self.read(),
                script::Output::HangUp => {
                    self.line.command(now, sip::Command::Bye { leg: self.leg, reason: None });
                }
                script::Output::Timeout(at) => {
                    self.script_deadline = at;
                    return;
                }
            }
        }
    }

    fn perform(&mut self, now: Instant, what: What) {
        let takes_keys = self.plan.as_ref().is_some_and(|plan| plan.dtmf.is_some());
        if matches!(self.mouth.sound_of(what), Some(Ready::Keys(_))) && !takes_keys {
            return self.fail(now, Closing::NoKeys);
        }
        let codec = self.plan.as_ref().map_or(Codec::Pcmu, |plan| plan.codec);
        self.mouth.perform(what, codec, &mut self.places, self.place);
    }

    /// Asks for the far end's words.
    fn read(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.ask(&self.log.sip_call_id, &self.log.heard);
        }
    }

    /// The audio thread has left something.
    fn sound(&mut self, now: Instant) {
        self.places.flush();
        while let Some(event) = self.places.event() {
            self.audio_event(now, event);
        }
        self.shake_hands(now);
        while let Some((_, frame)) = self.places.heard(self.place) {
            self.heard(&frame);
        }
        while let Some(done) = self.mouth.done(&self.ticks) {
            match done {
                Done::Audible(at) => self.act(at, script::Input::Audible),
                Done::Spoken(at) => self.act(at, script::Input::Spoken),
            }
        }
        self.mouth.fill(&mut self.places, self.place);
    }

    fn audio_event(&mut self, now: Instant, event: AudioEvent) {
        match event.kind {
            AudioEventKind::Media(MediaEvent::UtteranceAudible {
                utterance: heard, at, ..
            }) => {
                self.mouth.audible(heard, at);
            }
            AudioEventKind::Media(MediaEvent::DigitsSent) => {
                if self.mouth.pressed() {
                    self.act(now, script::Input::Spoken);
                }
            }
            AudioEventKind::Media(MediaEvent::MediaTimeout) => self.fail(now, Closing::NoMedia),
            AudioEventKind::Report(report) => self.log.rtp = report,
            AudioEventKind::Alive { from } => {
                self.associations.hear(now, self.place, from, &mut self.places);
            }
            AudioEventKind::Stopped { sockets, report } => {
                drop(sockets);
                self.log.rtp = report;
                self.places.release(self.place);
            }
            AudioEventKind::Media(
                MediaEvent::DigitBegun
                | MediaEvent::Digit { .. }
                | MediaEvent::FirstPacket { .. }
                | MediaEvent::RemoteLearnt
                | MediaEvent::SsrcChanged
                | MediaEvent::PeerLeft,
            )
            | AudioEventKind::Finished { .. }
            | AudioEventKind::Silenced { .. } => (),
        }
    }

    fn heard(&mut self, frame: &HeardFrame) {
        if self.ticks.len() >= FRAMES {
            return;
        }
        let glimpse = Glimpse::of(self.ticks.len(), frame);
        self.ticks.push(frame.at);
        self.log.heard.push(frame.frame);
        match self.talk.follow(glimpse) {
            Some(Heard::Began(mark)) => self.act(frame.at, script::Input::Began(mark)),
            Some(Heard::Ended(mark)) => self.act(frame.at, script::Input::Ended(mark)),
            None => (),
        }
    }

    fn into_log(self, verdict: Verdict, words: Option<String>) -> CallLog {
        let Kept { sip_call_id, rtp, heard } = self.log;
        let since = |from: Option<Instant>| from.map_or(Duration::ZERO, |from| from.elapsed());
        CallLog {
            sip_call_id,
            answer_delay: self.answered.map(|at| at.saturating_duration_since(self.dialled)),
            lasted: since(self.answered),
            codec: self.plan.as_ref().map(|plan| plan.codec),
            srtp: self.suite,
            greeting: *self.script.greeting(),
            acts: self.script.acts().to_vec(),
            longest_quiet: self.script.longest_quiet(),
            words,
            verdict,
            closing: self.closing.unwrap_or(Closing::Unanswered),
            rtp,
            sent: self.mouth.sent_track(heard.len()),
            heard,
        }
    }
}

impl CallLog {
    pub(super) fn heard_track(&self) -> Vec<i16> {
        self.heard.iter().flat_map(|frame| frame.0).collect()
    }
}

/// Without a deadline the network or the audio thread will say when to go on.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
