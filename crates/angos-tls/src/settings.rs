//! What the operator chose: the input of [`Material::load`](crate::Material::load).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;

/// Whether a client without a certificate is served. There is no default: [`Clients`] says it.
///
/// A certificate that *is* offered must be valid in both modes that ask for one: an invalid one ends the
/// handshake and never turns its holder into an anonymous client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Clients are not asked for a certificate; each [`Peer`](crate::Peer) is anonymous.
    None,
    /// A client may connect without a certificate; its [`Peer`](crate::Peer) then has none.
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
    /// Further certificates, shown to clients that ask for one of their names (SNI). The one above is for all
    /// others.
    pub certificates: Vec<NamedCertificate>,
    /// Which clients are accepted.
    pub clients: Clients,
    /// What holds where revocation lists leave room for doubt.
    pub revocation: Revocation,
    /// Whether a client may continue an earlier session, which spares both sides the signatures of a handshake.
    /// Only while nothing changed: see [`Material`](crate::Material).
    pub resumption: bool,
    /// Time a client has to finish the handshake; more than zero, at most
    /// [`limits::HANDSHAKE_TIMEOUT_MAX`].
    pub handshake_timeout: Duration,
}

impl Settings {
    /// Settings of a server that accepts these clients, with [`limits::HANDSHAKE_TIMEOUT`].
    pub fn new(
        certificate_bundle: impl Into<PathBuf>,
        private_key: impl Into<PathBuf>,
        clients: Clients,
    ) -> Self {
        Self {
            server_certificate_bundle: certificate_bundle.into(),
            server_private_key: private_key.into(),
            certificates: Vec::new(),
            clients,
            revocation: Revocation::default(),
            resumption: true,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
        }
    }
}

/// Which clients are accepted: one mode for all, and the authorities that may sign their certificates.
///
/// ```
/// use angos_tls::{ClientCa, Clients};
///
/// let clients = Clients::required([
///     ClientCa::named("staff", "staff-ca.pem"),
///     ClientCa::named("partners", "partners-ca.pem"),
/// ]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Whether a client must have a certificate. Without authorities only [`ClientAuth::None`] loads.
    pub auth: ClientAuth,
    /// The authorities that may sign client certificates. With [`ClientAuth::None`] they count only for acceptors with
    /// another mode: see [`Acceptor::with_client_auth`](crate::Acceptor::with_client_auth).
    pub cas: Vec<ClientCa>,
}

impl Clients {
    /// Nobody is asked for a certificate: every client is anonymous.
    pub fn anonymous() -> Self {
        Self { auth: ClientAuth::None, cas: Vec::new() }
    }

    /// Clients with a certificate of one of the authorities, and clients without any certificate.
    pub fn optional(cas: impl IntoIterator<Item = ClientCa>) -> Self {
        Self { auth: ClientAuth::Optional, cas: cas.into_iter().collect() }
    }

    /// Clients with a certificate of one of the authorities, and no others.
    pub fn required(cas: impl IntoIterator<Item = ClientCa>) -> Self {
        Self { auth: ClientAuth::Required, cas: cas.into_iter().collect() }
    }
}

/// A certificate of the server for some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCertificate {
    /// The names clients ask for, `registry.example.com` or `*.example.com`; the wildcard stands for one label.
    /// Empty: the DNS names in the certificate. No two certificates may be for the same name.
    pub names: Vec<String>,
    /// The certificate, followed by the intermediates that lead to its root, if any.
    pub bundle: PathBuf,
    /// The private key of that certificate, as [`Settings::server_private_key`].
    pub private_key: PathBuf,
}

impl NamedCertificate {
    /// The certificate of `bundle`, for the DNS names in it.
    pub fn new(bundle: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self { names: Vec::new(), bundle: bundle.into(), private_key: private_key.into() }
    }
}

