//! Peers that are no registry with TLS, or none at all.

use super::{ANYONE, check, doctor};
use crate::harness::Setup;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A peer that does the same with everybody who comes, until the test ends.
fn peer(act: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            act(stream);
        }
    });
    address.to_string()
}

/// A peer that hears the first of what is said to it and answers always the same.
fn answering(answer: &'static [u8]) -> String {
    peer(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
    })
}

#[test]
fn peers_that_speak_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let rows: [(&'static [u8], &[&str], &str); 9] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", &["plain_http"], "HTTP/1.1 400 Bad Request"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", &["not_tls"], "SSH-2.0-OpenSSH_9.2"),
        (b"\x1b[31mred\r\n", &["not_tls"], "\\u{1b}[31mred"),
        (b"", &["connection_closed"], "in mid-handshake"),
        (&[21, 3, 3, 0, 2, 2, 70], &["protocol_version"], "protocol_version (70)"),
        (&[21, 3, 3, 0, 2, 2, 40], &["no_common_parameters"], "handshake_failure (40)"),
        (&[21, 3, 3, 0, 2, 2, 120], &["alpn"], "no_application_protocol (120)"),
        (&[21, 3, 3, 0, 2, 2, 112], &["server_name_unknown"], "unrecognized_name (112)"),
        (&[21, 3, 3, 0, 2, 2, 80], &["server_error"], "internal_error (80)"),
    ];
    for (answer, names, words) in rows {
        check(folder.path(), &[&answering(answer)], names, words);
    }
    let alert = answering(&[21, 3, 3, 0, 2, 2, 10]);
    check(folder.path(), &[&alert], &["alert"], "unexpected_message (10)");
    // A ServerHello of TLS 1.0, without extensions.
    let old = [&[22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let old = answering(old.leak());
    check(folder.path(), &[&old], &["protocol_version"], "before 1.2");
}

#[test]
fn plain_http_is_known_by_asking() {
    let folder = tempfile::tempdir().unwrap();
    // It closes at the first message of TLS, and answers only its own language.
    let shy = peer(|mut stream| {
        let mut begin = [0; 3];
        if stream.read_exact(&mut begin).is_ok() && &begin == b"GET" {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    check(folder.path(), &[&shy], &["plain_http"], "HTTP/1.1 200 OK");
    let registry = Setup::plain(ANYONE).start();
    let address = registry.address.to_string();
    check(folder.path(), &[&address], &["plain_http"], "HTTP/1.1");
    check(folder.path(), &[&format!("http://{address}")], &["no_tls"], "as the address says");
}

#[test]
fn an_address_that_says_http_where_tls_is_spoken() {
    let registry = Setup::mutual("optional", ANYONE).start();
    let address = format!("http://{}", registry.address);
    check(registry.folder.path(), &[&address], &["tls_on_http"], "answers TLS");
    let neither = format!("http://{}", answering(b"220 mail.example.com ESMTP\r\n"));
    check(registry.folder.path(), &[&neither], &["not_tls"], "220 mail.example.com");
}

#[test]
fn nobody_there() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    check(folder.path(), &[&closed], &["connection_refused"], &closed);
    let found = doctor(folder.path(), &["https://nowhere.invalid:8443"]);
    assert_eq!(found.names(), ["name_not_resolved"], "{}", found.text);
    let found = doctor(folder.path(), &["https://*bad*name:8443"]);
    assert_eq!(found.names(), ["name_not_resolved"], "{}", found.text);
}

/// A balancer that says in front of everything for whom it speaks, to a registry that does not listen to that.
#[test]
fn a_balancer_that_adds_a_line() {
    let registry = Setup::mutual("optional", ANYONE).start();
    let behind = registry.address;
    let balancer = peer(move |mut client| {
        let mut server = TcpStream::connect(behind).unwrap();
        server.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n").unwrap();
        let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        let _ = std::io::copy(&mut server, &mut client);
    });
    check(registry.folder.path(), &[&balancer], &["hello_changed"], "decode_error (50)");
}

#[test]
fn another_service_behind_tls() {
    // The management surface of another port is no registry.
    let registry = Setup::mutual("optional", ANYONE).server("[server.management]\nport = 0\n").start();
    registry.wait_for_log("management listening");
    let log = registry.log();
    let line = log.lines().find(|it| it.contains("management listening")).unwrap();
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let found = doctor(registry.folder.path(), &[&format!("http://{address}")]);
    assert_eq!(found.names(), ["no_tls", "no_registry"], "{}", found.text);
}

/// A port whose queue is full: the kernel answers no further client.
#[test]
fn nobody_takes_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let (address, _full) = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        (listener.local_addr().unwrap(), listener)
    });
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(500));
    let waiting: Vec<_> = std::iter::repeat_with(connect).take_while(Result::is_ok).take(64).collect();
    assert!(waiting.len() < 64, "the queue has no end");
    let arguments = [&*address.to_string(), "--timeout", "1"];
    check(folder.path(), &arguments, &["connection_timeout"], "did not answer within 1 s");
}

#[test]
fn an_address_that_cannot_be_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    // No connection leads to everybody at once.
    check(folder.path(), &["https://255.255.255.255:1"], &["connection_failed"], "255.255.255.255:1: ");
}

/// Peers that never end do not keep the doctor, and those that never stop do not fill it.
#[test]
fn peers_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let silent = peer(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let started = Instant::now();
    let found = doctor(folder.path(), &[&silent, "--timeout", "1"]);
    assert_eq!(found.names(), ["handshake_timeout"], "{}", found.text);
    assert!(started.elapsed() < Duration::from_secs(20));
    for record in [
        vec![23, 3, 3, 0, 1, 0],
        [&[22, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat(),
        vec![21, 3, 3, 0, 2, 1, 90],
    ] {
        let chatter = peer(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            while stream.write_all(&record.repeat(100)).is_ok() {}
        });
        let found = doctor(folder.path(), &[&chatter, "--timeout", "10"]);
        assert_eq!(found.code, 1, "{}", found.text);
        assert_eq!(found.names().len(), 1, "{}", found.text);
    }
}
