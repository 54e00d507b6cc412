//! Reads the lines of an untrusted file: each within a length limit, and with a limit on bytes and lines without a
//! decision.

use std::io::{self, BufRead};

use crate::limits::{REPLAY_LINE_MAX_BYTES, REPLAY_UNREADABLE_MAX_BYTES, REPLAY_UNREADABLE_MAX_LINES};

/// One line, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// It was skipped.
    TooLong,
}

/// The amount read since the last decision.
#[derive(Default)]
struct Unreadable {
    bytes: u64,
    lines: u64,
}

/// Reads line by line in one buffer.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
    unreadable: Unreadable,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, unreadable: Unreadable::default() }
    }

    /// The last line was a decision.
    pub(super) fn accept(&mut self) {
        self.unreadable = Unreadable::default();
    }

    /// The next line that is not empty, and its number from 1. Fails when [`REPLAY_UNREADABLE_MAX_BYTES`] or
    /// [`REPLAY_UNREADABLE_MAX_LINES`] were read without an [accepted](Self::accept) line.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        loop {
            self.buffer.clear();
            let Some(fits) = self.read()? else { return Ok(None) };
            self.number += 1;
            if !fits {
                return Ok(Some((self.number, Line::TooLong)));
            }
            if !self.buffer.is_empty() {
                return Ok(Some((self.number, Line::Whole(&self.buffer))));
            }
        }
    }

    /// Reads to the end of the line; whether it fitted. `None` at the end of the file.
    fn read(&mut self) -> io::Result<Option<bool>> {
        let (mut is_some, mut fits) = (false, true);
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok(is_some.then_some(fits));
            }
            is_some = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            fits &= self.buffer.len() + part.len() <= REPLAY_LINE_MAX_BYTES;
            if fits {
                self.buffer.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            self.unreadable.bytes += used as u64;
            self.unreadable.lines += u64::from(end.is_some());
            self.unreadable.check(self.number + 1)?;
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

impl Unreadable {
    /// Fails when it is too much; `line` is the current one.
    fn check(&self, line: u64) -> io::Result<()> {
        let amount = if self.bytes > REPLAY_UNREADABLE_MAX_BYTES {
            format!("{} MiB", REPLAY_UNREADABLE_MAX_BYTES >> 20)
        } else if self.lines > REPLAY_UNREADABLE_MAX_LINES {
            format!("{REPLAY_UNREADABLE_MAX_LINES} lines")
        } else {
            return Ok(());
        };
        let words = format!("{amount} up to line {line} hold no decision: is this a decision log?");
        Err(io::Error::new(io::ErrorKind::InvalidData, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repeats these bytes.
    struct Endless(&'static [u8]);

    impl io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let whole = buffer.len() - buffer.len() % self.0.len();
            buffer[..whole].chunks_mut(self.0.len()).for_each(|place| place.copy_from_slice(self.0));
            Ok(whole)
        }
    }

    #[track_caller]
    fn check(text: &[u8], expected: &[(u64, Option<&[u8]>)]) {
        for capacity in [1, 3, 64 * 1024] {
            let mut lines = Lines::new(io::BufReader::with_capacity(capacity, text));
            for (number, line) in expected {
                let line = line.map_or(Line::TooLong, Line::Whole);
                assert_eq!(lines.next().unwrap(), Some((*number, line)));
            }
            assert_eq!(lines.next().unwrap(), None);
            assert!(lines.buffer.capacity() <= 2 * REPLAY_LINE_MAX_BYTES);
        }
    }

    #[test]
    fn an_endless_file_without_decisions_is_an_error() {
        for (unit, words) in
            [(&b"y\n"[..], "100000 lines up to line 100001 "), (b"\0", "16 MiB up to line 1 ")]
        {
            let mut lines = Lines::new(io::BufReader::new(Endless(unit)));
            let error = loop {
                match lines.next() {
                    Ok(line) => assert!(line.is_some(), "not at the end"),
                    Err(error) => break error,
                }
            };
            let expected = format!("{words}hold no decision: is this a decision log?");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn lines_are_numbered_and_bounded() {
        check(b"", &[]);
        check(b"a", &[(1, Some(b"a"))]);
        check(b"a\n\nb\r\n\n", &[(1, Some(b"a")), (3, Some(b"b\r"))]);
        let long = vec![b'x'; REPLAY_LINE_MAX_BYTES];
        check(&[&long[..], b"\nb"].concat(), &[(1, Some(&long)), (2, Some(b"b"))]);
        check(
            &[&long[..], &long, b"x\nb\n", &long, b"xx"].concat(),
            &[(1, None), (2, Some(b"b")), (3, None)],
        );
    }
}
