//! What can be wrong with the material, in words an operator can act on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits;
use crate::settings::Setting;

/// One reason why a set of files was not accepted: which setting and file, what is wrong, and what to do.
///
/// Never contains a byte of a private key. Text out of certificates is escaped and bounded.
#[derive(Debug)]
pub struct LoadError {
    setting: Setting,
    file: Option<PathBuf>,
    problem: Problem,
}

impl LoadError {
    pub(crate) fn in_file(setting: Setting, file: &Path, problem: Problem) -> Self {
        Self { setting, file: Some(file.to_owned()), problem }
    }

    pub(crate) fn in_setting(setting: Setting, problem: Problem) -> Self {
        Self { setting, file: None, problem }
    }

    /// The setting to look at.
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// The file to look at, unless the setting itself is wrong.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        self.problem.remedy()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.setting)?;
        if let Some(file) = &self.file {
            write!(f, " {}", file.display())?;
        }
        write!(f, ": {}; {}", self.problem, self.remedy())
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

/// What is wrong with a file or setting. Positions of certificates count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such file.
    #[error("the file does not exist")]
    NotFound,
    /// The operating system denies access.
    #[error("the file may not be read by this process")]
    PermissionDenied,
    /// It is a directory, a pipe or a device.
    #[error("this is not a regular file")]
    NotAFile,
    /// An earlier attempt to read it is still blocked in the file system.
    #[error("an earlier attempt to read the file has not ended: the file system does not answer")]
    Blocked,
    /// Reading failed in another way.
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
    /// More than [`limits::PEM_MAX_BYTES`].
    #[error("the file is larger than {} bytes", limits::PEM_MAX_BYTES)]
    TooLarge,
    /// Binary DER where PEM text is expected.
    #[error("the file is DER, not PEM")]
    Der,
    /// PEM that cannot be read.
    #[error("the PEM is malformed: {0}")]
    Malformed(&'static str),
    /// A kind of section that would be ignored where ignoring it would change what is trusted.
    #[error("the file holds a section {0:?}, which does not belong there")]
    UnexpectedSection(String),
    /// An empty bundle, or a file of something else.
    #[error("the file holds no certificate")]
    NoCertificate,
    /// No private key in the key file.
    #[error("the file holds no private key")]
    NoPrivateKey,
    /// More than one private key: which one is meant is not guessed.
    #[error("the file holds more than one private key")]
    SeveralPrivateKeys,
    /// A key protected by a passphrase.
    #[error("the private key is encrypted")]
    EncryptedPrivateKey,
    /// A key of an unknown kind, or too short, or broken.
    #[error(
        "the private key cannot be used: not a valid RSA (2048 bits or more), ECDSA (P-256, P-384, P-521) or Ed25519 key"
    )]
    UnusablePrivateKey,
    /// The private key belongs to another certificate.
    #[error("the private key does not belong to the first certificate of the server certificate bundle")]
    KeyMismatch,
    /// A certificate that cannot be used at all.
    #[error("certificate {position} cannot be used: {reason}")]
    BadCertificate {
        /// Its place in the file.
        position: usize,
        /// Why.
        reason: String,
    },
    /// An end-entity certificate among the authorities. Trusting it as one lets its holder sign identities.
    #[error("certificate {position} ({subject}) is not a certificate authority")]
    NotACa {
        /// Its place in the file.
        position: usize,
        /// Its subject.
        subject: String,
    },
    /// An authority whose key usage does not allow it to sign certificates.
    #[error("certificate {position} ({subject}) may not sign certificates: its key usage lacks keyCertSign")]
    MayNotSign {
        /// Its place in the file.
        position: usize,
        /// Its subject.
        subject: String,
    },
    /// An authority that is in another bundle too: which one vouches for a client would be chance.
    #[error("certificate {position} ({subject}) is also in the bundle of {other}")]
    SharedCa {
        /// Its place in the file.
        position: usize,
        /// Its subject.
        subject: String,
        /// The other bundle's authority.
        other: String,
    },
    /// A name with other characters than lower-case letters, digits and `-`, or too long, or empty.
    #[error("the name is not made of 1 to {} lower-case letters, digits and `-`", limits::CA_NAME_MAX_BYTES)]
    BadCaName,
    /// Two authorities of the same name.
    #[error("another client authority has the same name")]
    RepeatedCaName,
    /// What no SPIFFE id can have as its trust domain.
    #[error("this is no SPIFFE trust domain: lower-case letters, digits, `.`, `-` and `_`, 1 to 255 of them")]
    BadTrustDomain,
    /// A name no client can ask for.
    #[error("{name:?} is no name of a server")]
    BadServerName {
        /// The name.
        name: String,
    },
    /// Two certificates for the same name: which one is shown would be chance.
    #[error("{name:?} is a name of another certificate too")]
    RepeatedServerName {
        /// The name.
        name: String,
    },
    /// A certificate without DNS names, and no names were chosen for it.
    #[error("there is no DNS name in the certificate, so no client would be shown it")]
    NoServerName,
    /// A file or folder without a revocation list.
    #[error("it holds no revocation list")]
    NoCrl,
    /// A revocation list that is malformed, or of a kind that is not understood.
    #[error("revocation list {position} cannot be used: {reason}")]
    BadCrl {
        /// Its place in the file.
        position: usize,
        /// Why.
        reason: String,
    },
    /// More than [`limits::CRL_MAX_BYTES`].
    #[error("the file is larger than {} bytes", limits::CRL_MAX_BYTES)]
    CrlTooLarge,
    /// More than [`limits::CRL_FILES_MAX`].
    #[error("the folder holds more than {} files", limits::CRL_FILES_MAX)]
    TooManyFiles,
    /// More than [`limits::REVOKED_CERTIFICATES_MAX`].
    #[error("the revocation lists name more than {} certificates", limits::REVOKED_CERTIFICATES_MAX)]
    TooManyRevoked,
    /// More than [`limits::CLIENT_CAS_MAX`].
    #[error("there are more than {} authorities", limits::CLIENT_CAS_MAX)]
    TooManyCas,
    /// More than [`limits::SERVER_CHAIN_MAX_BYTES`].
    #[error("the certificate chain is larger than {} bytes", limits::SERVER_CHAIN_MAX_BYTES)]
    ChainTooLarge,
    /// Client certificates are required, and there is nothing to verify them with.
    #[error("clients are asked for certificates, but there are no client authorities")]
    NoClientCas,
    /// [`ClientCa::crls`](crate::ClientCa::crls) without a path.
    #[error("revocation is to be checked, but no revocation list is named")]
    NoCrls,
    /// A deadline of zero or beyond [`limits::HANDSHAKE_TIMEOUT_MAX`].
    #[error("the handshake deadline is zero or longer than {} s", limits::HANDSHAKE_TIMEOUT_MAX.as_secs())]
    TimeoutOutOfRange,
    /// The TLS library refused the set for another reason.
    #[error("the TLS library refuses it: {0}")]
    Refused(String),
}

