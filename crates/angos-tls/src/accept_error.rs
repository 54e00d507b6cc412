//! Why a connection was not accepted: classified, explained and logged in one place.

use std::error::Error as StdError;
use std::io;

use angos_identity::CertificateError;

use crate::class::Class;
use crate::offered::Offered;
use crate::refusal::{Refusal, classify};
use crate::verifier::Seen;

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
        class: Class,
        /// Why, in the words of the TLS library.
        detail: Box<dyn StdError + Send + Sync>,
        /// The client certificate that was refused, if one was.
        offered: Option<Box<Offered>>,
    },
    /// A certificate passed verification, but the identity in it cannot be read. It is refused in the
    /// handshake and never becomes anonymous.
    #[error("the identity in the client's certificate cannot be read: {error}")]
    Identity {
        /// What cannot be read.
        #[source]
        error: CertificateError,
        /// The certificate.
        offered: Box<Offered>,
    },
}

impl AcceptError {
    pub(crate) fn new(error: io::Error, seen: Seen) -> Self {
        let offered = seen.refused.map(Box::new);
        let error = match error.downcast::<rustls::Error>() {
            Ok(error) => error,
            Err(error) => return Self::Io(error),
        };
        match (seen.refusal, offered) {
            (Some(refusal), Some(offered)) => Self::refused(refusal, *offered),
            (_, offered) => Self::Tls { class: class_of(&error), detail: Box::new(error), offered },
        }
    }

    /// A chain that is not good.
    pub(crate) fn refused(refusal: Refusal, offered: Offered) -> Self {
        let offered = Box::new(offered);
        match refusal {
            Refusal { unreadable: Some(error), .. } => Self::Identity { error, offered },
            Refusal { class, words: Some(words), .. } => {
                Self::Tls { class, detail: words.into(), offered: Some(offered) }
            }
            Refusal { class, error, .. } => {
                Self::Tls { class, detail: Box::new(error), offered: Some(offered) }
            }
        }
    }

    /// Why, as one of the stable words of [`Class`].
    pub fn class(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Why, as a value.
    pub fn kind(&self) -> Class {
        match self {
            Self::Timeout => Class::Timeout,
            Self::Io(_) => Class::Io,
            Self::Tls { class, .. } => *class,
            Self::Identity { .. } => Class::Identity,
        }
    }

    /// The client certificate that was refused. None if none was offered or it never came to that.
    pub fn offered(&self) -> Option<&Offered> {
        match self {
            Self::Timeout | Self::Io(_) => None,
            Self::Tls { offered, .. } => offered.as_deref(),
            Self::Identity { offered, .. } => Some(offered),
        }
    }
}

fn class_of(error: &rustls::Error) -> Class {
    match error {
        rustls::Error::NoCertificatesPresented => Class::NoCertificate,
        rustls::Error::InvalidCertificate(error) => classify(error),
        _ => Class::Protocol,
    }
}
