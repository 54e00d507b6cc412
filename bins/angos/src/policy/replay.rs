//! `angos policy replay`: what other policies would have answered to recorded requests.
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | read | `lines.rs` | files → lines of bounded length |
//! | judge | this one | line → recorded decision → the same question to the new policies |
//! | gather | `changes.rs` | what would change → groups, a bounded number |
//! | report | `report.rs` | groups → text or JSON |

mod changes;
mod lines;
mod report;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use angos_server::{Access, RecordedDecision};

use self::changes::Changes;
use self::lines::{Line, Lines};
use crate::arguments::Replay;
use crate::check;
use crate::limits::{REPLAY_COMPLAINTS_MAX, REPLAY_TEXT_MAX_CHARS};
use crate::log::harmless;

/// Nothing would change.
const SAME: u8 = 0;
/// Something would.
const CHANGED: u8 = 1;
/// It could not be told.
const COULD_NOT_RUN: u8 = 2;

/// Reads the logs, reports on standard output, and says by the exit code what came of it.
pub(crate) fn run(options: &Replay, files: &[PathBuf]) -> ExitCode {
    let changes = match replay(options, files) {
        Ok(changes) => changes,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            return COULD_NOT_RUN.into();
        }
    };
    // Whoever closed standard output does not want to read it.
    let _ = report::write(&changes, options.format, &mut io::stdout().lock());
    if changes.decisions == 0 && changes.unreadable > 0 {
        let _ = writeln!(io::stderr(), "not one line is a decision: is this a decision log?");
        return COULD_NOT_RUN.into();
    }
    (if changes.changed() > 0 { CHANGED } else { SAME }).into()
}

fn replay(options: &Replay, files: &[PathBuf]) -> Result<Changes, String> {
    let configuration = check::read(files)?;
    let mut changes = Changes::default();
    for log in &options.logs {
        let failed = |error: io::Error| format!("cannot read {}: {error}", log.display());
        if log.as_os_str() == "-" {
            follow(&configuration.access, Path::new("standard input"), io::stdin().lock(), &mut changes)
        } else {
            let file = File::open(log).map_err(failed)?;
            follow(&configuration.access, log, BufReader::new(file), &mut changes)
        }
        .map_err(failed)?;
    }
    Ok(changes)
}

/// Judges every line of one log.
fn follow(access: &Access, log: &Path, reader: impl BufRead, changes: &mut Changes) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    while let Some((number, line)) = lines.next()? {
        let problem = match line {
            Line::Whole(line) => match RecordedDecision::parse(line) {
                Ok(recorded) => {
                    let judgement = access.judge(recorded.identity(), recorded.inquiry());
                    changes.add(&recorded, &judgement);
                    continue;
                }
                Err(error) => error.to_string(),
            },
            Line::TooLong => "longer than any decision".to_owned(),
        };
        changes.unreadable += 1;
        if changes.unreadable <= REPLAY_COMPLAINTS_MAX {
            let problem = harmless(&problem, REPLAY_TEXT_MAX_CHARS);
            let _ = writeln!(io::stderr(), "{}:{number}: {problem}", log.display());
        }
    }
    Ok(())
}
