//! Whether a connection that was accepted would be accepted now, and the moment when it would not.

use std::time::SystemTime;

use rustls_pki_types::UnixTime;
use tokio::time::timeout;

use crate::current_material::Generations;
use crate::limits::RECHECK_INTERVAL;
use crate::material::Material;
use crate::peer::Peer;
use crate::settings::ClientAuth;
use crate::trust::{Verified, unix_now};
use crate::trust_error::TrustError;

impl Peer {
    /// Whether the acceptor that accepted this peer would accept it now: under the material in force, at this moment.
    ///
    /// Cheap while nothing changed: an atomic load and a look at the clock. After a change the chain the client
    /// presented is verified reverify, once per generation and peer. Never blocks on anything but another such
    /// verification of the same peer.
    pub fn recheck(&self) -> Result<(), TrustError> {
        let acceptor = self.acceptor();
        let generation = acceptor.current().load();
        let material = &generation.material;
        self.trust_state().check(generation.number, unix_now(), |verified| match verified {
            None if acceptor.mode(material) == ClientAuth::Required => Err(TrustError::CertificateRequired),
            None => Ok(i64::MAX),
            Some(verified) => reverify(material, verified),
        })
    }

    /// Waits until [`recheck`](Self::recheck) refuses the peer, and says why. The owner of the connection then takes no
    /// new request on it, and gives those in flight a deadline: without one a client that is revoked and does not finish
    /// its request stays.
    ///
    /// Guarantees: a change of the material is noticed at once; the end of a certificate or revocation list within the
    /// second, or within [`RECHECK_INTERVAL`] when the clock was set meanwhile. Resolves at once for a peer that is
    /// refused already, and never for one that stays acceptable. Costs a timer and a place in a list of waiters; must run
    /// inside a tokio runtime with its timer enabled. Cancel safe.
    ///
    /// ```no_run
    /// # async fn serve(stream: angos_tls::Stream<tokio::net::TcpStream>) {}
    /// # async fn example(acceptor: angos_tls::Acceptor, socket: tokio::net::TcpStream) -> Result<(), angos_tls::AcceptError> {
    /// let (stream, peer) = acceptor.accept(socket).await?;
    /// tokio::select! {
    ///     () = serve(stream) => {}
    ///     distrust = peer.until_untrusted() => eprintln!("closed: {distrust}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn until_untrusted(&self) -> TrustError {
        let mut generations = self.generations();
        loop {
            if let Err(distrust) = self.recheck() {
                return distrust;
            }
            let rest =
                self.trusted_until().map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
            let wait = rest.unwrap_or(RECHECK_INTERVAL).min(RECHECK_INTERVAL);
            let _either = timeout(wait, generations.changed()).await;
        }
    }

    /// The changes after which [`recheck`](Self::recheck) may answer otherwise: every generation of the acceptor's
    /// material after the current one.
    pub fn generations(&self) -> Generations {
        self.acceptor().generations()
    }
}

/// Until when a chain that was good before is good under `material`.
fn reverify(material: &Material, verified: &Verified) -> Result<i64, TrustError> {
    let Some((leaf, intermediates)) = verified.chain.split_first() else {
        return Err(TrustError::CaRemoved);
    };
    let now = material.trust().verify(leaf, intermediates, UnixTime::now());
    let now = now.map_err(|refusal| TrustError::from(refusal.class))?;
    if now.identity.ca() == verified.identity.ca() { Ok(now.until) } else { Err(TrustError::CaChanged) }
}
