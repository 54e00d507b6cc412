//! A disk that is full, limited, taken away or damaged: an error with a reason, readiness that follows, and nothing
//! acknowledged is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tempfile::TempDir;

use crate::harness::{
    Answer, Client, Image, Pki, Registry, Setup, TIMEOUT, angos, digest_of, output_of, settle,
};

const ANYONE: &str = "[server.management]\nport = 0\n[global.access_policy]\ndefault = \"allow\"\n";

/// A small file system in memory; gone with this value. Only root can make one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| SmallDisk(folder))
    }

    /// Starts a registry that keeps everything here.
    fn registry(&self) -> Registry {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(self.0.path().join("data")).unwrap();
        symlink(self.0.path().join("data"), folder.path().join("data")).unwrap();
        let pki = Pki::new(folder.path());
        Setup::plain(ANYONE).start_in(folder, pki, &[])
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Waits until `/readyz` answers so; its text.
async fn ready(registry: &Registry, expected: StatusCode) -> String {
    let started = Instant::now();
    loop {
        let answer = registry.management_client().fetch("/readyz").await;
        if answer.status == expected {
            return answer.text();
        }
        assert!(started.elapsed() < TIMEOUT, "{}: {}\n{}", answer.status, answer.text(), registry.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_full(what: &str, answer: &Answer) {
    assert_eq!(answer.status, StatusCode::INSUFFICIENT_STORAGE, "{what}: {}", answer.text());
    assert_eq!(answer.code(), "DENIED", "{what}");
    let text = answer.text();
    assert!(text.contains("no space left") && !text.contains('/'), "{what}: {text}");
}

async fn start_upload(client: &Client) -> Answer {
    client.send("POST", "/v2/a/blobs/uploads/", &[], "").await.unwrap()
}

/// One blob in every way there is; each must be answered as full.
async fn pushes_are_refused(client: &Client, bytes: &[u8]) {
    let digest = digest_of(bytes);
    let path = format!("/v2/a/blobs/uploads/?digest={digest}");
    is_full("POST", &client.send("POST", &path, &[], bytes.to_vec()).await.unwrap());
    let started = start_upload(client).await;
    let path = started.location_with(&format!("digest={digest}"));
    is_full("PUT", &client.send("PUT", &path, &[], bytes.to_vec()).await.unwrap());
    let started = start_upload(client).await;
    let patched = client.send("PATCH", started.header("location"), &[], bytes.to_vec()).await.unwrap();
    is_full("PATCH", &patched);
    let found = client.ask("HEAD", &format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(found.status, StatusCode::NOT_FOUND);
}

/// Sends manifests under new tags until one is refused; the tags that were acknowledged.
async fn fill_metadata(client: &Client, image: &Image) -> Vec<String> {
    let path = |tag: &str| format!("/v2/a/manifests/{tag}");
    let headers = [("content-type", Image::MEDIA_TYPE)];
    let mut acknowledged = Vec::new();
    for number in 0..400 {
        let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
        manifest["annotations"] = serde_json::json!({ "n": number.to_string(), "p": "x".repeat(60_000) });
        let tag = format!("t{number}");
        let body = serde_json::to_vec(&manifest).unwrap();
        let answer = client.send("PUT", &path(&tag), &headers, body).await.unwrap();
        if answer.status != StatusCode::CREATED {
            is_full("manifest", &answer);
            return acknowledged;
        }
        acknowledged.push(tag);
    }
    panic!("400 manifests of 60 KB found room");
}

#[tokio::test]
async fn a_full_disk_is_507_and_not_ready_until_there_is_room() {
    // Without root there is RLIMIT_FSIZE, below.
    let Some(disk) = SmallDisk::new("size=12m,mode=700") else { return };
    let registry = disk.registry();
    let client = registry.plain_client();
    let image = Image::new("full", 300_000);
    for tag in ["kept", "spare"] {
        assert_eq!(client.push("a", tag, &image).await.unwrap(), StatusCode::CREATED);
    }
    ready(&registry, StatusCode::OK).await;
    let filler = disk.0.path().join("filler");
    let outcome = fs::write(&filler, vec![1; 64 << 20]);
    assert!(outcome.is_err());

    pushes_are_refused(&client, &vec![7; 100_000]).await;
    let text = ready(&registry, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(text.contains("the blob store has no space left") && !text.contains('/'), "{text}");
    let metrics = registry.metrics().await;
    for line in ["angos_storage_writable{store=\"blobs\"} 0", "angos_storage_free_bytes{store=\"blobs\"} 0"] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    client.pull("a", "kept", &image).await;

    let tags = fill_metadata(&client, &image).await;
    client.pull("a", "kept", &image).await;
    // A mount and a delete write little: they find room in the file or none, and never anything else.
    for (method, path, success) in [
        (
            "POST",
            format!("/v2/b/blobs/uploads/?mount={}&from=a", digest_of(&image.layer)),
            StatusCode::CREATED,
        ),
        ("DELETE", "/v2/a/manifests/spare".to_owned(), StatusCode::ACCEPTED),
    ] {
        let answer = client.send(method, &path, &[], "").await.unwrap();
        if answer.status != success {
            is_full(method, &answer);
        }
    }
    fs::remove_file(&filler).unwrap();
    ready(&registry, StatusCode::OK).await;
    let again = Image::new("again", 200_000);
    assert_eq!(client.push("a", "again", &again).await.unwrap(), StatusCode::CREATED);
    client.pull("a", "again", &again).await;
    for tag in tags {
        let found = client.ask("HEAD", &format!("/v2/a/manifests/{tag}")).await;
        assert_eq!(found.status, StatusCode::OK, "{tag} was acknowledged");
    }
}

/// Small commits may still find room where a manifest finds none; that does not make the store ready.
#[tokio::test]
async fn full_metadata_alone_is_not_ready_until_there_is_room() {
    let Some(disk) = SmallDisk::new("size=8m,mode=700") else { return };
    let metadata = format!("[metadata_store.fs]\nroot_dir = \"{}\"\n", disk.0.path().join("m").display());
    let registry = Setup::plain(&format!("{ANYONE}{metadata}")).start();
    let client = registry.plain_client();
    let image = Image::new("metadata", 1000);
    assert_eq!(client.push("a", "kept", &image).await.unwrap(), StatusCode::CREATED);
    let filler = disk.0.path().join("filler");
    fs::write(&filler, vec![1; 4 << 20]).unwrap();
    fill_metadata(&client, &image).await;
    let path = |name: &str| format!("/v2/{name}/blobs/uploads/?mount={}&from=a", digest_of(&image.layer));
    for number in 0..3 {
        // Whatever becomes of small writes, and however often the storage is looked at meanwhile.
        let mounted = client.ask("POST", &path(&format!("small{number}"))).await;
        assert!([201, 507].contains(&mounted.status.as_u16()), "{}", mounted.status);
        tokio::time::sleep(Duration::from_millis(700)).await;
        let text = ready(&registry, StatusCode::SERVICE_UNAVAILABLE).await;
        assert!(text.contains("the metadata store has no space left") && !text.contains('/'), "{text}");
    }
    client.pull("a", "kept", &image).await;
    fs::remove_file(&filler).unwrap();
    ready(&registry, StatusCode::OK).await;
    assert_eq!(client.push("a", "again", &Image::new("again", 1000)).await.unwrap(), StatusCode::CREATED);
}

#[tokio::test]
async fn used_up_inodes_are_a_full_disk() {
    let Some(disk) = SmallDisk::new("size=64m,nr_inodes=400,mode=700") else { return };
    let registry = disk.registry();
    let client = registry.plain_client();
    let image = Image::new("inodes", 1000);
    assert_eq!(client.push("a", "kept", &image).await.unwrap(), StatusCode::CREATED);
    let filler = disk.0.path().join("filler");
    fs::create_dir(&filler).unwrap();
    let made = (0..400).find(|number| fs::write(filler.join(number.to_string()), "").is_err());
    assert!(made.is_some(), "inodes never ended");
    pushes_are_refused(&client, &[7; 1000]).await;
    ready(&registry, StatusCode::SERVICE_UNAVAILABLE).await;
    let metrics = registry.metrics().await;
    assert!(metrics.contains("angos_storage_free_inodes{store=\"blobs\"} 0"), "{metrics}");
    client.pull("a", "kept", &image).await;
    fs::remove_dir_all(&filler).unwrap();
    ready(&registry, StatusCode::OK).await;
    assert_eq!(client.push_blob("a", &[7; 1000]).await.unwrap(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_limit_on_the_size_of_files_is_an_error_and_not_the_end() {
    // In blocks of 512 bytes: 3 MB.
    let registry = Setup::plain(ANYONE).after("ulimit -S -f 6000").start();
    let client = registry.plain_client();
    let image = Image::new("fsize", 300_000);
    assert_eq!(client.push("a", "kept", &image).await.unwrap(), StatusCode::CREATED);
    pushes_are_refused(&client, &vec![7; 4_000_000]).await;
    let tags = fill_metadata(&client, &image).await;
    client.pull("a", "kept", &image).await;
    let raised = Command::new("prlimit")
        .args(["--pid", &registry.pid().to_string(), "--fsize=unlimited"])
        .status()
        .unwrap();
    assert!(raised.success());
    assert_eq!(client.push_blob("a", &vec![7; 4_000_000]).await.unwrap(), StatusCode::CREATED);
    assert_eq!(client.push("a", "again", &Image::new("again", 1000)).await.unwrap(), StatusCode::CREATED);
    ready(&registry, StatusCode::OK).await;
    for tag in tags {
        let found = client.ask("HEAD", &format!("/v2/a/manifests/{tag}")).await;
        assert_eq!(found.status, StatusCode::OK, "{tag} was acknowledged");
    }
}

/// Everything that writes; none of it may be acknowledged.
async fn nothing_is_acknowledged(registry: &Registry, client: &Client, image: &Image, what: &str) {
    let text = ready(registry, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(text.contains("is not where it was opened") && !text.contains('/'), "{what}: {text}");
    let bytes = what.as_bytes().to_vec();
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest_of(&bytes));
    let started = start_upload(client).await;
    let manifest = [("content-type", Image::MEDIA_TYPE)];
    for (method, path, headers, body) in [
        ("POST", path.as_str(), &[][..], bytes.clone()),
        ("PATCH", started.header("location"), &[], bytes),
        ("PUT", "/v2/a/manifests/other", &manifest, image.manifest.clone()),
        ("DELETE", "/v2/a/manifests/kept", &[], Vec::new()),
        ("POST", &format!("/v2/b/blobs/uploads/?mount={}&from=a", digest_of(&image.layer)), &[], Vec::new()),
    ] {
        let answer = client.send(method, path, headers, body).await.unwrap();
        // Of an emptied folder the blobs are gone, too: a manifest that names them is told, and a mount is an upload
        // that is to come.
        let is_gone = answer.status.is_client_error()
            || path.contains("mount=") && answer.status == StatusCode::ACCEPTED;
        let is_refused = answer.status.is_server_error() || what == "emptied" && is_gone;
        assert!(is_refused, "{what}, {method} {path}: {}", answer.status);
        assert!(!answer.text().contains("data"), "{what}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_folder_that_is_taken_away_takes_nothing_until_it_is_back() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let image = Image::new("moved", 10_000);
    assert_eq!(client.push("a", "kept", &image).await.unwrap(), StatusCode::CREATED);
    let (data, away) = (registry.folder.path().join("data"), registry.folder.path().join("away"));
    fs::rename(&data, &away).unwrap();
    nothing_is_acknowledged(&registry, &client, &image, "moved").await;
    let copied = Command::new("cp").arg("-a").arg(&away).arg(&data).status().unwrap();
    assert!(copied.success());
    nothing_is_acknowledged(&registry, &client, &image, "replaced by a copy").await;
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&away, &data).unwrap();
    ready(&registry, StatusCode::OK).await;
    assert_eq!(client.push("a", "after", &Image::new("after", 1000)).await.unwrap(), StatusCode::CREATED);
    client.pull("a", "kept", &image).await;
    let entries: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    for entry in entries {
        if entry.is_dir() { fs::remove_dir_all(entry).unwrap() } else { fs::remove_file(entry).unwrap() }
    }
    nothing_is_acknowledged(&registry, &client, &image, "emptied").await;
    assert!(!registry.log().contains("panicked"), "{}", registry.log());
}

/// A store with one image, no process, and its folder.
async fn stopped_store() -> (TempDir, Image) {
    let mut registry = Setup::plain(ANYONE).start();
    let image = Image::new("kept", 10_000);
    assert_eq!(registry.plain_client().push("a", "kept", &image).await.unwrap(), StatusCode::CREATED);
    registry.signal("TERM");
    assert!(registry.wait_for_exit().success());
    let folder = tempfile::tempdir().unwrap();
    for name in ["data", "config.toml"] {
        let from = registry.folder.path().join(name);
        let status = Command::new("cp").arg("-a").arg(from).arg(folder.path()).status().unwrap();
        assert!(status.success());
    }
    let text = fs::read_to_string(folder.path().join("config.toml")).unwrap();
    let text = text.replace(registry.folder.path().to_str().unwrap(), folder.path().to_str().unwrap());
    fs::write(folder.path().join("config.toml"), text).unwrap();
    settle(folder.path());
    (folder, image)
}

/// Starts over a store that was changed, and expects a refusal that says so.
async fn check_refused(what: &str, change: impl FnOnce(&Path), words: &[&str]) {
    let (folder, _) = stopped_store().await;
    change(&folder.path().join("data"));
    let output = output_of(angos().args(["-c", "config.toml", "server"]).current_dir(folder.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{what}: {said}");
    for words in words {
        assert!(said.contains(words), "{what}: no {words:?} in\n{said}");
    }
    assert!(!said.contains("listening"), "{what}: {said}");
}

#[tokio::test]
async fn half_a_store_is_a_refusal_to_start() {
    let missing = ["is missing, but", "mount or restore what is missing"];
    check_refused("no metadata", |data| fs::remove_dir_all(data.join("metadata")).unwrap(), &missing).await;
    check_refused("no blobs", |data| fs::remove_dir_all(data.join("blobs")).unwrap(), &missing).await;
    let other = |data: &Path| fs::write(data.join("store.id"), "angos-store-1 0000000000000001\n").unwrap();
    check_refused("blobs of another store", other, &["belong to different stores"]).await;
}

#[tokio::test]
async fn a_torn_database_is_a_refusal_to_start() {
    let file = |data: &Path| data.join("metadata/metadata.redb");
    let cut = |length: u64| {
        move |data: &Path| {
            fs::OpenOptions::new().write(true).open(file(data)).unwrap().set_len(length).unwrap();
        }
    };
    let damaged = ["metadata.redb is damaged", "restore it from a backup"];
    check_refused("empty", cut(0), &damaged).await;
    check_refused("cut in the header", cut(200), &damaged).await;
    check_refused("cut", cut(300_000), &damaged).await;
    let garbage = |data: &Path| fs::write(file(data), b"garbage\n".repeat(50_000)).unwrap();
    check_refused("garbage", garbage, &["is not an Angos store", "move it away"]).await;
}

/// Pages of the database that are lost while nobody looks: requests that need them fail, and the others go on.
#[tokio::test]
async fn damage_that_is_met_later_is_an_error_of_one_request() {
    let mut registry = Setup::plain(ANYONE).start();
    let image = Image::new("kept", 10_000);
    assert_eq!(registry.plain_client().push("a", "kept", &image).await.unwrap(), StatusCode::CREATED);
    let path = registry.folder.path().join("data/metadata/metadata.redb");
    let whole = fs::read(&path).unwrap();
    // Wherever the names are, in old and new versions of the page.
    let needle = b"kept";
    let places = whole.windows(needle.len()).enumerate().filter(|(_, window)| window == needle);
    let pages: std::collections::BTreeSet<usize> = places.map(|(place, _)| place / 4096).collect();
    assert!(!pages.is_empty());
    let mut bytes = whole.clone();
    for page in pages {
        bytes[page * 4096..][..4096].fill(0);
    }
    fs::write(&path, &bytes).unwrap();
    let client = registry.plain_client();
    for path in ["/v2/a/tags/list", "/v2/a/manifests/nope", "/v2/_catalog", "/v2/a/tags/list"] {
        let answer = client.fetch(path).await;
        let is_known = answer.status.is_success() || answer.status == StatusCode::NOT_FOUND;
        assert!(is_known || answer.status == StatusCode::INTERNAL_SERVER_ERROR, "{path}: {}", answer.status);
    }
    assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    assert_eq!(registry.management_client().fetch("/healthz").await.status, StatusCode::OK);
    registry.signal("TERM");
    registry.wait_for_exit();
}

#[tokio::test]
async fn only_the_owner_may_read_what_is_stored_whatever_the_umask() {
    let registry =
        Setup::plain(ANYONE).server("decision_log = \"decisions.jsonl\"\n").after("umask 000").start();
    let client = registry.plain_client();
    assert_eq!(client.push("a", "1", &Image::new("modes", 10_000)).await.unwrap(), StatusCode::CREATED);
    let started = start_upload(&client).await;
    let patched = client.send("PATCH", started.header("location"), &[], vec![1; 1000]).await.unwrap();
    assert_eq!(patched.status, StatusCode::ACCEPTED);
    let mut paths = vec![registry.folder.path().join("data"), registry.folder.path().join("decisions.jsonl")];
    let mut seen = 0;
    while let Some(path) = paths.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}: {mode:o}", path.display());
        seen += 1;
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 12, "{seen}");
}

#[test]
fn quickstart_makes_private_folders_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("q");
    let script = format!("umask 000; exec \"$0\" quickstart --no-start --dir {}", root.display());
    let status = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(crate::harness::binary())
        .env_remove(crate::harness::BINARY)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let mut paths = vec![root];
    let mut keys = 0;
    while let Some(path) = paths.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}: {mode:o}", path.display());
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_string_lossy().contains("key") {
            keys += 1;
            assert_eq!(mode, 0o600, "{}: {mode:o}", path.display());
        }
    }
    assert_eq!(keys, 3);
}

/// `angos check` with `--deny-warnings` over a configuration, after these modes were set.
fn check_modes(modes: &[(&str, u32)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    fs::create_dir_all(folder.path().join("data/metadata")).unwrap();
    fs::create_dir_all(folder.path().join("data/blobs")).unwrap();
    fs::write(folder.path().join("data/metadata/metadata.redb"), "").unwrap();
    let hash = crate::harness::hash_password("secret");
    fs::write(folder.path().join("password"), hash).unwrap();
    let text = format!(
        "[server]\nport = 0\n{}[blob_store.fs]\nroot_dir = \"data\"\n[global.access_policy]\n\
         rules = [\"identity.username == 'a'\"]\n[auth.identity.a]\nusername = \"a\"\npassword_file = \"password\"\n",
        pki.section("optional")
    );
    fs::write(folder.path().join("config.toml"), text).unwrap();
    let private = [("server.key", 0o600), ("password", 0o600), ("data", 0o700)];
    for (name, mode) in private.iter().chain(modes) {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(*mode)).unwrap();
    }
    let output = angos().args(["check", "--deny-warnings"]).current_dir(folder.path()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    (output.status.success(), said)
}

#[test]
fn secrets_that_others_can_read_are_warned_of() {
    let (is_quiet, said) = check_modes(&[]);
    assert!(is_quiet, "{said}");
    for (modes, words) in [
        (&[("server.key", 0o640)][..], &["server.key", "group", "chmod 600"][..]),
        (&[("server.key", 0o604)], &["server.key", "chmod 600"]),
        (&[("password", 0o644)], &["password", "chmod 600"]),
        (
            &[("data", 0o755), ("data/metadata", 0o755), ("data/metadata/metadata.redb", 0o644)],
            &["data", "chmod -R"],
        ),
    ] {
        let (is_quiet, said) = check_modes(modes);
        assert!(!is_quiet, "{modes:?}: {said}");
        for words in words {
            assert!(said.contains(words), "{modes:?}: no {words:?} in\n{said}");
        }
    }
}
