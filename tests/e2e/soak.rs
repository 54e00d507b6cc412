//! A mixed load for any length against one server: pushes, pulls, deletes, reloads, floods, and a disk that is full one
//! tenth of the time. In the end every acknowledged object is there, and memory and descriptors are back where they were.
//!
//! Not one of the usual tests: `tests/soak/run.sh` starts it, for the minutes named by [`MINUTES`].

#![allow(clippy::print_stdout, reason = "it ends with a summary for people")]

mod disk;
mod floods;
mod ledger;
mod load;

use crate::harness::{Client, Pki, Registry, Setup, TIMEOUT, hash_password};
use disk::Disk;
use ledger::Ledger;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Names how long the soak runs, in minutes; fractions are taken. Default 2.
const MINUTES: &str = "ANGOS_SOAK_MINUTES";

/// Descriptors the server may have open in the end beyond those of the beginning: what a reload or a probe holds just then.
const FILES_SLACK: usize = 8;
/// Memory it may hold beyond that of the beginning, in KiB: what the allocator keeps of a flood.
const MEMORY_SLACK_KIB: u64 = 48 * 1024;

/// Shared by all that loads the server.
struct Soak {
    clients: [Client; 2],
    guesser: Client,
    ledger: Ledger,
    /// Nothing new is begun, and connections are closed.
    pause: AtomicBool,
    stop: AtomicBool,
}

impl Soak {
    /// Whether to go on; waits while there is a pause.
    async fn goes_on(&self) -> bool {
        while self.pause.load(Ordering::Acquire) && !self.stop.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        !self.stop.load(Ordering::Acquire)
    }

    fn is_paused(&self) -> bool {
        self.pause.load(Ordering::Acquire) || self.stop.load(Ordering::Acquire)
    }
}

/// What the server holds while nobody asks for anything.
#[derive(Debug, Clone, Copy)]
struct Held {
    files: usize,
    memory: u64,
}

impl Held {
    fn by(registry: &Registry) -> Self {
        let files = std::fs::read_dir(format!("/proc/{}/fd", registry.pid())).unwrap().count();
        Self { files, memory: registry.resident_memory() }
    }

    fn is_within(self, base: Self) -> bool {
        self.files <= base.files + FILES_SLACK && self.memory <= base.memory + MEMORY_SLACK_KIB
    }
}

fn configuration() -> Setup {
    let hash = hash_password("the right one");
    let rest = format!(
        "[server.management]\nport = 0\n[auth.identity.ci]\nusername = \"ci\"\npassword = '{hash}'\n\
         [global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.certificate.organizations.contains('Team')\"]\n"
    );
    let haste = "idle_timeout = \"20s\"\nrequest_head_timeout = \"5s\"\nbody_progress_timeout = \"5s\"\n";
    Setup::mutual("required", &rest).server(haste).tls_lines("handshake_timeout = \"5s\"\n")
}

