//! `POST /api/tickets`: a ticket for a WebSocket or an event stream of a browser.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Caller, Source, TICKET_S, TooMany};
use super::problem::{Kind, Problem};
use super::routes::{Interface, json_with};

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticket {
    /// Goes into the address, as in `/api/events?ticket=...`, once.
    ticket: String,
    expires_in_s: u32,
}

/// 201 with a ticket that is good for what the token is good for.
#[utoipa::path(
    post,
    path = "/api/tickets",
    summary = "A ticket for a WebSocket or an event stream",
    description = "Good once, for 30 s, and for what the token is good for: it goes into an address where no header \
        field can be set, as in /api/events?ticket=...",
    responses((status = 201, description = "A ticket", body = Ticket))
)]
pub(super) async fn issue(
    caller: Caller,
    source: Source,
    State(Interface { gate, .. }): State<Interface>,
) -> Result<Response, Problem> {
    let ticket = gate.issue_ticket(caller, source).map_err(|whose| {
        let (kind, text) = match whose {
            TooMany::All => (Kind::Unavailable, "too many tickets are out"),
            TooMany::Token => (Kind::TooOften, "too many tickets of this token are out"),
            TooMany::Address => (Kind::TooOften, "too many tickets of this address are out"),
        };
        Problem::new(kind, text).retry_after(TICKET_S)
    })?;
    let ticket = Ticket { ticket: ticket.into_revealed(), expires_in_s: TICKET_S };
    Ok(json_with(StatusCode::CREATED, &ticket))
}
