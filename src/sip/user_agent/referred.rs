//! A REFER of the peer's in a call, and the NOTIFYs by which it learns what came of it (RFC 3515,
//! RFC 3420, RFC 4488).
//!
//! ```text
//! REFER ─▶ Event::Referred ─ AnswerRefer 202 ─▶ NOTIFY 100 ─ NotifyRefer ─▶ NOTIFY … the final one
//!    └ no address, another scheme, maddr, one under way: refused here      └ any other: the REFER's response
//! ```
//!
//! Whether somebody is called is decided outside; outside of a call nobody is.

use std::time::Instant;

use super::api::{Event, Referral};
use super::exchange::asked_again;
use super::in_dialog::Asking;
use super::leg::{Leg, State, Up};
use super::stack::{Purpose, Stack, Use};
use crate::base::Private;
use crate::sip::message::{
    Method, NameAddr, Replaces, Request, Response, reason_phrase, response_to,
};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::Flow;

/// What a NOTIFY says of the time that is left: as long as a telephone may ring.
const SUBSCRIBED_S: u32 = 180;

/// One REFER of the peer's, until the last word about it.
pub(super) struct Referred {
    transaction: TransactionId,
    /// What its response copies.
    request: Request,
    flow: Flow,
    /// False where the peer wants no NOTIFY (RFC 4488).
    wants_news: bool,
    is_accepted: bool,
}

impl Leg {
    /// A REFER in this leg's dialog.
    pub fn referred(&mut self, now: Instant, stack: &mut Stack, asking: Asking) {
        let State::Up(up) = &mut self.state else {
            return stack.respond(now, asking.transaction, response_to(&asking.request, 403, None));
        };
        let referral = match up.referred {
            Some(_) => Err(491),
            None => referral(&asking.request),
        };
        match referral {
            Ok(referral) => {
                let Asking { request, transaction, flow } = asking;
                let refuses_news = request.header("Refer-Sub").unwrap_or_default();
                let refuses_news = refuses_news.split(';').next().unwrap_or_default().trim();
                let wants_news = !refuses_news.eq_ignore_ascii_case("false");
                let is_accepted = false;
                up.referred =
                    Some(Referred { transaction, request, flow, wants_news, is_accepted });
                stack.event(Event::Referred { leg: self.id, referral: Box::new(referral) });
            }
            Err(status) => {
                let refusal = response_to(&asking.request, status, None);
                stack.respond(now, asking.transaction, refusal);
            }
        }
    }

    /// What is answered to the REFER: 202, or a refusal.
    pub fn answer_refer(&mut self, now: Instant, stack: &mut Stack, status: u16) {
        let State::Up(up) = &mut self.state else { return };
        let Some(referred) = up.referred.as_mut().filter(|referred| !referred.is_accepted) else {
            return;
        };
        let mut response = response_to(&referred.request, status.clamp(200, 699), None);
        if !response.is_success() {
            let transaction = referred.transaction;
            up.referred = None;
            return stack.respond(now, transaction, response);
        }
        referred.is_accepted = true;
        stack.introduce(&mut response, referred.flow);
        if !referred.wants_news {
            response.push_header("Refer-Sub", "false");
        }
        stack.respond(now, referred.transaction, response);
        self.notify_refer(now, stack, 100);
    }

    /// Tells the peer how far the call is that it wanted; a final status is the last word.
    pub fn notify_refer(&mut self, now: Instant, stack: &mut Stack, status: u16) {
        let State::Up(up) = &mut self.state else { return };
        let Some(referred) = up.referred.as_ref().filter(|referred| referred.is_accepted) else {
            return;
        };
        let is_final = status >= 200;
        let wants_news = referred.wants_news;
        let number = referred.request.cseq().map_or(0, |cseq| cseq.number);
        if is_final {
            up.referred = None;
        }
        if wants_news {
            let (request, way) = notify(up, stack, number, status);
            if let Some(authentication) = &mut self.authentication {
                authentication.begin_request();
            }
            let serves = Use { leg: self.id, purpose: Purpose::Notify };
            // Whether it arrives changes nothing about the call.
            let _ = stack.request(now, request, way, Some(serves));
        }
    }

    /// A final response to a NOTIFY of ours: a challenge is answered; with 481 nobody there wants to hear more
    /// (RFC 6665 section 4.2.2).
    pub fn notify_answered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        transaction: TransactionId,
        response: &Response,
    ) {
        let State::Up(up) = &mut self.state else { return };
        match response.status() {
            401 | 407 => {
                let authentication = self.authentication.as_mut();
                let again =
                    asked_again(stack, &mut up.dialog, authentication, transaction, response);
                if let Some((notify, way)) = again {
                    let serves = Use { leg: self.id, purpose: Purpose::Notify };
                    stack.request(now, notify, way, Some(serves));
                }
            }
            481 => up.referred.iter_mut().for_each(|referred| referred.wants_news = false),
            _ => {}
        }
    }
}

fn notify(
    up: &mut Up,
    stack: &mut Stack,
    number: u32,
    status: u16,
) -> (Request, crate::sip::transport::Way) {
    let (mut request, way) = stack.in_dialog(&mut up.dialog, Method::Notify);
    stack.introduce(&mut request, way.flow);
    request.push_header("Event", format!("refer;id={number}"));
    let state = match status {
        200.. => "terminated;reason=noresource".to_owned(),
        _ => format!("active;expires={SUBSCRIBED_S}"),
    };
    request.push_header("Subscription-State", state);
    let fragment = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
    request.set_body("message/sipfrag;version=2.0", fragment);
    (request, way)
}

/// Whom a REFER names; the status of the refusal where it names nobody whom we could call.
fn referral(refer: &Request) -> Result<Referral, u16> {
    let mut values = refer.headers("Refer-To");
    let (Some(value), None) = (values.next(), values.next()) else { return Err(400) };
    let uri = NameAddr::parse(value).ok_or(400_u16)?.uri;
    if !uri.is_sip() && uri.scheme() != "tel" {
        return Err(416);
    }
    // It would lead elsewhere than the host that is read.
    if uri.param("maddr").is_some() {
        return Err(403);
    }
    // Anything but a call is asked of somebody else.
    let wants_call = uri.param("method").is_none_or(|m| m.eq_ignore_ascii_case("INVITE"));
    if !wants_call {
        return Err(603);
    }
    let replaces = match uri.headers().filter(|headers| names_replaces(headers)) {
        Some(headers) => Some(Replaces::of_uri_headers(headers).ok_or(400_u16)?.to_string()),
        None => None,
    };
    let referred_by = refer.header("Referred-By").map(str::to_owned);
    Ok(Referral {
        to: Private::new(uri.for_request().to_string()),
        replaces: Private::new(replaces),
        referred_by: Private::new(referred_by),
    })
}

fn names_replaces(headers: &str) -> bool {
    let mut names = headers.split('&').map(|header| header.split('=').next().unwrap_or_default());
    names.any(|name| name.eq_ignore_ascii_case("Replaces"))
}
