//! The client authorities: PEM → trust anchors, each proven to be an authority.

use std::sync::Arc;
use std::time::Duration;

use angos_identity::Certificate;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::limits;
use crate::load_error::Problem;
use crate::offered::printable;
use crate::pem;

/// The authorities of one bundle.
#[derive(Debug)]
pub(crate) struct Authorities {
    pub(crate) roots: Arc<RootCertStore>,
    /// What the certificates say about themselves, in order.
    pub(crate) certificates: Vec<Certificate>,
}

impl Authorities {
    /// Reads a bundle, or lists everything that is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let bundle = pem::only_certificates(bytes).map_err(|problem| vec![problem])?;
        if bundle.len() > limits::CLIENT_AUTHORITIES_MAX {
            return Err(vec![Problem::TooManyAuthorities]);
        }
        let mut roots = RootCertStore::empty();
        let mut certificates = Vec::with_capacity(bundle.len());
        let mut problems = Vec::new();
        for (der, position) in bundle.iter().zip(1..) {
            match authority(der, position) {
                Ok(certificate) => certificates.push(certificate),
                Err(problem) => problems.push(problem),
            }
            if let Err(error) = roots.add(der.clone())
                && problems.is_empty()
            {
                problems.push(Problem::BadCertificate { position, reason: error.to_string() });
            }
        }
        if problems.is_empty() { Ok(Self { roots: Arc::new(roots), certificates }) } else { Err(problems) }
    }

    /// Whether the names of the authorities are few enough to be sent to every client.
    pub(crate) fn fit_as_hints(&self) -> bool {
        let bytes: usize = self.roots.subjects().iter().map(|name| name.as_ref().len() + 2).sum();
        bytes <= limits::AUTHORITY_HINTS_MAX_BYTES
    }
}

fn authority(der: &CertificateDer<'_>, position: usize) -> Result<Certificate, Problem> {
    let bad = |reason: String| Problem::BadCertificate { position, reason };
    let certificate = Certificate::from_der(der).map_err(|error| bad(error.to_string()))?;
    let entity = EndEntityCert::try_from(der).map_err(|error| bad(error.to_string()))?;
    if is_authority(&entity, &certificate) {
        Ok(certificate)
    } else {
        let subject = printable(certificate.subject(), limits::OFFERED_TEXT_MAX_CHARS);
        Err(Problem::NotAnAuthority { position, subject })
    }
}

/// Whether the certificate has the basic constraint CA:TRUE.
///
/// webpki reads that extension but does not show it. It does say when a certificate with it is used as an end
/// entity, before it looks for an issuer; the moment asked about is one at which the certificate is valid.
fn is_authority(entity: &EndEntityCert<'_>, certificate: &Certificate) -> bool {
    let since = Duration::from_secs(u64::try_from(certificate.not_before()).unwrap_or(0));
    let verdict = entity.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &[],
        &[],
        UnixTime::since_unix_epoch(since),
        KeyUsage::client_auth(),
        None,
        None,
    );
    matches!(verdict, Err(webpki::Error::CaUsedAsEndEntity))
}
