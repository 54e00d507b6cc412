//! Client authorities: which of several vouched for a client, and what one may not vouch for.

use angos_test_ca::{Authority, Leaf};
use angos_tls::{ClientAuth, ClientCa, ExpiryKind, Problem};
use rustls::version;

use crate::client::Client;
use crate::site::Site;

/// A site with the authorities "ops" and "mesh" (SPIFFE domain prod.example) beside the one without a name.
fn site() -> (Site, Authority, Authority) {
    let mut site = Site::required();
    let (ops, mesh) = (Authority::new("Ops CA"), Authority::new("Mesh CA"));
    let named = |name: &str, authority: &Authority| ClientCa::named(name, authority.write(site.path(), name));
    let (first, mut second) = (named("ops", &ops), named("mesh", &mesh));
    second.spiffe_trust_domain = Some("prod.example".to_owned());
    site.settings.clients.cas.extend([first, second]);
    (site, ops, mesh)
}

#[tokio::test]
async fn the_one_that_vouches_is_named() {
    let (site, ops, mesh) = site();
    let acceptor = site.acceptor();
    let alice = || Leaf::client("alice").uri("spiffe://prod.example/ns/a");
    for tls in [&version::TLS12, &version::TLS13] {
        for (issuer, name) in [
            (&site.clients, None),
            (&ops, Some("ops")),
            (&ops.intermediate("Team CA"), Some("ops")),
            (&mesh, Some("mesh")),
            (&mesh.intermediate("Ops CA"), Some("mesh")),
        ] {
            let client = Client::new(&site.servers).tls(tls).with(issuer.issue(&alice()));
            let peer = client.attempt(&acceptor).await.server.unwrap();
            assert_eq!(peer.ca(), name);
            assert_eq!(peer.certificate().unwrap().ca(), name);
        }
    }
}

#[tokio::test]
async fn a_trust_domain_is_demanded_in_the_handshake() {
    let (site, ops, mesh) = site();
    let acceptor = site.acceptor();
    for (issuer, leaf, expected) in [
        (&mesh, Leaf::client("a").uri("spiffe://prod.example/a"), "ok"),
        (&mesh, Leaf::client("a").uri("spiffe://prod.example"), "ok"),
        (&mesh, Leaf::client("a").uri("spiffe://test.example/a"), "name_constraint"),
        (&mesh, Leaf::client("a").uri("spiffe://prod.example.evil/a"), "name_constraint"),
        (&mesh, Leaf::client("a").uri("https://prod.example/a"), "name_constraint"),
        (&mesh, Leaf::client("a").dns("prod.example"), "name_constraint"),
        (&mesh, Leaf::client("a").uri("spiffe://PROD.example/a"), "identity"),
        (&ops, Leaf::client("a").uri("spiffe://test.example/a"), "ok"),
        (&ops, Leaf::client("a"), "ok"),
    ] {
        let described = format!("{leaf:?}");
        let attempt = Client::new(&site.servers).with(issuer.issue(&leaf)).attempt(&acceptor).await;
        let class = attempt.server.map_or_else(|error| error.class(), |_| "ok");
        assert_eq!(class, expected, "{described}");
    }
}

#[test]
fn settings_that_would_be_ambiguous_are_refused() {
    let check = |change: &dyn Fn(&mut Site, &Authority), expected: &str| {
        let (mut site, ops, _) = site();
        change(&mut site, &ops);
        let errors = site.load().map(|_| ()).unwrap_err();
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 1, "{text:?}");
        assert!(text[0].contains(expected), "{text:?}");
    };
    let rename = |place: usize, name: &'static str| {
        move |site: &mut Site, _: &Authority| {
            site.settings.clients.cas[place].name = Some(name.into());
        }
    };
    for bad in [
        "",
        "Ops",
        "o ps",
        "öps",
        "a.b",
        "a_b",
        "0123456789012345678901234567890123456789012345678901234567890123",
    ] {
        check(&move |site, _| site.settings.clients.cas[1].name = Some(bad.into()), "clients.cas[1].name");
    }
    check(&rename(2, "ops"), "clients.cas[2].name: another client authority has the same name");
    for bad in ["", "spiffe://prod.example", "Prod.example", "prod/example", "prod:443"] {
        let change = move |site: &mut Site, _: &Authority| {
            site.settings.clients.cas[2].spiffe_trust_domain = Some(bad.into());
        };
        check(&change, "clients.cas[2].spiffe_trust_domain: this is no SPIFFE trust domain");
    }
    check(
        &|site, ops| {
            let both = format!("{}{}", Authority::new("Other").certificate_pem(), ops.certificate_pem());
            site.settings.clients.cas[2].bundle = site.file("both.pem", both);
        },
        "both.pem: certificate 2 (CN=Ops CA) is also in the bundle of the client authority \"ops\"; keep it in one",
    );
}

#[test]
fn what_ends_is_told() {
    let (site, ops, _) = site();
    let material = site.load().unwrap();
    let told: Vec<_> = material.expiries().iter().map(|expiry| (expiry.kind(), expiry.subject())).collect();
    let authority = ExpiryKind::ClientCa;
    let expected = [
        (ExpiryKind::Server, "CN=localhost"),
        (authority, "CN=Client CA"),
        (authority, "CN=Ops CA"),
        (authority, "CN=Mesh CA"),
    ];
    assert_eq!(told, expected);
    let read = angos_identity::Certificate::from_der(&ops.certificate_der()).unwrap();
    assert_eq!(material.expiries()[2].at(), read.not_after());
    assert_eq!(material.expiries()[2].file(), site.path().join("ops.pem"));
}

#[test]
fn too_many_over_all_bundles() {
    let mut site = Site::required();
    let half = |name: &str| {
        let ca = Authority::new(name).certificate_pem();
        site.file(&format!("{name}.pem"), ca.repeat(513))
    };
    let bundles = [half("a"), half("b")].map(ClientCa::new);
    site.settings.clients.cas = bundles.to_vec();
    let errors = site.load().map(|_| ()).unwrap_err();
    assert!(matches!(errors[..], [ref error] if matches!(error.problem(), Problem::TooManyCas)));
}

#[tokio::test]
async fn a_second_port_may_treat_clients_in_its_own_way() {
    let (site, ops, _) = site();
    let required = site.acceptor();
    let (optional, none) =
        (required.with_client_auth(ClientAuth::Optional), required.with_client_auth(ClientAuth::None));
    let anonymous = Client::new(&site.servers);
    let alice = anonymous.clone().with(ops.issue(&Leaf::client("alice")));
    for (acceptor, client, expected) in [
        (&required, &anonymous, Err("no_certificate")),
        (&required, &alice, Ok(true)),
        (&optional, &anonymous, Ok(false)),
        (&optional, &alice, Ok(true)),
        (&none, &anonymous, Ok(false)),
        (&none, &alice, Ok(false)),
    ] {
        let outcome = client.attempt(acceptor).await.server;
        let outcome = outcome.map(|peer| peer.certificate().is_some()).map_err(|error| error.class());
        assert_eq!(outcome, expected, "{:?}", acceptor.client_auth());
    }
    let nobody = Site::new(None).acceptor().with_client_auth(ClientAuth::Required);
    assert!(anonymous.attempt(&nobody).await.server.is_err());
}
