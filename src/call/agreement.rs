//! Offer and answer in one call (RFC 3264): what was agreed, and the plan for the media from it.
//!
//! Joins `sdp`, which knows descriptions, with `media`, which must know only the outcome.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::media::{DtmfPlan, Handshake, PayloadTypes, Plan};
use crate::base::handshake::{Fingerprint, IceCredentials, LocalIce, Setup, Terms};
use crate::base::{Entropy, Private, Protection, SrtpSuite};
use crate::codec::EncoderSettings;
use crate::sdp::{
    self, Direction, Keys, Local, LocalHandshake, Negotiated, OfferedKeys, Offering, Refusal,
    Revision, Srtp,
};

/// Where the peer is to send to, and what is encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    pub address: IpAddr,
    /// Of RTP; RTCP has the next one.
    pub port: u16,
    /// The session id of our `o=` line.
    pub id: u64,
    /// Whether this call is encrypted; `None`: as the offering says.
    pub srtp: Option<Srtp>,
    /// How this call's offers bring keys; `None`: as the offering says.
    #[serde(default)]
    pub keys: Option<OfferedKeys>,
    /// Of our certificate; `None`: no keys by DTLS.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// How ICE finds this end.
    #[serde(default)]
    pub ice: LocalIce,
    /// What our keys are made from. A flight record has neither it nor the keys.
    #[serde(skip)]
    pub seed: Private<[u8; 32]>,
}

/// What of [`LocalMedia`] depends on the way to the peer: another peer of the same call has its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Towards {
    pub address: IpAddr,
    pub srtp: Option<Srtp>,
    pub keys: Option<OfferedKeys>,
}

/// Numbers that no two agreements of one call have in common: the one before lives on while somebody else
/// is called.
#[derive(Debug)]
struct Numbers {
    associations: AtomicU32,
    ice_sessions: AtomicU32,
}

/// The offer and answer of one call.
#[derive(Debug)]
pub struct Agreement {
    /// As configured: what one peer wants or has shown says nothing of another.
    configured: Offering,
    offering: Offering,
    local: Local,
    revision: Revision,
    entropy: Entropy,
    /// The suite under which the call is encrypted.
    suite: Option<SrtpSuite>,
    /// Those that were, since the last description of ours: until the next one a branch may still answer to
    /// the keys that stand in it.
    given_up: Vec<SrtpSuite>,
    /// The DTLS association that there is, and its number.
    association: Option<(u32, Box<Terms>)>,
    /// We hold the peer.
    holds: bool,
    numbers: Arc<Numbers>,
}

impl Agreement {
    pub fn new(offering: Offering, media: &LocalMedia) -> Self {
        let mut entropy = Entropy::new(*media.seed.reveal());
        let keys = Keys::random(&mut entropy);
        let handshake = media.fingerprint.clone().map(|fingerprint| LocalHandshake {
            fingerprint,
            ice: ice_credentials(media.id, 0, &mut entropy),
            next_ice: ice_credentials(media.id, 1, &mut entropy),
            their_ice: None,
            role: None,
            way: media.ice.clone(),
        });
        let (address, port, id) = (media.address, media.port, media.id);
        let local = Local { address, port, id, keys, handshake };
        Self {
            offering: offered(&offering, media.srtp, media.keys),
            configured: offering,
            local,
            revision: Revision::default(),
            entropy,
            suite: None,
            given_up: Vec::new(),
            association: None,
            holds: false,
            numbers: Arc::new(Numbers {
                associations: AtomicU32::new(0),
                ice_sessions: AtomicU32::new(1),
            }),
        }
    }

    /// What is to be agreed on with somebody else who takes the peer's place: the same sockets, by what goes
    /// for that peer, and keys that nobody has had.
    pub fn with_another(&mut self, towards: &Towards) -> Self {
        let mut entropy = Entropy::new(self.entropy.seed());
        let keys = Keys::random(&mut entropy);
        let mut handshake = self.local.handshake.clone();
        if let Some(ours) = &mut handshake {
            let id = self.local.id;
            ours.ice = ice_credentials(id, next(&self.numbers.ice_sessions), &mut entropy);
            ours.next_ice = ice_credentials(id, next(&self.numbers.ice_sessions), &mut entropy);
            (ours.their_ice, ours.role) = (None, None);
        }
        Self {
            configured: self.configured.clone(),
            offering: offered(&self.configured, towards.srtp, towards.keys),
            local: Local { address: towards.address, keys, handshake, ..self.local.clone() },
            revision: Revision::default(),
            entropy,
            suite: None,
            given_up: Vec::new(),
            association: None,
            holds: self.holds,
            // Its keys are never taken for those of another association.
            numbers: Arc::clone(&self.numbers),
        }
    }

