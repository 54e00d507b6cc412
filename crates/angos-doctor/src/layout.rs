//! The folders in which container runtimes look for certificates: what they hold, and how a runtime reads them.

mod certs_d;
mod containerd;
mod hosts;

use std::path::{Path, PathBuf};

use crate::findings as kind;
use crate::limits::FOLDER_FILES_MAX;
use crate::options::Options;
use crate::report::Report;
use crate::target::Target;

/// The files a runtime uses for one registry.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Certificates with their keys, in the order the runtime loads them.
    pub(crate) pairs: Vec<(PathBuf, PathBuf)>,
    /// Files of CAs that are trusted besides those of the machine.
    pub(crate) cas: Vec<PathBuf>,
}

/// The runtime whose rules apply to a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runtime {
    Docker,
    /// Podman, Skopeo, Buildah.
    Containers,
    Containerd,
}

/// What the named folder holds for this registry; `None` if no folder is named.
pub(crate) fn examine(options: &Options, report: &mut Report) -> Option<Layout> {
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

/// The names in a folder, sorted; at most [`FOLDER_FILES_MAX`]. `None` if the folder cannot be read.
fn names(folder: &Path) -> Option<Vec<String>> {
    let entries = std::fs::read_dir(folder).ok()?.take(FOLDER_FILES_MAX);
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
