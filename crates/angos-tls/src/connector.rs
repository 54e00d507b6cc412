//! The client side: byte stream → TLS stream to a verified server, under the material in force.

mod client_stream;
mod connect_error;
mod connector_material;
mod connector_settings;
mod server_verifier;

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub use client_stream::ClientStream;
pub use connect_error::ConnectError;
pub use connector_material::{ConnectorLoadError, ConnectorMaterial};
pub use connector_settings::{ClientKeyPair, ConnectorSetting, ConnectorSettings, ExpectedServer};

/// Opens mutual TLS connections to servers. Clones share the material: one [`replace`](Connector::replace) changes all.
///
/// Each handshake runs under exactly one set of material. Sessions are never resumed, so that each connection
/// verifies the server's certificate and the CRLs in force.
///
/// ```no_run
/// use angos_tls::{Connector, ConnectorMaterial, ConnectorSettings};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = ConnectorSettings::new("ca.pem").with_client_certificate("client.pem", "client.key");
/// let load = || ConnectorMaterial::load(&settings).map_err(|problems| format!("{problems:?}"));
/// let connector = Connector::new(load()?);
/// let socket = tokio::net::TcpStream::connect("policy.example.com:8443").await?;
/// let stream = connector.connect("policy.example.com", socket).await?;
/// // Send requests on `stream` as long as `stream.is_current()`.
/// # drop(stream);
/// // The files have changed, and load:
/// connector.replace(load()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    current: Arc<ArcSwap<ConnectorMaterial>>,
}

impl Connector {
    /// A connector with its first material.
    pub fn new(material: ConnectorMaterial) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(material)) }
    }

    /// Replaces the material as a whole and returns whether it differs from the set in force. Equal material changes
    /// nothing. Handshakes that have begun finish under the old set; their streams are then no longer
    /// [current](ClientStream::is_current).
    pub fn replace(&self, material: ConnectorMaterial) -> bool {
        let material = Arc::new(material);
        let before = self.current.rcu(|current| {
            let chosen = if current.equals(&material) { current } else { &material };
            Arc::clone(chosen)
        });
        !before.equals(&material)
    }

    /// Performs the handshake (RFC 8446; RFC 5246 for TLS 1.2) and verifies the server's certificate.
    ///
    /// `server` is the DNS name or IP address the caller meant to reach; it is sent as SNI if it is a DNS name.
    ///
    /// **Guarantees.** The server holds the key of a certificate that a CA of the bundle issued for server
    /// authentication, that is valid now, that no CRL revokes, and that has the
    /// [expected name](ConnectorSettings::expected_server).
    ///
    /// **Limits.** Takes at most [`ConnectorSettings::handshake_timeout`], 10 s by default. A server that sends more than
    /// [`limits::SERVER_INTERMEDIATES_MAX`](crate::limits::SERVER_INTERMEDIATES_MAX) intermediates is refused.
    ///
    /// **Errors.** [`ConnectError`]; the transport is closed. Under TLS 1.3 a server that refuses the client's
    /// certificate says so after the handshake: the first read then fails.
    ///
    /// **Cancellation.** Dropping the future closes the transport. Must run inside a tokio runtime with its timer enabled.
    pub async fn connect<S>(&self, server: &str, stream: S) -> Result<ClientStream<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let material = self.current.load_full();
        let name = ServerName::try_from(server.to_owned())
            .map_err(|_| ConnectError::BadServerName { name: server.to_owned() })?;
        let connector = TlsConnector::from(Arc::clone(material.config()));
        match timeout(material.handshake_timeout(), connector.connect(name, stream)).await {
            Ok(Ok(tls)) => Ok(ClientStream::new(tls, material, Arc::clone(&self.current))),
            Ok(Err(error)) => Err(ConnectError::from_handshake(error)),
            Err(_elapsed) => Err(ConnectError::Timeout),
        }
    }
}
