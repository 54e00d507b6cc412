//! Reading PEM files: bounded, and strict about what would otherwise be skipped in silence.

use std::io;
use std::path::Path;

use rustls_pki_types::pem::{self, SectionKind};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use crate::client_cert_info::printable;
use crate::files::{Files, ReadError};
use crate::limits;
use crate::load_error::Problem;

const BEGIN: &[u8] = b"-----BEGIN ";

/// Reads a regular file of at most [`limits::PEM_MAX_BYTES`].
pub(crate) fn read(files: &Files, path: &Path) -> Result<Vec<u8>, Problem> {
    files.read(path, limits::PEM_MAX_BYTES).map_err(problem)
}

/// Every certificate in the file, at least one. Other sections, a private key say, are passed over.
pub(crate) fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates: Vec<_> = sections(bytes)?
        .into_iter()
        .filter(|(kind, _)| *kind == SectionKind::Certificate)
        .map(|(_, der)| CertificateDer::from(der))
        .collect();
    if certificates.is_empty() { Err(Problem::NoCertificate) } else { Ok(certificates) }
}

/// Every certificate in a file that may hold nothing else: a revocation list or a certificate in another
/// wrapping that were passed over would leave the operator with other trust than the file seems to say.
pub(crate) fn only_certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    only(b"CERTIFICATE", bytes)?;
    certificates(bytes)
}

/// Every revocation list in a file that may hold nothing else, at least one: PEM, or a single one as DER.
pub(crate) fn crls(bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Problem> {
    if is_der(&bytes) {
        return Ok(vec![bytes]);
    }
    only(b"X509 CRL", &bytes)?;
    let lists: Vec<_> = sections(&bytes)?.into_iter().map(|(_, der)| der).collect();
    if lists.is_empty() { Err(Problem::NoCrl) } else { Ok(lists) }
}

/// Refuses a file with sections of another label.
fn only(wanted: &[u8], bytes: &[u8]) -> Result<(), Problem> {
    match labels(bytes)?.into_iter().find(|label| *label != wanted) {
        Some(label) => Err(Problem::UnexpectedSection(printable(
            &String::from_utf8_lossy(label),
            limits::PEM_LABEL_MAX_CHARS,
        ))),
        None => Ok(()),
    }
}

fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

/// The one unencrypted private key in the file. Certificates and key parameters beside it are passed over.
pub(crate) fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Problem> {
    let encrypted_body = b"Proc-Type: 4,ENCRYPTED";
    if labels(bytes)?.contains(&b"ENCRYPTED PRIVATE KEY".as_slice())
        || bytes.windows(encrypted_body.len()).any(|window| window == encrypted_body)
    {
        return Err(Problem::EncryptedPrivateKey);
    }
    let mut keys = sections(bytes)?.into_iter().filter_map(|(kind, der)| match kind {
        SectionKind::PrivateKey => Some(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der))),
        SectionKind::RsaPrivateKey => Some(PrivateKeyDer::from(PrivatePkcs1KeyDer::from(der))),
        SectionKind::EcPrivateKey => Some(PrivateKeyDer::from(PrivateSec1KeyDer::from(der))),
        _ => None,
    });
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(Problem::SeveralPrivateKeys),
        (None, _) => Err(Problem::NoPrivateKey),
    }
}

/// Every section of a kind the parser knows. The parser's own errors quote the file, which may hold a private
/// key, so none of their text is kept.
fn sections(bytes: &[u8]) -> Result<Vec<(SectionKind, Vec<u8>)>, Problem> {
    if is_der(bytes) {
        return Err(Problem::Der);
    }
    labels(bytes)?;
    let mut rest = bytes;
    let mut found = Vec::new();
    loop {
        match pem::from_buf(&mut rest) {
            Ok(Some(section)) => found.push(section),
            Ok(None) => return Ok(found),
            Err(pem::Error::MissingSectionEnd { .. }) => {
                return Err(Problem::Malformed("a section has no END line; the file looks cut off"));
            }
            Err(pem::Error::Base64Decode(_)) => {
                return Err(Problem::Malformed("a section is not valid base64"));
            }
            Err(_) => return Err(Problem::Malformed("a section cannot be read")),
        }
    }
}

/// The labels of all sections, in order. The parser ignores a BEGIN line that is indented, or has other text
/// before or behind it, and with it the section; here it is an error. A label returned holds nothing but a label.
pub(crate) fn labels(bytes: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let mut labels = Vec::new();
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        match line.windows(BEGIN.len()).position(|window| window == BEGIN) {
            None => {}
            Some(0) => {
                let label = line.get(BEGIN.len()..).unwrap_or_default().trim_ascii_end();
                let label = label.strip_suffix(b"-----").filter(|label| !label.contains(&b'-'));
                labels.push(label.ok_or(Problem::Malformed("a BEGIN line does not end in five dashes"))?);
            }
            Some(_) => {
                return Err(Problem::Malformed(
                    "a BEGIN line is indented or has something before it, perhaps a byte order mark",
                ));
            }
        }
    }
    Ok(labels)
}

pub(crate) fn problem(error: ReadError) -> Problem {
    match error {
        ReadError::NotAFile => Problem::NotAFile,
        ReadError::TooLarge(_) => Problem::TooLarge,
        ReadError::Blocked => Problem::Blocked,
        ReadError::System(error) => match error.kind() {
            io::ErrorKind::NotFound => Problem::NotFound,
            io::ErrorKind::PermissionDenied => Problem::PermissionDenied,
            io::ErrorKind::IsADirectory => Problem::NotAFile,
            _ => Problem::Unreadable(error),
        },
    }
}
