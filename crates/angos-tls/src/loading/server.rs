//! The server's certificates and keys, and the names they are for.

use std::path::Path;
use std::sync::Arc;

use angos_identity::Certificate;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, DnsName, PrivateKeyDer, ServerName};
use sha2::{Digest, Sha256};
use webpki::EndEntityCert;

use super::Loading;
use crate::client_cert_info::printable;
use crate::expiry::ExpiryKind;
use crate::load_error::{LoadError, Problem};
use crate::names::ServerNames;
use crate::settings::{CertificateSetting, NamedCertificate, Setting};
use crate::warning::{Warning, WarningKind};
use crate::{limits, pem, refusal};

/// The files of one certificate, and the settings that name them.
struct Files<'a> {
    bundle: (Setting, &'a Path),
    key: (Setting, &'a Path),
}

/// A certificate with its key, and the digest of both.
struct Certified {
    certificate: Arc<CertifiedKey>,
    digest: [u8; 32],
}

impl Loading<'_> {
    /// The certificates by name, and the digest of all of it.
    pub(super) fn server(&mut self, provider: &CryptoProvider) -> Option<(ServerNames, [u8; 32])> {
        let settings = self.settings;
        let default = self.certified(
            &Files {
                bundle: (Setting::ServerCertificateBundle, &settings.server_certificate_bundle),
                key: (Setting::ServerPrivateKey, &settings.server_private_key),
            },
            provider,
        );
        let further: Vec<_> = settings
            .certificates
            .iter()
            .enumerate()
            .map(|(place, written)| {
                let setting = |field| Setting::Certificate(place, field);
                let files = Files {
                    bundle: (setting(CertificateSetting::Bundle), &written.bundle),
                    key: (setting(CertificateSetting::PrivateKey), &written.private_key),
                };
                self.certified(&files, provider)
            })
            .collect();
        let default = default?;
        let mut names = ServerNames::new(default.certificate);
        let mut digest = Sha256::new_with_prefix(default.digest);
        for ((place, written), certified) in settings.certificates.iter().enumerate().zip(further) {
            let certified = certified?;
            digest.update(certified.digest);
            for name in self.names(place, written, &certified) {
                digest.update(format!("{name:?}"));
                if !names.claim(name.clone(), &certified.certificate) {
                    let setting = Setting::Certificate(place, CertificateSetting::Names);
                    let problem = Problem::RepeatedServerName { name };
                    self.errors.push(LoadError::in_setting(setting, problem));
                }
            }
        }
        Some((names, digest.finalize().into()))
    }

    /// The names a certificate is for, in lower case: those that were chosen, or the DNS names in it.
    fn names(&mut self, place: usize, written: &NamedCertificate, certified: &Certified) -> Vec<String> {
        let setting = Setting::Certificate(place, CertificateSetting::Names);
        let Some(leaf) = certified.certificate.cert.first() else { return Vec::new() };
        let held: Vec<String> = match Certificate::from_der(leaf) {
            Ok(certificate) => certificate.dns_names().iter().map(|name| name.to_ascii_lowercase()).collect(),
            Err(_) => Vec::new(),
        };
        let chosen: Vec<String> = written.names.iter().map(|name| name.to_ascii_lowercase()).collect();
        for name in &chosen {
            if !is_server_name(name) {
                let name = printable(name, limits::CERT_TEXT_MAX_CHARS);
                self.errors.push(LoadError::in_setting(setting, Problem::BadServerName { name }));
            } else if !is_for(leaf, &held, name) {
                let (file, kind) = (&written.bundle, WarningKind::ServerNameMissing);
                self.warnings.push(Warning::new(setting, file, 1, name.clone(), kind));
            }
        }
        let mut names = if chosen.is_empty() { held } else { chosen };
        names.retain(|name| is_server_name(name));
        names.sort();
        if written.names.is_empty() {
            names.dedup();
        }
        if names.is_empty() && written.names.is_empty() {
            self.errors.push(LoadError::in_file(setting, &written.bundle, Problem::NoServerName));
        }
        names
    }

    fn certified(&mut self, files: &Files<'_>, provider: &CryptoProvider) -> Option<Certified> {
        let chain = self.chain(files.bundle);
        let (setting, file) = files.key;
        let key =
            self.note(setting, file, pem::read(self.files, file).and_then(|bytes| pem::private_key(&bytes)));
        let (chain, key) = chain.zip(key)?;
        let digest = digest(&chain, &key);
        let certificate = self.note(setting, file, certified_key(chain, key, provider))?;
        Some(Certified { certificate: Arc::new(certificate), digest })
    }

    fn chain(&mut self, (setting, file): (Setting, &Path)) -> Option<Vec<CertificateDer<'static>>> {
        let chain =
            self.note(setting, file, pem::read(self.files, file).and_then(|bytes| server_chain(&bytes)))?;
        let leaf = chain.first().and_then(|leaf| Some((leaf, Certificate::from_der(leaf).ok()?)));
        if let Some((leaf, certificate)) = leaf {
            let concerns = [WarningKind::ServerExpired, WarningKind::ServerNotYetValid];
            let subject = printable(certificate.subject(), limits::CERT_TEXT_MAX_CHARS);
            let validity = (certificate.not_before(), certificate.not_after());
            self.note_validity(setting, file, 1, &subject, validity, concerns);
            let fingerprint = Sha256::digest(leaf).into();
            self.note_expiry(ExpiryKind::Server, file, subject, certificate.not_after(), fingerprint);
        }
        Some(chain)
    }
}

/// The certificates of a chain file that is sent to the other side, as a server or as a client.
pub(crate) fn server_chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let chain = pem::certificates(bytes)?;
    for (certificate, position) in chain.iter().zip(1..) {
        EndEntityCert::try_from(certificate)
            .map_err(|error| Problem::BadCertificate { position, reason: refusal::words(&error) })?;
    }
    let bytes: usize = chain.iter().map(|certificate| certificate.len()).sum();
    if bytes > limits::SERVER_CHAIN_MAX_BYTES { Err(Problem::ChainTooLarge) } else { Ok(chain) }
}

/// The chain with its key, which must belong to the first certificate.
pub(crate) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Problem> {
    let key = provider.key_provider.load_private_key(key).map_err(|_| Problem::UnusablePrivateKey)?;
    let certified = CertifiedKey::new(chain, key);
    // A key whose public half is unknown counts as a mismatch: it cannot be shown to belong.
    certified.keys_match().map(|()| certified).map_err(|_| Problem::KeyMismatch)
}

fn digest(chain: &[CertificateDer<'_>], key: &PrivateKeyDer<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for der in chain.iter().map(AsRef::as_ref).chain([key.secret_der()]) {
        digest.update(der.len().to_le_bytes());
        digest.update(der);
    }
    digest.finalize().into()
}

/// Whether a client can ask for the name, or for one that the wildcard stands for.
fn is_server_name(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    !name.ends_with('.') && DnsName::try_from(name).is_ok()
}

/// Whether clients that ask for the name will take the certificate.
fn is_for(leaf: &CertificateDer<'_>, held: &[String], name: &str) -> bool {
    if name.starts_with("*.") {
        return held.iter().any(|held| held == name);
    }
    let (Ok(entity), Ok(name)) = (EndEntityCert::try_from(leaf), ServerName::try_from(name)) else {
        return false;
    };
    entity.verify_is_valid_for_subject_name(&name).is_ok()
}
