//! Every kind of client certificate × client authentication mode × TLS version.

use angos_test_ca::{Authority, Leaf, Usage};
use angos_tls::{ClientAuth, ClientCa};
use rustls::{AlertDescription as Alert, version};

use crate::client::{Client, Credential};
use crate::site::Site;

const CA_CONSTRAINT: &[u64] = &[2, 5, 29, 19];

/// A client certificate, the class it must be refused with (`ok`: it must not), and the alert its holder sees.
struct Row {
    name: &'static str,
    credential: Option<Credential>,
    class: &'static str,
    alert: Option<Alert>,
}

fn row(
    name: &'static str,
    credential: impl Into<Credential>,
    class: &'static str,
    alert: impl Into<Option<Alert>>,
) -> Row {
    Row { name, credential: Some(credential.into()), class, alert: alert.into() }
}

fn alice() -> Leaf {
    Leaf::client("alice").organization("DevOps")
}

fn good(clients: &Authority) -> Vec<Row> {
    vec![
        row("good", clients.issue(&alice()), "ok", None),
        row("client and server usage", clients.issue(&alice().usage(Usage::Both)), "ok", None),
        row("no extended key usage", clients.issue(&alice().usage(Usage::None)), "ok", None),
        row("with its intermediate", clients.intermediate("Team CA").issue(&alice()), "ok", None),
        Row {
            name: "none",
            credential: None,
            class: "no_certificate",
            alert: Some(Alert::CertificateRequired),
        },
    ]
}

fn of_another_authority(clients: &Authority) -> Vec<Row> {
    let below = clients.intermediate("Forgotten CA").issue(&alice());
    let alone = Credential { chain: vec![below.certificate_der], key: below.key_der };
    let stranger = Authority::new("Another CA");
    let brought = stranger.intermediate("Below").issue(&alice());
    let impostor = Authority::new("Client CA");
    vec![
        row("without its intermediate", alone, "unknown_ca", Alert::UnknownCA),
        row("self-signed", Authority::new("alice").as_client(), "self_signed", Alert::UnknownCA),
        row(
            "of a CA in capitals",
            Authority::new("CLIENT CA").issue(&alice()),
            "issuer_name",
            Alert::UnknownCA,
        ),
        row("of another authority", stranger.issue(&alice()), "unknown_ca", Alert::UnknownCA),
        row("of another authority, brought along", brought, "unknown_ca", Alert::UnknownCA),
        row(
            "of an authority of the same name",
            impostor.issue(&alice()),
            "bad_signature",
            Alert::DecryptError,
        ),
    ]
}

fn out_of_place(clients: &Authority) -> Vec<Row> {
    let issue = |leaf: &Leaf| clients.issue(leaf);
    let (a, b) = (issue(&alice()), issue(&alice()));
    let stolen = Credential { chain: a.chain_der, key: b.key_der };
    vec![
        row("expired", issue(&alice().expired()), "expired", Alert::CertificateExpired),
        row("not yet valid", issue(&alice().not_yet_valid()), "not_yet_valid", Alert::CertificateExpired),
        row(
            "server only",
            issue(&alice().usage(Usage::Server)),
            "wrong_usage",
            Alert::UnsupportedCertificate,
        ),
        row(
            "another usage",
            issue(&alice().usage(Usage::Other)),
            "wrong_usage",
            Alert::UnsupportedCertificate,
        ),
        row(
            "a key that only encrypts",
            issue(&alice().key_usage(Some(angos_test_ca::KEY_ENCIPHERMENT))),
            "key_usage",
            Alert::UnsupportedCertificate,
        ),
        row("someone else's key", stolen, "bad_signature", Alert::DecryptError),
    ]
}

fn malformed(clients: &Authority) -> Vec<Row> {
    let two_ids = alice().uri("spiffe://a.example/x").uri("spiffe://b.example/y");
    let odd = alice().extension(&[1, 2, 3, 4], true, b"\x05\x00");
    let twice = alice().extension(CA_CONSTRAINT, true, b"\x30\x03\x01\x01\xff");
    let key = clients.issue(&alice()).key_der;
    let nothing = Credential { chain: vec![b"\x30\x03\x02\x01\x01".to_vec()], key: key.clone() };
    let authority = Credential { chain: vec![clients.certificate_der()], key };
    vec![
        row("two SPIFFE ids", clients.issue(&two_ids), "identity", Alert::BadCertificate),
        row("unknown critical extension", clients.issue(&odd), "bad_certificate", Alert::CertificateUnknown),
        row("an extension twice", clients.issue(&twice), "bad_certificate", Alert::CertificateUnknown),
        row("no certificate at all", nothing, "bad_certificate", Alert::BadCertificate),
        row("the CA itself", authority, "ca_as_client", Alert::CertificateUnknown),
    ]
}

