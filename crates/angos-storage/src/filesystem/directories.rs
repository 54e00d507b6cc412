//! Folder syncs, shared by everyone who publishes at the same time.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Condvar, Mutex, OnceLock, PoisonError},
};

use super::disk::{ABOVE, Disk};
use crate::{Error, memory::lock};

/// One caller syncs for all that wait; those who come meanwhile form the next group.
#[derive(Default)]
pub(super) struct Directories {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Arc<Ticket>>,
    /// Whether someone is syncing.
    has_leader: bool,
    /// Folders made by this process, whose own name may not be on the disk yet.
    fresh: HashSet<String>,
    /// Parents that were synced since the store was opened, together with what is above them. A killed process may
    /// have made folders and not synced them; who publishes first does, so that opening waits for no disk.
    trusted: HashSet<String>,
}

struct Ticket {
    path: String,
    outcome: OnceLock<Result<(), Error>>,
}

impl Directories {
    /// Makes a folder. Until [`settle`](Self::settle) its own name is not durable, and others see that.
    pub(super) fn make(&self, disk: &Disk, path: &str) -> Result<(), Error> {
        lock(&self.state).fresh.insert(path.to_owned());
        disk.make_directory(path)
    }

    /// Puts the names in `path` on the disk, and the name of `path` itself in `parent` where that may be new.
    pub(super) fn sync_names(&self, disk: &Disk, path: &str, parent: &str) -> Result<(), Error> {
        if !disk.durable() {
            return Ok(());
        }
        self.sync(disk, path)?;
        let (fresh, trusted) = {
            let state = lock(&self.state);
            (state.fresh.contains(path), state.trusted.contains(parent))
        };
        if fresh || !trusted {
            self.sync(disk, parent)?;
            lock(&self.state).fresh.remove(path);
        }
        if !trusted {
            ABOVE.into_iter().try_for_each(|folder| self.sync(disk, folder))?;
            lock(&self.state).trusted.insert(parent.to_owned());
        }
        Ok(())
    }

    fn sync(&self, disk: &Disk, path: &str) -> Result<(), Error> {
        let ticket = Arc::new(Ticket { path: path.to_owned(), outcome: OnceLock::new() });
        let mut state = lock(&self.state);
        state.waiting.push(Arc::clone(&ticket));
        loop {
            if let Some(outcome) = ticket.outcome.get() {
                return outcome.clone();
            }
            if state.has_leader {
                state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.has_leader = true;
            let group = std::mem::take(&mut state.waiting);
            drop(state);
            {
                let leader = Leader { directories: self, group };
                sync_group(disk, &leader.group);
            }
            state = lock(&self.state);
        }
    }
}

/// The lead over a group. Given up when dropped, also by a panic: those who wait then get an error, and the next group
/// finds its own leader.
struct Leader<'a> {
    directories: &'a Directories,
    group: Vec<Arc<Ticket>>,
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        for ticket in &self.group {
            // Does nothing where there is an outcome already.
            let _ = ticket.outcome.set(Err(Error::Closed));
        }
        lock(&self.directories.state).has_leader = false;
        self.directories.done.notify_all();
    }
}

/// Syncs every folder of the group once.
fn sync_group(disk: &Disk, group: &[Arc<Ticket>]) {
    let mut outcomes: BTreeMap<&str, Result<(), Error>> = BTreeMap::new();
    for ticket in group {
        let outcome = outcomes.entry(&ticket.path).or_insert_with(|| disk.sync_directory(&ticket.path));
        let _ = ticket.outcome.set(outcome.clone());
    }
}

#[cfg(test)]
impl Directories {
    /// Takes the lead without doing anything, until the returned action is called.
    pub(super) fn hold_sync(&self) -> impl FnOnce() + '_ {
        lock(&self.state).has_leader = true;
        || {
            lock(&self.state).has_leader = false;
            self.done.notify_all();
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }
}
