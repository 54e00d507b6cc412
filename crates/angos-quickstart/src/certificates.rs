//! A CA for one quickstart, and the certificates it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

use crate::limits::{CLOCK_DIFFERENCE, VALID_DAYS};

/// Subject of the server certificate. A certificate with another one is not ours, and is not replaced.
pub(super) const SERVER_NAME: &str = "Angos quickstart";

/// A CA that exists as long as this value: its key is never written anywhere.
pub(super) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: String,
}

/// A certificate and its key, both PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Ca {
    pub(super) fn new(name: &str) -> Result<Ca, rcgen::Error> {
        let mut parameters = parameters(name, None);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = parameters.self_signed(&key)?.pem();
        Ok(Ca { issuer: Issuer::new(parameters, key), certificate })
    }

    /// A certificate for a server with these names and addresses.
    pub(super) fn server(&self, names: Vec<String>) -> Result<Pair, rcgen::Error> {
        let mut parameters = parameters(SERVER_NAME, None);
        parameters.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        self.sign(parameters, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client with this common name and organization.
    pub(super) fn client(&self, name: &str, organization: &str) -> Result<Pair, rcgen::Error> {
        self.sign(parameters(name, Some(organization)), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut leaf: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Pair, rcgen::Error> {
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![usage];
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = leaf.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair { certificate, key: key.serialize_pem() })
    }
}

fn parameters(common_name: &str, organization: Option<&str>) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    if let Some(organization) = organization {
        parameters.distinguished_name.push(DnType::OrganizationName, organization);
    }
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - CLOCK_DIFFERENCE;
    parameters.not_after = now + Duration::days(VALID_DAYS.into());
    parameters
}
