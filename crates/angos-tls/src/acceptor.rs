//! Accepting a connection: byte stream → TLS stream and peer, under the material of the moment.

use std::io;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};
use rustls_pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::accept_error::AcceptError;
use crate::client_cert_info::ClientCertInfo;
use crate::current_material::{CurrentMaterial, Generation, Generations};
use crate::failure_class::FailureClass;
use crate::failure_log::FailureLog;
use crate::limits;
use crate::material::Material;
use crate::metered::Metered;
use crate::peer::Peer;
use crate::plain_http;
use crate::settings::ClientAuth;
use crate::stream::Stream;
use crate::trust::Verified;
use crate::verifier::{HandshakeCapture, capture};

/// Turns byte streams into TLS streams. Clones share the material: one [`replace`](Acceptor::replace) is captured
/// by all.
///
/// Each handshake runs under exactly one generation of the material, from its first byte to its last. An acceptor
/// that is shared by a thousand tasks blocks none of them: the material is read without a lock.
///
/// ```no_run
/// use angos_tls::{Acceptor, ClientCa, Clients, LoadError, Material, Settings};
///
/// # async fn example(socket: tokio::net::TcpStream) -> Result<(), Vec<LoadError>> {
/// let clients = Clients::required([ClientCa::new("ca.pem")]);
/// let settings = Settings::new("server.pem", "server.key", clients);
/// let acceptor = Acceptor::new(Material::load(&settings)?);
/// if let Ok((stream, peer)) = acceptor.accept(socket).await {
///     // Serve `stream`, in the name of `peer.certificate()`, as long as `peer.recheck()` is Ok.
/// }
/// // The files have changed, and are good:
/// acceptor.replace(Material::load(&settings)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Acceptor {
    current: Arc<CurrentMaterial>,
    log: Arc<FailureLog>,
    /// One permit per byte of the handshakes that are long.
    long_handshakes: Arc<Semaphore>,
    /// Another mode than the material's.
    client_auth: Option<ClientAuth>,
}

impl Acceptor {
    /// An acceptor whose material is generation 1.
    pub fn new(material: Material) -> Self {
        Self {
            current: Arc::new(CurrentMaterial::new(material)),
            log: Arc::new(FailureLog::new()),
            long_handshakes: Arc::new(Semaphore::new(limits::HANDSHAKES_LONG_BYTES)),
            client_auth: None,
        }
    }

    /// A clone that treats clients in its own way: for a second port, with the same material and generations.
    ///
    /// [`Required`](ClientAuth::Required) without client authorities refuses everybody.
    #[must_use]
    pub fn with_client_auth(&self, client_auth: ClientAuth) -> Self {
        Self { client_auth: Some(client_auth), ..self.clone() }
    }

    /// Puts `material` in place of the current set, at once and as a whole, and returns the generation in force.
    /// A set that says the same as the current one changes nothing: no new generation, nobody is looked at again.
    ///
    /// Handshakes that have begun finish under the old set; what becomes of established connections is for
    /// their owner to decide, with [`Peer::recheck`]. Material that does not load never gets here,
    /// so a failed reload changes nothing.
    pub fn replace(&self, material: Material) -> u64 {
        self.current.replace(material)
    }

    /// The number of the current set: 1, and one more for each set that took another's place.
    pub fn generation(&self) -> u64 {
        self.current.load().number
    }

    /// Tells of every generation after the current one.
    pub fn generations(&self) -> Generations {
        self.current.subscribe()
    }

    /// The current set.
    pub fn material(&self) -> Arc<Material> {
        Arc::clone(&self.current.load().material)
    }

    /// How this acceptor treats clients under the current set.
    pub fn client_auth(&self) -> ClientAuth {
        self.mode(&self.current.load().material)
    }

