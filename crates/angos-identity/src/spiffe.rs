//! A SPIFFE id: `spiffe://trust-domain/path`, as the SPIFFE-ID standard spells it.

use crate::error::SpiffeFault;
use crate::limits::SPIFFE_TRUST_DOMAIN_MAX_BYTES;

/// A valid SPIFFE id and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpiffeId {
    pub(crate) id: String,
    pub(crate) trust_domain: String,
    /// With its leading `/`; `None` for the trust domain itself.
    pub(crate) path: Option<String>,
}

impl SpiffeId {
    /// `None` when the URI has another scheme. The whole length is bounded by what a URI may have.
    pub(crate) fn parse(uri: &str) -> Option<Result<Self, SpiffeFault>> {
        let (scheme, rest) = uri.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("spiffe") {
            return None;
        }
        Some(if scheme == "spiffe" { Self::after_scheme(uri, rest) } else { Err(SpiffeFault::Scheme) })
    }

    fn after_scheme(uri: &str, rest: &str) -> Result<Self, SpiffeFault> {
        let rest = rest.strip_prefix("//").ok_or(SpiffeFault::Scheme)?;
        let (trust_domain, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if !is_trust_domain(trust_domain) {
            return Err(SpiffeFault::TrustDomain);
        }
        if !is_path(path) {
            return Err(SpiffeFault::Path);
        }
        Ok(Self {
            id: uri.to_owned(),
            trust_domain: trust_domain.to_owned(),
            path: (!path.is_empty()).then(|| path.to_owned()),
        })
    }
}

fn is_trust_domain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=SPIFFE_TRUST_DOMAIN_MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_path(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed);
    match text.strip_prefix('/') {
        Some(segments) => segments.split('/').all(is_segment),
        None => text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_ids_are_taken_apart() {
        let check = |uri: &str, trust_domain: &str, path: Option<&str>| {
            let id = SpiffeId::parse(uri).unwrap().unwrap();
            assert_eq!((id.id.as_str(), id.trust_domain.as_str()), (uri, trust_domain));
            assert_eq!(id.path.as_deref(), path);
        };
        check("spiffe://example.org", "example.org", None);
        check("spiffe://example.org/ns/ci/sa/builder", "example.org", Some("/ns/ci/sa/builder"));
        check("spiffe://a_b-c.0/X..y/...", "a_b-c.0", Some("/X..y/..."));
        check(&format!("spiffe://{}", "a".repeat(255)), &"a".repeat(255), None);
    }

    #[test]
    fn anything_else_is_named() {
        let check =
            |uri: &str, fault: SpiffeFault| assert_eq!(SpiffeId::parse(uri), Some(Err(fault)), "{uri}");
        check("SPIFFE://example.org/a", SpiffeFault::Scheme);
        check("Spiffe://example.org/a", SpiffeFault::Scheme);
        check("spiffe:example.org", SpiffeFault::Scheme);
        check("spiffe:/example.org", SpiffeFault::Scheme);
        check("spiffe://", SpiffeFault::TrustDomain);
        check("spiffe:///path", SpiffeFault::TrustDomain);
        check("spiffe://Example.org/a", SpiffeFault::TrustDomain);
        check("spiffe://example.org:443/a", SpiffeFault::TrustDomain);
        check("spiffe://user@example.org/a", SpiffeFault::TrustDomain);
        check("spiffe://example.org?q", SpiffeFault::TrustDomain);
        check("spiffe://example%2eorg/a", SpiffeFault::TrustDomain);
        check(&format!("spiffe://{}", "a".repeat(256)), SpiffeFault::TrustDomain);
        check("spiffe://example.org/", SpiffeFault::Path);
        check("spiffe://example.org/a/", SpiffeFault::Path);
        check("spiffe://example.org//a", SpiffeFault::Path);
        check("spiffe://example.org/./a", SpiffeFault::Path);
        check("spiffe://example.org/a/..", SpiffeFault::Path);
        check("spiffe://example.org/a?q", SpiffeFault::Path);
        check("spiffe://example.org/a#f", SpiffeFault::Path);
        check("spiffe://example.org/a%20b", SpiffeFault::Path);
        assert_eq!(SpiffeId::parse("https://example.org"), None);
        assert_eq!(SpiffeId::parse("spiffex://example.org"), None);
    }
}
