//! The REST interface of the stand-in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::sessions;
use super::stand_in::{DOMAIN, Faults, Listener, State, Subscription};

type All = Arc<Mutex<State>>;

pub fn router(state: All) -> Router {
    Router::new().fallback(serve).with_state(state)
}

fn refusal(status: u16, code: &str) -> Response {
    let body =
        json!({ "errorCode": code, "message": "refused", "errors": [{ "errorCode": code }] });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

/// The refusal where the application or its user lacks a permission.
fn lacks(state: &State, permission: &str) -> Option<Response> {
    let Faults { denied, denied_to_user, .. } = &state.faults;
    let code = match (denied.contains(permission), denied_to_user.contains(permission)) {
        (true, _) => "CMN-401",
        (false, true) => "CMN-408",
        (false, false) => return None,
    };
    let body = json!({
        "errorCode": "InsufficientPermissions", "permissionName": permission,
        "errors": [{ "errorCode": code, "permissionName": permission }],
    });
    Some((StatusCode::FORBIDDEN, Json(body)).into_response())
}

async fn serve(Shared(state): Shared<All>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let headers = request.headers().clone();
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 20).await else {
        return refusal(400, "CMN-101");
    };
    let extension = {
        let mut state = state.lock().unwrap();
        state.note(format!("{method} {path}"));
        let is_next = state.faults.refusals.front().is_some_and(|(end, ..)| path.ends_with(end));
        if is_next && let Some((_, status, retry_after)) = state.faults.refusals.pop_front() {
            let mut response = refusal(status, "CMN-301");
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            return response;
        }
        match path.as_str() {
            "/restapi/oauth/token" => return token(&mut state, &headers, &body),
            "/restapi/oauth/revoke" => return StatusCode::OK.into_response(),
            _ => (),
        }
        let bearer = text(&headers, "authorization").strip_prefix("Bearer ").unwrap_or_default();
        let known = state.tokens.get(bearer).filter(|(_, until)| *until > Instant::now());
        match known {
            Some((extension, _)) => *extension,
            None => return refusal(401, "TokenInvalid"),
        }
    };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["restapi", "v1.0", "client-info", "sip-provision"] => provision(&state, extension),
        ["restapi", "v1.0", "account", "~", "extension", "~", "device"] => {
            devices(&state, extension)
        }
        ["restapi", "v1.0", "account", "~", "device", id, "sip-info"] => {
            device(&state, extension, id)
        }
        ["restapi", "oauth", "wstoken"] => gateway_token(&state, extension),
        ["restapi", "v1.0", "subscription", rest @ ..] => {
            subscription(state, extension, (&method, rest), &body).await
        }
        ["restapi", "v1.0", "account", "~", "telephony", "sessions", session] => {
            control(&state, session, None, "drop", &Value::Null)
        }
        [
            "restapi",
            "v1.0",
            "account",
            "~",
            "telephony",
            "sessions",
            session,
            "parties",
            party,
            name,
        ] => {
            let body = serde_json::from_slice(&body).unwrap_or_default();
            control(&state, session, Some(party), name, &body)
        }
        _ => refusal(404, "CMN-120"),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Of a form; the values that are used here need no decoding but the type of the grant.
fn form(body: &Bytes) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.replace("%3A", ":"))).collect()
}

/// `box:hush` by Basic; a refresh token is for one use.
fn token(state: &mut State, headers: &HeaderMap, body: &Bytes) -> Response {
    if text(headers, "authorization") != "Basic Ym94Omh1c2g=" {
        return refusal(401, "OAU-146");
    }
    let form = form(body);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let extension = match field("grant_type") {
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            state.extensions.iter().position(|e| e.jwt == field("assertion"))
        }
        "refresh_token" => state.refresh_tokens.remove(field("refresh_token")),
        _ => None,
    };
    let Some(extension) = extension else { return refusal(400, "invalid_grant") };
    let number = state.fresh();
    let seconds = state.faults.token_ttl_s.unwrap_or(3_600);
    let until = Instant::now() + Duration::from_secs(seconds);
    state.tokens.insert(format!("access-{number}"), (extension, until));
    state.refresh_tokens.insert(format!("refresh-{number}"), extension);
    Json(json!({
        "access_token": format!("access-{number}"), "token_type": "bearer",
        "expires_in": seconds, "scope": "VoipCalling", "owner_id": "1",
        "refresh_token": format!("refresh-{number}"), "refresh_token_expires_in": 604_800,
    }))
    .into_response()
}

fn provision(state: &All, extension: usize) -> Response {
    let state = state.lock().unwrap();
    let [first, backup] = &state.proxies;
    let answer = || Json(provisioned(&state, extension, (first, backup))).into_response();
    lacks(&state, "VoipCalling").unwrap_or_else(answer)
}

/// The devices of an extension, one of which tells what it registers with.
fn devices(state: &All, extension: usize) -> Response {
    let state = state.lock().unwrap();
    let device = state.extensions[extension].device.clone();
    let records =
        json!([{ "id": "1", "type": "HardPhone" }, { "id": device, "type": "OtherPhone" }]);
    Json(json!({ "records": records })).into_response()
}

fn device(state: &All, extension: usize, id: &str) -> Response {
    let state = state.lock().unwrap();
    let who = &state.extensions[extension];
    if who.device != id {
        return refusal(404, "CMN-102");
    }
    Json(json!({
        "domain": DOMAIN, "userName": who.username, "password": who.password,
        "authorizationId": who.authorization_id,
        "outboundProxies": [{ "region": "NA", "proxy": "127.0.0.1:9", "proxyTLS": state.tls_sip }],
    }))
    .into_response()
}

