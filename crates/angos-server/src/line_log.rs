//! A log whose lines are written by a thread of its own, behind a bounded queue: the decision log and standard error.
//!
//! A caller only copies its line into a buffer. When the destination is slower than the callers the buffer fills, and
//! lines are dropped and counted; no caller waits, and no caller sees an error.

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
use tokio::sync::watch;

use writer::Writer;

/// Lines on their way to a destination that may be slow, full or gone.
///
/// Guarantee: [`push`](Self::push) never waits for the destination, never fails and never panics. Lines that do not
/// fit into the queue, or that cannot be written, are lost and counted. A line is written whole or, when the
/// destination fails in its middle, ended by a line break before the next one. Nothing is synced.
///
/// Memory: twice the bytes of the queue, at most. Clones write to the same place.
#[derive(Clone)]
pub struct LineLog {
    queue: Arc<Queue>,
    /// Closed when the thread ends.
    alive: watch::Receiver<()>,
}

/// What happened to a [`LineLog`] that an operator has to know. Reported on the thread that writes.
#[derive(Debug)]
#[non_exhaustive]
pub enum LineLogEvent {
    /// A write failed. Reported once, until a write succeeds.
    Failed(io::Error),
    /// A write succeeded after lines were lost.
    Recovered {
        /// How many lines were dropped or failed since the last such event.
        lost: u64,
    },
    /// The destination could not be opened anew; the old one stays.
    NotReopened(io::Error),
}

/// What callers and the thread share.
#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    most_bytes: usize,
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

impl LineLog {
    /// Opens the destination and starts a thread of this name that writes to it. `open` is called again, on that
    /// thread, at each [`reopen`](Self::reopen); `report` is called on it, too, and may push lines itself.
    ///
    /// `queue_bytes` may wait to be written, and as many more are being written. Blocks as long as `open` does. Fails
    /// if `open` does, or if no thread can be started.
    pub fn start<F, W, R>(thread: &str, queue_bytes: usize, mut open: F, report: R) -> io::Result<Self>
    where
        F: FnMut() -> io::Result<W> + Send + 'static,
        W: Write + Send + 'static,
        R: FnMut(LineLogEvent) + Send + 'static,
    {
        let destination = open()?;
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            changed: Condvar::new(),
            most_bytes: queue_bytes,
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let (running, alive) = watch::channel(());
        let writer = Writer::new(Arc::clone(&queue), destination, open, report);
        let run = move || {
            // Dropped last, also by a panic.
            let _running = running;
            writer.run();
        };
        thread::Builder::new().name(thread.to_owned()).spawn(run)?;
        Ok(Self { queue, alive })
    }

    /// Hands over one line with its line break, or several at once; those that do not fit are lost together.
    pub fn push(&self, lines: &[u8]) {
        self.queue.push(lines);
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

    /// Whether the thread has ended, so that every further line is lost.
    pub fn has_ended(&self) -> bool {
        self.queue.lock().ended
    }

    /// Resolves when the thread has ended: after [`close`](Self::close), or by a defect. Cancel safe.
    pub async fn ended(&self) {
        let mut alive = self.alive.clone();
        while alive.changed().await.is_ok() {}
    }
}

impl Queue {
    /// Appends are all or nothing, so that a poisoned lock protects nothing that could be broken.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, lines: &[u8]) {
        let mut state = self.lock();
        if state.closing || state.ended || state.pending.len() + lines.len() > self.most_bytes {
            drop(state);
            self.dropped.fetch_add(count(lines), Ordering::Relaxed);
            return;
        }
        let was_empty = state.pending.is_empty();
        state.pending.extend_from_slice(lines);
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
    }
}

/// How many lines end in these bytes.
fn count(lines: &[u8]) -> u64 {
    lines.split(|byte| *byte == b'\n').skip(1).count() as u64
}

/// A [`LineLog`] as a metric: its lines by outcome.
#[derive(Debug)]
pub(crate) struct LineMetrics {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) log: LineLog,
}

impl Collector for LineMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
        let Queue { written, dropped, failed, .. } = &*self.log.queue;
        for (outcome, count) in [("written", written), ("dropped", dropped), ("failed", failed)] {
            let count = ConstCounter::new(count.load(Ordering::Relaxed));
            count.encode(family.encode_family(&[("outcome", outcome)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for LineLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LineLog").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
