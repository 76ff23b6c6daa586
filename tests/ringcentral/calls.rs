//! SIP of the stand-in: registrations, and calls between two telephones, each of which has a dialog with
//! the server. What a call is as a session, and what is done to it by Call Control, is in `sessions`.

use std::time::Instant;

use super::message::{Message, param};
use super::sessions;
use super::stand_in::{CALLS, DOMAIN, GRANTED, INSTANCES, State, Telephone};
use md5::{Digest, Md5};

/// One telephone's part of a call.
#[derive(Clone, Debug)]
pub struct Leg {
    pub line: u64,
    pub extension: usize,
    pub call_id: String,
    /// As they stand in requests of ours to it.
    pub from: String,
    pub to: String,
    /// Where requests of ours to it go.
    pub contact: String,
    pub cseq: u64,
    /// The INVITE, as it came or as it went.
    pub invite: Message,
    pub is_answered: bool,
    /// It was told that the call has reached it.
    pub is_confirmed: bool,
    /// A description of the other side that waits for its answer.
    pub passes_on: Option<Message>,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub caller: Leg,
    /// All that ring; one once it is answered.
    pub callees: Vec<Leg>,
    pub sequence: u64,
    pub is_over: bool,
    pub is_held: bool,
    /// How often it has gone to somebody else: each is a party of its own.
    pub moves: u64,
    /// Whom it goes to.
    pub called: String,
}

impl Call {
    pub fn session(&self) -> String {
        format!("s-{}", self.id)
    }

    pub fn party(&self, is_caller: bool) -> String {
        format!("p-{}-{}", self.id, if is_caller { 1 } else { 2 + self.moves })
    }

    pub fn api_ids(&self, is_caller: bool) -> String {
        format!("party-id={};session-id={}", self.party(is_caller), self.session())
    }
}

/// A message has come on a line.
pub fn receive(state: &mut State, line: u64, message: Message) {
    if message.is_response() {
        return answered(state, line, &message);
    }
    let whose = state.telephones.iter().find(|phone| phone.line == line);
    let number = whose.map_or("", |phone| state.extensions[phone.extension].number);
    state.note(format!("{} {number} {}", message.method(), message.get("CSeq")));
    match message.method() {
        "REGISTER" => register(state, line, &message),
        "INVITE" if message.get("To").contains(";tag=") => reinvite(state, line, message),
        "INVITE" => invite(state, line, message),
        "MESSAGE" => agent_message(state, line, &message),
        "BYE" => {
            state.send(line, &message.response("200 OK", ""));
            hang_up(state, line, &message);
        }
        "CANCEL" => cancel(state, line, &message),
        "INFO" => state.send(line, &message.response("200 OK", "")),
        "ACK" => {}
        _ => state.send(line, &message.response("405 Method Not Allowed", "x")),
    }
}

fn challenge(state: &mut State, status: &str, name: &str, message: &Message) -> Message {
    let nonce = format!("nonce-{:026}", state.fresh());
    state.nonces.insert(nonce.clone());
    let value = format!("Digest realm=\"{DOMAIN}\", nonce=\"{nonce}\"");
    message.response(status, "challenge").with(name, value)
}

