//! Which certificate the server shows: by the name the client asks for (SNI), else the default.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates of a server.
#[derive(Debug)]
pub(crate) struct ServerNames {
    default: Arc<CertifiedKey>,
    /// In lower case; a wildcard with its star.
    named: HashMap<String, Arc<CertifiedKey>>,
}

impl ServerNames {
    pub(crate) fn new(default: Arc<CertifiedKey>) -> Self {
        Self { default, named: HashMap::new() }
    }

    /// Whether the name was free.
    pub(crate) fn claim(&mut self, name: String, certificate: &Arc<CertifiedKey>) -> bool {
        self.named.insert(name, Arc::clone(certificate)).is_none()
    }

    /// The certificate for a name: of that very name, of the wildcard for its first label (RFC 9525 §6.3), or the
    /// default.
    fn certificate(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let named = name.filter(|_| !self.named.is_empty()).and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || self.named.get(&format!("*.{}", name.split_once('.')?.1));
            self.named.get(&name).or_else(wildcard)
        });
        named.unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for ServerNames {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.certificate(hello.server_name())))
    }
}
