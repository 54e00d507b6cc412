//! The example of the README, compiled and run: an echo service that serves clients with a certificate.

use angos_test_ca::{Authority, Leaf};
use angos_tls::{ClientCa, Protocol};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::Client;
use crate::site::Site;

/// Longest a wait may take; a machine under load needs most of it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[allow(dead_code, reason = "its main is not ours")]
#[path = "../../examples/echo.rs"]
mod echo;

#[tokio::test]
async fn the_example_echoes_to_clients_with_a_certificate_only() {
    let site = Site::required();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = site.acceptor();
    let serving = async { echo::serve(listener, acceptor).await.unwrap() };

    let alice = site.clients.issue(&Leaf::client("alice"));
    let fingerprint =
        angos_identity::Certificate::from_der(&alice.certificate_der).unwrap().fingerprint().to_owned();
    let known = Client::new(&site.servers).with(alice);
    let calls = async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let (from, body) = call(&known, address, protocol).await;
            assert_eq!((from, body), (fingerprint.clone(), "hello".into()), "{protocol:?}");
        }
        let unknown = Client::new(&site.servers);
        let mut stream = unknown.connect(TcpStream::connect(address).await.unwrap()).await.unwrap();
        assert!(stream.read_to_end(&mut Vec::new()).await.is_err());
    };
    tokio::select! {
        () = serving => panic!("the service ended"),
        () = calls => {}
    }
}

/// A client that is let in under both sets stays; one whose authority is gone is closed without having to ask.
#[tokio::test]
async fn the_example_drains_whom_nobody_vouches_for_any_more() {
    let mut site = Site::required();
    let stays = Authority::new("Stays");
    let both = site.file("both.pem", site.clients.certificate_pem() + &stays.certificate_pem());
    site.settings.clients.cas = vec![ClientCa::new(both)];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, acceptor) = (listener.local_addr().unwrap(), site.acceptor());
    let serving = echo::serve(listener, acceptor.clone());
    let calls = async {
        let client =
            |issuer: &Authority| Client::new(&site.servers).with(issuer.issue(&Leaf::client("alice")));
        let mut kept = Vec::new();
        for issuer in [&site.clients, &stays] {
            let socket = TcpStream::connect(address).await.unwrap();
            let mut stream = client(issuer).connect(socket).await.unwrap();
            echoes(&mut stream).await;
            kept.push(stream);
        }
        let mut over_http2 = client(&site.clients);
        over_http2.alpn = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(address).await.unwrap();
        let io = TokioIo::new(over_http2.connect(socket).await.unwrap());
        let (_sender, connection) =
            hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io)
                .await
                .unwrap();
        let over_http2 = tokio::spawn(connection);

        site.file("both.pem", stays.certificate_pem());
        acceptor.replace(site.load().unwrap());
        let closed = timeout(PATIENCE, kept[0].read_to_end(&mut Vec::new())).await.expect("it is closed");
        assert_eq!(closed.unwrap(), 0, "politely");
        timeout(PATIENCE, over_http2).await.expect("it is closed").unwrap().unwrap();
        echoes(&mut kept[1]).await;
    };
    tokio::select! {
        ended = serving => panic!("the service ended: {ended:?}"),
        () = calls => {}
    }
}

/// A request without an end does not keep a client that is not trusted any more.
#[tokio::test]
async fn the_example_waits_for_an_unfinished_request_no_longer_than_its_deadline() {
    let mut site = Site::required();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, acceptor) = (listener.local_addr().unwrap(), site.acceptor());
    let serving = echo::serve(listener, acceptor.clone());
    let calls = async {
        let client = Client::new(&site.servers).with(site.clients.issue(&Leaf::client("alice")));
        let mut stream = client.connect(TcpStream::connect(address).await.unwrap()).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500\r\n\r\nhello";
        stream.write_all(head).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            assert_ne!(timeout(PATIENCE, stream.read_buf(&mut answer)).await.unwrap().unwrap(), 0);
        }
        let other = Authority::new("Other CA").write(site.path(), "other");
        site.settings.clients.cas = vec![ClientCa::new(other)];
        acceptor.replace(site.load().unwrap());
        let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "it is cut although its request never ends");
    };
    tokio::select! {
        ended = serving => panic!("the service ended: {ended:?}"),
        () = calls => {}
    }
}

/// Asks over HTTP/1.1, and leaves the connection open.
async fn echoes(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let request = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut answer)).await.unwrap().unwrap(), 0);
    }
}

/// Posts `hello`; returns who the service thinks we are, and what it echoed.
async fn call(client: &Client, address: std::net::SocketAddr, protocol: Protocol) -> (String, String) {
    let mut client = client.clone();
    client.alpn = vec![if protocol == Protocol::Http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let io = TokioIo::new(client.connect(TcpStream::connect(address).await.unwrap()).await.unwrap());
    let request = Request::post("https://localhost/").header(header::HOST, "localhost");
    let request = request.body(Full::new(Bytes::from_static(b"hello"))).unwrap();
    let response = if protocol == Protocol::Http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let from = response.headers()[header::FROM].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (from, String::from_utf8(body.to_vec()).unwrap())
}