    /// The rustls configuration of the current set; see [`Material::server_config`] for what it lacks.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let generation = self.current.load();
        Arc::clone(generation.material.config(self.mode(&generation.material)))
    }

    /// Performs the handshake (RFC 8446; RFC 5246 for TLS 1.2) and verifies the client's chain (RFC 5280).
    ///
    /// **Guarantees.** A [`Peer`] with a certificate proved that it holds the key, the certificate was verified and its
    /// identity read; a peer without one was not required to have one. A chain that is not good ends the handshake, also
    /// where certificates are optional.
    ///
    /// **Limits.** Takes at most [`Settings::handshake_timeout`](crate::Settings::handshake_timeout), 10 s by default, plus
    /// [`limits::REFUSAL_LINGER`] in which a refused client may read why; reads at most what a handshake has
    /// and [`limits::REFUSAL_DRAIN_BYTES`]; holds [`limits::HANDSHAKE_FREE_BYTES`] of what it read, and more only within
    /// [`limits::HANDSHAKES_LONG_BYTES`] for all handshakes. Verifying is bounded, whatever chain is sent. How many handshakes there are at
    /// once is for the caller to bound.
    ///
    /// **Errors.** Every failure is the client's or the network's; [`AcceptError::class`] is its word, and it has
    /// been logged. The connection is closed, after an alert that says why unless the client was too slow.
    ///
    /// **Cancellation.** Dropping the future closes the connection, without an alert. Must run inside a tokio runtime
    /// with its timer enabled.
    pub async fn accept<S>(&self, stream: S) -> Result<(Stream<S>, Peer), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let generation = self.current.load_full();
        let material = &generation.material;
        let config = Arc::clone(material.config(self.mode(material)));
        // Boxed: what the handshake alone needs must not stay in the task of a connection that lasts.
        let stream = Metered::new(stream, &self.long_handshakes);
        let handshake = capture(Box::pin(TlsAcceptor::from(config).accept(stream).into_fallible()));
        let outcome = timeout(material.handshake_timeout(), handshake).await;
        let (error, stream) = match self.conclude(outcome, &generation) {
            Ok(accepted) => return Ok(accepted),
            Err(failed) => failed,
        };
        self.log.log(&error, generation.number);
        if let Some(stream) = stream {
            Box::pin(linger(stream, &error)).await;
        }
        Err(error)
    }

    /// How clients are treated under this material.
    pub(crate) fn mode(&self, material: &Material) -> ClientAuth {
        self.client_auth.unwrap_or_else(|| material.client_auth())
    }

    /// The set in force.
    pub(crate) fn current(&self) -> &CurrentMaterial {
        &self.current
    }

    /// What became of a handshake; beside an error the transport, if the client may still read from it.
    fn conclude<S>(
        &self,
        outcome: Result<Ended<S>, Elapsed>,
        generation: &Generation,
    ) -> Result<(Stream<S>, Peer), (AcceptError, Option<S>)> {
        let (mut tls, captured) = match outcome {
            Ok((Ok(tls), captured)) => (tls, captured),
            Ok((Err((error, stream)), captured)) => {
                return Err((AcceptError::new(error, captured), Some(stream.into_transport())));
            }
            Err(_elapsed) => return Err((AcceptError::Timeout, None)),
        };
        tls.get_mut().0.end();
        let connection = tls.get_ref().1;
        let verified = verified(connection, captured, &generation.material).map_err(|error| (error, None))?;
        let peer = Peer::new(self.clone(), connection, verified, generation.number);
        Ok((Stream::new(tls), peer))
    }
}

/// A handshake that came to an end, with the transport if it failed, and what was captured meanwhile.
type Ended<S> = (Result<TlsStream<Metered<S>>, (io::Error, Metered<S>)>, HandshakeCapture);

/// The verified chain of a finished handshake. It was noted when it was verified, in this handshake or in the one
/// whose session is resumed; a chain that was not is verified here, so that a certificate never counts unverified.
fn verified(
    connection: &ServerConnection,
    captured: HandshakeCapture,
    material: &Material,
) -> Result<Option<Arc<Verified>>, AcceptError> {
    let Some(chain) = connection.peer_certificates() else { return Ok(None) };
    let Some((leaf, intermediates)) = chain.split_first() else { return Ok(None) };
    if let Some(verified) = captured.verified.filter(|verified| *verified.chain == *chain) {
        return Ok(Some(verified));
    }
    let verified = material.trust().verify(leaf, intermediates, UnixTime::now());
    verified.map(Some).map_err(|refusal| AcceptError::refused(refusal, ClientCertInfo::from_der(leaf)))
}

/// Keeps a refused connection until the client has closed it, so that the alert is not lost in a reset.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, error: &AcceptError) {
    if matches!(error, AcceptError::Io(_)) {
        return;
    }
    let drain = async {
        if error.kind() == FailureClass::PlainHttp {
            stream.write_all(plain_http::ANSWER).await?;
        }
        stream.shutdown().await?;
        let mut waste = [0; 4096];
        let mut drained = 0;
        while drained < limits::REFUSAL_DRAIN_BYTES {
            match stream.read(&mut waste).await? {
                0 => break,
                read => drained += read,
            }
        }
        io::Result::Ok(())
    };
    let _the_refusal_stands = timeout(limits::REFUSAL_LINGER, drain).await;
}
