//! Requests no honest client sends: smuggled, oversized, slow, contradictory. Each ends in the error the specification
//! names or in a closed connection, within its deadline, and the next client is served.

use crate::harness::{Image, Registry, Setup, TIMEOUT, digest_of};
use hyper::StatusCode;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";
const HASTE: &str =
    "request_head_timeout = \"500ms\"\nidle_timeout = \"500ms\"\nbody_progress_timeout = \"500ms\"\n";

/// Writes bytes, reads until the server closes, and gives what came and how long it took.
async fn exchange(registry: &Registry, bytes: &[u8]) -> (String, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(registry.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A reset is a closed connection too.
    let _ = tokio::time::timeout(TIMEOUT, read).await.expect("the server closes the connection");
    (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
}

fn statuses(answer: &str) -> Vec<&str> {
    answer.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).map(|rest| &rest[..3]).collect()
}

#[tokio::test]
async fn smuggled_requests_are_refused_and_the_connection_closed() {
    let registry = Setup::plain(ANYONE).server(HASTE).start();
    let second = "GET /v2/_catalog HTTP/1.1\r\nhost: x\r\n\r\n";
    let heads = [
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: 4, 5\r\n",
        "content-length: +4\r\n",
        "content-length: -1\r\n",
        "content-length: 0x4\r\n",
        "content-length: 99999999999999999999\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        " folded: header\r\n",
        "bad header\r\n",
        "nul: \0\r\n",
    ];
    for head in heads {
        let request = format!("PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nhost: x\r\n{head}\r\nabcd{second}");
        let (answer, _) = exchange(&registry, request.as_bytes()).await;
        let got = statuses(&answer);
        assert!(got.len() <= 1, "{head:?} was answered {got:?}");
        assert!(got.iter().all(|status| status.starts_with('4')), "{head:?} was answered {got:?}");
    }
    let both = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let (answer, _) = exchange(&registry, format!("{both}{second}").as_bytes()).await;
    assert!(statuses(&answer).len() <= 1, "length and chunks together: {answer}");
    assert_eq!(registry.plain_client().fetch("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn slow_clients_are_cut() {
    let registry = Setup::plain(ANYONE).server(HASTE).start();
    let begun = b"POST /v2/slow/blobs/uploads/?digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 \
HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc";
    let rows: [(&str, &[u8]); 5] = [
        ("silent", b""),
        ("half a preface", b"PRI * HTT"),
        ("half a head", b"GET /v2/ HTTP/1.1\r\nhost: x\r\nx-half:"),
        ("idle after a request", b"GET /v2/ HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("a body that stops", begun),
    ];
    for (what, bytes) in rows {
        let (_, elapsed) = exchange(&registry, bytes).await;
        assert!(elapsed < Duration::from_secs(10), "{what} was held open for {elapsed:?}");
    }
    assert_eq!(registry.plain_client().fetch("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn silent_tls_clients_are_cut() {
    // So long that a client on a busy machine makes its handshake in time.
    let registry = Setup::mutual("required", ANYONE).tls_lines("handshake_timeout = \"3s\"\n").start();
    let ended = tokio::join!(
        exchange(&registry, b""),
        exchange(&registry, b"\x16\x03\x01\x02\x00\x01\x00"),
        exchange(&registry, b"GET / HTTP/1.1\r\n\r\n"),
    );
    for (_, elapsed) in [ended.0, ended.1, ended.2] {
        assert!(elapsed < Duration::from_secs(20), "held open for {elapsed:?}");
    }
    let certificate = registry.pki.client("good", "Team");
    assert_eq!(registry.client(Some(&certificate)).fetch("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_endless_manifest_is_refused_with_flat_memory() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    let before = registry.peak_memory();
    let body = vec![b' '; 100 << 20];
    let headers = [("content-type", Image::MEDIA_TYPE)];
    // The server may answer and close before it has read everything; a broken pipe is a refusal too.
    if let Ok(answer) = client.send("PUT", "/v2/big/manifests/1", &headers, body).await {
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.code(), "SIZE_INVALID");
    }
    assert_eq!(client.fetch("/v2/big/manifests/1").await.status, StatusCode::NOT_FOUND);
    let grown = registry.peak_memory() - before;
    assert!(grown < 32 * 1024, "the server grew by {grown} KiB");
}

#[tokio::test]
async fn manifests_that_are_two_things_are_refused() {
    let registry = Setup::plain(&format!("[global]\nrequire_references = false\n{ANYONE}")).start();
    let client = registry.plain_client();
    let image = Image::new("confusion", 10);
    let mut both: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    both["manifests"] = serde_json::json!([]);
    let twice = String::from_utf8(image.manifest.clone()).unwrap().replacen(
        '{',
        "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",",
        1,
    );
    let deep = format!("{{\"schemaVersion\":2,\"x\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let index = "application/vnd.oci.image.index.v1+json";
    let rows: [(&str, &str, Vec<u8>); 6] = [
        ("layers and manifests", Image::MEDIA_TYPE, serde_json::to_vec(&both).unwrap()),
        ("another media type in the header", index, image.manifest.clone()),
        ("a key twice", Image::MEDIA_TYPE, twice.into_bytes()),
        ("very deep", Image::MEDIA_TYPE, deep.into_bytes()),
        ("not JSON", Image::MEDIA_TYPE, b"\xff\xfe{}".to_vec()),
        ("nothing", Image::MEDIA_TYPE, Vec::new()),
    ];
    for (what, media_type, body) in rows {
        let answer =
            client.send("PUT", "/v2/c/manifests/1", &[("content-type", media_type)], body).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}: {}", answer.text());
        assert_eq!(answer.code(), "MANIFEST_INVALID", "{what}");
    }
}

#[tokio::test]
async fn page_sizes_are_bounded() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let image = Image::new("pages", 10);
    assert_eq!(client.push("pages", "1", &image).await.unwrap(), StatusCode::CREATED);
    for n in ["2147483648", "18446744073709551616", "-1", "abc", "1e9", "", "0"] {
        for path in [format!("/v2/_catalog?n={n}"), format!("/v2/pages/tags/list?n={n}")] {
            let answer = client.fetch(&path).await;
            assert!(
                answer.status == StatusCode::OK || answer.status == StatusCode::BAD_REQUEST,
                "{path} gave {}",
                answer.status
            );
        }
    }
}

#[tokio::test]
async fn hostile_names_paths_and_ranges_are_client_errors() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let long = "a/".repeat(200) + "a";
    let digest = digest_of(b"");
    let paths = [
        "/v2/../../etc/passwd/manifests/1".to_owned(),
        "/v2/%2e%2e/manifests/1".to_owned(),
        "/v2/a%2fb/manifests/..%2f..".to_owned(),
        "/v2/UPPER/tags/list".to_owned(),
        "/v2//tags/list".to_owned(),
        "/v2/a/manifests/".to_owned(),
        "/v2/a/manifests/sha256:zz".to_owned(),
        "/v2/a/manifests/sha256:00".to_owned(),
        "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        "/v2/a/blobs/uploads/../../../x".to_owned(),
        "/v2/a/blobs/uploads/%00".to_owned(),
        format!("/v2/{long}/tags/list"),
        format!("/v2/a/referrers/{digest}x"),
        "/v3/".to_owned(),
        "/".to_owned(),
        "/v2/a/tags/list?last=%zz".to_owned(),
    ];
    for path in paths {
        let answer = client.fetch(&path).await;
        assert!(answer.status.is_client_error(), "{path} gave {}", answer.status);
    }
    assert_eq!(client.push_blob("ranges", b"0123456789").await.unwrap(), StatusCode::CREATED);
    let path = format!("/v2/ranges/blobs/{}", digest_of(b"0123456789"));
    let rows = [
        ("bytes=2-4", 206, "234"),
        ("bytes=8-", 206, "89"),
        ("bytes=-3", 206, "789"),
        ("bytes=5-100", 206, "56789"),
        ("bytes=10-", 416, ""),
        ("bytes=99999999999999999999-", 416, ""),
        ("bytes=-0", 416, ""),
        ("lines=1-2", 200, "0123456789"),
    ];
    for (range, status, body) in rows {
        let answer = client.send("GET", &path, &[("range", range)], "").await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{range}");
        if status != 416 {
            assert_eq!(answer.text(), body, "{range}");
        }
    }
}

#[tokio::test]
async fn bytes_that_do_not_match_their_digest_never_appear() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let wrong = digest_of(b"something else");
    let path = format!("/v2/wrong/blobs/uploads/?digest={wrong}");
    let answer = client.send("POST", &path, &[], "these bytes").await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
    assert_eq!(client.fetch(&format!("/v2/wrong/blobs/{wrong}")).await.status, StatusCode::NOT_FOUND);
    let image = Image::new("wrong", 10);
    let headers = [("content-type", Image::MEDIA_TYPE)];
    let answer =
        client.send("PUT", &format!("/v2/wrong/manifests/{wrong}"), &headers, image.manifest).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
}
