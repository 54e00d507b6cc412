//! A certificate authority made at test time; nothing that expires is checked in.
//!
//! Guarantee: what [`Authority::issue`] returns is signed by that authority and says exactly what the [`Leaf`]
//! asked for, odd encodings included: every byte of subject and alternative names is under the test's control.
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
mod leaf;
mod subject;

pub use authority::{Authority, Issued};
pub use leaf::{Key, Leaf, Usage};
pub use subject::Text;
