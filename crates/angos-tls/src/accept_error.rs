//! Why a connection was not accepted: classified, explained and logged in one place.

use std::error::Error as StdError;
use std::io;

use angos_identity::CertificateError;

use crate::client_cert_info::ClientCertInfo;
use crate::failure_class::FailureClass;
use crate::plain_http::PlainHttp;
use crate::refusal::{Refusal, classify, protocol_words};
use crate::verifier::HandshakeCapture;

/// Why a connection was not accepted. The connection is closed when this is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The handshake did not finish before its deadline. Fault: a slow or silent client.
    #[error("the TLS handshake did not finish in time")]
    Timeout,
    /// The transport failed or was closed in mid-handshake. Fault: the client or the network.
    #[error("the connection failed during the TLS handshake: {0}")]
    Io(#[source] io::Error),
    /// The handshake was refused by either side.
    #[error("{} ({detail})", class.explanation())]
    Tls {
        /// Why, in one word.
        class: FailureClass,
        /// Why, in words.
        detail: Box<dyn StdError + Send + Sync>,
        /// The client certificate that was refused, if one was.
        certificate: Option<Box<ClientCertInfo>>,
    },
    /// A certificate passed verification, but the identity in it cannot be read. It is refused in the
    /// handshake and never becomes anonymous.
    #[error("the identity in the client's certificate cannot be read: {error}")]
    Identity {
        /// What cannot be read.
        #[source]
        error: CertificateError,
        /// The certificate.
        certificate: Box<ClientCertInfo>,
    },
}

impl AcceptError {
    pub(crate) fn new(error: io::Error, captured: HandshakeCapture) -> Self {
        let certificate = captured.refused.map(Box::new);
        let error = match error.downcast::<rustls::Error>() {
            Ok(error) => error,
            Err(error) => match error.downcast::<PlainHttp>() {
                Ok(plain) => {
                    let detail = Box::new(plain);
                    return Self::Tls { class: FailureClass::PlainHttp, detail, certificate: None };
                }
                Err(error) => return Self::Io(error),
            },
        };
        match (captured.refusal, certificate) {
            (Some(refusal), Some(certificate)) => Self::refused(refusal, *certificate),
            (_, certificate) => {
                let detail = protocol_words(&error).into();
                Self::Tls { class: class_of(&error), detail, certificate }
            }
        }
    }

    /// A chain that is not good.
    pub(crate) fn refused(refusal: Refusal, certificate: ClientCertInfo) -> Self {
        let certificate = Box::new(certificate);
        match refusal {
            Refusal { unreadable: Some(error), .. } => Self::Identity { error, certificate },
            Refusal { class, words, .. } => {
                Self::Tls { class, detail: words.into(), certificate: Some(certificate) }
            }
        }
    }

    /// Why, as one of the stable words of [`FailureClass`].
    pub fn class(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Why, as a value.
    pub fn kind(&self) -> FailureClass {
        match self {
            Self::Timeout => FailureClass::Timeout,
            Self::Io(_) => FailureClass::Io,
            Self::Tls { class, .. } => *class,
            Self::Identity { .. } => FailureClass::Identity,
        }
    }

    /// The client certificate that was refused. None if none was certificate or it never came to that.
    pub fn certificate(&self) -> Option<&ClientCertInfo> {
        match self {
            Self::Timeout | Self::Io(_) => None,
            Self::Tls { certificate, .. } => certificate.as_deref(),
            Self::Identity { certificate, .. } => Some(certificate),
        }
    }
}

fn class_of(error: &rustls::Error) -> FailureClass {
    match error {
        rustls::Error::NoCertificatesPresented => FailureClass::NoCertificate,
        rustls::Error::InvalidCertificate(error) => classify(error),
        _ => FailureClass::Protocol,
    }
}
