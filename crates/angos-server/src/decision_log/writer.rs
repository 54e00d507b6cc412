//! The thread that writes: whole batches, to a destination that may be slow, full or gone.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Queue;
use crate::limits::DECISION_LOG_KEPT_BYTES;

pub(super) struct Writer<F, W> {
    queue: Arc<Queue>,
    destination: W,
    open: F,
    /// Whether the last thing written was a part of a line.
    is_torn: bool,
    /// Whether the operator knows that writing fails.
    is_failing: bool,
}

/// What the writer is woken for.
struct Batch {
    lines: Vec<u8>,
    reopen: bool,
    closing: bool,
}

impl<F: FnMut() -> io::Result<W>, W: Write> Writer<F, W> {
    pub(super) fn new(queue: Arc<Queue>, destination: W, open: F) -> Self {
        Self { queue, destination, open, is_torn: false, is_failing: false }
    }

    /// Writes until the log is closed.
    pub(super) fn run(mut self) {
        let mut buffer = Vec::new();
        loop {
            let Batch { lines, reopen, closing } = self.wait(buffer);
            if reopen {
                self.reopen();
            }
            self.write(&lines);
            if closing {
                self.queue.lock().ended = true;
                self.queue.changed.notify_all();
                return;
            }
            buffer = lines;
        }
    }

    /// Waits for something to do; leaves `empty` for the lines to come.
    fn wait(&self, mut empty: Vec<u8>) -> Batch {
        empty.clear();
        empty.shrink_to(DECISION_LOG_KEPT_BYTES);
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
            Err(error) => {
                tracing::error!(target: "angos::policy", %error, "cannot reopen the decision log; the old file stays");
            }
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
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(target: "angos::policy", %error, "cannot write the decision log; decisions are lost");
            }
            Err(_) => {}
        }
    }

    /// How many bytes of `lines` were written, and what stopped it.
    fn attempt(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        if self.is_torn && !lines.is_empty() {
            if let Err(error) = self.destination.write_all(b"\n") {
                return (0, Err(error));
            }
            self.is_torn = false;
        }
        let mut written = 0;
        while let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) {
            match self.destination.write(rest) {
                Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        (written, self.destination.flush())
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.split(|byte| *byte == b'\n').skip(1).count() as u64
}
