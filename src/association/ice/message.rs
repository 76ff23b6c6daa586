//! Checks and their answers as STUN messages (RFC 8489, RFC 8445 section 7).

use std::net::SocketAddr;

use rtc_stun::attributes::{
    ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY,
    ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
};
use rtc_stun::crypto::RTCCryptoProvider;
use rtc_stun::error_code::{
    CODE_BAD_REQUEST, CODE_ROLE_CONFLICT, CODE_UNKNOWN_ATTRIBUTE, ErrorCode, ErrorCodeAttribute,
};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, CLASS_INDICATION, Getter, MESSAGE_HEADER_SIZE,
    METHOD_BINDING, Message, Setter, TransactionId,
};
use rtc_stun::uattrs::UnknownAttributes;
use rtc_stun::xoraddr::XorMappedAddress;

use crate::base::handshake::IceTerms;

/// Attributes that must be understood, and are.
const KNOWN: [AttrType; 4] =
    [ATTR_USERNAME, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY, ATTR_USE_CANDIDATE];

/// What is of use among messages of STUN.
pub(super) enum Heard {
    /// It keeps a path open, and says nothing.
    Indication,
    Request(Message),
    /// It claims to answer a check of ours.
    Response(Message),
}

impl Heard {
    /// `None` for what is no whole message of this method, or damaged.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut message = Message::new();
        message.unmarshal_binary(bytes).ok()?;
        let is_whole = bytes.len() == MESSAGE_HEADER_SIZE + message.length as usize;
        if !is_whole || message.typ.method != METHOD_BINDING {
            return None;
        }
        if message.typ.class == CLASS_INDICATION {
            return Some(Self::Indication);
        }
        FINGERPRINT.check(&message).ok()?;
        match message.typ {
            typ if typ == BINDING_REQUEST => Some(Self::Request(message)),
            typ if typ == BINDING_SUCCESS || typ == BINDING_ERROR => Some(Self::Response(message)),
            _ => None,
        }
    }
}

/// Who decides on the way (RFC 8445 section 6.1.1), by a peer's own word, with its tie-breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Controlling(u64),
    Controlled(u64),
}

/// What a check is answered with.
pub(super) enum Answer {
    Success,
    Error(ErrorCode),
    Unknown(Vec<AttrType>),
}

impl Answer {
    pub const CONFLICT: Self = Self::Error(CODE_ROLE_CONFLICT);
}

/// A check of the peer's that is genuine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub role: Role,
    pub is_nominating: bool,
    /// Of the peer's end, if nobody has told of it.
    pub priority: Option<u32>,
}

/// Whether a check is the peer's, and what it asks for, or the error that it is answered with. `None`: it is nobody's.
///
/// RFC 8489 section 9.1.3 has that answered with 400 or 401. It is not: the source may be forged, and whoever is named
/// there would get our answers, longer than what they answer. A peer loses nothing by it: one that has our name and
/// password sends its check again (RFC 8445 section 14.3), as it does where our agreement is later than its check, and
/// one that has not could do nothing with the code.
pub(super) fn judge(
    request: &mut Message,
    terms: &IceTerms,
    crypto: &dyn RTCCryptoProvider,
) -> Option<Result<Asked, Answer>> {
    let username = request.get(ATTR_USERNAME).ok()?;
    let is_integrity = |typ| typ == ATTR_MESSAGE_INTEGRITY;
    let integrity = request.attributes.0.iter().position(|a| is_integrity(a.typ))?;
    let IceTerms { ours, theirs, .. } = terms;
    let expected = format!("{}:{}", ours.fragment, theirs.fragment);
    let key = ours.password.reveal().as_bytes();
    let checked = MessageIntegrity::check(request, key, crypto.crypto());
    if username != expected.as_bytes() || checked.is_err() {
        return None;
    }
    // What stands after it is nobody's word.
    request.attributes.0.truncate(integrity + 1);
    let unknown = request.attributes.0.iter().map(|attribute| attribute.typ);
    let unknown: Vec<AttrType> =
        unknown.filter(|typ| typ.required() && !KNOWN.contains(typ)).take(16).collect();
    if !unknown.is_empty() {
        return Some(Err(Answer::Unknown(unknown)));
    }
    let number = |typ| {
        let value = request.get(typ).ok()?;
        value.try_into().ok().map(u64::from_be_bytes)
    };
    let controlled = number(ATTR_ICE_CONTROLLED).map(Role::Controlled);
    let role = controlled.or_else(|| number(ATTR_ICE_CONTROLLING).map(Role::Controlling));
    let priority = request.get(ATTR_PRIORITY).ok();
    let priority = priority.and_then(|value| value.try_into().ok()).map(u32::from_be_bytes);
    let is_nominating = request.contains(ATTR_USE_CANDIDATE);
    let asked = |role| Asked { role, is_nominating, priority };
    Some(role.map(asked).ok_or(Answer::Error(CODE_BAD_REQUEST)))
}

