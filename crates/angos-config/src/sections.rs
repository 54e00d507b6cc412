//! One file for each section of the configuration: what is written there → settings, or problems.

pub(crate) mod access;
mod credentials;
mod listeners;
mod memory;
mod permissions;
mod plaintext;
pub(crate) mod server;
pub(crate) mod storage;
pub(crate) mod tls;
