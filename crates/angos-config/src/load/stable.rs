//! Whether a set of files is at rest: what is read while a program writes it may be half of what is meant, and half of a
//! configuration can allow what the whole forbids.
//!
//! The rule: every file is read twice, and both times it is the same file (device, inode) with the same size, times and
//! content. If all were written longer ago than [`STABLE_AGE`], the second reading follows at once; else all must stay the
//! same for [`STABLE_PERIOD`] in between. So a writer that pauses for less than that, between two pieces of a file or between
//! two files, is noticed, and so is one that goes on at any time before the second reading. One that pauses longer is not.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use angos_tls::{Files, Snapshot};

use crate::configuration::Configuration;
use crate::limits::{
    STABLE_AGE, STABLE_CHECK_INTERVAL, STABLE_PERIOD, STABLE_RETRY_INTERVAL, STABLE_TIMEOUT,
};
use crate::problem::{Origin, Problem, Problems};

pub(crate) type Loaded = Result<Configuration, Problems>;

/// Loads until the files are at rest, for at most about [`STABLE_TIMEOUT`]. Blocking.
pub(crate) fn load_stable(files: &Files, load: impl Fn(&Files) -> Loaded) -> Loaded {
    load_stable_within(STABLE_TIMEOUT, files, load)
}

fn load_stable_within(within: Duration, files: &Files, load: impl Fn(&Files) -> Loaded) -> Loaded {
    let started = Instant::now();
    loop {
        let begun = SystemTime::now();
        let loaded = load(files);
        let snapshot = match &loaded {
            Ok(configuration) => &configuration.snapshot,
            Err(problems) => problems.snapshot(),
        };
        let Some(changed) = first_unstable(snapshot, files, begun) else { return loaded };
        if started.elapsed() >= within {
            return Err(Problems::new(vec![problem(changed)], snapshot.clone()));
        }
        sleep(STABLE_RETRY_INTERVAL);
    }
}

/// The first file that changed since it was read into `snapshot`, at `begun` or later.
fn first_unstable(snapshot: &Snapshot, files: &Files, begun: SystemTime) -> Option<PathBuf> {
    let read = Instant::now();
    if snapshot.is_younger_than(STABLE_AGE, begun) {
        while read.elapsed() < STABLE_PERIOD {
            sleep(STABLE_CHECK_INTERVAL);
            if let Some(touched) = snapshot.first_touched(files) {
                return Some(touched.to_owned());
            }
        }
    }
    snapshot.first_change(&snapshot.read_again(files)).map(ToOwned::to_owned)
}

fn problem(changed: PathBuf) -> Problem {
    let message = format!("the file was still being written after {} s", STABLE_TIMEOUT.as_secs());
    let help = "write another file and rename it to this one when it is complete";
    Problem::error(Origin::WholeFile(changed.into()), message).with_help(help)
}

#[cfg(test)]
mod tests;
