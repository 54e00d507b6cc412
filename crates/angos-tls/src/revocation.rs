//! Whether a certificate is revoked, by the lists of one authority.

use std::sync::Arc;

use rustls::crypto::WebPkiSupportedAlgorithms;

use crate::crl::Crl;
use crate::failure_class::FailureClass;
use crate::parsed_certificate::{KeyUse, ParsedCertificate};
use crate::refusal::Refusal;
use crate::settings::{Revocation, RevocationDepth, UnknownStatusPolicy};

/// Who issued a certificate of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Issuer<'a> {
    /// An authority of the bundle; which of its lists it signed was settled when they were loaded.
    Anchor,
    Intermediate(&'a ParsedCertificate<'a>),
}

/// The lists of one authority that are in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crls {
    /// Those an authority of the bundle has signed.
    pub(crate) proven: Vec<Arc<Crl>>,
    /// Those of other issuers: each counts only where an intermediate of that name has signed it.
    pub(crate) unproven: Vec<Arc<Crl>>,
}

impl Crls {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Crl>> {
        self.proven.iter().chain(&self.unproven)
    }

    /// Takes each list of `before` that is newer than one here for the same certificates, and returns what it took
    /// the place of. Only an authority's own signature makes a list worth keeping.
    pub(crate) fn keep_newer(&mut self, before: &Self) -> Vec<Arc<Crl>> {
        let mut older = Vec::new();
        for list in &mut self.proven {
            let newer =
                |it: &&Arc<Crl>| it.replaces(list) && list.is_older_than(it) && it.shares_a_signer_with(list);
            if let Some(newer) = before.proven.iter().find(newer) {
                older.push(std::mem::replace(list, Arc::clone(newer)));
            }
        }
        older
    }

    /// Until when `certificate` is known not to be revoked; its last second.
    ///
    /// Every list of the issuer is asked, whatever part of the certificates it is for: one that names the serial
    /// number is believed. To be known as not revoked takes a list in force that covers the certificate.
    pub(crate) fn check(
        &self,
        certificate: &ParsedCertificate<'_>,
        issuer: Issuer<'_>,
        is_leaf: bool,
        now: i64,
        (settings, algorithms): (Revocation, &WebPkiSupportedAlgorithms),
    ) -> Result<i64, Refusal> {
        if settings.depth == RevocationDepth::Leaf && !is_leaf {
            return Ok(i64::MAX);
        }
        // That an authority of the bundle has signed a list was settled when it was loaded.
        let unproven: &[_] = if matches!(issuer, Issuer::Anchor) { &[] } else { &self.unproven };
        let speaks = |list: &&Arc<Crl>| match issuer {
            _ if list.issuer != certificate.issuer => false,
            Issuer::Anchor => true,
            Issuer::Intermediate(issuer) => {
                issuer.allows(KeyUse::ListSigning) && list.is_signed_by(issuer.public_key, algorithms)
            }
        };
        let (mut until, mut expired) = (None, false);
        for list in self.proven.iter().chain(unproven).filter(speaks) {
            if list.names(certificate) {
                let whose = if is_leaf { "it" } else { "an intermediate" };
                return Err(Refusal::new(
                    FailureClass::Revoked,
                    format!("{whose} is on the list of {}", list.issuer_text),
                ));
            }
            if !list.covers(certificate, is_leaf) {
                continue;
            }
            let holds = match settings.expired_list {
                UnknownStatusPolicy::Allow => i64::MAX,
                UnknownStatusPolicy::Deny => list.next_update.saturating_sub(1),
            };
            if now > holds {
                expired = true;
            } else {
                until = until.max(Some(holds));
            }
        }
        match until {
            Some(until) => Ok(until),
            None if expired => Err(doubt("the revocation list of its issuer has expired", is_leaf)),
            None if settings.unknown_status == UnknownStatusPolicy::Allow => Ok(i64::MAX),
            None => Err(doubt("there is no usable revocation list of its issuer", is_leaf)),
        }
    }
}

fn doubt(why: &str, is_leaf: bool) -> Refusal {
    let of = if is_leaf { "" } else { " (of an intermediate)" };
    Refusal::new(FailureClass::RevocationUnknown, format!("{why}{of}"))
}
