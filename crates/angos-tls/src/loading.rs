//! From files to one set of material, or everything that is wrong with them. The server's certificates are
//! read in `loading/server.rs`, the client authorities in `loading/client_cas.rs`, their revocation lists in
//! `loading/crls.rs`.

use std::path::Path;
use std::sync::Arc;

use crate::expiry::{Expiry, ExpiryKind};
use crate::files::Files;
use crate::limits;
use crate::load_error::{LoadError, Problem};
use crate::material::{self, ConfigTemplate, Material};
use crate::settings::{Setting, Settings};
use crate::trust::{Trust, unix_now};
use crate::warning::{Warning, WarningKind};

mod client_cas;
mod crls;
mod server;

pub(crate) use server::{certified_key, server_chain};

pub(crate) fn load(settings: &Settings, files: &Files) -> Result<Material, Vec<LoadError>> {
    Loading::new(settings, files, unix_now()).finish()
}

/// The client authorities alone.
pub(crate) fn trust(settings: &Settings) -> Result<Trust, Vec<LoadError>> {
    let files = Files::new();
    let mut loading = Loading::new(settings, &files, unix_now());
    let algorithms = material::provider().signature_verification_algorithms;
    let authorities = loading.client_cas(&algorithms);
    if loading.errors.is_empty() {
        Ok(Trust::new(authorities, settings.revocation, algorithms))
    } else {
        Err(loading.errors)
    }
}

/// A set on its way: what is wrong and what is odd so far.
struct Loading<'a> {
    settings: &'a Settings,
    files: &'a Files,
    now: i64,
    errors: Vec<LoadError>,
    warnings: Vec<Warning>,
    expiries: Vec<Expiry>,
}

impl<'a> Loading<'a> {
    fn new(settings: &'a Settings, files: &'a Files, now: i64) -> Self {
        Self { settings, files, now, errors: Vec::new(), warnings: Vec::new(), expiries: Vec::new() }
    }

    fn finish(mut self) -> Result<Material, Vec<LoadError>> {
        let settings = self.settings;
        if settings.handshake_timeout.is_zero() || settings.handshake_timeout > limits::HANDSHAKE_TIMEOUT_MAX
        {
            self.errors.push(LoadError::in_setting(Setting::HandshakeTimeout, Problem::TimeoutOutOfRange));
        }
        let provider = Arc::new(material::provider());
        let server = self.server(&provider);
        let algorithms = provider.signature_verification_algorithms;
        let authorities = self.client_cas(&algorithms);
        let (Some((server, server_digest)), true) = (server, self.errors.is_empty()) else {
            return Err(self.errors);
        };
        let trust = Arc::new(Trust::new(authorities, settings.revocation, algorithms));
        let template =
            ConfigTemplate::new(provider, Arc::new(server), settings.resumption).map_err(|problem| {
                let file = &settings.server_certificate_bundle;
                vec![LoadError::in_file(Setting::ServerCertificateBundle, file, problem)]
            })?;
        Ok(Material {
            client_auth: settings.clients.auth,
            configs: template.configs(&trust),
            template,
            trust,
            handshake_timeout: settings.handshake_timeout,
            warnings: self.warnings,
            expiries: self.expiries,
            server_digest,
        })
    }

    fn note<T>(&mut self, setting: Setting, file: &Path, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.errors.push(LoadError::in_file(setting, file, problem))).ok()
    }

    fn note_expiry(
        &mut self,
        kind: ExpiryKind,
        file: &Path,
        subject: String,
        at: i64,
        fingerprint: [u8; 32],
    ) {
        self.expiries.push(Expiry { kind, subject, file: file.to_owned(), at, fingerprint });
    }

    fn note_validity(
        &mut self,
        setting: Setting,
        file: &Path,
        position: usize,
        subject: &str,
        (not_before, not_after): (i64, i64),
        [expired, not_yet_valid]: [WarningKind; 2],
    ) {
        let kind = if self.now > not_after {
            expired
        } else if self.now < not_before {
            not_yet_valid
        } else {
            return;
        };
        self.warnings.push(Warning::new(setting, file, position, subject.to_owned(), kind));
    }
}

#[cfg(test)]
mod tests {
    use angos_identity::Certificate;
    use angos_test_ca::{Authority, Leaf};

    use super::*;
    use crate::settings::{ClientCa, Clients};

    const DAY: i64 = 24 * 3600;

    #[test]
    fn authorities_outside_their_validity_are_warned_about() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("Client CA");
        let (certificate, key) =
            authority.issue(&Leaf::server(["localhost"])).write(directory.path(), "server");
        let clients = [ClientCa::new(authority.write(directory.path(), "ca"))];
        let settings = Settings::new(certificate, key, Clients::optional(clients));
        let today = Certificate::from_der(&authority.certificate_der()).unwrap().not_before() + DAY;
        let check = |now: i64, expected: &[WarningKind]| {
            let files = Files::new();
            let loading = Loading::new(&settings, &files, now);
            let material = loading.finish().unwrap();
            let concerns: Vec<_> = material.warnings().iter().map(Warning::kind).collect();
            assert_eq!(concerns, expected, "at {now}");
        };
        check(today, &[]);
        check(today + 10 * DAY, &[WarningKind::ServerExpired, WarningKind::CaExpired]);
        check(today - 10 * DAY, &[WarningKind::ServerNotYetValid, WarningKind::CaNotYetValid]);
    }
}
