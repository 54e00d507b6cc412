//! One complete, validated set of a connector's material.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, version};
use rustls_pki_types::{ServerName, TrustAnchor};
use sha2::{Digest, Sha256};
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::connector_settings::{ClientKeyPair, ConnectorSetting, ConnectorSettings, ExpectedServer};
use super::server_verifier::{ExpectedName, ServerVerifier};
use crate::files::Files;
use crate::load_error::Problem;
use crate::loading::{certified_key, server_chain};
use crate::{ca_bundle, limits, material, pem};

/// A complete set of material for a [`Connector`](crate::Connector), checked as a whole. Immutable: changed files are a
/// new set.
///
/// Guarantees: every certificate of the bundle is a CA that may sign certificates; the private key belongs to the
/// client certificate; TLS 1.2 and 1.3 only; sessions are never resumed.
#[derive(Debug)]
pub struct ConnectorMaterial {
    config: Arc<ClientConfig>,
    handshake_timeout: Duration,
    /// SHA-256 of the settings and of what was read.
    digest: [u8; 32],
}

impl ConnectorMaterial {
    /// Reads and checks all files. Returns every problem, not only the first.
    ///
    /// Blocks on the file system; reads at most [`limits::PEM_MAX_BYTES`] of each PEM file and
    /// [`limits::CRL_MAX_BYTES`] of all CRL files together.
    pub fn load(settings: &ConnectorSettings) -> Result<Self, Vec<ConnectorLoadError>> {
        Self::load_with(settings, &Files::new())
    }

    /// Like [`load`](Self::load); `files` records what was read, for a caller that watches the files.
    pub fn load_with(settings: &ConnectorSettings, files: &Files) -> Result<Self, Vec<ConnectorLoadError>> {
        let digest = Sha256::new_with_prefix(format!("{settings:?}"));
        let mut loading = Loading { files, digest, errors: Vec::new() };
        loading.check_timeout(settings.handshake_timeout);
        let anchors = loading.anchors(&settings.server_ca_bundle);
        let crls = settings.server_crls.as_deref().map(|paths| loading.crls(paths));
        let client = settings.client_certificate.as_ref().map(|pair| loading.client(pair));
        let expected = loading.expected(&settings.expected_server);
        if !loading.errors.is_empty() {
            return Err(loading.errors);
        }
        let provider = Arc::new(material::provider());
        let algorithms = provider.signature_verification_algorithms;
        let verifier = ServerVerifier { anchors, crls, expected, algorithms };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| {
                let problem = Problem::Refused(error.to_string());
                vec![ConnectorLoadError { setting: ConnectorSetting::ServerCaBundle, file: None, problem }]
            })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match client.flatten() {
            Some(client) => builder.with_client_cert_resolver(Arc::new(client)),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&settings.alpn);
        // A resumed session would skip the certificate, its validity and the CRLs.
        config.resumption = Resumption::disabled();
        let (config, handshake_timeout) = (Arc::new(config), settings.handshake_timeout);
        Ok(Self { config, handshake_timeout, digest: loading.digest.finalize().into() })
    }

    pub(super) fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    pub(super) fn handshake_timeout(&self) -> Duration {
        self.handshake_timeout
    }

    /// Whether both sets came from the same settings and bytes.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// A problem with one setting of a connector, or with the file it names.
#[derive(Debug)]
pub struct ConnectorLoadError {
    setting: ConnectorSetting,
    file: Option<PathBuf>,
    problem: Problem,
}

impl ConnectorLoadError {
    /// The setting to change.
    pub fn setting(&self) -> ConnectorSetting {
        self.setting
    }

    /// The file with the problem. None: the setting itself is wrong.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for ConnectorLoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.setting)?;
        if let Some(file) = &self.file {
            write!(f, " {}", file.display())?;
        }
        match &self.problem {
            // The problem's own text names the server certificate bundle.
            Problem::KeyMismatch => f.write_str(
                ": the private key does not belong to the first certificate of client_certificate_bundle",
            ),
            problem => write!(f, ": {problem}"),
        }
    }
}

impl std::error::Error for ConnectorLoadError {}

struct Loading<'a> {
    files: &'a Files,
    digest: Sha256,
    errors: Vec<ConnectorLoadError>,
}

