//! Clients that take nothing of what they asked for: what they make the server hold is bounded, and others are served.

use crate::harness::frames::{END_STREAM, Frames, HEADERS};
use crate::harness::{Client, Image, Registry, Setup, TIMEOUT, digest_of};
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

/// No cache, so that a manifest is not the same memory in each answer by chance.
const OPEN: &str = "[global]\nrequire_references = false\nmanifest_cache_size = 0\n[global.access_policy]\ndefault = \"allow\"\n";
const SMALL: &str = "body_memory = \"16MiB\"\n";
const STREAMS: u32 = 128;
/// What the server may grow by while many answers wait, in KiB: the budget, a piece for each of 1024 answers, and what
/// HTTP/2 keeps for so many streams.
const GROWTH: u64 = (16 + 16 + 16) * 1024;

fn start() -> Registry {
    Setup::mutual("optional", OPEN).server(SMALL).start()
}

fn manifest(subject: &str, note: &str) -> Bytes {
    let descriptor =
        |bytes: &[u8]| json!({ "mediaType": "a/b", "digest": digest_of(bytes), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": Image::MEDIA_TYPE,
        "artifactType": "a/b",
        "config": descriptor(b"{}"),
        "layers": [],
        "subject": descriptor(subject.as_bytes()),
        "annotations": { "note": note },
    });
    serde_json::to_vec(&manifest).unwrap().into()
}

async fn push(client: &Client, manifest: &Bytes, query: &str) {
    let path = format!("/v2/a/manifests/{}{query}", digest_of(manifest));
    let headers = [("content-type", Image::MEDIA_TYPE)];
    let pushed = client.send("PUT", &path, &headers, manifest.clone()).await.unwrap();
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.text());
}

/// Asks for `path` on `connections` times [`STREAMS`] streams with a window of 0, and waits for the head of each answer.
async fn stall(client: &Client, path: &str, connections: usize) -> Vec<Frames> {
    let mut stalled = Vec::new();
    for _ in 0..connections {
        let mut frames = Frames::open(client, &[(4, 0)]).await;
        for stream in 0..STREAMS {
            assert!(frames.ask(2 * stream + 1, "GET", path, END_STREAM).await);
        }
        stalled.push(frames);
    }
    for frames in &mut stalled {
        for _ in 0..STREAMS {
            assert!(frames.wait(|it| it.kind == HEADERS).await.is_some(), "{path}: an answer to each");
        }
    }
    stalled
}

/// What a stalled crowd of each kind may hold, and that it keeps nobody from anything.
async fn check(registry: &Registry, path: &str, connections: usize) {
    let reader = registry.pki.client("reader", "readers");
    let other = registry.pki.client("other", "readers");
    let whole = registry.client(Some(&other)).fetch(path).await;
    assert_eq!(whole.status, StatusCode::OK);
    let before = registry.peak_memory();
    let stalled = stall(&registry.client_h2(Some(&reader)), path, connections).await;
    let grown = registry.peak_memory() - before;
    assert!(grown < GROWTH, "{path}: {connections} connections hold {grown} KiB");
    for client in [registry.client(Some(&other)), registry.client_h2(Some(&other))] {
        let again = client.fetch(path).await;
        assert!(again.status == StatusCode::OK && again.body == whole.body, "{path}: {}", again.status);
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    }
    drop(stalled);
}

#[tokio::test]
async fn lists_nobody_takes() {
    let registry = start();
    let client = registry.client(None);
    let manifest = manifest("tagged", "");
    for part in 0..10 {
        let tags: Vec<String> = (0..50).map(|n| format!("tag={}-{part}-{n:02}", "t".repeat(110))).collect();
        push(&client, &manifest, &format!("?{}", tags.join("&"))).await;
    }
    check(&registry, "/v2/a/tags/list", 8).await;
}

#[tokio::test]
async fn referrers_nobody_takes() {
    let registry = start();
    for number in 0..40 {
        let note = format!("{number}{}", "n".repeat(7000));
        push(&registry.client(None), &manifest("subject", &note), "").await;
    }
    check(&registry, &format!("/v2/a/referrers/{}", digest_of(b"subject")), 8).await;
}

#[tokio::test]
async fn manifests_nobody_takes() {
    let registry = start();
    // One is a file of its own, the other stands among the metadata.
    for (length, connections) in [(1 << 20, 5), (100_000, 8)] {
        let manifest = manifest("subject", &"n".repeat(length));
        push(&registry.client(None), &manifest, "").await;
        check(&registry, &format!("/v2/a/manifests/{}", digest_of(&manifest)), connections).await;
    }
}

#[tokio::test]
async fn blobs_nobody_takes() {
    let registry = start();
    let blob = vec![7; 1 << 20];
    assert_eq!(registry.client(None).push_blob("a", &blob).await.unwrap(), StatusCode::CREATED);
    check(&registry, &format!("/v2/a/blobs/{}", digest_of(&blob)), 5).await;
}

/// Hellos of 64 KB that lack their end: those that find no room are given up, and others get in.
#[tokio::test]
async fn long_handshakes_nobody_finishes() {
    use tokio::io::AsyncWriteExt as _;
    let registry = start();
    let hello = [vec![1, 0, 0xff, 0xf0, 3, 3], vec![0; 65_520]].concat();
    let records = hello
        .chunks(16_000)
        .map(|part| [&[22, 3, 1][..], &u16::try_from(part.len()).unwrap().to_be_bytes(), part].concat());
    let records: Vec<u8> = records.flatten().collect();
    let before = registry.peak_memory();
    let mut open = Vec::new();
    for _ in 0..600 {
        let mut socket = tokio::net::TcpStream::connect(registry.address).await.unwrap();
        // What is beyond the room is not read any more.
        let _ = socket.write_all(&records[..records.len() - 100]).await;
        open.push(socket);
    }
    let mut given_up = 0;
    for socket in &mut open {
        let ended =
            tokio::time::timeout(std::time::Duration::from_millis(1), socket.read(&mut [0; 64])).await;
        given_up += usize::from(ended.is_ok());
    }
    assert!(given_up > 0, "{given_up} of 600 were given up");
    let grown = registry.peak_memory() - before;
    assert!(grown < 30 * 1024, "600 unfinished handshakes hold {grown} KiB");
    let served = tokio::time::timeout(TIMEOUT, registry.client(None).fetch("/v2/")).await.unwrap();
    assert_eq!(served.status, StatusCode::OK);
}
