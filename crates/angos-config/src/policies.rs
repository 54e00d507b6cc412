//! The policies alone, for tools that ask them: no certificate, key or password file is needed, so that a policy can be
//! tested where its secrets are not. Where the client authorities are at hand, they tell whether a certificate is good.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use angos_access::AccessPolicies;
use angos_identity::Certificate;
use angos_policy::nearest;
use angos_tls::probe::{Vouching, certificates};
use angos_tls::{AcceptError, Files};

use crate::configuration::{Context, document, read_files};
use crate::document::ClientAuth;
use crate::environment;
use crate::layers::Layers;
use crate::problem::{Problem, Problems, Severity, escape};
use crate::{access, tls};

/// The policies of a configuration, compiled, and the names of its users.
#[derive(Debug)]
#[non_exhaustive]
pub struct Policies {
    /// The policies.
    pub access: AccessPolicies,
    /// Who may log in with a password, as `[auth.identity]` names them.
    pub users: Vec<User>,
    /// Whether the registry has TLS that refuses callers without a certificate.
    pub requires_certificate: bool,
    /// What was accepted but should be looked at.
    pub warnings: Vec<Problem>,
    /// The client authorities; none when clients are not asked for a certificate.
    vouching: Option<angos_tls::Settings>,
}

/// What a server of this configuration would make of a client's certificate.
#[derive(Debug)]
#[non_exhaustive]
pub enum Standing {
    /// It would accept it, and know its holder so.
    Accepted(Arc<Certificate>),
    /// It would end the handshake, for this reason. The identity is what the certificate says, if it can be read.
    Refused(Option<Certificate>, AcceptError),
    /// It cannot be told, for this reason. The identity is what the certificate says.
    Unknown(Certificate, String),
}

/// A user by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name of its entry: `[auth.identity.<id>]`.
    pub id: String,
    /// What it logs in as.
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

    let vouching = tls::vouching(document.server.tls.as_ref(), &layers);

    let Context { mut problems, .. } = context;
    layers.sort(&mut problems);
    let is_sound = problems.iter().all(|problem| problem.severity() == Severity::Warning);
    match compiled {
        Some(access) if is_sound => {
            Ok(Policies { access, users, requires_certificate, warnings: problems, vouching })
        }
        _ => Err(Problems::new(problems, reader.take())),
    }
}

impl Policies {
    /// Reads the client's certificate and what it sends beside it from a PEM file, and judges it as a server of this
    /// configuration would in a handshake at `time`: by its client authorities and revocation lists, which are read now.
    /// That the client holds the key is taken as proven.
    ///
    /// The error is that the file holds no certificate whose identity can be read.
    pub fn standing(&self, certificate: &Path, time: SystemTime) -> Result<Standing, String> {
        let chain = certificates(certificate).map_err(|problem| problem.to_string())?;
        let unknown = |reason: String| {
            let leaf = chain.first().ok_or("the file holds no certificate")?;
            let read = leaf.facts().cloned();
            let read = read.map_err(|error| format!("its identity cannot be read: {error}"))?;
            Ok(Standing::Unknown(read, reason))
        };
        let Some(settings) = &self.vouching else {
            return unknown(
                "the configuration names no client authority, so no client is asked for one".to_owned(),
            );
        };
        match Vouching::load(settings) {
            Ok(vouching) => Ok(match vouching.verify(&chain, time) {
                Ok(certificate) => Standing::Accepted(certificate),
                Err(error) => {
                    Standing::Refused(chain.first().and_then(|leaf| leaf.facts().ok()).cloned(), error)
                }
            }),
            Err(errors) => unknown(errors.first().map(tls::described).unwrap_or_default()),
        }
    }

    /// The user with this name, or what to say of one there is none of.
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
            "; [auth.identity] has none".to_owned()
        } else {
            String::new()
        };
        Err(format!("no user has the name `{}`{help}", escape(username)))
    }
}
