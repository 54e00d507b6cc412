//! Why a connection to a server was not opened.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;

use crate::failure_class::FailureClass;
use crate::refusal::{Refusal, classify};

/// Why a connection was not opened. The transport is closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The handshake did not finish within the handshake timeout.
    #[error("the TLS handshake with the server did not finish in time")]
    Timeout,
    /// The transport failed or was closed during the handshake.
    #[error("the connection failed during the TLS handshake: {0}")]
    Io(#[source] io::Error),
    /// The name given to `connect` is neither a DNS name nor an IP address.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    BadServerName {
        /// The name.
        name: String,
    },
    /// The certificate is valid, but has another name than the expected one.
    #[error("the server's certificate does not have the expected name ({detail})")]
    WrongName {
        /// The names, in the words of the TLS library.
        detail: Box<dyn StdError + Send + Sync>,
    },
    /// The server's certificate was refused, or the handshake failed.
    #[error("the TLS handshake with the server failed: {class} ({detail})")]
    Tls {
        /// Why, in one word. A class about a certificate is about the server's.
        class: FailureClass,
        /// Why, in the words of the TLS library.
        detail: Box<dyn StdError + Send + Sync>,
    },
}

impl ConnectError {
    pub(super) fn from_handshake(error: io::Error) -> Self {
        let error = match error.downcast::<rustls::Error>() {
            Ok(error) => error,
            Err(error) => return Self::Io(error),
        };
        let class = match &error {
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => return Self::WrongName { detail: Box::new(error) },
            rustls::Error::InvalidCertificate(reason) => certificate_class(reason),
            rustls::Error::NoCertificatesPresented => FailureClass::NoCertificate,
            _ => FailureClass::Protocol,
        };
        Self::Tls { class, detail: Box::new(error) }
    }

    /// Why, as a stable word for metrics: `wrong_name`, `bad_server_name`, or a word of [`FailureClass`].
    pub fn class(&self) -> &'static str {
        match self {
            Self::Timeout => FailureClass::Timeout.as_str(),
            Self::Io(_) => FailureClass::Io.as_str(),
            Self::BadServerName { .. } => "bad_server_name",
            Self::WrongName { .. } => "wrong_name",
            Self::Tls { class, .. } => class.as_str(),
        }
    }
}

/// Errors that rustls has no word for carry the cause, which has a class of its own.
fn certificate_class(error: &CertificateError) -> FailureClass {
    match error {
        CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(cause) => Refusal::from(cause.clone()).class,
            None => FailureClass::BadCertificate,
        },
        error => classify(error),
    }
}
