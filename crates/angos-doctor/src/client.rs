//! The client's files: which of them can be read, what the certificate says, and whether the key belongs to it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use angos_tls::Problem;
use angos_tls::probe::{self, CertificateInfo, Pair, PairFile, Suitability};

use crate::findings::{self as kind, Kind};
use crate::limits::EXPIRES_SOON;
use crate::report::Report;

/// A client certificate with its key.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The file of the certificate, as findings name it.
    pub(crate) file: String,
    /// The certificate and what is sent beside it, as far as it can be read.
    pub(crate) chain: Vec<CertificateInfo>,
    /// Ready to be shown; `None` if a client could not load it.
    pub(crate) pair: Option<Pair>,
}

/// What a file is for.
#[derive(Clone, Copy)]
enum Place {
    Certificate,
    Key,
    Cas,
}

impl Client {
    /// Reads the files and reports what is wrong with each. `key` may be the same file.
    pub(crate) fn read(certificate: &Path, key: &Path, report: &mut Report) -> Self {
        let file = certificate.display().to_string();
        let pair = match Pair::read(certificate, key) {
            Ok(pair) => Some(pair),
            Err(problems) => {
                for (which, problem) in problems {
                    match which {
                        PairFile::Certificate => {
                            file_problem(certificate, Place::Certificate, &problem, report);
                        }
                        PairFile::Key => file_problem(key, Place::Key, &problem, report),
                    }
                }
                None
            }
        };
        check_key_permissions(key, report);
        let chain = pair.as_ref().map_or_else(
            || probe::certificates(certificate).unwrap_or_default(),
            |pair| pair.chain().to_vec(),
        );
        let client = Self { file, chain, pair };
        client.diagnose(report);
        client
    }

    fn diagnose(&self, report: &mut Report) {
        let Some((leaf, others)) = self.chain.split_first() else { return };
        match leaf.suitability_as_client() {
            Suitability::Suitable => {}
            Suitability::WrongUsage => report.add(
                &kind::CLIENT_WRONG_USAGE,
                &self.file,
                format!(
                    "The certificate of {} is for other purposes than client authentication.",
                    leaf.subject()
                ),
            ),
            Suitability::Ca => report.add(
                &kind::CLIENT_IS_CA,
                &self.file,
                format!(
                    "{} is a CA certificate, and no server accepts a CA certificate from a client.",
                    leaf.subject()
                ),
            ),
            Suitability::Version1 => report.add(
                &kind::CLIENT_UNUSABLE,
                &self.file,
                format!(
                    "The certificate of {} is of version 1: it was issued without extensions.",
                    leaf.subject()
                ),
            ),
            _ => report.add(&kind::CLIENT_UNUSABLE, &self.file, "Its first certificate cannot be used."),
        }
        self.check_contents(leaf, report);
        self.check_dates(leaf, &kind::CLIENT_EXPIRED, &kind::CLIENT_NOT_YET_VALID, report);
        for other in others {
            self.check_dates(other, &kind::INTERMEDIATE_EXPIRED, &kind::INTERMEDIATE_NOT_YET_VALID, report);
        }
        let Ok(facts) = leaf.facts() else { return };
        let lifetime = facts.not_after().saturating_sub(facts.not_before());
        let left = facts.not_after() - report.now();
        // Certificates of a day are renewed by programs, late and often.
        let is_late = left < EXPIRES_SOON.as_secs().cast_signed() && left < lifetime / 5;
        if left >= 0 && is_late {
            let until = report.timestamp(facts.not_after());
            report.add(&kind::CLIENT_EXPIRES_SOON, &self.file, format!("{} ends {until}.", leaf.subject()));
        }
        if !report.is_about(&self.file) && self.pair.is_some() {
            let until = report.timestamp(facts.not_after());
            let text = format!(
                "{}: certificate of {}, signed by {}, until {until}",
                self.file,
                leaf.subject(),
                leaf.issuer()
            );
            report.good(text);
        }
    }

    /// Reports an identity that cannot be read, and a key that no server of ours accepts.
    fn check_contents(&self, leaf: &CertificateInfo, report: &mut Report) {
        if let Err(error) = leaf.facts() {
            report.add(
                &kind::CLIENT_IDENTITY_UNREADABLE,
                &self.file,
                format!("In the certificate, {error}."),
            );
        }
        if let Some(problem) = leaf.key_problem() {
            report.add(&kind::KEY_KIND_REFUSED, &self.file, format!("In the certificate, {problem}."));
        }
    }

