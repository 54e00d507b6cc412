//! The revocation lists of an authority: files and folders → those that are used, and what is odd about the others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::WebPkiSupportedAlgorithms;

use super::Loading;
use crate::ca_bundle::Anchor;
use crate::crl::Crl;
use crate::expiry::ExpiryKind;
use crate::files::{Files, ReadError};
use crate::load_error::{LoadError, Problem};
use crate::parsed_certificate::ParsedCertificate;
use crate::revocation::Crls;
use crate::settings::{ClientCa, ClientCaSetting, Setting};
use crate::warning::{Warning, WarningKind};
use crate::{limits, pem};

/// A list, and where it was found.
struct Found {
    list: Arc<Crl>,
    setting: Setting,
    position: usize,
}

impl Loading<'_> {
    pub(super) fn lists(
        &mut self,
        place: usize,
        paths: &[PathBuf],
        anchors: &[Anchor],
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Crls {
        let mut lists = Crls::default();
        let found = self.found(place, paths);
        for found in self.newest(found) {
            let list = Arc::clone(&found.list);
            let named: Vec<_> =
                anchors.iter().filter(|it| it.trusted.subject.as_ref() == list.issuer).collect();
            let signers: Vec<_> = named
                .iter()
                .filter(|it| list.is_signed_by(it.trusted.subject_public_key_info.as_ref(), algorithms))
                .collect();
            if signers.iter().any(|it| it.may_sign_lists) {
                self.note_list(&found);
                lists.proven.push(list);
            } else if named.is_empty() {
                self.odd(&found, WarningKind::CrlIssuerUnknown);
                self.note_list(&found);
                lists.unproven.push(list);
            } else if signers.is_empty() {
                self.odd(&found, WarningKind::CrlBadSignature);
            } else {
                self.odd(&found, WarningKind::CrlIssuerMayNotSign);
            }
        }
        lists
    }

    /// Drops authorities that another one of the bundle has revoked: as anchors nothing else would stop them.
    pub(super) fn drop_revoked(
        &mut self,
        place: usize,
        written: &ClientCa,
        anchors: &mut Vec<Anchor>,
        lists: &Crls,
    ) {
        let is_revoked = |anchor: &Anchor| {
            let outline = ParsedCertificate::read(&anchor.der);
            outline.is_some_and(|outline| {
                lists.proven.iter().any(|list| list.issuer == outline.issuer && list.names(&outline))
            })
        };
        let setting = Setting::ClientCa(place, ClientCaSetting::Bundle);
        for (anchor, position) in anchors.iter().zip(1..) {
            if is_revoked(anchor) {
                let (file, subject) = (&written.bundle, anchor.subject.clone());
                let kind = WarningKind::CaRevoked;
                self.warnings.push(Warning::new(setting, file, position, subject, kind));
            }
        }
        anchors.retain(|anchor| !is_revoked(anchor));
    }

    fn found(&mut self, place: usize, paths: &[PathBuf]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut revoked = 0;
        for (at, path) in paths.iter().enumerate() {
            let setting = Setting::ClientCa(place, ClientCaSetting::Crls(at));
            for file in self.note(setting, path, files(self.files, path)).unwrap_or_default() {
                match read(self.files, &file) {
                    Ok(lists) => {
                        revoked += lists.iter().map(Crl::revoked_count).sum::<usize>();
                        let lists = lists.into_iter().map(Arc::new).zip(1..);
                        found.extend(lists.map(|(list, position)| Found { list, setting, position }));
                    }
                    Err(problem) => self.errors.push(LoadError::in_file(setting, &file, problem)),
                }
            }
            if revoked > limits::REVOKED_CERTIFICATES_MAX {
                self.errors.push(LoadError::in_file(setting, path, Problem::TooManyRevoked));
                break;
            }
        }
        found
    }

    /// Of several lists for the same certificates the newest.
    fn newest(&mut self, found: Vec<Found>) -> Vec<Found> {
        let mut newest: Vec<Found> = Vec::new();
        for one in found {
            match newest.iter_mut().find(|other| other.list.replaces(&one.list)) {
                None => newest.push(one),
                // The same list twice is no oddity.
                Some(other) if other.list.digest == one.list.digest => {}
                Some(other) => {
                    let older =
                        if other.list.is_older_than(&one.list) { std::mem::replace(other, one) } else { one };
                    self.odd(&older, WarningKind::CrlOlder);
                }
            }
        }
        newest
    }

    fn note_list(&mut self, found: &Found) {
        let Crl { issuer_text, file, next_update, digest, .. } = &*found.list;
        if self.now >= *next_update {
            self.odd(found, WarningKind::CrlExpired);
        }
        self.note_expiry(ExpiryKind::Crl, file, issuer_text.clone(), *next_update, *digest);
    }

    fn odd(&mut self, found: &Found, kind: WarningKind) {
        let Crl { issuer_text, file, .. } = &*found.list;
        let warning = Warning::new(found.setting, file, found.position, issuer_text.clone(), kind);
        self.warnings.push(warning);
    }
}

/// The file itself, or every file of the folder, in the order of their names. What begins with a dot is passed
/// over: the folders behind a Kubernetes volume, and what editors leave.
fn files(files: &Files, path: &Path) -> Result<Vec<PathBuf>, Problem> {
    match files.list(path, limits::CRL_FILES_MAX).map_err(pem::problem)? {
        None => Ok(vec![path.to_owned()]),
        Some(names) if names.is_empty() => Err(Problem::NoCrl),
        Some(names) if names.len() > limits::CRL_FILES_MAX => Err(Problem::TooManyFiles),
        Some(names) => Ok(names),
    }
}

fn read(files: &Files, file: &Path) -> Result<Vec<Crl>, Problem> {
    let bytes = match files.read(file, limits::CRL_MAX_BYTES) {
        Err(ReadError::TooLarge(_)) => return Err(Problem::CrlTooLarge),
        read => read.map_err(pem::problem)?,
    };
    let lists = pem::crls(bytes)?;
    lists.iter().zip(1..).map(|(der, position)| Crl::read(der, file.to_owned(), position)).collect()
}
