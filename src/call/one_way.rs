//! One side hears nothing: which one, and what speaks for which cause.
//!
//! Told once the call is answered and both sides should send: 5 s without a packet since the begin, 10 s in
//! the middle of a call (some telephones send nothing while they are silent), or RTCP reports
//! of the peer's that have counted nothing of ours. A peer whose packets come with nothing in them is muted,
//! which is something else. Causes are looked for from the surest sign to the weakest.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::media::{Plan, Report};
use crate::base::address::is_private;

/// Silence on the line that is no slow start.
const AT_BEGIN: Duration = Duration::from_secs(5);
/// The same in the middle of a call.
const LATER: Duration = Duration::from_secs(10);
/// Packets without sound for so long are a muted telephone's; who listens breathes.
const MUTED: Duration = Duration::from_secs(30);
/// Reports of the peer's in a row that have counted nothing of ours.
const DEAF_REPORTS: u32 = 2;
/// Packets of a stranger that are a stream.
const STREAM: u64 = 10;

/// Who does not hear the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Nothing comes from the peer.
    Incoming,
    /// Nothing of ours reaches the peer.
    Outgoing,
}

impl Side {
    /// A word for logs, metrics and the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }
}

/// What speaks for which cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// Our packets come back as undeliverable (ICMP): nobody listens there.
    Unreachable,
    /// Packets come from the peer's own address, but from another port than was described, and not as a
    /// stream that could be learnt in time.
    OtherPort,
    /// Packets come from another address, too late or too irregular to be learnt.
    OtherAddress,
    /// What comes is no RTP, or of a codec that was not agreed.
    NotUnderstood,
    /// The peer described a private address while it signals from a public one: a NAT is between.
    PrivateAddress,
    /// Packets come, and all of them are silent: the peer is muted.
    Muted,
    /// Nothing points anywhere: a firewall, or a peer that sends nothing.
    Unknown,
}

impl Why {
    /// A word for logs, metrics and the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::OtherPort => "other-port",
            Self::OtherAddress => "other-address",
            Self::NotUnderstood => "not-understood",
            Self::PrivateAddress => "private-address",
            Self::Muted => "muted",
            Self::Unknown => "unknown",
        }
    }

    /// A sentence for the owner.
    pub const fn page(self) -> &'static str {
        match self {
            Self::Unreachable => "Nobody takes our sound where it was to go.",
            Self::OtherPort => "Sound came from another port than was agreed.",
            Self::OtherAddress => "Sound came from another address than was agreed.",
            Self::NotUnderstood => "What came was no sound that was agreed.",
            Self::PrivateAddress => {
                "The other end is behind a router and named an address that only its own network knows."
            }
            Self::Muted => "The other end sent silence only: it is muted.",
            Self::Unknown => "No packet came, and nothing says why.",
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OneWay {
    pub side: Side,
    pub why: Why,
}

/// Watches one call, from its answer on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    /// Since when the line has been as it is.
    arrived: Since,
    sounded: Since,
    /// At the begin of the media or of its last change.
    base: Report,
    last: Report,
    /// A NAT that signalling has passed and media may not.
    behind_nat: bool,
    both_send: bool,
    told: Option<OneWay>,
}

/// A count and when it was last seen to grow.
#[derive(Clone, Copy, Debug)]
struct Since {
    count: u64,
    at: Instant,
}

impl Since {
    fn see(&mut self, now: Instant, count: u64) -> Duration {
        if count != self.count {
            *self = Self { count, at: now };
        }
        now.saturating_duration_since(self.at)
    }
}

impl Watch {
    /// `signals_from` is where the peer's signalling comes from.
    pub(super) fn new(now: Instant, plan: &Plan, signals_from: IpAddr, report: &Report) -> Self {
        let described = plan.remote.reveal().ip();
        Self {
            arrived: Since { count: report.received, at: now },
            sounded: Since { count: report.sound_ms, at: now },
            base: *report,
            last: *report,
            behind_nat: is_local(described) && !is_local(signals_from),
            both_send: plan.sends && plan.receives,
            told: None,
        }
    }

