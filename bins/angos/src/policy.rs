//! `angos policy`: access policies asked without a server.

pub(crate) mod replay;
