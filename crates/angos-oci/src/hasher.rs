//! Incremental hashing whose state can be put aside and taken up again.

use sha2::digest::Update;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

use crate::digest::{Algorithm, Digest};

/// Version of the layout [`Hasher::save`] writes: this byte, one for the algorithm, the state of `sha2` 0.11.
const VERSION: u8 = 1;

/// Computes a [`Digest`] piece by piece.
///
/// The state can be saved between two pieces and restored in another process, so an interrupted upload continues without
/// reading again what was already received.
#[derive(Debug, Clone)]
pub struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// Why saved bytes are not the state of a [`Hasher`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Written by a version that keeps another layout.
    #[error("the saved hash state has an unknown version")]
    Version,
    /// Names an algorithm this version does not compute.
    #[error("the saved hash state has an unknown algorithm")]
    Algorithm,
    /// Too short, too long, or not a state the algorithm can be in.
    #[error("the saved hash state is damaged")]
    Damaged,
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes the next piece of the content.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => Update::update(state, piece),
            State::Sha512(state) => Update::update(state, piece),
        }
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        match self.0 {
            State::Sha256(state) => Digest::from_hash(algorithm, &state.finalize()),
            State::Sha512(state) => Digest::from_hash(algorithm, &state.finalize()),
        }
    }

    /// The state so far, for [`Hasher::restore`]. About 100 bytes for SHA-256 and 200 for SHA-512.
    pub fn save(&self) -> Vec<u8> {
        match &self.0 {
            State::Sha256(state) => [&[VERSION, 1], state.serialize().as_slice()].concat(),
            State::Sha512(state) => [&[VERSION, 2], state.serialize().as_slice()].concat(),
        }
    }

    /// Takes up a saved state; continuing it gives the digest as if it had never been put aside.
    pub fn restore(saved: &[u8]) -> Result<Self, RestoreError> {
        let (version, rest) = saved.split_first().ok_or(RestoreError::Damaged)?;
        if *version != VERSION {
            return Err(RestoreError::Version);
        }
        let (algorithm, state) = rest.split_first().ok_or(RestoreError::Damaged)?;
        match algorithm {
            1 => deserialize::<Sha256, 32, 8>(state, 64).map(|state| Self(State::Sha256(state))),
            2 => deserialize::<Sha512, 64, 16>(state, 128).map(|state| Self(State::Sha512(state))),
            _ => Err(RestoreError::Algorithm),
        }
    }
}

/// Restores the state of `sha2`: `HASH` bytes of chaining value, `COUNT` bytes that count the blocks seen, the partial block.
fn deserialize<S: SerializableState, const HASH: usize, const COUNT: usize>(
    state: &[u8],
    block_bytes: u128,
) -> Result<S, RestoreError> {
    let count = state.get(HASH..HASH + COUNT).ok_or(RestoreError::Damaged)?;
    let blocks = count.iter().rev().fold(0_u128, |blocks, byte| blocks << 8 | u128::from(*byte));
    if blocks > crate::limits::HASHED_MAX_BYTES / block_bytes {
        return Err(RestoreError::Damaged);
    }
    let state = <&SerializedState<S>>::try_from(state).map_err(|_| RestoreError::Damaged)?;
    S::deserialize(state).map_err(|_| RestoreError::Damaged)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_no_state() {
        let check = |saved: &[u8], expected| {
            assert_eq!(Hasher::restore(saved).map(|_| ()), Err(expected), "{saved:?}");
        };
        check(&[], RestoreError::Damaged);
        check(&[VERSION], RestoreError::Damaged);
        check(&[0, 1], RestoreError::Version);
        check(&[VERSION, 3], RestoreError::Algorithm);
        for algorithm in Algorithm::ALL {
            let saved = Hasher::new(algorithm).save();
            check(&saved[..saved.len() - 1], RestoreError::Damaged);
            check(&[saved.as_slice(), &[0]].concat(), RestoreError::Damaged);
            // Bytes that lie beyond the buffered ones must be zero.
            let mut dirty = saved.clone();
            *dirty.last_mut().unwrap() = 1;
            check(&dirty, RestoreError::Damaged);
            let other = if algorithm == Algorithm::Sha256 { 2 } else { 1 };
            let mut swapped = saved;
            swapped[1] = other;
            check(&swapped, RestoreError::Damaged);
        }
    }

    #[test]
    fn refuses_to_have_seen_more_than_there_is() {
        // The seventh byte of the count (each 2^48 blocks) may go up to `most`.
        let check = |algorithm, count: Range<usize>, block_bytes: usize, most: u8| {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&vec![0; 3 * block_bytes + 1]);
            let saved = hasher.save();
            let mut expected = vec![0; count.len()];
            expected[0] = 3;
            assert_eq!(
                saved[count.clone()],
                expected,
                "the count is where we look for it, lowest byte first"
            );
            let with = |at: usize, byte: u8| {
                let mut damaged = saved.clone();
                damaged[count.start + at] = byte;
                Hasher::restore(&damaged)
            };
            let mut hasher = with(6, most).unwrap();
            hasher.update(&[0; 1000]);
            hasher.finish();
            assert_eq!(with(6, most + 1).err(), Some(RestoreError::Damaged));
            assert_eq!(with(count.len() - 1, 255).err(), Some(RestoreError::Damaged));
        };
        check(Algorithm::Sha256, 34..42, 64, 63);
        check(Algorithm::Sha512, 66..82, 128, 31);
    }

    proptest! {
        #[test]
        fn pieces_and_pauses_do_not_matter(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..6), long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let mut hasher = Hasher::new(algorithm);
            for piece in &pieces {
                hasher.update(piece);
                hasher = Hasher::restore(&hasher.save()).unwrap();
            }
            prop_assert_eq!(hasher.algorithm(), algorithm);
            prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &pieces.concat()));
        }

        #[test]
        fn restoring_anything_is_safe(version in 0_u8..2, algorithm in 0_u8..4, state in proptest::collection::vec(any::<u8>(), 0..220)) {
            if let Ok(mut hasher) = Hasher::restore(&[&[version, algorithm], state.as_slice()].concat()) {
                hasher.update(b"more");
                hasher.finish();
            }
        }
    }
}
