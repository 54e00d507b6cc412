//! Reloads without end and by every means: who is trusted follows the files, whoever stays trusted does not notice, and
//! nothing is left behind in memory.

use crate::harness::{Client, Registry, Sender, Setup, TIMEOUT};
use angos_test_ca::{Authority, Issued, Leaf, RevocationList};
use hyper::StatusCode;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const ANYONE: &str = "[server.management]\nport = 0\n[global.access_policy]\ndefault = \"allow\"\n";

const CONNECTIONS: usize = 200;
const CALLERS: usize = 40;
const RELOADS: usize = 1000;
/// Reloads after which memory is taken as what it has to be.
const WARM: usize = 100;
/// What the other sets may leave behind at most: less than each of them takes.
const GROWTH_MAX_KIB: u64 = 8 * 1024;

/// How many reloads ended so.
async fn reloads(management: &Client, outcome: &str) -> usize {
    let metrics = management.fetch("/metrics").await.text();
    let prefix = format!("angos_reloads_total{{outcome=\"{outcome}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap();
    count.parse().unwrap()
}

/// Writes the next set; whether it is a good one.
fn write_set(registry: &Registry, round: usize) -> bool {
    let folder = registry.folder.path();
    let own = registry.pki.authority.certificate_pem();
    let both = own.clone() + &registry.pki.stranger.certificate_pem();
    match round % 4 {
        0 => {
            fs::write(folder.join("ca.pem"), both).unwrap();
            registry.pki.renew_server();
            true
        }
        1 => {
            fs::write(folder.join("ca.pem"), &both[..both.len() - 30]).unwrap();
            false
        }
        2 => {
            fs::write(folder.join("ca.pem"), own).unwrap();
            true
        }
        _ => {
            let other = registry.pki.stranger.issue(&Leaf::server(["localhost"]));
            fs::write(folder.join("server.key"), other.key_pem).unwrap();
            false
        }
    }
}

/// Counts and stops what runs beside the reloads.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    requests: AtomicUsize,
    handshakes: AtomicUsize,
}

