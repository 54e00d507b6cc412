//! Floods that HTTP/2 makes cheap: frames written by hand, since no client library sends them. Each ends in an error, a
//! closed connection or a deadline, with memory flat, and the next client is served.

use crate::harness::frames::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, field, frame, head,
};
use crate::harness::{Registry, Setup, TIMEOUT, digest_of};
use hyper::StatusCode;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";
const HASTE: &str = "body_progress_timeout = \"1s\"\nidle_timeout = \"2s\"\nrequest_head_timeout = \"2s\"\n";

/// How much the server may grow while it is flooded, in KiB.
const FLAT: u64 = 48 * 1024;

/// What every flood has to leave behind.
async fn unharmed(registry: &Registry, before: u64) {
    for client in [registry.client(None), registry.client_h2(None)] {
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    }
    let grown = registry.peak_memory() - before;
    assert!(grown < FLAT, "the server grew by {grown} KiB");
    assert!(!registry.log().contains("panicked"), "{}", registry.log());
}

async fn start() -> (Registry, u64) {
    let registry = Setup::mutual("optional", ANYONE).server(HASTE).start();
    assert_eq!(registry.client_h2(None).fetch("/v2/").await.status, StatusCode::OK);
    let before = registry.peak_memory();
    (registry, before)
}

#[tokio::test]
async fn streams_that_are_reset_at_once() {
    let (registry, before) = start().await;
    for body in [END_STREAM, 0] {
        let mut frames = Frames::open(&registry.client_h2(None), &[]).await;
        for stream in (1..40_000).step_by(2) {
            let request = frame(HEADERS, END_HEADERS | body, stream, &head("POST", "/v2/a/blobs/uploads/"));
            if !frames.send(&[request, frame(RST_STREAM, 0, stream, &CANCEL)].concat()).await {
                break;
            }
        }
    }
    unharmed(&registry, before).await;
}

#[tokio::test]
async fn endless_continuations() {
    let (registry, before) = start().await;
    let mut frames = Frames::open(&registry.client_h2(None), &[]).await;
    frames.send(&frame(HEADERS, 0, 1, &head("GET", "/v2/"))).await;
    let filler = field("x", &"y".repeat(100)).repeat(140);
    // What comes after the refusal is read and dropped for a moment, then the connection is closed.
    let started = Instant::now();
    while frames.send(&frame(CONTINUATION, 0, 1, &filler)).await {
        assert!(started.elapsed() < TIMEOUT, "the server takes headers without end");
    }
    assert!(frames.is_ended().await);
    unharmed(&registry, before).await;
}

#[tokio::test]
async fn header_lists_are_bounded() {
    let (registry, before) = start().await;
    let mut frames = Frames::open(&registry.client_h2(None), &[]).await;
    let long = field("x", &"y".repeat(100)).repeat(120);
    frames.send(&frame(HEADERS, END_STREAM, 1, &head("GET", "/v2/"))).await;
    for flags in [0, 0, END_HEADERS] {
        frames.send(&frame(CONTINUATION, flags, 1, &long)).await;
    }
    // 431 is the literal status `4` `3` `1`, Huffman coded or not; a reset or the end of the connection will do too.
    let answer = frames.wait(|it| it.stream == 1 || it.kind == GOAWAY).await;
    let is_refused = answer.as_ref().is_none_or(|it| it.kind != HEADERS || it.payload[0] != 0x88);
    assert!(is_refused, "{answer:?}");
    unharmed(&registry, before).await;
}

#[tokio::test]
async fn endless_empty_data_is_no_progress() {
    let (registry, before) = start().await;
    let mut frames = Frames::open(&registry.client_h2(None), &[]).await;
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest_of(b""));
    frames.ask(1, "POST", &path, 0).await;
    let flood = frame(DATA, 0, 1, &[]).repeat(1000);
    let (mut reader, mut writer) = tokio::io::split(frames.stream);
    let writing = tokio::spawn(async move { while writer.write_all(&flood).await.is_ok() {} });
    // The answer to the stalled body, or the end of the connection, comes while the flood goes on.
    let heard = async {
        let mut answered = vec![0; 4096];
        // Settings and window updates are shorter than the head of a refusal.
        while matches!(reader.read(&mut answered).await, Ok(1..=60)) {}
    };
    let heard = tokio::time::timeout(TIMEOUT, heard).await;
    writing.abort();
    assert!(heard.is_ok(), "the flood kept its stream alive");
    unharmed(&registry, before).await;
}

