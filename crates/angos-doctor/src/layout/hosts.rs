//! containerd's `hosts.toml`, as far as TLS goes: the files it gives to a client of a registry.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// One host of a `hosts.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// Its address as written, with or without `https://`; empty for keys above the first table without `server`.
    pub(crate) address: String,
    /// Files of CAs (`ca`).
    pub(crate) cas: Vec<PathBuf>,
    /// Client certificates (`client`), each with its key unless that is in the same file.
    pub(crate) clients: Vec<(PathBuf, Option<PathBuf>)>,
    /// Whether any server is trusted (`skip_verify`).
    pub(crate) skips_verification: bool,
}

/// Reads the text of a `hosts.toml` in `folder`, which relative paths start at. The hosts come as containerd would try
/// them but for the order of tables; the last is `server`. The error says what containerd would not take.
pub(crate) fn parse_hosts(text: &str, folder: &Path) -> Result<Vec<Host>, String> {
    let document: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let mut hosts = Vec::new();
    match document.get("host") {
        None => {}
        Some(Value::Table(tables)) => {
            for (address, keys) in tables {
                let keys = keys.as_table().ok_or_else(|| format!("host.\"{address}\" is not a table"))?;
                hosts.push(host(address, keys, folder)?);
            }
        }
        Some(_) => return Err("`host` is not a table".to_owned()),
    }
    let server = match document.get("server") {
        None => "",
        Some(value) => value.as_str().ok_or("`server` is not a string")?,
    };
    hosts.push(host(server, &document, folder)?);
    Ok(hosts)
}

fn host(address: &str, keys: &Table, folder: &Path) -> Result<Host, String> {
    let path = |value: &Value, key: &str| {
        value.as_str().map(|text| folder.join(text)).ok_or_else(|| format!("`{key}` must hold paths"))
    };
    let cas = match keys.get("ca") {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(|it| path(it, "ca")).collect::<Result<_, _>>()?,
        Some(one) => vec![path(one, "ca")?],
    };
    let client = |value: &Value| match value {
        Value::Array(pair) => match pair.as_slice() {
            [certificate, key] => Ok((path(certificate, "client")?, Some(path(key, "client")?))),
            _ => Err("a pair of `client` must have two files".to_owned()),
        },
        both => Ok((path(both, "client")?, None)),
    };
    let clients = match keys.get("client") {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(client).collect::<Result<_, _>>()?,
        Some(one) => vec![client(one)?],
    };
    let skips_verification = match keys.get("skip_verify") {
        None => false,
        Some(value) => value.as_bool().ok_or("`skip_verify` is neither true nor false")?,
    };
    Ok(Host { address: address.to_owned(), cas, clients, skips_verification })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Host>, String> {
        parse_hosts(text, Path::new("/hosts"))
    }

    #[test]
    fn every_form_of_client_and_ca() {
        let at = |name: &str| Path::new("/hosts").join(name);
        let check = |keys: &str, cas: &[&str], clients: &[(&str, Option<&str>)]| {
            let hosts = parse(&format!("[host.\"https://x\"]\n{keys}\n")).unwrap();
            let expected = Host {
                address: "https://x".to_owned(),
                cas: cas.iter().map(|it| at(it)).collect(),
                clients: clients.iter().map(|(one, two)| (at(one), two.map(at))).collect(),
                skips_verification: false,
            };
            assert_eq!(hosts, [expected, Host::default()], "{keys}");
        };
        check("", &[], &[]);
        check("ca = 'ca.crt'", &["ca.crt"], &[]);
        check("ca = ['a.crt', '/b.crt']", &["a.crt", "/b.crt"], &[]);
        check("client = 'both.pem'", &[], &[("both.pem", None)]);
        check("client = ['a.pem', 'b.pem']", &[], &[("a.pem", None), ("b.pem", None)]);
        check(
            "client = [['a.cert', 'a.key'], ['b.cert', '/b.key']]",
            &[],
            &[("a.cert", Some("a.key")), ("b.cert", Some("/b.key"))],
        );
    }

    #[test]
    fn keys_above_the_tables_belong_to_the_server() {
        let hosts = parse("server = 'https://y'\nca = 'y.crt'\nskip_verify = true\n[host.x]\n").unwrap();
        assert_eq!(hosts.len(), 2);
        assert_eq!((hosts[0].address.as_str(), hosts[0].cas.len()), ("x", 0));
        assert_eq!((hosts[1].address.as_str(), hosts[1].cas.len()), ("https://y", 1));
        assert!(hosts[1].skips_verification && !hosts[0].skips_verification);
    }

    #[test]
    fn what_containerd_does_not_take() {
        for text in [
            "[host",
            "host = 1",
            "host.x = 1",
            "server = 1",
            "ca = 1",
            "ca = [1]",
            "client = [['one']]",
            "client = [['a', 'b', 'c']]",
            "client = [[1, 2]]",
            "client = 1",
            "skip_verify = 'yes'",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