/// The answer to a check; `to` is where the peer is seen.
pub(super) fn respond(
    request: &Message,
    to: SocketAddr,
    answer: &Answer,
    terms: &IceTerms,
    crypto: &dyn RTCCryptoProvider,
) -> Option<Vec<u8>> {
    let mut response = Message::new();
    response.transaction_id = request.transaction_id;
    response.typ = match answer {
        Answer::Success => BINDING_SUCCESS,
        Answer::Error(_) | Answer::Unknown(_) => BINDING_ERROR,
    };
    response.write_header();
    match answer {
        Answer::Success => {
            let mapped = XorMappedAddress { ip: to.ip(), port: to.port() };
            mapped.add_to(&mut response).ok()?;
        }
        Answer::Error(code) => code.add_to(&mut response).ok()?,
        Answer::Unknown(types) => {
            CODE_UNKNOWN_ATTRIBUTE.add_to(&mut response).ok()?;
            UnknownAttributes(types.clone()).add_to(&mut response).ok()?;
        }
    }
    seal(&mut response, terms.ours.password.reveal(), crypto)?;
    FINGERPRINT.add_to(&mut response).ok()?;
    Some(response.raw)
}

fn seal(message: &mut Message, password: &str, crypto: &dyn RTCCryptoProvider) -> Option<()> {
    let key = password.as_bytes();
    let integrity = MessageIntegrity::new_raw_integrity_with_provider(key, crypto.crypto());
    integrity.add_to(message).ok()
}

/// A check of ours.
pub(super) struct Check {
    pub id: TransactionId,
    /// With our tie-breaker.
    pub role: Role,
    pub is_nominating: bool,
    /// Of our end, if the peer has not been told of it.
    pub priority: u32,
}

impl Check {
    pub fn bytes(&self, terms: &IceTerms, crypto: &dyn RTCCryptoProvider) -> Option<Vec<u8>> {
        let IceTerms { ours, theirs, .. } = terms;
        let mut message = Message::new();
        message.set_type(BINDING_REQUEST);
        message.transaction_id = self.id;
        message.write_header();
        let name = format!("{}:{}", theirs.fragment, ours.fragment);
        message.add(ATTR_USERNAME, name.as_bytes());
        message.add(ATTR_PRIORITY, &self.priority.to_be_bytes());
        match self.role {
            Role::Controlling(tie) => message.add(ATTR_ICE_CONTROLLING, &tie.to_be_bytes()),
            Role::Controlled(tie) => message.add(ATTR_ICE_CONTROLLED, &tie.to_be_bytes()),
        }
        if self.is_nominating {
            message.add(ATTR_USE_CANDIDATE, &[]);
        }
        seal(&mut message, theirs.password.reveal(), crypto)?;
        FINGERPRINT.add_to(&mut message).ok()?;
        Some(message.raw)
    }
}

/// What a genuine answer to a check of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Success,
    /// Both ends want the same role.
    Conflict,
    Refusal,
}

/// `None`: not under the peer's password, so it is nobody's.
pub(super) fn told(
    response: &mut Message,
    terms: &IceTerms,
    crypto: &dyn RTCCryptoProvider,
) -> Option<Told> {
    let key = terms.theirs.password.reveal().as_bytes();
    MessageIntegrity::check(response, key, crypto.crypto()).ok()?;
    if response.typ == BINDING_SUCCESS {
        return Some(Told::Success);
    }
    let mut error = ErrorCodeAttribute::default();
    error.get_from(response).ok()?;
    Some(if error.code == CODE_ROLE_CONFLICT { Told::Conflict } else { Told::Refusal })
}
