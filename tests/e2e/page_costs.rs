//! Figures: what pages of the catalog, mounts without a source and the removal of abandoned uploads cost on large stores.
//! Each test prints them, and fails where the cost follows the store instead of the page.
//!
//! `cargo test --workspace --test e2e -- --ignored --nocapture --test-threads 1 page_costs::`, minutes; with
//! `ANGOS_E2E_BINARY=target/release/angos` before it, of a release build.

#![allow(clippy::print_stdout, reason = "figures are what these tests are for")]

use crate::harness::{Client, Registry, Setup, TIMEOUT, digest_of, hash_password};
use crate::tls::processor_time;
use hyper::StatusCode;
use std::time::{Duration, Instant};

const SIZES: [usize; 3] = [1000, 10_000, 50_000];
const SESSIONS: usize = 100_000;
const CONNECTIONS: usize = 8;
const PAGES: u32 = 100;
const MOUNTS: usize = 1000;

/// A registry that syncs nothing, for `all`, who may do everything, and `few`, who sees one repository.
fn start() -> Registry {
    let user = |name: &str| {
        let hash = hash_password(name);
        format!("[auth.identity.{name}]\nusername = \"{name}\"\npassword = \"{hash}\"\n")
    };
    let rules = "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.username == 'all'\",\n\
        \"identity.username == 'few' && request.action in ['get-api-version', 'list-catalog']\",\n\
        \"identity.username == 'few' && request.namespace == 'few/own'\"]\n[storage]\nsync = false\n";
    Setup::plain(&format!("{rules}{}{}", user("all"), user("few"))).start()
}

/// Sends `paths` as POST over some connections; each must be answered with this status.
async fn post_all(client: &Client, paths: Vec<String>, expected: StatusCode) {
    let mut tasks = Vec::new();
    for part in paths.chunks(paths.len().div_ceil(CONNECTIONS)) {
        let (client, part) = (client.clone(), part.to_vec());
        tasks.push(tokio::spawn(async move {
            let mut connection = client.connect().await.unwrap();
            for path in part {
                let answer = connection(client.request("POST", &path, &[], "")).await.unwrap();
                assert_eq!(answer.status, expected, "{path}: {}", answer.text());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// Processor time of the server for each of some pages of one entry, in milliseconds.
async fn page_cost(registry: &Registry, client: &Client) -> f64 {
    let mut connection = client.connect().await.unwrap();
    let before = processor_time(registry);
    for _ in 0..PAGES {
        let answer = connection(client.request("GET", "/v2/_catalog?n=1", &[], "")).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    f64::from(u32::try_from(processor_time(registry) - before).unwrap()) * 10.0 / f64::from(PAGES)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, for minutes"]
async fn pages_of_the_catalog() {
    let registry = start();
    let (all, few) =
        (registry.plain_client().basic("all", "all"), registry.plain_client().basic("few", "few"));
    assert_eq!(all.push_blob("few/own", b"blob").await.unwrap(), StatusCode::CREATED);
    let (mut made, mut costs) = (0, Vec::new());
    for size in SIZES {
        let mount =
            |number| format!("/v2/r/{number:06}/blobs/uploads/?mount={}&from=few/own", digest_of(b"blob"));
        post_all(&all, (made..size).map(mount).collect(), StatusCode::CREATED).await;
        made = size;
        // The first request of each checks its password.
        for client in [&all, &few] {
            page_cost(&registry, client).await;
        }
        let cost = (page_cost(&registry, &all).await, page_cost(&registry, &few).await);
        println!(
            "{size} repositories: {:.2} ms a page of one that sees all, {:.2} ms of one that sees one",
            cost.0, cost.1
        );
        costs.push(cost);
    }
    let (first, last) = (costs[0], costs[2]);
    assert!(
        last.0 < 5.0 * first.0.max(0.2) && last.1 < 5.0 * first.1.max(0.2),
        "it follows the store: {costs:?}"
    );
}

/// Medians of the time of a mount of blobs that none, one and many other repositories own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, for a minute"]
async fn mounts_without_a_source() {
    let registry = start();
    let (all, few) =
        (registry.plain_client().basic("all", "all"), registry.plain_client().basic("few", "few"));
    let blobs: [&[u8]; 2] = [b"one owner", b"many owners"];
    for blob in blobs {
        assert_eq!(all.push_blob("other/first", blob).await.unwrap(), StatusCode::CREATED);
    }
    let mount =
        |number| format!("/v2/other/{number}/blobs/uploads/?mount={}&from=other/first", digest_of(blobs[1]));
    post_all(&all, (0..1000).map(mount).collect(), StatusCode::CREATED).await;
    let paths = [&b"no owner"[..], blobs[0], blobs[1]]
        .map(|blob| format!("/v2/few/own/blobs/uploads/?mount={}", digest_of(blob)));
    let (mut connection, mut times) = (few.connect().await.unwrap(), [const { Vec::new() }; 3]);
    for _ in 0..MOUNTS {
        for (path, times) in paths.iter().zip(&mut times) {
            let started = Instant::now();
            let answer = connection(few.request("POST", path, &[], "")).await.unwrap();
            times.push(started.elapsed());
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        }
    }
    let medians = times.map(|mut times: Vec<Duration>| {
        times.sort();
        let at = |part: usize| times[times.len() * part / 4].as_micros();
        (at(1), at(2), at(3))
    });
    println!(
        "microseconds (quartiles) of a mount, by owners: none {:?}, one {:?}, 1001 {:?}",
        medians[0], medians[1], medians[2]
    );
    let (least, most) = (medians.map(|it| it.1).into_iter().min(), medians.map(|it| it.1).into_iter().max());
    assert!(most.unwrap() * 2 < least.unwrap() * 3, "it follows the owners: {medians:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, for minutes"]
async fn abandoned_uploads_are_removed() {
    let mut registry = start();
    let all = registry.plain_client().basic("all", "all");
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = all.clone();
        tasks.push(tokio::spawn(async move {
            let mut connection = client.connect().await.unwrap();
            for _ in 0..SESSIONS / CONNECTIONS {
                let begun =
                    connection(client.request("POST", "/v2/a/blobs/uploads/", &[], "")).await.unwrap();
                let location = begun.header("location").to_owned();
                let sent = connection(client.request("PATCH", &location, &[], "x")).await.unwrap();
                assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let uploads = registry.folder.path().join("data/uploads");
    let count = || std::fs::read_dir(&uploads).unwrap().count();
    let before = count();
    assert!(before >= SESSIONS, "{before}");
    registry.rewrite_configuration(|text| {
        text.replacen("[global.", "[global]\nupload_expiry = \"60s\"\n[global.", 1)
    });
    registry.crash_and_restart();
    let started = Instant::now();
    while count() == before {
        assert!(started.elapsed() < 5 * TIMEOUT, "no sweep:\n{}", registry.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (begun, processor) = (Instant::now(), processor_time(&registry));
    while count() > 0 {
        assert!(begun.elapsed() < 10 * TIMEOUT, "{} are left", count());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let processor = (processor_time(&registry) - processor) / 100;
    println!(
        "{before} sessions: removed within {:.1} s, {processor} s of processor time",
        begun.elapsed().as_secs_f64()
    );
}
