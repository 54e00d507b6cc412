//! The other end of the wire: a client's handshake, performed to find out why one fails. Nothing that serves uses it.
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | read | `probe/files.rs` | a client's files → [`Pair`] and [`CertificateInfo`] certificates, or what is wrong with each |
//! | look | `probe/certificate_info.rs` | DER → what the certificate says of itself |
//! | dial | `probe/handshake.rs` | byte stream → [`ProbeReport`]: all that was seen up to the end |
//! | note | `probe/recorder.rs`, `probe/recording_stream.rs` | what the TLS library asks and what the wire carries → remembered |
//! | verify | `probe/client_verifier.rs` | a client's chain → its identity, or why a server would refuse it |
//! | name | `alert.rs` | the number of an alert → its name |
//!
//! # Guarantees
//!
//! A peer or file may hold anything: [`Probe::run`] ends by its deadline, reads at most
//! [`limits::PROBE_READ_MAX_BYTES`](crate::limits::PROBE_READ_MAX_BYTES), and files are read as far as
//! [`limits::PEM_MAX_BYTES`](crate::limits::PEM_MAX_BYTES). The client's certificate is shown only to a server that
//! the given authorities vouch for, as a real client would. Every text taken from a certificate is printable.

mod certificate_info;
mod client_verifier;
mod files;
mod handshake;
mod recorder;
mod recording_stream;

pub use crate::alert::Alert;
pub use certificate_info::{CertificateInfo, Suitability};
pub use client_verifier::ClientVerifier;
pub use files::{Pair, PairFile, certificates, sections, system_cas};
pub use handshake::{BadName, Probe, ProbeEnd, ProbeReport};
pub use recorder::{CertificateRequest, ServerCertError};
