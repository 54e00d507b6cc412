//! containerd's `hosts.toml`: which files, paths and capabilities it gives to a client of a registry.

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
    /// The capabilities it lacks, of `pull`, `resolve` and `push`.
    pub(crate) lacks: Vec<&'static str>,
    /// The path below which containerd sends its requests; the registry is at `/v2`.
    pub(crate) path: String,
    /// Whether `header` sets `Authorization`.
    pub(crate) sends_authorization: bool,
}

/// A `hosts.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    /// As containerd tries them but for the order of tables; the last is `server`, or the registry itself without one.
    pub(crate) hosts: Vec<Host>,
    /// Whether there is a `[host]` table. containerd 1 refuses a file without one.
    pub(crate) has_table: bool,
}

impl Host {
    /// Whether the address begins with `http://`.
    pub(crate) fn is_plain(&self) -> bool {
        self.address.starts_with("http://")
    }

    /// Whether a file or `skip_verify` configures TLS; newer versions of containerd then try HTTPS in spite of `http://`.
    pub(crate) fn has_tls_settings(&self) -> bool {
        !self.cas.is_empty() || !self.clients.is_empty() || self.skips_verification
    }
}

const CAPABILITIES: [&str; 3] = ["pull", "resolve", "push"];

/// Reads the text of a `hosts.toml` in `folder`, which relative paths start at. The error says why containerd refuses the
/// file.
pub(crate) fn parse_hosts(text: &str, folder: &Path) -> Result<Hosts, String> {
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
    Ok(Hosts { hosts, has_table: document.contains_key("host") })
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
    Ok(Host {
        address: address.to_owned(),
        cas,
        clients,
        skips_verification,
        lacks: lacking(keys)?,
        path: request_path(address, keys)?,
        sends_authorization: sends_authorization(keys)?,
    })
}

/// The capabilities that a host lacks; without `capabilities`, or with an empty list, it has all.
fn lacking(keys: &Table) -> Result<Vec<&'static str>, String> {
    let Some(value) = keys.get("capabilities") else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or("`capabilities` is not a list")?;
    let mut named = Vec::new();
    for value in list {
        let word = value.as_str().ok_or("`capabilities` must hold strings")?.to_ascii_lowercase();
        let known = CAPABILITIES.into_iter().find(|known| *known == word);
        named.push(
            known.ok_or_else(|| format!("`{word}` is no capability; they are pull, resolve and push"))?,
        );
    }
    if named.is_empty() {
        return Ok(Vec::new());
    }
    Ok(CAPABILITIES.into_iter().filter(|known| !named.contains(known)).collect())
}

/// The path of the address, with `/v2` at its end unless `override_path` is set.
fn request_path(address: &str, keys: &Table) -> Result<String, String> {
    let is_whole = match keys.get("override_path") {
        None => false,
        Some(value) => value.as_bool().ok_or("`override_path` is neither true nor false")?,
    };
    let place = address.split_once("://").map_or(address, |(_, place)| place);
    let path = place.find('/').and_then(|at| place.get(at..)).unwrap_or_default().trim_end_matches('/');
    let needs_version = !is_whole && !path.ends_with("/v2");
    Ok(if needs_version { format!("{path}/v2") } else { path.to_owned() })
}

/// Whether `header` sets `Authorization`; its values must be strings or lists of strings.
fn sends_authorization(keys: &Table) -> Result<bool, String> {
    let Some(value) = keys.get("header") else { return Ok(false) };
    let headers = value.as_table().ok_or("`header` is not a table")?;
    for (name, value) in headers {
        let is_text = value.is_str() || value.as_array().is_some_and(|all| all.iter().all(Value::is_str));
        if !is_text {
            return Err(format!("header.{name} is neither a string nor a list of strings"));
        }
    }
    Ok(headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Host>, String> {
        parse_hosts(text, Path::new("/hosts")).map(|found| found.hosts)
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
                path: "/v2".to_owned(),
                ..Host::default()
            };
            let server = Host { path: "/v2".to_owned(), ..Host::default() };
            assert_eq!(hosts, [expected, server], "{keys}");
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
    fn paths_capabilities_and_headers() {
        let check = |address: &str, keys: &str, path: &str, lacks: &[&str], authorization: bool| {
            let hosts = parse(&format!("[host.\"{address}\"]\n{keys}\n")).unwrap();
            let host = &hosts[0];
            assert_eq!(
                (host.path.as_str(), &host.lacks[..], host.sends_authorization),
                (path, lacks, authorization),
                "{address} {keys}"
            );
        };
        check("https://x", "", "/v2", &[], false);
        check("x:1/", "", "/v2", &[], false);
        check("https://x/v2", "", "/v2", &[], false);
        check("https://x/prefix", "", "/prefix/v2", &[], false);
        check("https://x/v2", "override_path = true", "/v2", &[], false);
        check("https://x", "override_path = true", "", &[], false);
        check("https://x", "capabilities = []", "/v2", &[], false);
        check("https://x", "capabilities = ['Pull', 'resolve']", "/v2", &["push"], false);
        check("https://x", "capabilities = ['push']", "/v2", &["pull", "resolve"], false);
        check("https://x", "header = { x = 'y', AUTHORIZATION = ['Basic eA=='] }", "/v2", &[], true);
        assert!(parse_hosts("[host.x]", Path::new("/")).unwrap().has_table);
        assert!(!parse_hosts("ca = 'a'", Path::new("/")).unwrap().has_table);
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
            "capabilities = ['read']",
            "capabilities = 'pull'",
            "override_path = 1",
            "header = 1",
            "[header]\nx = 1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
