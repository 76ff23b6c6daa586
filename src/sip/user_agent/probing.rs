//! Asking a server that no account registers with whether it is there (RFC 3261 section 11).

use std::time::Instant;

use super::compose::{SDP, retry_after_s};
use super::stack::Stack;
use crate::base::Private;
use crate::sip::message::{Method, NameAddr, Request, Response, Uri};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::{AccountId, Flow, Server, Way};

/// OPTIONS to send.
#[derive(Clone)]
pub struct Probe {
    pub account: AccountId,
    /// Where it goes.
    pub flow: Flow,
    /// Request-URI and To: the domain alone.
    pub target: Private<String>,
    pub from: Private<String>,
}

/// What a server was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// Our OPTIONS.
    Probe,
    /// A call that it did not serve.
    Call,
}

/// How a server was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has said something, this status.
    Answered {
        status: u16,
        retry_after_s: Option<u32>,
    },
    Silent,
    /// There is no way to it.
    Unreachable,
}

/// How a server of an account was found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub account: AccountId,
    pub server: Server,
    pub presence: Presence,
    pub by: FoundBy,
}

impl Presence {
    /// Of a server that a transaction had no answer of: `status` 408 or 503.
    pub(super) const fn of_unanswered(status: u16) -> Self {
        match status {
            503 => Self::Unreachable,
            _ => Self::Silent,
        }
    }

    pub(super) fn of_answer(response: &Response) -> Self {
        Self::Answered { status: response.status(), retry_after_s: retry_after_s(response) }
    }
}

impl Stack {
    pub(super) fn probe(&mut self, now: Instant, probe: &Probe) {
        let (account, server) = (probe.account, probe.flow.server());
        let contact = self.contact(probe.flow);
        let asked = options(self, (&probe.target, &probe.from), &contact);
        let sent = asked.and_then(|asked| self.request(now, asked, Way::to_peer(probe.flow), None));
        match sent {
            Some(transaction) => {
                let before = self.set_probe(transaction, (account, server));
                before.into_iter().for_each(|before| self.transactions.abandon(before));
            }
            None => self.found(account, server, Presence::Unreachable, FoundBy::Probe),
        }
    }

    /// A response to OPTIONS of ours; false if its transaction is none of these.
    pub(super) fn probe_answered(&mut self, id: TransactionId, response: &Response) -> bool {
        let Some((account, server)) = self.probe_of(id) else { return false };
        if response.is_final() {
            self.found(account, server, Presence::of_answer(response), FoundBy::Probe);
        }
        true
    }

    /// The same of one that had no answer.
    pub(super) fn probe_unanswered(&mut self, id: TransactionId, status: u16) -> bool {
        let Some((account, server)) = self.probe_of(id) else { return false };
        self.found(account, server, Presence::of_unanswered(status), FoundBy::Probe);
        true
    }

    /// The server of an account did not serve a call.
    pub(super) fn passed_over(&mut self, flow: Flow, presence: Presence) {
        if let Some(account) = flow.account {
            self.found(account, flow.server(), presence, FoundBy::Call);
        }
    }

    fn found(&mut self, account: AccountId, server: Server, presence: Presence, by: FoundBy) {
        self.presences.push_back(Found { account, server, presence, by });
    }
}

/// OPTIONS to a domain, outside of every dialog. `None` if a URI is none.
pub(super) fn options(
    stack: &mut Stack,
    (target, from): (&Private<String>, &Private<String>),
    contact: &NameAddr,
) -> Option<Request> {
    let target = Uri::parse(target.reveal())?;
    let from = NameAddr::new(Uri::parse(from.reveal())?);
    let mut options = Request::new(Method::Options, target.clone().for_request());
    options.push_header("Max-Forwards", "70");
    options.push_header("From", from.with_tag(&stack.entropy.token()).to_string());
    options.push_header("To", NameAddr::new(target).to_string());
    options.push_header("Call-ID", stack.entropy.token() + &stack.entropy.token());
    options.push_header("CSeq", "1 OPTIONS");
    options.push_header("Contact", contact.to_string());
    options.push_header("Accept", SDP);
    options.push_header("User-Agent", &stack.settings.product);
    Some(options)
}
