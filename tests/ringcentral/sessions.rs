//! The telephony sessions of the stand-in: what is told of them, and what Call Control does to them.

use serde_json::json;

use super::calls::{self, Leg};
use super::gateway;
use super::message::Message;
use super::stand_in::State;

/// Tells both users of their parties.
pub fn tell(state: &mut State, at: usize, code: &str, reason: &str) {
    tell_of(state, at, &[true, false], (code, reason));
}

/// Tells whom it goes to of theirs.
pub fn tell_called(state: &mut State, at: usize, code: &str, reason: &str) {
    tell_of(state, at, &[false], (code, reason));
}

/// `whose`: of the caller's party, or of the called one's.
fn tell_of(state: &mut State, at: usize, whose: &[bool], (code, reason): (&str, &str)) {
    state.calls[at].sequence += 1;
    let call = state.calls[at].clone();
    let caller = state.extensions[call.caller.extension].clone();
    let called = state.extension_called(&call.called);
    for is_caller in whose.iter().copied() {
        let extension = if is_caller { Some(call.caller.extension) } else { called };
        let Some(extension) = extension else { continue };
        let event = json!({
            "uuid": format!("{}-{}", call.id, call.sequence),
            "event": "/restapi/v1.0/account/1/extension/2/telephony/sessions",
            "body": {
                "sequence": call.sequence,
                "telephonySessionId": call.session(),
                "parties": [{
                    "id": call.party(is_caller),
                    "direction": if is_caller { "Outbound" } else { "Inbound" },
                    "from": { "phoneNumber": format!("+{}", caller.phone) },
                    "to": { "phoneNumber": call.called },
                    "status": { "code": code, "reason": reason },
                }],
            },
        });
        if code == "Answered" && state.faults.holds_answered {
            state.held.push((extension, event));
        } else {
            gateway::deliver(state, extension, &event);
        }
    }
}

pub fn over(state: &mut State, at: usize, reason: &str) {
    state.calls[at].is_over = true;
    tell(state, at, "Disconnected", reason);
}

/// Nobody has answered, and nobody will.
pub fn give_up(state: &mut State, at: usize, reason: &str) {
    if state.calls[at].is_over {
        return;
    }
    let caller = state.calls[at].caller.clone();
    if !caller.is_answered {
        state.send(caller.line, &caller.invite.response("480 Temporarily Unavailable", "none"));
    }
    over(state, at, reason);
}

/// A mailbox has it: its caller is told so by events, and by no sound.
pub fn to_mailbox(state: &mut State, at: usize) {
    tell(state, at, "VoiceMail", "");
    let number =
        state.extension_called(&state.calls[at].called).map(|at| state.extensions[at].number);
    state.note(format!("MAILBOX of {}", number.unwrap_or("nobody")));
    give_up(state, at, "Voicemail");
}

/// It goes to somebody else, as another party. False: there is nobody.
pub fn moved(state: &mut State, at: usize, reason: &str, to: &str) -> bool {
    let Some(extension) = state.extension_called(to) else { return false };
    tell_called(state, at, "Disconnected", reason);
    call_off_all(state, at);
    let call = &mut state.calls[at];
    call.moves += 1;
    call.called = to.to_owned();
    calls::ring_all(state, at, extension);
    true
}

fn hang_up_callee(state: &mut State, at: usize) {
    if let Some(leg) = state.calls[at].callees.first_mut() {
        let (bye, to) = (calls::request(leg, "BYE"), leg.line);
        state.send(to, &bye);
    }
}

fn call_off_all(state: &mut State, at: usize) {
    let legs: Vec<Leg> = std::mem::take(&mut state.calls[at].callees);
    let ringing = legs.iter().filter(|leg| !leg.is_answered);
    ringing.for_each(|leg| calls::call_off(state, leg));
}

/// Both telephones are hung up.
pub fn drop_all(state: &mut State, at: usize) {
    let call = &mut state.calls[at];
    let legs = std::iter::once(&mut call.caller).chain(&mut call.callees);
    let byes: Vec<(u64, Message)> =
        legs.map(|leg| (leg.line, calls::request(leg, "BYE"))).collect();
    byes.iter().for_each(|(line, bye)| state.send(*line, bye));
    over(state, at, "CallDropped");
}

/// A call comes to one device, on its user's behalf: those that ring are called off.
pub fn answer_by_device(state: &mut State, at: usize, device: &str) -> bool {
    let called = state.calls[at].callees.first().map(|leg| leg.extension);
    let Some(called) = called.filter(|called| state.extensions[*called].device == device) else {
        return false;
    };
    call_off_all(state, at);
    let Some(phone) = state.telephones_of(called).pop() else { return false };
    let call = state.calls[at].clone();
    let leg = calls::ring(state, &call, &phone, Some("Auto Answer"));
    state.calls[at].callees.push(leg);
    true
}

/// What is done to a called party. `Err`: the status and code of the refusal.
pub fn act(
    state: &mut State,
    at: usize,
    action: &str,
    body: &serde_json::Value,
) -> Result<(), (u16, &'static str)> {
    let (is_answered, is_held) = (state.calls[at].caller.is_answered, state.calls[at].is_held);
    let is_it_now = match action {
        "hold" => is_answered && !is_held,
        "unhold" => is_answered && is_held,
        "transfer" => is_answered,
        "answer" | "reject" | "forward" => !is_answered,
        _ => return Err((404, "CMN-120")),
    };
    if !is_it_now {
        return Err((409, "TAS-102"));
    }
    let to = ["phoneNumber", "extensionNumber"].iter().find_map(|name| body[*name].as_str());
    match (action, to, body["voicemail"].as_str()) {
        ("answer", ..) => {
            let device = body["deviceId"].as_str().unwrap_or_default();
            return answer_by_device(state, at, device).then_some(()).ok_or((409, "TAS-102"));
        }
        ("reject", ..) => {
            call_off_all(state, at);
            give_up(state, at, "Rejected");
        }
        ("hold" | "unhold", ..) => {
            state.calls[at].is_held = action == "hold";
            tell_called(state, at, if action == "hold" { "Hold" } else { "Answered" }, "");
        }
        (_, Some(to), _) if state.extension_called(to).is_none() => return Err((404, "CMN-102")),
        ("forward", Some(to), _) => {
            moved(state, at, "CallRedirected", to);
        }
        ("transfer", Some(to), _) => {
            hang_up_callee(state, at);
            moved(state, at, "BlindTransfer", to);
        }
        (_, None, Some(_)) => {
            if is_answered {
                hang_up_callee(state, at);
            }
            call_off_all(state, at);
            to_mailbox(state, at);
        }
        _ => return Err((400, "CMN-101")),
    }
    Ok(())
}
