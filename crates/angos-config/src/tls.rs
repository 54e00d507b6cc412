//! `[server.tls]`: certificates and keys, read and verified. A section that does not load is an error,
//! never a port without TLS.

use std::path::{Path, PathBuf};

use angos_tls::{ClientAuth, LoadError, Material, Setting, Settings};

use crate::configuration::Context;
use crate::document::{self, Tls};
use crate::layers::At;
use crate::path::KeyPath;

/// The section did not load; why is among the problems.
pub(crate) struct NotLoaded;

/// The material of the section, or `None` when there is no section.
pub(crate) fn material(
    written: Option<&Tls>,
    context: &mut Context<'_>,
) -> Result<Option<Material>, NotLoaded> {
    let section = KeyPath::of(&["server", "tls"]);
    let Some(written) = written else {
        // A section whose value was no table was reported, and must not pass as an absent one.
        return if context.layers.has(&section) { Err(NotLoaded) } else { Ok(None) };
    };
    let certificate =
        file(written.server_certificate_bundle.as_deref(), "server_certificate_bundle", context);
    let key = file(written.server_private_key.as_deref(), "server_private_key", context);
    let authorities = written.client_ca_bundle.as_deref().map(|path| {
        let path = context.layers.resolve(&section.key("client_ca_bundle"), path);
        context.files.push(path.clone());
        path
    });
    let client_auth = client_auth(written, context);
    let (Some(certificate), Some(key)) = (certificate, key) else { return Err(NotLoaded) };

    let mut settings = Settings::new(certificate, key);
    if let (Some(authorities), Ok(client_auth)) = (authorities, &client_auth) {
        settings = settings.client_authorities(authorities, *client_auth);
    }
    if let Some(timeout) = written.handshake_timeout {
        settings.handshake_timeout = timeout.0;
    }
    // Also when the mode is wrong: what is wrong with the files belongs into the same report.
    let loaded = load(&settings, context);
    client_auth.and(loaded)
}

fn load(settings: &Settings, context: &mut Context<'_>) -> Result<Option<Material>, NotLoaded> {
    match Material::load(settings) {
        Ok(material) => {
            for warning in material.warnings() {
                let path = key_path(warning.setting());
                context.warning(&path, warning.to_string(), "replace it");
            }
            Ok(Some(material))
        }
        Err(errors) => {
            for error in errors {
                let path = key_path(error.setting());
                context.error_with_help(&path, At::Value, described(&error), error.remedy());
            }
            Err(NotLoaded)
        }
    }
}

/// Where a setting is written.
fn key_path(setting: Setting) -> KeyPath {
    let section = KeyPath::of(&["server", "tls"]);
    match setting {
        Setting::ClientAuthority(..) => section.key("client_ca_bundle"),
        other => section.key(&other.to_string()),
    }
}

fn described(error: &LoadError) -> String {
    match error.file() {
        Some(file) => format!("{}: {}", shown(file), error.problem()),
        None => error.problem().to_string(),
    }
}

fn shown(file: &Path) -> String {
    crate::problem::escape(&file.to_string_lossy())
}

/// A file the section must name.
fn file(written: Option<&Path>, key: &str, context: &mut Context<'_>) -> Option<PathBuf> {
    let section = KeyPath::of(&["server", "tls"]);
    let path = section.key(key);
    if let Some(written) = written {
        let file = context.layers.resolve(&path, written);
        context.files.push(file.clone());
        return Some(file);
    }
    if !context.layers.has(&path) {
        let help = format!("write {key} = \"/path/to/file.pem\"");
        context.error_with_help(&section, At::Key, format!("`server.tls` has no `{key}`"), help);
    }
    None
}

/// How clients are treated; `required` without authorities is an error, any mode without them a warning.
fn client_auth(written: &Tls, context: &mut Context<'_>) -> Result<ClientAuth, NotLoaded> {
    let section = KeyPath::of(&["server", "tls"]);
    let path = section.key("client_auth");
    let has_bundle = context.layers.has(&section.key("client_ca_bundle"));
    match written.client_auth {
        Some(document::ClientAuth::Required) if !has_bundle => {
            context.error_with_help(
                &path,
                At::Value,
                "client_auth = \"required\" needs `client_ca_bundle`",
                "set client_ca_bundle to the PEM file of the authorities that sign client certificates",
            );
            Err(NotLoaded)
        }
        Some(document::ClientAuth::Optional) if !has_bundle => {
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
