//! Verifies a server's certificate: path, validity, usage, CRLs, then the expected name.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::failure_class::FailureClass;
use crate::limits;
use crate::refusal::Refusal;

/// The expected name, parsed when the material is loaded.
#[derive(Debug)]
pub(super) enum ExpectedName {
    Requested,
    AnyOf(Vec<ServerName<'static>>),
    SpiffeId(String),
}

/// Accepts a server's certificate, or refuses it with the same classes as a client's.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// None: revocation is not checked.
    pub(super) crls: Option<Vec<CertRevocationList<'static>>>,
    pub(super) expected: ExpectedName,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    fn verify_path(
        &self,
        leaf: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let crls: Vec<_> = self.crls.iter().flatten().collect();
        let revocation = match &self.crls {
            None => None,
            Some(_) => Some(revocation(&crls)?),
        };
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            usage,
            revocation,
            None,
        )?;
        Ok(())
    }

    fn has_expected_name(
        &self,
        certificate: &EndEntityCert<'_>,
        leaf: &CertificateDer<'_>,
        requested: &ServerName<'_>,
    ) -> bool {
        let is_for = |name: &ServerName<'_>| certificate.verify_is_valid_for_subject_name(name).is_ok();
        match &self.expected {
            ExpectedName::Requested => is_for(requested),
            ExpectedName::AnyOf(names) => names.iter().any(is_for),
            // A certificate with two SPIFFE ids, or an invalid one, cannot be read and has none.
            ExpectedName::SpiffeId(id) => angos_identity::Certificate::from_der(leaf)
                .is_ok_and(|certificate| certificate.spiffe_id() == Some(id)),
        }
    }
}

fn revocation<'a>(
    crls: &'a [&'a CertRevocationList<'static>],
) -> Result<RevocationOptions<'a>, webpki::Error> {
    let builder =
        RevocationOptionsBuilder::new(crls).map_err(|_no_crls| webpki::Error::UnknownRevocationStatus)?;
    let builder = builder.with_depth(RevocationCheckDepth::Chain);
    let builder = builder.with_status_policy(UnknownStatusPolicy::Deny);
    Ok(builder.with_expiration_policy(ExpirationPolicy::Enforce).build())
}

/// The error for rustls, from which the class is derived again.
fn refused(cause: webpki::Error) -> Error {
    use webpki::Error as Cause;
    match cause {
        Cause::CertRevoked => return CertificateError::Revoked.into(),
        Cause::UnknownRevocationStatus
        | Cause::CrlExpired { .. }
        | Cause::InvalidCrlSignatureForPublicKey
        | Cause::IssuerNotCrlSigner => return CertificateError::UnknownRevocationStatus.into(),
        _ => {}
    }
    let refusal = Refusal::from(cause);
    match refusal.class {
        // The error of a refusal names the purpose of clients.
        FailureClass::WrongUsage => CertificateError::InvalidPurpose.into(),
        _ => refusal.error,
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        requested: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if intermediates.len() > limits::SERVER_INTERMEDIATES_MAX {
            return Err(CertificateError::BadEncoding.into());
        }
        let certificate = EndEntityCert::try_from(leaf).map_err(refused)?;
        self.verify_path(&certificate, intermediates, now).map_err(refused)?;
        if self.has_expected_name(&certificate, leaf, requested) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::NotValidForName.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
