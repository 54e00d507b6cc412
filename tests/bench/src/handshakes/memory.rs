//! A handshake of rustls with both ends in memory: no socket, no runtime, no acceptor.

use super::site::{Site, server_name};
use super::{Kind, WARM_UP, microseconds, since, thread_time};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection};
use std::sync::Arc;
use std::time::Duration;

/// Microseconds of the server's half of a handshake, over a slice.
pub(super) fn cost(kind: &Kind, site: &Site) -> f64 {
    let (config, dialers) = (site.bare(kind), site.dialers(kind));
    let mut spent = Duration::ZERO;
    for (number, dialer) in dialers.into_iter().enumerate() {
        let (cost, how) = shake_hands(&config, dialer);
        if number >= WARM_UP {
            assert_eq!(how == HandshakeKind::Resumed, kind.resumes);
            spent += cost;
        }
    }
    microseconds(spent)
}

/// What the server's end cost, and what kind of handshake it was.
fn shake_hands(config: &Arc<ServerConfig>, dialer: Arc<ClientConfig>) -> (Duration, HandshakeKind) {
    let mut client = ClientConnection::new(dialer, server_name()).unwrap();
    let began = thread_time();
    let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut spent = since(began);
    let (mut there, mut back) = (Vec::new(), Vec::new());
    loop {
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        if there.is_empty() {
            break;
        }
        let began = thread_time();
        let mut unread = there.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets().unwrap();
        }
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        spent += since(began);
        let mut unread = back.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().unwrap();
        }
        there.clear();
        back.clear();
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    let kind = server.handshake_kind().unwrap();
    let began = thread_time();
    drop(server);
    (spent + since(began), kind)
}
