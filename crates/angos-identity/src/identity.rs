//! Who a caller is: the sum of what the connection and the request proved.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Certificate;

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Not at all.
    Anonymous,
    /// With the certificate of the connection alone.
    Certificate,
    /// With a user name and a password, whether or not the connection has a certificate too.
    Basic,
}

impl Method {
    /// The word rules and logs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Certificate => "certificate",
            Self::Basic => "basic",
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A credential that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name of its entry in the configuration.
    pub id: Arc<str>,
    /// The user name it was presented with.
    pub username: Arc<str>,
}

/// Who a caller is, for the length of one request.
///
/// A certificate's names never become [`username`](Self::username): that one comes from a verified [`Credential`]
/// alone, so a certificate with the common name `admin` is not the user `admin`.
#[derive(Debug, Clone)]
pub struct Identity {
    client_address: IpAddr,
    client_ip: Box<str>,
    certificate: Option<Arc<Certificate>>,
    credential: Option<Arc<Credential>>,
}

impl Identity {
    /// Joins what is known. Both proofs must have been verified by the caller; with both, both count.
    ///
    /// An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`, what a dual-stack socket reports) becomes the IPv4
    /// address it is, so that one rule about a network holds on every listener.
    pub fn new(
        client_ip: IpAddr,
        certificate: Option<Arc<Certificate>>,
        credential: Option<Arc<Credential>>,
    ) -> Self {
        let client_address = client_ip.to_canonical();
        Self { client_address, client_ip: client_address.to_string().into(), certificate, credential }
    }

    /// The configuration's name for the credential; `None` without one.
    pub fn id(&self) -> Option<&str> {
        self.credential.as_ref().map(|credential| &*credential.id)
    }

    /// The user name of the credential; `None` without one.
    pub fn username(&self) -> Option<&str> {
        self.credential.as_ref().map(|credential| &*credential.username)
    }

    /// The strongest statement about how the caller proved who it is: a credential, else a certificate, else nothing.
    pub fn method(&self) -> Method {
        match (&self.credential, &self.certificate) {
            (Some(_), _) => Method::Basic,
            (None, Some(_)) => Method::Certificate,
            (None, None) => Method::Anonymous,
        }
    }

    /// Where the caller is, as text.
    pub fn client_ip(&self) -> &str {
        &self.client_ip
    }

    /// Where the caller is, as [`client_ip`](Self::client_ip) but parsed.
    pub fn client_address(&self) -> IpAddr {
        self.client_address
    }

    /// The verified certificate of the connection.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    /// Whether the caller proved nothing.
    pub fn is_anonymous(&self) -> bool {
        self.method() == Method::Anonymous
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use angos_test_ca::{Authority, Leaf};

    #[test]
    fn proofs_add_up_and_never_mix() {
        let der = Authority::new("CA").issue(&Leaf::client("admin")).certificate_der;
        let certificate = Arc::new(Certificate::from_der(&der).unwrap());
        let credential = Arc::new(Credential { id: "entry".into(), username: "bob".into() });
        let check =
            |with_certificate: bool, with_credential: bool, method: Method, username: Option<&str>| {
                let identity = Identity::new(
                    IpAddr::from([192, 0, 2, 1]),
                    with_certificate.then(|| certificate.clone()),
                    with_credential.then(|| credential.clone()),
                );
                assert_eq!(identity.method(), method);
                assert_eq!(identity.username(), username);
                assert_eq!(identity.id(), username.map(|_| "entry"));
                assert_eq!(identity.certificate().is_some(), with_certificate);
                assert_eq!(identity.is_anonymous(), method == Method::Anonymous);
            };
        check(false, false, Method::Anonymous, None);
        check(true, false, Method::Certificate, None);
        check(false, true, Method::Basic, Some("bob"));
        check(true, true, Method::Basic, Some("bob"));
    }

    #[test]
    fn addresses_have_one_spelling() {
        let check = |address: &str, text: &str| {
            let identity = Identity::new(address.parse().unwrap(), None, None);
            assert_eq!(identity.client_ip(), text);
            assert_eq!(identity.client_address().to_string(), text);
        };
        check("192.0.2.1", "192.0.2.1");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("2001:DB8:0::1", "2001:db8::1");
    }
}
