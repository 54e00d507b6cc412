//! System calls an operation costs, counted by strace: unlike time, no noise of the machine is in them.

use crate::load::Dialer;
use crate::report::Table;
use crate::servers::{Server, Stage};
use bytes::Bytes;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Operations counted together.
const OPERATIONS: usize = 200;
/// What waits for the disk.
const SYNCS: [&str; 4] = ["fsync", "fdatasync", "sync_file_range", "syncfs"];

/// Counts the calls of reads of these paths (title, method, path), and of small pushes.
pub(crate) async fn count(
    stage: &Stage,
    server: &Server,
    reads: &[(&str, &'static str, String)],
    blobs: &[(Bytes, String)],
    only: &str,
) {
    for (title, method, path) in reads {
        let title = format!("system calls, {title}");
        if !title.contains(only) {
            continue;
        }
        let mut connection = Dialer::new(stage, server).connect().await;
        connection.drain(method, path).await;
        let Some(strace) = Strace::attach(stage, server) else { return };
        for _ in 0..OPERATIONS {
            connection.drain(method, path).await;
        }
        print(&title, server, &strace.stop(), OPERATIONS, false);
    }
    let title = "system calls, blob POST+PUT 1 KiB";
    if title.contains(only) {
        let mut connection = Dialer::new(stage, server).connect().await;
        let (first, rest) = blobs.split_first().expect("blobs");
        connection.push_blob("bench/push", first.0.clone(), &first.1).await;
        let Some(strace) = Strace::attach(stage, server) else { return };
        for (bytes, digest) in rest {
            connection.push_blob("bench/push", bytes.clone(), digest).await;
        }
        print(title, server, &strace.stop(), rest.len(), true);
    }
}

fn print(title: &str, server: &Server, calls: &[(String, usize)], operations: usize, syncs: bool) {
    let all: usize = calls.iter().map(|(_, count)| count).sum();
    let mut table = Table::new(title, "calls an operation");
    table.add(server.name, all as f64 / operations as f64);
    table.print();
    if syncs {
        let waits = calls.iter().filter(|(name, _)| SYNCS.contains(&name.as_str()));
        let waits: usize = waits.map(|(_, count)| count).sum();
        let mut table = Table::new(title, "syncs an operation");
        table.add(server.name, waits as f64 / operations as f64);
        table.print();
    }
}

/// strace, attached to a server.
struct Strace {
    process: Child,
    output: std::path::PathBuf,
}

impl Strace {
    /// None where it is not installed.
    fn attach(stage: &Stage, server: &Server) -> Option<Self> {
        let output = stage.path("calls");
        let mut command = Command::new("strace");
        command.arg("-f").arg("-c").arg("-o").arg(&output).arg("-p").arg(server.id().to_string());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        std::thread::sleep(Duration::from_millis(500));
        Some(Self { process, output })
    }

    /// How often each call was made.
    fn stop(mut self) -> Vec<(String, usize)> {
        let _ = Command::new("kill").arg("-INT").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        text.lines().filter_map(row).collect()
    }
}

/// `% time  seconds  usecs/call  calls  [errors]  name`
fn row(line: &str) -> Option<(String, usize)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let name = fields.last()?;
    (fields.len() >= 5 && *name != "total").then_some(())?;
    Some(((*name).to_owned(), fields[3].parse().ok()?))
}
