//! The client authorities: PEM → trust anchors, each proven to be an authority and to belong to one bundle alone.

use std::sync::Arc;
use std::time::Duration;

use angos_identity::Certificate;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage};

use crate::client_cert_info::printable;
use crate::limits;
use crate::load_error::Problem;
use crate::parsed_certificate::{KeyUse, ParsedCertificate};
use crate::pem;
use crate::refusal;
use crate::revocation::Crls;

/// One certificate of a bundle: whom it names, and how far its word goes.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    pub(crate) trusted: TrustAnchor<'static>,
    pub(crate) subject: String,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// Most intermediates below it. None: any number.
    pub(crate) path_length: Option<usize>,
    /// Whether its revocation lists count.
    pub(crate) may_sign_lists: bool,
    /// SHA-256 of the certificate.
    pub(crate) digest: [u8; 32],
    /// The certificate, to be looked up on revocation lists.
    pub(crate) der: CertificateDer<'static>,
}

/// Reads a bundle, or lists everything that is wrong with it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Anchor>, Vec<Problem>> {
    let bundle = pem::only_certificates(bytes).map_err(|problem| vec![problem])?;
    if bundle.len() > limits::CLIENT_CAS_MAX {
        return Err(vec![Problem::TooManyCas]);
    }
    let mut anchors = Vec::with_capacity(bundle.len());
    let mut problems = Vec::new();
    for (der, position) in bundle.iter().zip(1..) {
        match anchor(der, position) {
            Ok(anchor) => anchors.push(anchor),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(anchors) } else { Err(problems) }
}

fn anchor(der: &CertificateDer<'_>, position: usize) -> Result<Anchor, Problem> {
    let bad = |reason: String| Problem::BadCertificate { position, reason };
    let certificate = Certificate::from_der(der).map_err(|error| bad(error.to_string()))?;
    let entity = EndEntityCert::try_from(der).map_err(|error| bad(refusal::words(&error)))?;
    let outline = ParsedCertificate::read(der).ok_or_else(|| bad("it cannot be read".to_owned()))?;
    let subject = printable(certificate.subject(), limits::CERT_TEXT_MAX_CHARS);
    if !is_authority(&entity, &certificate) {
        return Err(Problem::NotACa { position, subject });
    }
    if !outline.allows(KeyUse::CertificateSigning) {
        return Err(Problem::MayNotSign { position, subject });
    }
    let trusted =
        webpki::anchor_from_trusted_cert(der).map_err(|error| bad(refusal::words(&error)))?.to_owned();
    let may_sign_lists = outline.allows(KeyUse::ListSigning);
    let ParsedCertificate { not_before, not_after, path_length, .. } = outline;
    let (digest, der) = (Sha256::digest(der).into(), der.clone().into_owned());
    Ok(Anchor { trusted, subject, not_before, not_after, path_length, may_sign_lists, digest, der })
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

/// The authorities of one bundle, and what is demanded of the certificates they vouch for.
#[derive(Clone, Debug)]
pub(crate) struct CaBundle {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) spiffe_trust_domain: Option<String>,
    pub(crate) anchors: Vec<Anchor>,
    /// None: revocation is not checked.
    pub(crate) lists: Option<Crls>,
}

/// The first certificate of `anchors` that is also one of `others`' (the same name and the same key), counted
/// from 1.
pub(crate) fn shared(anchors: &[Anchor], others: &[Anchor]) -> Option<(usize, String)> {
    let same = |one: &Anchor, other: &Anchor| {
        one.trusted.subject == other.trusted.subject
            && one.trusted.subject_public_key_info == other.trusted.subject_public_key_info
    };
    let place = anchors.iter().position(|one| others.iter().any(|other| same(one, other)))?;
    anchors.get(place).map(|anchor| (place + 1, anchor.subject.clone()))
}
