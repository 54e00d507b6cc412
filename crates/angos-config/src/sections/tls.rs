//! `[server.tls]`: certificates, keys and revocation lists, read and verified. A section that does not load is an
//! error, never a port without TLS.

use std::path::{Path, PathBuf};

use angos_tls::{
    CertificateSetting, ClientAuth, ClientCa, ClientCaSetting, Clients, Files, LoadError, Material,
    NamedCertificate, Revocation, RevocationDepth, Setting, Settings, UnknownStatusPolicy,
};

use crate::context::Context;
use crate::document::{self, Mode, Tls};
use crate::key_path::KeyPath;
use crate::layers::{Layers, Part};
use crate::sections::permissions;

/// The section did not load; why is among the problems.
pub(crate) struct NotLoaded;

/// The material of the section, or `None` when there is no section.
pub(crate) fn material(
    written: Option<&Tls>,
    context: &mut Context<'_>,
) -> Result<Option<Material>, NotLoaded> {
    let section = section();
    let Some(written) = written else {
        // A section whose value was no table was reported, and must not pass as an absent one.
        return if context.layers.has(&section) { Err(NotLoaded) } else { Ok(None) };
    };
    let certificate =
        file(written.server_certificate_bundle.as_deref(), &section, "server_certificate_bundle", context);
    let key = private_key(written.server_private_key.as_deref(), &section, context);
    let certificates = certificates(written, context);
    let authorities = Authorities::of(written, context);
    let client_auth = client_auth(written, context);
    let (Some(certificate), Some(key)) = (certificate, key) else { return Err(NotLoaded) };

    let clients = match (authorities.settings, &client_auth) {
        (Some(authorities), Ok(auth)) if !authorities.is_empty() => Clients { auth: *auth, cas: authorities },
        // There are no CAs, or their problems were reported.
        _ => Clients::anonymous(),
    };
    let mut settings = Settings::new(certificate, key, clients);
    // An invalid certificate was reported; the rest is checked without it.
    settings.certificates = certificates.unwrap_or_default();
    settings.revocation = revocation(&written.revocation);
    if let Some(resumption) = written.resumption {
        settings.resumption = resumption;
    }
    if let Some(timeout) = written.handshake_timeout {
        settings.handshake_timeout = timeout.0;
    }
    // Also when the mode is wrong: what is wrong with the files belongs into the same report.
    let loaded = load(&settings, &authorities.paths, context);
    client_auth.and(loaded)
}

/// The settings that decide which client certificates are accepted, for tools. Reads no file and reports no problem. `None`
/// when clients are not asked for one, or when a client authority is not written out.
pub(crate) fn client_verifier(written: Option<&Tls>, layers: &Layers) -> Option<Settings> {
    let written = written?;
    let files = Files::new();
    let mut context = Context::new(layers, &files, Vec::new());
    let authorities = Authorities::of(written, &mut context).settings.filter(|all| !all.is_empty())?;
    let mut settings = Settings::new("", "", Clients::required(authorities));
    settings.revocation = revocation(&written.revocation);
    Some(settings)
}

fn section() -> KeyPath {
    KeyPath::of(&["server", "tls"])
}

fn load(
    settings: &Settings,
    authorities: &[KeyPath],
    context: &mut Context<'_>,
) -> Result<Option<Material>, NotLoaded> {
    match Material::load_with(settings, context.files) {
        Ok(material) => {
            for warning in material.warnings() {
                let path = key_path(warning.setting(), authorities);
                context.warning(&path, warning.description(), warning.kind().remedy());
            }
            Ok(Some(material))
        }
        Err(errors) => {
            for error in errors {
                let path = key_path(error.setting(), authorities);
                context.error_with_help(&path, Part::Value, describe(&error), error.remedy());
            }
            Err(NotLoaded)
        }
    }
}

/// Where a setting is written. `authorities` are the places of the client authorities, in the order of the settings.
fn key_path(setting: Setting, authorities: &[KeyPath]) -> KeyPath {
    let plain = section().key("client_ca_bundle");
    match setting {
        Setting::Certificate(place, field) => section().key("certificate").index(place).key(match field {
            CertificateSetting::PrivateKey => "server_private_key",
            CertificateSetting::Names => "names",
            _ => "server_certificate_bundle",
        }),
        Setting::ClientCa(place, field) => match (authorities.get(place), field) {
            (None, _) => plain,
            (Some(path), _) if *path == plain => plain,
            (Some(path), ClientCaSetting::Crls(at)) => path.key("crls").index(at),
            (Some(path), field) => path.key(&field.to_string()),
        },
        Setting::ClientAuth => section().key("client_auth"),
        other => section().key(&other.to_string()),
    }
}

/// The file and what is wrong with it.
pub(crate) fn describe(error: &LoadError) -> String {
    match error.file() {
        Some(file) => format!("{}: {}", shown(file), error.problem()),
        None => error.problem().to_string(),
    }
}

fn shown(file: &Path) -> String {
    crate::problem::escape(&file.to_string_lossy())
}

