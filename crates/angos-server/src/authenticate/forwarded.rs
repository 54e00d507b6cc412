//! Whose request a trusted proxy brings: `X-Forwarded-For` and `Forwarded` (RFC 7239), read from the right.
//!
//! Each proxy adds the address it saw at the right end, so the first address from the right that is no trusted proxy
//! is the client's; everything left of it is the client's own invention. What cannot be read there is refused: taking
//! a proxy's address instead would give the client the proxy's rights.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Why it is not clear on whose behalf a trusted proxy asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForwardedError {
    /// The client's place holds no IP address.
    #[error("a trusted proxy forwards for something that is no IP address")]
    Unreadable,
    /// The two headers name different clients: one of them was written by the client.
    #[error("the Forwarded and X-Forwarded-For headers of a trusted proxy contradict each other")]
    Contradiction,
}

/// The client's address: the peer's own unless the peer is a trusted proxy that names another.
pub(super) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted_proxies: &[IpNet],
) -> Result<IpAddr, ForwardedError> {
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|network| network.contains(&address));
    let peer = peer.to_canonical();
    if !is_trusted(peer) {
        return Ok(peer);
    }
    let known_media_type = rightmost(entries(headers, &X_FORWARDED_FOR), address, is_trusted)?;
    let standard = rightmost(entries(headers, &FORWARDED), forwarded_for, is_trusted)?;
    match (known_media_type, standard) {
        (Some(known_media_type), Some(standard)) if known_media_type != standard => {
            Err(ForwardedError::Contradiction)
        }
        (known_media_type, standard) => Ok(known_media_type.or(standard).unwrap_or(peer)),
    }
}

/// The list elements of a header, rightmost first, over all its lines.
fn entries<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = Result<&'a str, ForwardedError>> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    lines.into_iter().rev().flat_map(|line| match line.to_str() {
        Ok(text) => outside_quotes(text, ',').into_iter().rev().map(|entry| Ok(entry.trim())).collect(),
        Err(_) => vec![Err(ForwardedError::Unreadable)],
    })
}

/// The first address that is not trusted, or else the last one there is.
fn rightmost<'a>(
    entries: impl Iterator<Item = Result<&'a str, ForwardedError>>,
    read: fn(&str) -> Option<IpAddr>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<Option<IpAddr>, ForwardedError> {
    let mut found = None;
    for entry in entries {
        let address = read(entry?).ok_or(ForwardedError::Unreadable)?.to_canonical();
        found = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    Ok(found)
}

/// An address, perhaps with a port, perhaps an IPv6 address in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip())).or_else(bare)
}

/// The `for` parameter of one element of `Forwarded`. None of its forms that are addresses needs an escape.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in outside_quotes(element, ';') {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            let value = value.trim();
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            if found.replace(address(value)?).is_some() {
                return None; // twice, so either could be meant
            }
        }
    }
    found
}

/// Splits at a separator that does not stand inside of double quotes. A quote that is never closed takes the rest.
fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character: char| {
        if escaped {
            escaped = false;
        } else if quoted && character == '\\' {
            escaped = true;
        } else if character == '"' {
            quoted = !quoted;
        } else if !quoted && character == separator {
            return true;
        }
        false
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    const PROXY: &str = "10.0.0.1";

    fn check(peer: &str, lines: &[(&HeaderName, &str)], expected: Result<&str, ForwardedError>) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let found = client_address(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(found.map(|address| address.to_string()), expected.map(str::to_owned), "{peer} {lines:?}");
    }

    #[test]
    fn headers_of_strangers_are_ignored() {
        check("192.0.2.1", &[(&X_FORWARDED_FOR, "198.51.100.9")], Ok("192.0.2.1"));
        check("192.0.2.1", &[(&FORWARDED, "for=198.51.100.9")], Ok("192.0.2.1"));
        check("192.0.2.1", &[(&X_FORWARDED_FOR, "garbage")], Ok("192.0.2.1"));
        check("::ffff:192.0.2.1", &[(&X_FORWARDED_FOR, "198.51.100.9")], Ok("192.0.2.1"));
    }

    #[test]
    fn the_rightmost_stranger_is_the_client() {
        let check = |value: &str, expected| check(PROXY, &[(&X_FORWARDED_FOR, value)], expected);
        check("198.51.100.9", Ok("198.51.100.9"));
        check("1.1.1.1, 198.51.100.9", Ok("198.51.100.9"));
        check("1.1.1.1,198.51.100.9 ,10.2.3.4,fd00::1", Ok("198.51.100.9"));
        check("10.9.9.9, 10.2.3.4", Ok("10.9.9.9"));
        check("198.51.100.9:4711", Ok("198.51.100.9"));
        check("2001:db8::7", Ok("2001:db8::7"));
        check("[2001:db8::7]", Ok("2001:db8::7"));
        check("[2001:db8::7]:4711", Ok("2001:db8::7"));
        check("::ffff:198.51.100.9", Ok("198.51.100.9"));
        check("garbage, 198.51.100.9", Ok("198.51.100.9")); // the client's invention
        check("", Err(ForwardedError::Unreadable));
        check("unknown", Err(ForwardedError::Unreadable));
        check("198.51.100.9,", Err(ForwardedError::Unreadable));
        check("198.51.100.9, unknown, 10.2.3.4", Err(ForwardedError::Unreadable));
        check("[198.51.100.9]", Err(ForwardedError::Unreadable));
        check("198.51.100.9\u{e4}", Err(ForwardedError::Unreadable));
    }

    #[test]
    fn all_lines_count_in_their_order() {
        check(
            PROXY,
            &[(&X_FORWARDED_FOR, "1.1.1.1"), (&X_FORWARDED_FOR, "198.51.100.9")],
            Ok("198.51.100.9"),
        );
        check(
            PROXY,
            &[(&X_FORWARDED_FOR, "198.51.100.9"), (&X_FORWARDED_FOR, "10.2.3.4")],
            Ok("198.51.100.9"),
        );
        check(PROXY, &[], Ok(PROXY));
    }

    #[test]
    fn the_standard_header_is_read_too() {
        let check = |value: &str, expected: Result<&str, ForwardedError>| {
            check(PROXY, &[(&FORWARDED, value)], expected);
        };
        check("for=198.51.100.9", Ok("198.51.100.9"));
        check("For=\"[2001:db8::7]:4711\";proto=https", Ok("2001:db8::7"));
        check("for=1.1.1.1, proto=https ; FOR=198.51.100.9;host=\"a,b;for=2.2.2.2\"", Ok("198.51.100.9"));
        check("for=198.51.100.9, for=10.2.3.4", Ok("198.51.100.9"));
        check("for=198.51.100.9;for=10.2.3.4", Err(ForwardedError::Unreadable));
        check("for=_hidden", Err(ForwardedError::Unreadable));
        check("for=unknown", Err(ForwardedError::Unreadable));
        check("proto=https", Err(ForwardedError::Unreadable));
        check("for=\"198.51.100.9", Err(ForwardedError::Unreadable));
        check("host=\"\\\", for=198.51.100.9", Err(ForwardedError::Unreadable));
    }

    #[test]
    fn contradictions_are_refused() {
        let client = (&X_FORWARDED_FOR, "198.51.100.9");
        check(PROXY, &[client, (&FORWARDED, "for=198.51.100.9")], Ok("198.51.100.9"));
        check(PROXY, &[client, (&FORWARDED, "for=192.0.2.77")], Err(ForwardedError::Contradiction));
        check(PROXY, &[client, (&FORWARDED, "for=10.1.1.1")], Err(ForwardedError::Contradiction));
    }
}
