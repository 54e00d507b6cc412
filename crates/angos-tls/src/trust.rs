//! Verifying a client's chain: webpki finds a path to an authority, and here it is decided whether that path is
//! good enough. The same code judges a handshake, a resumption and a connection that is looked at again.

use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use angos_identity::{Certificate, CertificateError};
use rustls::DistinguishedName;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::algorithms::key_problem;
use crate::bounded_cache::BoundedCache;
use crate::ca_bundle::{Anchor, CaBundle};
use crate::crl::Crl;
use crate::failure_class::FailureClass;
use crate::issuers;
use crate::limits;
use crate::parsed_certificate::{KeyUse, ParsedCertificate};
use crate::refusal::Refusal;
use crate::revocation::{Crls, Issuer};
use crate::settings::Revocation;
use crate::trust::explain::folded_name;

/// A chain that was found good, and for how long that holds.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) identity: Arc<Certificate>,
    /// What the client presented, so that it can be judged again under other authorities.
    pub(crate) chain: Box<[CertificateDer<'static>]>,
    /// First and last second of its validity: of every certificate of the path, the authority's included, and of
    /// the revocation lists that say it is good.
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Verified {
    /// About what it takes in memory: the facts read from a certificate are at most twice as long as the certificate.
    fn cost(&self) -> usize {
        size_of::<Self>() + self.chain.iter().map(|der| der.len() + size_of_val(der)).sum::<usize>() * 3
    }

    pub(crate) fn holds_at(&self, now: i64) -> bool {
        (self.from..=self.until).contains(&now)
    }
}

/// Everything that decides whether a client's chain is good, of one set of material.
#[derive(Debug)]
pub(crate) struct Trust {
    bundles: Vec<CaBundle>,
    /// The anchors of all authorities, for webpki; and beside each what webpki does not look at.
    anchors: Vec<TrustAnchor<'static>>,
    details: Vec<AnchorDetail>,
    /// The names of all anchors, as RFC 5280 §7.1 compares names.
    folded_names: HashSet<String>,
    revocation: Revocation,
    algorithms: WebPkiSupportedAlgorithms,
    /// Chains found good before. A verdict depends on nothing but chain, trust and time, so while both last it
    /// can be told again; proof that the client holds the key is demanded each time by TLS itself.
    known: Mutex<BoundedCache<[u8; 32], Arc<Verified>>>,
    /// SHA-256 of the names of intermediates that good chains had: who lacks one of them forgot to send it.
    intermediates: Mutex<BoundedCache<[u8; 32], ()>>,
}

/// What is known of one anchor.
#[derive(Debug)]
struct AnchorDetail {
    authority: usize,
    not_before: i64,
    not_after: i64,
    path_length: Option<usize>,
}

/// The path that was accepted.
#[derive(Clone, Copy)]
struct AcceptedPath {
    authority: usize,
    from: i64,
    until: i64,
}

impl Trust {
    pub(crate) fn new(
        bundles: Vec<CaBundle>,
        revocation: Revocation,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let mut anchors = Vec::new();
        let mut details = Vec::new();
        for (place, authority) in bundles.iter().enumerate() {
            for Anchor { trusted, not_before, not_after, path_length, .. } in &authority.anchors {
                anchors.push(trusted.clone());
                details.push(AnchorDetail {
                    authority: place,
                    not_before: *not_before,
                    not_after: *not_after,
                    path_length: *path_length,
                });
            }
        }
        let folded_names = anchors.iter().filter_map(|anchor| folded_name(&anchor.subject)).collect();
        let known = Mutex::new(BoundedCache::new(limits::VERIFIED_CHAINS_MAX_BYTES));
        let intermediates = Mutex::new(BoundedCache::new(limits::KNOWN_INTERMEDIATES_MAX));
        Self { bundles, anchors, details, folded_names, revocation, algorithms, known, intermediates }
    }

    /// Everything a verdict depends on, beside chain and time.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(format!("{:?}", self.revocation));
        for CaBundle { name, spiffe_trust_domain, anchors, lists } in &self.bundles {
            let counts = (anchors.len(), lists.as_ref().map(|lists| lists.all().count()));
            digest.update(format!("{name:?} {spiffe_trust_domain:?} {counts:?}"));
            let lists = lists.iter().flat_map(Crls::all).map(|list| list.digest);
            for one in anchors.iter().map(|anchor| anchor.digest).chain(lists) {
                digest.update(one);
            }
        }
        digest.finalize().into()
    }

    /// This trust with those lists of `before` that are newer than what it has instead, and what it had. None: it
    /// has no list that is older.
    pub(crate) fn keeping_newer_lists(&self, before: &Self) -> Option<(Self, Vec<Arc<Crl>>)> {
        let mut bundles = self.bundles.clone();
        let mut older = Vec::new();
        for lists in bundles.iter_mut().filter_map(|authority| authority.lists.as_mut()) {
            for earlier in before.bundles.iter().filter_map(|authority| authority.lists.as_ref()) {
                older.append(&mut lists.keep_newer(earlier));
            }
        }
        if older.is_empty() {
            return None;
        }
        Some((Self::new(bundles, self.revocation, self.algorithms), older))
    }

    /// Remembers the intermediates `before` knew. They are hints for people; no verdict rests on them.
    pub(crate) fn remember(&self, before: &Self) {
        let names = before.intermediates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *self.intermediates.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// The revocation lists in use.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &Arc<Crl>> {
        self.bundles.iter().filter_map(|authority| authority.lists.as_ref()).flat_map(Crls::all)
    }

    pub(crate) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }

    /// The names of the authorities, if they are few enough to be sent to every client.
    pub(crate) fn hints(&self) -> Vec<DistinguishedName> {
        let name = |anchor: &TrustAnchor<'_>| DistinguishedName::in_sequence(anchor.subject.as_ref());
        let names: Vec<_> = self.anchors.iter().map(name).collect();
        let bytes: usize = names.iter().map(|name| name.as_ref().len() + 2).sum();
        if bytes <= limits::CA_HINTS_MAX_BYTES { names } else { Vec::new() }
    }

    /// Verifies a chain as a client presents it: the leaf, then whatever else it sends, in any order.
    ///
    /// Time is bounded by webpki's budget of signatures, and by the paths that [`issuers::possible`] leaves it.
    pub(crate) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Arc<Verified>, Refusal> {
        let key = digest(leaf, intermediates);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).map(Arc::clone);
        if let Some(known) = known.filter(|known| known.holds_at(seconds(now))) {
            return Ok(known);
        }
        let verified = Arc::new(self.verify_anew(leaf, intermediates, now)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, Arc::clone(&verified), verified.cost());
        Ok(verified)
    }

    fn verify_anew(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Verified, Refusal> {
        let entity = EndEntityCert::try_from(leaf)?;
        let possible = issuers::possible(&entity, intermediates)?;
        let identity = OnceCell::new();
        let check = PathCheck { trust: self, identity: &identity, now: seconds(now) };
        let (accepted, refused) = (RefCell::new(None), RefCell::new(None));
        let check_path = |path: &VerifiedPath<'_>| match check.check_path(path) {
            Ok(good) => {
                accepted.replace(Some(good));
                Ok(())
            }
            Err(refusal) => {
                // Other paths may do better. Should none, a path that was complete says most.
                refused.borrow_mut().get_or_insert(refusal);
                Err(webpki::Error::UnknownIssuer)
            }
        };
        let outcome = entity.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            &possible,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&check_path),
        );
        let path = match outcome {
            Ok(path) => {
                self.remember_intermediates(&path);
                accepted.take()
            }
            Err(error) => {
                let refusal = refused.take().unwrap_or_else(|| error.into());
                return Err(self.explain(refusal, leaf, intermediates));
            }
        };
        let Some(AcceptedPath { authority, from, until }) = path else {
            return Err(webpki::Error::UnknownIssuer.into());
        };
        let read = identity.into_inner().unwrap_or_else(|| Certificate::from_der(leaf));
        let identity = read.map_err(Refusal::unreadable)?;
        let identity = match self.bundles.get(authority).and_then(|authority| authority.name.clone()) {
            Some(name) => identity.with_ca(name),
            None => identity,
        };
        let chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        Ok(Verified { identity: Arc::new(identity), chain, from, until })
    }
}

