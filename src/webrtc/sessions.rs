//! All sessions: what is asked of them by HTTP becomes events of legs, and what calls command their
//! responses.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::fragment::{self, Fragment};
use super::offer;
use super::session::{Reoffer, Session, SessionId, Stage};
use crate::base::{CallId, Entropy, Private, Way, limits};
use crate::sip::{self, EndCause, LegId, OfferBy, ReferNews};

/// Not implemented here: what SIP alone can do.
const NOT_IMPLEMENTED: u16 = 501;
/// The description is none, by RFC 3261.
const BAD_REQUEST: u16 = 400;
const NOT_ACCEPTABLE_HERE: u16 = 488;
/// Where somebody wants to listen.
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
const PENDING: u16 = 491;

/// One request, numbered by whoever brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// Which ICE session a fragment is for (RFC 9725 section 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing is said: whichever there is, as the fragment itself names it.
    Unsaid,
    /// `*`: a new one.
    Any,
    /// The value of the ETag that was told.
    Tag(String),
}

/// Whose page asks, as limits count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The name of the token that it shows; `None`: there are no tokens, and it is the owner on the box itself.
    pub token: Option<Private<String>>,
    /// The network that it asks from.
    pub source: Private<Option<IpAddr>>,
}

/// Of whom there are as many calls as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// Of all pages.
    All,
    /// Of one token's.
    Token,
    /// Of one source address with it.
    Address,
    /// Of those who listen to calls.
    Operators,
}

/// How many calls of pages there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Most {
    all: usize,
    of_token: usize,
    of_address: usize,
}

impl Most {
    fn of(lines: usize) -> Self {
        let share = |of: usize| (lines * of / 100).max(1);
        Self {
            all: share(limits::WEBRTC_SHARE).min(limits::WEBRTC_SESSIONS),
            of_token: share(limits::WEBRTC_SHARE_OF_TOKEN),
            of_address: share(limits::WEBRTC_SHARE_OF_ADDRESS).min(limits::WEBRTC_CALLS_OF_ADDRESS),
        }
    }
}

/// A call that is asked for.
#[derive(Debug)]
pub struct Opening {
    pub visitor: Visitor,
    pub offer: Private<Vec<u8>>,
    /// Whom the page wants, if it says so: a language may be chosen by it.
    pub called: Private<Option<String>>,
    /// It wants no call of its own, but to listen to one.
    pub observes: Option<Observes>,
}

/// What somebody of the firm's wants to listen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observes {
    pub call: CallId,
    /// As the interface knows whoever asks.
    pub by: Private<String>,
}

/// What is asked for.
#[derive(Debug)]
pub enum Request {
    /// A call, with this offer.
    Open(Opening),
    /// Another offer within a session.
    Reoffer {
        session: SessionId,
        offer: Private<Vec<u8>>,
    },
    /// Candidates, or a restart of ICE.
    Fragment {
        session: SessionId,
        if_match: IfMatch,
        body: Private<Vec<u8>>,
    },
    Close {
        session: SessionId,
    },
    /// Whose call it is, also when that has ended.
    Look {
        session: SessionId,
    },
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    Opened {
        session: SessionId,
        call: Option<CallId>,
        answer: Private<Vec<u8>>,
        tag: String,
    },
    Answered {
        answer: Private<Vec<u8>>,
        tag: String,
    },
    /// The fragment of ours that belongs to the new ICE session.
    Restarted {
        fragment: Private<Vec<u8>>,
        tag: String,
    },
    /// The candidates are taken.
    Taken,
    Closed,
    Call {
        call: CallId,
    },
    Refused(Refusal),
}

/// Why nothing comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoSuchSession,
    /// What was sent is not what it says it is.
    Malformed(String),
    /// An offer with nothing that fits.
    Unacceptable(String),
    /// No call is taken now. Seconds until it may be, if they are known.
    Busy {
        status: u16,
        retry_after_s: Option<u32>,
    },
    /// There are as many calls of pages, or listeners, as may be.
    Crowded(Crowd),
    /// The owner does not want calls to be listened to.
    Forbidden,
    /// There is no such call to listen to.
    NoSuchCall,
    /// That call is not at a point at which it can be.
    NotNow(String),
    /// This session has had as many offers as it may.
    TooManyOffers,
    /// Another offer of this session is not answered yet.
    Pending,
    /// It is for another ICE session.
    OtherSession,
}