/// Who may sign client certificates: one bundle of authorities that are trusted alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCa {
    /// What [`Peer::ca`](crate::Peer::ca) says of clients it vouches for: lower-case letters,
    /// digits and `-`, at most [`limits::CA_NAME_MAX_BYTES`], and no two alike. None: it has no name, and
    /// its clients no authority's name.
    pub name: Option<Arc<str>>,
    /// The authorities' certificates. The same one must not be in two bundles.
    pub bundle: PathBuf,
    /// Its revocation lists: files, and folders of nothing but such files; PEM (one or more lists) or DER. Where no list
    /// can be used, as in an empty folder, [`Settings::revocation`] says what holds. None: revocation is not checked
    /// for certificates it vouches for. An empty vector is an error, so that a pattern that matches no file does not
    /// turn the check off.
    pub crls: Option<Vec<PathBuf>>,
    /// A certificate counts only if it carries a SPIFFE id of this trust domain. None: any, or no SPIFFE id.
    pub spiffe_trust_domain: Option<String>,
}

impl ClientCa {
    /// The authorities of `bundle`, without a name or further demands.
    pub fn new(bundle: impl Into<PathBuf>) -> Self {
        Self { name: None, bundle: bundle.into(), crls: None, spiffe_trust_domain: None }
    }

    /// The authorities of `bundle` under a name.
    pub fn named(name: impl Into<Arc<str>>, bundle: impl Into<PathBuf>) -> Self {
        Self { name: Some(name.into()), ..Self::new(bundle) }
    }
}

/// What holds where revocation lists leave room for doubt, for every authority that has lists. The defaults are
/// the strict ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Revocation {
    /// No usable list of the issuer covers the certificate.
    pub unknown_status: UnknownStatusPolicy,
    /// The list that covers the certificate is past its `nextUpdate`. What it says of revoked certificates holds
    /// either way.
    pub expired_list: UnknownStatusPolicy,
    /// How much of the path is checked.
    pub depth: RevocationDepth,
}

/// What holds in doubt. Default: [`Deny`](UnknownStatusPolicy::Deny).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownStatusPolicy {
    /// The certificate is refused.
    #[default]
    Deny,
    /// The certificate counts as not revoked.
    Allow,
}

/// How much of a path is checked for revocation. Default: [`Chain`](RevocationDepth::Chain).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RevocationDepth {
    /// The client's certificate and each intermediate, but not the authority itself.
    #[default]
    Chain,
    /// The client's certificate alone.
    Leaf,
}

/// A field of [`Settings`]: names the line of a configuration a problem belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// [`Settings::server_certificate_bundle`]
    ServerCertificateBundle,
    /// [`Settings::server_private_key`]
    ServerPrivateKey,
    /// A field of the element at this place of [`Settings::certificates`].
    Certificate(usize, CertificateSetting),
    /// A field of the element at this place of [`Clients::cas`].
    ClientCa(usize, ClientCaSetting),
    /// [`Clients::auth`]
    ClientAuth,
    /// [`Settings::handshake_timeout`]
    HandshakeTimeout,
}

/// A field of [`NamedCertificate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateSetting {
    /// [`NamedCertificate::names`]
    Names,
    /// [`NamedCertificate::bundle`]
    Bundle,
    /// [`NamedCertificate::private_key`]
    PrivateKey,
}

impl fmt::Display for CertificateSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Names => "names",
            Self::Bundle => "bundle",
            Self::PrivateKey => "private_key",
        })
    }
}

/// A field of [`ClientCa`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientCaSetting {
    /// [`ClientCa::name`]
    Name,
    /// [`ClientCa::bundle`]
    Bundle,
    /// [`ClientCa::crls`] as a whole.
    AllCrls,
    /// The path at this place of [`ClientCa::crls`].
    Crls(usize),
    /// [`ClientCa::spiffe_trust_domain`]
    SpiffeTrustDomain,
}

impl fmt::Display for ClientCaSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Bundle => f.write_str("bundle"),
            Self::AllCrls => f.write_str("crls"),
            Self::Crls(place) => write!(f, "crls[{place}]"),
            Self::SpiffeTrustDomain => f.write_str("spiffe_trust_domain"),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerCertificateBundle => f.write_str("server_certificate_bundle"),
            Self::ServerPrivateKey => f.write_str("server_private_key"),
            Self::Certificate(place, field) => write!(f, "certificates[{place}].{field}"),
            Self::ClientCa(place, field) => {
                write!(f, "clients.cas[{place}].{field}")
            }
            Self::ClientAuth => f.write_str("clients.auth"),
            Self::HandshakeTimeout => f.write_str("handshake_timeout"),
        }
    }
}
