//! One complete, validated set of TLS material: files → everything a handshake needs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use angos_identity::Certificate;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientCertVerifierBuilder, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use webpki::EndEntityCert;

use crate::authorities::Authorities;
use crate::load_error::{LoadError, Problem};
use crate::peer::Protocol;
use crate::settings::{ClientAuth, Setting, Settings};
use crate::verifier::IdentityVerifier;
use crate::warning::{Concern, Warning};
use crate::{limits, offered, pem};

/// A complete set of TLS material that was checked as a whole. Immutable: a change of files is a new set.
///
/// Guarantees: the private key belongs to the server certificate; every client authority is one; TLS 1.2 and
/// 1.3 only, with aws-lc-rs and post-quantum key exchange preferred; no session is ever resumed, so that no
/// connection rests on a verification older than itself.
#[derive(Debug)]
pub struct Material {
    server_config: Arc<ServerConfig>,
    client_auth: Option<ClientAuth>,
    handshake_timeout: Duration,
    warnings: Vec<Warning>,
}

impl Material {
    /// Reads and checks all files. Returns everything that is wrong, not only the first problem.
    ///
    /// Blocks on the file system; at most [`limits::PEM_MAX_BYTES`] of each file are read.
    pub fn load(settings: &Settings) -> Result<Self, Vec<LoadError>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
        Loading { settings, now, errors: Vec::new(), warnings: Vec::new() }.finish()
    }

    /// What is odd about the set; empty for a set without surprises.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether client certificates are required or optional. None: they are not asked for.
    pub fn client_auth(&self) -> Option<ClientAuth> {
        self.client_auth
    }

    /// Time a client has to finish the handshake.
    pub fn handshake_timeout(&self) -> Duration {
        self.handshake_timeout
    }

    /// The rustls configuration, for embedders that drive rustls themselves.
    ///
    /// Its client verifier refuses what [`Acceptor::accept`](crate::Acceptor::accept) refuses. The deadline,
    /// the [`Peer`](crate::Peer) and the log events are the acceptor's and do not come with it.
    pub fn server_config(&self) -> &Arc<ServerConfig> {
        &self.server_config
    }
}

/// A set on its way: what is wrong and what is odd so far.
struct Loading<'a> {
    settings: &'a Settings,
    now: i64,
    errors: Vec<LoadError>,
    warnings: Vec<Warning>,
}

impl Loading<'_> {
    fn finish(mut self) -> Result<Material, Vec<LoadError>> {
        let timeout = self.settings.handshake_timeout;
        if timeout.is_zero() || timeout > limits::HANDSHAKE_TIMEOUT_MAX {
            self.errors.push(LoadError::in_setting(Setting::HandshakeTimeout, Problem::TimeoutOutOfRange));
        }
        let provider = Arc::new(provider());
        let chain = self.server_chain();
        let key = self.server_key();
        let authorities = self.client_authorities();
        let certified = chain.zip(key).and_then(|(chain, key)| self.certified_key(chain, key, &provider));
        let (Some(certified), true) = (certified, self.errors.is_empty()) else {
            return Err(self.errors);
        };
        match server_config(provider, certified, authorities.as_ref(), self.settings.client_auth) {
            Ok(config) => Ok(Material {
                server_config: Arc::new(config),
                client_auth: authorities.map(|_| self.settings.client_auth),
                handshake_timeout: timeout,
                warnings: self.warnings,
            }),
            Err(problem) => {
                let file = &self.settings.server_certificate_bundle;
                Err(vec![LoadError::in_file(Setting::ServerCertificateBundle, file, problem)])
            }
        }
    }

    fn server_chain(&mut self) -> Option<Vec<CertificateDer<'static>>> {
        let (setting, file) = (Setting::ServerCertificateBundle, &self.settings.server_certificate_bundle);
        let chain = self.note(setting, file, pem::read(file).and_then(|bytes| server_chain(&bytes)))?;
        if let Some(certificate) = chain.first().and_then(|leaf| Certificate::from_der(leaf).ok()) {
            let concerns = [Concern::ServerExpired, Concern::ServerNotYetValid];
            self.note_validity(setting, file, 1, &certificate, concerns);
        }
        Some(chain)
    }

    fn server_key(&mut self) -> Option<PrivateKeyDer<'static>> {
        let file = &self.settings.server_private_key;
        self.note(Setting::ServerPrivateKey, file, pem::read(file).and_then(|bytes| pem::private_key(&bytes)))
    }

    fn client_authorities(&mut self) -> Option<Authorities> {
        let setting = Setting::ClientCaBundle;
        let Some(file) = &self.settings.client_ca_bundle else {
            if self.settings.client_auth == ClientAuth::Required {
                let problem = Problem::RequiredWithoutAuthorities;
                self.errors.push(LoadError::in_setting(Setting::ClientAuth, problem));
            }
            return None;
        };
        let bytes = self.note(setting, file, pem::read(file))?;
        match Authorities::parse(&bytes) {
            Ok(authorities) => {
                let concerns = [Concern::AuthorityExpired, Concern::AuthorityNotYetValid];
                for (certificate, position) in authorities.certificates.iter().zip(1..) {
                    self.note_validity(setting, file, position, certificate, concerns);
                }
                Some(authorities)
            }
            Err(problems) => {
                let errors = problems.into_iter().map(|problem| LoadError::in_file(setting, file, problem));
                self.errors.extend(errors);
                None
            }
        }
    }

    fn certified_key(
        &mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Option<CertifiedKey> {
        let certified =
            provider.key_provider.load_private_key(key).map_err(|_| Problem::UnusablePrivateKey).and_then(
                |key| {
                    let certified = CertifiedKey::new(chain, key);
                    // A key whose public half is unknown counts as a mismatch: it cannot be shown to belong.
                    certified.keys_match().map(|()| certified).map_err(|_| Problem::KeyMismatch)
                },
            );
        self.note(Setting::ServerPrivateKey, &self.settings.server_private_key, certified)
    }

    fn note<T>(&mut self, setting: Setting, file: &Path, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.errors.push(LoadError::in_file(setting, file, problem))).ok()
    }

    fn note_validity(
        &mut self,
        setting: Setting,
        file: &Path,
        position: usize,
        certificate: &Certificate,
        [expired, not_yet_valid]: [Concern; 2],
    ) {
        let concern = if self.now > certificate.not_after() {
            expired
        } else if self.now < certificate.not_before() {
            not_yet_valid
        } else {
            return;
        };
        let subject = offered::printable(certificate.subject(), limits::OFFERED_TEXT_MAX_CHARS);
        self.warnings.push(Warning::new(setting, file, position, subject, concern));
    }
}

