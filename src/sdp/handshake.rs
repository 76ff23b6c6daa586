//! Keys by DTLS and the way by ICE in a description (RFC 5763, RFC 8122, RFC 8839, RFC 8842).
//!
//! ```text
//!  a=fingerprint:sha-256 AB:CD:...   the certificate that will be shown
//!  a=setup:actpass                   who begins
//!  a=ice-ufrag: a=ice-pwd:           under which name and password checks come
//!  a=candidate:                      where they may go to
//! ```
//!
//! As the lite side of ICE we answer checks and make none: then the peer's candidates are of no use, for where
//! it is we learn from its checks. As the full side we check its candidates and decide, but where the peer has
//! offered and is full itself. A lite peer makes no checks, so for it we are full in an answer, whatever else
//! we are; to an offer of ours that says that we are lite a lite answer means that ICE has nothing to find.

use super::candidates;
use super::description::{MediaLine, Profile};
use super::{Local, LocalHandshake};
use crate::base::handshake::{
    Candidate, Fingerprint, Fingerprints, FullIce, IceCredentials, IceSide, IceTerms, LocalIce,
    Setup, Terms,
};
use crate::base::{Private, limits};
use std::net::SocketAddr;

/// What a peer's line says.
#[derive(Debug)]
pub(super) struct Wishes {
    fingerprints: Fingerprints,
    setup: Option<SetupWish>,
    tls_id: Option<String>,
    ice: Option<IceCredentials>,
    is_lite: bool,
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetupWish {
    Active,
    Passive,
    Either,
    HoldConnection,
}

impl Wishes {
    /// `None`: there is no fingerprint that can be looked at.
    pub fn of(line: MediaLine<'_>) -> Option<Self> {
        let known = line.inherited("fingerprint").filter_map(Fingerprint::parse);
        let fingerprints = Fingerprints::new(known.take(limits::SDP_FINGERPRINTS));
        if fingerprints.is_empty() {
            return None;
        }
        let setup = line.inherited("setup").next().and_then(|value| {
            Some(match value.to_ascii_lowercase().as_str() {
                "active" => SetupWish::Active,
                "passive" => SetupWish::Passive,
                "actpass" => SetupWish::Either,
                "holdconn" => SetupWish::HoldConnection,
                _ => return None,
            })
        });
        let tls_id = credential(line, "tls-id", 1);
        let is_lite = line.inherited("ice-lite").next().is_some();
        let candidates = candidates::candidates(line);
        Some(Self { fingerprints, setup, tls_id, ice: ice(line), is_lite, candidates })
    }

    /// Whether a line of this profile is one for a handshake.
    pub fn offered(line: MediaLine<'_>) -> Option<Self> {
        match line.profile()? {
            Profile::Handshake => Self::of(line),
            // Browsers of old, and what is called opportunistic (RFC 8643). Keys in the description are
            // the quicker ones.
            Profile::Secure | Profile::Plain if !line.has("crypto") => Self::of(line),
            Profile::Secure | Profile::Plain => None,
        }
    }

    /// What is agreed if we answer.
    pub fn answered(self, line: MediaLine<'_>, local: &Local, remote: SocketAddr) -> Option<Terms> {
        let ours = local.handshake.as_ref()?;
        let side = if self.is_lite { IceSide::Full } else { ours.way.side };
        let full = (side == IceSide::Full).then(|| FullIce {
            is_controlling: self.is_lite,
            local: ours.candidates(local, !line.has_rtcp_mux()),
            remote: self.candidates,
        });
        let ice = self.ice.map(|theirs| ours.session(theirs, full));
        let setup = match self.setup {
            Some(SetupWish::Passive) => Setup::Active,
            // What stands in no line is active (RFC 4145 section 4).
            Some(SetupWish::Active) | None => Setup::Passive,
            Some(SetupWish::HoldConnection) => Setup::HoldConnection,
            Some(SetupWish::Either) => match ours.role {
                // The association that there is goes on.
                Some(role) => role,
                // A peer behind a router is reached once it has sent something, and from where it is
                // only its packets tell; where ICE finds it, we begin.
                None if ice.is_none() => Setup::Passive,
                None => Setup::Active,
            },
        };
        Some(terms((self.fingerprints, self.tls_id), setup, ice, (line, remote)))
    }

