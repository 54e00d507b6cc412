//! Clients that do not finish: each is cut by the deadline, or at once when it talks nonsense.

use std::time::{Duration, Instant};

use angos_tls::AcceptError;
use rustls::ClientConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Client;
use crate::site::Site;

const DEADLINE: Duration = Duration::from_millis(150);

/// Runs one handshake against whatever the client does with its end of the stream.
async fn refused<F, Done>(site: &Site, client: F) -> (AcceptError, Duration)
where
    F: FnOnce(DuplexStream) -> Done,
    Done: Future<Output = Option<DuplexStream>>,
{
    let (near, far) = duplex(64 * 1024);
    let acceptor = site.acceptor();
    let begun = Instant::now();
    let client = async {
        let kept = client(near).await;
        tokio::time::sleep(DEADLINE * 20).await; // unless told otherwise a client holds its end open
        drop(kept);
    };
    tokio::select! {
        outcome = acceptor.accept(far) => (outcome.map(|_| ()).unwrap_err(), begun.elapsed()),
        () = client => panic!("the server still waits after {:?}", begun.elapsed()),
    }
}

/// A server that waits no longer than [`DEADLINE`].
fn hasty() -> Site {
    let mut site = Site::required();
    site.settings.handshake_timeout = DEADLINE;
    site
}

/// The first bytes a real client sends.
fn hello(site: &Site) -> Vec<u8> {
    let config = Client::new(&site.servers).config();
    let mut bytes = Vec::new();
    let name = "localhost".try_into().unwrap();
    ClientConnection::new(config.into(), name).unwrap().write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_silent_client_is_cut() {
    let (error, after) = refused(&hasty(), async |stream| Some(stream)).await;
    assert_eq!(error.class(), "timeout");
    assert!(after >= DEADLINE);
}

#[tokio::test]
async fn half_a_client_hello_is_cut() {
    let site = hasty();
    let hello = hello(&site);
    let (error, _) = refused(&site, async |mut stream: DuplexStream| {
        stream.write_all(&hello[..hello.len() / 2]).await.unwrap();
        Some(stream)
    })
    .await;
    assert_eq!(error.class(), "timeout");
}

#[tokio::test]
async fn a_trickle_does_not_extend_the_deadline() {
    let site = hasty();
    let hello = hello(&site);
    let (error, after) = refused(&site, async |mut stream: DuplexStream| {
        for byte in hello {
            stream.write_all(&[byte]).await.ok()?;
            tokio::time::sleep(DEADLINE / 10).await;
        }
        Some(stream)
    })
    .await;
    assert_eq!(error.class(), "timeout");
    assert!(after < DEADLINE * 10, "{after:?}");
}

#[tokio::test]
async fn a_close_notify_in_mid_handshake_is_cut() {
    let close_notify = b"\x15\x03\x01\x00\x02\x01\x00";
    let (error, _) = refused(&hasty(), async |mut stream: DuplexStream| {
        stream.write_all(close_notify).await.unwrap();
        Some(stream)
    })
    .await;
    assert_eq!(error.class(), "timeout");
}

#[tokio::test]
async fn a_client_that_never_answers_is_cut() {
    let site = hasty();
    let hello = hello(&site);
    let (error, _) = refused(&site, async |mut stream: DuplexStream| {
        stream.write_all(&hello).await.unwrap();
        Some(stream) // and reads nothing
    })
    .await;
    assert_eq!(error.class(), "timeout");
}

#[tokio::test]
async fn a_client_that_hangs_up_is_an_io_failure() {
    let site = Site::required();
    let hello = hello(&site);
    for cut in [0, 1, hello.len() / 2, hello.len()] {
        let (error, after) = refused(&site, async |mut stream: DuplexStream| {
            stream.write_all(&hello[..cut]).await.unwrap();
            None
        })
        .await;
        assert_eq!(error.class(), "io", "after {cut} bytes: {error}");
        assert!(after < DEADLINE * 20, "after {cut} bytes");
    }
}

#[tokio::test]
async fn nonsense_is_refused_at_once_and_the_client_may_read_why() {
    let oversize = [&[0x16, 3, 1, 0xff, 0xff][..], &vec![0; 32 * 1024]].concat();
    for nonsense in [
        b"SSH-2.0-client\r\n".as_slice(),
        b"\x16\x03\x01\x00\x05\x0b\x00\x00\x01\x00", // a certificate before any hello
        &oversize,
        &[0xff; 4096],
    ] {
        let (near, far) = duplex(64 * 1024);
        let acceptor = Site::required().acceptor();
        let begun = Instant::now();
        let client = async {
            let (mut read, mut write) = tokio::io::split(near);
            write.write_all(nonsense).await.unwrap();
            let mut answer = Vec::new();
            read.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let (outcome, answer) = tokio::join!(acceptor.accept(far), client);
        let error = outcome.map(|_| ()).unwrap_err();
        let seen = nonsense[..10.min(nonsense.len())].escape_ascii().to_string();
        assert_eq!(error.class(), "protocol", "{seen}: {error}");
        assert_eq!(answer.first(), Some(&0x15), "{seen}: no alert but {answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{seen}");
    }
}

#[tokio::test]
async fn plain_http_is_answered_in_plain_http() {
    for request in ["GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let (near, far) = duplex(64 * 1024);
        let acceptor = Site::required().acceptor();
        let client = async {
            let (mut read, mut write) = tokio::io::split(near);
            write.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            read.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let (outcome, answer) = tokio::join!(acceptor.accept(far), client);
        assert_eq!(outcome.map(|_| ()).unwrap_err().class(), "plain_http", "{request}");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\nThis port speaks HTTPS, and the request was sent without TLS\n"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_refused_client_that_stays_is_let_go() {
    let (near, far) = duplex(64 * 1024);
    let acceptor = Site::required().acceptor();
    let (mut read, mut write) = tokio::io::split(near);
    write.write_all(b"QUIT\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    let endless = async {
        while write.write_all(&[0; 1024]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        read.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(async { acceptor.accept(far).await.map(|_| ()) }, endless);
    assert_eq!(outcome.unwrap_err().class(), "protocol");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn an_alert_is_not_lost_in_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    client.write_all(&b"RSET /v2/ HTTP/1.1\r\n".repeat(1000)).await.unwrap();
    let acceptor = Site::required().acceptor();
    let patient = async {
        tokio::time::sleep(DEADLINE).await; // a server that closed at once would have reset the connection
        client.write_all(b"more").await.unwrap();
        tokio::time::sleep(DEADLINE).await;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        drop(client);
        answer
    };
    let (outcome, answer) = tokio::join!(async { acceptor.accept(socket).await.map(|_| ()) }, patient);
    assert_eq!(outcome.unwrap_err().class(), "protocol");
    assert_eq!(answer.first(), Some(&0x15), "{answer:?}");
}
