//! Events of the stand-in: its WebSocket gateway, and deliveries to whoever has subscribed.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

use super::message::param;
use super::stand_in::{Delivery, Listener, State, Subscription};

/// Sends an event to all who want those of this extension, as the test wants it delivered.
pub fn deliver(state: &mut State, extension: usize, event: &Value) {
    if state.faults.delivery == Delivery::Held {
        return state.held.push((extension, event.clone()));
    }
    let before = state.last_event.replace((extension, event.clone()));
    post(state, extension, event);
    if state.faults.delivery == Delivery::Disordered {
        post(state, extension, event);
        if let Some((whose, before)) = before {
            post(state, whose, &before);
        }
    }
}

fn post(state: &mut State, extension: usize, event: &Value) {
    let code = event["body"]["parties"][0]["status"]["code"].as_str().unwrap_or_default();
    let number = state.extensions[extension].number;
    state.note(format!("EVENT {number} {code} {}", event["body"]["sequence"]));
    let wants = |one: &&Subscription| one.extension == extension && !one.is_blacklisted;
    let State { subscriptions, gateways, missed, .. } = state;
    for subscription in subscriptions.iter().filter(wants) {
        match &subscription.listener {
            Listener::Gateway(name) => {
                let frame = json!([{ "type": "ServerNotification", "status": 200 }, event]);
                match gateways.get(name) {
                    Some(to) => drop(to.send(frame.to_string())),
                    None => missed.entry(name.clone()).or_default().push(frame.to_string()),
                }
            }
            Listener::Hook { address, word } => {
                let (address, word, event) = (address.clone(), word.clone(), event.to_string());
                std::thread::spawn(move || {
                    let sent = ureq::post(&address)
                        .header("Content-Type", "application/json; charset=UTF-8")
                        .header("Verification-Token", &word)
                        .send(event);
                    drop(sent);
                });
            }
        }
    }
}

pub async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(talk(stream, state));
    }
}

async fn talk(stream: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    let mut query = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let read = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        query = request.uri().query().unwrap_or_default().replace('&', ";");
        let mut state = state.lock().unwrap();
        if state.faults.gateway_refusals == 0 {
            return Ok(response);
        }
        state.faults.gateway_refusals -= 1;
        state.note("GATEWAY 429");
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        refusal.headers_mut().insert("Retry-After", HeaderValue::from_static("4"));
        Err(refusal)
    };
    let mut socket = accept_hdr_async(stream, read).await.ok()?;
    let token = param(&query, "access_token")?;
    let before = param(&query, "wsc");
    let (sender, mut events) = mpsc::unbounded_channel();
    let (extension, id, details) = {
        let mut state = state.lock().unwrap();
        // It is for one connection.
        let (extension, _) = state.tokens.remove(&token)?;
        let is_known = |id: &String| {
            let is_its = |one: &Subscription| one.id == *id && one.extension == extension;
            state.subscriptions.iter().any(is_its) && !state.faults.forgets
        };
        let known = before.clone().filter(is_known);
        let is_known = known.is_some();
        let id = known.unwrap_or_else(|| format!("gateway-{token}"));
        let mut details = json!({ "recoveryBufferSize": 100, "recoveryTimeout": 180 });
        if before.is_some() {
            let outcome = if is_known { "Successful" } else { "Failed" };
            details["recoveryState"] = outcome.into();
            state.note(format!("GATEWAY recovery {outcome}"));
        } else {
            state.note("GATEWAY without recovery");
        }
        if !is_known {
            // One connection, one subscription: what it was before is nobody's.
            state.subscriptions.retain(|one| Some(&one.id) != before.as_ref());
        }
        for frame in state.missed.remove(&id).unwrap_or_default() {
            let _ = sender.send(frame);
        }
        state.gateways.insert(id.clone(), sender);
        (extension, id, details)
    };
    let details = json!([
        { "type": "ConnectionDetails", "messageId": "1", "status": 200,
          "wsc": { "token": id, "sequence": 1 } },
        details,
    ]);
    socket.send(Frame::text(details.to_string())).await.ok()?;
    loop {
        let text = tokio::select! {
            event = events.recv() => {
                socket.send(Frame::text(event?)).await.ok()?;
                continue;
            }
            frame = socket.next() => match frame {
                Some(Ok(Frame::Text(text))) => text,
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => continue,
                _ => break,
            },
        };
        let frame: Value = serde_json::from_str(text.as_str()).ok()?;
        let meta = &frame[0];
        let answer = match meta["type"].as_str()? {
            "ClientRequest" if meta["path"] == "/restapi/v1.0/subscription/" => {
                let mut state = state.lock().unwrap();
                state.note("SUBSCRIBED by gateway");
                let listener = Listener::Gateway(id.clone());
                let (id, is_blacklisted) = (id.clone(), false);
                let one = Subscription { id: id.clone(), extension, listener, is_blacklisted };
                state.subscriptions.retain(|other| other.id != id);
                state.subscriptions.push(one);
                json!([{ "type": "ClientRequest", "messageId": meta["messageId"], "status": 200 },
                       { "id": id, "status": "Active" }])
            }
            "Heartbeat" => frame.clone(),
            _ => json!([{ "type": "Error", "messageId": meta["messageId"], "status": 404 }, {}]),
        };
        socket.send(Frame::text(answer.to_string())).await.ok()?;
    }
    // What comes meanwhile is kept for whoever takes its place.
    state.lock().unwrap().gateways.remove(&id);
    Some(())
}
