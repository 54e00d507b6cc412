//! Server certificate, authority and policy are swapped while pulls run: no valid request fails, and a bad set changes
//! nothing and is reported.

use crate::harness::{Image, Registry, Setup, TIMEOUT};
use hyper::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const TEAM: &str = "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.certificate.organizations.contains('Team')\"]\n";

/// Waits until `sees` holds for the answer to `GET /v2/` with this certificate.
async fn eventually(registry: &Registry, organization: &str, sees: StatusCode) {
    let certificate = registry.pki.client("someone", organization);
    let started = Instant::now();
    loop {
        let answer = registry.client(Some(&certificate)).fetch("/v2/").await;
        if answer.status == sees {
            return;
        }
        assert!(started.elapsed() < TIMEOUT, "still {}:\n{}", answer.status, registry.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_under_load_fails_no_valid_request() {
    let registry = Setup::mutual("required", TEAM).start();
    let certificate = registry.pki.client("puller", "Team");
    let image = Image::new("reload", 200_000);
    let client = registry.client(Some(&certificate));
    assert_eq!(client.push("team/app", "1", &image).await.unwrap(), StatusCode::CREATED);
    let (stop, pulls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = Vec::new();
    for client in [client.clone(), client, registry.client_h2(Some(&certificate))] {
        let (image, stop, pulls) = (image.clone(), Arc::clone(&stop), Arc::clone(&pulls));
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                client.pull("team/app", "1", &image).await;
                pulls.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for round in 0..5 {
        registry.pki.renew_server();
        // Another authority comes and goes beside the one the load is trusted by.
        let (own, other) =
            (registry.pki.authority.certificate_pem(), registry.pki.stranger.certificate_pem());
        let authorities = if round % 2 == 0 { own + &other } else { own };
        std::fs::write(registry.folder.path().join("ca.pem"), authorities).unwrap();
        let organization = format!("Round {round}");
        registry.rewrite_configuration(|text| {
            text.replace(
                "rules = [",
                &format!("rules = [\"identity.certificate.organizations.contains('{organization}')\", "),
            )
        });
        registry.reload();
        eventually(&registry, &organization, StatusCode::OK).await;
        let newcomer = registry.pki.stranger.issue(&angos_test_ca::Leaf::client("new").organization("Team"));
        let answer = registry.client(Some(&newcomer)).send("GET", "/v2/", &[], "").await;
        assert_eq!(
            answer.is_ok(),
            round % 2 == 0,
            "round {round}: the authorities in force are those of the file"
        );
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    assert!(pulls.load(Ordering::Relaxed) > 10, "the load was no load");
}

#[tokio::test]
async fn the_files_are_watched_without_a_signal() {
    let registry = Setup::mutual("required", TEAM).start();
    eventually(&registry, "Others", StatusCode::FORBIDDEN).await;
    registry.rewrite_configuration(|text| text.replace("'Team'", "'Others'"));
    eventually(&registry, "Others", StatusCode::OK).await;
    eventually(&registry, "Team", StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn a_new_authority_replaces_the_old_one() {
    let registry = Setup::mutual("required", TEAM).start();
    let newcomer = registry.pki.stranger.issue(&angos_test_ca::Leaf::client("new").organization("Team"));
    let veteran = registry.pki.client("old", "Team");
    assert!(registry.client(Some(&newcomer)).send("GET", "/v2/", &[], "").await.is_err());
    std::fs::write(registry.folder.path().join("ca.pem"), registry.pki.stranger.certificate_pem()).unwrap();
    registry.reload();
    let started = Instant::now();
    while registry.client(Some(&newcomer)).send("GET", "/v2/", &[], "").await.is_err() {
        assert!(started.elapsed() < TIMEOUT, "{}", registry.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(registry.client(Some(&veteran)).send("GET", "/v2/", &[], "").await.is_err());
}

#[tokio::test]
async fn a_bad_set_changes_nothing_and_is_reported() {
    let registry = Setup::mutual("required", TEAM).start();
    eventually(&registry, "Team", StatusCode::OK).await;
    let good = std::fs::read_to_string(registry.folder.path().join("config.toml")).unwrap();
    let breakages: [(&str, &str, &str); 4] = [
        ("organizations", "organisations", "organisations"),
        ("default = \"deny\"", "default = \"maybe\"", "maybe"),
        ("client_auth = \"required\"", "client_auht = \"required\"", "client_auht"),
        ("ca.pem", "missing.pem", "missing.pem"),
    ];
    for (from, to, reported) in breakages {
        registry.rewrite_configuration(|_| good.replace(from, to));
        registry.reload();
        registry.wait_for_log(reported);
        eventually(&registry, "Team", StatusCode::OK).await;
        eventually(&registry, "Others", StatusCode::FORBIDDEN).await;
    }
    registry.rewrite_configuration(|_| good.replace("'Team'", "'Others'"));
    registry.reload();
    eventually(&registry, "Others", StatusCode::OK).await;
}