impl Problem {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotFound => "check the path",
            Self::PermissionDenied => {
                "give the user that runs the server read permission on it and on its folders"
            }
            Self::NotAFile => "name a PEM file",
            Self::Blocked | Self::Unreadable(_) => "check the file system",
            Self::TooLarge => "keep only the certificates that are needed",
            Self::Der => {
                "convert it to PEM, for example with `openssl x509 -inform der -in FILE -out FILE.pem`"
            }
            Self::Malformed(_) => "write the file anew, with each BEGIN and END line at the start of a line",
            Self::UnexpectedSection(_) => "keep each kind of section in a file of its own",
            Self::NoCertificate => "put PEM certificates (-----BEGIN CERTIFICATE-----) into it",
            Self::NoPrivateKey => {
                "put the server's private key into it (-----BEGIN PRIVATE KEY-----, RSA PRIVATE KEY or EC PRIVATE KEY)"
            }
            Self::SeveralPrivateKeys => "keep only the key of the server certificate",
            Self::EncryptedPrivateKey => {
                "remove the passphrase, for example with `openssl pkey -in FILE -out FILE.plain`"
            }
            Self::UnusablePrivateKey => "make a new key and certificate",
            Self::KeyMismatch => {
                "put the server's own certificate first in the bundle, and use the key it was made with"
            }
            Self::BadCertificate { .. } => "replace or remove that certificate",
            Self::NotACa { .. } => {
                "put the certificate of the authority that signed it there instead (basic constraints CA:TRUE)"
            }
            Self::MayNotSign { .. } => "put an authority there that may sign certificates",
            Self::SharedCa { .. } => "keep it in one of them",
            Self::BadCaName => "write something like \"build-agents\"",
            Self::RepeatedCaName => "give each its own name, or put both bundles into one file",
            Self::BadTrustDomain => "write it as in spiffe://<trust domain>/..., without the scheme",
            Self::BadServerName { .. } => "write a DNS name, or `*.` and one",
            Self::RepeatedServerName { .. } => "give it to one of them",
            Self::NoServerName => "name what it is for",
            Self::NoCrl => {
                "put revocation lists into it (DER, or PEM with -----BEGIN X509 CRL-----), or leave the setting out"
            }
            Self::BadCrl { .. } => "let the authority issue a complete list, of version 2, with nextUpdate",
            Self::CrlTooLarge | Self::TooManyRevoked => {
                "let the authority leave expired certificates out, or issue certificates of shorter life instead"
            }
            Self::TooManyFiles => "keep only current lists in it",
            Self::TooManyCas => "keep only the authorities that sign client certificates",
            Self::ChainTooLarge => "keep only the server's certificate and its intermediates",
            Self::NoClientCas => {
                "name the authorities that sign client certificates, or ask for no certificates"
            }
            Self::NoCrls => {
                "name a file or folder of lists, or leave the setting out: then revocation is not checked"
            }
            Self::TimeoutOutOfRange => "choose a few seconds",
            Self::Refused(_) => "check that the certificate and key are of a common kind",
        }
    }
}
