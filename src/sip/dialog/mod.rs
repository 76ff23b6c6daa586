//! Dialogs (RFC 3261 section 12): what two ends of a call have agreed on about reaching each other.
//!
//! A [`Dialog`] builds the requests of this end and judges those of the other: identity, order and
//! source. It is made from an INVITE by the callee and from a response by the caller.
//!
//! Who may speak in a dialog: a request needs the Call-ID and both tags, and must come from an
//! address that has a part in the dialog: the one its INVITE or response came from, the one that
//! our own requests go to (first Route, or remote target), or the peer's Contact. Ports may
//! change (a NAT rebinds, a stream is made anew), addresses may not.

pub mod table;

use std::net::{IpAddr, SocketAddr};

use crate::base::address::is_private;
use crate::sip::message::{Host, Method, NameAddr, Params, Replaces, Request, Response, Uri, Via};
use crate::sip::transport::{Flow, Transport, Way};

pub use table::DialogTable;

/// Call-ID and the two tags, seen from this end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DialogId {
    call_id: String,
    local_tag: String,
    /// Empty for a peer of RFC 2543, which gave none.
    remote_tag: String,
}

impl DialogId {
    /// The dialog that a request received belongs to; `None` if it has no To tag.
    pub fn of_request(request: &Request) -> Option<Self> {
        let local_tag = request.to()?.tag()?.to_owned();
        let remote_tag = request.from()?.tag().unwrap_or_default().to_owned();
        Some(Self { call_id: request.call_id()?.to_owned(), local_tag, remote_tag })
    }

    /// The dialog that a response received belongs to.
    pub fn of_response(response: &Response) -> Option<Self> {
        let local_tag = response.from()?.tag()?.to_owned();
        let remote_tag = response.to()?.tag().unwrap_or_default().to_owned();
        Some(Self { call_id: response.call_id()?.to_owned(), local_tag, remote_tag })
    }

    /// The dialog of ours that somebody wants to replace (RFC 3891 section 3).
    pub fn of_replaces(replaces: &Replaces) -> Self {
        Self {
            call_id: replaces.call_id.clone(),
            local_tag: replaces.to_tag.clone(),
            // Section 6.1: zero stands for the tag that a peer of RFC 2543 has not given.
            remote_tag: replaces.from_tag.clone(),
        }
    }

    pub fn remote_tag(&self) -> &str {
        &self.remote_tag
    }
}

/// Who began the dialog: it decides the waiting time after a glare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Caller,
    Callee,
}

/// A request in a dialog came with a CSeq that is not above the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder;

/// One dialog, early or confirmed.
#[derive(Clone)]
pub struct Dialog {
    id: DialogId,
    role: Role,
    local: NameAddr,
    remote: NameAddr,
    local_seq: u32,
    remote_seq: Option<u32>,
    /// In the order in which our requests pass them.
    route_set: Vec<NameAddr>,
    remote_target: Uri,
    /// What the dialog was made over.
    flow: Flow,
    /// The peer's Contact is not where its messages come from, and no proxy stands between: a NAT.
    is_behind_nat: bool,
}

impl Dialog {
    /// The callee's side, from an INVITE and the tag that we give. `None` if the INVITE was not parsed.
    pub fn of_callee(invite: &Request, local_tag: &str, flow: Flow) -> Option<Self> {
        let (local, remote) = (invite.to()?.with_tag(local_tag), invite.from()?);
        // A caller of RFC 2543 need not give a Contact.
        let remote_target = contact(&invite.contacts()).unwrap_or_else(|| remote.uri.clone());
        let route_set = invite.record_routes();
        let sent_by = invite.top_via().and_then(|via| via.host.ip());
        let is_behind_nat =
            route_set.is_empty() && sent_by.is_some_and(|host| host != flow.peer.ip());
        let id = DialogId {
            call_id: invite.call_id()?.to_owned(),
            local_tag: local_tag.to_owned(),
            remote_tag: remote.tag().unwrap_or_default().to_owned(),
        };
        Some(Self {
            id,
            role: Role::Callee,
            local,
            remote,
            local_seq: 0,
            remote_seq: Some(invite.cseq()?.number),
            route_set,
            remote_target,
            flow,
            is_behind_nat,
        })
    }

