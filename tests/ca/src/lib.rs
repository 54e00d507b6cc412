//! A certificate authority made at test time; nothing that expires is checked in.
//!
//! Guarantee: what [`Authority::issue`] returns is signed by that authority and says exactly what the [`Leaf`]
//! asked for, odd encodings included: every byte of subject, alternative names and extensions is under the test's
//! control, whether X.509 allows it or not. So is every byte of a [`RevocationList`].
//!
//! ```
//! use angos_test_ca::{Authority, Leaf};
//!
//! let authority = Authority::new("Angos Test CA");
//! let issued = authority.issue(&Leaf::client("alice").organization("DevOps"));
//! assert!(issued.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
//! ```
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a helper of tests: whatever goes wrong here is a broken test and must stop it"
)]

mod authority;
mod der;
mod extension;
mod key;
mod leaf;
mod revocation;
mod subject;

pub use authority::{Authority, Issued, pem};
pub use extension::{CRL_SIGN, DIGITAL_SIGNATURE, KEY_CERT_SIGN, KEY_ENCIPHERMENT, Subtree};
pub use key::{Key, Signature, sign_pss_sha256};
pub use leaf::{Leaf, Usage};
pub use revocation::{RevocationList, Scope};
pub use subject::Text;
