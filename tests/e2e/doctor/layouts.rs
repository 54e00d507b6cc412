//! Folders of Docker, Podman and containerd with one thing wrong each.

use super::{check, doctor, registry, write};
use crate::harness::Registry;
use angos_test_ca::{Authority, Issued, Leaf};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with ca.crt, client.cert and client.key, as it should be.
fn folder_of(authority: &Authority, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    write(&authority.issue(&Leaf::client("alice")), folder, "client");
    fs::rename(folder.join("client.pem"), folder.join("client.cert")).unwrap();
    fs::write(folder.join("ca.crt"), authority.certificate_pem()).unwrap();
}

fn good() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    folder_of(&Authority::new("CA"), folder.path());
    folder
}

/// A change of a good folder, what is found then, and words of the explanation.
type Row<'a> = (&'a dyn Fn(&Path), &'a [&'a str], &'a str);

#[test]
fn files_of_certs_d() {
    let rename = |from: &'static str, to: &'static str| {
        move |folder: &Path| fs::rename(folder.join(from), folder.join(to)).unwrap()
    };
    let remove = |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).unwrap();
    let copy = |from: &'static str, to: &'static str| {
        move |folder: &Path| assert!(fs::copy(folder.join(from), folder.join(to)).is_ok())
    };
    let both = |folder: &Path| {
        remove("client.cert")(folder);
        remove("client.key")(folder);
    };
    let rows: [Row<'_>; 10] = [
        (&|_| (), &[], ""),
        (&remove("client.key"), &["layout_key_missing"], "no client.key beside it"),
        (&remove("client.cert"), &["layout_certificate_missing"], "no client.cert beside it"),
        (&rename("client.cert", "other.cert"), &["layout_certificate_missing", "layout_key_missing"], ""),
        (
            &rename("client.cert", "client.crt"),
            &["layout_client_named_crt"],
            "As client.cert it would be shown",
        ),
        (&copy("ca.crt", "ca.cert"), &["layout_ca_named_cert"], "As ca.crt it would be trusted"),
        (&rename("ca.crt", "ca.pem"), &["layout_ignored_file"], "with this ending are not read"),
        (&both, &["layout_no_client"], "no .cert with its .key"),
        (&copy("client.key", "client.cert"), &["wrong_file"], "holds a private key"),
        (&copy("client.key", "ca.key"), &["layout_ca_key"], "beside ca.crt, which is a CA"),
    ];
    for style in ["--docker-certs-d", "--containers-certs-d"] {
        for (change, names, words) in &rows {
            let folder = good();
            change(folder.path());
            check(folder.path(), &[style, "."], names, words);
        }
    }
}

/// A registry, and `certs.d` with a folder of this name for it.
fn with_folder(name: impl Fn(&str) -> String) -> (Registry, String) {
    let (registry, address) = registry("required");
    let host = address.strip_prefix("https://").unwrap().to_owned();
    folder_of(&registry.pki.authority, &registry.folder.path().join("certs.d").join(name(&host)));
    (registry, address)
}

#[test]
fn the_folder_is_named_after_the_registry() {
    let (registry, address) = with_folder(str::to_owned);
    let folder = registry.folder.path();
    check(folder, &[&address, "--containers-certs-d", "certs.d"], &[], "");
    // Docker reads nothing for loopback addresses, however good the folder is.
    check(folder, &[&address, "--docker-certs-d", "certs.d"], &["layout_loopback"], "localhost is 127.0.0.1");
    let found = doctor(folder, &[&address, "--containers-certs-d", "nowhere"]);
    assert_eq!(found.names(), ["layout_no_folder", "server_not_trusted"], "{}", found.text);

    let (registry, address) = with_folder(|_| "localhost".to_owned());
    let found = doctor(registry.folder.path(), &[&address, "--containers-certs-d", "certs.d"]);
    assert_eq!(found.names(), ["layout_no_folder", "server_not_trusted"], "{}", found.text);
    assert!(found.words().contains("There is localhost."), "{}", found.text);
    // Named as a whole, it is read, and its name is found to be wrong.
    let arguments = [&*address, "--containers-certs-d", "certs.d/localhost"];
    check(registry.folder.path(), &arguments, &["layout_no_folder"], "The folder is called localhost");
}

