//! Files that were damaged under a running server: never announced as present, never padded, counted, healed by a push.

use crate::harness::{Registry, Setup, digest_of};
use hyper::StatusCode;
use std::path::PathBuf;

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n[server.management]\nport = 0\n";

fn blob_file(registry: &Registry, bytes: &[u8]) -> PathBuf {
    let digest = digest_of(bytes);
    let hex = digest.strip_prefix("sha256:").unwrap();
    registry.folder.path().join("data/blobs/sha256").join(&hex[..2]).join(hex)
}

#[tokio::test]
async fn a_cut_blob_is_missing_until_it_is_pushed_again() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let bytes = b"damage".repeat(1000);
    let path = format!("/v2/damage/test/blobs/{}", digest_of(&bytes));
    for kept in [Some(5999), Some(0), None] {
        assert_eq!(client.push_blob("damage/test", &bytes).await.unwrap(), StatusCode::CREATED);
        assert_eq!(client.ask("HEAD", &path).await.status, StatusCode::OK);
        match kept {
            Some(kept) => std::fs::write(blob_file(&registry, &bytes), &bytes[..kept]).unwrap(),
            None => std::fs::remove_file(blob_file(&registry, &bytes)).unwrap(),
        }
        for method in ["HEAD", "GET"] {
            assert_eq!(client.ask(method, &path).await.status, StatusCode::NOT_FOUND, "{method} {kept:?}");
        }
        let mount = format!("/v2/damage/other/blobs/uploads/?from=damage/test&mount={}", digest_of(&bytes));
        assert_eq!(client.ask("POST", &mount).await.status, StatusCode::ACCEPTED, "{kept:?}");
    }
    assert_eq!(client.push_blob("damage/test", &bytes).await.unwrap(), StatusCode::CREATED);
    assert!(client.fetch(&path).await.body == bytes);
    let metrics = registry.metrics().await;
    for line in [
        "angos_damaged_content_total{damage=\"length\"} 6",
        "angos_damaged_content_total{damage=\"missing\"} 3",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    registry.wait_for_log(&format!("digest={}", digest_of(&bytes)));
}

#[tokio::test]
async fn a_blob_that_is_cut_while_it_is_read_ends_the_response() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    // More than all buffers on the way hold together.
    let bytes = vec![7; 64 << 20];
    assert_eq!(client.push_blob("damage/test", &bytes).await.unwrap(), StatusCode::CREATED);
    let mut stream = tokio::net::TcpStream::connect(registry.address).await.unwrap();
    let path = format!("/v2/damage/test/blobs/{}", digest_of(&bytes));
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let file = std::fs::OpenOptions::new().write(true).open(blob_file(&registry, &bytes)).unwrap();
    file.set_len(32 << 20).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < bytes.len(), "a whole response, of which half cannot have been read");
    registry.wait_for_log("a response was cut short");
    let log = registry.log();
    let line = log.lines().find(|line| line.contains("a response was cut short")).unwrap();
    assert!(line.contains(&digest_of(&bytes)), "{line}");
    assert!(registry.metrics().await.contains("angos_cut_responses_total 1"));
}
