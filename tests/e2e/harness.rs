//! Starts the real binary and ends it, whatever happens; makes the certificates and the configuration it needs.

mod client;
pub(crate) mod frames;
mod image;
mod pki;

pub(crate) use client::{Answer, Client, Failure, Sender, Wire};
pub(crate) use image::{Image, digest_of};
pub(crate) use pki::Pki;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest any single wait of a test may take; a machine under load needs most of it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Names the binary under test.
pub(crate) const BINARY: &str = "ANGOS_E2E_BINARY";

/// The binary under test: [`BINARY`], or the one cargo builds now, in the profile of the tests.
pub(crate) fn binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os(BINARY) {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

/// The binary, to be given arguments: without the variable that names it, which would be no key of its configuration.
pub(crate) fn angos() -> Command {
    let mut command = Command::new(binary());
    command.env_remove(BINARY).env_remove("ANGOS_SOAK_MINUTES");
    command
}

/// The same, started by a shell that first runs `prelude`, if there is one.
fn angos_after(prelude: &str) -> Command {
    if prelude.is_empty() {
        return angos();
    }
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{prelude} && exec \"$0\" \"$@\"")).arg(binary()).env_remove(BINARY);
    command
}

/// Runs a program that ends by itself, and what it said; one that does not is killed after [`TIMEOUT`].
pub(crate) fn output_of(command: &mut Command) -> Output {
    let mut process =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if started.elapsed() > TIMEOUT {
            process.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    process.wait_with_output().unwrap()
}

fn build() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package=angos", "--message-format=json", "--quiet"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "angos").then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.expect("cargo names the executable it built")
}

/// The argon2id hash of a password, as `angos hash-password` prints it.
pub(crate) fn hash_password(password: &str) -> String {
    use std::io::Write as _;
    let mut process = angos()
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A running registry. Dropping it kills the process and removes the folder.
pub(crate) struct Registry {
    pub(crate) pki: Pki,
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    process: Child,
    log: Arc<Mutex<String>>,
    prelude: String,
}

/// What to start: the text of the configuration, after `[server]` with its address and `[blob_store.fs]`.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) tls: Option<&'static str>,
    pub(crate) rest: String,
    pub(crate) log_filter: Option<&'static str>,
    pub(crate) server: String,
    pub(crate) tls_lines: String,
    pub(crate) prelude: String,
}

impl Setup {
    /// Mutual TLS in the given mode, and further configuration.
    pub(crate) fn mutual(mode: &'static str, rest: &str) -> Self {
        Setup { tls: Some(mode), rest: rest.to_owned(), ..Setup::default() }
    }

    /// No TLS at all, and further configuration.
    pub(crate) fn plain(rest: &str) -> Self {
        Setup { rest: rest.to_owned(), ..Setup::default() }
    }

    /// The same with lines added to the `[server]` section.
    pub(crate) fn server(mut self, lines: &str) -> Self {
        self.server.push_str(lines);
        self
    }

    /// The same with lines added to the `[server.tls]` section.
    pub(crate) fn tls_lines(mut self, lines: &str) -> Self {
        self.tls_lines.push_str(lines);
        self
    }

    /// The same with another `RUST_LOG`.
    pub(crate) fn log(mut self, filter: &'static str) -> Self {
        self.log_filter = Some(filter);
        self
    }

    /// The same under a soft and a hard limit on open files.
    pub(crate) fn open_files(self, soft: u32, hard: u32) -> Self {
        self.after(&format!("ulimit -S -n {soft} && ulimit -H -n {hard}"))
    }

    /// The same with a command of the shell that starts it, as `umask 0` or `ulimit -f 100`.
    pub(crate) fn after(mut self, prelude: &str) -> Self {
        prelude.clone_into(&mut self.prelude);
        self
    }

    /// Starts the registry and waits until it listens.
    pub(crate) fn start(self) -> Registry {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(folder.path());
        self.start_in(folder, pki, &[])
    }

    /// The same in a folder with these certificates, and further files.
    pub(crate) fn start_in(self, folder: TempDir, pki: Pki, files: &[(&str, &[u8])]) -> Registry {
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            settle(path.parent().unwrap());
        }
        // The lines may open further sections, so they come last.
        let delay = if self.server.contains("shutdown_delay") { "" } else { "shutdown_delay = \"0s\"\n" };
        let mut text = format!("[server]\nbind_address = \"127.0.0.1\"\nport = 0\n{delay}{}\n", self.server);
        if let Some(mode) = self.tls {
            text += &pki.section(mode);
            text += &self.tls_lines;
        }
        text += &format!("[blob_store.fs]\nroot_dir = \"{}\"\n", folder.path().join("data").display());
        text += &self.rest;
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        settle(folder.path());
        let log = Arc::default();
        let filter = self.log_filter.unwrap_or("info");
        let (process, address) = spawn(folder.path(), filter, &log, &self.prelude);
        Registry { pki, folder, address, process, log, prelude: self.prelude }
    }
}

/// Makes a folder and the files in it as old as if they had been written an hour ago: files that were written a moment ago are
/// watched for a while before they are taken, which few tests are about.
pub(crate) fn settle(folder: &Path) {
    let time = std::time::SystemTime::now() - Duration::from_hours(1);
    std::fs::File::open(folder).unwrap().set_modified(time).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            make_old(&entry.path());
        }
    }
}

/// Makes a file as old as if it had been written an hour ago.
fn make_old(file: &Path) {
    let time = std::time::SystemTime::now() - Duration::from_hours(1);
    std::fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
}