/// A file that `table` must name.
fn file(written: Option<&Path>, table: &KeyPath, key: &str, context: &mut Context<'_>) -> Option<PathBuf> {
    let path = table.key(key);
    if let Some(written) = written {
        return Some(context.layers.resolve(&path, written));
    }
    if !context.layers.has(&path) {
        let help = format!("write {key} = \"/path/to/file.pem\"");
        context.error_with_help(table, Part::Key, format!("`{table}` has no `{key}`"), help);
    }
    None
}

/// The file of a private key that `table` must name; warns if users other than its owner can read it.
fn private_key(written: Option<&Path>, table: &KeyPath, context: &mut Context<'_>) -> Option<PathBuf> {
    let path = file(written, table, "server_private_key", context)?;
    permissions::warn_if_secret_is_readable(&path, "private key", &table.key("server_private_key"), context);
    Some(path)
}

/// The certificates for additional names. `None`: one of them is invalid, which was reported.
fn certificates(written: &Tls, context: &mut Context<'_>) -> Option<Vec<NamedCertificate>> {
    let certificate = |(index, written): (usize, &Option<document::Certificate>)| {
        let (path, written) = (section().key("certificate").index(index), written.as_ref()?);
        let bundle = written.server_certificate_bundle.as_deref();
        let bundle = file(bundle, &path, "server_certificate_bundle", context);
        let key = private_key(written.server_private_key.as_deref(), &path, context);
        let names = written.names.iter().cloned().collect::<Option<_>>();
        Some(NamedCertificate { names: names?, bundle: bundle?, private_key: key? })
    };
    let certificates: Vec<_> = written.certificate.iter().enumerate().map(certificate).collect();
    certificates.into_iter().collect()
}

/// The client authorities, and where each is written.
struct Authorities {
    /// `None`: one of them is invalid, which was reported.
    settings: Option<Vec<ClientCa>>,
    paths: Vec<KeyPath>,
}

impl Authorities {
    fn of(written: &Tls, context: &mut Context<'_>) -> Self {
        let mut settings = Vec::new();
        let mut paths = Vec::new();
        if let Some(bundle) = &written.client_ca_bundle {
            let path = section().key("client_ca_bundle");
            settings.push(Some(ClientCa::new(context.layers.resolve(&path, bundle))));
            paths.push(path);
        }
        for (index, written) in written.client_ca.iter().enumerate() {
            let path = section().key("client_ca").index(index);
            settings.push(written.as_ref().and_then(|written| authority(written, &path, context)));
            paths.push(path);
        }
        Self { settings: settings.into_iter().collect(), paths }
    }
}

fn authority(written: &document::ClientCa, path: &KeyPath, context: &mut Context<'_>) -> Option<ClientCa> {
    if written.name.is_none() && !context.layers.has(&path.key("name")) {
        let help = "write name = \"partners\"; rules see it as identity.certificate.ca";
        context.error_with_help(path, Part::Key, format!("`{path}` has no `name`"), help);
    }
    let bundle = file(written.bundle.as_deref(), path, "bundle", context);
    let list = path.key("crls");
    let crls = written.crls.iter().flatten().enumerate();
    let crls = crls.map(|(at, file)| Some(context.layers.resolve(&list.index(at), file.as_deref()?)));
    let crls: Option<Vec<_>> = crls.collect();
    let mut authority = ClientCa::named(written.name.as_deref()?, bundle?);
    // A value that is not an array was reported and is absent here; an empty array is an error of its own.
    authority.crls = Some(crls?).filter(|_| written.crls.is_some());
    authority.spiffe_trust_domain.clone_from(&written.spiffe_trust_domain);
    Some(authority)
}

fn revocation(written: &document::Revocation) -> Revocation {
    let doubt = |mode: Option<Mode>| match mode {
        Some(Mode::Allow) => UnknownStatusPolicy::Allow,
        Some(Mode::Deny) | None => UnknownStatusPolicy::Deny,
    };
    Revocation {
        unknown_status: doubt(written.unknown_status),
        expired_list: doubt(written.expired_list),
        depth: match written.depth {
            Some(document::Depth::Leaf) => RevocationDepth::Leaf,
            Some(document::Depth::Chain) | None => RevocationDepth::Chain,
        },
    }
}

/// How clients are treated; `required` without authorities is an error, any mode without them a warning.
fn client_auth(written: &Tls, context: &mut Context<'_>) -> Result<ClientAuth, NotLoaded> {
    let path = section().key("client_auth");
    let has_authorities =
        ["client_ca_bundle", "client_ca"].iter().any(|key| context.layers.has(&section().key(key)));
    match written.client_auth {
        Some(document::ClientAuth::Required) if !has_authorities => {
            context.error_with_help(
                &path,
                Part::Value,
                "client_auth = \"required\" needs `client_ca_bundle`",
                "set client_ca_bundle to the PEM file of the authorities that sign client certificates",
            );
            Err(NotLoaded)
        }
        Some(document::ClientAuth::Optional) if !has_authorities => {
            context.warning(
                &path,
                "`server.tls.client_auth` has no effect without `client_ca_bundle`: no client is asked for a certificate",
                "set client_ca_bundle, or leave client_auth out",
            );
            Ok(ClientAuth::Optional)
        }
        Some(document::ClientAuth::Required) => Ok(ClientAuth::Required),
        Some(document::ClientAuth::Optional) | None => Ok(ClientAuth::Optional),
    }
}
