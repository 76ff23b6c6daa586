//! How often an account registers, and how long it waits after a failure: not every server wants what
//! RFC 3261 and RFC 5626 have.

use std::time::Duration;

/// When a registration is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// After half of its time, which leaves room for other servers; between two, pings show whether the
    /// server is there.
    HalfWay,
    /// So long before its end; it is the sign of life itself, and nothing else is sent.
    Before(Duration),
    /// So often, whatever time was granted; the same.
    Every(Duration),
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub renewal: Renewal,
    /// The wait after the first failure of all servers, doubled by each further one up to the most.
    pub back_off: Duration,
    pub back_off_most: Duration,
    /// A connection on which a REGISTER had no answer for so long is closed, and another one made;
    /// `None`: the SIP core's timer F.
    pub silent_after: Option<Duration>,
    /// How long is waited where the user has as many telephones as may be (603): a place becomes free
    /// when another one's registration runs out. `None`: 603 is a refusal as any.
    pub full_again: Option<Duration>,
    /// A server further back is left for the first one after this, with the next renewal and without calls.
    pub back_to_first: Duration,
}

impl Pace {
    pub const STANDARD: Self = Self {
        renewal: Renewal::HalfWay,
        back_off: super::BACK_OFF,
        back_off_most: super::BACK_OFF_MOST,
        silent_after: None,
        full_again: None,
        back_to_first: super::BACK_TO_FIRST,
    };

    /// RingCentral's WebPhone: registrations last a minute, and a lost connection is made again after
    /// 2 s, doubled up to a minute.
    pub const WEB_PHONE: Self = Self {
        renewal: Renewal::Before(Duration::from_secs(3)),
        back_off: Duration::from_secs(2),
        back_off_most: Duration::from_secs(60),
        silent_after: Some(Duration::from_secs(5)),
        full_again: Some(Duration::from_secs(60)),
        back_to_first: super::BACK_TO_FIRST,
    };

    /// A telephone of RingCentral's by TLS.
    pub const SOFTPHONE: Self =
        Self { renewal: Renewal::Every(Duration::from_secs(30)), ..Self::WEB_PHONE };

    /// When a registration that was granted for so long is renewed; `None`: half way.
    pub(super) fn renew_after(&self, granted: Duration) -> Option<Duration> {
        let least = super::APART;
        match self.renewal {
            Renewal::HalfWay => None,
            Renewal::Before(left) => Some(granted.saturating_sub(left).max(least)),
            Renewal::Every(every) => Some(every.min(granted.saturating_sub(least)).max(least)),
        }
    }
}
