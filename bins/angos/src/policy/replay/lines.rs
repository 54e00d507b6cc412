//! Lines of a file somebody else wrote: as many as there are, none longer than its bound.

use std::io::{self, BufRead};

use crate::limits::REPLAY_LINE_MAX_BYTES;

/// One line, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// It was passed over.
    TooLong,
}

/// Reads line by line in one buffer.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0 }
    }

    /// The next line that is not empty, and its number from 1.
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
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