pub enum Input {
    Request {
        ask: AskId,
        request: Request,
    },
    /// A call wants something of its leg.
    Command(sip::Command),
    /// The leg's page has ended its connection.
    Left {
        leg: LegId,
    },
    /// The leg's call is taken.
    Took {
        leg: LegId,
        call: CallId,
    },
}

#[derive(Debug)]
pub enum Output {
    /// A leg asks for a call.
    Asked {
        leg: LegId,
        opening: Opening,
    },
    Event(sip::Event),
    /// The peer of this leg has told of more candidates: values of `a=candidate:`.
    Candidates {
        leg: LegId,
        values: Vec<Private<String>>,
    },
    Response {
        ask: AskId,
        response: Response,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Sessions {
    most: Most,
    entropy: Entropy,
    next_leg: u64,
    live: HashMap<SessionId, Session>,
    legs: HashMap<LegId, SessionId>,
    /// Whose words may still be read, the oldest first.
    ended: VecDeque<(SessionId, CallId)>,
    out: VecDeque<Output>,
}

impl Sessions {
    /// `lines` is the number of calls that there may be by all ways together.
    pub fn new(entropy: Entropy, lines: usize) -> Self {
        Self {
            most: Most::of(lines),
            entropy,
            next_leg: 1,
            live: HashMap::new(),
            legs: HashMap::new(),
            ended: VecDeque::new(),
            out: VecDeque::new(),
        }
    }

    /// Sessions that have not ended.
    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// What a session that has not ended is known as.
    pub fn call_of(&self, session: &SessionId) -> Option<CallId> {
        self.live.get(session)?.call
    }

    /// One input; drain [`Self::poll_output`] afterwards.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Request { ask, request } => self.request(ask, request),
            Input::Command(command) => self.command(command),
            Input::Left { leg } => self.end(leg, EndCause::ByPeer),
            Input::Took { leg, call } => {
                if let Some(session) = self.of_leg(leg) {
                    session.call = Some(call);
                }
            }
        }
    }

