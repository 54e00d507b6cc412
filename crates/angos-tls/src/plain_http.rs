//! A client that speaks HTTP without TLS to the port: recognized by its first bytes, and answered so that it can be read.

use std::fmt;

/// Length of the longest method name that is looked for, and the space behind it.
const METHODS: [&[u8]; 8] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"PRI * "];

/// The answer, after which the connection is closed. It repeats nothing of what the client sent.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
Content-Length: 61\r\n\
Connection: close\r\n\
\r\n\
This port speaks HTTPS, and the request was sent without TLS\n";

/// The first bytes of a connection are those of an HTTP request.
#[derive(Debug)]
pub(crate) struct PlainHttp;

impl fmt::Display for PlainHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an HTTP request was sent without TLS")
    }
}

impl std::error::Error for PlainHttp {}

/// Whether these first bytes of a connection begin an HTTP request. A TLS record begins with a byte below 32.
pub(crate) fn is_request(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| bytes.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn requests_are_recognized() {
        for request in ["GET /v2/ HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "DELETE /"] {
            assert!(is_request(request.as_bytes()), "{request}");
        }
        for other in [&b"\x16\x03\x01\x02\x00"[..], b"", b"GE", b"SSH-2.0-x", b"get / HTTP/1.1"] {
            assert!(!is_request(other), "{other:?}");
        }
    }
}