    /// The DTLS association that protects the call, with its number: another number is another one.
    pub fn association(&self) -> Option<(u32, &Terms)> {
        self.association.as_ref().map(|(number, terms)| (*number, terms.as_ref()))
    }

    /// Our answer to the peer's offer.
    ///
    /// # Errors
    /// As [`sdp::answer`]; what was agreed before stays.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Plan), Refusal> {
        self.renew();
        let answer = self.revision.answer(offer, &self.offering, &self.local, self.holds)?;
        Ok((answer.body, self.agreed(&answer.negotiated)))
    }

    /// Whether the peer is held from our next description on.
    pub const fn hold(&mut self, holds: bool) {
        self.holds = holds;
    }

    /// Our offer, where the peer made none or something of ours changes.
    pub fn offer(&mut self) -> Vec<u8> {
        self.renew();
        let direction = if self.holds { Direction::SendOnly } else { Direction::SendRecv };
        self.revision.offer(&self.offering, &self.local, direction)
    }

    /// Our offer with other names of ICE, by which the way is found anew under the keys that there are
    /// (RFC 8839 section 4.4.1.1.1).
    pub fn restart(&mut self) -> Vec<u8> {
        if let Some(ours) = &mut self.local.handshake {
            let session = next(&self.numbers.ice_sessions);
            let fresh = ice_credentials(self.local.id, session, &mut self.entropy);
            ours.ice = std::mem::replace(&mut ours.next_ice, fresh);
        }
        self.offer()
    }

    /// The peer's answer to our offer.
    ///
    /// # Errors
    /// As [`sdp::accept`].
    pub fn accept(&mut self, answer: &[u8]) -> Result<Plan, Refusal> {
        let negotiated = sdp::accept(&self.offering, &self.local, answer)?;
        Ok(self.agreed(&negotiated))
    }

    /// Keys of ours that are given up are not offered again.
    fn renew(&mut self) {
        for suite in std::mem::take(&mut self.given_up) {
            if self.suite != Some(suite) {
                self.local.keys.renew(suite, &mut self.entropy);
            }
        }
    }

    fn agreed(&mut self, negotiated: &Negotiated) -> Plan {
        let suite = negotiated.protection.keying().map(|keying| keying.suite);
        let before = std::mem::replace(&mut self.suite, suite);
        if let Some(before) = before.filter(|_| before != suite)
            && !self.given_up.contains(&before)
        {
            self.given_up.push(before);
        }
        let handshake = match &negotiated.protection {
            Protection::Handshake(terms) => Some(self.associate(terms)),
            Protection::Plain | Protection::Keys(_) => {
                self.association = None;
                self.local.handshake.iter_mut().for_each(|ours| ours.role = None);
                None
            }
        };
        plan(negotiated, handshake)
    }

    fn associate(&mut self, terms: &Terms) -> Handshake {
        let before = self.association.take();
        let before = before.filter(|(_, before)| terms.continue_association(before));
        let number = before.map_or_else(|| next(&self.numbers.associations), |(number, _)| number);
        let mut terms = Box::new(terms.clone());
        // What the other end knows of keys by DTLS it has shown: our later offers have them as well.
        self.offering.keys = OfferedKeys::Dtls;
        if let Some(ours) = &mut self.local.handshake {
            match terms.setup {
                Setup::Active | Setup::Passive => ours.role = Some(terms.setup),
                // The association that is put off keeps its side.
                Setup::HoldConnection => terms.setup = ours.role.unwrap_or(terms.setup),
            }
            if let Some(ice) = &terms.ice {
                ours.their_ice = Some(ice.theirs.clone());
                if ours.next_ice == ice.ours {
                    ours.ice = ice.ours.clone();
                    let session = next(&self.numbers.ice_sessions);
                    ours.next_ice = ice_credentials(self.local.id, session, &mut self.entropy);
                }
            }
        }
        let has_ice = terms.ice.is_some();
        self.association = Some((number, terms));
        Handshake { association: number, has_ice }
    }
}

/// What one peer is offered.
fn offered(configured: &Offering, srtp: Option<Srtp>, keys: Option<OfferedKeys>) -> Offering {
    let srtp = srtp.unwrap_or(configured.srtp);
    let keys = keys.unwrap_or(configured.keys);
    Offering { srtp, keys, ..configured.clone() }
}

