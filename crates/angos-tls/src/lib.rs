#![doc = include_str!("../README.md")]
//!
//! # The path of a connection through this crate
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | settings | `settings.rs` | what the operator chose |
//! | load | `pem.rs`, `authorities.rs`, `material.rs` | files → [`Material`], or every [`LoadError`] |
//! | accept | `acceptor.rs` | byte stream → [`Stream`] and [`Peer`], or an [`AcceptError`] |
//! | verify | `verifier.rs`, `offered.rs` | client certificate → identity, or what was [`Offered`] and why it was refused |

mod accept_error;
mod acceptor;
mod authorities;
mod class;
pub mod limits;
mod load_error;
mod material;
mod offered;
mod peer;
mod pem;
mod settings;
mod stream;
mod verifier;
mod warning;

pub use accept_error::AcceptError;
pub use acceptor::Acceptor;
pub use class::Class;
pub use load_error::{LoadError, Problem};
pub use material::Material;
pub use offered::Offered;
pub use peer::{Peer, Protocol};
pub use settings::{ClientAuth, Setting, Settings};
pub use stream::Stream;
pub use warning::{Concern, Warning};
