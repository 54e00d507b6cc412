#![doc = include_str!("../README.md")]
//!
//! # The path of a connection through this crate
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | settings | `settings.rs` | what the operator chose |
//! | load | `files.rs`, `pem.rs`, `authorities.rs`, `list.rs`, `loading.rs` | files → [`Material`], or every [`LoadError`] |
//! | replace | `material.rs`, `generation.rs` | [`Material`] → the generation in force |
//! | accept | `acceptor.rs`, `names.rs`, `failure_log.rs` | byte stream → [`Stream`] and [`Peer`], or an [`AcceptError`] |
//! | verify | `verifier.rs`, `trust.rs`, `revocation.rs`, `outline.rs`, `der.rs` | client chain → identity, or what was [`Offered`] and why it was refused |
//! | resume | `sessions.rs` | session of an earlier handshake → the same client, while the verdict on it holds |
//! | recheck | `recheck.rs`, `peer.rs`, `distrust.rs` | [`Peer`] → still trusted, or [`Distrust`] |

mod accept_error;
mod acceptor;
mod authorities;
mod bounded;
mod class;
mod der;
mod distrust;
mod expiry;
mod failure_log;
mod files;
mod generation;
mod issuers;
pub mod limits;
mod list;
mod load_error;
mod loading;
mod material;
mod metered;
mod names;
mod offered;
mod outline;
mod peer;
mod pem;
pub mod probe;
mod recheck;
mod refusal;
mod revocation;
mod sessions;
mod settings;
mod stream;
mod trust;
mod verifier;
mod warning;

pub use accept_error::AcceptError;
pub use acceptor::Acceptor;
pub use class::Class;
pub use distrust::Distrust;
pub use expiry::{Expiry, ExpiryKind};
pub use files::{Files, ReadError, Snapshot};
pub use generation::Generations;
pub use load_error::{LoadError, Problem};
pub use material::Material;
pub use offered::Offered;
pub use peer::{Peer, Protocol};
pub use settings::{
    AuthoritySetting, CertificateSetting, ClientAuth, ClientAuthority, Clients, Depth, Doubt,
    NamedCertificate, Revocation, Setting, Settings,
};
pub use stream::Stream;
pub use warning::{Concern, Warning};