    /// Drain until `None`; nothing here waits for a time.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn request(&mut self, ask: AskId, request: Request) {
        let outcome = match request {
            Request::Open(opening) => self.open(ask, opening),
            Request::Reoffer { session, offer } => {
                self.offer_again(&session, Reoffer { ask, offer, is_restart: false })
            }
            Request::Fragment { session, if_match, body } => {
                self.fragment(ask, &session, &if_match, body.reveal())
            }
            Request::Close { session } => self.close(&session).map(Some),
            Request::Look { session } => self.look(&session).map(Some),
        };
        match outcome {
            Ok(Some(response)) => self.respond(ask, response),
            // The call has to say something first.
            Ok(None) => {}
            Err(refusal) => self.respond(ask, Response::Refused(refusal)),
        }
    }

    fn open(&mut self, ask: AskId, opening: Opening) -> Result<Option<Response>, Refusal> {
        if let Some(crowd) = self.crowd(&opening) {
            return Err(Refusal::Crowded(crowd));
        }
        let id = SessionId::random(&mut self.entropy);
        let leg = LegId::of(Way::WebRtc, self.next_leg);
        self.next_leg += 1;
        let session = Session::new(leg, ask, &opening);
        self.legs.insert(leg, id.clone());
        self.live.insert(id, session);
        self.out.push_back(Output::Asked { leg, opening });
        Ok(None)
    }

    /// Of whom there are too many calls for one more of this visitor's. Who listens takes no line, and no page's share.
    fn crowd(&self, opening: &Opening) -> Option<Crowd> {
        let visitor = &opening.visitor;
        let operators = self.live.values().filter(|session| session.observes).count();
        if opening.observes.is_some() {
            return (operators >= limits::OPERATORS).then_some(Crowd::Operators);
        }
        if self.live.len() - operators >= self.most.all {
            return Some(Crowd::All);
        }
        visitor.token.as_ref()?;
        let calls = self.live.values().filter(|session| !session.observes);
        let its = calls.filter(|session| session.visitor.token == visitor.token);
        let (of_token, of_address) = its.fold((0, 0), |(all, here), session| {
            (all + 1, here + usize::from(session.visitor.source == visitor.source))
        });
        match () {
            () if of_address >= self.most.of_address => Some(Crowd::Address),
            () if of_token >= self.most.of_token => Some(Crowd::Token),
            () => None,
        }
    }

    fn offer_again(
        &mut self,
        id: &SessionId,
        reoffer: Reoffer,
    ) -> Result<Option<Response>, Refusal> {
        let session = self.live.get_mut(id).ok_or(Refusal::NoSuchSession)?;
        if !matches!(session.stage, Stage::Up) {
            return Err(Refusal::Pending);
        }
        if session.reoffers >= limits::WEBRTC_REOFFERS {
            return Err(Refusal::TooManyOffers);
        }
        session.reoffers += 1;
        let (leg, offer) = (session.leg, reoffer.offer.reveal().clone());
        session.stage = Stage::Reoffered(Box::new(reoffer));
        let event = sip::Event::OfferReceived { leg, offer: Some(offer), by: OfferBy::Update };
        self.out.push_back(Output::Event(event));
        Ok(None)
    }

    fn fragment(
        &mut self,
        ask: AskId,
        id: &SessionId,
        if_match: &IfMatch,
        body: &[u8],
    ) -> Result<Option<Response>, Refusal> {
        let session = self.live.get_mut(id).ok_or(Refusal::NoSuchSession)?;
        let fragment =
            Fragment::parse(body).map_err(|reason| Refusal::Malformed(reason.to_owned()))?;
        let is_other =
            |name: &String| offer::ice_name(session.offer.reveal()).as_ref() != Some(name);
        let is_new = fragment.name.as_ref().is_some_and(is_other);
        let is_restart = match if_match {
            IfMatch::Any => true,
            IfMatch::Tag(tag) if *tag != session.tag() => return Err(Refusal::OtherSession),
            IfMatch::Tag(_) if is_new => return Err(Refusal::OtherSession),
            IfMatch::Unsaid if is_new && fragment.password.is_none() => {
                return Err(Refusal::OtherSession);
            }
            IfMatch::Tag(_) | IfMatch::Unsaid => is_new,
        };
        if !is_restart {
            return self.trickle(id, fragment).map(Some);
        }
        let (Some(name), Some(password)) = (&fragment.name, &fragment.password) else {
            let reason = "a restart needs a=ice-ufrag and a=ice-pwd";
            return Err(Refusal::Malformed(reason.to_owned()));
        };
        let offer = Private::new(offer::restarted(session.offer.reveal(), name, password));
        self.offer_again(id, Reoffer { ask, offer, is_restart: true })
    }

    fn trickle(&mut self, id: &SessionId, fragment: Fragment) -> Result<Response, Refusal> {
        let session = self.live.get_mut(id).ok_or(Refusal::NoSuchSession)?;
        session.candidates += fragment.candidates.len();
        if session.candidates > limits::WEBRTC_CANDIDATES {
            return Err(Refusal::Malformed("too many candidates".to_owned()));
        }
        let (leg, values) = (session.leg, fragment.candidates);
        if !values.is_empty() {
            self.out.push_back(Output::Candidates { leg, values });
        }
        Ok(Response::Taken)
    }

    fn close(&mut self, id: &SessionId) -> Result<Response, Refusal> {
        let leg = self.live.get(id).ok_or(Refusal::NoSuchSession)?.leg;
        self.end(leg, EndCause::ByPeer);
        Ok(Response::Closed)
    }

    fn look(&self, id: &SessionId) -> Result<Response, Refusal> {
        let live = self.live.get(id).and_then(|session| session.call);
        let ended = || self.ended.iter().find(|(ended, _)| ended == id).map(|(_, call)| *call);
        let call = live.or_else(ended).ok_or(Refusal::NoSuchSession)?;
        Ok(Response::Call { call })
    }

    fn command(&mut self, command: sip::Command) {
        use sip::Command as C;
        match command {
            C::Answer { leg, sdp } => self.answered(leg, sdp),
            C::Reject { leg, status, retry_after_s, warning } => {
                let text = warning.map(|warning| warning.text).unwrap_or_default();
                self.rejected(leg, refusal(status, retry_after_s, text));
            }
            C::AcceptOffer { leg, sdp } => self.accepted(leg, sdp),
            C::RefuseOffer { leg, status, warning } => {
                let text = warning.map(|warning| warning.text).unwrap_or_default();
                self.not_accepted(leg, refusal(status, None, text));
            }
            C::Bye { leg, .. } => self.end(leg, EndCause::ByUs),
            // A page can be asked for neither.
            C::Reoffer { leg, .. } => {
                self.event(sip::Event::OfferFailed { leg, status: NOT_IMPLEMENTED });
            }
            C::Refer { leg, .. } => {
                let news = ReferNews::Failed(NOT_IMPLEMENTED);
                self.event(sip::Event::Refer { leg, news });
            }
            // Whoever asked waits for the answer.
            C::Ring { .. } => {}
            // Of legs that are SIP.
            C::AnswerRefer { .. }
            | C::NotifyRefer { .. }
            | C::Invite { .. }
            | C::Cancel { .. }
            | C::Admit(_)
            | C::LetIn(_)
            | C::Register { .. }
            | C::Unregister { .. }
            | C::Ping { .. }
            | C::Probe { .. }
            | C::DropFlow { .. }
            | C::Tell { .. }
            | C::EndAll { .. } => {}
        }
    }

    /// The page has the answer with the response: there is nothing that it would have to confirm.
    fn answered(&mut self, leg: LegId, answer: Vec<u8>) {
        let Some(id) = self.legs.get(&leg).cloned() else { return };
        let Some(session) = self.live.get_mut(&id) else { return };
        let Stage::Offered(ask) = session.stage else { return };
        session.stage = Stage::Up;
        let (call, tag) = (session.call, session.tag());
        let answer = Private::new(answer);
        self.respond(ask, Response::Opened { session: id, call, answer, tag });
        self.event(sip::Event::Established { leg, answer: None });
    }

    /// Of a call that was not taken.
    fn rejected(&mut self, leg: LegId, refusal: Refusal) {
        let Some(id) = self.legs.remove(&leg) else { return };
        let Some(session) = self.live.remove(&id) else { return };
        if let Stage::Offered(ask) = session.stage {
            self.respond(ask, Response::Refused(refusal));
        }
    }

    fn accepted(&mut self, leg: LegId, answer: Vec<u8>) {
        let Some(session) = self.of_leg(leg) else { return };
        let Stage::Reoffered(reoffer) = std::mem::replace(&mut session.stage, Stage::Up) else {
            return;
        };
        let Reoffer { ask, offer, is_restart } = *reoffer;
        if offer::ice_name(offer.reveal()) != offer::ice_name(session.offer.reveal()) {
            session.generation += 1;
            session.candidates = 0;
        }
        session.offer = offer;
        let tag = session.tag();
        let response = match is_restart {
            true => {
                Response::Restarted { fragment: Private::new(fragment::of_answer(&answer)), tag }
            }
            false => Response::Answered { answer: Private::new(answer), tag },
        };
        self.respond(ask, response);
    }

    /// The call goes on as before.
    fn not_accepted(&mut self, leg: LegId, refusal: Refusal) {
        let Some(session) = self.of_leg(leg) else { return };
        if let Stage::Reoffered(reoffer) = std::mem::replace(&mut session.stage, Stage::Up) {
            self.respond(reoffer.ask, Response::Refused(refusal));
        }
    }

    /// The leg is gone; what its page has asked is told so.
    fn end(&mut self, leg: LegId, cause: EndCause) {
        let Some(id) = self.legs.remove(&leg) else { return };
        let Some(session) = self.live.remove(&id) else { return };
        match session.stage {
            Stage::Offered(ask) => self.respond(ask, Response::Refused(Refusal::NoSuchSession)),
            Stage::Reoffered(reoffer) => {
                self.respond(reoffer.ask, Response::Refused(Refusal::NoSuchSession));
            }
            Stage::Up => {}
        }
        if let Some(call) = session.call {
            if self.ended.len() >= limits::WEBRTC_ENDED_SESSIONS {
                self.ended.pop_front();
            }
            self.ended.push_back((id, call));
        }
        self.event(sip::Event::Ended { leg, cause });
    }

    fn of_leg(&mut self, leg: LegId) -> Option<&mut Session> {
        self.legs.get(&leg).and_then(|id| self.live.get_mut(id))
    }

    fn respond(&mut self, ask: AskId, response: Response) {
        self.out.push_back(Output::Response { ask, response });
    }

    fn event(&mut self, event: sip::Event) {
        self.out.push_back(Output::Event(event));
    }
}

/// A refusal by its SIP status: one table for every way in.
fn refusal(status: u16, retry_after_s: Option<u32>, text: String) -> Refusal {
    match status {
        BAD_REQUEST => Refusal::Malformed(text),
        NOT_ACCEPTABLE_HERE => Refusal::Unacceptable(text),
        FORBIDDEN => Refusal::Forbidden,
        NOT_FOUND => Refusal::NoSuchCall,
        PENDING => Refusal::NotNow(text),
        status => Refusal::Busy { status, retry_after_s },
    }
}
