//! Unpredictable values for pure code: the shell seeds it once, so a test can replay a run.

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// A cryptographic generator seeded by the shell.
///
/// Tags, branches and SSRCs come from here; RFC 3261 section 19.3 wants at least 32 random bits in
/// a tag, we use 64.
#[derive(Debug)]
pub struct Entropy(StdRng);

impl Entropy {
    /// `seed` comes from the operating system in the product and is fixed in tests.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }

    /// A child generator, for a part that is to be independent of the order of its siblings' draws.
    pub fn fork(&mut self) -> Self {
        Self::new(self.seed())
    }

    /// For a generator that is made elsewhere.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    pub fn next_u16(&mut self) -> u16 {
        (self.0.next_u32() >> 16) as u16
    }

    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 64 random bits in lower-case hexadecimal: 16 characters, a valid SIP token.
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.0.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_tokens_and_a_fork_differs() {
        let (mut a, mut b) = (Entropy::new([7; 32]), Entropy::new([7; 32]));
        assert_eq!(a.token(), b.token());
        let mut child = a.fork();
        assert_ne!(child.token(), b.token());
        assert_eq!(a.token().len(), 16);
    }
}
