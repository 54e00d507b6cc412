#![doc = include_str!("../README.md")]
//!
//! # The path of a connection through this crate
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | settings | `settings.rs` | what the operator chose |
//! | load | `files.rs`, `pem.rs`, `ca_bundle.rs`, `crl.rs`, `loading.rs` | files → [`Material`], or every [`LoadError`] |
//! | replace | `material.rs`, `current_material.rs` | [`Material`] → the generation in force |
//! | accept | `acceptor.rs`, `names.rs`, `failure_log.rs` | byte stream → [`Stream`] and [`Peer`], or an [`AcceptError`] |
//! | verify | `verifier.rs`, `trust.rs`, `revocation.rs`, `parsed_certificate.rs`, `der.rs` | client chain → identity, or what was [`ClientCertInfo`] and why it was refused |
//! | resume | `sessions.rs` | session of an earlier handshake → the same client, while the verdict on it holds |
//! | recheck | `recheck.rs`, `peer.rs`, `trust_error.rs` | [`Peer`] → still trusted, or [`TrustError`] |
//! | connect | `connector.rs` | byte stream → [`ClientStream`] to a verified server, or a [`ConnectError`] |

mod accept_error;
mod acceptor;
mod alert;
mod algorithms;
mod bounded_cache;
mod ca_bundle;
mod client_cert_info;
mod connector;
mod crl;
mod current_material;
mod der;
mod expiry;
mod failure_class;
mod failure_log;
mod files;
mod issuers;
pub mod limits;
mod load_error;
mod loading;
mod material;
mod metered;
mod names;
mod parsed_certificate;
mod peer;
mod pem;
mod plain_http;
pub mod probe;
mod recheck;
mod refusal;
mod revocation;
mod sessions;
mod settings;
mod stream;
mod trust;
mod trust_error;
mod verifier;
mod warning;

pub use accept_error::AcceptError;
pub use acceptor::Acceptor;
pub use client_cert_info::ClientCertInfo;
pub use connector::{
    ClientKeyPair, ClientStream, ConnectError, Connector, ConnectorLoadError, ConnectorMaterial,
    ConnectorSetting, ConnectorSettings, ExpectedServer,
};
pub use current_material::Generations;
pub use expiry::{Expiry, ExpiryKind};
pub use failure_class::FailureClass;
pub use files::{Files, ReadError, Snapshot};
pub use load_error::{LoadError, Problem};
pub use material::Material;
pub use peer::{Peer, Protocol};
pub use settings::{
    CertificateSetting, ClientAuth, ClientCa, ClientCaSetting, Clients, NamedCertificate, Revocation,
    RevocationDepth, Setting, Settings, UnknownStatusPolicy,
};
pub use stream::Stream;
pub use trust_error::TrustError;
pub use warning::{Warning, WarningKind};
