//! What is known about the other side once the handshake is done, and whether it still holds.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use angos_identity::Certificate;
use rustls::crypto::SupportedKxGroup;
use rustls::{HandshakeKind, NamedGroup, ProtocolVersion, ServerConnection};

use crate::acceptor::Acceptor;
use crate::trust::Verified;
use crate::trust_error::TrustError;

/// The application protocol agreed on by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1, also when the client offered no protocol at all.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    pub(crate) const HTTP1_ALPN: &[u8] = b"http/1.1";
    pub(crate) const HTTP2_ALPN: &[u8] = b"h2";
}

/// The client of one connection, as proven by its handshake. Cheap to clone.
///
/// It belongs to the acceptor that accepted it: [`recheck`](Peer::recheck) asks that one and no other.
#[derive(Clone, Debug)]
pub struct Peer {
    acceptor: Acceptor,
    trust_state: Arc<TrustState>,
    protocol: Protocol,
    generation: u64,
    tls13: bool,
    post_quantum: bool,
    resumed: bool,
}

impl Peer {
    pub(crate) fn new(
        acceptor: Acceptor,
        connection: &ServerConnection,
        verified: Option<Arc<Verified>>,
        generation: u64,
    ) -> Self {
        let protocol = match connection.alpn_protocol() {
            Some(Protocol::HTTP2_ALPN) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let group = connection.negotiated_key_exchange_group().map(SupportedKxGroup::name);
        Self {
            acceptor,
            trust_state: Arc::new(TrustState::new(verified, generation)),
            protocol,
            generation,
            tls13: connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            post_quantum: group == Some(NamedGroup::X25519MLKEM768),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// The certificate the client proved to hold, verified against the client authorities when the handshake
    /// took place. None: the client offered none, and it was not required.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.trust_state.verified.as_ref().map(|verified| &verified.identity)
    }

    /// The name of the [`ClientCa`](crate::ClientCa) that vouched for the certificate. None: there
    /// is no certificate, or that authority has no name.
    pub fn ca(&self) -> Option<&str> {
        self.certificate()?.ca()
    }

    /// The protocol to speak on the stream.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The generation of the [`Material`](crate::Material) this connection was accepted under.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The moment from which on [`recheck`](Peer::recheck) refuses this peer if nothing else
    /// changes: the second after the earliest `notAfter` of the verified path, the authority's included, or the
    /// `nextUpdate` of the revocation lists it rests on. None: an anonymous peer.
    pub fn trusted_until(&self) -> Option<SystemTime> {
        self.trust_state.verified.as_ref()?;
        let end = self.trust_state.until.load(Ordering::Acquire).saturating_add(1);
        UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(end).unwrap_or(0)))
    }

    /// Whether the handshake continued an earlier session of the same client, in which it proved to hold the key.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// `TLSv1.3` or `TLSv1.2`; no other version is ever agreed on.
    pub fn tls_version(&self) -> &'static str {
        if self.tls13 { "TLSv1.3" } else { "TLSv1.2" }
    }

    /// Whether the key exchange withstands a quantum computer (`X25519MLKEM768`).
    pub fn is_post_quantum(&self) -> bool {
        self.post_quantum
    }

    pub(crate) fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }

    pub(crate) fn trust_state(&self) -> &TrustState {
        &self.trust_state
    }
}

/// Under which generation a peer was last found acceptable, and until when that holds. Shared by its clones.
#[derive(Debug)]
pub(crate) struct TrustState {
    verified: Option<Arc<Verified>>,
    generation: AtomicU64,
    until: AtomicI64,
    /// The failed of a later generation. Held while it is made, so that each is made once.
    failed: Mutex<Option<(u64, TrustError)>>,
}

impl TrustState {
    fn new(verified: Option<Arc<Verified>>, generation: u64) -> Self {
        let until = verified.as_ref().map_or(i64::MAX, |verified| verified.until);
        Self {
            verified,
            generation: AtomicU64::new(generation),
            until: AtomicI64::new(until),
            failed: Mutex::new(None),
        }
    }

    /// Whether the peer is acceptable under `generation` at `now`. `verify` is asked once for each generation, and
    /// when the time is up that it named; it answers until when.
    pub(crate) fn check(
        &self,
        generation: u64,
        now: i64,
        verify: impl FnOnce(Option<&Verified>) -> Result<i64, TrustError>,
    ) -> Result<(), TrustError> {
        let holds = || {
            let checked = self.generation.load(Ordering::Acquire);
            checked >= generation && now <= self.until.load(Ordering::Acquire)
        };
        if holds() {
            return Ok(());
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if holds() {
            return Ok(());
        }
        if let Some((checked, distrust)) = *failed
            && checked >= generation
        {
            return Err(distrust);
        }
        match verify(self.verified.as_deref()) {
            Ok(until) => {
                // In this order: whoever sees the generation sees what it said.
                self.until.store(until, Ordering::Release);
                self.generation.fetch_max(generation, Ordering::Release);
                Ok(())
            }
            Err(distrust) => {
                *failed = Some((generation, distrust));
                Err(distrust)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn each_generation_is_asked_once_and_again_when_time_is_up() {
        let trust_state = TrustState::new(None, 1);
        trust_state.until.store(100, Ordering::Release);
        let asked = Cell::new(0);
        let check =
            |generation, now, answer: Result<i64, TrustError>, expected: Result<(), TrustError>, count| {
                let outcome = trust_state.check(generation, now, |_| {
                    asked.set(asked.get() + 1);
                    answer
                });
                assert_eq!((outcome, asked.get()), (expected, count), "generation {generation} at {now}");
            };
        let gone = TrustError::CaRemoved;
        check(1, 100, Err(gone), Ok(()), 0);
        check(2, 100, Ok(200), Ok(()), 1);
        check(2, 200, Err(gone), Ok(()), 1);
        check(1, 200, Err(gone), Ok(()), 1); // one that came late
        check(2, 201, Ok(300), Ok(()), 2);
        check(3, 201, Err(gone), Err(gone), 3);
        check(3, 201, Ok(300), Err(gone), 3);
        check(4, 201, Ok(300), Ok(()), 4);
        check(4, 301, Err(TrustError::Expired), Err(TrustError::Expired), 5);
        check(4, 302, Ok(900), Err(TrustError::Expired), 5);
    }
}
