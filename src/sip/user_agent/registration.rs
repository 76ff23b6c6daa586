//! What a registration is asked for by, and what is told of it.
//!
//! ```text
//! Register ──▶ Registered ──Register──▶ … ──Unregister──▶ Unregistered
//!     └──────▶ Failed                          └────────▶ Failed
//! in between  Ping ──▶ Alive | Silent;  FlowLost
//! ```

use std::fmt;
use std::net::SocketAddr;

use super::dialect::Dialect;
use crate::base::Private;
use crate::sip::digest::Credentials;
use crate::sip::transport::Flow;

/// A REGISTER to send. An account has one binding set (RFC 3261 section 10.2). The next one with the same id is the next of the same binding set.
#[derive(Clone)]
pub struct Register {
    /// Where it goes: the registrar or the proxy before it. For a stream without `connection` the
    /// user agent finds or asks for one.
    pub flow: Flow,
    /// The Request-URI, which names the domain alone (section 10.2).
    pub registrar: Private<String>,
    /// From and To.
    pub address_of_record: Private<String>,
    /// User part of our Contact: the Request-URI of the calls that come.
    pub contact_user: Private<String>,
    /// The address in our Contact, where it is not that of `flow`.
    pub contact: Option<SocketAddr>,
    /// Seconds, 1 at least.
    pub expires_s: u32,
    /// The URN of this box, with which the registrar may keep the stream that it is asked over as the way to us
    /// (RFC 5626); `None`: it is not offered that.
    pub instance: Option<Private<String>>,
    /// Used for challenges from `flow.peer`'s address only.
    pub credentials: Credentials,
    pub dialect: Dialect,
}

/// What became of a registration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RegistrationNews {
    Registered {
        /// For how long, as the registrar says.
        expires_s: u32,
        /// The address that it sees, where that is not the one of our Contact.
        seen: Option<SocketAddr>,
        /// Calls come over our own stream.
        outbound: Option<Outbound>,
    },
    Unregistered,
    Failed {
        failure: RegistrationFailure,
        retry_after_s: Option<u32>,
    },
    /// A ping was answered.
    Alive {
        /// As with `Registered`.
        seen: Option<SocketAddr>,
    },
    /// A ping was not answered.
    Silent,
    /// The connection that calls would come over is gone.
    FlowLost,
}

/// The registrar keeps our stream as the way to us (RFC 5626).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// It takes the stream for dead after so long without a sign of life, if it says so.
    pub flow_timer_s: Option<u32>,
}

/// Why a REGISTER did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationFailure {
    /// With this status, a redirection among them: it is not followed.
    Refused(u16),
    /// The credentials were given and not believed.
    Disbelieved,
    /// Credentials are wanted by somebody, for a realm or in a way that they are not meant for.
    NotForUs,
    /// It was let through, and our binding is not kept.
    NotKept,
    /// Nothing came in 64*T1.
    Unanswered,
    /// There is no way to the registrar.
    Unreachable,
}

impl fmt::Debug for RegistrationNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elsewhere = |seen: &Option<SocketAddr>| if seen.is_some() { ", elsewhere" } else { "" };
        match self {
            Self::Registered { expires_s, seen, outbound } => {
                let outbound = if outbound.is_some() { ", outbound" } else { "" };
                write!(f, "Registered({expires_s}{}{outbound})", elsewhere(seen))
            }
            Self::Unregistered => f.write_str("Unregistered"),
            Self::Failed { failure, retry_after_s } => {
                write!(f, "Failed({failure:?}, {retry_after_s:?})")
            }
            Self::Alive { seen } => write!(f, "Alive({})", elsewhere(seen)),
            Self::Silent => f.write_str("Silent"),
            Self::FlowLost => f.write_str("FlowLost"),
        }
    }
}
