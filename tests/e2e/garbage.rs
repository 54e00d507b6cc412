//! Garbage collection beside requests: space comes back, pushes never fail because of it, and `kill -9` loses nothing.

use crate::harness::{Client, Image, Registry, Setup, TIMEOUT, angos, digest_of};
use hyper::StatusCode;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n\n[server.management]\nport = 0\n";
const GRACE: Duration = Duration::from_secs(2);
const IN_A_HURRY: &str =
    "\n[garbage_collection]\ngrace = \"2s\"\ninterval = \"1s\"\nsweep_interval = \"1s\"\n";

/// Bytes of all published blobs.
fn stored(registry: &Registry) -> u64 {
    fn bytes(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        // A file may be gone between the two calls.
        let size = |entry: std::fs::DirEntry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes(&entry.path()),
            found => found.map_or(0, |found| found.len()),
        };
        entries.map(size).sum()
    }
    bytes(&registry.folder.path().join("data/blobs"))
}

async fn gc(registry: &Registry, options: &[&str]) -> Output {
    let mut command = tokio::process::Command::from(angos());
    command.args(["-c", "config.toml", "gc"]).args(options).current_dir(registry.folder.path());
    command.output().await.unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn delete(client: &Client, name: &str, image: &Image) {
    let path = format!("/v2/{name}/manifests/{}", image.digest());
    assert_eq!(client.ask("DELETE", &path).await.status, StatusCode::ACCEPTED);
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < TIMEOUT, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn deleting_an_image_gives_its_space_back() {
    let registry = Setup::plain(&format!("{ANYONE}{IN_A_HURRY}")).start();
    let client = registry.plain_client();
    let (kept, gone) = (Image::new("kept", 100_000), Image::new("gone", 300_000));
    assert_eq!(client.push("team/kept", "v", &kept).await.unwrap(), StatusCode::CREATED);
    assert_eq!(client.push("team/gone", "v", &gone).await.unwrap(), StatusCode::CREATED);
    let blob = format!("/v2/team/gone/blobs/{}", digest_of(&gone.layer));
    let refused = client.ask("DELETE", &blob).await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{}", refused.text());
    assert!(refused.text().contains("DENIED"), "{}", refused.text());
    delete(&client, "team/gone", &gone).await;
    until("the space comes back", async || stored(&registry) < 150_000).await;
    client.pull("team/kept", "v", &kept).await;
    assert_eq!(client.fetch(&blob).await.status, StatusCode::NOT_FOUND);
    until("the empty repository leaves the catalog", async || {
        !client.fetch("/v2/_catalog").await.text().contains("team/gone")
    })
    .await;
    until("the metrics say so", async || {
        let metrics = registry.metrics().await;
        let has = |line: &str| metrics.lines().any(|found| found.starts_with(line));
        has("angos_gc_reclaimed_blobs_total 2") && has("angos_gc_stored_blobs{state=\"owned\"} 2")
    })
    .await;
}

#[tokio::test]
async fn the_command_collects_beside_a_server_and_without_one() {
    let mut registry = Setup::plain(&format!("{ANYONE}\n[garbage_collection]\ngrace = \"1s\"\n")).start();
    let client = registry.plain_client();
    let images: Vec<Image> = (0..3).map(|number| Image::new(&format!("image {number}"), 200_000)).collect();
    for (number, image) in images.iter().enumerate() {
        assert_eq!(client.push("a", &format!("v{number}"), image).await.unwrap(), StatusCode::CREATED);
    }
    delete(&client, "a", &images[0]).await;
    let early = gc(&registry, &[]).await;
    assert!(early.status.success() && text(&early).starts_with("0 blobs"), "{}", text(&early));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let dry = gc(&registry, &["--dry-run"]).await;
    assert!(text(&dry).contains("2 blobs") && text(&dry).contains("would be removed"), "{}", text(&dry));
    assert!(stored(&registry) > 600_000, "a dry run removes nothing");
    let collected = gc(&registry, &[]).await;
    assert!(text(&collected).starts_with("2 blobs"), "{}", text(&collected));
    assert!(stored(&registry) < 450_000);
    delete(&client, "a", &images[1]).await;
    registry.signal("KILL");
    registry.wait_for_exit();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let alone = gc(&registry, &["--sweep"]).await;
    assert!(alone.status.success() && text(&alone).starts_with("2 blobs"), "{}", text(&alone));
    registry.crash_and_restart();
    registry.plain_client().pull("a", "v2", &images[2]).await;
}

/// Pushes images and deletes every other one, until the connection breaks. What has to be there in the end.
async fn push_and_delete(client: Client, writer: usize, round: u64) -> Vec<(String, Image)> {
    let mut kept = Vec::new();
    for number in 0.. {
        let tag = format!("r{round}-w{writer}-{number}");
        // Layers come back: what one deletes another one pushes.
        let image = Image::new(&format!("image {}", (round + number) % 5), 20_000);
        let started = Instant::now();
        match client.push(&format!("gc/{writer}"), &tag, &image).await {
            Ok(StatusCode::CREATED) => {}
            // On a machine with much else to do, a push may take longer than the grace time.
            Ok(_) if started.elapsed() > GRACE => continue,
            Ok(other) => panic!("a push was answered {other}"),
            Err(_) => return kept,
        }
        if number % 2 == 0 {
            kept.push((tag, image));
            continue;
        }
        let path = format!("/v2/gc/{writer}/manifests/{}", image.digest());
        kept.retain(|(_, other)| other.digest() != image.digest());
        match client.send("DELETE", &path, &[], "").await {
            Ok(answer) => assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text()),
            Err(_) => return kept,
        }
    }
    kept
}

/// `E2E_KILLS=500` for as many rounds; 6 by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed_while_it_collects() {
    let kills = std::env::var("E2E_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6);
    let mut registry = Setup::plain(&format!("{ANYONE}{IN_A_HURRY}")).start();
    let mut acknowledged = 0;
    for round in 0..kills {
        let tasks: Vec<_> = (0..3)
            .map(|writer| tokio::spawn(push_and_delete(registry.plain_client(), writer, round)))
            .collect();
        tokio::time::sleep(Duration::from_millis(200 + (round * 37) % 400)).await;
        registry.crash_and_restart();
        let client = registry.plain_client();
        for (writer, task) in tasks.into_iter().enumerate() {
            for (tag, image) in tokio::time::timeout(TIMEOUT, task).await.unwrap().unwrap() {
                client.pull(&format!("gc/{writer}"), &tag, &image).await;
                acknowledged += 1;
            }
        }
    }
    assert!(acknowledged >= kills / 2, "only {acknowledged} images were checked");
    // In the end everything is deleted, and all of its space comes back.
    let client = registry.plain_client();
    for writer in 0..3 {
        for number in 0..5 {
            let image = Image::new(&format!("image {number}"), 20_000);
            client.ask("DELETE", &format!("/v2/gc/{writer}/manifests/{}", image.digest())).await;
        }
    }
    until("all space comes back", async || stored(&registry) == 0).await;
}
