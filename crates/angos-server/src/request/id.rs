//! The name of one request: in its response, its log lines and every error the client sees.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderValue;

const TEXT_BYTES: usize = 32;

/// Hands out request ids, unique in this process and, through a random part, among restarts and replicas.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// Starts a new series.
    pub(crate) fn new() -> Self {
        // Without entropy ids would only be unique in this process, which is no reason not to serve.
        Self { process: getrandom::u64().unwrap_or_default(), next: AtomicU64::new(1) }
    }

    /// The next id, without allocating.
    pub(crate) fn next(&self) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId((u128::from(self.process) << 64) | u128::from(count))
    }
}

/// 128 bits, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId(u128);

impl RequestId {
    /// The value of `X-Request-Id`.
    pub(crate) fn header(self) -> HeaderValue {
        let mut text = [b'0'; TEXT_BYTES];
        let mut rest = self.0;
        for digit in text.iter_mut().rev() {
            let nibble = u32::try_from(rest & 0xf).unwrap_or_default();
            *digit = char::from_digit(nibble, 16).map_or(b'0', |hex| hex as u8);
            rest >>= 4;
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_log_spell_an_id_alike() {
        let ids = RequestIds::new();
        let (first, second) = (ids.next(), ids.next());
        assert_eq!(first.header().to_str().expect("ascii"), first.to_string());
        assert_eq!(first.to_string().len(), TEXT_BYTES);
        assert_ne!(first, second);
        assert_eq!(first.to_string()[..16], second.to_string()[..16], "same process, same prefix");
    }
}
