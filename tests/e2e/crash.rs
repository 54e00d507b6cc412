//! `kill -9` during pushes, fifty times: what was acknowledged is there, nothing half-written is visible, and
//! interrupted sessions continue.

use crate::harness::{Client, Image, Setup, TIMEOUT, digest_of};
use hyper::StatusCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ROUNDS: u64 = 50;
const WRITERS: usize = 3;
const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";

/// What one round pushed: everything that was tried, and what was acknowledged.
#[derive(Default)]
struct Ledger {
    tried: Vec<(String, Image)>,
    acknowledged: Vec<(String, Image)>,
    session: Option<(String, usize)>,
}

/// Pushes images one after another until the connection breaks.
async fn push_for_ever(client: Client, writer: usize, round: u64, ledger: Arc<Mutex<Ledger>>) {
    for number in 0.. {
        let tag = format!("r{round}-w{writer}-{number}");
        let image = Image::new(&tag, 40_000 + 70_000 * (number % 3));
        ledger.lock().unwrap().tried.push((tag.clone(), image.clone()));
        match client.push("crash/test", &tag, &image).await {
            Ok(StatusCode::CREATED) => ledger.lock().unwrap().acknowledged.push((tag, image)),
            Ok(other) => panic!("a push was answered {other}"),
            Err(_) => return,
        }
    }
}

/// Appends chunks to one session until the connection breaks, noting what was acknowledged.
async fn append_for_ever(client: Client, bytes: Arc<Vec<u8>>, ledger: Arc<Mutex<Ledger>>) {
    let Ok(started) = client.send("POST", "/v2/crash/session/blobs/uploads/", &[], "").await else { return };
    let mut location = started.header("location").to_owned();
    let mut offset = 0;
    ledger.lock().unwrap().session = Some((location.clone(), 0));
    while offset < bytes.len() {
        let end = (offset + 10_000).min(bytes.len());
        let range = format!("{offset}-{}", end - 1);
        let headers = [("content-range", range.as_str()), ("content-type", "application/octet-stream")];
        let Ok(answer) = client.send("PATCH", &location, &headers, bytes[offset..end].to_vec()).await else {
            return;
        };
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.header("location").clone_into(&mut location);
        offset = end;
        ledger.lock().unwrap().session = Some((location.clone(), offset));
    }
}

/// The session still knows at least what was acknowledged, and can be completed.
async fn continue_session(client: &Client, bytes: &[u8], location: &str, acknowledged: usize) {
    let status = client.fetch(location).await;
    assert_eq!(status.status, StatusCode::NO_CONTENT, "{}", status.text());
    let range = status.header("range");
    let offset = match range.split_once('-') {
        Some((_, last)) if last != "0" || acknowledged > 0 => last.parse::<usize>().unwrap() + 1,
        _ => 0,
    };
    assert!(offset >= acknowledged, "acknowledged {acknowledged}, offered {range}");
    let path = status.location_with(&format!("digest={}", digest_of(bytes)));
    let content_range = format!("{offset}-{}", bytes.len() - 1);
    let headers = [("content-range", content_range.as_str()), ("content-type", "application/octet-stream")];
    let headers = if offset < bytes.len() { &headers[..] } else { &headers[1..] };
    let done = client.send("PUT", &path, headers, bytes[offset..].to_vec()).await.unwrap();
    assert_eq!(done.status, StatusCode::CREATED, "{}", done.text());
    let pulled = client.fetch(&format!("/v2/crash/session/blobs/{}", digest_of(bytes))).await;
    assert!(pulled.body == bytes, "the continued session's bytes differ");
}

/// Whatever was tried but not acknowledged is absent or complete, never in between.
async fn nothing_partial(client: &Client, tag: &str, image: &Image) {
    let manifest = client.fetch(&format!("/v2/crash/test/manifests/{tag}")).await;
    if manifest.status == StatusCode::OK {
        client.pull("crash/test", tag, image).await;
    }
    for blob in [&image.config, &image.layer] {
        let answer = client.fetch(&format!("/v2/crash/test/blobs/{}", digest_of(blob))).await;
        match answer.status {
            StatusCode::NOT_FOUND => {}
            StatusCode::OK => assert!(answer.body == *blob, "half a blob is visible"),
            other => panic!("a blob was answered {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_fifty_times() {
    let mut registry = Setup::plain(ANYONE).start();
    let mut pushed = 0;
    for round in 0..ROUNDS {
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let bytes = Arc::new(format!("session {round} ").into_bytes().repeat(40_000));
        let mut tasks = Vec::new();
        for writer in 0..WRITERS {
            tasks.push(tokio::spawn(push_for_ever(
                registry.plain_client(),
                writer,
                round,
                Arc::clone(&ledger),
            )));
        }
        let client = registry.plain_client();
        tasks.push(tokio::spawn(append_for_ever(client, Arc::clone(&bytes), Arc::clone(&ledger))));
        // A different moment each round, without a random generator: rounds are told apart by their own number.
        if round.is_multiple_of(2) {
            // Also on a machine that has something else to do, something is acknowledged.
            let started = Instant::now();
            while ledger.lock().unwrap().acknowledged.is_empty() && started.elapsed() < TIMEOUT {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20 + (round * 37) % 160)).await;
        registry.crash_and_restart();
        for task in tasks {
            tokio::time::timeout(TIMEOUT, task).await.unwrap().unwrap();
        }
        let client = registry.plain_client();
        let Ledger { tried, acknowledged, session } = std::mem::take(&mut *ledger.lock().unwrap());
        for (tag, image) in &acknowledged {
            client.pull("crash/test", tag, image).await;
        }
        for (tag, image) in tried.iter().rev().take(2 * WRITERS) {
            nothing_partial(&client, tag, image).await;
        }
        if let Some((location, offset)) = session
            && offset < bytes.len()
        {
            continue_session(&client, &bytes, &location, offset).await;
        }
        pushed += acknowledged.len();
    }
    assert!(pushed >= 25, "only {pushed} pushes were acknowledged: the test tested little");
}
