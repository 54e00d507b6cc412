//! Stage 6, the record: every decision as one line of JSON, written by a thread of its own.
//!
//! A request only ever copies its line into a buffer. When the disk is slower than the requests the buffer fills, and
//! lines are dropped and counted; no request waits.

mod line;
mod recorded;
mod writer;

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::limits::DECISION_LOG_QUEUE_BYTES;

pub(crate) use line::Entry;
pub use recorded::{RecordError, RecordedDecision};
use writer::Writer;

/// Writes every decision on a request, allowed or denied, as one line of JSON: all that is needed to
/// [judge it again](RecordedDecision).
///
/// Guarantee: a request never waits for it. Lines that do not fit into the queue
/// ([`DECISION_LOG_QUEUE_BYTES`]), or that cannot be written, are lost and counted in
/// `angos_decision_log_lines_total`. Nothing is synced: what was written survives this process, not a power failure.
///
/// Clones write to the same place. Give one to [`Settings::decision_log`](crate::Settings::decision_log), and keep one
/// to [`reopen`](Self::reopen) after the file was rotated and to [`close`](Self::close) at the end.
#[derive(Clone)]
pub struct DecisionLog {
    queue: Arc<Queue>,
}

/// What requests and the writer share.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, each with its line break.
    pending: Vec<u8>,
    reopen: bool,
    closing: bool,
    ended: bool,
}

impl DecisionLog {
    /// Opens the destination and starts the thread that writes to it. `open` is called again, on that thread, at each
    /// [`reopen`](Self::reopen).
    ///
    /// Blocks as long as `open` does. Fails if `open` does, or if no thread can be started.
    pub fn start<F, W>(mut open: F) -> io::Result<Self>
    where
        F: FnMut() -> io::Result<W> + Send + 'static,
        W: Write + Send + 'static,
    {
        let destination = open()?;
        let queue = Arc::new(Queue::default());
        let writer = Writer::new(Arc::clone(&queue), destination, open);
        thread::Builder::new().name("angos-decision-log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { queue })
    }

    /// Opens the destination anew before the next line is written; returns at once. If that fails, the old one stays.
    pub fn reopen(&self) {
        self.queue.lock().reopen = true;
        self.queue.changed.notify_all();
    }

    /// Takes no more lines, and waits until those it has are written, but no longer than `within`.
    pub fn close(&self, within: Duration) {
        let mut state = self.queue.lock();
        state.closing = true;
        self.queue.changed.notify_all();
        let _ = self.queue.changed.wait_timeout_while(state, within, |state| !state.ended);
    }

    /// Hands over one decision.
    pub(crate) fn record(&self, entry: &Entry<'_>) {
        self.queue.push(&entry.line());
    }
}

impl Queue {
    /// Appends are all or nothing, so that a poisoned lock protects nothing that could be broken.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.closing || state.pending.len() + line.len() > DECISION_LOG_QUEUE_BYTES {
            drop(state);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = state.pending.is_empty();
        state.pending.extend_from_slice(line);
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
    }
}

impl Collector for DecisionLog {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Lines of the decision log, by what became of them";
        let mut family = encoder.encode_descriptor("decision_log_lines", help, None, MetricType::Counter)?;
        let Queue { written, dropped, failed, .. } = &*self.queue;
        for (outcome, count) in [("written", written), ("dropped", dropped), ("failed", failed)] {
            let count = ConstCounter::new(count.load(Ordering::Relaxed));
            count.encode(family.encode_family(&[("outcome", outcome)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DecisionLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DecisionLog").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
