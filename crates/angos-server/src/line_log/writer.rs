//! The thread that writes: whole batches, to a destination that may be slow, full or gone.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use super::{LineLogEvent, Queue, count};
use crate::limits::{LINE_LOG_BUFFER_BYTES, LINE_LOG_RETRY};

pub(super) struct Writer<F, W, R> {
    queue: Arc<Queue>,
    destination: W,
    open: F,
    report: R,
    /// Whether the last thing written was a part of a line.
    is_torn: bool,
    /// Whether the operator knows that writing fails.
    is_failing: bool,
    /// Lost lines that the operator knows of.
    reported: u64,
}

/// What the writer is woken for.
struct Batch {
    lines: Vec<u8>,
    reopen: bool,
    closing: bool,
}

/// Marks the queue as ended, also when the thread panics: nothing is queued for a thread that is gone.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        state.pending = Vec::new();
        drop(state);
        self.0.changed.notify_all();
    }
}

impl<F, W, R> Writer<F, W, R>
where
    F: FnMut() -> io::Result<W>,
    W: Write,
    R: FnMut(LineLogEvent),
{
    pub(super) fn new(queue: Arc<Queue>, destination: W, open: F, report: R) -> Self {
        Self { queue, destination, open, report, is_torn: false, is_failing: false, reported: 0 }
    }

    /// Writes until the log is closed.
    pub(super) fn run(mut self) {
        let _end = End(Arc::clone(&self.queue));
        let mut buffer = Vec::new();
        loop {
            let Batch { lines, reopen, closing } = self.wait(buffer);
            if reopen {
                self.reopen();
            }
            self.write(&lines);
            if closing {
                return;
            }
            buffer = lines;
        }
    }

    /// Waits for something to do; leaves `empty` for the lines to come.
    fn wait(&self, mut empty: Vec<u8>) -> Batch {
        empty.clear();
        empty.shrink_to(LINE_LOG_BUFFER_BYTES);
        let mut state = self.queue.lock();
        while state.pending.is_empty() && !state.reopen && !state.closing {
            state = match self.queue.changed.wait(state) {
                Ok(state) => state,
                Err(poisoned) => poisoned.into_inner(),
            };
        }
        let lines = mem::replace(&mut state.pending, empty);
        Batch { lines, reopen: mem::take(&mut state.reopen), closing: state.closing }
    }

    fn reopen(&mut self) {
        match (self.open)() {
            Ok(destination) => {
                self.destination = destination;
                self.is_torn = false;
            }
            Err(error) => (self.report)(LineLogEvent::NotReopened(error)),
        }
    }

    /// Writes whole lines, as many as can be written. What is left of a line that could not be finished is ended by a
    /// line break as soon as one can be written, so that it spoils no other line.
    fn write(&mut self, lines: &[u8]) {
        let (written, outcome) = self.attempt(lines);
        let (done, lost) = lines.split_at_checked(written).unwrap_or((lines, &[]));
        self.queue.written.fetch_add(count(done), Ordering::Relaxed);
        self.queue.failed.fetch_add(count(lost), Ordering::Relaxed);
        if let Some(last) = done.last() {
            self.is_torn = *last != b'\n';
        }
        match outcome {
            Ok(()) if done.is_empty() => {}
            Ok(()) => self.succeeded(),
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                (self.report)(LineLogEvent::Failed(error));
            }
            Err(_) => {}
        }
    }

    fn succeeded(&mut self) {
        self.is_failing = false;
        let lost = self
            .queue
            .dropped
            .load(Ordering::Relaxed)
            .saturating_add(self.queue.failed.load(Ordering::Relaxed));
        let news = lost.saturating_sub(mem::replace(&mut self.reported, lost));
        if news > 0 {
            (self.report)(LineLogEvent::Recovered { lost: news });
        }
    }

    /// How many bytes of `lines` were written, and what stopped it.
    fn attempt(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        if self.is_torn && !lines.is_empty() {
            if let Err(error) = self.write_all(b"\n").1 {
                return (0, Err(error));
            }
            self.is_torn = false;
        }
        match self.write_all(lines) {
            (written, Ok(())) => (written, self.destination.flush()),
            stopped => stopped,
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.destination.write(rest) {
                Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another process that shares the pipe made it non-blocking. It has no room now; only this thread waits.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(LINE_LOG_RETRY),
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }
}