    /// The caller's side, from the INVITE and a response to it that has a To tag. A response
    /// without Contact leaves the INVITE's target.
    pub fn of_caller(invite: &Request, response: &Response, flow: Flow) -> Option<Self> {
        let id = DialogId::of_response(response)?;
        let mut route_set = response.record_routes();
        route_set.reverse();
        let target = contact(&response.contacts()).unwrap_or_else(|| invite.uri().clone());
        Some(Self {
            id,
            role: Role::Caller,
            local: invite.from()?,
            remote: response.to()?,
            local_seq: invite.cseq()?.number,
            remote_seq: None,
            route_set,
            remote_target: target,
            flow,
            is_behind_nat: false,
        })
    }

    pub fn id(&self) -> &DialogId {
        &self.id
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn local_tag(&self) -> &str {
        &self.id.local_tag
    }

    /// This end's address, without its tag.
    pub fn local_address(&self) -> String {
        NameAddr::new(self.local.uri.clone()).to_string()
    }

    /// Where the peer belongs: the host of its address, or that of its Contact if it hides that
    /// (RFC 3323 section 4.1.1.3).
    pub fn remote_domain(&self) -> Option<Host> {
        let is_hidden = |host: &&Host| host.to_string().to_ascii_lowercase().ends_with(".invalid");
        let of_address = self.remote.uri.host().filter(|host| !is_hidden(host));
        of_address.or_else(|| self.remote_target.host()).cloned()
    }

    /// What makes the peer let somebody else into our place in this dialog (RFC 5589 section 7): its
    /// address with the dialog as Replaces. Behind proxies that is the address that they route, since
    /// nobody else may reach its Contact.
    pub fn address_to_replace(&self) -> Option<Uri> {
        let is_proxied = !self.route_set.is_empty();
        let uri = if is_proxied { &self.remote.uri } else { &self.remote_target };
        let replaces = Replaces {
            call_id: self.id.call_id.clone(),
            to_tag: self.id.remote_tag.clone(),
            from_tag: self.id.local_tag.clone(),
            is_early_only: false,
        };
        let uri = uri.clone().for_request();
        Uri::parse(&format!("{uri}?{}", replaces.in_uri())).filter(Uri::is_sip)
    }

    /// The flow that the dialog was made over.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// A request in this dialog with the next CSeq, without Via.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_seq = self.local_seq.wrapping_add(1);
        self.request_with(method, self.local_seq)
    }

    /// The ACK for a 2xx to the INVITE with this CSeq number, without Via.
    pub fn ack(&self, invite_seq: u32) -> Request {
        self.request_with(Method::Ack, invite_seq)
    }

    fn request_with(&self, method: Method, number: u32) -> Request {
        let (uri, routes) = self.routing();
        let mut request = Request::new(method.clone(), uri);
        request.push_header("Max-Forwards", "70");
        for route in routes {
            request.push_header("Route", route);
        }
        request.push_header("From", self.local.to_string());
        request.push_header("To", self.remote.to_string());
        request.push_header("Call-ID", &self.id.call_id);
        request.push_header("CSeq", format!("{number} {method}"));
        request
    }

    /// Request-URI and Route (section 12.2.1.1): a strict router gets its own URI as Request-URI,
    /// the remote target goes to the end.
    fn routing(&self) -> (Uri, Vec<String>) {
        let target = self.remote_target.clone().for_request();
        match self.route_set.split_first() {
            None => (target, Vec::new()),
            Some((first, _)) if first.uri.is_loose_router() => {
                (target, self.route_set.iter().map(NameAddr::to_string).collect())
            }
            Some((first, rest)) => {
                let mut routes: Vec<_> = rest.iter().map(NameAddr::to_string).collect();
                routes.push(NameAddr::new(target).to_string());
                (first.uri.clone().for_request(), routes)
            }
        }
    }