    /// What is agreed by an answer to our offer.
    pub fn accepted(self, line: MediaLine<'_>, local: &Local, remote: SocketAddr) -> Option<Terms> {
        let ours = local.handshake.as_ref()?;
        let full = (ours.way.side == IceSide::Full).then(|| FullIce {
            is_controlling: true,
            local: ours.candidates(local, !line.has_rtcp_mux()),
            remote: self.candidates,
        });
        let theirs = self.ice.filter(|_| full.is_some() || !self.is_lite);
        let ice = theirs.map(|theirs| IceTerms { ours: ours.ice.clone(), theirs, full });
        let setup = match self.setup {
            Some(SetupWish::Passive) => Setup::Active,
            Some(SetupWish::Active | SetupWish::Either) | None => Setup::Passive,
            Some(SetupWish::HoldConnection) => Setup::HoldConnection,
        };
        Some(terms((self.fingerprints, self.tls_id), setup, ice, (line, remote)))
    }
}

fn terms(
    (fingerprints, tls_id): (Fingerprints, Option<String>),
    setup: Setup,
    ice: Option<IceTerms>,
    (line, remote): (MediaLine<'_>, SocketAddr),
) -> Terms {
    let rtcp_mux = line.has_rtcp_mux();
    let remote_rtcp = if rtcp_mux { remote } else { line.remote_rtcp(remote) };
    Terms {
        setup,
        fingerprints,
        tls_id,
        ice,
        remote: Private::new(remote),
        remote_rtcp: Private::new(remote_rtcp),
        rtcp_mux,
    }
}

fn ice(line: MediaLine<'_>) -> Option<IceCredentials> {
    let fragment = credential(line, "ice-ufrag", 4)?;
    let password = credential(line, "ice-pwd", 22)?;
    Some(IceCredentials { fragment, password: Private::new(password) })
}

/// A value of printing characters, at least so many.
fn credential(line: MediaLine<'_>, name: &str, least: usize) -> Option<String> {
    let value = line.inherited(name).next()?;
    let fits = (least..=limits::SDP_CREDENTIAL_BYTES).contains(&value.len());
    let is_printing = value.bytes().all(|byte| byte.is_ascii_graphic());
    (fits && is_printing).then(|| value.to_owned())
}

impl LocalHandshake {
    /// The session with `theirs`: another name or password of the peer begins a new one, with new ones
    /// of ours (RFC 8839 section 4.4.1.1).
    fn session(&self, theirs: IceCredentials, full: Option<FullIce>) -> IceTerms {
        let is_new = self.their_ice.as_ref().is_some_and(|before| *before != theirs);
        let ours = if is_new { &self.next_ice } else { &self.ice };
        IceTerms { ours: ours.clone(), theirs, full }
    }

    /// The lines of ours; `terms` are those of an answer.
    pub(super) fn lines(&self, local: &Local, terms: Option<&Terms>) -> Vec<String> {
        let setup = match terms.map(|terms| terms.setup) {
            None => "actpass",
            Some(Setup::Active) => "active",
            Some(Setup::Passive) => "passive",
            Some(Setup::HoldConnection) => "holdconn",
        };
        let mut lines = vec![format!("fingerprint:{}", self.fingerprint), format!("setup:{setup}")];
        let ice = match terms {
            None => Some(&self.ice),
            Some(terms) => terms.ice.as_ref().map(|ice| &ice.ours),
        };
        let Some(IceCredentials { fragment, password }) = ice else { return lines };
        lines.push(format!("ice-ufrag:{fragment}"));
        lines.push(format!("ice-pwd:{}", password.reveal()));
        let has_rtcp = terms.is_some_and(|terms| !terms.rtcp_mux);
        let is_lite = self.is_lite(terms);
        let told = match is_lite {
            true => {
                LocalIce::default().candidates(local.address, local.port, 1 + u8::from(has_rtcp))
            }
            false => self.candidates(local, has_rtcp),
        };
        lines.extend(told.iter().map(|told| format!("candidate:{}", candidates::value(told))));
        if !is_lite {
            lines.push("end-of-candidates".to_owned());
        }
        lines
    }

    fn candidates(&self, local: &Local, has_rtcp: bool) -> Vec<Candidate> {
        self.way.candidates(local.address, local.port, 1 + u8::from(has_rtcp))
    }

    /// Whether a description of ours says that we are the lite side; `terms` are those of an answer.
    pub(super) fn is_lite(&self, terms: Option<&Terms>) -> bool {
        match terms {
            Some(terms) => terms.ice.as_ref().is_some_and(|ice| ice.full.is_none()),
            None => self.way.side == IceSide::Lite,
        }
    }
}