/// The number after the last one that was given.
fn next(last: &AtomicU32) -> u32 {
    // One call is one thread's at a time: nothing else is ordered by it.
    last.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

/// The name is no secret and of the record: a replay has the same. The password is of 128 bits.
fn ice_credentials(id: u64, session: u32, entropy: &mut Entropy) -> IceCredentials {
    let fragment = format!("{id:08x}{session:02x}");
    let password = format!("{}{}", entropy.token(), entropy.token());
    IceCredentials { fragment, password: Private::new(password) }
}

fn plan(agreed: &Negotiated, handshake: Option<Handshake>) -> Plan {
    let protection = match (&agreed.protection, handshake) {
        (Protection::Keys(keying), _) => Protection::Keys(keying.clone()),
        (Protection::Handshake(_), Some(handshake)) => Protection::Handshake(handshake),
        (Protection::Plain, _) | (Protection::Handshake(_), None) => Protection::Plain,
    };
    Plan {
        remote: Private::new(agreed.remote),
        remote_rtcp: Private::new(agreed.remote_rtcp),
        rtcp_mux: agreed.has_rtcp_mux,
        codec: agreed.codec,
        encoder: EncoderSettings {
            bitrate_bps: agreed.opus.max_average_bitrate_bps,
            inband_fec: agreed.opus.has_inband_fec,
            ..EncoderSettings::default()
        },
        tx_payload_type: agreed.tx_payload_type,
        rx: agreed.rx_payload_types.iter().copied().collect::<PayloadTypes>(),
        dtmf: agreed.dtmf.map(|dtmf| DtmfPlan {
            tx_payload_type: dtmf.tx_payload_type,
            rx_payload_type: dtmf.rx_payload_type,
            clock_hz: dtmf.clock_rate_hz,
        }),
        ptime_ms: agreed.ptime_ms,
        sends: agreed.direction.sends(),
        receives: agreed.direction.receives(),
        protection,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;

    const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";

    fn agreement(srtp: Option<Srtp>) -> Agreement {
        let offering = Offering {
            codecs: vec![Codec::Pcmu],
            dtmf: true,
            ptime_ms: 20,
            srtp: Srtp::Optional,
            keys: OfferedKeys::Sdes,
        };
        let address = "192.0.2.1".parse().unwrap();
        let seed = Private::new([7; 32]);
        let fingerprint = Some(Fingerprint::of(b"ours"));
        let media = LocalMedia {
            address,
            port: 4_000,
            id: 1,
            srtp,
            keys: None,
            fingerprint,
            ice: LocalIce::default(),
            seed,
        };
        Agreement::new(offering, &media)
    }

    fn offer(suite: Option<&str>) -> Vec<u8> {
        let crypto = suite.map(|suite| format!("a=crypto:1 {suite} inline:{KEY}\r\n"));
        let head = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5000 RTP/AVP 0\r\n";
        format!("{head}{}", crypto.unwrap_or_default()).into_bytes()
    }

    #[test]
    fn our_key_stays_as_long_as_it_is_used_and_never_comes_back() {
        let (long, short) = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32");
        let mut agreement = agreement(None);
        let mut key = |suite: Option<&str>| {
            let (_, plan) = agreement.answer(&offer(suite)).unwrap();
            plan.protection.keying().map(|keying| keying.tx.clone())
        };
        let first = key(Some(long));
        assert!(first.is_some() && key(Some(long)) == first);
        let other = key(Some(short));
        let mut all = vec![first, other];
        for suite in [Some(long), None, Some(long), Some(short), Some(long)] {
            let next = key(suite);
            assert_eq!(next.is_some(), suite.is_some());
            assert!(next.is_none() || !all.contains(&next), "{suite:?}");
            all.push(next);
        }
    }

    #[test]
    fn what_one_call_wants_goes_before_what_all_want() {
        let plain = offer(None);
        assert!(agreement(None).answer(&plain).is_ok());
        assert_eq!(agreement(Some(Srtp::Required)).answer(&plain).unwrap_err().status, 488);
        let crypto = offer(Some("AES_CM_128_HMAC_SHA1_80"));
        let (_, plan) = agreement(Some(Srtp::Off)).answer(&crypto).unwrap();
        assert_eq!(plan.protection, Protection::Plain);
    }

    #[test]
    fn an_association_has_a_number_of_its_own_and_ours_keeps_its_names_until_the_peers_change() {
        let mut agreement = agreement(None);
        let mut agreed = |certificate: &[u8], ice: &str, setup: &str| {
            let fingerprint = Fingerprint::of(certificate);
            let offer = format!(
                "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5000 UDP/TLS/RTP/SAVPF 0\r\n\
                 a=rtcp-mux\r\na=fingerprint:{fingerprint}\r\na=setup:{setup}\r\n\
                 a=ice-ufrag:{ice}\r\na=ice-pwd:0123456789012345678901\r\n"
            );
            agreement.answer(offer.as_bytes()).unwrap();
            let (number, terms) = agreement.association().unwrap();
            (number, terms.setup, terms.ice.clone().unwrap().ours)
        };
        let first = agreed(b"a", "aaaa", "actpass");
        assert_eq!((first.0, first.1), (1, Setup::Active));
        assert_eq!(agreed(b"a", "aaaa", "actpass"), first);
        assert_eq!(agreed(b"a", "aaaa", "holdconn"), first, "put off, it goes on");
        let restarted = agreed(b"a", "bbbb", "passive");
        assert_eq!((restarted.0, restarted.1), (1, Setup::Active));
        assert!(restarted.2 != first.2 && restarted.2.fragment != first.2.fragment);
        assert_eq!(agreed(b"b", "bbbb", "actpass").0, 2);
        assert_eq!((agreed(b"b", "bbbb", "active").0), 3, "the roles have changed");
        assert_eq!(agreed(b"b", "bbbb", "actpass").1, Setup::Passive);
        agreement.answer(&offer(None)).unwrap();
        assert_eq!(agreement.association(), None);
    }

    #[test]
    fn a_restart_has_other_names_of_ice_and_the_same_keys() {
        let mut agreement = agreement(None);
        let description = |ice: &str, setup: &str| {
            let fingerprint = Fingerprint::of(b"a");
            format!(
                "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5000 UDP/TLS/RTP/SAVPF 0\r\n\
                 a=rtcp-mux\r\na=fingerprint:{fingerprint}\r\na=setup:{setup}\r\n\
                 a=ice-ufrag:{ice}\r\na=ice-pwd:0123456789012345678901\r\n"
            )
        };
        agreement.answer(description("aaaa", "actpass").as_bytes()).unwrap();
        let (number, terms) = agreement.association().unwrap();
        let (number, before) = (number, terms.ice.clone().unwrap().ours);
        let offer = String::from_utf8(agreement.restart()).unwrap();
        assert!(!offer.contains(&before.fragment) && offer.contains("a=setup:actpass"), "{offer}");
        agreement.accept(description("bbbb", "passive").as_bytes()).unwrap();
        let (now, terms) = agreement.association().unwrap();
        let after = terms.ice.clone().unwrap();
        assert_eq!((now, after.theirs.fragment.as_str()), (number, "bbbb"));
        assert!(offer.contains(&after.ours.fragment) && after.ours != before);
    }

    #[test]
    fn another_peer_is_offered_what_goes_for_it_and_nothing_of_the_one_before() {
        let mut before = agreement(Some(Srtp::Required));
        let dtls = |certificate: &[u8]| {
            let fingerprint = Fingerprint::of(certificate);
            format!(
                "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5000 UDP/TLS/RTP/SAVP 0\r\n\
                 a=fingerprint:{fingerprint}\r\na=setup:actpass\r\n"
            )
        };
        before.answer(dtls(b"a").as_bytes()).unwrap();
        let ours = String::from_utf8(before.offer()).unwrap();
        assert!(ours.contains("UDP/TLS/RTP/SAVP"), "{ours}");
        let address = "198.51.100.7".parse().unwrap();
        let mut other = before.with_another(&Towards { address, srtp: None, keys: None });
        let theirs = String::from_utf8(other.offer()).unwrap();
        assert!(theirs.contains("c=IN IP4 198.51.100.7\r\n"), "{theirs}");
        assert!(theirs.contains("RTP/AVP 0") && !theirs.contains("UDP/TLS"), "{theirs}");
        // Both go on, and each begins another association.
        before.answer(dtls(b"b").as_bytes()).unwrap();
        other.answer(dtls(b"c").as_bytes()).unwrap();
        let numbers = [&before, &other].map(|one| one.association().unwrap().0);
        assert_eq!(numbers, [2, 3]);
    }

    #[test]
    fn who_has_keys_by_dtls_is_offered_them_again() {
        let mut agreement = agreement(None);
        let fingerprint = Fingerprint::of(b"a");
        let offer = format!(
            "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5000 UDP/TLS/RTP/SAVP 0\r\n\
             a=fingerprint:{fingerprint}\r\na=setup:active\r\n"
        );
        agreement.answer(offer.as_bytes()).unwrap();
        let ours = String::from_utf8(agreement.offer()).unwrap();
        assert!(ours.contains("UDP/TLS/RTP/SAVP") && ours.contains("a=setup:actpass"), "{ours}");
    }
}
