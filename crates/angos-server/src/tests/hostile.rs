//! Clients that stand still, send too much, or send what two readers could read differently.

use http_body_util::Empty;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use std::sync::Arc;

use super::*;
use crate::connection::{self, context::Connection};
use crate::listener::context::ListenerContext;
use crate::{Limits, Timeouts};

const PATIENCE: Duration = Duration::from_secs(5);

/// Each head, and the status it must get; after each the connection must be closed, and what follows the body never
/// be taken for a request.
#[tokio::test]
async fn no_request_hides_in_another() {
    let server = start(settings(), open());
    let smuggled = "GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n";
    for (framing, status) in [
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: 5, 5", 400),
        ("Content-Length: 5,6", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: 0x5", 400),
        ("Content-Length: 99999999999999999999999", 400),
        ("Transfer-Encoding: gzip", 400),
        ("Transfer-Encoding: chunked, identity", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Content-Length: 5\r\n Transfer-Encoding: chunked", 400),
        // The chunks rule, as RFC 9112 §6.3 has it, and nothing is read after them.
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 202),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 202),
    ] {
        let head =
            format!("POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}");
        let (answer, closed) = raw(server.address, head.as_bytes(), PATIENCE).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{framing:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing:?} answered twice: {answer}");
        assert!(closed, "{framing:?} kept the connection");
    }
}

/// RFC 9112 §3.2 and §6.1. What precedes the row's text ends a line; after a refusal the connection is closed.
#[tokio::test]
async fn heads_that_others_could_read_differently_are_refused() {
    let server = start(settings(), open());
    for (head, status, closes) in [
        ("GET /v2/ HTTP/1.1\r\nHost: a", 200, false),
        ("GET /v2/ HTTP/1.1\r\nX: a", 400, true),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: a", 400, true),
        ("GET http://b/v2/ HTTP/1.1\r\nHost: a", 200, false),
        ("GET http://b/v2/ HTTP/1.1\r\nX: a", 400, true),
        ("GET /v2/ HTTP/1.0\r\nX: a", 200, true),
        ("POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED", 202, false),
        ("POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked", 400, true),
        (
            "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            400,
            true,
        ),
    ] {
        let body = if head.starts_with("POST") { "0\r\n\r\n" } else { "" };
        let patience = if closes { PATIENCE } else { Duration::from_millis(200) };
        let (answer, closed) =
            raw(server.address, format!("{head}\r\n\r\n{body}").as_bytes(), patience).await;
        assert_eq!(answer.split(' ').nth(1), Some(&*status.to_string()), "{head:?}: {answer}");
        assert_eq!(closed, closes, "{head:?}");
    }
}

/// A header that may be there once and is there twice could mean either.
#[tokio::test]
async fn contradictory_headers_are_refused() {
    let server = start(settings(), open());
    let twice = [("content-type", OCI_MANIFEST), ("content-type", "application/vnd.oci.image.index.v1+json")];
    let reply = server.send("PUT", "/v2/a/manifests/v1", &twice, "{}").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "MANIFEST_INVALID"));
    let upload = server.send("POST", "/v2/a/blobs/uploads/", &[], "").await;
    let twice = [("content-range", "0-0"), ("content-range", "0-1")];
    let reply = server.send("PATCH", upload.header("location"), &twice, "x").await;
    assert_eq!((reply.status, reply.code().as_str()), (416, "BLOB_UPLOAD_INVALID"));
    let digest = server.push_blob("a", b"abc").await;
    let twice = [("range", "bytes=0-0"), ("range", "bytes=1-1")];
    let reply = server.send("GET", &format!("/v2/a/blobs/{digest}"), &twice, "").await;
    assert_eq!(
        (reply.status, &reply.body[..]),
        (200, &b"abc"[..]),
        "ranges nobody can choose from are no ranges"
    );
}

