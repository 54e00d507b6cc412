//! Why a chain is refused, more exactly than webpki can say.

use std::sync::PoisonError;

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, VerifiedPath};

use super::Trust;
use crate::algorithms::key_problem;
use crate::client_cert_info::printable;
use crate::failure_class::FailureClass;
use crate::parsed_certificate::ParsedCertificate;
use crate::refusal::Refusal;
use crate::{der, limits};

impl Trust {
    pub(super) fn remember_intermediates(&self, path: &VerifiedPath<'_>) {
        let mut names = self.intermediates.lock().unwrap_or_else(PoisonError::into_inner);
        for certificate in path.intermediate_certificates() {
            let name = Sha256::digest(certificate.subject()).into();
            if names.get(&name).is_none() {
                names.insert(name, (), 1);
            }
        }
    }

    /// A refusal that names the cause, where webpki's names only what follows from it.
    pub(super) fn explain(
        &self,
        refusal: Refusal,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
    ) -> Refusal {
        let better = match refusal.class {
            FailureClass::UnknownCa => self
                .incomplete(leaf, sent)
                .or_else(|| self.issuer_name(leaf, sent))
                .or_else(|| self.self_signed(leaf)),
            FailureClass::CaAsClient => self.self_signed(leaf),
            FailureClass::BadSignature => self.issuer_key(leaf, sent),
            _ => None,
        };
        better.unwrap_or(refusal)
    }

    /// The refusal of a chain whose last certificate was issued by an intermediate that others have sent.
    fn incomplete(&self, leaf: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<Refusal> {
        let known = self.intermediates.lock().unwrap_or_else(PoisonError::into_inner);
        let issuer = chain(leaf, sent)
            .map(|certificate| certificate.issuer)
            .find(|issuer| known.get(&<[u8; 32]>::from(Sha256::digest(issuer))).is_some())?;
        let whole = der::sequence(issuer);
        let name = angos_identity::distinguished_name(&whole).ok()?;
        let name = printable(&name, limits::CERT_TEXT_MAX_CHARS);
        Some(Refusal::new(
            FailureClass::IncompleteChain,
            format!("the certificate of its issuer {name} was not sent with it"),
        ))
    }

    /// The leaf names itself as its issuer and is not one of the CAs.
    fn self_signed(&self, leaf: &CertificateDer<'_>) -> Option<Refusal> {
        let entity = EndEntityCert::try_from(leaf).ok()?;
        let digest = <[u8; 32]>::from(Sha256::digest(leaf));
        let is_ca = self.bundles.iter().flat_map(|bundle| &bundle.anchors).any(|it| it.digest == digest);
        (entity.subject() == entity.issuer() && !is_ca)
            .then(|| Refusal::new(FailureClass::SelfSigned, "its subject is its issuer"))
    }

    /// An issuer's name that equals the name of a CA as RFC 5280 §7.1 compares names, and not octet by octet, as the
    /// search for a path compares them.
    fn issuer_name(&self, leaf: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<Refusal> {
        let issuer = chain(leaf, sent)
            .filter_map(|certificate| folded_name(certificate.issuer))
            .find(|issuer| self.folded_names.contains(issuer))?;
        let name = printable(&issuer, limits::CERT_TEXT_MAX_CHARS);
        let words = format!(
            "the name of its issuer ({name}) has other letter case, spaces or string types than the CA's own; \
             add the CA certificate with this very name, or issue the certificate again under the CA's name"
        );
        Some(Refusal::new(FailureClass::IssuerName, words))
    }

    /// The key of a possible issuer that can verify no signature: the signature is not what is wrong.
    fn issuer_key(&self, leaf: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<Refusal> {
        let problem = chain(leaf, sent).find_map(|certificate| {
            let anchors = self
                .anchors
                .iter()
                .filter(|anchor| anchor.subject.as_ref() == certificate.issuer)
                .map(|anchor| anchor.subject_public_key_info.as_ref());
            let has_subject = |der: &&CertificateDer<'_>| {
                EndEntityCert::try_from(*der).is_ok_and(|entity| entity.subject() == certificate.issuer)
            };
            let intermediates = sent.iter().filter(has_subject);
            let intermediates = intermediates.filter_map(|der| ParsedCertificate::read(der));
            anchors
                .chain(intermediates.map(|parsed| parsed.public_key))
                .find_map(|key| key_problem(key, &self.algorithms))
        })?;
        Some(Refusal::new(
            FailureClass::UnsupportedAlgorithm,
            format!("nothing that its issuer signs is accepted: {problem}"),
        ))
    }
}

/// What a client sent, as far as it can be read.
fn chain<'a>(
    leaf: &'a CertificateDer<'_>,
    sent: &'a [CertificateDer<'_>],
) -> impl Iterator<Item = ParsedCertificate<'a>> {
    std::iter::once(leaf.as_ref()).chain(sent.iter().map(AsRef::as_ref)).filter_map(ParsedCertificate::read)
}

/// A name without what RFC 5280 §7.1 does not compare: string types, letter case, and spaces beside other spaces.
/// `contents` is that of a `Name`.
pub(super) fn folded_name(contents: &[u8]) -> Option<String> {
    let text = angos_identity::distinguished_name(&der::sequence(contents)).ok()?;
    Some(text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "))
}
