//! Counters that wrap: sequence numbers of 16 bits and timestamps of 32 (RFC 3550 section 5.1),
//! and their extension to 64 bits that do not.

/// A sequence number as it stands on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub u16);

impl Sequence {
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Steps from `earlier` to here by the shorter way round: -32768 to 32767.
    pub fn since(self, earlier: Self) -> i16 {
        i16::from_ne_bytes(self.0.wrapping_sub(earlier.0).to_ne_bytes())
    }
}

/// A timestamp as it stands on the wire, in units of the codec's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    #[must_use]
    pub fn plus(self, units: u32) -> Self {
        Self(self.0.wrapping_add(units))
    }

    /// Units from `earlier` to here by the shorter way round.
    pub fn since(self, earlier: Self) -> i32 {
        i32::from_ne_bytes(self.0.wrapping_sub(earlier.0).to_ne_bytes())
    }
}

/// Follows a wrapping counter: each value becomes the 64-bit one nearest to the value before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended<T> {
    wire: T,
    value: i64,
}

impl<T: Copy> Extended<T> {
    /// Starts at `value` for `wire`.
    pub fn new(wire: T, value: i64) -> Self {
        Self { wire, value }
    }

    pub fn value(&self) -> i64 {
        self.value
    }
}

impl Extended<Sequence> {
    /// The extended value of `wire`, without following it.
    pub fn extend(&self, wire: Sequence) -> i64 {
        self.value + i64::from(wire.since(self.wire))
    }

    /// Makes `wire` the value that later ones are compared with.
    pub fn follow(&mut self, wire: Sequence) -> i64 {
        *self = Self { wire, value: self.extend(wire) };
        self.value
    }
}

impl Extended<RtpTime> {
    /// The extended value of `wire`, without following it.
    pub fn extend(&self, wire: RtpTime) -> i64 {
        self.value + i64::from(wire.since(self.wire))
    }

    /// Makes `wire` the value that later ones are compared with.
    pub fn follow(&mut self, wire: RtpTime) -> i64 {
        *self = Self { wire, value: self.extend(wire) };
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_over_the_wrap_and_back_for_stragglers() {
        let mut extended = Extended::new(Sequence(65_533), 65_533);
        let cases = [
            (65_534, 65_534),
            (1, 65_537),
            (65_535, 65_535),
            (0, 65_536),
            (32_767, 98_303),
            (65_500, 131_036),
            (3, 131_075),
        ];
        for (wire, expected) in cases {
            assert_eq!(extended.follow(Sequence(wire)), expected, "{wire}");
        }
        let mut time = Extended::new(RtpTime(u32::MAX - 10), 0);
        assert_eq!(time.follow(RtpTime(u32::MAX - 10).plus(160)), 160);
        assert_eq!(time.extend(RtpTime(u32::MAX)), 10);
        assert_eq!(time.value(), 160);
    }
}
