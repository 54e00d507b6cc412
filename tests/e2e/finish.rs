//! `kill -9` around the request that finishes an upload: its acknowledged chunks are a session or a blob afterwards, and
//! the same request finishes it.
//!
//! `E2E_KILLS=200 cargo test --workspace --test e2e -- finish::` kills more often than the suite does.

use crate::harness::{Registry, Setup, TIMEOUT, digest_of};
use hyper::StatusCode;
use std::time::Duration;

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";

/// Kills of one run of the suite.
const KILLS: u64 = 12;

/// What a round found after the restart.
#[derive(Debug, Default)]
struct Found {
    sessions: usize,
    blobs: usize,
    lost: Vec<u64>,
}

/// Starts an upload, has a chunk acknowledged, and kills the process within the request that finishes it.
async fn round(registry: &mut Registry, number: u64, found: &mut Found) {
    let bytes = format!("finish {number} ").into_bytes().repeat(2000);
    // Every other time a part of the content comes with the last request.
    let acknowledged = if number.is_multiple_of(2) { bytes.len() } else { bytes.len() / 2 };
    let client = registry.plain_client();
    let started = client.ask("POST", "/v2/finish/test/blobs/uploads/").await;
    let headers = [("content-type", "application/octet-stream")];
    let chunk = bytes[..acknowledged].to_vec();
    let answer = client.send("PATCH", started.header("location"), &headers, chunk).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let location = answer.header("location").to_owned();
    let path = answer.location_with(&format!("digest={}", digest_of(&bytes)));
    let rest = bytes[acknowledged..].to_vec();
    let last = tokio::spawn({
        let (client, path, rest) = (client.clone(), path.clone(), rest.clone());
        async move { client.send("PUT", &path, &headers, rest).await.map(|answer| answer.status) }
    });
    // A different moment each round; the request takes some milliseconds.
    tokio::time::sleep(Duration::from_micros(200 + (number * 1373) % 12_000)).await;
    registry.crash_and_restart();
    let _ = tokio::time::timeout(TIMEOUT, last).await.unwrap();

    let client = registry.plain_client();
    let blob = format!("/v2/finish/test/blobs/{}", digest_of(&bytes));
    let session = client.fetch(&location).await;
    match (session.status, client.ask("HEAD", &blob).await.status) {
        (_, StatusCode::OK) => found.blobs += 1,
        (StatusCode::NO_CONTENT, StatusCode::NOT_FOUND) => {
            let kept = format!("0-{}", acknowledged - 1);
            // An id without a session counts as one without bytes: the acknowledged ones are lost.
            if session.header("range") == kept { found.sessions += 1 } else { found.lost.push(number) }
        }
        _ => found.lost.push(number),
    }
    let again = client.send("PUT", &path, &headers, rest).await.unwrap();
    assert_eq!(again.status, StatusCode::CREATED, "round {number}: {}; {found:?}", again.text());
    assert!(client.fetch(&blob).await.body == bytes, "round {number}: the bytes differ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures of a longer run, shown with --nocapture")]
async fn acknowledged_chunks_survive_a_kill_at_the_end() {
    let kills = std::env::var("E2E_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut registry = Setup::plain(ANYONE).start();
    let mut found = Found::default();
    for number in 0..kills {
        round(&mut registry, number, &mut found).await;
    }
    println!("{kills} kills: {found:?}");
    assert!(found.lost.is_empty(), "{kills} kills: {found:?}");
    let left = std::fs::read_dir(registry.folder.path().join("data/staging")).unwrap().count();
    assert_eq!(left, 0, "files left over in staging");
}
