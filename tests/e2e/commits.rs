//! What is decided when the head of a request arrives is decided again before anything is committed.

use crate::harness::{Client, Image, Registry, Setup, TIMEOUT, digest_of, hash_password};
use base64::Engine as _;
use hyper::StatusCode;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const RULES: &str = "[server.management]\nport = 0\n\n[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.username in ['alice', 'bob']\"]\n";

fn user(name: &str, password: &str) -> String {
    let hash = hash_password(password);
    format!("\n[auth.identity.{name}]\nusername = \"{name}\"\npassword = \"{hash}\"\n")
}

/// Asks for a reload, and waits until it is reported as applied.
fn reload(registry: &Registry, change: impl FnOnce(String) -> String) {
    let before = registry.log().matches(" reloaded ").count();
    registry.rewrite_configuration(change);
    registry.reload();
    let started = Instant::now();
    while registry.log().matches(" reloaded ").count() == before {
        assert!(started.elapsed() < TIMEOUT, "{}", registry.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The head of a request of alice.
fn head(method: &str, path: &str, rest: &str) -> String {
    let credential = base64::engine::general_purpose::STANDARD.encode("alice:secret");
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {credential}\r\n{rest}\r\n")
}

/// Sends the head and the first half of a body, and waits until the server has read it.
async fn half(registry: &Registry, method: &str, path: &str, media_type: &str, body: &[u8]) -> TcpStream {
    let received = async || {
        let metrics = registry.metrics().await;
        let line =
            metrics.lines().find(|line| line.starts_with("angos_received_bytes_total ")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
    };
    let (first, before) = (&body[..body.len() / 2], received().await);
    let mut stream = TcpStream::connect(registry.address).await.unwrap();
    let rest = format!("content-type: {media_type}\r\ncontent-length: {}\r\n", body.len());
    stream.write_all(&[head(method, path, &rest).as_bytes(), first].concat()).await.unwrap();
    let started = Instant::now();
    while received().await < before + f64::from(u32::try_from(first.len()).unwrap()) {
        assert!(started.elapsed() < TIMEOUT, "the body is not read");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stream
}

async fn status(stream: &mut TcpStream) -> String {
    let mut line = [0; 12];
    tokio::time::timeout(TIMEOUT, stream.read_exact(&mut line)).await.unwrap().unwrap();
    String::from_utf8_lossy(&line[9..]).into_owned()
}

/// Removes alice while her uploads and her download are on their way.
#[tokio::test]
async fn a_removed_user_finishes_nothing() {
    let alice_entry = user("alice", "secret");
    let registry = Setup::plain(&format!("{RULES}{alice_entry}{}", user("bob", "other"))).start();
    let alice = registry.plain_client().basic("alice", "secret");
    let bob = registry.plain_client().basic("bob", "other");
    let image = Image::new("commits", 16 << 20);
    assert_eq!(alice.push("a", "old", &image).await.unwrap(), StatusCode::CREATED);
    let (bytes, index) = (vec![5; 100_000], br#"{"schemaVersion":2,"manifests":[]}"#);
    let upload = alice.ask("POST", "/v2/a/blobs/uploads/").await.header("location").to_owned();
    let digest = digest_of(&bytes);
    let octets = "application/octet-stream";
    let oci_index = "application/vnd.oci.image.index.v1+json";
    let mut whole =
        half(&registry, "POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), octets, &bytes).await;
    let mut chunk = half(&registry, "PATCH", &upload, octets, &bytes).await;
    let mut manifest = half(&registry, "PUT", "/v2/a/manifests/new", oci_index, index).await;
    // A small window leaves most of the layer unsent.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut download = socket.connect(registry.address).await.unwrap();
    let path = format!("/v2/a/blobs/{}", digest_of(&image.layer));
    download.write_all(head("GET", &path, "connection: close\r\n").as_bytes()).await.unwrap();
    let mut piece = vec![0; 1024];
    download.read_exact(&mut piece).await.unwrap();

    reload(&registry, |text| text.replace(&alice_entry, ""));

    for (stream, body) in [(&mut whole, &bytes[..]), (&mut chunk, &bytes), (&mut manifest, index)] {
        stream.write_all(&body[body.len() / 2..]).await.unwrap();
        assert_eq!(status(stream).await, "401");
    }
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(TIMEOUT, download.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() < image.layer.len(), "the download is cut");
    assert_eq!(bob.fetch(&format!("/v2/a/blobs/{digest}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.fetch("/v2/a/manifests/new").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.fetch(&upload).await.header("range"), "0-0");
    bob.pull("a", "old", &image).await;
    registry.wait_for_log("request stopped: its credential is no longer accepted");
}

/// A rule about tags holds whatever way leads to them.
#[tokio::test]
async fn a_digest_takes_no_protected_tag_with_it() {
    let kept = "[global.access_policy]\ndefault = \"allow\"\nrules = [\"request.action == 'delete-manifest' && has(request.tag) && request.tag.startsWith('v')\", \"request.action == 'delete-manifest' && request.tags.exists(t, t == 'stable')\"]\n";
    let registry = Setup::plain(kept).start();
    let client: Client = registry.plain_client();
    for (number, (tags, deleted)) in
        [(&["dev", "v1"][..], false), (&["stable", "x"], false), (&["dev", "x"], true), (&[], true)]
            .into_iter()
            .enumerate()
    {
        let (image, name) = (Image::new(&format!("tags {number}"), 100), format!("team/app{number}"));
        assert_eq!(client.push(&name, "first", &image).await.unwrap(), StatusCode::CREATED);
        let path = format!("/v2/{name}/manifests/{}", image.digest());
        for tag in tags {
            let path = format!("/v2/{name}/manifests/{tag}");
            let headers = [("content-type", Image::MEDIA_TYPE)];
            client.send("PUT", &path, &headers, image.manifest.clone()).await.unwrap();
        }
        let answer = client.ask("DELETE", &path).await;
        let expected = if deleted { StatusCode::ACCEPTED } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, expected, "{tags:?}: {}", answer.text());
        let left =
            client.fetch(&format!("/v2/{name}/tags/list")).await.json()["tags"].as_array().unwrap().len();
        assert_eq!(left, if deleted { 0 } else { tags.len() + 1 }, "{tags:?}");
    }
}
