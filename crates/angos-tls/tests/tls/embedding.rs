//! The example of the README, compiled and run: an echo service that serves clients with a certificate.

use angos_test_ca::Leaf;
use angos_tls::Protocol;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::client::Client;
use crate::site::Site;

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
