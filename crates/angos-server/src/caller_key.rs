//! What tells one caller from another when connections, requests and password checks are shared out.

use std::net::{IpAddr, Ipv6Addr};

use angos_identity::Certificate;

use crate::handshake::Caller;
use crate::limits::CALLER_PREFIX_V6_BITS;

/// One caller: the holder of a certificate, or for anonymous clients an IPv4 address or an IPv6 network.
///
/// Many clients of one address that each have a certificate are many callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CallerKey {
    /// The SHA-256 fingerprint of the certificate.
    Certificate([u8; 32]),
    /// The address, for IPv6 the network of [`CALLER_PREFIX_V6_BITS`] it is in.
    Network(IpAddr),
}

impl CallerKey {
    /// The caller on the other side of a connection.
    pub(crate) fn of(caller: &Caller) -> Self {
        match &caller.certificate {
            Some(certificate) => Self::certificate(certificate),
            None => Self::network(caller.address),
        }
    }

    /// Whoever connects from this address.
    pub(crate) fn network(address: IpAddr) -> Self {
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

    /// Whether it has a certificate, and so may use what is reserved for holders of one.
    pub(crate) fn is_certificate(&self) -> bool {
        matches!(self, Self::Certificate(_))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        let caller = |name: &str, address: [u8; 4]| {
            let der = authority.issue(&Leaf::client(name)).certificate_der;
            let certificate = Arc::new(Certificate::from_der(&der).unwrap());
            Caller { address: address.into(), certificate: Some(certificate) }
        };
        let (one, other) = (caller("a", [192, 0, 2, 1]), caller("a", [192, 0, 2, 1]));
        assert_ne!(CallerKey::of(&one), CallerKey::of(&other));
        let moved = Caller { address: [192, 0, 2, 9].into(), ..one.clone() };
        assert_eq!(CallerKey::of(&one), CallerKey::of(&moved));
        assert!(CallerKey::of(&one).is_certificate());
        let anonymous = Caller { certificate: None, ..one };
        assert!(!CallerKey::of(&anonymous).is_certificate());
    }
}
