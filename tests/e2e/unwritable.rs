//! Standard error, standard output and the decision log that cannot be written: pipes that are not read, closed pipes,
//! full disks. Requests, reloads, readiness and the end of the process do not depend on any of them.

use crate::harness::{Client, TIMEOUT, angos};
use hyper::StatusCode;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Everything but `GET /v2/` is denied, which is logged.
const POLICY: &str = "[server.management]\nport = 0\n\
    [global.access_policy]\nrules = [\"request.action == 'get-api-version'\"]\n";

/// A registry whose standard error belongs to the test.
struct Running {
    folder: TempDir,
    process: Child,
    registry: SocketAddr,
    management: SocketAddr,
}

impl Running {
    /// Starts it and waits until it answers; its log is not read.
    async fn start(stderr: impl Into<Stdio>, server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[server]\nbind_address = \"127.0.0.1\"\nport = 0\n{server}{POLICY}[blob_store.fs]\nroot_dir = \"data\"\n"
        );
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        let process = serve(folder.path(), stderr.into());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut running = Self { folder, process, registry: nowhere, management: nowhere };
        let started = Instant::now();
        loop {
            let ports = listening(running.process.id());
            for (management, registry) in [(0, 1), (1, 0)] {
                let (Some(management), Some(registry)) = (ports.get(management), ports.get(registry)) else {
                    continue;
                };
                let answer = Client::plain(*management).send("GET", "/healthz", &[], "").await;
                if answer.is_ok_and(|answer| answer.status == StatusCode::OK) {
                    (running.registry, running.management) = (*registry, *management);
                    return running;
                }
            }
            assert!(started.elapsed() < TIMEOUT, "it does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The statuses of so many requests that are denied; each makes a line of about 700 bytes.
    async fn denied(&self, count: usize) {
        let path = format!("/v2/{}/manifests/{}", "a".repeat(200), "t".repeat(120));
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(count);
        let mut stream = TcpStream::connect(self.registry).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let read = async {
            let (mut answers, mut buffer) = (String::new(), vec![0; 64 * 1024]);
            while answers.matches("HTTP/1.1 ").count() < count || !answers.ends_with('}') {
                let read = reader.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the connection ended after {}", answers.matches("HTTP/1.1 ").count());
                answers.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            assert_eq!(answers.matches("HTTP/1.1 403 ").count(), count);
        };
        let write = async { writer.write_all(request.as_bytes()).await.unwrap() };
        tokio::time::timeout(TIMEOUT, async { tokio::join!(read, write) }).await.expect("all are answered");
    }

    /// Denied requests until the metrics count this.
    async fn denied_until(&self, words: &str, holds: impl Fn(u64) -> bool) {
        let started = Instant::now();
        while !holds(self.count(words).await) {
            assert!(started.elapsed() < TIMEOUT, "{words}: {}", self.count(words).await);
            self.denied(50).await;
        }
    }

    async fn count(&self, series: &str) -> u64 {
        let text = Client::plain(self.management).fetch("/metrics").await.text();
        let line =
            text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{text}"));
        line.trim().parse().unwrap()
    }

    /// Whether everything but logging works: requests, probes, a reload.
    async fn assert_alive(&self) {
        assert_eq!(Client::plain(self.management).fetch("/readyz").await.status, StatusCode::OK);
        assert_eq!(Client::plain(self.registry).fetch("/v2/").await.status, StatusCode::OK);
        let reloads = "angos_reloads_total{outcome=\"applied\"}";
        let before = self.count(reloads).await;
        signal(&self.process, "HUP");
        let started = Instant::now();
        while self.count(reloads).await == before {
            assert!(started.elapsed() < TIMEOUT, "no reload");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn terminate(mut self) -> ExitStatus {
        signal(&self.process, "TERM");
        wait(&mut self.process)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(folder: &Path, stderr: Stdio) -> Child {
    let mut command = angos();
    // At `info` only some of a caller's denials are logged.
    let filter = "info,angos::policy=debug";
    command.args(["-c", "config.toml", "server"]).current_dir(folder).env("RUST_LOG", filter);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap()
}

fn signal(process: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(process.id().to_string()).status().unwrap();
    assert!(status.success());
}

/// Waits for the process to end by itself.
fn wait(process: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > TIMEOUT {
            process.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The addresses at which a process listens: without its log there is no other way to know the ports it was given.
fn listening(pid: u32) -> Vec<SocketAddr> {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .collect();
    let listens = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let port = u16::from_str_radix(fields.get(1)?.split_once(':')?.1, 16).ok()?;
        let is_ours = open.contains(&format!("socket:[{}]", fields.get(9)?));
        (fields.get(3) == Some(&"0A") && is_ours).then(|| SocketAddr::from(([127, 0, 0, 1], port)))
    };
    table.lines().filter_map(listens).collect()
}

const DROPPED: &str = "angos_log_lines_total{outcome=\"dropped\"}";
const FAILED: &str = "angos_log_lines_total{outcome=\"failed\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_is_not_read_delays_no_request_and_no_end() {
    let (_unread, writer) = pipe().unwrap();
    let registry = Running::start(writer, "").await;
    registry.denied(2200).await; // 64 KiB in the pipe, and twice 1 MiB in the process
    registry.denied_until(DROPPED, |count| count > 0).await;
    registry.assert_alive().await;
    assert!(registry.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_is_read_again_gets_the_number_of_lost_lines() {
    let (unread, writer) = pipe().unwrap();
    let registry = Running::start(writer, "").await;
    registry.denied(2200).await;
    registry.denied_until(DROPPED, |count| count > 100).await;
    let reader = std::thread::spawn(move || all(unread));
    registry.denied_until("angos_log_lines_total{outcome=\"written\"}", |count| count > 2000).await;
    let dropped = registry.count(DROPPED).await;
    assert!(registry.terminate().success());
    let log = reader.join().unwrap();
    let told: u64 = log
        .lines()
        .filter_map(|line| line.split_once("log lines were lost"))
        .map(|(_, rest)| {
            let (_, number) = rest.split_once("lost=").unwrap();
            number.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        })
        .sum();
    assert!(told >= dropped, "{told} of {dropped} lost lines are told of");
    assert!(log.lines().last().unwrap().contains("stopped"), "the last line is written before the end");
}

fn all(mut reader: PipeReader) -> String {
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_pipe_stops_nothing() {
    let (reader, writer) = pipe().unwrap();
    let registry = Running::start(writer, "").await;
    drop(reader);
    registry.denied_until(FAILED, |count| count > 50).await;
    registry.assert_alive().await;
    assert!(registry.terminate().success());
}

/// A small file system that is unmounted with the test; none where the test may not mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn fill(&self) {
        let mut file = File::create(self.file("rest")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

const DECISIONS_FAILED: &str = "angos_decision_log_lines_total{outcome=\"failed\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_nothing_and_logging_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let log = OpenOptions::new().append(true).create(true).open(disk.file("log")).unwrap();
    let decisions = format!("decision_log = \"{}\"\n", disk.file("decisions").display());
    let registry = Running::start(log, &decisions).await;
    disk.fill();
    registry.denied_until(FAILED, |count| count > 50).await;
    registry.denied_until(DECISIONS_FAILED, |count| count > 50).await;
    registry.assert_alive().await;
    std::fs::remove_file(disk.file("rest")).unwrap();
    let started = Instant::now();
    loop {
        registry.denied(1).await;
        let log = std::fs::read_to_string(disk.file("log")).unwrap();
        if log.contains("log lines were lost") && log.contains("the decision log is written again") {
            break;
        }
        assert!(started.elapsed() < TIMEOUT, "{log}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    registry.assert_alive().await;
    let decisions = std::fs::read_to_string(disk.file("decisions")).unwrap();
    let is_torn = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_err();
    assert!(decisions.lines().filter(is_torn).count() <= 1, "at most the line in which the disk was full");
    assert!(registry.terminate().success());
}

/// The same where nothing may be mounted: a device that is always full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_stays_full_stops_nothing() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let registry = Running::start(full, "decision_log = \"/dev/full\"\n").await;
    registry.denied_until(FAILED, |count| count > 50).await;
    registry.denied_until(DECISIONS_FAILED, |count| count > 50).await;
    registry.assert_alive().await;
    assert!(registry.folder.path().join("data").is_dir());
    assert!(registry.terminate().success());
}

/// A folder whose configuration has a hundred errors.
fn broken() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let keys: String = (0..100).map(|key| format!("strange_{key} = 1\n")).collect();
    std::fs::write(folder.path().join("config.toml"), format!("[server]\n{keys}")).unwrap();
    folder
}

/// A pipe without room, as another program leaves it that writes to the same reader.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(b"-").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

#[test]
fn what_keeps_it_from_starting_is_said_to_a_slow_reader() {
    let folder = broken();
    let (reader, writer) = full_pipe();
    let mut process = serve(folder.path(), writer.into());
    let slow = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        all(reader)
    });
    assert_eq!(wait(&mut process).code(), Some(1));
    let said = slow.join().unwrap();
    assert!(said.trim_end().ends_with("100 errors in the configuration"), "{said}");
}

#[test]
fn what_keeps_it_from_starting_does_not_make_it_hang() {
    let folder = broken();
    let (_unread, full) = full_pipe();
    let (reader, closed) = pipe().unwrap();
    drop(reader);
    let device = OpenOptions::new().write(true).open("/dev/full").unwrap();
    for stderr in [Stdio::from(full), closed.into(), device.into()] {
        assert_eq!(wait(&mut serve(folder.path(), stderr)).code(), Some(1));
    }
}

/// What the tools answer when nobody reads them, and when what they say cannot be written.
#[test]
fn tools_end_when_their_output_is_closed_or_full() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), POLICY).unwrap();
    std::fs::write(folder.path().join("log.jsonl"), "").unwrap();
    let explain = ["policy", "explain", "--action", "get-api-version"];
    let rows: [(&[&str], i32, i32); 6] = [
        (&["check"], 0, 1),
        (&explain, 0, 2),
        (&["policy", "replay", "log.jsonl"], 0, 2),
        (&["hash-password"], 1, 1),
        (&["quickstart", "--no-start", "--dir", "quick"], 0, 1),
        (&["--help"], 0, 0),
    ];
    for (arguments, closed, full) in rows {
        let run = |out: Stdio, errors: Stdio| {
            let (input, mut password) = pipe().unwrap();
            password.write_all(b"a-password\n").unwrap();
            drop(password);
            let mut command = angos();
            command.args(arguments).current_dir(folder.path()).stdin(input).stdout(out).stderr(errors);
            wait(&mut command.spawn().unwrap()).code()
        };
        let shut = || {
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            Stdio::from(writer)
        };
        let device = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
        assert_eq!(run(shut(), shut()), Some(closed), "{arguments:?}, closed");
        assert_eq!(run(device(), device()), Some(full), "{arguments:?}, full");
    }
}
