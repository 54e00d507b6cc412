//! `certs.d`: .crt files are CAs, .cert files are client certificates, and a .key belongs to the .cert of its name.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::mpsc;

use angos_tls::probe::{CertificateInfo, Suitability, certificates};

use crate::findings as kind;
use crate::layout::{Layout, Runtime, names, registry_folder};
use crate::limits::STEP_TIMEOUT;
use crate::report::Report;
use crate::target::Target;

/// Endings of files that people put there although no runtime reads them.
const IGNORED: [&str; 6] = [".pem", ".cer", ".der", ".p12", ".pfx", ".csr"];

/// What a folder of `certs.d`, or `certs.d` itself, holds for this registry.
pub(super) fn examine(
    runtime: Runtime,
    folder: &Path,
    target: Option<&Target>,
    report: &mut Report,
) -> Layout {
    if runtime == Runtime::Docker
        && let Some(target) = target
    {
        check_loopback(target, report);
    }
    let is_registry = |name: &str| [".crt", ".cert", ".key"].iter().any(|ending| name.ends_with(ending));
    let candidates: Vec<_> = target.map(Target::registry).into_iter().collect();
    match registry_folder(folder, is_registry, &candidates, target, report) {
        Some(folder) => files(runtime, &folder, report),
        None => Layout::default(),
    }
}

/// The files of one registry.
pub(super) fn files(runtime: Runtime, folder: &Path, report: &mut Report) -> Layout {
    let names = names(folder).unwrap_or_default();
    let has = |name: &str| names.iter().any(|it| it == name);
    let mut layout = Layout::default();
    let mut misnamed = false;
    for name in &names {
        let path = folder.join(name);
        let about = path.display().to_string();
        if let Some(stem) = name.strip_suffix(".crt") {
            if is_client(&path) {
                misnamed = true;
                let words = format!("It holds a client's certificate. As {stem}.cert it would be shown.");
                report.add(&kind::LAYOUT_CLIENT_NAMED_CRT, about, words);
            } else {
                layout.cas.push(path);
            }
        } else if let Some(stem) = name.strip_suffix(".cert") {
            let key = format!("{stem}.key");
            if first(&path).is_some_and(|it| it.suitability_as_client() == Suitability::Ca) {
                let words = format!("It holds a CA. As {stem}.crt it would be trusted.");
                report.add(&kind::LAYOUT_CA_NAMED_CERT, about, words);
            } else if has(&key) {
                layout.pairs.push((path, folder.join(key)));
            } else if runtime == Runtime::Containerd {
                layout.pairs.push((path.clone(), path));
            } else {
                report.add(&kind::LAYOUT_KEY_MISSING, about, format!("There is no {key} beside it."));
            }
        } else if let Some(stem) = name.strip_suffix(".key") {
            let is_explained = has(&format!("{stem}.crt")) && is_client(&folder.join(format!("{stem}.crt")));
            let ca = folder.join(format!("{stem}.crt"));
            if has(&format!("{stem}.crt"))
                && first(&ca).is_some_and(|it| it.suitability_as_client() == Suitability::Ca)
            {
                let words = format!("It is beside {stem}.crt, which is a CA.");
                report.add(&kind::LAYOUT_CA_KEY, about, words);
            } else if !has(&format!("{stem}.cert")) && !is_explained {
                misnamed = true;
                report.add(
                    &kind::LAYOUT_CERTIFICATE_MISSING,
                    about,
                    format!("There is no {stem}.cert beside it."),
                );
            }
        } else if IGNORED.iter().any(|ending| name.ends_with(ending)) {
            report.add(&kind::LAYOUT_IGNORED_FILE, about, "Files with this ending are not read.");
        }
    }
    if layout.pairs.is_empty() && !misnamed && !report.has(&kind::LAYOUT_KEY_MISSING) {
        report.add(&kind::LAYOUT_NO_CLIENT, folder.display().to_string(), "It holds no .cert with its .key.");
    }
    layout
}

fn first(path: &Path) -> Option<CertificateInfo> {
    certificates(path).ok()?.into_iter().next()
}

/// Whether the file holds a certificate that is not a CA and is not self-signed. (A self-signed one may be a server's,
/// which some clients accept as its own CA.)
fn is_client(path: &Path) -> bool {
    first(path).is_some_and(|it| it.suitability_as_client() == Suitability::Suitable && !it.is_self_issued())
}

/// Docker takes a registry as insecure when any of its addresses is a loopback address, and then reads no certificates.
fn check_loopback(target: &Target, report: &mut Report) {
    let loopback = |address: &IpAddr| address.is_ipv4() && address.is_loopback();
    if let Some(address) = addresses(target).into_iter().find(loopback) {
        let words = format!("{} is {address}.", target.host);
        report.add(&kind::LAYOUT_LOOPBACK, target.to_string(), words);
    }
}

/// The addresses of a host. The lookup runs on a thread of its own, which is abandoned after a timeout.
fn addresses(target: &Target) -> Vec<IpAddr> {
    let (sender, receiver) = mpsc::channel();
    let (host, port) = (target.host.clone(), target.port);
    std::thread::spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        // The receiver is gone after the timeout.
        let _ = sender.send(found.map(|found| found.map(|it| it.ip()).collect()));
    });
    receiver.recv_timeout(STEP_TIMEOUT).ok().and_then(Result::ok).unwrap_or_default()
}
