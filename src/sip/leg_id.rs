//! The name of one side of a call, whatever way it came by.

use serde::{Deserialize, Serialize};

use crate::base::Way;

/// One side of a call: an INVITE usage, or a visit, which is a leg that is no SIP.
///
/// The upper byte is the way, so that those who number legs (the user agent, and each other way) never
/// give one number twice, and a command finds back to whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LegId(pub u64);

/// Bits below the way.
const NUMBER_BITS: u32 = 56;

impl LegId {
    /// The leg with this number among those of the way.
    pub const fn of(way: Way, number: u64) -> Self {
        let way = match way {
            Way::Sip => 0,
            Way::WebRtc => 1,
            Way::WebSocket => 2,
            Way::Handset => 3,
        };
        Self(number & ((1 << NUMBER_BITS) - 1) | way << NUMBER_BITS)
    }

    /// Whose leg it is.
    pub const fn way(self) -> Way {
        match self.0 >> NUMBER_BITS {
            1 => Way::WebRtc,
            2 => Way::WebSocket,
            3 => Way::Handset,
            _ => Way::Sip,
        }
    }

    /// It is no SIP: nobody can be referred or replaced by it.
    pub const fn is_visit(self) -> bool {
        !matches!(self.way(), Way::Sip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_of_different_ways_never_have_the_same_id() {
        let all = Way::ALL.map(|way| LegId::of(way, 7));
        assert_eq!(all[0], LegId(7));
        assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(all.map(LegId::way), Way::ALL);
        assert_eq!(all.map(LegId::is_visit), [false, true, true, true]);
        assert_eq!(LegId::of(Way::WebRtc, u64::MAX).way(), Way::WebRtc);
    }
}
