//! The extensions of a certificate that decide how far it is trusted.

use crate::der::{OCTET_STRING, TRUE, integer, named_bits, object_identifier, sequence, tlv};
use crate::leaf::{Leaf, Usage};
use crate::subject::{self, ORGANIZATION, Text};

pub(crate) const SUBJECT_KEY_IDENTIFIER: [u64; 4] = [2, 5, 29, 14];
pub(crate) const KEY_USAGE: [u64; 4] = [2, 5, 29, 15];
pub(crate) const SUBJECT_ALTERNATIVE_NAME: [u64; 4] = [2, 5, 29, 17];
pub(crate) const BASIC_CONSTRAINTS: [u64; 4] = [2, 5, 29, 19];
pub(crate) const NAME_CONSTRAINTS: [u64; 4] = [2, 5, 29, 30];
pub(crate) const CRL_DISTRIBUTION_POINTS: [u64; 4] = [2, 5, 29, 31];
pub(crate) const AUTHORITY_KEY_IDENTIFIER: [u64; 4] = [2, 5, 29, 35];
pub(crate) const EXTENDED_KEY_USAGE: [u64; 4] = [2, 5, 29, 37];

/// Key usage: signatures other than on certificates and revocation lists.
pub const DIGITAL_SIGNATURE: u16 = 0x8000;
/// Key usage: encryption of keys, as in RSA key exchange.
pub const KEY_ENCIPHERMENT: u16 = 0x2000;
/// Key usage: signatures on certificates.
pub const KEY_CERT_SIGN: u16 = 0x0400;
/// Key usage: signatures on revocation lists.
pub const CRL_SIGN: u16 = 0x0200;

/// One subtree of names that an authority's certificate permits or excludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subtree {
    /// DNS names that end so.
    Dns(&'static str),
    /// E-mail addresses: one mailbox, a host, or (with a leading dot) a domain.
    Email(&'static str),
    /// URIs whose host is this, or (with a leading dot) below this.
    Uri(&'static str),
    /// Addresses, and the mask that says which bits count.
    Ip([u8; 4], [u8; 4]),
    /// Directory names that begin with this organization.
    Organization(&'static str),
}

impl Subtree {
    fn encoded(&self) -> Vec<u8> {
        sequence(&[match self {
            Self::Email(text) => tlv(0x81, text.as_bytes()),
            Self::Dns(text) => tlv(0x82, text.as_bytes()),
            Self::Uri(text) => tlv(0x86, text.as_bytes()),
            Self::Ip(address, mask) => tlv(0x87, &[*address, *mask].concat()),
            Self::Organization(text) => {
                tlv(0xa4, &subject::name(&[vec![(ORGANIZATION.to_vec(), Text::from(*text))]]))
            }
        }])
    }
}

/// `NameConstraints`.
pub(crate) fn name_constraints(permitted: &[Subtree], excluded: &[Subtree]) -> Vec<u8> {
    let subtrees = |tag, trees: &[Subtree]| {
        let trees: Vec<_> = trees.iter().flat_map(Subtree::encoded).collect();
        if trees.is_empty() { trees } else { tlv(tag, &trees) }
    };
    sequence(&[subtrees(0xa0, permitted), subtrees(0xa1, excluded)])
}

/// `CRLDistributionPoints`, one for each URI.
pub(crate) fn crl_distribution_points(uris: &[&str]) -> Vec<u8> {
    let points = uris.iter().map(|uri| sequence(&[distribution_point(uri)]));
    sequence(&points.collect::<Vec<_>>())
}

/// The `[0] DistributionPointName` with this URI as its full name.
pub(crate) fn distribution_point(uri: &str) -> Vec<u8> {
    tlv(0xa0, &tlv(0xa0, &tlv(0x86, uri.as_bytes())))
}

/// `ExtKeyUsageSyntax`; none when the certificate says nothing.
pub(crate) fn extended_key_usage(usage: Usage) -> Option<Vec<u8>> {
    const ANY: &[u64] = &[2, 5, 29, 37, 0];
    const SERVER: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
    const CLIENT: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
    const CODE_SIGNING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 3];
    let purposes: &[&[u64]] = match usage {
        Usage::Client => &[CLIENT],
        Usage::Server => &[SERVER],
        Usage::Both => &[CLIENT, SERVER],
        Usage::Other => &[CODE_SIGNING],
        Usage::Any => &[ANY],
        Usage::None => return None,
    };
    Some(sequence(&purposes.iter().map(|purpose| object_identifier(purpose)).collect::<Vec<_>>()))
}

/// What the fields of `leaf` ask for, without its own [`Leaf::extension`]s.
pub(crate) fn of(leaf: &Leaf, own_key: &[u8], issuer_key: &[u8]) -> Vec<(Vec<u64>, bool, Vec<u8>)> {
    let key_usage = leaf.key_usage.map(|bits| (KEY_USAGE, true, named_bits(bits)));
    let purposes = extended_key_usage(leaf.usage).map(|value| (EXTENDED_KEY_USAGE, false, value));
    let constraints = leaf.is_authority.map(|is_authority| {
        let authority = if is_authority { TRUE.to_vec() } else { Vec::new() };
        let length = leaf.path_length.map_or_else(Vec::new, |most| integer(&[most]));
        (BASIC_CONSTRAINTS, true, sequence(&[authority, length]))
    });
    let critical = leaf.subject.is_empty(); // as RFC 5280 wants it
    let names = (!leaf.alternative_names.is_empty()).then(|| {
        (SUBJECT_ALTERNATIVE_NAME, critical, sequence(std::slice::from_ref(&leaf.alternative_names)))
    });
    let own = (SUBJECT_KEY_IDENTIFIER, false, tlv(OCTET_STRING, &key_identifier(own_key)));
    let issuer = (AUTHORITY_KEY_IDENTIFIER, false, sequence(&[tlv(0x80, &key_identifier(issuer_key))]));
    let [own, issuer] = [own, issuer].map(|identifier| leaf.key_identifiers.then_some(identifier));
    [key_usage, purposes, constraints, names, own, issuer]
        .into_iter()
        .flatten()
        .map(|(kind, critical, value)| (kind.to_vec(), critical, value))
        .collect()
}

/// The first 160 bits of SHA-256 (RFC 7093 §2, method 1, over the whole key information).
pub(crate) fn key_identifier(public_key: &[u8]) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public_key);
    digest.as_ref().iter().copied().take(20).collect()
}
