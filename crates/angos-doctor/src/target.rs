//! An address as people write it: scheme, host and port.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The address of a server: `https://HOST:PORT`, `http://HOST:PORT`, or `HOST:PORT` for HTTPS.
///
/// The default ports are 443 and 80. A path is ignored; a user name is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is expected.
    pub(crate) tls: bool,
    /// A DNS name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether the port was written.
    pub(crate) names_port: bool,
}

impl Target {
    /// The registry as image names and names of folders write it.
    pub(crate) fn registry(&self) -> String {
        if self.names_port { self.authority() } else { self.bracketed() }
    }

    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        if self.host.parse::<Ipv6Addr>().is_ok() { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.split_once("://") {
            None => (true, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, _)) => return Err(format!("{scheme}:// is neither https:// nor http://")),
        };
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if place.contains('@') {
            return Err("the address must not contain a user name".to_owned());
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(inside) => {
                let (host, rest) = inside.split_once(']').ok_or("the bracket is not closed")?;
                host.parse::<Ipv6Addr>().map_err(|_| "only an IPv6 address stands in brackets")?;
                (
                    host,
                    if rest.is_empty() {
                        None
                    } else {
                        Some(rest.strip_prefix(':').ok_or("a colon is missing after the bracket")?)
                    },
                )
            }
            None => match place.split_once(':') {
                Some((_, rest)) if rest.contains(':') => {
                    return Err("put an IPv6 address into brackets: [::1]:8443".to_owned());
                }
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        let names_port = port.is_some();
        let port = match port.map(str::parse) {
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
            Some(Ok(0) | Err(_)) => return Err("the port must be a number from 1 to 65535".to_owned()),
            Some(Ok(port)) => port,
        };
        Ok(Self { tls, host: host.to_owned(), port, names_port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, shown) in [
            ("https://registry.example.com:8443", "https://registry.example.com:8443"),
            ("https://registry.example.com/v2/", "https://registry.example.com:443"),
            ("registry.example.com:5000", "https://registry.example.com:5000"),
            ("HTTP://localhost", "http://localhost:80"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("[::1]", "https://[::1]:443"),
            ("127.0.0.1:1", "https://127.0.0.1:1"),
        ] {
            assert_eq!(text.parse::<Target>().expect(text).to_string(), shown);
        }
        for (text, registry) in [
            ("https://x:443", "x:443"),
            ("x", "x"),
            ("x:1/v2/", "x:1"),
            ("[::1]:1", "[::1]:1"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(text.parse::<Target>().expect(text).registry(), registry);
        }
    }

    #[test]
    fn invalid_addresses() {
        for text in [
            "",
            "https://",
            "ftp://x",
            "x:",
            "x:0",
            "x:65536",
            "::1",
            "[::1",
            "[::1]8443",
            "[x]:1",
            "me@x:1",
            ":8443",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
