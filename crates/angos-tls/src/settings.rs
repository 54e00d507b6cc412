//! What the operator chose: the input of [`Material::load`](crate::Material::load).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits;

/// Whether a client without a certificate is served. Default: [`Optional`](ClientAuth::Optional).
///
/// In both modes a certificate that *is* offered must be valid: an invalid one ends the handshake and never
/// turns its holder into an anonymous client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuth {
    /// A client may connect without a certificate; its [`Peer`](crate::Peer) then has none.
    #[default]
    Optional,
    /// The handshake fails unless the client proves possession of a valid certificate.
    Required,
}

/// Where the TLS material is, and how clients are treated.
///
/// The files are PEM, each at most [`limits::PEM_MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The server's certificate, followed by the intermediates that lead to its root, if any.
    pub server_certificate_bundle: PathBuf,
    /// The private key of that certificate, unencrypted, as PKCS#8, PKCS#1 or SEC1.
    pub server_private_key: PathBuf,
    /// The authorities that may sign client certificates. None: clients are never asked for a certificate.
    pub client_ca_bundle: Option<PathBuf>,
    /// Whether a client must have a certificate. Without `client_ca_bundle`, `Required` is refused.
    pub client_auth: ClientAuth,
    /// Time a client has to finish the handshake; more than zero, at most
    /// [`limits::HANDSHAKE_TIMEOUT_MAX`].
    pub handshake_timeout: Duration,
}

impl Settings {
    /// Settings of a server that asks for no client certificate, with [`limits::HANDSHAKE_TIMEOUT`].
    pub fn new(certificate_bundle: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self {
            server_certificate_bundle: certificate_bundle.into(),
            server_private_key: private_key.into(),
            client_ca_bundle: None,
            client_auth: ClientAuth::default(),
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
        }
    }

    /// The same settings with client certificates signed by an authority of `bundle`.
    #[must_use]
    pub fn client_authorities(mut self, bundle: impl Into<PathBuf>, client_auth: ClientAuth) -> Self {
        self.client_ca_bundle = Some(bundle.into());
        self.client_auth = client_auth;
        self
    }
}

/// A field of [`Settings`]: names the line of a configuration a problem belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// [`Settings::server_certificate_bundle`]
    ServerCertificateBundle,
    /// [`Settings::server_private_key`]
    ServerPrivateKey,
    /// [`Settings::client_ca_bundle`]
    ClientCaBundle,
    /// [`Settings::client_auth`]
    ClientAuth,
    /// [`Settings::handshake_timeout`]
    HandshakeTimeout,
}

impl Setting {
    /// The field's name as written in [`Settings`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerCertificateBundle => "server_certificate_bundle",
            Self::ServerPrivateKey => "server_private_key",
            Self::ClientCaBundle => "client_ca_bundle",
            Self::ClientAuth => "client_auth",
            Self::HandshakeTimeout => "handshake_timeout",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
