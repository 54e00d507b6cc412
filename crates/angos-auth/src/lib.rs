//! Level 1 of the house: credentials beside the client certificate. The server parses a header into
//! [`BasicCredentials`], [`Credentials`] verifies them, and the server joins the result with the certificate into an
//! `angos_identity::Identity`.
//!
//! | file | what it holds |
//! |---|---|
//! | `credentials` | the accepted user names and passwords as one set; verification and its cache |
//! | `basic` | the text of an `Authorization` header → user name and password |
//! | `password_hash` | argon2id and bcrypt hashes, with bounded cost |
//! | `queue` | the order in which credentials are verified: callers take turns |
//! | `limits` | every bound with its value, source and reason |
//!
#![doc = include_str!("../README.md")]

mod basic;
mod credentials;
pub mod limits;
mod password_hash;
mod queue;

pub use basic::{BasicCredentials, MalformedCredentials};
pub use credentials::{Credentials, CredentialsBuilder, Rejection};
pub use password_hash::{PasswordHash, PasswordHashError};
