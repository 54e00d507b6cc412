//! When to read the configuration again: the files that took part have other content than before.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::limits::{WATCH_FILE_MAX_BYTES, WATCH_FOLDER_FILES_MAX, WATCH_LINKS_MAX, WATCH_POLL, WATCH_REST};

/// Notices changes of a set of files, and of folders with their files.
///
/// Folders are watched rather than files, so that a file replaced by renaming and a folder swapped behind a
/// symbolic link are noticed; other files in these folders do not matter, because contents are compared.
/// Where the system cannot watch, the contents are compared every minute.
pub struct Watch {
    files: Vec<PathBuf>,
    seen: Vec<Option<u64>>,
    hasher: RandomState,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    events: mpsc::Receiver<()>,
}

impl Watch {
    /// Starts to watch `files`, compared with what they hold now. Blocking: reads them.
    pub fn new(files: Vec<PathBuf>) -> Watch {
        Watch::beside(files, None)
    }

    /// The same where this process itself writes a file, a log: should it lie in a watched folder, its growth does not
    /// make all files be read again and again.
    pub fn beside(files: Vec<PathBuf>, written: Option<&Path>) -> Watch {
        let name = written.and_then(Path::file_name).map(OsStr::to_owned);
        let own = name.filter(|name| files.iter().all(|file| file.file_name() != Some(name)));
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; it changes nothing.
            if !event.is_ok_and(|event| event.kind.is_access() || is_only(&event.paths, own.as_deref())) {
                // A full channel already says what this would.
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(target: "angos::config", %error, "cannot watch files, will compare them every minute"))
            .ok();
        let mut watch = Watch {
            files: Vec::new(),
            seen: Vec::new(),
            hasher: RandomState::new(),
            watcher,
            folders: BTreeSet::new(),
            events,
        };
        watch.follow(files);
        watch
    }

    /// Watches `files` from now on; those that were watched before keep what they were last seen to hold, so
    /// a change between [`changed`](Watch::changed) and this call is not lost. Blocking: reads new files.
    pub fn follow(&mut self, files: Vec<PathBuf>) {
        let seen = files
            .iter()
            .map(|file| match self.files.iter().position(|other| other == file) {
                Some(position) => self.seen.get(position).copied().flatten(),
                None => fingerprint(&self.hasher, file),
            })
            .collect();
        self.files = files;
        self.seen = seen;
        self.arm();
    }

    /// Waits until the content of a watched file is another than last seen. Cancel safe.
    pub async fn changed(&mut self) {
        loop {
            // The sender lives in the watcher. Without one there are no events, only the poll.
            let event = async {
                if self.events.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
            };
            let is_event = tokio::time::timeout(WATCH_POLL, event).await.is_ok();
            if is_event {
                tokio::time::sleep(WATCH_REST).await;
                let _ = self.events.try_recv();
            }
            if self.look().await {
                return;
            }
        }
    }

    /// What the files hold now counts as seen: for a reload that another cause brings about.
    pub async fn acknowledge(&mut self) {
        self.look().await;
    }

    /// Reads all files again; whether any differs. What they hold now counts as seen.
    async fn look(&mut self) -> bool {
        let (files, hasher) = (self.files.clone(), self.hasher.clone());
        let read = move || files.iter().map(|file| fingerprint(&hasher, file)).collect::<Vec<_>>();
        let Ok(now) = tokio::task::spawn_blocking(read).await else { return false };
        self.arm();
        let differs = now != self.seen;
        self.seen = now;
        differs
    }

    /// Watches the folder of each file, and of what each symbolic link on the way leads to. Links may lead
    /// elsewhere after a change, so this runs after each.
    fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: BTreeSet<PathBuf> = self.files.iter().flat_map(|file| folders(file)).collect();
        for folder in self.folders.difference(&wanted) {
            let _ = watcher.unwatch(folder);
        }
        for folder in &wanted {
            // A folder that was replaced is watched no more although its name is known: watching again is
            // harmless. One that does not exist is left to the poll.
            let _ = watcher.watch(folder, RecursiveMode::NonRecursive);
        }
        self.folders = wanted;
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Watch").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Whether all paths end in this name.
fn is_only(paths: &[PathBuf], name: Option<&OsStr>) -> bool {
    name.is_some() && !paths.is_empty() && paths.iter().all(|path| path.file_name() == name)
}

/// The folders in which a change may change what `file` names.
fn folders(file: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut file = file.to_path_buf();
    if file.is_dir() {
        folders.push(file.clone());
    }
    for _ in 0..WATCH_LINKS_MAX {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        // `..data` of a Kubernetes volume is a link among the folders above the file.
        let linked_folder = std::fs::read_link(&folder).map(|to| beside(&folder, &to));
        folders.push(folder.clone());
        folders.extend(linked_folder.ok().into_iter().chain(folder.parent().map(Path::to_path_buf)));
        match std::fs::read_link(&file) {
            Ok(to) => file = folder.join(to),
            Err(_) => break,
        }
    }
    folders.retain(|folder| !folder.as_os_str().is_empty());
    folders
}

fn beside(link: &Path, to: &Path) -> PathBuf {
    link.parent().map_or_else(|| to.to_path_buf(), |folder| folder.join(to))
}

/// A hash of the file's content, or of the names and contents of all files in a folder (not of those below it);
/// `None` when it cannot be read.
fn fingerprint(hasher: &RandomState, path: &Path) -> Option<u64> {
    let mut digest = hasher.build_hasher();
    if !std::fs::metadata(path).ok()?.is_dir() {
        digest.write(&content(path)?);
        return Some(digest.finish());
    }
    let entries = std::fs::read_dir(path).ok()?.take(WATCH_FOLDER_FILES_MAX);
    let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    for name in names {
        digest.write(name.as_encoded_bytes());
        digest.write(&content(&path.join(name)).unwrap_or_default());
    }
    Some(digest.finish())
}

fn content(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(WATCH_FILE_MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests;