/// Two pairs in one folder: the runtime shows the first whose issuer the server names.
#[test]
fn the_other_certificates_of_a_folder() {
    let (registry, address) = with_folder(str::to_owned);
    let host = address.strip_prefix("https://").unwrap();
    let folder = registry.folder.path().join("certs.d").join(host);
    let put = |issued: &Issued, stem: &str| {
        write(issued, &folder, stem);
        fs::rename(folder.join(stem).with_extension("pem"), folder.join(stem).with_extension("cert"))
            .unwrap();
    };
    let (ours, theirs) = (&registry.pki.authority, &registry.pki.stranger);
    let leaf = || Leaf::client("alice");
    let rows: [(&str, Issued, &[&str], &str); 5] = [
        ("a", ours.issue(&leaf()), &[], "client.cert: would be accepted too, but "),
        ("z", ours.issue(&leaf()), &[], "z.cert: would be accepted too, but "),
        (
            "a",
            theirs.issue(&leaf()),
            &["layout_pair_not_shown"],
            "does not accept the issuer or the key of this one",
        ),
        (
            "z",
            ours.issue(&leaf().expired()),
            &["client_expired", "layout_pair_not_shown"],
            "client.cert comes before it. This one would be refused (client_expired).",
        ),
        // The one that ended comes first, is shown, and keeps the good one from being shown.
        ("a", ours.issue(&leaf().expired()), &["client_expired"], "client.cert: would be accepted too, but "),
    ];
    for (stem, issued, names, words) in rows {
        put(&issued, stem);
        for more in [&[&*address][..], &["-c", "config.toml"]] {
            let arguments = [more, &["--containers-certs-d", folder.to_str().unwrap()]].concat();
            let found = doctor(registry.folder.path(), &arguments);
            assert_eq!(found.names(), names, "{stem}: {}", found.text);
            assert!(found.text.contains(words), "no {words:?} in:\n{}", found.text);
        }
        for ending in ["cert", "key"] {
            fs::remove_file(folder.join(stem).with_extension(ending)).unwrap();
        }
    }
    // However many there are, only so many are tried.
    for number in 0..17 {
        put(&ours.issue(&leaf()), &format!("z{number}"));
    }
    let arguments = ["-c", "config.toml", "--containers-certs-d", folder.to_str().unwrap()];
    let found = doctor(registry.folder.path(), &arguments);
    assert_eq!(found.names(), [] as [&str; 0], "{}", found.text);
    assert!(found.text.contains("further client certificates, not tried: 2\n"), "{}", found.text);
    for number in 0..17 {
        for ending in ["cert", "key"] {
            fs::remove_file(folder.join(format!("z{number}.{ending}"))).unwrap();
        }
    }
    // None of them is: both are told of.
    put(&theirs.issue(&leaf()), "a");
    put(&theirs.issue(&leaf()), "client");
    let found = doctor(registry.folder.path(), &[&*address, "--containers-certs-d", "certs.d"]);
    assert_eq!(found.names(), ["unknown_ca", "unknown_ca"], "{}", found.text);
}

#[test]
fn folders_of_containerd() {
    for name in [
        |host: &str| host.to_owned(),
        |host: &str| host.replace(':', "_") + "_",
        |_: &str| "_default".to_owned(),
    ] {
        let (registry, address) = with_folder(name);
        check(registry.folder.path(), &[&address, "--containerd-hosts", "certs.d"], &[], "");
    }
}

/// Runs `angos doctor` on each of these as the `hosts.toml` of a registry.
struct HostsFile {
    registry: Registry,
    address: String,
    folder: std::path::PathBuf,
}

const CLIENT_PAIR: &str = "client = [[\"client.cert\", \"client.key\"]]";

