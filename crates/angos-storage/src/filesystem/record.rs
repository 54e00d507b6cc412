//! The record of a session: how much is acknowledged, and the hash of it so far.
//!
//! ```text
//! magic 16 | boot 16 | offset 8, little endian | saved hasher … | sha256 of all before 32
//! ```
//! It is read as untrusted: whatever does not fit makes the content be read again, never a wrong digest.

use angos_oci::{Algorithm, Digest, Hasher};

const MAGIC: &[u8; 16] = b"angos-session-1\n";

const CHECKSUM_BYTES: usize = Algorithm::Sha256.byte_len();

/// What is acknowledged of a session.
#[derive(Debug)]
pub(super) struct Record {
    /// The boot of the machine that wrote it. Content is not synced before the commit, so that after another
    /// boot it may not be what was hashed.
    pub(super) boot: [u8; 16],
    /// Acknowledged bytes.
    pub(super) offset: u64,
    /// The hash of these bytes.
    pub(super) hasher: Hasher,
}

impl Record {
    pub(super) fn encode(boot: [u8; 16], offset: u64, hasher: &Hasher) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&boot);
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&hasher.save());
        let checksum = Digest::of(Algorithm::Sha256, &bytes);
        bytes.extend_from_slice(checksum.bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
        let (content, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        if Digest::of(Algorithm::Sha256, content).bytes() != checksum {
            return None;
        }
        let rest = content.strip_prefix(MAGIC)?;
        let (boot, rest) = rest.split_first_chunk::<16>()?;
        let (offset, saved) = rest.split_first_chunk::<8>()?;
        let hasher = Hasher::restore(saved).ok()?;
        Some(Record { boot: *boot, offset: u64::from_le_bytes(*offset), hasher })
    }
}

/// Names this boot of the machine; random where the system does not say, which trusts less.
pub(super) fn boot() -> [u8; 16] {
    let mut name = [0; 16];
    let told = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    match told.and_then(|text| u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()) {
        Some(id) => name = id.to_be_bytes(),
        None => drop(getrandom::fill(&mut name)),
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Vec<u8> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"so far");
        Record::encode([7; 16], 6, &hasher)
    }

    /// The record with a checksum that is right for it.
    fn sealed(mut content: Vec<u8>) -> Vec<u8> {
        let checksum = Digest::of(Algorithm::Sha256, &content);
        content.extend_from_slice(checksum.bytes());
        content
    }

    #[test]
    fn a_record_continues_the_hash() {
        let mut record = Record::decode(&valid()).unwrap();
        assert_eq!((record.boot, record.offset), ([7; 16], 6));
        record.hasher.update(b", so good");
        assert_eq!(record.hasher.finish(), Digest::of(Algorithm::Sha256, b"so far, so good"));
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_noticed() {
        let valid = valid();
        for index in 0..valid.len() {
            let mut damaged = valid.clone();
            damaged[index] ^= 1;
            assert!(Record::decode(&damaged).is_none(), "byte {index}");
            assert!(Record::decode(&valid[..index]).is_none(), "cut to {index}");
        }
    }

    #[test]
    fn a_record_that_is_sealed_but_wrong_is_refused() {
        let content = valid()[..valid().len() - CHECKSUM_BYTES].to_vec();
        for (what, hostile) in [
            ("empty", vec![]),
            ("magic only", MAGIC.to_vec()),
            ("no hasher", content[..40].to_vec()),
            ("hasher cut", content[..content.len() - 1].to_vec()),
            ("hasher long", [content.clone(), vec![0; 300]].concat()),
            ("zeros", vec![0; 200]),
        ] {
            assert!(Record::decode(&sealed(hostile)).is_none(), "{what}");
        }
    }
}