    /// Takes the next report; what is new of a line that works one way only.
    pub(super) fn report(&mut self, now: Instant, report: &Report) -> Option<OneWay> {
        let before = std::mem::replace(&mut self.last, *report);
        let quiet = self.arrived.see(now, report.received);
        let soundless = self.sounded.see(now, report.sound_ms);
        if !self.both_send || report.sent == before.sent {
            // On hold nobody has to be heard.
            (self.arrived.at, self.sounded.at) = (now, now);
            return None;
        }
        let patience = match report.received == self.base.received {
            true => AT_BEGIN,
            false => LATER,
        };
        let found = if quiet >= patience {
            Some(OneWay { side: Side::Incoming, why: self.why_incoming(report) })
        } else if report.deaf_reports >= DEAF_REPORTS && self.is_deafness(report) {
            Some(OneWay { side: Side::Outgoing, why: self.why_outgoing(report) })
        } else if soundless >= MUTED {
            Some(OneWay { side: Side::Incoming, why: Why::Muted })
        } else {
            None
        };
        let is_new = found.is_some() && found != self.told;
        self.told = found;
        found.filter(|_| is_new)
    }

    /// Some telephones report on nobody, ever: without any other sign that says nothing.
    fn is_deafness(&self, report: &Report) -> bool {
        report.peer_loss.is_some() || self.why_outgoing(report) != Why::Unknown
    }

    fn why_incoming(&self, report: &Report) -> Why {
        let since = |count: fn(&Report) -> u64| count(report).saturating_sub(count(&self.base));
        if since(|report| report.other_port) >= STREAM {
            Why::OtherPort
        } else if since(|report| report.foreign) >= STREAM {
            Why::OtherAddress
        } else if since(|report| report.malformed) >= STREAM {
            Why::NotUnderstood
        } else {
            self.why_outgoing(report)
        }
    }

    fn why_outgoing(&self, report: &Report) -> Why {
        if report.refused > self.base.refused {
            Why::Unreachable
        } else if self.behind_nat {
            Why::PrivateAddress
        } else {
            Why::Unknown
        }
    }
}

