//! The one thread that changes the file, and the groups it commits.

use bytes::Bytes;
use redb::{Database, Table};
use tokio::sync::{mpsc, oneshot};

use super::{
    ENTRIES,
    database::{Failed, Shared},
    decode,
};
use crate::limits::{GROUP_MAX, GROUP_MAX_BYTES};
use crate::{Batch, Error, Operation, Version};

/// One caller's batch, and where its answer goes.
pub(super) struct Request {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Result<(), Error>>,
}

/// Commits what comes, until the last sender is gone.
pub(super) fn run(shared: &Shared, mut waiting: mpsc::Receiver<Request>) {
    let mut versions = Versions::default();
    while let Some(first) = waiting.blocking_recv() {
        let group = gather(first, &mut waiting);
        match commit(shared, &group, &mut versions) {
            Ok(outcomes) => {
                for (request, outcome) in group.into_iter().zip(outcomes) {
                    let _ = request.reply.send(outcome);
                }
            }
            Err(error) => {
                shared.set_failing(true);
                tracing::error!(target: "angos::storage", %error, batches = group.len(), "metadata commit failed");
                for request in group {
                    let _ = request.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

/// The first and whatever else is waiting already.
fn gather(first: Request, waiting: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut weight = first.batch.weight();
    let mut group = vec![first];
    while group.len() < GROUP_MAX && weight < GROUP_MAX_BYTES {
        let Ok(next) = waiting.try_recv() else { break };
        weight += next.batch.weight();
        group.push(next);
    }
    group
}

/// Applies a group in one transaction: an outcome for each batch, or a failure of all.
///
/// After a failure the database is opened again: what the file then holds is the last whole commit, so nothing that
/// was acknowledged is lost, and the next group is tried on it.
fn commit(
    shared: &Shared,
    group: &[Request],
    versions: &mut Versions,
) -> Result<Vec<Result<(), Error>>, Error> {
    shared.location().check()?;
    if let Some(generation) = shared.closed() {
        shared.reopen(generation, true)?;
    }
    let mut damage = None;
    match shared.attempt(|database| transact(database, group, versions, &mut damage)) {
        Ok(outcomes) => damage.map_or(Ok(outcomes), Err),
        Err(Failed { error, generation, .. }) => {
            if let Err(error) = shared.reopen(generation, true) {
                tracing::error!(target: "angos::storage", %error, "metadata cannot be opened again yet");
            }
            Err(error)
        }
    }
}

fn transact(
    database: &Database,
    group: &[Request],
    versions: &mut Versions,
    damage: &mut Option<Error>,
) -> Result<Vec<Result<(), Error>>, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Opening after a crash must not walk the file.
    transaction.set_quick_repair(true);
    let mut outcomes = Vec::with_capacity(group.len());
    {
        let mut table = transaction.open_table(ENTRIES)?;
        for request in group {
            let outcome = check(&table, &request.batch)?;
            match &outcome {
                Ok(()) => write(&mut table, &request.batch, versions)?,
                Err(Error::Conflict { .. }) => {}
                Err(other) => *damage = Some(other.clone()),
            }
            outcomes.push(outcome);
        }
    }
    if damage.is_none() && outcomes.iter().any(Result::is_ok) {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(outcomes)
}

/// Whether the conditions of a batch hold; the outer error is the engine's.
fn check(table: &Table<'_, &[u8], &[u8]>, batch: &Batch) -> Result<Result<(), Error>, redb::Error> {
    let mut failed = None;
    let outcome = batch.check(|key| match stored_version(table, key) {
        Ok(version) => version,
        Err(error) => {
            failed = Some(error);
            Err(Error::Closed)
        }
    });
    failed.map_or(Ok(outcome), Err)
}

fn stored_version(
    table: &Table<'_, &[u8], &[u8]>,
    key: &Bytes,
) -> Result<Result<Option<Version>, Error>, redb::Error> {
    use redb::ReadableTable;
    let stored = table.get(key.as_ref())?;
    Ok(stored.map(|stored| decode(stored.value()).map(|found| found.version)).transpose())
}

fn write(
    table: &mut Table<'_, &[u8], &[u8]>,
    batch: &Batch,
    versions: &mut Versions,
) -> Result<(), redb::Error> {
    for operation in batch.operations() {
        match operation {
            Operation::RequireAbsent { .. } | Operation::RequirePresent { .. } => {}
            Operation::Delete { key } => {
                table.remove(key.as_ref())?;
            }
            Operation::Put { key, value }
            | Operation::Create { key, value }
            | Operation::Replace { key, value, .. } => {
                let version = versions.next().to_le_bytes();
                let mut stored = table.insert_reserve(key.as_ref(), version.len() + value.len())?;
                if let Some((head, tail)) = stored.as_mut().split_first_chunk_mut::<8>() {
                    *head = version;
                    tail.copy_from_slice(value);
                }
            }
        }
    }
    Ok(())
}

/// Numbers for versions: they count from a random start, so that no run repeats those of another.
#[derive(Default)]
struct Versions {
    last: Option<u64>,
}

impl Versions {
    fn next(&mut self) -> u64 {
        let next = match self.last {
            Some(last) => last.wrapping_add(1),
            None => getrandom::u64().unwrap_or_default(),
        };
        self.last = Some(next);
        next
    }
}
