//! Whether the peer of an open connection would still pass the handshake. Checked before each request, after each change
//! of the TLS material, and when a certificate of its chain expires.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use angos_identity::Certificate;
use angos_tls::{Generations, Peer, TrustError};

/// The TLS peer of one connection.
#[derive(Debug)]
pub(crate) struct PeerTrust {
    peer: Peer,
}

impl PeerTrust {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer }
    }

    /// Whether the peer would be accepted now. Cheap while the TLS material has not changed.
    pub(crate) fn check(&self) -> Result<(), TrustError> {
        self.peer.recheck()
    }

    /// Resolves each time the TLS material changes, when the peer has to be checked again.
    pub(crate) fn changes(&self) -> Generations {
        self.peer.generations()
    }

    /// The time until the first certificate of the peer's chain expires. `None`: none of them expires.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let until = self.peer.trusted_until()?;
        Some(until.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The certificate whose key the peer proved to hold.
    pub(crate) fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.peer.certificate()
    }
}
