//! Several server certificates: which one is shown to whom.

use std::path::Path;
use std::sync::Arc;

use angos_test_ca::{Authority, Leaf};
use angos_tls::{Acceptor, ExpiryKind, NamedCertificate, WarningKind};
use rustls::pki_types::ServerName;
use tokio::io::duplex;
use tokio_rustls::TlsConnector;

use crate::client::Client;
use crate::site::Site;

/// A certificate for these DNS names, told apart by its common name.
fn certificate(site: &Site, name: &str, names: &[&str]) -> NamedCertificate {
    write(&site.servers, site.path(), name, names)
}

fn write(authority: &Authority, folder: &Path, name: &str, names: &[&str]) -> NamedCertificate {
    let leaf =
        names.iter().fold(Leaf::new(angos_test_ca::Usage::Server).common_name(name), |leaf, it| leaf.dns(it));
    let (bundle, key) = authority.issue(&leaf).write(folder, name);
    NamedCertificate::new(bundle, key)
}

/// The common name of the certificate a client is shown that asks for `name`, whether it takes it or not.
async fn shown(site: &Site, acceptor: &Acceptor, name: &str) -> String {
    let mut client = Client::new(&site.servers).config();
    client.dangerous().set_certificate_verifier(Arc::new(crate::client::Anything));
    client.resumption = rustls::client::Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(client));
    let (near, far) = duplex(64 * 1024);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (server, client) = tokio::join!(acceptor.accept(far), connector.connect(name, near));
    server.unwrap();
    let stream = client.unwrap();
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    angos_identity::Certificate::from_der(&leaf).unwrap().common_names()[0].clone()
}

#[tokio::test]
async fn the_name_chooses() {
    let mut site = Site::new(None);
    let mut chosen = certificate(&site, "chosen", &["a.chosen.example", "b.chosen.example"]);
    chosen.names = vec!["A.Chosen.example".to_owned()];
    site.settings.certificates = vec![
        certificate(&site, "one", &["one.example", "*.one.example"]),
        certificate(&site, "two", &["two.example", "deep.one.example"]),
        chosen,
    ];
    let acceptor = site.acceptor();
    for (name, expected) in [
        ("one.example", "one"),
        ("ONE.example", "one"),
        ("x.one.example", "one"),
        ("deep.one.example", "two"),
        ("x.y.one.example", "localhost"),
        ("two.example", "two"),
        ("a.chosen.example", "chosen"),
        ("b.chosen.example", "localhost"),
        ("elsewhere.example", "localhost"),
        ("localhost", "localhost"),
        ("127.0.0.1", "localhost"),
    ] {
        assert_eq!(shown(&site, &acceptor, name).await, expected, "{name}");
    }
    let servers = site.load().unwrap().expiries().iter().filter(|it| it.kind() == ExpiryKind::Server).count();
    assert_eq!(servers, 4);
}

#[tokio::test]
async fn they_are_reloaded_together() {
    let mut site = Site::new(None);
    site.settings.certificates = vec![certificate(&site, "one", &["one.example"])];
    let acceptor = site.acceptor();
    let renewed = write(&site.servers, site.path(), "renewed", &["one.example"]);
    std::fs::copy(&renewed.bundle, &site.settings.certificates[0].bundle).unwrap();
    assert!(site.load().is_err(), "half of a renewal");
    std::fs::copy(&renewed.private_key, &site.settings.certificates[0].private_key).unwrap();
    assert_eq!(acceptor.replace(site.load().unwrap()), 2);
    assert_eq!(shown(&site, &acceptor, "one.example").await, "renewed");
    site.settings.certificates[0].names = vec!["two.example".to_owned()];
    assert_eq!(acceptor.replace(site.load().unwrap()), 3);
    assert_eq!(shown(&site, &acceptor, "one.example").await, "localhost");
}

#[test]
fn names_that_cannot_be_meant() {
    let check = |certificates: &dyn Fn(&Site) -> Vec<NamedCertificate>, expected: &str| {
        let mut site = Site::new(None);
        site.settings.certificates = certificates(&site);
        let errors = site.load().map(|_| ()).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].to_string().contains(expected), "{}", errors[0]);
    };
    let named = |site: &Site, names: &[&str]| NamedCertificate {
        names: names.iter().map(ToString::to_string).collect(),
        ..certificate(site, "named", &["named.example"])
    };
    check(
        &|site| {
            vec![certificate(site, "a", &["a.example"]), certificate(site, "b", &["b.example", "A.example"])]
        },
        "certificates[1].names: \"a.example\" is a name of another certificate too; give it to one of them",
    );
    check(
        &|site| vec![named(site, &["named.example", "Named.example"])],
        "certificates[0].names: \"named.example\"",
    );
    check(&|site| vec![certificate(site, "none", &[])], "there is no DNS name in the certificate");
    for bad in ["", "*", "a..b", "*.*.example", "a.*.example", "exa mple", "example.com.", "ex\u{1b}ample"] {
        check(&|site| vec![named(site, &["named.example", bad])], "is no name of a server");
    }
    check(
        &|site| {
            let mut one = certificate(site, "one", &["one.example"]);
            one.private_key = certificate(site, "two", &["two.example"]).private_key;
            vec![one]
        },
        "certificates[0].private_key",
    );
}

#[test]
fn a_certificate_that_is_not_for_its_name_is_warned_about() {
    let mut site = Site::new(None);
    let mut one = certificate(&site, "one", &["*.one.example"]);
    for (names, expected) in [
        (vec!["a.one.example", "*.one.example"], vec![]),
        (vec!["one.example"], vec![WarningKind::ServerNameMissing]),
        (vec!["*.example"], vec![WarningKind::ServerNameMissing]),
    ] {
        one.names = names.iter().map(ToString::to_string).collect();
        site.settings.certificates = vec![one.clone()];
        let material = site.load().unwrap();
        let concerns: Vec<_> = material.warnings().iter().map(angos_tls::Warning::kind).collect();
        assert_eq!(concerns, expected, "{names:?}");
    }
}