/// The extension whose password is shown, in the platform's own form of a digest.
fn authorized(state: &mut State, message: &Message, header: &str) -> Option<usize> {
    let value = message.get(header).to_owned();
    let hex = |text: String| -> String {
        Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let field = |name: &str| param(&value, name).unwrap_or_default();
    let at = state.extensions.iter().position(|e| e.authorization_id == field("username"))?;
    let password = &state.extensions[at].password;
    let ha1 = hex(format!("{}:{DOMAIN}:{password}", field("username")));
    let ha2 = hex(format!("{}:sip:{DOMAIN}", message.method()));
    let expected = hex(format!("{ha1}:{}:{ha2}", field("nonce")));
    let is_right = value.starts_with("Digest algorithm=\"MD5\", ")
        && field("uri") == format!("sip:{DOMAIN}")
        && field("realm") == DOMAIN
        && !value.contains("qop")
        && field("response") == expected;
    (is_right && state.nonces.remove(&field("nonce"))).then_some(at)
}

fn register(state: &mut State, line: u64, message: &Message) {
    state.send(line, &message.response("100 Trying", ""));
    let Some(extension) = authorized(state, message, "Authorization") else {
        let refusal = challenge(state, "401 Unauthorized", "Www-Authenticate", message);
        return state.send(line, &refusal);
    };
    let contact = message.get("Contact").to_owned();
    let instance = param(&contact, "+sip.instance").unwrap_or_default();
    let is_device = state.is_device(line);
    let stated = param(&contact, "expires").unwrap_or_else(|| message.get("Expires").to_owned());
    let expires: u64 = stated.parse().unwrap_or(0);
    if is_device {
        // As a telephone of RingCentral's by TLS says that its connection is the way to it.
        let is_so = contact.contains(";ob>;reg-id=1;+sip.instance=\"<urn:uuid:")
            && message.get("Via").contains(";alias")
            && !contact.contains(";expires=");
        state.note(format!("DEVICE {is_so}"));
    }
    let others = state.telephones_of(extension);
    let others = others.iter().filter(|phone| phone.instance != instance).count();
    let is_full = others >= INSTANCES;
    if expires > 0 && (is_full || instance.is_empty()) {
        let number = state.extensions[extension].number;
        state.note(format!("TOO MANY {number}"));
        return state.send(line, &message.response("603 Too Many Contacts", "r"));
    }
    let uri = contact.split('>').next().unwrap_or_default().trim_start_matches('<').to_owned();
    state.telephones.retain(|phone| phone.extension != extension || phone.instance != instance);
    let number = state.extensions[extension].number;
    if expires > 0 {
        let until = Instant::now() + GRANTED;
        let contact = uri.clone();
        state.telephones.push(Telephone { extension, instance, contact, line, until, is_device });
        let proxy = state.of_proxy[&line];
        state.note(format!("REGISTERED {number} by {proxy}"));
    } else {
        state.note(format!("UNREGISTERED {number}"));
    }
    let granted = state.faults.granted_s.unwrap_or(GRANTED.as_secs()).min(expires);
    let ok = message.response("200 OK", "r").with("Contact", format!("<{uri}>;expires={granted}"));
    state.send(line, &ok);
    // Its calls come over the line that it uses now.
    for call in &mut state.calls {
        let legs = std::iter::once(&mut call.caller).chain(&mut call.callees);
        legs.filter(|leg| leg.extension == extension && leg.contact == uri)
            .for_each(|leg| leg.line = line);
    }
}

fn invite(state: &mut State, line: u64, message: Message) {
    let Some(extension) = authorized(state, &message, "Proxy-Authorization") else {
        let name = "Proxy-Authenticate";
        let refusal = challenge(state, "407 Proxy Authentication Required", name, &message);
        return state.send(line, &refusal);
    };
    state.send(line, &message.response("100 Trying", ""));
    let Some(called) = state.extension_called(message.user()) else {
        state.send(line, &message.response("183 Session Progress", "none"));
        return state.send(line, &message.response("486 Busy Here", "none"));
    };
    let id = format!("a0d17e323f0fez{:011}", state.fresh());
    let contact = message.get("Contact").split('>').next().unwrap_or_default();
    let caller = Leg {
        line,
        extension,
        call_id: message.get("Call-Id").to_owned(),
        from: format!("{};tag=server-{id}", message.get("To")),
        to: message.get("From").to_owned(),
        contact: contact.trim_start_matches('<').to_owned(),
        cseq: 50_000 + state.fresh(),
        invite: message,
        is_answered: false,
        is_confirmed: false,
        passes_on: None,
    };
    let called_by = state.extensions[extension].number;
    state.note(format!("CALL of {called_by}"));
    let up = |call: &&Call| {
        let all = std::iter::once(&call.caller).chain(&call.callees);
        !call.is_over && all.filter(|leg| leg.extension == extension).count() > 0
    };
    if state.calls.iter().filter(up).count() >= CALLS {
        state.note(format!("TOO MANY CALLS {called_by}"));
        return state.send(line, &caller.invite.response("486 Busy Here", "none"));
    }
    let called_user = caller.invite.user().to_owned();
    let call = Call {
        id,
        caller,
        callees: Vec::new(),
        sequence: 0,
        is_over: false,
        is_held: false,
        moves: 0,
        called: called_user,
    };
    state.calls.push(call);
    let at = state.calls.len() - 1;
    sessions::tell(state, at, "Setup", "");
    ring_all(state, at, called);
}

/// It rings at all telephones of an extension.
pub fn ring_all(state: &mut State, at: usize, extension: usize) {
    for phone in state.telephones_of(extension) {
        let call = state.calls[at].clone();
        let leg = ring(state, &call, &phone, None);
        state.calls[at].callees.push(leg);
    }
    match state.calls[at].caller.is_answered {
        true => sessions::tell_called(state, at, "Proceeding", ""),
        false => sessions::tell(state, at, "Proceeding", ""),
    }
}

/// Sends an INVITE to one telephone.
pub fn ring(state: &mut State, call: &Call, phone: &Telephone, alert: Option<&str>) -> Leg {
    let number = state.fresh();
    let (caller, called) =
        (&state.extensions[call.caller.extension], &state.extensions[phone.extension]);
    let from = format!(
        "\"WIRELESS CALLER\" <sip:+{}@127.0.0.1>;tag=10.13.22.241-5070-{number:x}",
        caller.phone
    );
    let to = format!("\"Appliance\" <sip:{}@127.0.0.1>", called.username);
    let uri = phone.contact.replace("transport=wss", "transport=ws");
    let rc = format!(
        "<Msg><Hdr SID=\"{number}\" Req=\"{{8A1C-{number}}}\" From=\"#996016@{DOMAIN}:5060\" \
         To=\"{}\" Cmd=\"6\"/><Bdy SrvLvl=\"-149699523\" SrvLvlExt=\"406\" Phn=\"+{}\" \
         Nm=\"WIRELESS CALLER\" ToPhn=\"+{}\" ToNm=\"Appliance\" RecUrl=\"\"/></Msg>",
        called.username, caller.phone, called.phone
    );
    let (via, transport) = if phone.is_device { ("TLS", "tls") } else { ("WSS", "wss") };
    let cseq = 60_000 + number;
    let mut invite = Message::new(&format!("INVITE {uri} SIP/2.0"))
        .with("Via", format!("SIP/2.0/{via} 127.0.0.1:8083;rport;branch=z9hG4bK2k{number:x}"))
        .with("From", from.clone())
        .with("To", to.clone())
        .with("Call-Id", format!("0f3c-{number}"))
        .with("CSeq", format!("{cseq} INVITE"))
        .with("Max-Forwards", "67")
        .with("Contact", format!("<sip:+{}@127.0.0.1:8083;transport={transport}>", caller.phone))
        .with("User-Agent", "RC_SIPWRP_22.241")
        .with("p-rc-api-ids", call.api_ids(false))
        .with("p-rc-api-call-info", "callAttributes=reject,send-vm")
        .with("P-rc", rc)
        .with("Call-Info", "<1_2@10.13.116.50>;purpose=info;Answer-After=0");
    if let Some(alert) = alert {
        invite = invite.with("Alert-Info", alert);
    }
    if !state.faults.is_bodyless {
        invite = invite.with_body("application/sdp", &call.caller.invite.body);
    }
    state.send(phone.line, &invite);
    let number = called.number;
    state.note(format!(
        "RINGS {number}{}",
        alert.map(|alert| format!(" {alert}")).unwrap_or_default()
    ));
    Leg {
        line: phone.line,
        extension: phone.extension,
        call_id: invite.get("Call-Id").to_owned(),
        from,
        to,
        contact: phone.contact.clone(),
        cseq,
        invite,
        is_answered: false,
        is_confirmed: false,
        passes_on: None,
    }
}

/// The call and the leg that a message belongs to: `None` for the caller's.
fn find(state: &State, message: &Message) -> Option<(usize, Option<usize>)> {
    let id = message.get("Call-Id");
    state.calls.iter().enumerate().rev().find_map(|(at, call)| {
        if call.caller.call_id == id {
            return Some((at, None));
        }
        let leg = call.callees.iter().position(|leg| leg.call_id == id)?;
        Some((at, Some(leg)))
    })
}

/// A request of ours in the dialog of a leg.
pub fn request(leg: &mut Leg, method: &str) -> Message {
    leg.cseq += 1;
    let via = if leg.contact.contains("transport=tls") { "TLS" } else { "WSS" };
    Message::new(&format!("{method} {} SIP/2.0", leg.contact))
        .with("Via", format!("SIP/2.0/{via} 127.0.0.1:8083;branch=z9hG4bK{}{method}", leg.cseq))
        .with("From", leg.from.clone())
        .with("To", leg.to.clone())
        .with("Call-Id", leg.call_id.clone())
        .with("CSeq", format!("{} {method}", leg.cseq))
        .with("Max-Forwards", "67")
        .with("Contact", "<sip:server@127.0.0.1:8083;transport=wss>")
}

fn acknowledge(state: &State, leg: &Leg, response: &Message, answer: Option<&str>) {
    let cseq = response.get("CSeq").replace(" INVITE", " ACK");
    let mut ack = Message::new(&format!("ACK {} SIP/2.0", leg.contact))
        .with("Via", response.get("Via"))
        .with("From", response.get("From"))
        .with("To", response.get("To"))
        .with("Call-Id", response.get("Call-Id"))
        .with("CSeq", cseq);
    if let Some(answer) = answer {
        ack = ack.with_body("application/sdp", answer);
    }
    state.send(leg.line, &ack);
}

/// A response to a request of ours.
fn answered(state: &mut State, line: u64, response: &Message) {
    if response.cseq_method() != "INVITE" || response.status() < 180 {
        return;
    }
    let Some((at, leg)) = find(state, response) else { return };
    let call = state.calls[at].clone();
    let own = leg.map_or_else(|| call.caller.clone(), |leg| call.callees[leg].clone());
    if response.status() >= 200 && own.passes_on.is_some() {
        return reanswered(state, at, leg, response);
    }
    let Some(leg) = leg else {
        // Its other end is somebody else by now.
        if response.status() >= 200 {
            acknowledge(state, &own, response, None);
        }
        return;
    };
    match response.status() {
        200 => picked_up(state, at, leg, line, response),
        300.. => {
            acknowledge(state, &own, response, None);
            state.calls[at].callees.retain(|other| other.call_id != own.call_id);
            let call = &state.calls[at];
            if call.callees.is_empty() && !call.is_over && !call.caller.is_answered {
                // Whoever declines for all is passed on as that.
                let (status, reason) = match response.status() {
                    603 => ("603 Decline", "Rejected"),
                    _ => ("480 Temporarily Unavailable", "NoAnswer"),
                };
                let refusal = call.caller.invite.response(status, "none");
                state.send(call.caller.line, &refusal);
                sessions::over(state, at, reason);
            }
        }
        _ => {}
    }
}

fn picked_up(state: &mut State, at: usize, leg: usize, line: u64, response: &Message) {
    if state.calls[at].callees[leg].is_answered {
        return;
    }
    let was_bodyless = state.calls[at].callees[leg].invite.body.is_empty();
    let mut taken = state.calls[at].callees[leg].clone();
    taken.to = response.get("To").to_owned();
    (taken.is_answered, taken.line) = (true, line);
    // Its offer goes to the caller as it is: an offer of everything is an answer, too.
    acknowledge(
        state,
        &taken,
        response,
        was_bodyless.then(|| state.calls[at].caller.invite.body.as_str()),
    );
    let others: Vec<Leg> =
        state.calls[at].callees.iter().filter(|o| o.call_id != taken.call_id).cloned().collect();
    // Everybody who rang is told whose it is, each in the words of its own INVITE.
    let client = client_of(state, &taken);
    for leg in
        others.iter().chain([&taken]).filter(|leg| leg.invite.get("P-rc").contains("Cmd=\"6\""))
    {
        let body = format!(
            "{}<Bdy Cln=\"{client}\" IP=\"127.0.0.1\" Sts=\"0\" CtrlCln=\"\"/></Msg>",
            header_about(leg, 7)
        );
        tell_agent(state, leg, &body);
    }
    others.iter().for_each(|other| call_off(state, other));
    let ids = state.calls[at].api_ids(true);
    let call = &mut state.calls[at];
    call.callees = vec![taken];
    let was_answered = std::mem::replace(&mut call.caller.is_answered, true);
    let tag = format!("server-{}", call.id);
    if was_answered {
        // The caller goes on with somebody else.
        let offer =
            request(&mut call.caller, "INVITE").with_body("application/sdp", &response.body);
        let to = call.caller.line;
        state.send(to, &offer);
        return sessions::tell_called(state, at, "Answered", "");
    }
    let caller = call.caller.clone();
    for status in ["183 Session Progress", "200 OK"] {
        let told = caller.invite.response(status, &tag).with("p-rc-api-ids", ids.clone());
        state.send(caller.line, &told.with_body("application/sdp", &response.body));
    }
    sessions::tell(state, at, "Answered", "");
}

/// Of a telephone, as messages name it: two of one user are told apart by their instances here.
fn client_of(state: &State, leg: &Leg) -> String {
    let own = &state.extensions[leg.extension].authorization_id;
    let is_its = |phone: &&Telephone| phone.line == leg.line;
    match state.telephones.iter().find(is_its) {
        Some(phone) if phone.instance.ends_with("another") => format!("{own}-another"),
        _ => own.clone(),
    }
}

/// What a message about a call begins with.
fn header_about(leg: &Leg, command: u16) -> String {
    let rc = leg.invite.get("P-rc");
    let field = |name: &str| param(rc, name).unwrap_or_default();
    format!(
        "<Msg><Hdr SID=\"{}\" Req=\"{}\" From=\"#996016@{DOMAIN}:5060\" To=\"{}\" Cmd=\"{command}\"/>",
        field("SID"),
        field("Req"),
        field("To")
    )
}

/// CANCEL for a telephone that rings.
pub fn call_off(state: &mut State, leg: &Leg) {
    let mut cancel = Message::new(&leg.invite.start.replacen("INVITE", "CANCEL", 1));
    for name in ["Via", "From", "To", "Call-Id"] {
        cancel = cancel.with(name, leg.invite.get(name));
    }
    let cancel = cancel.with("CSeq", leg.invite.get("CSeq").replace("INVITE", "CANCEL"));
    say(state, leg.line, cancel);
}

/// What may come late, as the test wants it.
fn say(state: &mut State, line: u64, message: Message) {
    match state.faults.holds_sip {
        true => state.held_sip.push((line, message)),
        false => state.send(line, &message),
    }
}

fn tell_agent(state: &mut State, leg: &Leg, body: &str) {
    let number = state.fresh();
    let username = &state.extensions[leg.extension].username;
    let message = Message::new(&format!("MESSAGE {} SIP/2.0", leg.contact))
        .with("Via", format!("SIP/2.0/WSS 127.0.0.1:8083;branch=z9hG4bKm{number}"))
        .with("From", format!("<sip:%23996016@{DOMAIN}>;tag=m{number}"))
        .with("To", format!("<sip:{username}@{DOMAIN}>"))
        .with("Call-Id", format!("message-{number}"))
        .with("CSeq", format!("{} MESSAGE", 70_000 + number))
        .with("Max-Forwards", "67")
        .with_body("x-rc/agent", body);
    say(state, leg.line, message);
}

fn reinvite(state: &mut State, line: u64, message: Message) {
    state.send(line, &message.response("100 Trying", ""));
    let Some((at, leg)) = find(state, &message) else {
        return state.send(line, &message.response("481 Call Does Not Exist", ""));
    };
    let call = &mut state.calls[at];
    let other = match leg {
        None => call.callees.first_mut(),
        Some(leg) => {
            call.callees[leg].line = line;
            Some(&mut call.caller)
        }
    };
    let Some(other) = other else { return };
    let passed = request(other, "INVITE").with_body("application/sdp", &message.body);
    other.passes_on = Some(message);
    let to = other.line;
    state.send(to, &passed);
}

/// A telephone has answered a description of the other one's.
fn reanswered(state: &mut State, at: usize, leg: Option<usize>, response: &Message) {
    let call = &mut state.calls[at];
    let own = match leg {
        None => &mut call.caller,
        Some(leg) => &mut call.callees[leg],
    };
    let Some(asked) = own.passes_on.take() else { return };
    let own = own.clone();
    let other = match leg {
        None => call.callees[0].line,
        Some(_) => call.caller.line,
    };
    acknowledge(state, &own, response, None);
    let told = asked.response("200 OK", "").with_body("application/sdp", &response.body);
    state.send(other, &told);
    state.note("REANSWERED");
}

fn hang_up(state: &mut State, line: u64, message: &Message) {
    let Some((at, leg)) = find(state, message) else { return };
    if state.calls[at].is_over {
        return;
    }
    let call = &mut state.calls[at];
    let other = match leg {
        None => call.callees.first_mut(),
        Some(_) => Some(&mut call.caller),
    };
    if let Some(other) = other.filter(|other| other.line != line) {
        let bye = request(other, "BYE");
        let to = other.line;
        state.send(to, &bye);
    }
    sessions::over(state, at, "CallFinished");
}

fn cancel(state: &mut State, line: u64, message: &Message) {
    state.send(line, &message.response("200 OK", "c"));
    let Some((at, None)) = find(state, message) else { return };
    if state.calls[at].caller.is_answered || state.calls[at].is_over {
        return;
    }
    let call = state.calls[at].clone();
    call.callees.iter().for_each(|leg| call_off(state, leg));
    state.send(line, &call.caller.invite.response("487 Request Terminated", "c"));
    sessions::over(state, at, "Cancelled");
}

/// What a telephone asks for a call that rings.
fn agent_message(state: &mut State, line: u64, message: &Message) {
    state.send(line, &message.response("100 Trying", ""));
    state.send(line, &message.response("200 OK", "m"));
    let command = param(&message.body, "Cmd").unwrap_or_default();
    state.note(format!("AGENT {command} {}", message.body));
    let Some((at, Some(leg))) = find(state, message) else { return };
    let own = state.calls[at].callees[leg].clone();
    match command.as_str() {
        "17" => state.calls[at].callees[leg].is_confirmed = true,
        // The caller is asked to hold on.
        "13" => {}
        // Without it the mailbox does not get the call.
        "11" if !own.is_confirmed => {}
        "10" | "11" | "12" | "14" => {
            let reaction = if command == "14" { " Resp=\"3\" ExtNfo=\"+16505550177\"" } else { "" };
            let client = client_of(state, &own);
            let body = format!(
                "{}<Bdy Cln=\"{client}\" Sts=\"0\"{reaction}/></Msg>",
                header_about(&own, 9)
            );
            tell_agent(state, &own, &body);
            call_off(state, &own);
            state.calls[at].callees.retain(|other| other.call_id != own.call_id);
            match command.as_str() {
                "10" => {
                    let to = param(&message.body, "Phn").unwrap_or_default();
                    sessions::moved(state, at, "CallRedirected", &to);
                }
                "11" => sessions::to_mailbox(state, at),
                "14" => sessions::give_up(state, at, "CallReplied"),
                // It rings on elsewhere, if anywhere.
                _ if state.calls[at].callees.is_empty() => sessions::give_up(state, at, "Rejected"),
                _ => {}
            }
        }
        _ => {}
    }
}