impl HostsFile {
    fn new() -> Self {
        let (registry, address) = with_folder(str::to_owned);
        let host = address.strip_prefix("https://").unwrap();
        let folder = registry.folder.path().join("certs.d").join(host);
        let together = fs::read_to_string(folder.join("client.cert")).unwrap()
            + &fs::read_to_string(folder.join("client.key")).unwrap();
        fs::write(folder.join("both.pem"), together).unwrap();
        super::make_private(&folder.join("both.pem"));
        Self { registry, address, folder }
    }

    #[track_caller]
    fn check(&self, rows: &[(String, &[&str], &str)]) {
        let Self { registry, address, folder } = self;
        for (text, names, words) in rows {
            fs::write(folder.join("hosts.toml"), text).unwrap();
            check(registry.folder.path(), &[address, "--containerd-hosts", "certs.d"], names, words);
            let file = folder.join("hosts.toml");
            let arguments = [address, "--containerd-hosts", file.to_str().unwrap()];
            check(registry.folder.path(), &arguments, names, words);
        }
    }
}

#[test]
fn every_mistake_in_hosts_toml() {
    let hosts = HostsFile::new();
    let (address, pair) = (&hosts.address, CLIENT_PAIR);
    let untrusted: &[&str] = &["server_not_trusted", "layout_hosts_other"];
    hosts.check(&[
        (format!("[host.\"{address}\"]\nca = \"ca.crt\"\n{pair}\n"), &[], ""),
        (format!("[host.\"{address}\"]\nca = [\"ca.crt\"]\nclient = \"both.pem\"\n"), &[], ""),
        (
            format!("[host.\"{address}\"]\nca = \"ca.crt\"\nclient = [\"client.cert\", \"client.key\"]\n"),
            &["layout_hosts_not_nested"],
            "holds a key and no certificate",
        ),
        (format!("ca = \"ca.crt\"\n{pair}\n[host.\"{address}\"]\n"), untrusted, "above the first table"),
        (
            format!("[host.\"https://other:1\"]\nca = \"ca.crt\"\n{pair}\n"),
            untrusted,
            "It names https://other:1",
        ),
        (
            format!("[host.\"{address}\"]\nca = \"ca.crt\"\n"),
            &["certificate_required", "layout_hosts_other"],
            "`client` is not set",
        ),
        (
            format!("[host.\"{address}\"]\nca = \"ca.crt\"\nskip_verify = true\n{pair}\n"),
            &["layout_skip_verify"],
            "It is set for",
        ),
        (format!("[host.\"{address}\"\n"), &["layout_hosts_invalid", "server_not_trusted"], ""),
    ]);
}

#[test]
fn how_containerd_sends_requests() {
    let hosts = HostsFile::new();
    let (address, pair) = (&hosts.address, CLIENT_PAIR);
    let plain = address.replace("https://", "http://");
    hosts.check(&[
        (
            format!("server = \"{address}\"\nca = \"ca.crt\"\n{pair}\n"),
            &["layout_hosts_no_table"],
            "has no [host] table",
        ),
        (format!("ca = \"ca.crt\"\n{pair}\n"), &["layout_hosts_no_table"], ""),
        (
            format!("[host.\"{plain}\"]\nca = \"ca.crt\"\n{pair}\n"),
            &["layout_hosts_plain"],
            "newer versions try HTTPS first",
        ),
        (
            format!("[host.\"{address}/mirror\"]\nca = \"ca.crt\"\n{pair}\n"),
            &["layout_hosts_path"],
            "below `/mirror/v2/`",
        ),
        (format!("[host.\"{address}/v2\"]\noverride_path = true\nca = \"ca.crt\"\n{pair}\n"), &[], ""),
        (
            format!("[host.\"{address}\"]\ncapabilities = [\"pull\"]\nca = \"ca.crt\"\n{pair}\n"),
            &["layout_hosts_capabilities"],
            "do not include resolve and push",
        ),
        (
            format!(
                "[host.\"{address}\"]\nca = \"ca.crt\"\n{pair}\nheader = {{ Authorization = \"Basic eA==\" }}\n"
            ),
            &["layout_hosts_authorization"],
            "It is set for",
        ),
    ]);
}
