//! What a log survives: slow, full and broken destinations, and the end of its own thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
const QUEUE_BYTES: usize = 64 * 1024;

/// A destination that tells the test what is written, and does with it what the test says.
struct Destination {
    told: Sender<Vec<u8>>,
    answers: Receiver<io::Result<usize>>,
}

impl Write for Destination {
    /// Panics when the test is no longer there to answer.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.told.send(bytes.to_vec()).unwrap();
        self.answers.recv().unwrap()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log, and the test's ends of its destination.
struct Tested {
    log: LineLog,
    heard: Receiver<Vec<u8>>,
    answer: Sender<io::Result<usize>>,
    reports: Receiver<String>,
}

impl Tested {
    fn start() -> Self {
        let ((told, heard), (answer, answers)) = (channel(), channel());
        let (report, reports) = channel();
        let mut destination = Some(Destination { told, answers });
        let open = move || destination.take().ok_or(io::ErrorKind::NotFound.into());
        let report = move |event: LineLogEvent| report.send(format!("{event:?}")).unwrap_or_default();
        let log = LineLog::start("tested", QUEUE_BYTES, open, report).unwrap();
        Self { log, heard, answer, reports }
    }

    #[track_caller]
    fn assert_written(&self, expected: &[u8], answer: io::Result<usize>) {
        assert_eq!(
            self.heard.recv_timeout(PATIENCE).unwrap().escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        self.answer.send(answer).unwrap();
    }

    /// Waits until the counts of written, dropped and failed lines are these: the writer counts after it has written.
    #[track_caller]
    fn assert_counts(&self, expected: [u64; 3]) {
        let started = Instant::now();
        while counts(&self.log) != expected {
            assert!(started.elapsed() < PATIENCE, "{:?} and not {expected:?}", counts(&self.log));
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[track_caller]
    fn assert_reported(&self, expected: &str) {
        let reported = self.reports.recv_timeout(PATIENCE).unwrap();
        assert!(reported.contains(expected), "{reported} and not {expected}");
    }
}

fn counts(log: &LineLog) -> [u64; 3] {
    let Queue { written, dropped, failed, .. } = &*log.queue;
    [written, dropped, failed].map(|count| count.load(Ordering::Relaxed))
}

#[test]
fn a_slow_destination_delays_no_caller_and_takes_no_memory() {
    let tested = Tested::start();
    tested.log.push(b"first\n");
    assert_eq!(tested.heard.recv_timeout(PATIENCE).unwrap(), b"first\n"); // and the writer stands still
    let line = [vec![b'x'; 1023], b"\n".to_vec()].concat();
    let fitting = QUEUE_BYTES / line.len();
    for _ in 0..fitting + 7 {
        tested.log.push(&line);
    }
    assert!(tested.log.queue.lock().pending.len() <= QUEUE_BYTES);
    tested.assert_counts([0, 7, 0]);
    tested.log.close(Duration::from_millis(10)); // and no longer, though nothing is written
    tested.log.push(b"late\n");
    tested.assert_counts([0, 8, 0]);
    tested.answer.send(Ok(6)).unwrap();
    tested.assert_reported("Recovered { lost: 8 }");
    assert_eq!(tested.heard.recv_timeout(PATIENCE).unwrap().len(), fitting * line.len());
}

#[test]
fn a_full_disk_loses_lines_and_spoils_none() {
    let tested = Tested::start();
    let full = || Err(io::ErrorKind::StorageFull.into());
    tested.log.push(b"one\ntwo\nthree\n");
    tested.assert_written(b"one\ntwo\nthree\n", Ok(6)); // in the middle of the second line
    tested.assert_written(b"o\nthree\n", full());
    tested.assert_counts([1, 0, 2]);
    tested.log.push(b"four\n");
    tested.assert_written(b"\n", full()); // the rest of a line is ended first
    tested.assert_counts([1, 0, 3]);
    tested.assert_reported("Failed");
    assert!(tested.reports.try_recv().is_err(), "a failure is reported once");
    tested.log.push(b"five\n");
    tested.assert_written(b"\n", Ok(1));
    tested.assert_written(b"five\n", Ok(5));
    tested.assert_counts([2, 0, 3]);
    tested.assert_reported("Recovered { lost: 3 }");
    tested.log.push(b"six\n");
    tested.assert_written(b"six\n", full());
    tested.assert_reported("Failed");
    tested.log.push(b"seven\n");
    tested.assert_written(b"seven\n", Ok(6));
    tested.assert_reported("Recovered { lost: 1 }");
}

#[test]
fn a_pipe_without_room_is_tried_again() {
    let tested = Tested::start();
    tested.log.push(b"line\n");
    for _ in 0..3 {
        tested.assert_written(b"line\n", Err(io::ErrorKind::WouldBlock.into()));
    }
    tested.assert_written(b"line\n", Ok(2));
    tested.assert_written(b"ne\n", Ok(3));
    tested.assert_counts([1, 0, 0]);
}

#[test]
fn a_destination_that_cannot_be_reopened_stays() {
    let tested = Tested::start();
    tested.log.reopen(); // opens once, at the start
    tested.log.push(b"line\n");
    tested.assert_written(b"line\n", Ok(5));
    tested.assert_reported("NotReopened");
    tested.log.close(PATIENCE);
    assert_eq!(counts(&tested.log), [1, 0, 0]);
    let refused = || Err::<io::Sink, _>(io::ErrorKind::PermissionDenied.into());
    assert!(LineLog::start("tested", QUEUE_BYTES, refused, drop).is_err());
}

/// A thread that is gone takes no memory, keeps nobody from ending, and is noticed.
#[tokio::test]
async fn the_end_of_the_thread_is_noticed() {
    let Tested { log, heard, answer, .. } = Tested::start();
    assert!(!log.has_ended());
    drop((heard, answer)); // the next write panics
    log.push(b"line\n");
    tokio::time::timeout(PATIENCE, log.ended()).await.unwrap();
    assert!(log.has_ended());
    log.push(b"late\n");
    assert!(log.queue.lock().pending.is_empty());
    assert_eq!(counts(&log)[1], 1);
    log.close(PATIENCE);
}
