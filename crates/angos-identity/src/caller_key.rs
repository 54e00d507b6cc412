//! Which connections and requests belong to one caller, when limited resources are shared between callers.

use std::net::{IpAddr, Ipv6Addr};

use crate::Certificate;
use crate::limits::CALLER_PREFIX_V6_BITS;

/// One caller: the holder of a certificate, or for anonymous clients an IPv4 address or an IPv6 network. The key under
/// which connections, requests and password checks are counted.
///
/// Many clients of one address that each have a certificate are many callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKey {
    /// The SHA-256 fingerprint of the certificate.
    Certificate([u8; 32]),
    /// The address, for IPv6 the network of [`CALLER_PREFIX_V6_BITS`] it is in.
    Network(IpAddr),
}

impl CallerKey {
    /// The caller with this address and this verified client certificate, if it has one.
    pub fn new(address: IpAddr, certificate: Option<&Certificate>) -> Self {
        certificate.map_or_else(|| Self::network(address), Self::certificate)
    }

    /// The anonymous caller that connects from this address. IPv4 addresses mapped to IPv6 count as IPv4.
    pub fn network(address: IpAddr) -> Self {
        Self::Network(match address.to_canonical() {
            IpAddr::V6(address) => {
                let host_bits = u128::BITS.saturating_sub(CALLER_PREFIX_V6_BITS);
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or_default();
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }

    fn certificate(certificate: &Certificate) -> Self {
        let mut fingerprint = [0; 32];
        // Lower-case hexadecimal, two digits a byte.
        for (byte, digits) in fingerprint.iter_mut().zip(certificate.fingerprint().as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        Self::Certificate(fingerprint)
    }

    /// Whether the caller has a certificate, and so may use what is reserved for holders of one.
    pub fn is_certificate(&self) -> bool {
        matches!(self, Self::Certificate(_))
    }
}

#[cfg(test)]
mod tests {
    use angos_test_ca::{Authority, Leaf};

    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_caller() {
        let check = |one: &str, other: &str, same: bool| {
            let keys = [one, other].map(|text| CallerKey::network(text.parse().unwrap()));
            assert_eq!(keys[0] == keys[1], same, "{one} and {other}");
        };
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
    }

    #[test]
    fn a_certificate_is_a_caller_wherever_it_connects_from() {
        let authority = Authority::new("CA");
        let certificate = || {
            let der = authority.issue(&Leaf::client("a")).certificate_der;
            Certificate::from_der(&der).unwrap()
        };
        let (one, other) = (certificate(), certificate());
        let key = |address: [u8; 4], certificate| CallerKey::new(address.into(), certificate);
        let here = [192, 0, 2, 1];
        assert_ne!(key(here, Some(&one)), key(here, Some(&other)));
        assert_eq!(key(here, Some(&one)), key([192, 0, 2, 9], Some(&one)));
        assert!(key(here, Some(&one)).is_certificate());
        assert!(!key(here, None).is_certificate());
    }
}