/// One number of the metrics, of all series with this name together.
async fn sum(management: &Client, name: &str) -> f64 {
    let text = management.fetch("/metrics").await.text();
    let series = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    series.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

/// Waits until no request is in flight and the server holds no more than `base`; what it holds then or in the end.
async fn settle(registry: &Registry, base: Option<Held>) -> Held {
    let (management, started) = (registry.management_client(), Instant::now());
    loop {
        // The scrape itself may be one.
        let is_quiet = sum(&management, "angos_requests_in_flight").await <= 1.0;
        let held = Held::by(registry);
        let enough = base.map_or(started.elapsed() > Duration::from_secs(3), |base| held.is_within(base));
        if is_quiet && enough || started.elapsed() > TIMEOUT {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Errors a full disk and a refused reload are reported by; of any other kind there is none.
fn unexpected_errors(log: &str) -> Vec<&str> {
    const EXPECTED: &[&str] = &["angos::config", "No space left", "os error 28", "no space", "disk"];
    let is_expected = |line: &str| EXPECTED.iter().any(|words| line.contains(words));
    let is_error = |line: &str| line.contains("ERROR") || line.contains("panicked");
    log.lines().filter(|line| is_error(line) && !is_expected(line)).collect()
}

/// Waits until the server says that it is ready.
async fn ready(registry: &Registry) {
    let (management, started) = (registry.management_client(), Instant::now());
    while management.fetch("/readyz").await.status != 200 {
        assert!(started.elapsed() < TIMEOUT, "not ready again:\n{}", registry.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reloads by signal and by the files alone: other authorities, other rules, and a configuration that is refused.
async fn reloads(soak: Arc<Soak>, registry: Arc<Registry>) {
    let own = registry.pki.authority.certificate_pem();
    let both = own.clone() + &registry.pki.stranger.certificate_pem();
    for round in 0_u64.. {
        if !soak.goes_on().await {
            break;
        }
        match round % 5 {
            0 => registry.write("ca.pem", &both),
            1 => registry.rewrite_configuration(|text| {
                let kept = text.lines().filter(|line| !line.starts_with("shadow_rules"));
                let text: String = kept.flat_map(|line| [line, "\n"]).collect();
                format!("{text}shadow_rules = [\"request.tag == 'r{round}'\"]\n")
            }),
            2 => registry.write("ca.pem", &own),
            3 => registry.rewrite_configuration(|text| text + "broken =\n"),
            _ => registry.rewrite_configuration(|text| text.replace("broken =\n", "")),
        }
        if round % 2 == 0 {
            registry.signal("HUP");
        }
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    // Whatever was broken is mended.
    registry.rewrite_configuration(|text| text.replace("broken =\n", ""));
    registry.signal("HUP");
}

/// Lets the load run for `length`; the disk is full for the middle tenth of each period.
async fn run(soak: &Soak, disk: &mut Option<Disk>, registry: &Registry, length: Duration) {
    let started = Instant::now();
    let period = length.min(Duration::from_mins(10));
    while started.elapsed() < length && !soak.ledger.has_wrongs() {
        let within = Duration::from_secs_f64(started.elapsed().as_secs_f64() % period.as_secs_f64());
        let is_full = within > period * 9 / 20 && within < period * 11 / 20;
        if let Some(disk) = disk {
            if is_full {
                disk.fill();
            } else if disk.is_full() {
                disk.free();
                ready(registry).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if let Some(disk) = disk {
        disk.free();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs for minutes: tests/soak/run.sh"]
async fn everything_at_once_for_a_while() {
    let minutes: f64 = std::env::var(MINUTES).map_or(2.0, |text| text.parse().unwrap());
    let length = Duration::from_secs_f64(minutes * 60.0);
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Disk::mount(&folder.path().join("data"), length);
    let pki = Pki::new(folder.path());
    let registry = Arc::new(configuration().start_in(folder, pki, &[]));
    let steady = registry.pki.client("steady", "Team");
    let guesser = registry.client(Some(&registry.pki.client("guesser", "Other")));
    let clients = [registry.client(Some(&steady)), registry.client_h2(Some(&steady))];
    let soak = Arc::new(Soak {
        clients,
        guesser,
        ledger: Ledger::default(),
        pause: AtomicBool::new(false),
        stop: AtomicBool::new(false),
    });
    let mut tasks = load::start(&soak);
    tasks.extend(floods::start(&soak, &registry).await);
    tasks.push(tokio::spawn(reloads(Arc::clone(&soak), Arc::clone(&registry))));

    // The beginning is a server that has seen everything once.
    run(&soak, &mut None, &registry, (length / 6).clamp(Duration::from_secs(15), Duration::from_mins(2)))
        .await;
    soak.pause.store(true, Ordering::Release);
    let base = settle(&registry, None).await;
    soak.pause.store(false, Ordering::Release);
    run(&soak, &mut disk, &registry, length).await;
    soak.stop.store(true, Ordering::Release);
    for task in tasks {
        task.await.unwrap();
    }
    ready(&registry).await;
    let held = settle(&registry, Some(base)).await;
    let management = registry.management_client();
    let panics = sum(&management, "angos_panics_total").await;
    println!("soak of {minutes} minutes: {}", soak.ledger.summary());
    println!("full disk: {}", disk.as_ref().map_or("no (needs root)".to_owned(), Disk::summary));
    println!("in the beginning {base:?}, in the end {held:?}, at most {} KiB", registry.peak_memory());
    for outcome in ["applied", "refused"] {
        let name = format!("angos_reloads_total{{outcome=\"{outcome}\"}}");
        println!("reloads {outcome}: {}", sum(&management, &name).await);
    }
    println!("intact: {}", soak.ledger.verify(&soak.clients[0]).await);

    assert!(!soak.ledger.has_wrongs(), "{:#?}", soak.ledger.wrongs());
    assert_eq!(unexpected_errors(&registry.log()), Vec::<&str>::new());
    assert!(panics == 0.0, "{panics} panics");
    assert!(held.is_within(base), "from {base:?} to {held:?}");
    assert!(soak.ledger.was_a_load(), "the load was no load: {}", soak.ledger.summary());
    let mut registry = Arc::into_inner(registry).unwrap();
    registry.crash_and_restart();
    let client = registry.client(Some(&steady));
    println!("intact after kill -9 and a restart: {}", soak.ledger.verify(&client).await);
    assert!(!soak.ledger.has_wrongs(), "{:#?}", soak.ledger.wrongs());
    drop(registry);
    drop(disk);
}
