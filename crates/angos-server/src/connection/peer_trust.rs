//! Whether the other side of an open connection would still be let in: asked before each request, after each change of
//! the TLS material, and when its certificate ends.

use std::time::{Duration, SystemTime};

use angos_identity::Certificate;
use angos_tls::{Generations, Peer, TrustError};

/// The peer of one connection.
#[derive(Debug)]
pub(crate) struct PeerTrust {
    peer: Peer,
}

impl PeerTrust {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer }
    }

    /// Whether it would be let in now. Cheap while nothing changed.
    pub(crate) fn check(&self) -> Result<(), TrustError> {
        self.peer.recheck()
    }

    /// Tells when to check again because the material changed.
    pub(crate) fn changes(&self) -> Generations {
        self.peer.generations()
    }

    /// How long the certificate, or one that vouches for it, still holds. None: nothing of it ends.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let until = self.peer.trusted_until()?;
        Some(until.duration_since(SystemTime::now()).unwrap_or_default())
    }

    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.peer.certificate().map(AsRef::as_ref)
    }
}
