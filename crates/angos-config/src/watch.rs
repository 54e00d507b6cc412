//! When to read the configuration again: the files that took part have other content than before.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use angos_tls::{Files, Snapshot};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::limits::{WATCH_DEBOUNCE, WATCH_LINKS_MAX, WATCH_POLL_INTERVAL};
use crate::load::loader::Loader;

/// Notices changes of a set of files, and of folders with their files.
///
/// Folders are watched rather than files, so that a file replaced by renaming and a folder swapped behind a
/// symbolic link are noticed; other files in these folders do not matter, because contents are compared.
/// Where the system cannot watch, the contents are compared every minute.
pub struct Watch {
    loader: Loader,
    seen: Snapshot,
    /// A load ended without saying what it read.
    is_unknown: bool,
    armed: Arc<Mutex<Armed>>,
    /// Whether the system reports changes.
    is_watching: bool,
    events: mpsc::Receiver<()>,
}

/// The folders that the system watches. A dead file system may block the thread that holds the lock for good; then only
/// the poll remains.
struct Armed {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

/// The thread that receives the system's events has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thread that watches the configuration files ended")]
pub struct WatchEnded;

impl Watch {
    /// Starts to watch what was read into `seen`. A change since then is noticed.
    ///
    /// `written` is a file that this process itself writes, a log: should it lie in a watched folder, its growth does not
    /// make all files be read again and again.
    pub async fn new(loader: Loader, seen: Snapshot, written: Option<&Path>) -> Watch {
        let name = written.and_then(Path::file_name).map(OsStr::to_owned);
        let own = name.filter(|name| seen.paths().all(|file| file.file_name() != Some(name)));
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; it changes nothing.
            if !event.is_ok_and(|event| event.kind.is_access() || is_only(&event.paths, own.as_deref())) {
                // A full channel already holds this event.
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(target: "angos::config", %error, "cannot watch files, will compare them every minute"))
            .ok();
        let is_watching = watcher.is_some();
        let armed = Arc::new(Mutex::new(Armed { watcher, folders: BTreeSet::new() }));
        let mut watch =
            Watch { loader, seen: Snapshot::default(), is_unknown: false, armed, is_watching, events };
        watch.follow(seen).await;
        watch
    }

    /// Compares with `seen` from now on, what a load read. A change since then is noticed. An empty one is of a load that
    /// was given up: what was compared with before stays, and the next look reports a change.
    pub async fn follow(&mut self, seen: Snapshot) {
        self.is_unknown = seen.paths().next().is_none();
        if self.is_unknown {
            return;
        }
        let (paths, armed) = (paths(&seen), Arc::clone(&self.armed));
        self.seen = seen;
        // Where that is given up the poll is left.
        let _ = self.loader.run(move |files| arm(&armed, &paths, files)).await;
    }

    /// Waits until the content of a watched file is another than last seen. Cancel safe.
    ///
    /// Fails when the thread that receives the system's events has ended, which it does by a defect alone.
    pub async fn changed(&mut self) -> Result<(), WatchEnded> {
        loop {
            let is_watching = self.is_watching;
            let event = async {
                // The sender lives in the thread of the watcher.
                match self.events.recv().await {
                    None if is_watching => Err(WatchEnded),
                    // Without a watcher there are no events, only the poll.
                    None => std::future::pending().await,
                    Some(()) => Ok(()),
                }
            };
            if let Ok(event) = tokio::time::timeout(WATCH_POLL_INTERVAL, event).await {
                event?;
                tokio::time::sleep(WATCH_DEBOUNCE).await;
                let _ = self.events.try_recv();
            }
            if self.look().await {
                return Ok(());
            }
        }
    }

    /// Reads all files again and compares them with the last read. Returns whether any differs.
    async fn look(&mut self) -> bool {
        let (seen, armed) = (self.seen.clone(), Arc::clone(&self.armed));
        let look = move |files: &Files| {
            let now = seen.read_again(files);
            arm(&armed, &paths(&now), files);
            now
        };
        // After a timeout the caller loads again, and that load reports the cause.
        let Ok(now) = self.loader.run(look).await else { return true };
        let differs = self.is_unknown || !self.seen.holds_same(&now);
        if now.paths().next().is_some() {
            self.seen = now;
        }
        differs
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Watch").field("files", &paths(&self.seen)).finish_non_exhaustive()
    }
}

fn paths(snapshot: &Snapshot) -> Vec<PathBuf> {
    snapshot.paths().map(Path::to_path_buf).collect()
}

/// Watches the folder of each file, and of what each symbolic link on the way leads to. Links may lead
/// elsewhere after a change, so this runs after each.
fn arm(armed: &Mutex<Armed>, paths: &[PathBuf], files: &Files) {
    let Ok(mut armed) = armed.try_lock() else { return };
    let Armed { watcher: Some(watcher), folders: known } = &mut *armed else { return };
    let folders = paths.iter().flat_map(|path| files.attempt(path, || folders(path)).unwrap_or_default());
    let wanted: BTreeSet<PathBuf> = folders.collect();
    for folder in known.difference(&wanted) {
        let _ = watcher.unwatch(folder);
    }
    for folder in &wanted {
        // A folder that was replaced is watched no more although its name is known: watching again is
        // harmless. One that does not exist is left to the poll.
        let _ = files.attempt(folder, || watcher.watch(folder, RecursiveMode::NonRecursive));
    }
    *known = wanted;
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

#[cfg(test)]
mod tests;
