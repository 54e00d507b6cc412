//! Accepting a connection: byte stream → TLS stream and peer, under the material of the moment.

use std::sync::Arc;

use angos_identity::Certificate;
use arc_swap::ArcSwap;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::accept_error::AcceptError;
use crate::limits;
use crate::material::Material;
use crate::offered::Offered;
use crate::peer::Peer;
use crate::stream::Stream;
use crate::verifier::{Seen, observe};

/// Turns byte streams into TLS streams. Clones share the material: one [`replace`](Acceptor::replace) is seen
/// by all.
///
/// Each handshake runs under exactly one generation of the material, from its first byte to its last.
#[derive(Clone, Debug)]
pub struct Acceptor {
    current: Arc<ArcSwap<Generation>>,
}

#[derive(Debug)]
struct Generation {
    number: u64,
    material: Arc<Material>,
}

impl Acceptor {
    /// An acceptor whose material is generation 1.
    pub fn new(material: Material) -> Self {
        let first = Generation { number: 1, material: Arc::new(material) };
        Self { current: Arc::new(ArcSwap::from_pointee(first)) }
    }

    /// Puts `material` in place of the current set, at once and as a whole, and returns its generation.
    ///
    /// Handshakes that have begun finish under the old set; connections that are established are not touched.
    /// Material that does not load never gets here, so a failed reload changes nothing.
    pub fn replace(&self, material: Material) -> u64 {
        let material = Arc::new(material);
        let previous = self
            .current
            .rcu(|current| Generation { number: current.number + 1, material: Arc::clone(&material) });
        previous.number + 1
    }

    /// The number of the current set: 1, and one more for each [`replace`](Acceptor::replace).
    pub fn generation(&self) -> u64 {
        self.current.load().number
    }

    /// The current set.
    pub fn material(&self) -> Arc<Material> {
        Arc::clone(&self.current.load().material)
    }

    /// The rustls configuration of the current set; see [`Material::server_config`] for what it lacks.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(self.current.load().material.server_config())
    }

    /// Performs the handshake. Guarantees: a [`Peer`] with a certificate proved that it holds it, and the
    /// certificate was verified and its identity read; a peer without one was not required to have one.
    ///
    /// Takes at most [`Settings::handshake_timeout`](crate::Settings::handshake_timeout), plus
    /// [`limits::REFUSAL_LINGER`] in which a refused client may read why. Must run inside a tokio runtime with
    /// its timer enabled. Dropping the future closes the connection.
    pub async fn accept<S>(&self, stream: S) -> Result<(Stream<S>, Peer), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let generation = self.current.load_full();
        let material = &generation.material;
        let handshake = TlsAcceptor::from(Arc::clone(material.server_config())).accept(stream);
        let handshake = observe(handshake.into_fallible());
        let outcome = timeout(material.handshake_timeout(), handshake).await;
        let error = match outcome {
            Ok((Ok(tls), seen)) => match identity(tls.get_ref().1, seen) {
                Ok(certificate) => {
                    let peer = Peer::new(tls.get_ref().1, certificate, generation.number);
                    return Ok((Stream::new(tls), peer));
                }
                Err(error) => error,
            },
            Ok((Err((error, stream)), seen)) => {
                let error = AcceptError::new(error, seen);
                error.log(generation.number);
                linger(stream, &error).await;
                return Err(error);
            }
            Err(_elapsed) => AcceptError::Timeout,
        };
        error.log(generation.number);
        Err(error)
    }
}

/// The identity of a finished handshake. The verifier has read it; should it not have been asked, it is read
/// here, so that a certificate is never lost.
fn identity(connection: &ServerConnection, seen: Seen) -> Result<Option<Arc<Certificate>>, AcceptError> {
    match (connection.peer_certificates().and_then(<[_]>::first), seen.identity) {
        (None, _) => Ok(None),
        (Some(_), Some(identity)) => Ok(Some(identity)),
        (Some(leaf), None) => match Certificate::from_der(leaf) {
            Ok(identity) => Ok(Some(Arc::new(identity))),
            Err(error) => Err(AcceptError::Identity { error, offered: Box::new(Offered::from_der(leaf)) }),
        },
    }
}

/// Keeps a refused connection until the client has closed it, so that the alert is not lost in a reset.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, error: &AcceptError) {
    if matches!(error, AcceptError::Io(_)) {
        return;
    }
    let drain = async {
        stream.shutdown().await?;
        let mut waste = [0; 4096];
        let mut drained = 0;
        while drained < limits::REFUSAL_DRAIN_BYTES {
            match stream.read(&mut waste).await? {
                0 => break,
                read => drained += read,
            }
        }
        std::io::Result::Ok(())
    };
    let _the_refusal_stands = timeout(limits::REFUSAL_LINGER, drain).await;
}