/// What is answered to `sip-provision`, with these proxies.
pub fn provisioned(state: &State, extension: usize, (first, backup): (&str, &str)) -> Value {
    let who = &state.extensions[extension];
    let mut answer = json!({
        "device": { "id": who.device, "type": "WebPhone", "status": "Online" },
        "sipInfo": [{
            "username": who.username, "password": who.password,
            "authorizationTypes": ["SipDigest", "BearerToken"],
            "authorizationId": who.authorization_id, "domain": DOMAIN,
            "outboundProxy": first, "outboundProxyBackup": backup,
            "transport": "WSS", "stunServers": [],
        }],
        "sipFlags": { "voipFeatureEnabled": true, "outboundCallsEnabled": true },
    });
    if let Some(seconds) = state.faults.switch_back_s {
        answer["sipInfo"][0]["switchBackInterval"] = seconds.into();
    }
    answer
}

fn gateway_token(state: &All, extension: usize) -> Response {
    let mut state = state.lock().unwrap();
    if let Some(refusal) = lacks(&state, "WebSocketsSubscription") {
        return refusal;
    }
    let token = format!("gate-{}", state.fresh());
    let until = Instant::now() + Duration::from_secs(30);
    state.tokens.insert(token.clone(), (extension, until));
    let uri = state.gateway.clone();
    Json(json!({ "uri": uri, "ws_access_token": token, "expires_in": 30 })).into_response()
}

fn shown(one: &Subscription, seconds: Option<u64>) -> Value {
    let status = if one.is_blacklisted { "Blacklisted" } else { "Active" };
    let address = match &one.listener {
        Listener::Hook { address, .. } => address.as_str(),
        Listener::Gateway(_) => "",
    };
    json!({ "id": one.id, "status": status, "expiresIn": seconds.unwrap_or(604_800),
            "deliveryMode": { "transportType": "WebHook", "address": address } })
}

async fn subscription(
    state: All,
    extension: usize,
    (method, rest): (&Method, &[&str]),
    body: &Bytes,
) -> Response {
    if (method, rest) == (&Method::POST, &[]) {
        return subscribe(state, extension, body).await;
    }
    let mut state = state.lock().unwrap();
    let seconds = state.faults.subscription_s;
    match (method.as_str(), rest) {
        ("GET", []) => {
            let own = state.subscriptions.iter().filter(|one| one.extension == extension);
            let own: Vec<Value> = own.map(|one| shown(one, seconds)).collect();
            Json(json!({ "records": own })).into_response()
        }
        ("DELETE", [id]) => {
            state.subscriptions.retain(|one| one.id != *id);
            StatusCode::NO_CONTENT.into_response()
        }
        ("GET", [id]) | ("POST", [id, "renew"]) => {
            match state.subscriptions.iter().find(|one| one.id == *id) {
                Some(one) => Json(shown(one, seconds)).into_response(),
                None => refusal(404, "SUB-507"),
            }
        }
        _ => refusal(404, "CMN-120"),
    }
}

/// The address must show within three seconds that it is asked for events.
async fn subscribe(state: All, extension: usize, body: &Bytes) -> Response {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let mode = &body["deliveryMode"];
    let field = |name: &str| mode[name].as_str().unwrap_or_default().to_owned();
    let (address, word) = (field("address"), field("verificationToken"));
    let asked = address.clone();
    let echoed = tokio::task::spawn_blocking(move || {
        let agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(3)));
        let agent: ureq::Agent = agent.build().into();
        let answer = agent.post(&asked).header("Validation-Token", "prove it").send_empty().ok()?;
        let echo = answer.headers().get("Validation-Token")?.to_str().ok()? == "prove it";
        Some(echo && answer.status() == 200)
    });
    let is_valid = echoed.await.ok().flatten().unwrap_or_default();
    let mut state = state.lock().unwrap();
    state.note(format!("HANDSHAKE {is_valid}"));
    if !is_valid {
        return refusal(400, "SUB-522");
    }
    let id = format!("hook-{}", state.fresh());
    let listener = Listener::Hook { address, word };
    let is_blacklisted = state.faults.blacklists;
    let one = Subscription { id, extension, listener, is_blacklisted };
    let answer = shown(&one, state.faults.subscription_s);
    state.subscriptions.push(one);
    Json(answer).into_response()
}

fn control(
    state: &All,
    session: &str,
    party: Option<&str>,
    action: &str,
    body: &Value,
) -> Response {
    let mut state = state.lock().unwrap();
    if let Some(refusal) = lacks(&state, "CallControl") {
        return refusal;
    }
    state.note(format!("CONTROL {action} {body}"));
    let found = find(&mut state, session, party);
    let Some(at) = found else { return refusal(404, "CMN-102") };
    if action == "drop" {
        sessions::drop_all(&mut state, at);
        return (StatusCode::NO_CONTENT, Body::empty()).into_response();
    }
    match sessions::act(&mut state, at, action, body) {
        Err((status, code)) => refusal(status, code),
        Ok(()) if action == "reject" => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => Json(json!({ "id": party })).into_response(),
    }
}

fn find(state: &mut MutexGuard<'_, State>, session: &str, party: Option<&str>) -> Option<usize> {
    state.calls.iter().position(|call| {
        let parties = [call.party(true), call.party(false)];
        !call.is_over
            && call.session() == session
            && party.is_none_or(|party| parties.iter().any(|known| known == party))
    })
}
