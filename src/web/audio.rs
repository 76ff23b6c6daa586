//! `GET /audio/{call_id}`: the WebSocket of a call that was announced.
//!
//! The handshake (RFC 6455 section 4.2) is answered here; then the connection is taken out of the web thread and given
//! to that of the sound (`appliance::audio_legs`).

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::listener::Connection;
use super::problem::{self, Kind, Problem};
use super::routes::Interface;
use crate::appliance::audio_legs::{Door, NoEntry, Visitor};
use crate::base::{Private, limits};
use crate::websocket::{NotAttached, SUBPROTOCOL};

/// 101 for whoever shows the call's token.
#[utoipa::path(
    get,
    path = "/audio/{call_id}",
    summary = "The WebSocket of a call that was announced",
    description = "Sound in binary messages, JSON in text messages: see docs/websocket.md.",
    params(
        ("call_id" = String, Path, description = "As it was announced"),
        ("token" = Option<String>, Query, description = "As the announcement's answer has it"),
        ("resume" = Option<String>, Query, description = "Of the newest `started`, to take a call up again"),
    ),
    responses(
        (status = 101, description = "A WebSocket"),
        (status = 400, description = "The request opens no WebSocket", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "The token is wrong", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The call is over, or another connection is being opened", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn open(
    State(interface): State<Interface>,
    call_id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(Path(call_id)) = call_id else { return Err(no_such_call()) };
    let key = key(request.headers()).ok_or_else(|| {
        Problem::new(Kind::Wrong, "this is a WebSocket (RFC 6455), and the request opens none")
    })?;
    let visitor = visitor(call_id, query.as_deref().unwrap_or_default());
    interface.door.knock(visitor.clone()).await.map_err(refused)?;
    let mut fields = HeaderMap::new();
    fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    fields.insert(SEC_WEBSOCKET_ACCEPT, accept.expect("base64 is a header's value"));
    if has_word(request.headers(), &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        fields.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    tokio::spawn(hand_over(hyper::upgrade::on(request), interface.door, visitor));
    Ok((StatusCode::SWITCHING_PROTOCOLS, fields).into_response())
}

/// Waits for the end of the handshake and takes the socket out of the connection.
async fn hand_over(opened: OnUpgrade, door: Door, visitor: Visitor) {
    // A client that has gone by now has nothing to lose.
    let Ok(opened) = opened.await else { return };
    match taken_out(opened) {
        Some((tcp, read)) => door.enter(visitor, tcp, read).await,
        None => tracing::error!("a WebSocket could not be taken over"),
    }
}

fn taken_out(opened: Upgraded) -> Option<(std::net::TcpStream, Vec<u8>)> {
    let parts = downcast::<TokioIo<Connection>>(opened).ok()?;
    let tcp = parts.io.into_inner().into_tcp().ok()?;
    Some((tcp, parts.read_buf.to_vec()))
}

/// The key of a request that opens a WebSocket.
fn key(headers: &HeaderMap) -> Option<String> {
    let is_wanted = has_word(headers, &CONNECTION, "upgrade")
        && has_word(headers, &UPGRADE, "websocket")
        && has_word(headers, &SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    // 16 bytes in base64.
    (is_wanted && key.len() == 24).then(|| key.to_owned())
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

/// Tokens are hexadecimal, so nothing in them is escaped.
fn visitor(call_id: String, query: &str) -> Visitor {
    let of = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(known, _)| *known == name)?;
        let value: String = value.chars().take(limits::AUDIO_NAME_BYTES).collect();
        Some(Private::new(value))
    };
    Visitor {
        call_id: Private::new(call_id),
        token: of("token").unwrap_or_default(),
        resume: of("resume"),
    }
}

fn no_such_call() -> Problem {
    Problem::new(Kind::NotFound, "no call of this name is expected or up")
}

fn refused(why: NoEntry) -> Problem {
    match why {
        NoEntry::NoSuchCall => no_such_call(),
        NoEntry::Refused(why @ NotAttached::Forbidden) => {
            Problem::new(Kind::Forbidden, why.to_string())
        }
        NoEntry::Refused(why @ (NotAttached::InUse | NotAttached::Over)) => {
            Problem::new(Kind::Conflict, why.to_string())
        }
        NoEntry::Unavailable => {
            Problem::new(Kind::Unavailable, "the program has too much to do, or is being stopped")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn a_request_opens_a_websocket_only_if_it_says_all_of_it() {
        let whole = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(key(&headers(&whole)).as_deref(), Some("dGhlIHNhbXBsZSBub25jZQ=="));
        for missing in 0..whole.len() {
            let mut fields = whole.to_vec();
            fields.remove(missing);
            assert_eq!(key(&headers(&fields)), None, "without {}", whole[missing].0);
        }
        let mut short = whole;
        short[3].1 = "c2hvcnQ=";
        assert_eq!(key(&headers(&short)), None);
    }

    #[test]
    fn tokens_are_read_from_the_query() {
        let of = |query| {
            let visitor = visitor("a".to_owned(), query);
            let resume = visitor.resume.map(Private::into_revealed);
            (visitor.token.into_revealed(), resume)
        };
        assert_eq!(of("token=12ab"), ("12ab".to_owned(), None));
        assert_eq!(of("x=1&resume=ff&token=12"), ("12".to_owned(), Some("ff".to_owned())));
        assert_eq!(of(""), (String::new(), None));
        assert_eq!(of("token"), (String::new(), None));
        let long = format!("token={}", "a".repeat(1_000));
        assert_eq!(of(&long).0.len(), limits::AUDIO_NAME_BYTES);
    }
}
