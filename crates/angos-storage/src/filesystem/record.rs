//! The record of a session: how much is acknowledged, and the hash of it so far.
//!
//! ```text
//! magic 16 | boot 16 | offset 8, little endian | length of the hasher 2 | saved hasher … | sha256 of all before 32
//! ```
//! The file has two places for a record, written in turn, so that a write that fails half way leaves the record
//! before it. It is read as untrusted: what does not fit makes the content be read again, never a wrong digest.

use angos_oci::{Algorithm, Digest, Hasher};

use crate::limits::{RECORD_SLOT_BYTES, RECORD_SLOTS};

const MAGIC: &[u8; 16] = b"angos-session-2\n";

const CHECKSUM_BYTES: usize = Algorithm::Sha256.byte_len();

/// What is acknowledged of a session.
#[derive(Debug)]
pub(super) struct Record {
    /// The boot of the machine that wrote it. Without `sync` the content may not be what was hashed after another
    /// boot, so it is then read again.
    pub(super) boot: [u8; 16],
    /// Acknowledged bytes.
    pub(super) offset: u64,
    /// The hash of these bytes.
    pub(super) hasher: Hasher,
}

impl Record {
    /// The bytes for one place.
    pub(super) fn encode(boot: [u8; 16], offset: u64, hasher: &Hasher) -> Vec<u8> {
        let saved = hasher.save();
        let mut bytes = Vec::with_capacity(RECORD_SLOT_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&boot);
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(saved.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(&saved);
        let checksum = Digest::of(Algorithm::Sha256, &bytes);
        bytes.extend_from_slice(checksum.bytes());
        bytes
    }

    /// The record in one place; bytes after it do not matter.
    pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (boot, rest) = rest.split_first_chunk::<16>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (saved, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let (checksum, _) = rest.split_at_checked(CHECKSUM_BYTES)?;
        let content = bytes.get(..bytes.len() - rest.len())?;
        if Digest::of(Algorithm::Sha256, content).bytes() != checksum {
            return None;
        }
        let hasher = Hasher::restore(saved).ok()?;
        Some(Record { boot: *boot, offset: u64::from_le_bytes(*offset), hasher })
    }

    /// The record of a file that counts, and its place: the one with the highest offset the content has, or any.
    pub(super) fn newest(file: &[u8], length: u64) -> Option<(usize, Record)> {
        let slots = file.chunks(RECORD_SLOT_BYTES).take(RECORD_SLOTS).enumerate();
        let records = slots.filter_map(|(slot, bytes)| Some((slot, Record::decode(bytes)?)));
        records.max_by_key(|(_, record)| (record.offset <= length, record.offset))
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
    fn the_newest_record_that_the_content_allows_counts() {
        let hasher = Hasher::new(Algorithm::Sha256);
        let file = |offsets: [u64; 2]| {
            let mut file = vec![0; RECORD_SLOTS * RECORD_SLOT_BYTES];
            for (slot, offset) in offsets.into_iter().enumerate() {
                let record = Record::encode([7; 16], offset, &hasher);
                let start = slot * RECORD_SLOT_BYTES;
                file[start..start + record.len()].copy_from_slice(&record);
            }
            file
        };
        let check = |what: &str, file: &[u8], length: u64, expected: Option<(usize, u64)>| {
            let found = Record::newest(file, length).map(|(slot, record)| (slot, record.offset));
            assert_eq!(found, expected, "{what}");
        };
        check("in order", &file([5, 9]), 100, Some((1, 9)));
        check("in turn", &file([12, 9]), 100, Some((0, 12)));
        check("the newest is beyond the content", &file([12, 9]), 10, Some((1, 9)));
        check("both are beyond the content", &file([12, 9]), 5, Some((0, 12)));
        let mut torn = file([12, 9]);
        torn[60] ^= 1;
        check("half written", &torn, 100, Some((1, 9)));
        check("only one", &file([12, 9])[..RECORD_SLOT_BYTES], 100, Some((0, 12)));
        check("nothing", &[], 100, None);
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
