//! A decision log decided again: which recorded decisions other policies would change.
//!
//! | file | what it does |
//! |---|---|
//! | `lines` | file → lines of bounded length |
//! | `changes` | changed decisions → groups, a bounded number |
//! | `report` | groups → text or JSON |

mod changes;
mod lines;
mod report;

use std::io::{self, BufRead, Write};
use std::sync::{Mutex, PoisonError};

use self::changes::Changes;
use self::lines::{Line, Lines};
use crate::escape::escape;
use crate::limits::{REPLAY_TEXT_MAX_CHARS, REPLAY_UNREADABLE_REPORTED_MAX};
use crate::policy_set::AccessPolicies;
use crate::record::RecordedDecision;

/// The changes that a replay found so far. Its size is bounded, however long the log is.
#[derive(Debug, Default)]
pub struct ReplayReport {
    changes: Changes,
}

impl ReplayReport {
    /// Lines that are decisions.
    pub fn decisions(&self) -> u64 {
        self.changes.decisions
    }

    /// Lines that are not.
    pub fn unreadable(&self) -> u64 {
        self.changes.unreadable
    }

    /// Decisions that would change.
    pub fn changed(&self) -> u64 {
        self.changes.changed()
    }

    /// Marks the report as one of a log that was not read to its end.
    pub fn interrupt(&mut self) {
        self.changes.is_interrupted = true;
    }

    /// Whether [`interrupt`](Self::interrupt) was called.
    pub fn is_interrupted(&self) -> bool {
        self.changes.is_interrupted
    }

    /// Writes the report for people.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        report::text(&self.changes, out)
    }

    /// Writes the report as one JSON object.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        report::json(&self.changes, out)
    }
}

/// Decides every request of a decision log again and adds the changes to `report`. Blocks as long as `log` does;
/// `report` is locked for one line at a time, so that it can be read meanwhile.
///
/// `unreadable` is called with number and problem of the first [`REPLAY_UNREADABLE_REPORTED_MAX`] lines that are not
/// decisions.
///
/// # Errors
///
/// Those of `log`, when it is compressed, and when [`REPLAY_UNREADABLE_MAX_BYTES`](crate::limits::REPLAY_UNREADABLE_MAX_BYTES) hold no decision.
pub fn replay(
    access: &AccessPolicies,
    mut log: impl BufRead,
    report: &Mutex<ReplayReport>,
    mut unreadable: impl FnMut(u64, &str),
) -> io::Result<()> {
    if let Some((program, format)) = compression(log.fill_buf()?) {
        let message = format!(
            "the log is compressed ({format}): decompress it, as in `{program} LOG | angos policy replay -`"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut lines = Lines::new(log);
    while let Some((number, line)) = lines.next()? {
        let problem = match line {
            Line::Whole(line) => match RecordedDecision::parse(line) {
                Ok(recorded) => {
                    let decision = access.decide(recorded.identity(), recorded.request());
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    report.changes.add(&recorded, &decision);
                    lines.accept();
                    continue;
                }
                Err(error) => error.to_string(),
            },
            Line::TooLong => "longer than any decision".to_owned(),
        };
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.changes.unreadable += 1;
        if report.changes.unreadable <= REPLAY_UNREADABLE_REPORTED_MAX {
            unreadable(number, &escape(&problem, REPLAY_TEXT_MAX_CHARS));
        }
    }
    Ok(())
}

/// The program that decompresses a file that starts like this, and the name of its format.
fn compression(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const FORMATS: [(&[u8], &str, &str); 4] = [
        (&[0x1f, 0x8b], "zcat", "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstdcat", "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xzcat", "xz"),
        (b"BZh", "bzcat", "bzip2"),
    ];
    FORMATS
        .iter()
        .find(|(magic, ..)| start.starts_with(magic))
        .map(|(_, program, format)| (*program, *format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_log_is_an_error_that_names_the_program() {
        for (start, expected) in [
            (&b"\x1f\x8b\x08\0rest"[..], Some("`zcat LOG | angos policy replay -`")),
            (b"\x28\xb5\x2f\xfdrest", Some("zstdcat")),
            (b"\xfd7zXZ\0rest", Some("xzcat")),
            (b"BZh91AY", Some("bzcat")),
            (b"{}\n", None),
            (b"", None),
        ] {
            let report = Mutex::default();
            let outcome = replay(&AccessPolicies::default(), start, &report, |_, _| {});
            let message = outcome.err().map(|error| error.to_string());
            assert_eq!(message.is_some(), expected.is_some(), "{start:?} {message:?}");
            assert!(message.unwrap_or_default().contains(expected.unwrap_or_default()), "{start:?}");
        }
    }
}
