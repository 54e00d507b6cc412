//! What is known about the other side once the handshake is done.

use std::sync::Arc;

use angos_identity::Certificate;
use rustls::crypto::SupportedKxGroup;
use rustls::{NamedGroup, ProtocolVersion, ServerConnection};

/// The application protocol agreed on by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1, also when the client offered no protocol at all.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    pub(crate) const HTTP1_ALPN: &[u8] = b"http/1.1";
    pub(crate) const HTTP2_ALPN: &[u8] = b"h2";
}

/// The client of one connection, as proven by its handshake. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {
    certificate: Option<Arc<Certificate>>,
    protocol: Protocol,
    generation: u64,
    tls13: bool,
    post_quantum: bool,
}

impl Peer {
    pub(crate) fn new(
        connection: &ServerConnection,
        certificate: Option<Arc<Certificate>>,
        generation: u64,
    ) -> Self {
        let protocol = match connection.alpn_protocol() {
            Some(Protocol::HTTP2_ALPN) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let group = connection.negotiated_key_exchange_group().map(SupportedKxGroup::name);
        Self {
            certificate,
            protocol,
            generation,
            tls13: connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            post_quantum: group == Some(NamedGroup::X25519MLKEM768),
        }
    }

    /// The certificate the client proved to hold, verified against the client authorities when the handshake
    /// took place. None: the client offered none, and it was not required.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// The protocol to speak on the stream.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The generation of the [`Material`](crate::Material) this connection was accepted under.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// `TLSv1.3` or `TLSv1.2`; no other version is ever agreed on.
    pub fn tls_version(&self) -> &'static str {
        if self.tls13 { "TLSv1.3" } else { "TLSv1.2" }
    }

    /// Whether the key exchange withstands a quantum computer (`X25519MLKEM768`).
    pub fn is_post_quantum(&self) -> bool {
        self.post_quantum
    }
}