async fn check_mode(mode: Option<ClientAuth>) {
    let site = Site::new(mode);
    let acceptor = site.acceptor();
    assert_eq!(acceptor.client_auth(), mode.unwrap_or(ClientAuth::None));
    let rows = [good, of_another_authority, out_of_place, malformed].map(|rows| rows(&site.clients));
    for row in rows.into_iter().flatten() {
        for tls in [&version::TLS12, &version::TLS13] {
            let name = format!("{} in {mode:?} under {:?}", row.name, tls.version);
            let mut client = Client::new(&site.servers).tls(tls);
            client.credential.clone_from(&row.credential);
            let attempt = client.attempt(&acceptor).await;
            let anonymous =
                mode.is_none() || (mode == Some(ClientAuth::Optional) && row.credential.is_none());
            if anonymous || row.class == "ok" {
                let peer = attempt.server.unwrap_or_else(|error| panic!("{name}: {error}"));
                let subject = peer.certificate().map(|certificate| certificate.subject().to_owned());
                assert_eq!(subject.is_none(), anonymous, "{name}: {subject:?}");
                assert!(subject.is_none_or(|subject| subject.contains("CN=alice")), "{name}");
                assert_eq!(attempt.client.as_deref(), Ok("welcome"), "{name}");
            } else {
                let error = attempt.server.err().unwrap_or_else(|| panic!("{name}: accepted"));
                assert_eq!(error.class(), row.class, "{name}: {error:?}");
                assert_eq!(error.certificate().is_some(), row.credential.is_some(), "{name}");
                // rustls answers a missing certificate in TLS 1.2, which has no word for it, alike.
                assert_eq!(attempt.client, Err(row.alert), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn required() {
    check_mode(Some(ClientAuth::Required)).await;
}

#[tokio::test]
async fn optional_never_makes_an_invalid_certificate_anonymous() {
    check_mode(Some(ClientAuth::Optional)).await;
}

#[tokio::test]
async fn without_authorities_nobody_is_asked() {
    check_mode(None).await;
}

#[tokio::test]
async fn an_embedder_with_the_bare_configuration_is_as_strict() {
    let site = Site::required();
    let two_ids = Leaf::client("alice").uri("spiffe://a.example/x").uri("spiffe://b.example/y");
    let client = Client::new(&site.servers).with(site.clients.issue(&two_ids));
    let bare = tokio_rustls::TlsAcceptor::from(site.acceptor().server_config());
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (server, _client) = tokio::join!(bare.accept(far), client.connect(near));
    assert!(server.is_err());
}

#[tokio::test]
async fn more_authorities_than_fit_a_hint_still_verify() {
    let mut site = Site::required();
    // 75 KiB of names: more than TLS has room for.
    let many: Vec<_> = (0..550).map(|i| Authority::new(&format!("{i:0>120}"))).collect();
    let bundle: String = many.iter().map(Authority::certificate_pem).collect();
    site.settings.clients.cas = vec![ClientCa::new(site.file("many.pem", bundle))];
    let acceptor = site.acceptor();
    for tls in [&version::TLS12, &version::TLS13] {
        let client = Client::new(&site.servers).tls(tls);
        let good = client.clone().with(many[549].issue(&Leaf::client("alice"))).attempt(&acceptor).await;
        assert_eq!(good.client.as_deref(), Ok("welcome"));
        let bad = client.with(site.clients.issue(&Leaf::client("alice"))).attempt(&acceptor).await;
        assert_eq!(bad.server.unwrap_err().class(), "unknown_ca");
    }
}

#[tokio::test]
async fn a_forgotten_intermediate_is_told_once_somebody_has_sent_it() {
    let mut site = Site::required();
    let acceptor = site.acceptor();
    let team = site.clients.intermediate("Team CA");
    let whole = team.issue(&alice());
    let alone = Credential { chain: vec![whole.certificate_der.clone()], key: whole.key_der.clone() };
    let offer = async |credential: Credential| {
        let mut client = Client::new(&site.servers);
        client.credential = Some(credential);
        client.attempt(&acceptor).await.server.map(|_| ()).map_err(|error| (error.class(), error.to_string()))
    };
    assert_eq!(offer(alone.clone()).await.unwrap_err().0, "unknown_ca");
    assert_eq!(offer(whole.into()).await, Ok(()));
    let (class, words) = offer(alone.clone()).await.unwrap_err();
    assert_eq!(class, "incomplete_chain");
    assert!(words.contains("the certificate of its issuer CN=Team CA was not sent with it"), "{words}");
    // A stranger's certificates teach nothing.
    let stranger = Authority::new("Another CA").intermediate("Strange CA").issue(&alice());
    let strange = Credential { chain: vec![stranger.certificate_der.clone()], key: stranger.key_der.clone() };
    assert_eq!(offer(stranger.into()).await.unwrap_err().0, "unknown_ca");
    assert_eq!(offer(strange).await.unwrap_err().0, "unknown_ca");
    // What was learnt outlives a reload.
    site.settings.clients.auth = ClientAuth::Optional;
    acceptor.replace(site.load().unwrap());
    let mut client = Client::new(&site.servers);
    client.credential = Some(alone);
    assert_eq!(client.attempt(&acceptor).await.server.unwrap_err().class(), "incomplete_chain");
}
