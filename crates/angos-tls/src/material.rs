//! One complete, validated set of TLS material: everything a handshake needs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier, version};
use sha2::{Digest, Sha256};

use crate::expiry::{Expiry, ExpiryKind};
use crate::files::Files;
use crate::limits;
use crate::load_error::{LoadError, Problem};
use crate::loading;
use crate::peer::Protocol;
use crate::sessions::Sessions;
use crate::settings::{ClientAuth, Settings};
use crate::trust::Trust;
use crate::verifier::Verifier;
use crate::warning::Warning;

/// A complete set of TLS material that was checked as a whole. Immutable: a change of files is a new set.
///
/// Guarantees: the private key belongs to the server certificate; every client authority is one and may sign
/// certificates; a revocation list that is used is signed by its issuer; TLS 1.2 and 1.3 only, with aws-lc-rs and
/// post-quantum key exchange preferred; a session is resumed only under the set it began under, and only while
/// the verdict on its client's chain holds.
#[derive(Debug)]
pub struct Material {
    pub(crate) trust: Arc<Trust>,
    pub(crate) client_auth: ClientAuth,
    pub(crate) configs: Configs,
    pub(crate) template: ConfigTemplate,
    pub(crate) handshake_timeout: Duration,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) expiries: Vec<Expiry>,
    /// Certificates and keys of the server.
    pub(crate) server_digest: [u8; 32],
}

impl Material {
    /// Reads and checks all files. Returns everything that is wrong, not only the first problem.
    ///
    /// Blocks on the file system, as long as that takes; at most
    /// [`limits::PEM_MAX_BYTES`](crate::limits::PEM_MAX_BYTES) of each file are read.
    pub fn load(settings: &Settings) -> Result<Self, Vec<LoadError>> {
        Self::load_with(settings, &Files::new())
    }

    /// Like [`load`](Self::load), and `files` records what was read: a caller can learn whether the files were still
    /// being written, or follow their changes.
    pub fn load_with(settings: &Settings, files: &Files) -> Result<Self, Vec<LoadError>> {
        loading::load(settings, files)
    }

    /// What is odd about the set; empty for a set without surprises.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What of the set ends when: the server's certificate, each client authority, each revocation list.
    pub fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }

    /// Whether client certificates are required, optional, or not asked for, as without client authorities.
    pub fn client_auth(&self) -> ClientAuth {
        self.client_auth
    }

    /// Time a client has to finish the handshake.
    pub fn handshake_timeout(&self) -> Duration {
        self.handshake_timeout
    }

    /// The rustls configuration, for embedders that drive rustls themselves.
    ///
    /// Its client verifier refuses what [`Acceptor::accept`](crate::Acceptor::accept) refuses. The deadline,
    /// the [`Peer`](crate::Peer), the log events and the resumption of sessions are the acceptor's and do not come
    /// with it.
    pub fn server_config(&self) -> &Arc<ServerConfig> {
        self.config(self.client_auth)
    }

    pub(crate) fn config(&self, client_auth: ClientAuth) -> &Arc<ServerConfig> {
        match client_auth {
            ClientAuth::None => &self.configs.none,
            ClientAuth::Optional => &self.configs.optional,
            ClientAuth::Required => &self.configs.required,
        }
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The same set, but with those revocation lists of `before` that are newer than what it has instead: who puts
    /// an old list back must not make revoked certificates good again.
    pub(crate) fn after(mut self, before: &Self) -> Self {
        self.trust.remember(&before.trust);
        let Some((trust, older)) = self.trust.keeping_newer_lists(&before.trust) else { return self };
        trust.remember(&before.trust);
        for list in older {
            let (file, issuer) = (list.file.display(), &list.issuer_text);
            tracing::warn!(target: "angos::tls", %file, issuer, "a revocation list is older than the one in force, which stays");
        }
        self.trust = Arc::new(trust);
        self.configs = self.template.configs(&self.trust);
        self.expiries.retain(|expiry| expiry.kind != ExpiryKind::Crl);
        self.expiries.extend(self.trust.lists().map(|list| Expiry {
            kind: ExpiryKind::Crl,
            subject: list.issuer_text.clone(),
            file: list.file.clone(),
            at: list.next_update,
            fingerprint: list.digest,
        }));
        self
    }

    /// Whether the two sets mean the same, so that one in the other's place would change nothing.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.server_digest);
        digest.update(self.trust.digest());
        let resumption = self.template.resumption;
        digest.update(format!("{:?} {:?} {resumption}", self.client_auth, self.handshake_timeout));
        digest.finalize().into()
    }
}

/// One configuration for each way to treat clients: all of one set, and none shares a session with another.
#[derive(Debug)]
pub(crate) struct Configs {
    none: Arc<ServerConfig>,
    optional: Arc<ServerConfig>,
    required: Arc<ServerConfig>,
}

/// What configurations are made from, whomever they trust.
pub(crate) struct ConfigTemplate {
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    server: Arc<dyn ResolvesServerCert>,
    resumption: bool,
}

impl ConfigTemplate {
    pub(crate) fn new(
        provider: Arc<CryptoProvider>,
        server: Arc<dyn ResolvesServerCert>,
        resumption: bool,
    ) -> Result<Self, Problem> {
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| Problem::Refused(error.to_string()))?;
        Ok(Self { builder, server, resumption })
    }

    pub(crate) fn configs(&self, trust: &Arc<Trust>) -> Configs {
        let config = |client_auth| Arc::new(self.config(trust, client_auth));
        Configs {
            none: config(ClientAuth::None),
            optional: config(ClientAuth::Optional),
            required: config(ClientAuth::Required),
        }
    }

    fn config(&self, trust: &Arc<Trust>, client_auth: ClientAuth) -> ServerConfig {
        let builder = self.builder.clone();
        let verifier = |mandatory| Arc::new(Verifier::new(Arc::clone(trust), mandatory));
        let builder = match client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Optional => builder.with_client_cert_verifier(verifier(false)),
            ClientAuth::Required => builder.with_client_cert_verifier(verifier(true)),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&self.server));
        config.alpn_protocols = vec![Protocol::HTTP2_ALPN.to_vec(), Protocol::HTTP1_ALPN.to_vec()];
        // Tickets are keys of sessions kept here, of this set alone: what they are worth ends with it.
        if self.resumption {
            config.session_storage = Arc::new(Sessions::new());
            config.send_tls13_tickets = limits::TICKETS;
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config
    }
}

impl fmt::Debug for ConfigTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigTemplate").field("server", &self.server).finish_non_exhaustive()
    }
}

/// aws-lc-rs, with the order of key exchange groups spelled out: it must not depend on which features some
/// other crate of the build turns on.
pub(crate) fn provider() -> CryptoProvider {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    CryptoProvider {
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}
