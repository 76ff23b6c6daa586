//! What a transaction is recognised by (RFC 3261 sections 17.1.3, 17.2.3 and 8.2.2.2).

use crate::sip::message::{Method, Request, Response, Via};

/// A server transaction: top branch, sent-by and method; without the cookie of RFC 3261 the fields
/// that RFC 2543 had.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerKey {
    identity: String,
    method: Method,
}

impl ServerKey {
    /// The transaction that `request` opens or repeats; an ACK's is its INVITE's. `None` without a
    /// Via, From, Call-ID and CSeq, which parsing has checked.
    pub fn of(request: &Request) -> Option<Self> {
        let method = match request.method() {
            Method::Ack => Method::Invite,
            method => method.clone(),
        };
        Self::with_method(request, method)
    }

    /// The INVITE transaction that a CANCEL is about.
    pub fn of_cancelled(cancel: &Request) -> Option<Self> {
        Self::with_method(cancel, Method::Invite)
    }

    fn with_method(request: &Request, method: Method) -> Option<Self> {
        let via = request.top_via()?;
        let identity = if via.has_unique_branch() {
            let port = via.port.unwrap_or(0);
            let host = via.host.to_string().to_ascii_lowercase();
            format!("{}\n{host}:{port}", via.branch()?)
        } else {
            rfc2543(request, &via)?
        };
        Some(Self { identity, method })
    }
}

/// The To tag is left out: the ACK to a refusal carries the tag that we gave, its INVITE none.
fn rfc2543(request: &Request, via: &Via) -> Option<String> {
    let from = request.from()?;
    let number = request.cseq()?.number;
    let call_id = request.call_id()?;
    // `received` and `rport` are ours and follow the source, which may change between copies.
    let mut via = via.clone();
    via.params.remove("received");
    via.params.remove("rport");
    let tag = from.tag().unwrap_or_default();
    Some(format!("{}\n{tag}\n{call_id}\n{number}\n{via}", request.uri()))
}

/// A client transaction: our branch, and the method, for a CANCEL shares its INVITE's branch.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientKey {
    branch: String,
    method: Method,
}

impl ClientKey {
    pub fn of_request(request: &Request) -> Option<Self> {
        let branch = request.top_via()?.branch()?.to_owned();
        Some(Self { branch, method: request.method().clone() })
    }

    pub fn of_response(response: &Response) -> Option<Self> {
        let branch = response.top_via()?.branch()?.to_owned();
        Some(Self { branch, method: response.cseq()?.method })
    }
}

/// What two copies of one request that came along different paths have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MergeKey(String);

impl MergeKey {
    /// `None` for requests inside a dialog, which are never merged.
    pub fn of(request: &Request) -> Option<Self> {
        if request.to()?.tag().is_some() {
            return None;
        }
        let from = request.from()?;
        let tag = from.tag().unwrap_or_default();
        Some(Self(format!("{tag}\n{}\n{}", request.call_id()?, request.cseq()?)))
    }
}
