//! Stage 6, the record: every decision as one line of JSON, written by a thread of its own.
//!
//! A request only ever copies its line into a buffer. When the disk is slower than the requests the buffer fills, and
//! lines are dropped and counted; no request waits.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use angos_access::DecisionRecord;

use crate::limits::DECISION_LOG_QUEUE_BYTES;
use crate::line_log::{LineLog, LineLogEvent};

/// Writes every decision on a request, allowed or denied, as one line of JSON: all that is needed to
/// [decide it again](angos_access::RecordedDecision).
///
/// Guarantee: a request never waits for it. Lines that do not fit into the queue
/// ([`DECISION_LOG_QUEUE_BYTES`]), or that cannot be written, are lost and counted in
/// `angos_decision_log_lines_total`. Nothing is synced: what was written survives this process, not a power failure.
///
/// Clones write to the same place. Give one to [`Settings::decision_log`](crate::Settings::decision_log), and keep one
/// to [`reopen`](Self::reopen) after the file was rotated and to [`close`](Self::close) at the end.
#[derive(Clone)]
pub struct DecisionLog {
    lines: LineLog,
}

impl DecisionLog {
    /// Opens the destination and starts the thread that writes to it. `open` is called again, on that thread, at each
    /// [`reopen`](Self::reopen).
    ///
    /// Blocks as long as `open` does. Fails if `open` does, or if no thread can be started.
    pub fn start<F, W>(open: F) -> io::Result<Self>
    where
        F: FnMut() -> io::Result<W> + Send + 'static,
        W: Write + Send + 'static,
    {
        LineLog::start("angos-decision-log", DECISION_LOG_QUEUE_BYTES, open, report)
            .map(|lines| Self { lines })
    }

    /// Opens the destination anew before the next line is written; returns at once. If that fails, the old one stays.
    pub fn reopen(&self) {
        self.lines.reopen();
    }

    /// Takes no more lines, and waits until those it has are written, but no longer than `within`.
    pub fn close(&self, within: Duration) {
        self.lines.close(within);
    }

    /// Hands over one decision.
    pub(crate) fn record(&self, record: &DecisionRecord<'_>) {
        self.lines.push(&record.line());
    }

    /// The lines on their way.
    pub(crate) fn lines(&self) -> &LineLog {
        &self.lines
    }
}

fn report(event: LineLogEvent) {
    match event {
        LineLogEvent::Failed(error) => {
            tracing::error!(target: "angos::policy", %error, "cannot write the decision log; decisions are lost");
        }
        LineLogEvent::Recovered { lost } => {
            tracing::warn!(target: "angos::policy", lost, "the decision log is written again; decisions were lost");
        }
        LineLogEvent::NotReopened(error) => {
            tracing::error!(target: "angos::policy", %error, "cannot reopen the decision log; the old file stays");
        }
    }
}

impl fmt::Debug for DecisionLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DecisionLog").finish_non_exhaustive()
    }
}
