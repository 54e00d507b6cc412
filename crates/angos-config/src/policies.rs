//! The policies alone, for tools that evaluate them: no certificate, key or password file is needed, so that a policy can be
//! tested without its secrets. If the files of the client CAs can be read, client certificates are verified too.

pub(crate) mod explain;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use angos_access::AccessPolicies;
use angos_identity::{Certificate, Credential};
use angos_policy::nearest;
use angos_tls::probe::{ClientVerifier, certificates};
use angos_tls::{AcceptError, Files};

use crate::context::Context;
use crate::document::ClientAuth;
use crate::layers::Layers;
use crate::layers::environment;
use crate::load::{document, read_files};
use crate::problem::{Problem, Problems, Severity, escape};
use crate::sections::{access, tls};

/// The policies of a configuration, compiled, and the names of its users.
#[derive(Debug)]
#[non_exhaustive]
pub struct Policies {
    /// The policies.
    pub access: AccessPolicies,
    /// The users of `[auth.identity]`, who can log in with a password.
    pub users: Vec<User>,
    /// Whether the registry has TLS that refuses callers without a certificate.
    pub requires_certificate: bool,
    /// Problems that do not prevent loading.
    pub warnings: Vec<Problem>,
    /// The settings of the client CAs; `None` when clients are not asked for a certificate.
    client_verifier: Option<angos_tls::Settings>,
}

/// Whether a server with this configuration would accept a client certificate.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateCheck {
    /// It would accept it, with these facts.
    Accepted(Arc<Certificate>),
    /// It would refuse the handshake for this reason. The facts of the certificate are given if they can be read.
    Refused(Option<Certificate>, AcceptError),
    /// It cannot be decided, for this reason.
    Unknown(Certificate, String),
}

/// A user by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name of its entry: `[auth.identity.<id>]`.
    pub id: String,
    /// Its user name.
    pub username: String,
}

/// Reads `files` and the environment as [`load`](crate::load) does, and compiles the policies.
///
/// The error holds every problem of the policies, and everything that is wrong with any key and its kind. Files that the
/// configuration names (certificates, keys, lists, hashes) are not read. Blocking: reads files.
pub fn load_policies(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Policies, Problems> {
    let reader = Files::new();
    let read = read_files(&reader, files).map_err(|problems| Problems::new(problems, reader.take()))?;
    let mut problems = Vec::new();
    let variables = environment::read(environment, &read, &mut problems);
    let layers = Layers::new(read, variables);
    let (document, ..) = document(&layers, &mut problems);
    let mut context = Context::new(&layers, &reader, problems);
    let compiled = access::policies(&document, &mut context);
    let named = |(id, identity): (&String, &crate::document::Identity)| {
        identity.username.as_ref().map(|username| User { id: id.clone(), username: username.clone() })
    };
    let users = document.auth.identity.iter().filter_map(named).collect();
    let tls = document.server.tls.as_ref();
    let requires_certificate = tls.is_some_and(|tls| tls.client_auth == Some(ClientAuth::Required));

    let client_verifier = tls::client_verifier(document.server.tls.as_ref(), &layers);

    let Context { mut problems, .. } = context;
    layers.sort(&mut problems);
    let is_valid = problems.iter().all(|problem| problem.severity() == Severity::Warning);
    match compiled {
        Some(access) if is_valid => {
            Ok(Policies { access, users, requires_certificate, warnings: problems, client_verifier })
        }
        _ => Err(Problems::new(problems, reader.take())),
    }
}

impl Policies {
    /// Reads a client certificate and its intermediates from a PEM file, and verifies it as a server with this
    /// configuration would in a handshake at `time`, with its client CAs and CRLs, which are read now.
    /// Possession of the private key is assumed.
    ///
    /// The error is that the file holds no certificate whose identity can be read.
    pub fn check_certificate(
        &self,
        certificate: &Path,
        time: SystemTime,
    ) -> Result<CertificateCheck, String> {
        let chain = certificates(certificate).map_err(|problem| problem.to_string())?;
        let unknown = |reason: String| {
            let leaf = chain.first().ok_or("the file holds no certificate")?;
            let read = leaf.facts().cloned();
            let read = read.map_err(|error| format!("its identity cannot be read: {error}"))?;
            Ok(CertificateCheck::Unknown(read, reason))
        };
        let Some(settings) = &self.client_verifier else {
            return unknown(
                "the configuration names no client authority, so no client is asked for one".to_owned(),
            );
        };
        match ClientVerifier::load(settings) {
            Ok(client_verifier) => Ok(match client_verifier.verify(&chain, time) {
                Ok(certificate) => CertificateCheck::Accepted(certificate),
                Err(error) => CertificateCheck::Refused(
                    chain.first().and_then(|leaf| leaf.facts().ok()).cloned(),
                    error,
                ),
            }),
            Err(errors) => unknown(errors.first().map(tls::describe).unwrap_or_default()),
        }
    }

    /// Looks up a user; the error is a message with a suggestion.
    pub fn user(&self, username: &str) -> Result<&User, String> {
        if let Some(user) = self.users.iter().find(|user| user.username == username) {
            return Ok(user);
        }
        let names = || self.users.iter().map(|user| user.username.as_str());
        let help = if let Some(user) = self.users.iter().find(|user| user.id == username) {
            format!("; [auth.identity.{}] has the user name `{}`", user.id, user.username)
        } else if let Some(meant) = nearest(username, names()) {
            format!("; did you mean `{meant}`?")
        } else if self.users.is_empty() {
            "; [auth.identity] has no users".to_owned()
        } else {
            String::new()
        };
        Err(format!("no user has the name `{}`{help}", escape(username)))
    }

    /// The credential of a user, taken as proven.
    pub fn credential(&self, username: &str) -> Result<Arc<Credential>, String> {
        let user = self.user(username)?;
        Ok(Arc::new(Credential { id: user.id.as_str().into(), username: user.username.as_str().into() }))
    }
}

/// The first certificate of a PEM file, read and not verified.
pub fn read_certificate(path: &Path) -> Result<Certificate, String> {
    let chain = certificates(path).map_err(|problem| problem.to_string())?;
    let leaf = chain.first().ok_or("the file holds no certificate")?;
    leaf.facts().cloned().map_err(|error| format!("its identity cannot be read: {error}"))
}
