//! Each target with its seeds, and with what becomes of them by chance.

use std::fs;
use std::path::Path;

use super::*;
use crate::base::Entropy;

/// Mutations of each seed here; libFuzzer makes more.
const MUTATIONS: usize = 200;

fn seeds(target: Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target.name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

fn mutate(seed: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=entropy.next_u16() % 4 {
        let at = entropy.next_u32() as usize % (bytes.len() + 1);
        let end = (at + usize::from(entropy.next_u16() % 12)).min(bytes.len());
        match entropy.next_u16() % 5 {
            0 => bytes.insert(at, entropy.next_u16().to_be_bytes()[0]),
            1 => bytes.drain(at..end).for_each(drop),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy).for_each(drop);
            }
            3 if end > at => bytes[at] ^= 1 << (entropy.next_u16() % 8),
            3 => bytes.truncate(at),
            _ if end > at => {
                bytes[at] = [0, 0xff, b'"', b'\n', b';'][usize::from(entropy.next_u16() % 5)]
            }
            _ => bytes.push(0),
        }
    }
    bytes
}

#[test]
fn every_target_bears_its_seeds_and_their_mutations() {
    for target in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{} has no seed", target.name);
        let mut entropy = Entropy::new([6; 32]);
        (target.body)(&[]);
        for seed in seeds {
            (target.body)(&seed);
            for _ in 0..MUTATIONS {
                (target.body)(&mutate(&seed, &mut entropy));
            }
        }
    }
}

#[test]
fn a_target_is_found_by_its_name() {
    assert!(TARGETS.iter().all(|target| named(target.name).is_some()));
    assert!(named("none").is_none());
}
