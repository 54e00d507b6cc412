//! What is measured, in the order it is printed.

use crate::calls;
use crate::load::Dialer;
use crate::memory;
use crate::report::Table;
use crate::servers::{self, Server, Stage};
use bytes::Bytes;
use sha2::Digest as _;
use std::path::Path;

const MIB: usize = 1024 * 1024;
const GB: f64 = 1e9;
const NAME: &str = "bench/image";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest_of(bytes: &[u8]) -> String {
    let hex: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Bytes that no two calls share and that do not compress.
fn unique(size: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    Bytes::from(bytes)
}

/// A kilobyte and its digest.
fn small_blob(seed: u64) -> (Bytes, String) {
    let bytes = unique(1024, seed);
    (bytes.clone(), digest_of(&bytes))
}

/// The content every registry is given, and nginx as static files.
struct Content {
    layer: Bytes,
    manifest: Bytes,
}

impl Content {
    fn new() -> Self {
        let layer = unique(100 * MIB, 1);
        let config = Bytes::from_static(b"{}");
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(&config), "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(&layer), "size": layer.len()}],
            "annotations": {"padding": "x".repeat(500)},
        });
        Content { layer, manifest: Bytes::from(serde_json::to_vec(&manifest).unwrap()) }
    }

    fn layer_path(&self) -> String {
        format!("/v2/{NAME}/blobs/{}", digest_of(&self.layer))
    }

    /// Title, method and path of requests whose cost is not in their bytes.
    fn small_reads(&self) -> [(&'static str, &'static str, String); 3] {
        [
            ("manifest GET by tag", "GET", manifest_path()),
            ("manifest HEAD by tag", "HEAD", manifest_path()),
            ("blob HEAD", "HEAD", self.layer_path()),
        ]
    }

    fn write_static(&self, stage: &Stage) {
        for (path, bytes) in [(self.layer_path(), &self.layer), (manifest_path(), &self.manifest)] {
            let path = stage.path("static").join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    async fn push(&self, stage: &Stage, server: &Server) {
        let mut connection = Dialer::new(stage, server).connect().await;
        connection.push_blob(NAME, Bytes::from_static(b"{}"), &digest_of(b"{}")).await;
        connection.push_blob(NAME, self.layer.clone(), &digest_of(&self.layer)).await;
        let answer = connection.send("PUT", &manifest_path(), MANIFEST, self.manifest.clone()).await;
        assert_eq!(answer.status(), 201);
    }
}

fn manifest_path() -> String {
    format!("/v2/{NAME}/manifests/latest")
}

pub(crate) async fn run_all(binary: &Path, rounds: usize, only: &str) {
    let stage = Stage::new();
    let content = Content::new();
    content.write_static(&stage);
    if "start and idle memory".contains(only) {
        start_and_idle(&stage, binary, rounds);
    }
    for tls in [false, true] {
        let registries =
            [Some(servers::angos(&stage, binary, tls, true)), servers::docker_registry(&stage, tls)];
        for server in registries.iter().flatten() {
            content.push(&stage, server).await;
        }
        let [ours, peer] = registries;
        let all: Vec<Server> = [ours, servers::nginx(&stage, tls), peer].into_iter().flatten().collect();
        let label = if tls { "mutual TLS" } else { "plain" };
        pulls(&stage, &all, &content, rounds, only, label).await;
        memory::stalled(&stage, &all, &content.layer_path(), rounds, only, label).await;
        if !tls {
            let blobs: Vec<_> = (0..200).map(|it| small_blob(1 << 40 | it)).collect();
            calls::count(&stage, &all[0], &content.small_reads(), &blobs, only).await;
        }
    }
    pushes(&stage, binary, rounds, only).await;
}

fn start_and_idle(stage: &Stage, binary: &Path, rounds: usize) {
    let (mut start, mut idle) =
        (Table::new("start to listening, mutual TLS", "ms"), Table::new("idle resident memory", "MB"));
    for _ in 0..rounds {
        let (milliseconds, megabytes) = servers::start_time(stage, binary);
        start.add("angos mTLS", milliseconds);
        idle.add("angos mTLS", megabytes);
        if let Some(peer) = servers::docker_registry(stage, true) {
            std::thread::sleep(std::time::Duration::from_millis(500));
            idle.add("dr 2.8.2 mTLS", peer.resident());
        }
    }
    start.print();
    idle.print();
}

async fn pulls(stage: &Stage, all: &[Server], content: &Content, rounds: usize, only: &str, label: &str) {
    for (title, method, path) in content.small_reads() {
        let title = format!("{title}, {label}");
        if !title.contains(only) {
            continue;
        }
        let mut table = Table::new(&title, "µs of server CPU a request");
        for round in 0..=rounds {
            for server in all {
                let requests = if server.name.starts_with("dr") { 2_000 } else { 20_000 };
                let (dialer, before) = (Dialer::new(stage, server), server.cpu());
                dialer.repeat(method, &path, requests, 8).await;
                if round > 0 {
                    table.add(server.name, (server.cpu() - before) / requests as f64 * 1e6);
                }
            }
        }
        table.print();
    }
    let title = format!("blob GET 100 MiB, {label}");
    if title.contains(only) {
        let mut table = Table::new(&title, "server CPU-s per GB");
        for round in 0..=rounds {
            for server in all {
                let (mut connection, before) = (Dialer::new(stage, server).connect().await, server.cpu());
                let mut received = 0;
                for _ in 0..5 {
                    received += connection.drain("GET", &content.layer_path()).await;
                }
                if round > 0 {
                    table.add(server.name, (server.cpu() - before) / received as f64 * GB);
                }
            }
        }
        table.print();
    }
}

async fn pushes(stage: &Stage, binary: &Path, rounds: usize, only: &str) {
    let durable = servers::angos(stage, binary, false, true);
    let mut relaxed = servers::angos(stage, binary, false, false);
    relaxed.name = "angos sync=false";
    let floor = servers::floor(stage);
    let all: Vec<Server> =
        [Some(durable), Some(relaxed), Some(floor), servers::docker_registry(stage, false)]
            .into_iter()
            .flatten()
            .collect();
    for (title, size, count) in [("blob PUT 100 MiB", 100 * MIB, 2), ("blob POST+PUT 1 KiB", 1024, 500)] {
        if !title.contains(only) {
            continue;
        }
        let large = size > MIB;
        let mut table =
            Table::new(title, if large { "server CPU-s per GB" } else { "µs of server CPU a blob" });
        for round in 0..=rounds {
            for (number, server) in all.iter().enumerate() {
                if !large && server.name == "floor" {
                    continue;
                }
                let bodies: Vec<(Bytes, String)> = (0..count)
                    .map(|it| unique(size, (1 + it + count * (number + 10 * round)) as u64))
                    .map(|bytes| (bytes.clone(), digest_of(&bytes)))
                    .collect();
                let (mut connection, before) = (Dialer::new(stage, server).connect().await, server.cpu());
                for (bytes, digest) in bodies {
                    if server.name == "floor" {
                        let answer = connection.send("PUT", "/", "application/octet-stream", bytes).await;
                        assert_eq!(answer.status(), 201);
                    } else {
                        connection.push_blob("bench/push", bytes, &digest).await;
                    }
                }
                let spent = server.cpu() - before;
                let figure =
                    if large { spent / (size * count) as f64 * GB } else { spent / count as f64 * 1e6 };
                if round > 0 {
                    table.add(server.name, figure);
                }
            }
        }
        table.print();
    }
}