    fn check_dates(
        &self,
        certificate: &CertificateInfo,
        expired: &'static Kind,
        early: &'static Kind,
        report: &mut Report,
    ) {
        let Some((from, until)) = certificate.validity() else { return };
        let subject = certificate.subject();
        if report.now() > until {
            report.add(expired, &self.file, format!("{subject} ended {}.", report.timestamp(until)));
        } else if report.now() < from {
            report.add(early, &self.file, format!("{subject} begins {}.", report.timestamp(from)));
        }
    }
}

/// Reads a file of CAs and reports every certificate in it that is not a CA.
pub(crate) fn read_cas(path: &Path, report: &mut Report) -> Vec<CertificateInfo> {
    let found = match probe::certificates(path) {
        Ok(found) => found,
        Err(problem) => {
            file_problem(path, Place::Cas, &problem, report);
            return Vec::new();
        }
    };
    let file = path.display().to_string();
    for certificate in &found {
        let subject = certificate.subject();
        // A server's own certificate, signed by itself, works as its own CA for some clients and not for others.
        if certificate.suitability_as_server() != Suitability::Ca {
            report.add(&kind::NOT_A_CA, &file, format!("{subject} is not a CA."));
        }
        let Some((from, until)) = certificate.validity() else { continue };
        if !(from..=until).contains(&report.now()) {
            let (from, until) = (report.timestamp(from), report.timestamp(until));
            let text = format!("{subject} is valid from {from}, until {until}.");
            report.add(&kind::CA_EXPIRED, &file, text);
        }
    }
    found
}

/// Says why a file cannot be used, and what is in it instead of what should be.
fn file_problem(path: &Path, place: Place, problem: &Problem, report: &mut Report) {
    let kind = match problem {
        Problem::NotFound => &kind::FILE_MISSING,
        Problem::Der | Problem::Malformed(_) => &kind::NOT_PEM,
        Problem::NoCertificate | Problem::NoPrivateKey | Problem::UnexpectedSection(_) => &kind::WRONG_FILE,
        Problem::EncryptedPrivateKey => &kind::KEY_ENCRYPTED,
        Problem::UnusablePrivateKey | Problem::SeveralPrivateKeys => &kind::KEY_UNUSABLE,
        Problem::KeyMismatch => &kind::KEY_MISMATCH,
        // Reported in more detail when the certificate is examined.
        Problem::BadCertificate { .. } => return,
        _ => &kind::FILE_UNREADABLE,
    };
    let wanted = match place {
        Place::Certificate => "the client's certificate",
        Place::Key => "the client's private key",
        Place::Cas => "the CAs of the server",
    };
    let explanation = if *kind == kind::WRONG_FILE {
        format!("It should hold {wanted}, and holds {}.", contents(path))
    } else if *kind == kind::KEY_MISMATCH {
        "The key in it is not the one the client's certificate was made for.".to_owned()
    } else {
        format!("It should hold {wanted}: {problem}.")
    };
    report.add(kind, path.display().to_string(), explanation);
}

/// What is in a file, in words.
fn contents(path: &Path) -> String {
    let Ok(sections) = probe::sections(path) else { return "something else".to_owned() };
    let mut words: Vec<&str> = Vec::new();
    for label in &sections {
        let word = match label.as_str() {
            "CERTIFICATE" => "a certificate",
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                "a certificate request, which a CA has yet to sign"
            }
            "PUBLIC KEY" => "a public key",
            "X509 CRL" => "a CRL",
            other if other.ends_with("PRIVATE KEY") => "a private key",
            other => other,
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.is_empty() { "no PEM section".to_owned() } else { words.join(" and ") }
}

/// Reports a key that every user can read. Group permission is the owner's choice.
fn check_key_permissions(path: &Path, report: &mut Report) {
    let holds_key =
        probe::sections(path).is_ok_and(|found| found.iter().any(|it| it.ends_with("PRIVATE KEY")));
    let mode = std::fs::metadata(path).map_or(0, |it| it.permissions().mode());
    let others_may_read = mode & 0o004 != 0;
    if holds_key && others_may_read {
        let text = format!("Its permissions are {:o}.", mode & 0o777);
        report.add(&kind::KEY_EXPOSED, path.display().to_string(), text);
    }
}
