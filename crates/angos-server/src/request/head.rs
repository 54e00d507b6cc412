//! Checks of a request head that hyper leaves to its users.

use hyper::Version;
use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;

/// Whether every reader understands the head alike: exactly one `Host` (RFC 9112 §3.2), and no transfer coding but
/// `chunked` (§6.1), because a reader that does not know a coding cannot find the end of the body. A proxy in between
/// could read any other head differently.
pub(crate) fn is_unambiguous(head: &Parts) -> bool {
    let hosts = head.headers.get_all(HOST).iter().count();
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let is_plain = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    (head.version != Version::HTTP_11 || hosts == 1) && hosts <= 1 && is_plain && codings.next().is_none()
}
