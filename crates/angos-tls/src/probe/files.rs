//! A client's files, read as far as they can be, with a reason for each that cannot.

use std::path::Path;
use std::sync::Arc;

use rustls::Error;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;

use crate::client_cert_info::printable;
use crate::files::Files;
use crate::limits;
use crate::load_error::Problem;
use crate::pem;
use crate::probe::CertificateInfo;

/// Where Linux distributions keep the authorities that clients trust without being told: Debian and Alpine, Fedora
/// and its kin, openSUSE.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// A client's certificate, with what it sends beside it, and the key of that certificate.
#[derive(Clone, Debug)]
pub struct Pair {
    chain: Vec<CertificateInfo>,
    key: Arc<CertifiedKey>,
}

/// The file of a pair that a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFile {
    /// The certificate, followed by its intermediates.
    Certificate,
    /// The private key.
    Key,
}

impl Pair {
    /// Reads both files, which may be one. Returns everything that is wrong with either.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, Vec<(PairFile, Problem)>> {
        let chain = certificates(certificate);
        let signer =
            pem::read(&Files::new(), key).and_then(|bytes| pem::private_key(&bytes)).and_then(|key| {
                let provider = aws_lc_rs::default_provider().key_provider;
                provider.load_private_key(key).map_err(|_| Problem::UnusablePrivateKey)
            });
        match (chain, signer) {
            (Ok(chain), Ok(signer)) => {
                let sent = chain.iter().map(|certificate| certificate.der().clone()).collect();
                let key = CertifiedKey::new(sent, signer);
                match key.keys_match() {
                    Ok(()) => Ok(Self { chain, key: Arc::new(key) }),
                    // A key whose public half is unknown counts as a mismatch: it cannot be shown to belong.
                    Err(Error::InconsistentKeys(_)) => Err(vec![(PairFile::Key, Problem::KeyMismatch)]),
                    Err(error) => {
                        let reason = printable(&error.to_string(), limits::CERT_TEXT_MAX_CHARS);
                        let problem = Problem::BadCertificate { position: 1, reason };
                        Err(vec![(PairFile::Certificate, problem)])
                    }
                }
            }
            (chain, signer) => {
                let certificate = chain.err().map(|problem| (PairFile::Certificate, problem));
                let key = signer.err().map(|problem| (PairFile::Key, problem));
                Err(certificate.into_iter().chain(key).collect())
            }
        }
    }

    /// The certificate, then what is sent beside it.
    pub fn chain(&self) -> &[CertificateInfo] {
        &self.chain
    }

    pub(super) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }
}

/// Every certificate of a PEM file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateInfo>, Problem> {
    let found = pem::certificates(&pem::read(&Files::new(), path)?)?;
    Ok(found.into_iter().map(CertificateDer::into_owned).map(CertificateInfo::new).collect())
}

/// The kinds of PEM sections in a file, in order and in the words of its BEGIN lines (`PRIVATE KEY`, say).
pub fn sections(path: &Path) -> Result<Vec<String>, Problem> {
    let bytes = pem::read(&Files::new(), path)?;
    let labels = pem::labels(&bytes)?;
    let shown = |label: &[u8]| printable(&String::from_utf8_lossy(label), limits::CERT_TEXT_MAX_CHARS);
    Ok(labels.into_iter().take(limits::PROBE_NAMES_MAX).map(shown).collect())
}

/// The authorities this machine trusts without being told. None where there is no such file.
pub fn system_cas() -> Option<Vec<CertificateInfo>> {
    SYSTEM_BUNDLES.iter().find_map(|bundle| certificates(Path::new(bundle)).ok())
}
