//! The operating system's random numbers, from which every pure part's own are drawn.

use std::io;

use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::base::Entropy;

/// A generator that nobody can predict; fails only where the kernel has no random numbers.
pub fn entropy() -> io::Result<Entropy> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
    Ok(Entropy::new(seed))
}