#[tokio::test]
async fn broken_framing_is_told_from_a_broken_connection() {
    let server = start(settings(), open());
    let digest = Digest::of(Algorithm::Sha256, b"abc");
    let endless = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(1 << 20));
    let trailers = format!("3\r\nabc\r\n0\r\n{}\r\n", "x: y\r\n".repeat(100_000));
    for chunks in ["-1\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", &endless, &trailers] {
        let head = format!(
            "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let (answer, closed) = raw(server.address, format!("{head}{chunks}").as_bytes(), PATIENCE).await;
        let chunks = &chunks[..chunks.len().min(20)];
        assert!(answer.starts_with("HTTP/1.1 400 ") && closed, "{chunks:?}: {answer}");
        assert!(answer.contains("the body was malformed"), "{chunks:?}: {answer}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = start(settings(), open());
    let long = format!("GET /v2/ HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    let (answer, closed) = raw(server.address, long.as_bytes(), PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") && closed, "{answer}");
    let many = format!("GET /v2/ HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200));
    let (answer, closed) = raw(server.address, many.as_bytes(), PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") && closed, "{answer}");
}

#[tokio::test]
async fn clients_that_stand_still_are_cut() {
    let short = Duration::from_millis(300);
    let timeouts = Timeouts { request_head: short, idle: short, body_progress: short, ..Timeouts::default() };
    let server = start(Settings { timeouts, ..settings() }, open());
    for (sent, expected) in [
        ("", ""),
        ("PRI * HTT", ""),
        ("GET /v2/ HTTP/1.1\r\nHost:", ""),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "),
        ("PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{", "HTTP/1.1 408 "),
    ] {
        let (answer, closed) = raw(server.address, sent.as_bytes(), PATIENCE).await;
        assert!(closed, "{sent:?} was left open");
        assert!(answer.starts_with(expected), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_cut() {
    let timeouts = Timeouts { body_progress: Duration::from_millis(300), ..Timeouts::default() };
    let server = start(Settings { timeouts, ..settings() }, open());
    let digest = server.push_blob("a", &vec![7; 64 << 20]).await;
    let mut stream = TcpStream::connect(server.address).await.expect("listening");
    let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let metrics = &server.handle.server.metrics;
    tokio::time::timeout(PATIENCE, async {
        while metrics.stalled.get() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the stalled reader was cut");
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken).await;
    assert!(taken.len() < 64 << 20, "it got {} bytes", taken.len());
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let limits = Limits { max_requests: 1, ..Limits::default() };
    let server = start(Settings { limits, ..settings() }, open());
    let mut slow = TcpStream::connect(server.address).await.expect("listening");
    let head = "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.expect("written");
    let metrics = &server.handle.server.metrics;
    while metrics.in_flight.get() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = server.get("/v2/").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    drop(slow);
    while metrics.in_flight.get() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.get("/v2/").await.status, 200, "the place is free again");
}

#[tokio::test]
async fn a_refused_upload_still_reads_its_refusal() {
    let server = start(settings(), Access::default());
    let digest = Digest::of(Algorithm::Sha256, b"");
    let target = format!("/v2/a/blobs/uploads/?digest={digest}");
    let reply = server.send("POST", &target, &[], vec![0; 32 << 20]).await;
    assert_eq!(reply.status, 403);
}

#[tokio::test]
async fn shutdown_lets_requests_finish() {
    let mut server = start(settings(), open());
    let mut slow = TcpStream::connect(server.address).await.expect("listening");
    let digest = Digest::of(Algorithm::Sha256, b"12");
    let head = format!(
        "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1"
    );
    slow.write_all(head.as_bytes()).await.expect("written");
    let idle = TcpStream::connect(server.address).await.expect("listening");
    while server.handle.server.metrics.in_flight.get() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.handle.shutdown();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow.write_all(b"2").await.expect("still open");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.expect("a whole answer");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    drop((slow, idle));
    tokio::time::timeout(PATIENCE, &mut server.task)
        .await
        .expect("ended")
        .expect("without a defect")
        .expect("as it was told");
}

/// Serves HTTP/2 without TLS, which no port does.
async fn serve_http2(server: &Running, stream: tokio::io::DuplexStream) {
    let (address, state) = (server.address.ip(), Arc::clone(&server.handle.server));
    let listener = crate::Listener::new("x", server.address);
    let context = Arc::new(ListenerContext::new(&listener, None, &state));
    let slot = context.limit.acquire(address, context.limit.socket().await.expect("a socket"));
    tokio::spawn(async move {
        let connection = Connection::new(state, context, address, None, Arc::clone(slot.entry()));
        connection::serve(connection, stream, angos_tls::Protocol::Http2).await;
        drop(slot);
    });
}

#[tokio::test]
async fn http2_speaks_the_same_language() {
    let server = start(settings(), open());
    let digest = server.push_blob("a", &vec![1; 3 << 20]).await;
    let (near, far) = tokio::io::duplex(64 * 1024);
    serve_http2(&server, far).await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(near)).await.expect("a connection");
    tokio::spawn(connection);
    let get = |method: &str, target: String| {
        Request::builder()
            .method(method)
            .uri(format!("http://a{target}"))
            .body(Empty::<Bytes>::new())
            .expect("a request")
    };
    let version = sender.send_request(get("GET", "/v2/".into())).await.expect("a response");
    assert_eq!(version.status(), 200);
    let head = sender.send_request(get("HEAD", format!("/v2/a/blobs/{digest}"))).await.expect("a response");
    assert_eq!(head.headers()["content-length"], (3 << 20).to_string());
    let blob = sender.send_request(get("GET", format!("/v2/a/blobs/{digest}"))).await.expect("a response");
    let content = blob.into_body().collect().await.expect("a whole body").to_bytes();
    assert!(content == vec![1; 3 << 20]);
    let missing = sender.send_request(get("GET", "/v2/a/manifests/v1".into())).await.expect("a response");
    assert_eq!(missing.status(), 404);
}

#[tokio::test]
async fn a_refused_http2_upload_reads_its_refusal_and_the_connection_lives() {
    let server = start(settings(), Access::default());
    let (near, far) = tokio::io::duplex(64 * 1024);
    serve_http2(&server, far).await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(near)).await.expect("a connection");
    tokio::spawn(connection);
    for size in [3, 3 << 20, 3] {
        let request =
            Request::post("http://a/v2/a/blobs/uploads/").body(Full::new(Bytes::from(vec![0; size])));
        let response = sender.send_request(request.expect("a request")).await.expect("a response");
        assert_eq!(response.status(), 403);
        let body = response.into_body().collect().await.expect("a whole body, and no reset").to_bytes();
        assert!(body.starts_with(b"{\"errors\""));
    }
}