fn server_chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let chain = pem::certificates(bytes)?;
    for (certificate, position) in chain.iter().zip(1..) {
        EndEntityCert::try_from(certificate)
            .map_err(|error| Problem::BadCertificate { position, reason: error.to_string() })?;
    }
    let bytes: usize = chain.iter().map(|certificate| certificate.len()).sum();
    if bytes > limits::SERVER_CHAIN_MAX_BYTES { Err(Problem::ChainTooLarge) } else { Ok(chain) }
}

/// aws-lc-rs, with the order of key exchange groups spelled out: it must not depend on which features some
/// other crate of the build turns on.
fn provider() -> CryptoProvider {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    CryptoProvider {
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}

fn server_config(
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
    authorities: Option<&Authorities>,
    client_auth: ClientAuth,
) -> Result<ServerConfig, Problem> {
    let refused = |error: &dyn std::error::Error| Problem::Refused(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| refused(&error))?;
    let builder = match authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities.roots), provider);
            let verifier = match client_auth {
                ClientAuth::Optional => verifier.allow_unauthenticated(),
                ClientAuth::Required => verifier,
            };
            let hints = ClientCertVerifierBuilder::clear_root_hint_subjects;
            let verifier = if authorities.fit_as_hints() { verifier } else { hints(verifier) };
            let verifier = verifier.build().map_err(|error| refused(&error))?;
            builder.with_client_cert_verifier(Arc::new(IdentityVerifier::new(verifier)))
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![Protocol::HTTP2_ALPN.to_vec(), Protocol::HTTP1_ALPN.to_vec()];
    // A resumed session skips the verifier: it would outlive an authority, a revocation and its own expiry.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use angos_test_ca::{Authority, Leaf};

    use super::*;

    const DAY: i64 = 24 * 3600;

    #[test]
    fn authorities_outside_their_validity_are_warned_about() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("Client CA");
        let (certificate, key) =
            authority.issue(&Leaf::server(["localhost"])).write(directory.path(), "server");
        let settings = Settings::new(certificate, key)
            .client_authorities(authority.write(directory.path(), "ca"), ClientAuth::Optional);
        let today = Certificate::from_der(&authority.certificate_der()).unwrap().not_before() + DAY;
        let check = |now: i64, expected: &[Concern]| {
            let loading = Loading { settings: &settings, now, errors: Vec::new(), warnings: Vec::new() };
            let material = loading.finish().unwrap();
            let concerns: Vec<_> = material.warnings().iter().map(Warning::concern).collect();
            assert_eq!(concerns, expected, "at {now}");
        };
        check(today, &[]);
        check(today + 10 * DAY, &[Concern::ServerExpired, Concern::AuthorityExpired]);
        check(today - 10 * DAY, &[Concern::ServerNotYetValid, Concern::AuthorityNotYetValid]);
    }
}