/// One chain that is verified.
struct PathCheck<'a> {
    trust: &'a Trust,
    /// Read when first needed: a chain that is refused is not worth it.
    identity: &'a OnceCell<Result<Certificate, CertificateError>>,
    now: i64,
}

impl PathCheck<'_> {
    /// What RFC 5280 demands of a path and webpki leaves out, and what the operator demands besides.
    fn check_path(&self, path: &VerifiedPath<'_>) -> Result<AcceptedPath, Refusal> {
        let place = self.trust.anchors.iter().position(|anchor| ptr::eq(anchor, path.anchor()));
        let found = place.and_then(|place| self.trust.details.get(place));
        let detail = found.ok_or(webpki::Error::UnknownIssuer)?;
        let authority = self.trust.bundles.get(detail.authority).ok_or(webpki::Error::UnknownIssuer)?;
        let leaf = path.end_entity().der();
        self.authority_holds(detail, path)?;
        let outline = outline(&leaf)?;
        if let Some(problem) = key_problem(outline.public_key, &self.trust.algorithms) {
            return Err(Refusal::new(FailureClass::UnsupportedAlgorithm, problem));
        }
        if !outline.allows(KeyUse::DigitalSignature) {
            return Err(Refusal::new(
                FailureClass::KeyUsage,
                "its key usage does not include digitalSignature",
            ));
        }
        self.in_trust_domain(authority, &leaf)?;
        let mut from = outline.not_before.max(detail.not_before);
        let mut until = outline.not_after.min(detail.not_after);
        let above: Vec<_> = path.intermediate_certificates().map(webpki::Cert::der).collect();
        let above = above.iter().map(self::outline).collect::<Result<Vec<_>, _>>()?;
        for intermediate in &above {
            if !intermediate.allows(KeyUse::CertificateSigning) {
                let words = "an intermediate's key usage does not include keyCertSign";
                return Err(Refusal::new(FailureClass::KeyUsage, words));
            }
            from = from.max(intermediate.not_before);
            until = until.min(intermediate.not_after);
        }
        if let Some(lists) = &authority.lists {
            until = until.min(self.not_revoked(lists, &outline, &above)?);
        }
        Ok(AcceptedPath { authority: detail.authority, from, until })
    }

    /// Until when no certificate of the path is known to be revoked. From the top, as each list is only worth as
    /// much as its issuer.
    fn not_revoked(
        &self,
        lists: &Crls,
        leaf: &ParsedCertificate<'_>,
        above: &[ParsedCertificate<'_>],
    ) -> Result<i64, Refusal> {
        let how = (self.trust.revocation, &self.trust.algorithms);
        let mut until = i64::MAX;
        let mut issuer = Issuer::Anchor;
        for certificate in above.iter().rev() {
            until = until.min(lists.check(certificate, issuer, false, self.now, how)?);
            issuer = Issuer::Intermediate(certificate);
        }
        Ok(until.min(lists.check(leaf, issuer, true, self.now, how)?))
    }

    /// The anchor's own validity and path length, which webpki does not look at.
    fn authority_holds(&self, anchor: &AnchorDetail, path: &VerifiedPath<'_>) -> Result<(), Refusal> {
        if self.now > anchor.not_after {
            return Err(Refusal::new(FailureClass::Expired, "the CA that issued it has expired"));
        }
        if self.now < anchor.not_before {
            return Err(Refusal::new(FailureClass::NotYetValid, "the CA that issued it is not valid yet"));
        }
        // RFC 5280 §6.1.4 (l): a certificate that names itself as its issuer does not count.
        let counted = |certificate: &&webpki::Cert<'_>| certificate.issuer() != certificate.subject();
        let below = path.intermediate_certificates().filter(counted).count();
        if anchor.path_length.is_some_and(|most| below > most) {
            return Err(webpki::Error::PathLenConstraintViolated.into());
        }
        Ok(())
    }

    fn in_trust_domain(&self, authority: &CaBundle, leaf: &CertificateDer<'_>) -> Result<(), Refusal> {
        let Some(wanted) = &authority.spiffe_trust_domain else { return Ok(()) };
        let identity = self.identity.get_or_init(|| Certificate::from_der(leaf));
        let identity = identity.as_ref().map_err(|error| Refusal::unreadable(*error))?;
        if identity.spiffe_trust_domain() == Some(wanted) {
            return Ok(());
        }
        let words = match identity.spiffe_id() {
            Some(_) => format!("its SPIFFE id is not of the trust domain {wanted}"),
            None => format!("it has no SPIFFE id, and one of the trust domain {wanted} is demanded"),
        };
        Err(Refusal::new(FailureClass::NameConstraint, words))
    }
}

fn outline<'a>(der: &'a CertificateDer<'_>) -> Result<ParsedCertificate<'a>, Refusal> {
    ParsedCertificate::read(der).ok_or_else(|| webpki::Error::BadDer.into())
}

pub(crate) fn unix_now() -> i64 {
    seconds(UnixTime::now())
}

fn seconds(now: UnixTime) -> i64 {
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Tells two chains apart, lengths included.
fn digest(leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for der in std::iter::once(leaf).chain(intermediates) {
        digest.update(der.len().to_le_bytes());
        digest.update(der);
    }
    digest.finalize().into()
}

mod explain;
#[cfg(test)]
mod tests;
