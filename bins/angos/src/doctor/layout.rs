//! The folders in which container runtimes look for certificates: what they hold, and what a runtime makes of it.

mod certs_d;
mod containerd;

use std::path::{Path, PathBuf};

use crate::arguments::Doctor;
use crate::doctor::catalogue as kind;
use crate::doctor::report::Report;
use crate::doctor::target::Target;
use crate::limits::DOCTOR_FILES_MAX;

/// The files a runtime uses for one registry.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Certificates with their keys, in the order the runtime loads them.
    pub(crate) pairs: Vec<(PathBuf, PathBuf)>,
    /// Files of authorities, which are trusted besides those of the machine.
    pub(crate) authorities: Vec<PathBuf>,
}

/// Whose rules a folder is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runtime {
    Docker,
    /// Podman, Skopeo, Buildah.
    Containers,
    Containerd,
}

/// What the folder that the command line names holds for this registry. None: it names no folder.
pub(crate) fn examine(options: &Doctor, report: &mut Report) -> Option<Layout> {
    let target = options.address.as_ref();
    if let Some(folder) = &options.docker_certs_d {
        return Some(certs_d::examine(Runtime::Docker, folder, target, report));
    }
    if let Some(folder) = &options.containers_certs_d {
        return Some(certs_d::examine(Runtime::Containers, folder, target, report));
    }
    let path = options.containerd_hosts.as_ref()?;
    Some(containerd::examine(path, target, report))
}

/// The names in a folder, sorted; at most [`DOCTOR_FILES_MAX`]. None if it is no folder that can be read.
fn names(folder: &Path) -> Option<Vec<String>> {
    let entries = std::fs::read_dir(folder).ok()?.take(DOCTOR_FILES_MAX);
    let mut names: Vec<_> =
        entries.filter_map(Result::ok).map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Some(names)
}

/// The folder of the registry: `folder` itself if it is one, else the first of `candidates` in it.
fn registry_folder(
    folder: &Path,
    is_registry: impl Fn(&str) -> bool,
    candidates: &[String],
    target: Option<&Target>,
    report: &mut Report,
) -> Option<PathBuf> {
    let about = folder.display().to_string();
    let Some(names) = names(folder) else {
        report.add(&kind::LAYOUT_NO_FOLDER, about, "There is no such folder, or it may not be read.");
        return None;
    };
    if names.iter().any(|name| is_registry(name)) {
        let own_name = folder.canonicalize().ok().and_then(|it| Some(it.file_name()?.to_str()?.to_owned()));
        if let (Some(own), Some(target)) = (own_name, target)
            && !candidates.contains(&own)
        {
            let registry = target.registry();
            let words =
                format!("The folder is called {own}, and images of this registry are called {registry}/….");
            report.add(&kind::LAYOUT_NO_FOLDER, about, words);
        }
        return Some(folder.to_path_buf());
    }
    if let Some(found) = candidates.iter().find(|it| names.contains(it)) {
        return Some(folder.join(found));
    }
    let wanted = candidates.first().map_or("the registry's name", String::as_str);
    let near = target.map_or_else(Vec::new, |target| {
        names.iter().filter(|name| name.contains(&target.host)).map(String::as_str).collect()
    });
    let near = if near.is_empty() { String::new() } else { format!(" There is {}.", near.join(", ")) };
    report.add(&kind::LAYOUT_NO_FOLDER, about, format!("It holds no folder {wanted}.{near}"));
    None
}
