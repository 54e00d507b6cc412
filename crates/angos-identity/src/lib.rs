//! Level 0 of the house: `angos-tls` makes a [`Certificate`] once per connection, the server joins it with a verified
//! [`Credential`] into an [`Identity`] once per request, and `angos-policy` reads that.
//!
//! | file | what it reads |
//! |---|---|
//! | `certificate` | the certificate as a whole |
//! | `tlv` | tag, length, value: strict and bounded |
//! | `name` | subject and issuer, and their RFC 4514 text |
//! | `alternative_names` | DNS names, e-mail addresses, URIs, IP addresses |
//! | `spiffe` | a SPIFFE id |
//! | `text` | the string types of ASN.1 |
//! | `facts` | nothing: a certificate that is described instead of read |
//! | `identity` | who a caller is, from certificate, credential and address |
//! | `caller_key` | the key under which a caller's connections, requests and password checks are counted |
//! | `fair_share` | whether a caller may take one more of a limited number of slots |
//!
#![doc = include_str!("../README.md")]

mod alternative_names;
mod caller_key;
mod certificate;
mod error;
mod facts;
mod fair_share;
mod identity;
pub mod limits;
mod name;
mod spiffe;
mod text;
mod tlv;

pub use caller_key::CallerKey;
pub use certificate::Certificate;
pub use error::{CertificateError, Field, Part, SpiffeFault, ValueFault};
pub use facts::CertificateFacts;
pub use fair_share::admits;
pub use identity::{Credential, Identity, Method};
pub use name::{attribute_short_names, distinguished_name};
