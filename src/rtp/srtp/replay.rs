//! Which packet indices have come: the rollover counter (RFC 3711 section 3.3.1) and the replay
//! list (section 3.3.2) of one stream.

use crate::rtp::sequence::Sequence;

/// Indices that are told apart; RFC 3711 wants 64 at least. Later than by so many packets nothing can be
/// played any more.
const WINDOW: u64 = 128;

/// The highest index that came, and which of the [`WINDOW`] up to it did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    highest: u64,
    /// Bit n: `highest` less n has come.
    seen: u128,
}

impl Window {
    /// After the first packet of all.
    pub(super) const fn new(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    /// The index of a packet with this sequence number: the one nearest to the highest. `None` before
    /// the stream's beginning.
    pub(super) fn index_of(&self, sequence: Sequence) -> Option<u64> {
        index_after(self.highest, sequence)
    }

    /// Not yet here, and not too old to tell.
    pub(super) fn is_new(&self, index: u64) -> bool {
        let Some(age) = self.highest.checked_sub(index) else { return true };
        age < WINDOW && self.seen & (1 << age) == 0
    }

    /// Notes an authenticated packet.
    pub(super) fn note(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(age) if age < WINDOW => self.seen |= 1 << age,
            Some(_) => {}
            None => {
                let step = u32::try_from(index - self.highest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
                self.highest = index;
            }
        }
    }
}

/// The index, rollover counter and sequence number, that is nearest to `highest`. `None` outside of the
/// 48 bits that an index has.
pub(super) fn index_after(highest: u64, sequence: Sequence) -> Option<u64> {
    let known = Sequence((highest & 0xFFFF) as u16);
    let index = highest.checked_add_signed(sequence.since(known).into())?;
    (index >> 48 == 0).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Entropy;

    #[test]
    fn the_rollover_counter_follows_both_ways_over_the_wrap() {
        let cases = [
            (0x0_FFFF, 0, Some(0x1_0000)),
            (0x0_FFFE, 3, Some(0x1_0003)),
            (0x1_0002, 0xFFFF, Some(0x0_FFFF)),
            (0x1_0002, 3, Some(0x1_0003)),
            (0x5_8000, 0x7FFF, Some(0x5_7FFF)),
            (0x5_8001, 0, Some(0x6_0000)),
            (0x0_0002, 0xFFFF, None),
            (0xFFFF_FFFF_FFFF, 0, None),
        ];
        for (highest, sequence, expected) in cases {
            assert_eq!(
                index_after(highest, Sequence(sequence)),
                expected,
                "{highest:x} {sequence}"
            );
        }
    }

    /// Against a list of all that came.
    #[test]
    fn each_index_is_new_once_and_never_when_it_is_old() {
        let mut entropy = Entropy::new([5; 32]);
        for round in 0..50 {
            let start = u64::from(entropy.next_u32() >> (round % 30));
            let mut window = Window::new(start);
            let (mut came, mut highest) = (vec![start], start);
            for _ in 0..2_000 {
                let step = i64::from(entropy.next_u16() % 400) - 250;
                let Some(index) = highest.checked_add_signed(step) else { continue };
                let is_new = !came.contains(&index) && index + WINDOW > highest;
                assert_eq!(window.is_new(index), is_new, "{index} after {highest}");
                if is_new {
                    window.note(index);
                    came.push(index);
                    highest = highest.max(index);
                }
            }
        }
    }

    #[test]
    fn a_leap_forgets_what_lies_behind() {
        let mut window = Window::new(10);
        window.note(u64::from(u32::MAX) * 3);
        assert!(!window.is_new(10) && !window.is_new(u64::from(u32::MAX) * 3));
        assert!(window.is_new(u64::from(u32::MAX) * 3 - 127));
        assert!(!window.is_new(u64::from(u32::MAX) * 3 - 128));
    }
}