#[tokio::test]
async fn streams_are_bounded_and_their_bodies_have_a_deadline() {
    let (registry, before) = start().await;
    let mut frames = Frames::open(&registry.client_h2(None), &[]).await;
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest_of(b"never sent"));
    for stream in (1..400).step_by(2) {
        frames.ask(stream, "POST", &path, 0).await;
    }
    let (mut refused, mut answered) = (0, 0);
    while refused + answered < 200
        && let Some(frame) = frames.next().await
    {
        match frame.kind {
            RST_STREAM if frame.payload == [0, 0, 0, 7] => refused += 1,
            HEADERS => answered += 1,
            GOAWAY => break,
            _ => {}
        }
    }
    assert!(refused >= 200 - 128, "{refused} streams were refused, {answered} answered");
    unharmed(&registry, before).await;
}

#[tokio::test]
async fn pings_and_settings_nobody_reads_the_answers_of() {
    let (registry, before) = start().await;
    for flood in
        [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[]), frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])]
    {
        let mut frames = Frames::open(&registry.client_h2(None), &[]).await;
        let flood = flood.repeat(1000);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(1)
            && let Ok(true) = tokio::time::timeout(Duration::from_millis(500), frames.send(&flood)).await
        {
        }
    }
    unharmed(&registry, before).await;
}

/// A refusal is short, and holds its place among the requests in flight until it is taken.
#[tokio::test]
async fn short_answers_nobody_takes_are_given_up() {
    let rest = "[global.access_policy]\ndefault = \"deny\"\n";
    let few = "body_progress_timeout = \"6s\"\nmax_requests = 10\n";
    let registry = Setup::mutual("optional", rest).server(few).start();
    let before = registry.peak_memory();
    let client = registry.client(None);
    let started = Instant::now();
    // The server gives the answers up after six seconds, also where the other client needs longer to connect.
    let mut frames = loop {
        let mut frames = Frames::open(&registry.client_h2(None), &[(4, 0)]).await;
        for stream in (1..40).step_by(2) {
            frames.ask(stream, "GET", "/v2/", END_STREAM).await;
        }
        if client.fetch("/v2/").await.status == StatusCode::TOO_MANY_REQUESTS {
            break frames;
        }
        assert!(started.elapsed() < TIMEOUT, "not every place is taken");
    };
    while client.fetch("/v2/").await.status != StatusCode::FORBIDDEN {
        assert!(started.elapsed() < TIMEOUT, "answers that nobody takes are held");
        // Answers to pings keep a connection alive, and nothing more.
        if let Ok(Some(it)) = tokio::time::timeout(Duration::from_millis(50), frames.next()).await
            && it.kind == PING
            && it.flags & ACK == 0
        {
            frames.send(&frame(PING, ACK, 0, &it.payload)).await;
        }
    }
    assert!(registry.peak_memory() - before < FLAT);
}

/// Neither answered pings nor a byte now and then is taking a response.
#[tokio::test]
async fn a_response_that_is_hardly_taken_is_given_up() {
    let (registry, before) = start().await;
    let blob = vec![7; 1 << 20];
    assert_eq!(registry.client(None).push_blob("a", &blob).await.unwrap(), StatusCode::CREATED);
    let mut frames = Frames::open(&registry.client_h2(None), &[(4, 0)]).await;
    let path = format!("/v2/a/blobs/{}", digest_of(&blob));
    for stream in [1, 3] {
        frames.ask(stream, "GET", &path, END_STREAM).await;
    }
    let started = Instant::now();
    let ended = loop {
        assert!(started.elapsed() < Duration::from_secs(10), "stalled responses are held");
        if !frames.send(&frame(WINDOW_UPDATE, 0, 3, &[0, 0, 0, 1])).await {
            break true;
        }
        match tokio::time::timeout(Duration::from_millis(100), frames.next()).await {
            Ok(None) => break true,
            Ok(Some(it)) if it.kind == SETTINGS && it.flags & ACK == 0 => {
                frames.send(&frame(SETTINGS, ACK, 0, &[])).await;
            }
            Ok(Some(it)) if it.kind == PING && it.flags & ACK == 0 => {
                frames.send(&frame(PING, ACK, 0, &it.payload)).await;
            }
            Ok(Some(it)) if it.stream == 1 && it.kind == RST_STREAM => break true,
            _ => {}
        }
    };
    assert!(ended);
    unharmed(&registry, before).await;
}
