//! Peers that speak TLS, and say in it what no registry of ours would.

use super::{check, write};
use angos_test_ca::{Authority, Issued, Leaf};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, SignatureScheme, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

/// A server with this certificate, whatever it is, that answers every request with 200.
fn serve(
    issued: &Issued,
    clients: Arc<dyn ClientCertVerifier>,
    change: impl FnOnce(&mut ServerConfig),
) -> String {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key_der.clone()));
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let key = CertifiedKey::new(vec![CertificateDer::from(issued.certificate_der.clone())], key);
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    change(&mut config);
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            // Whoever leaves early is not waited for.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                let _ = stream.read(&mut [0; 4096]);
            }
        }
    });
    format!("https://localhost:{port}")
}

fn nobody() -> Arc<dyn ClientCertVerifier> {
    WebPkiClientVerifier::no_client_auth()
}

/// An authority and its certificate in a folder, for clients that trust it.
fn fixture() -> (tempfile::TempDir, Authority) {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("CA"));
    authority.write(folder.path(), "ca");
    (folder, authority)
}

#[test]
fn a_server_certificate_that_nobody_understands() {
    let (folder, authority) = fixture();
    let odd = authority.issue(&Leaf::server(["localhost"]).extension(&[1, 2, 3], true, b"\x05\x00"));
    let address = serve(&odd, nobody(), |_| ());
    check(
        folder.path(),
        &[&address, "--ca", "ca.pem"],
        &["server_certificate_bad"],
        "it has a critical extension that is not understood.",
    );
}

#[test]
fn a_server_for_keys_of_another_kind() {
    let (folder, authority) = fixture();
    write(&authority.issue(&Leaf::client("alice")), folder.path(), "client");
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate_der().into()).unwrap();
    let all = aws_lc_rs::default_provider().signature_verification_algorithms;
    let place = all.mapping.iter().position(|(scheme, _)| *scheme == SignatureScheme::ED25519).unwrap();
    let provider = CryptoProvider {
        signature_verification_algorithms: WebPkiSupportedAlgorithms {
            all: all.all,
            mapping: &all.mapping[place..=place],
        },
        ..aws_lc_rs::default_provider()
    };
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider))
        .allow_unauthenticated()
        .build()
        .unwrap();
    let address = serve(&authority.issue(&Leaf::server(["localhost"])), verifier, |_| ());
    let arguments = [&*address, "--ca", "ca.pem", "--cert", "client.pem", "--key", "client.key"];
    check(folder.path(), &arguments, &["key_kind_refused"], "none that this key can make");
}

#[test]
fn a_server_that_hands_out_tickets_without_end() {
    let (folder, authority) = fixture();
    let issued = authority.issue(&Leaf::server(["localhost"]));
    let address = serve(&issued, nobody(), |config| config.send_tls13_tickets = 10_000);
    check(folder.path(), &[&address, "--ca", "ca.pem"], &["too_much_data"], "cut off");
}
