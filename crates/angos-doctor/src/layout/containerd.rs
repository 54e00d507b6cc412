//! containerd: a folder for each registry with a `hosts.toml`, or with files as in `certs.d`.

use std::path::{Path, PathBuf};

use angos_tls::Files;
use angos_tls::probe::{certificates, sections};

use crate::findings as kind;
use crate::layout::hosts::{Host, Hosts, parse_hosts};
use crate::layout::{Layout, Runtime, certs_d, registry_folder};
use crate::limits::HOSTS_FILE_MAX_BYTES;
use crate::report::Report;
use crate::target::Target;

const FILE: &str = "hosts.toml";

/// What a `hosts.toml`, its folder, or the folder above holds for this registry.
pub(super) fn examine(path: &Path, target: Option<&Target>, report: &mut Report) -> Layout {
    if path.is_file() {
        return hosts(path, target, report);
    }
    let candidates = target.map(folder_names).unwrap_or_default();
    let is_registry =
        |name: &str| name == FILE || [".crt", ".cert", ".key"].iter().any(|it| name.ends_with(it));
    let Some(folder) = registry_folder(path, is_registry, &candidates, target, report) else {
        return Layout::default();
    };
    let file = folder.join(FILE);
    if file.is_file() {
        hosts(&file, target, report)
    } else {
        certs_d::files(Runtime::Containerd, &folder, report)
    }
}

/// In the order containerd looks for them; the second for systems where a name may hold no colon.
fn folder_names(target: &Target) -> Vec<String> {
    let registry = target.registry();
    let without_colon = match registry.rsplit_once(':') {
        Some((host, port)) if target.names_port => format!("{host}_{port}_"),
        _ => registry.clone(),
    };
    vec![registry, without_colon, "_default".to_owned()]
}

fn hosts(file: &Path, target: Option<&Target>, report: &mut Report) -> Layout {
    let about = file.display().to_string();
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let Hosts { hosts, has_table } = match read(file).and_then(|text| parse_hosts(&text, folder)) {
        Ok(hosts) => hosts,
        Err(problem) => {
            report.add(&kind::LAYOUT_HOSTS_INVALID, about, format!("{problem}."));
            return Layout::default();
        }
    };
    let is_meant = |host: &&Host| match target {
        None => !host.address.is_empty(),
        // Keys above the first table, without `server`, are those of the registry itself.
        Some(_) if host.address.is_empty() => host.has_tls_settings(),
        Some(target) => {
            let address = host.address.parse::<Target>();
            address.is_ok_and(|it| (it.host, it.port) == (target.host.clone(), target.port))
        }
    };
    if !has_table {
        report.add(&kind::LAYOUT_HOSTS_NO_TABLE, &about, "It has no [host] table.");
    }
    // A host table is tried before `server`, so its keys are those that count.
    let Some(host) = hosts.iter().find(is_meant) else {
        let named: Vec<_> = hosts.iter().map(|it| it.address.as_str()).filter(|it| !it.is_empty()).collect();
        let words =
            format!("It names {}.", if named.is_empty() { "no host".to_owned() } else { named.join(", ") });
        report.add(&kind::LAYOUT_HOSTS_OTHER, about, words);
        return Layout::default();
    };
    if host.skips_verification {
        report.add(&kind::LAYOUT_SKIP_VERIFY, &about, format!("It is set for {}.", host.address));
    }
    check_requests(host, target, &about, report);
    if host.clients.is_empty() {
        let elsewhere = hosts.iter().find(|it| !it.clients.is_empty()).map(|it| it.address.as_str());
        let words = match elsewhere {
            Some("") => format!("`client` is set above the first table and not for {}.", host.address),
            Some(other) => format!("`client` is set for {other} and not for {}.", host.address),
            None => format!("`client` is not set for {}.", host.address),
        };
        report.add(&kind::LAYOUT_HOSTS_OTHER, &about, words);
    }
    Layout { pairs: pairs(host, &about, report), cas: host.cas.clone() }
}

/// How containerd sends requests to the host: over which scheme, to which path, and for what.
fn check_requests(host: &Host, target: Option<&Target>, about: &str, report: &mut Report) {
    let address = &host.address;
    if host.is_plain() && target.is_none_or(|target| target.tls) {
        let words = if host.has_tls_settings() {
            format!("{address}: containerd 1.6 sends plain HTTP, newer versions try HTTPS first.")
        } else {
            format!("{address}: containerd sends plain HTTP.")
        };
        report.add(&kind::LAYOUT_HOSTS_PLAIN, about, words);
    }
    if host.path != "/v2" {
        let words = format!("For {address} containerd sends its requests below `{}/`.", host.path);
        report.add(&kind::LAYOUT_HOSTS_PATH, about, words);
    }
    if !host.lacks.is_empty() {
        let words = format!("The capabilities of {address} do not include {}.", host.lacks.join(" and "));
        report.add(&kind::LAYOUT_HOSTS_CAPABILITIES, about, words);
    }
    if host.sends_authorization {
        report.add(&kind::LAYOUT_HOSTS_AUTHORIZATION, about, format!("It is set for {address}."));
    }
}

fn pairs(host: &Host, about: &str, report: &mut Report) -> Vec<(PathBuf, PathBuf)> {
    if let [(certificate, None), (key, None)] = host.clients.as_slice()
        && certificates(key).is_err()
        && sections(key).is_ok_and(|found| found.iter().any(|it| it.ends_with("PRIVATE KEY")))
    {
        let words = format!("{} holds a key and no certificate.", key.display());
        report.add(&kind::LAYOUT_HOSTS_NOT_NESTED, about, words);
        return vec![(certificate.clone(), key.clone())];
    }
    let pair = |(certificate, key): &(PathBuf, Option<PathBuf>)| {
        (certificate.clone(), key.as_ref().unwrap_or(certificate).clone())
    };
    host.clients.iter().map(pair).collect()
}

/// Only a regular file: a pipe or a device is refused, without waiting for it.
fn read(file: &Path) -> Result<String, String> {
    let bytes = Files::new().read(file, HOSTS_FILE_MAX_BYTES).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}