/// Asks over one connection until told to stop. It must never fail, and never be closed.
async fn keep_asking(client: Client, mut connection: Sender, load: Arc<Load>) {
    while !load.stop.load(Ordering::Relaxed) {
        let answer = connection(client.request("GET", "/v2/", &[], "")).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        load.requests.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// Connects anew until told to stop. It must never fail.
async fn keep_connecting(client: Client, load: Arc<Load>) {
    while !load.stop.load(Ordering::Relaxed) {
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
        load.handshakes.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_two_hundred_connections() {
    let registry = Setup::mutual("required", ANYONE).start();
    // So many callers that each has its share also where 1024 open files leave room for few connections.
    let certificate = |number| registry.pki.client(&format!("steady-{number}"), "Team");
    let both = |it: &Issued| [registry.client(Some(it)), registry.client_h2(Some(it))];
    let clients: Vec<_> = (0..CALLERS).flat_map(|number| both(&certificate(number))).collect();
    let load = Arc::new(Load::default());
    let mut tasks = Vec::new();
    for number in 0..CONNECTIONS {
        let client = clients[number % clients.len()].clone();
        // One after the other: so many handshakes at once are more than the share of one address.
        let mut connection = client.connect().await.unwrap();
        assert_eq!(connection(client.request("GET", "/v2/", &[], "")).await.unwrap().status, StatusCode::OK);
        tasks.push(tokio::spawn(keep_asking(client, connection, Arc::clone(&load))));
    }
    tasks.extend(
        clients.iter().take(2).map(|it| tokio::spawn(keep_connecting(it.clone(), Arc::clone(&load)))),
    );

    let management = registry.management_client();
    let mut warm = 0;
    for round in 0..RELOADS {
        let outcome = if write_set(&registry, round) { "applied" } else { "refused" };
        let before = reloads(&management, outcome).await;
        registry.reload();
        let started = Instant::now();
        while reloads(&management, outcome).await == before {
            assert!(started.elapsed() < TIMEOUT, "reload {round} was not {outcome}:\n{}", registry.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if round == WARM {
            warm = registry.resident_memory();
        }
        assert!(tasks.iter().all(|task| !task.is_finished()), "a client failed at reload {round}");
    }
    load.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let after = registry.resident_memory();
    assert!(after < warm + GROWTH_MAX_KIB, "from {warm} KiB to {after} KiB");
    let (requests, handshakes) =
        (load.requests.load(Ordering::Relaxed), load.handshakes.load(Ordering::Relaxed));
    assert!(requests >= CONNECTIONS && handshakes > 10, "{requests} and {handshakes}: the load was no load");
    assert!(!registry.log().contains("panicked"), "{}", registry.log());
}

/// A folder as Kubernetes mounts it: `ca.pem` → `..data/ca.pem`, and `..data` → a folder of this version.
fn mount(volume: &Path, version: &str, files: &[(&str, &str)]) {
    let folder = volume.join(version);
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
        if !volume.join(name).is_symlink() {
            symlink(Path::new("..data").join(name), volume.join(name)).unwrap();
        }
    }
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

/// A registry that trusts what `trust/ca.pem` in a folder says, which the test replaces. Nothing is signalled.
struct Watched {
    registry: Registry,
    folder: TempDir,
    current: Authority,
}

impl Watched {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let current = Authority::new("The first");
        let volume = folder.path().join("trust");
        mount(&volume, "..version_0", &[("ca.pem", &current.certificate_pem())]);
        let (mut setup, file) = (Setup::mutual("none", ANYONE), volume.join("ca.pem"));
        setup.tls_lines = format!("client_ca_bundle = \"{}\"\nclient_auth = \"required\"\n", file.display());
        Self { registry: setup.start(), folder, current }
    }

    fn volume(&self) -> PathBuf {
        self.folder.path().join("trust")
    }

    async fn admits(&self, authority: &Authority) -> bool {
        let certificate = authority.issue(&Leaf::client("alice"));
        let answer = self.registry.client(Some(&certificate)).send("GET", "/v2/", &[], "").await;
        answer.is_ok_and(|answer| answer.status == StatusCode::OK)
    }

    /// After `change`, which is given the folder and a new authority's bundle, that one is trusted and no other.
    async fn follows(&mut self, what: &str, change: impl FnOnce(&Path, &str)) {
        let next = Authority::new(what);
        change(&self.volume(), &next.certificate_pem());
        let started = Instant::now();
        while !self.admits(&next).await {
            assert!(started.elapsed() < TIMEOUT, "{what} is not seen:\n{}", self.registry.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!self.admits(&self.current).await, "{what}: who was trusted before still is");
        self.current = next;
    }

    /// After `change` a reload is refused, and who was trusted still is.
    async fn stays(&self, what: &str, change: impl FnOnce(&Path)) {
        let refusals = || self.registry.log().matches("reload refused").count();
        let before = refusals();
        change(&self.volume());
        let started = Instant::now();
        while refusals() == before {
            assert!(started.elapsed() < TIMEOUT, "{what} is not seen:\n{}", self.registry.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(self.admits(&self.current).await, "{what}: who was trusted before is not any more");
        assert!(!self.admits(&self.registry.pki.stranger).await, "{what}: a stranger is trusted");
    }
}

#[tokio::test]
async fn every_way_to_replace_a_file_ends_in_the_right_set() {
    let mut watched = Watched::start();
    assert!(watched.admits(&watched.current).await);
    watched.follows("a swapped link", |volume, pem| mount(volume, "..version_1", &[("ca.pem", pem)])).await;
    watched
        .follows("another swapped link", |volume, pem| mount(volume, "..version_2", &[("ca.pem", pem)]))
        .await;
    let write = |volume: &Path, pem: &str| fs::write(volume.join("ca.pem"), pem).unwrap();
    watched
        .follows("a renamed file", |volume, pem| {
            fs::write(volume.join("new"), pem).unwrap();
            fs::rename(volume.join("new"), volume.join("ca.pem")).unwrap();
        })
        .await;
    watched.stays("an emptied file", |volume| write(volume, "")).await;
    watched.follows("a file written after it was emptied", write).await;
    let half = watched.current.certificate_pem();
    watched.stays("half a file", |volume| write(volume, &half[..half.len() / 2])).await;
    watched.follows("a whole file after half of one", write).await;
    watched.stays("a missing file", |volume| fs::remove_file(volume.join("ca.pem")).unwrap()).await;
    watched.follows("a file that was missing", write).await;
    watched
        .stays("a folder in place of the file", |volume| {
            fs::remove_file(volume.join("ca.pem")).unwrap();
            fs::create_dir(volume.join("ca.pem")).unwrap();
        })
        .await;
    watched
        .follows("a link in place of the folder", |volume, pem| {
            fs::remove_dir(volume.join("ca.pem")).unwrap();
            symlink("elsewhere.pem", volume.join("ca.pem")).unwrap();
            fs::write(volume.join("elsewhere.pem"), pem).unwrap();
        })
        .await;
    watched.stays("a link to nothing", |volume| fs::remove_file(volume.join("elsewhere.pem")).unwrap()).await;
    watched
        .follows("what the link leads to", |volume, pem| {
            fs::write(volume.join("elsewhere.pem"), pem).unwrap();
        })
        .await;
}

#[tokio::test]
async fn a_folder_that_is_replaced_ends_in_the_right_set() {
    let mut watched = Watched::start();
    watched
        .follows("a renamed folder", |volume, pem| {
            let new = volume.with_extension("new");
            fs::create_dir(&new).unwrap();
            fs::write(new.join("ca.pem"), pem).unwrap();
            fs::rename(volume, volume.with_extension("old")).unwrap();
            fs::rename(new, volume).unwrap();
        })
        .await;
    // The new folder is watched like the old one.
    watched.follows("a file in it", |volume, pem| fs::write(volume.join("ca.pem"), pem).unwrap()).await;
    watched.stays("a folder that is gone", |volume| fs::remove_dir_all(volume).unwrap()).await;
    watched
        .follows("a folder that was gone", |volume, pem| {
            fs::create_dir(volume).unwrap();
            fs::write(volume.join("ca.pem"), pem).unwrap();
        })
        .await;
}

#[tokio::test]
async fn a_list_counts_as_soon_as_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Listed");
    let [alice, bob] = ["alice", "bob"].map(|name| authority.issue(&Leaf::client(name)));
    let write = |name: &str, list: &RevocationList| {
        let (new, path) = (folder.path().join(".new"), folder.path().join("lists").join(name));
        fs::write(&new, authority.revocation_list(list)).unwrap();
        fs::rename(new, path).unwrap();
    };
    fs::create_dir(folder.path().join("lists")).unwrap();
    authority.write(folder.path(), "ca");
    write("1.crl", &RevocationList::new(1));
    let mut setup = Setup::mutual("none", ANYONE);
    setup.tls_lines = format!(
        "client_auth = \"required\"\n[[server.tls.client_ca]]\nname = \"team\"\nbundle = \"{0}/ca.pem\"\ncrls = [\"{0}/lists\"]\n",
        folder.path().display()
    );
    let registry = setup.start();
    let [alice, bob] = [&alice, &bob].map(|it| (registry.client(Some(it)), it.serial.clone()));
    let admits = async |client: &Client| client.send("GET", "/v2/", &[], "").await.is_ok();
    let refused_in_time = async |client: &Client| {
        let started = Instant::now();
        while admits(client).await {
            assert!(started.elapsed() < TIMEOUT, "{}", registry.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(admits(&alice.0).await && admits(&bob.0).await);
    write("2.crl", &RevocationList::new(2).revoke(&alice.1));
    refused_in_time(&alice.0).await;
    assert!(admits(&bob.0).await);
    // An older list does not take the place of a newer one, and the newest need not be the last file.
    fs::remove_file(folder.path().join("lists/2.crl")).unwrap();
    write("1.crl", &RevocationList::new(3).revoke(&alice.1).revoke(&bob.1));
    refused_in_time(&bob.0).await;
    write("1.crl", &RevocationList::new(2).revoke(&alice.1));
    registry.wait_for_log("older");
    assert!(!admits(&alice.0).await && !admits(&bob.0).await, "an older list let somebody back in");
}