    /// Where requests go: the first Route or the remote target if it names an address, else back
    /// the way the dialog was made; so too for a peer behind a NAT.
    pub fn way(&self) -> Way {
        let next = self.route_set.first().map_or(&self.remote_target, |route| &route.uri);
        let along = Way::to_peer(self.flow);
        if self.flow.transport.is_websocket() {
            // Its server is the proxy for everything (RFC 7118 section 5).
            return along;
        }
        let hidden = |address: &IpAddr| {
            self.is_behind_nat || is_hidden(*address) && !is_hidden(self.flow.peer.ip())
        };
        let Some(address) = address_of(next).filter(|address| !hidden(address)) else {
            return along;
        };
        let transport = next.transport().and_then(Transport::from_token);
        let transport = transport.unwrap_or(self.flow.transport);
        let same_family = address.is_ipv4() == self.flow.local.is_ipv4();
        if transport != self.flow.transport || !same_family {
            return along;
        }
        let peer = SocketAddr::new(address, next.port().unwrap_or(transport.default_port()));
        if transport.is_reliable() && address == self.flow.peer.ip() {
            return Way { flow: self.flow, reconnect: peer };
        }
        let connection = self.flow.connection.filter(|_| peer == self.flow.peer);
        Way { flow: Flow { peer, connection, ..self.flow }, reconnect: peer }
    }

    /// Whether a request may come from this address; see the file's head.
    pub fn may_come_from(&self, source: IpAddr) -> bool {
        let route = self.route_set.first().and_then(|route| address_of(&route.uri));
        let target = address_of(&self.remote_target);
        [Some(self.flow.peer.ip()), route, target]
            .into_iter()
            .flatten()
            .any(|address| address.to_canonical() == source.to_canonical())
    }

    /// Takes the CSeq of a new request (section 12.2.2). Gaps are allowed.
    ///
    /// # Errors
    /// [`OutOfOrder`] if it is not above the last one.
    pub fn take_remote_seq(&mut self, number: u32) -> Result<(), OutOfOrder> {
        if !self.expects(number) {
            return Err(OutOfOrder);
        }
        self.remote_seq = Some(number);
        Ok(())
    }

    /// Whether a request with this CSeq number is in order.
    pub fn expects(&self, number: u32) -> bool {
        self.remote_seq.is_none_or(|last| number > last)
    }

    /// A target refresh: the peer's new Contact, and the flow that it now uses.
    pub fn refresh(&mut self, contacts: &[NameAddr], flow: Option<Flow>) {
        if let Some(target) = contact(contacts) {
            self.remote_target = target;
        }
        if let Some(flow) = flow {
            self.flow = flow;
        }
    }

    /// A 2xx may name another route set than the 1xx before it (section 13.2.2.4).
    pub fn confirm(&mut self, response: &Response, flow: Flow) {
        self.route_set = response.record_routes();
        self.route_set.reverse();
        self.refresh(&response.contacts(), Some(flow));
    }
}

fn contact(contacts: &[NameAddr]) -> Option<Uri> {
    contacts.first().map(|contact| contact.uri.clone()).filter(Uri::is_sip)
}

/// The address in a URI; names are not resolved here.
fn address_of(uri: &Uri) -> Option<IpAddr> {
    let maddr = uri.param("maddr").and_then(|address| address.parse().ok());
    maddr.or_else(|| uri.host().and_then(crate::sip::message::Host::ip))
}

/// Nobody outside its network reaches it, or nobody at all.
fn is_hidden(address: IpAddr) -> bool {
    is_private(address) || address.to_canonical().is_unspecified()
}

/// Our Via for a request along `flow`.
pub fn via(flow: Flow, branch: &str) -> Via {
    let host = flow.local.ip().into();
    let mut via = Via::new(flow.transport.via_token(), host, listening_port(flow), branch);
    via.ask_rport();
    via
}

/// Port 0 stands for a stream of which we accept no others: it is reached as long as it is open.
fn listening_port(flow: Flow) -> Option<u16> {
    Some(flow.local.port()).filter(|port| *port != 0)
}

/// Our Contact on `flow`.
pub fn contact_for(flow: Flow, user: &str) -> NameAddr {
    let uri = Uri::sip(Some(user), flow.local.ip().into(), listening_port(flow));
    let uri = match flow.transport {
        Transport::Udp => uri,
        // RFC 7118 section 5.5 knows one word for both.
        Transport::Wss => uri.with_param("transport", Some(Transport::Ws.uri_token())),
        transport => uri.with_param("transport", Some(transport.uri_token())),
    };
    NameAddr { display: None, uri, params: Params::default() }
}

#[cfg(test)]
mod tests;
