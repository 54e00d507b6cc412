//! Why a connection that was accepted would not be accepted now, and the moment when that comes.

use std::fmt;
use std::time::SystemTime;

use tokio::time::timeout;

use crate::acceptor::Acceptor;
use crate::class::Class;
use crate::limits::DISTRUST_LOOK_EVERY;
use crate::peer::Peer;

/// Why a [`Peer`](crate::Peer) is no longer acceptable: see [`Acceptor::recheck`](crate::Acceptor::recheck).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distrust {
    /// The certificate, an intermediate or the authority is past its end of validity.
    Expired,
    /// The certificate or an intermediate is revoked.
    Revoked,
    /// No revocation list in force says whether it is revoked: there is none, or it expired.
    RevocationUnknown,
    /// No authority in force vouches for the certificate.
    AuthorityRemoved,
    /// Another authority vouches for it than did in the handshake, so that other rules may hold for it.
    AuthorityChanged,
    /// Certificates are required now, and the peer has none.
    CertificateRequired,
    /// It breaks another rule that is in force now; the class a handshake would be refused with.
    Refused(Class),
}

impl Distrust {
    /// The word for metrics and logs; stable.
    pub fn class(self) -> &'static str {
        match self {
            Self::Expired => Class::Expired.as_str(),
            Self::Revoked => Class::Revoked.as_str(),
            Self::RevocationUnknown => Class::RevocationUnknown.as_str(),
            Self::AuthorityRemoved => "authority_removed",
            Self::AuthorityChanged => "authority_changed",
            Self::CertificateRequired => "certificate_required",
            Self::Refused(class) => class.as_str(),
        }
    }
}

impl From<Class> for Distrust {
    fn from(class: Class) -> Self {
        match class {
            Class::Expired => Self::Expired,
            Class::Revoked => Self::Revoked,
            Class::RevocationUnknown => Self::RevocationUnknown,
            // A wrong signature is what remains when an authority was replaced by another of the same name.
            Class::UnknownAuthority | Class::IncompleteChain | Class::BadSignature => Self::AuthorityRemoved,
            other => Self::Refused(other),
        }
    }
}

impl Acceptor {
    /// Waits until [`recheck`](Self::recheck) refuses the peer, and says why. The owner of the connection then takes no
    /// new request on it, and lets what is in flight finish for as long as it sees fit.
    ///
    /// Guarantees: a change of the material is noticed at once; the end of a certificate or revocation list within the
    /// second, or within [`DISTRUST_LOOK_EVERY`] when the clock was set meanwhile. Resolves at once for a peer that is
    /// refused already, and never for one that stays acceptable. Costs a timer and a place in a list of waiters; must run
    /// inside a tokio runtime with its timer enabled. Cancel safe.
    ///
    /// ```no_run
    /// # async fn serve(stream: angos_tls::Stream<tokio::net::TcpStream>) {}
    /// # async fn example(acceptor: angos_tls::Acceptor, socket: tokio::net::TcpStream) -> Result<(), angos_tls::AcceptError> {
    /// let (stream, peer) = acceptor.accept(socket).await?;
    /// tokio::select! {
    ///     () = serve(stream) => {}
    ///     distrust = acceptor.distrusted(&peer) => eprintln!("closed: {distrust}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn distrusted(&self, peer: &Peer) -> Distrust {
        let mut generations = self.generations();
        loop {
            if let Err(distrust) = self.recheck(peer) {
                return distrust;
            }
            let rest =
                peer.trusted_until().map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
            let wait = rest.unwrap_or(DISTRUST_LOOK_EVERY).min(DISTRUST_LOOK_EVERY);
            let _either = timeout(wait, generations.changed()).await;
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorityRemoved => "no client authority in force vouches for the certificate",
            Self::AuthorityChanged => "another client authority vouches for the certificate than before",
            Self::CertificateRequired => "a client certificate is required now, and the connection has none",
            Self::Expired => Class::Expired.explanation(),
            Self::Revoked => Class::Revoked.explanation(),
            Self::RevocationUnknown => Class::RevocationUnknown.explanation(),
            Self::Refused(class) => class.explanation(),
        })
    }
}

impl std::error::Error for Distrust {}
