//! Upload ids that prove where they came from, so that starting an upload writes nothing.
//!
//! An id carries a random session, its start and the algorithm asked for, and a code over these and the repository
//! name under a secret of this registry. An id that was made up, altered or taken to another repository is therefore
//! unknown without a look into any store, and an expired one says so itself.

use angos_oci::{Algorithm, Name, UploadId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::key;

/// The secret under which ids are made: one block of the hash, which is a key as it is.
pub(crate) struct Secret(pub(crate) [u8; 64]);

/// What the registry makes and reads of an id.
pub(crate) trait IssuedId {
    /// A new id.
    fn new(secret: &Secret, name: &Name, session: [u8; 16], start: u64, algorithm: Option<Algorithm>)
    -> Self;

    /// Whether this id was made under `secret` for `name`. Takes the same time for every wrong code.
    fn belongs_to(&self, secret: &Secret, name: &Name) -> bool;

    /// The algorithm named when the session started.
    fn named_algorithm(&self) -> Option<Algorithm>;
}

impl IssuedId for UploadId {
    fn new(
        secret: &Secret,
        name: &Name,
        session: [u8; 16],
        start: u64,
        algorithm: Option<Algorithm>,
    ) -> Self {
        let algorithm = algorithm.map_or(0, key::algorithm_code);
        let full = mac(secret, name, session, start, algorithm).finalize().into_bytes();
        let mut code = [0; 16];
        for (kept, byte) in code.iter_mut().zip(full) {
            *kept = byte;
        }
        Self { session, start, algorithm, code }
    }

    fn belongs_to(&self, secret: &Secret, name: &Name) -> bool {
        mac(secret, name, self.session, self.start, self.algorithm).verify_truncated_left(&self.code).is_ok()
    }

    fn named_algorithm(&self) -> Option<Algorithm> {
        key::algorithm(self.algorithm)
    }
}

fn mac(secret: &Secret, name: &Name, session: [u8; 16], start: u64, algorithm: u8) -> Hmac<Sha256> {
    let mut mac = Hmac::new((&secret.0).into());
    mac.update(&session);
    mac.update(&start.to_be_bytes());
    mac.update(&[algorithm]);
    mac.update(name.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(secret: u8, name: &str) -> UploadId {
        let name = name.parse().unwrap();
        UploadId::new(&Secret([secret; 64]), &name, [7; 16], 42, Some(Algorithm::Sha512))
    }

    #[test]
    fn an_id_belongs_to_one_secret_and_one_name() {
        let check = |secret: u8, name: &str, expected: bool| {
            let name = name.parse().unwrap();
            assert_eq!(id(1, "a/b").belongs_to(&Secret([secret; 64]), &name), expected, "{name}");
        };
        check(1, "a/b", true);
        check(2, "a/b", false);
        check(1, "a", false);
        check(1, "a/b/c", false);
    }

    #[test]
    fn every_part_is_covered_by_the_code() {
        let name = "a".parse().unwrap();
        let good = id(1, "a");
        for forged in [
            UploadId { session: [8; 16], ..good },
            UploadId { start: 43, ..good },
            UploadId { algorithm: 1, ..good },
            UploadId { code: [0; 16], ..good },
        ] {
            assert!(!forged.belongs_to(&Secret([1; 64]), &name), "{forged:?}");
        }
    }

    #[test]
    fn debug_output_does_not_hold_the_code() {
        let id = id(1, "a");
        let code = &id.to_string()[50..];
        assert!(!format!("{id:?}").contains(code));
        let shown = id.without_code();
        assert_eq!(shown.to_string(), format!("{}{}", &id.to_string()[..50], "0".repeat(32)));
        assert!(!shown.belongs_to(&Secret([1; 64]), &"a".parse().unwrap()));
    }
}
