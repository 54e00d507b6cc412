//! The settings of a connector, and the names of its fields.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits;

/// Whom a [`Connector`](crate::Connector) trusts, and how it authenticates itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorSettings {
    /// PEM file of the CAs that issue server certificates. Required: no other CA is trusted.
    pub server_ca_bundle: PathBuf,
    /// CRL files (PEM or DER) for the server's certificate and its intermediates. None (default): revocation is not
    /// checked. With CRLs, a certificate that no CRL in date covers is refused. An empty vector is an error.
    pub server_crls: Option<Vec<PathBuf>>,
    /// Certificate and key to authenticate with. None (default): the server sees an anonymous client.
    pub client_certificate: Option<ClientKeyPair>,
    /// The name the server's certificate must have. Default: the name given to `connect`.
    pub expected_server: ExpectedServer,
    /// ALPN protocols, most wanted first. Default: none, ALPN is not sent.
    pub alpn: Vec<Vec<u8>>,
    /// Longest time for a handshake. Default: [`limits::HANDSHAKE_TIMEOUT`]; at most
    /// [`limits::HANDSHAKE_TIMEOUT_MAX`].
    pub handshake_timeout: Duration,
}

/// Files of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeyPair {
    /// PEM file: the certificate, followed by its intermediates.
    pub bundle: PathBuf,
    /// PEM file of the certificate's unencrypted private key.
    pub private_key: PathBuf,
}

/// The name a server's certificate must have. A certificate without it is refused whatever CA issued it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedServer {
    /// The DNS name or IP address given to [`Connector::connect`](crate::Connector::connect).
    #[default]
    RequestedName,
    /// At least one of these DNS names and IP addresses; the requested name does not count. An empty vector is an
    /// error.
    AnyOf(Vec<String>),
    /// Exactly this SPIFFE id, such as `spiffe://example.org/policy`; DNS names do not count.
    SpiffeId(String),
}

impl ConnectorSettings {
    /// Trusts the CAs of `server_ca_bundle` and sends no client certificate; everything else is the default.
    pub fn new(server_ca_bundle: impl Into<PathBuf>) -> Self {
        Self {
            server_ca_bundle: server_ca_bundle.into(),
            server_crls: None,
            client_certificate: None,
            expected_server: ExpectedServer::RequestedName,
            alpn: Vec::new(),
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
        }
    }

    /// The same settings with a client certificate.
    #[must_use]
    pub fn with_client_certificate(
        mut self,
        bundle: impl Into<PathBuf>,
        private_key: impl Into<PathBuf>,
    ) -> Self {
        let pair = ClientKeyPair { bundle: bundle.into(), private_key: private_key.into() };
        self.client_certificate = Some(pair);
        self
    }
}

/// A field of [`ConnectorSettings`], so that a problem can point at its line of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectorSetting {
    /// [`ConnectorSettings::server_ca_bundle`]
    ServerCaBundle,
    /// [`ConnectorSettings::server_crls`]
    ServerCrls,
    /// [`ClientKeyPair::bundle`]
    ClientCertificateBundle,
    /// [`ClientKeyPair::private_key`]
    ClientPrivateKey,
    /// [`ConnectorSettings::expected_server`]
    ExpectedServer,
    /// [`ConnectorSettings::handshake_timeout`]
    HandshakeTimeout,
}

impl fmt::Display for ConnectorSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerCaBundle => "server_ca_bundle",
            Self::ServerCrls => "server_crls",
            Self::ClientCertificateBundle => "client_certificate_bundle",
            Self::ClientPrivateKey => "client_private_key",
            Self::ExpectedServer => "expected_server",
            Self::HandshakeTimeout => "handshake_timeout",
        })
    }
}
