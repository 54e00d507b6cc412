//! Whether a set of files is at rest: what is read while a program writes it may be half of what is meant, and half of a
//! configuration can allow what the whole forbids.
//!
//! The rule: every file is read twice, and both times it is the same file (device, inode) with the same size, times and
//! content. If all were written longer ago than [`REST_AGE`], the second reading follows at once; else all must stay the
//! same for [`REST_QUIET`] in between. So a writer that pauses for less than that, between two pieces of a file or between
//! two files, is noticed, and so is one that goes on at any time before the second reading. One that pauses longer is not.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use angos_tls::{Files, Snapshot};

use crate::configuration::Configuration;
use crate::limits::{REST_AGE, REST_LOOK, REST_QUIET, REST_RETRY, REST_WITHIN};
use crate::problem::{Origin, Problem, Problems};

pub(crate) type Loaded = Result<Configuration, Problems>;

/// Loads until the files are at rest, for at most about [`REST_WITHIN`]. Blocking.
pub(crate) fn at_rest(files: &Files, load: impl Fn(&Files) -> Loaded) -> Loaded {
    at_rest_within(REST_WITHIN, files, load)
}

fn at_rest_within(within: Duration, files: &Files, load: impl Fn(&Files) -> Loaded) -> Loaded {
    let started = Instant::now();
    loop {
        let begun = SystemTime::now();
        let loaded = load(files);
        let snapshot = match &loaded {
            Ok(configuration) => &configuration.snapshot,
            Err(problems) => problems.snapshot(),
        };
        let Some(changed) = unrest(snapshot, files, begun) else { return loaded };
        if started.elapsed() >= within {
            return Err(Problems::new(vec![problem(changed)], snapshot.clone()));
        }
        sleep(REST_RETRY);
    }
}

/// The first file that changed since it was read into `snapshot`, at `begun` or later.
fn unrest(snapshot: &Snapshot, files: &Files, begun: SystemTime) -> Option<PathBuf> {
    let read = Instant::now();
    if snapshot.is_younger_than(REST_AGE, begun) {
        while read.elapsed() < REST_QUIET {
            sleep(REST_LOOK);
            if let Some(touched) = snapshot.first_touched(files) {
                return Some(touched.to_owned());
            }
        }
    }
    snapshot.first_change(&snapshot.read_again(files)).map(ToOwned::to_owned)
}

fn problem(changed: PathBuf) -> Problem {
    let message = format!("the file was still being written after {} s", REST_WITHIN.as_secs());
    let help = "write another file and rename it to this one when it is complete";
    Problem::error(Origin::WholeFile(changed.into()), message).with_help(help)
}

#[cfg(test)]
mod tests;