/// Runs `angos -c config.toml server` in `folder` and waits for the line that says where it listens.
fn spawn(folder: &Path, filter: &str, log: &Arc<Mutex<String>>, prelude: &str) -> (Child, SocketAddr) {
    let mut process = angos_after(prelude)
        .args(["-c", "config.toml", "server"])
        .current_dir(folder)
        .env("RUST_LOG", filter)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = process.stderr.take().unwrap();
    let sink = Arc::clone(log);
    std::thread::spawn(move || {
        use std::io::BufRead;
        for line in std::io::BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = sink.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
    let started = Instant::now();
    loop {
        let text = log.lock().unwrap().clone();
        if let Some(address) = listening(&text) {
            return (process, address);
        }
        if let Some(status) = process.try_wait().unwrap() {
            panic!("angos ended with {status}:\n{text}");
        }
        assert!(started.elapsed() < TIMEOUT, "angos does not listen:\n{text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The address in the newest line that announces the registry's listener.
fn listening(log: &str) -> Option<SocketAddr> {
    let is_registry = |line: &&str| !line.contains("management") && !line.contains("listener=");
    let line = log.lines().rev().find(|line| line.contains("listening") && is_registry(line))?;
    address_in(line)
}

/// The address a line of the log tells.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("address=")?;
    rest.split_whitespace().next()?.trim_matches('"').parse().ok()
}

impl Registry {
    /// A client that shows this certificate, or none.
    pub(crate) fn client(&self, certificate: Option<&angos_test_ca::Issued>) -> Client {
        Client::new(self.address, &self.pki, certificate, Wire::Http1)
    }

    /// A client over HTTP/2.
    pub(crate) fn client_h2(&self, certificate: Option<&angos_test_ca::Issued>) -> Client {
        Client::new(self.address, &self.pki, certificate, Wire::Http2)
    }

    /// A client without TLS.
    pub(crate) fn plain_client(&self) -> Client {
        Client::plain(self.address)
    }

    /// The address of a further listener.
    pub(crate) fn address_of(&self, listener: &str) -> SocketAddr {
        let words = format!("listener=\"{listener}\"");
        self.wait_for_log(&words);
        address_in(self.log().lines().find(|line| line.contains(&words)).unwrap()).unwrap()
    }

    /// A client of the management listener, which `[server.management]` asks for.
    pub(crate) fn management_client(&self) -> Client {
        self.wait_for_log("management listening");
        let log = self.log();
        let line = log.lines().find(|it| it.contains("management listening")).unwrap();
        Client::plain(address_in(line).unwrap())
    }

    /// All that the process has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log contains `words`.
    pub(crate) fn wait_for_log(&self, words: &str) {
        let started = Instant::now();
        while !self.log().contains(words) {
            assert!(started.elapsed() < TIMEOUT, "no {words:?} in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the management listener counts. The configuration must have one.
    pub(crate) async fn metrics(&self) -> String {
        self.management_client().fetch("/metrics").await.text()
    }

    /// The lines that count handshakes by how they ended.
    pub(crate) async fn handshakes(&self) -> Vec<String> {
        let metrics = self.metrics().await;
        let counts = metrics.lines().filter(|line| line.starts_with("angos_tls_handshakes_total{"));
        counts.map(str::to_owned).collect()
    }

    /// How a handshake ended, of which [`handshakes`](Self::handshakes) did not know before.
    pub(crate) async fn handshake_since(&self, before: &[String]) -> String {
        let started = Instant::now();
        loop {
            if let Some(changed) = self.handshakes().await.iter().find(|line| !before.contains(line)) {
                return changed.split('"').nth(1).unwrap().to_owned();
            }
            assert!(started.elapsed() < TIMEOUT, "a handshake ended and was not counted");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The process, for signals and for what the kernel says of it.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The highest resident memory so far, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// Resident memory now, in KiB.
    pub(crate) fn resident_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, kind: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|it| it.starts_with(kind)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends a signal by name, as `kill -NAME` does.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Asks for a reload of files that nobody is writing any more.
    pub(crate) fn reload(&self) {
        settle(self.folder.path());
        self.signal("HUP");
    }

    /// Kills the process without warning and starts it again on the same folder (and another port).
    pub(crate) fn crash_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.log.lock().unwrap().clear();
        (self.process, self.address) = spawn(self.folder.path(), "info", &self.log, &self.prelude);
    }

    /// Waits for the process to end by itself, and until its log was read to the end.
    pub(crate) fn wait_for_exit(&mut self) -> std::process::ExitStatus {
        let started = Instant::now();
        loop {
            // The thread that reads the log holds it, too.
            let is_read = || Arc::strong_count(&self.log) == 1;
            if let Some(status) = self.process.try_wait().unwrap().filter(|_| is_read()) {
                return status;
            }
            assert!(started.elapsed() < TIMEOUT, "still running:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Replaces the configuration's text.
    pub(crate) fn rewrite_configuration(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.folder.path().join("config.toml")).unwrap();
        self.write("config.toml", change(text));
    }

    /// Puts a file into the registry's folder, as a whole and as if it had been written an hour ago: nobody reads a half
    /// of it, or waits to see whether it is one.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let (new, path) = (self.folder.path().join(".new"), self.folder.path().join(name));
        std::fs::write(&new, content).unwrap();
        make_old(&new);
        std::fs::rename(new, path).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
