//! Whatever chain a client presents: it is let in with the one leaf whose key it holds, as that was issued, or not at all.
#![no_main]

mod site;

use angos_tls::Material;
use libfuzzer_sys::fuzz_target;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject as _};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::sync::{Arc, OnceLock};

const LEAF: &[u8] = include_bytes!("../seeds/client.der");
const KEY: &[u8] = include_bytes!("../seeds/client.key.der");

// The first byte chooses the version of TLS.
fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let chain: Vec<_> = site::row(input).into_iter().map(CertificateDer::from).collect();
    if chain.is_empty() {
        return;
    }
    let is_ours = chain[0].as_ref() == LEAF;
    let mut server = ServerConnection::new(server()).unwrap();
    let localhost = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(client(chain, choice % 2 == 0), localhost).unwrap();
    let accepted = shake(&mut client, &mut server);
    assert!(is_ours || !accepted, "a leaf that nobody issued was let in");
});

fn server() -> Arc<ServerConfig> {
    static SERVER: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let load = || Arc::clone(Material::load(&site::settings("authority.pem")).unwrap().server_config());
    Arc::clone(SERVER.get_or_init(load))
}

fn client(chain: Vec<CertificateDer<'static>>, newest: bool) -> Arc<ClientConfig> {
    static PARTS: OnceLock<(Arc<RootCertStore>, Arc<dyn SigningKey>)> = OnceLock::new();
    let (roots, key) = PARTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(include_bytes!("../seeds/authority.pem")).unwrap()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY));
        (Arc::new(roots), aws_lc_rs::sign::any_supported_type(&key).unwrap())
    });
    let version = if newest { &rustls::version::TLS13 } else { &rustls::version::TLS12 };
    let certified = CertifiedKey::new(chain, Arc::clone(key));
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(Arc::clone(roots))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    Arc::new(config)
}

/// Whether the server let the client in.
fn shake(client: &mut ClientConnection, server: &mut ServerConnection) -> bool {
    for _round in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = &wire[..];
        while !wire.is_empty() {
            if server.read_tls(&mut wire).is_err() || server.process_new_packets().is_err() {
                return false;
            }
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = &wire[..];
        while !wire.is_empty() {
            if client.read_tls(&mut wire).is_err() || client.process_new_packets().is_err() {
                return false;
            }
        }
        if !client.is_handshaking() && !server.is_handshaking() {
            return true;
        }
    }
    false
}