impl Loading<'_> {
    fn note(&mut self, setting: ConnectorSetting, file: Option<&Path>, problem: Problem) {
        self.errors.push(ConnectorLoadError { setting, file: file.map(Path::to_owned), problem });
    }

    /// The value, or a noted problem.
    fn take<T>(&mut self, setting: ConnectorSetting, file: &Path, read: Result<T, Problem>) -> Option<T> {
        read.map_err(|problem| self.note(setting, Some(file), problem)).ok()
    }

    fn read(&mut self, path: &Path, max: u64) -> Result<Vec<u8>, Problem> {
        let bytes = self.files.read(path, max).map_err(pem::problem)?;
        self.digest.update(bytes.len().to_le_bytes());
        self.digest.update(&bytes);
        Ok(bytes)
    }

    fn check_timeout(&mut self, timeout: Duration) {
        if timeout.is_zero() || timeout > limits::HANDSHAKE_TIMEOUT_MAX {
            self.note(ConnectorSetting::HandshakeTimeout, None, Problem::TimeoutOutOfRange);
        }
    }

    fn anchors(&mut self, path: &Path) -> Vec<TrustAnchor<'static>> {
        let read = self.read(path, limits::PEM_MAX_BYTES).map_err(|problem| vec![problem]);
        match read.and_then(|bytes| ca_bundle::parse(&bytes)) {
            Ok(anchors) => anchors.into_iter().map(|anchor| anchor.trusted).collect(),
            Err(problems) => {
                for problem in problems {
                    self.note(ConnectorSetting::ServerCaBundle, Some(path), problem);
                }
                Vec::new()
            }
        }
    }

    fn crls(&mut self, paths: &[PathBuf]) -> Vec<CertRevocationList<'static>> {
        let setting = ConnectorSetting::ServerCrls;
        if paths.is_empty() {
            self.note(setting, None, Problem::NoCrls);
        }
        let (mut found, mut room) = (Vec::new(), limits::CRL_MAX_BYTES);
        for path in paths {
            let read = self.read(path, room).map_err(|problem| match problem {
                Problem::TooLarge => Problem::CrlTooLarge,
                problem => problem,
            });
            room = room.saturating_sub(read.as_ref().map_or(0, |bytes| bytes.len() as u64));
            let parsed = read.and_then(parse_crls);
            found.extend(self.take(setting, path, parsed).into_iter().flatten());
        }
        found
    }

    fn client(&mut self, pair: &ClientKeyPair) -> Option<SingleCertAndKey> {
        let chain = self.read(&pair.bundle, limits::PEM_MAX_BYTES).and_then(|bytes| server_chain(&bytes));
        let chain = self.take(ConnectorSetting::ClientCertificateBundle, &pair.bundle, chain);
        let key = self.read(&pair.private_key, limits::PEM_MAX_BYTES);
        let key = key.and_then(|bytes| pem::private_key(&bytes));
        let setting = ConnectorSetting::ClientPrivateKey;
        let key = self.take(setting, &pair.private_key, key);
        let (chain, key) = chain.zip(key)?;
        let certified = certified_key(chain, key, &material::provider());
        self.take(setting, &pair.private_key, certified).map(SingleCertAndKey::from)
    }

    fn expected(&mut self, expected: &ExpectedServer) -> ExpectedName {
        let setting = ConnectorSetting::ExpectedServer;
        match expected {
            ExpectedServer::RequestedName => ExpectedName::Requested,
            ExpectedServer::AnyOf(names) => {
                if names.is_empty() {
                    self.note(setting, None, Problem::BadServerName { name: String::new() });
                }
                let mut parsed = Vec::new();
                for name in names {
                    match ServerName::try_from(name.clone()) {
                        Ok(name) => parsed.push(name),
                        Err(_) => self.note(setting, None, Problem::BadServerName { name: name.clone() }),
                    }
                }
                ExpectedName::AnyOf(parsed)
            }
            ExpectedServer::SpiffeId(id) => {
                if !id.starts_with("spiffe://") {
                    self.note(setting, None, Problem::BadServerName { name: id.clone() });
                }
                ExpectedName::SpiffeId(id.clone())
            }
        }
    }
}

fn parse_crls(bytes: Vec<u8>) -> Result<Vec<CertRevocationList<'static>>, Problem> {
    let parse = |(der, position): (Vec<u8>, usize)| {
        let crl = OwnedCertRevocationList::from_der(&der);
        crl.map(CertRevocationList::from)
            .map_err(|error| Problem::BadCrl { position, reason: error.to_string() })
    };
    pem::crls(bytes)?.into_iter().zip(1..).map(parse).collect()
}
