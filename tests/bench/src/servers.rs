//! Starts the servers that are measured and reads what the kernel says they cost.

use angos_test_ca::{Authority, Issued, Leaf};
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc`; fixed by the kernel's interface on every Linux that Rust supports.
const TICKS: f64 = 100.0;

/// The folder, the certificates and the free ports of one run.
pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Authority,
    pub(crate) client: Issued,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("Benchmark authority");
        let client = authority.issue(&Leaf::client("bench").organization("Bench"));
        std::fs::write(folder.path().join("ca.pem"), authority.certificate_pem()).unwrap();
        authority.issue(&Leaf::server(["localhost"])).write(folder.path(), "server");
        Stage { folder, authority, client }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A running server; ended when dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    process: Child,
}

impl Server {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Processor seconds, user and system, that the server has spent so far.
    pub(crate) fn cpu(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let after_name = text.rsplit_once(')').unwrap().1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks / TICKS
    }

    /// Resident memory in MB.
    pub(crate) fn resident(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = text.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(name: &'static str, tls: bool, port: u16, command: &mut Command) -> Option<Server> {
    let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let server = Server { name, port, tls, process };
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "{name} does not listen on port {port}");
        std::thread::sleep(Duration::from_micros(200));
    }
    Some(server)
}

/// Angos with a policy; over mutual TLS, the three rules of the how-to page.
pub(crate) fn angos(stage: &Stage, binary: &Path, tls: bool, sync: bool) -> Server {
    let (name, port) = (if tls { "angos mTLS" } else { "angos" }, free_port());
    let kind = format!("angos-{tls}-{sync}");
    let folder = stage.folder.path().display();
    let mut text = format!("[server]\nbind_address = \"127.0.0.1\"\nport = {port}\n");
    if tls {
        text += &format!(
            "[server.tls]\nserver_certificate_bundle = \"{folder}/server.pem\"\nserver_private_key = \"{folder}/server.key\"\n\
             client_ca_bundle = \"{folder}/ca.pem\"\nclient_auth = \"required\"\n"
        );
    }
    text += &format!(
        "[storage]\nsync = {sync}\n[blob_store.fs]\nroot_dir = \"{folder}/{kind}\"\n[global.access_policy]\n"
    );
    text += if tls {
        "default = \"deny\"\nrules = [\"identity.username == 'admin'\", \"'build-server' in identity.certificate.common_names\", \
         \"identity.certificate.organizations.contains('Bench')\"]\n"
    } else {
        "default = \"allow\"\nrules = [\"request.namespace.startsWith('forbidden/')\", \"request.action == 'list-catalog'\"]\n"
    };
    let config = stage.path(&format!("{kind}.toml"));
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(binary);
    command.arg("-c").arg(&config).arg("server").env("RUST_LOG", "warn");
    spawn(name, tls, port, &mut command).expect("the binary starts")
}

/// nginx with one process and static files: what serving those bytes costs without being a registry.
pub(crate) fn nginx(stage: &Stage, tls: bool) -> Option<Server> {
    let (name, port) = (if tls { "nginx mTLS" } else { "nginx" }, free_port());
    let folder = stage.folder.path().display();
    let secure = if tls {
        format!(
            "ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key; \
             ssl_client_certificate {folder}/ca.pem; ssl_verify_client on;"
        )
    } else {
        String::new()
    };
    let listen = if tls { "ssl" } else { "" };
    let text = format!(
        "daemon off; master_process off; pid {folder}/nginx-{tls}.pid; error_log /dev/null; events {{}}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; client_body_temp_path {folder}/n;\n\
         proxy_temp_path {folder}/n; fastcgi_temp_path {folder}/n; uwsgi_temp_path {folder}/n; scgi_temp_path {folder}/n;\n\
         server {{ listen 127.0.0.1:{port} {listen}; {secure} root {folder}/static; }} }}\n"
    );
    let config = stage.path(&format!("nginx-{tls}.conf"));
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-c").arg(&config);
    spawn(name, tls, port, &mut command)
}

/// Debian's docker-registry, on the same filesystem.
pub(crate) fn docker_registry(stage: &Stage, tls: bool) -> Option<Server> {
    let (name, port) = (if tls { "dr 2.8.2 mTLS" } else { "dr 2.8.2" }, free_port());
    let folder = stage.folder.path().display();
    let secure = if tls {
        format!(
            "\n  tls: {{certificate: {folder}/server.pem, key: {folder}/server.key, clientcas: [{folder}/ca.pem]}}"
        )
    } else {
        String::new()
    };
    let text = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {folder}/dr}}}}\n\
         http:\n  addr: 127.0.0.1:{port}{secure}\n"
    );
    let config = stage.path(&format!("dr-{tls}.yml"));
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(&config);
    spawn(name, tls, port, &mut command)
}

/// This program again, as the floor of a push.
pub(crate) fn floor(stage: &Stage) -> Server {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .arg("--floor")
        .arg(stage.folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Server { name: "floor", port: line.trim().parse().unwrap(), tls: false, process }
}

/// Milliseconds from starting the binary until it accepts a connection.
pub(crate) fn start_time(stage: &Stage, binary: &Path) -> (f64, f64) {
    let started = Instant::now();
    let server = angos(stage, binary, true, true);
    let elapsed = started.elapsed().as_secs_f64() * 1000.0;
    std::thread::sleep(Duration::from_millis(500));
    (elapsed, server.resident())
}