/// An address that has no meaning in the Internet: private, or shared by a provider's customers (RFC 6598).
fn is_local(ip: IpAddr) -> bool {
    let is_shared = match ip.to_canonical() {
        IpAddr::V4(ip) => matches!(ip.octets(), [100, 64..128, ..]),
        IpAddr::V6(_) => false,
    };
    is_shared || is_private(ip)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::base::{Private, Protection};
    use crate::call::media::PayloadTypes;
    use crate::codec::{Codec, EncoderSettings};

    fn plan(remote: &str) -> Plan {
        let remote: SocketAddr = remote.parse().unwrap();
        Plan {
            remote: Private::new(remote),
            remote_rtcp: Private::new(remote),
            rtcp_mux: false,
            codec: Codec::Pcmu,
            encoder: EncoderSettings::default(),
            tx_payload_type: 0,
            rx: PayloadTypes::default(),
            dtmf: None,
            ptime_ms: 20,
            sends: true,
            receives: true,
            protection: Protection::Plain,
        }
    }

    /// What was told when, in seconds, of a call whose reports are made by `second`.
    fn told(plan: &Plan, seconds: u64, second: impl Fn(u64, &mut Report)) -> Vec<(u64, OneWay)> {
        let began = Instant::now();
        let mut report = Report::default();
        let mut watch = Watch::new(began, plan, "192.0.2.10".parse().unwrap(), &report);
        let mut told = Vec::new();
        for at in 1..=seconds {
            report.sent += 50;
            second(at, &mut report);
            let now = began + Duration::from_secs(at);
            told.extend(watch.report(now, &report).map(|found| (at, found)));
        }
        told
    }

    fn hears(report: &mut Report) {
        report.received += 50;
        report.sound_ms += 1_000;
    }

    #[test]
    fn each_sign_has_its_cause() {
        use Side::{Incoming, Outgoing};
        /// Name, described address, what each second brings, and what is told when.
        type Case = (&'static str, &'static str, fn(u64, &mut Report), Vec<(u64, OneWay)>);
        let cases: [Case; 13] = [
            ("both hear", "192.0.2.1:4000", |_, report| hears(report), vec![]),
            (
                "nothing comes",
                "192.0.2.1:4000",
                |_, _| (),
                vec![(5, OneWay { side: Incoming, why: Why::Unknown })],
            ),
            (
                "behind a NAT",
                "10.1.2.3:4000",
                |_, _| (),
                vec![(5, OneWay { side: Incoming, why: Why::PrivateAddress })],
            ),
            (
                "nobody listens",
                "10.1.2.3:4000",
                |_, report| report.refused += 1,
                vec![(5, OneWay { side: Incoming, why: Why::Unreachable })],
            ),
            (
                "another port",
                "192.0.2.1:4000",
                |_, report| (report.other_port, report.foreign) = (report.other_port + 50, 99),
                vec![(5, OneWay { side: Incoming, why: Why::OtherPort })],
            ),
            (
                "another address",
                "10.1.2.3:4000",
                |_, report| report.foreign += 50,
                vec![(5, OneWay { side: Incoming, why: Why::OtherAddress })],
            ),
            (
                "another codec",
                "192.0.2.1:4000",
                |_, report| report.malformed += 50,
                vec![(5, OneWay { side: Incoming, why: Why::NotUnderstood })],
            ),
            (
                "the peer hears nothing",
                "172.20.0.1:4000",
                |_, report| {
                    hears(report);
                    report.deaf_reports += 1;
                },
                vec![(2, OneWay { side: Outgoing, why: Why::PrivateAddress })],
            ),
            (
                "a telephone that reports on nobody",
                "192.0.2.1:4000",
                |_, report| {
                    hears(report);
                    report.deaf_reports += 1;
                },
                vec![],
            ),
            (
                "it heard us, and hears nothing now",
                "192.0.2.1:4000",
                |_, report| {
                    hears(report);
                    (report.peer_loss, report.deaf_reports) = (Some(1.0), report.deaf_reports + 1);
                },
                vec![(2, OneWay { side: Outgoing, why: Why::Unknown })],
            ),
            (
                "muted after ten seconds",
                "192.0.2.1:4000",
                |at, report| {
                    report.received += 50;
                    report.sound_ms += if at <= 10 { 1_000 } else { 0 };
                },
                vec![(40, OneWay { side: Incoming, why: Why::Muted })],
            ),
            (
                "it stops in the middle, and comes back",
                "192.0.2.1:4000",
                |at, report| {
                    if !(20..40).contains(&at) {
                        hears(report);
                    }
                },
                vec![(29, OneWay { side: Incoming, why: Why::Unknown })],
            ),
            (
                "a pause of a telephone that sends nothing while it is silent",
                "192.0.2.1:4000",
                |at, report| {
                    if at % 9 < 2 {
                        hears(report);
                    }
                },
                vec![],
            ),
        ];
        for (name, remote, second, expected) in cases {
            assert_eq!(told(&plan(remote), 60, second), expected, "{name}");
        }
    }

    #[test]
    fn who_is_on_hold_has_to_hear_nothing() {
        let held = Plan { sends: false, ..plan("192.0.2.1:4000") };
        assert_eq!(told(&held, 60, |_, _| ()), []);
        let holds = Plan { receives: false, ..plan("192.0.2.1:4000") };
        assert_eq!(told(&holds, 60, |_, _| ()), []);
        let silent = told(&plan("192.0.2.1:4000"), 60, |_, report| report.sent = 0);
        assert_eq!(silent, []);
    }

    #[test]
    fn private_is_what_the_internet_does_not_route() {
        for (ip, expected) in [
            ("10.0.0.1", true),
            ("172.31.255.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("169.254.1.1", true),
            ("127.0.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(is_local(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
