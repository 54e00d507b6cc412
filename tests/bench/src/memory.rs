//! What clients that stand still cost, and whether it is given back when they are gone.

use crate::load::{Dialer, Duplex};
use crate::report::Table;
use crate::servers::{Server, Stage};
use bytes::Bytes;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Connections that stand still at once. More would measure the limit on open files of the shell.
const CONNECTIONS: usize = 400;
/// What each upload sends before it stops.
const SENT: usize = 1024 * 1024;
/// Time for everything sent to arrive, and for memory to be given back.
const SETTLE: Duration = Duration::from_secs(2);
const GIVE_BACK: Duration = Duration::from_secs(10);

/// Stalled downloads and uploads, against each server in turn; every round of a server begins where the last one ended.
pub(crate) async fn stalled(
    stage: &Stage,
    all: &[Server],
    layer: &str,
    rounds: usize,
    only: &str,
    label: &str,
) {
    let titles = ["stalled GETs of 100 MiB", "stalled uploads of 1 MiB"].map(|it| format!("{it}, {label}"));
    for (title, uploads) in titles.iter().zip([false, true]) {
        if !title.contains(only) {
            continue;
        }
        let mut each = Table::new(title, "KiB of resident memory a connection");
        let mut after =
            Table::new(title, "MB resident 10 s after they ended, above what it was before the first");
        for server in all.iter().filter(|server| !(uploads && server.name.starts_with("nginx"))) {
            let idle = server.resident();
            for _ in 0..rounds.min(3) {
                let (dialer, before) = (Dialer::new(stage, server), server.resident());
                let mut held = Vec::new();
                for _ in 0..CONNECTIONS {
                    let mut stream = dialer.open().await;
                    if uploads {
                        upload(&mut stream).await;
                    } else {
                        let request = format!("GET {layer} HTTP/1.1\r\nhost: localhost\r\n\r\n");
                        stream.write_all(request.as_bytes()).await.unwrap();
                    }
                    held.push(stream);
                }
                tokio::time::sleep(SETTLE).await;
                each.add(server.name, (server.resident() - before) * 1024.0 / CONNECTIONS as f64);
                drop(held);
                tokio::time::sleep(GIVE_BACK).await;
                after.add(server.name, server.resident() - idle);
            }
        }
        each.print();
        after.print();
    }
}

/// Starts an upload and sends the beginning of a chunk that never ends.
async fn upload(stream: &mut Box<dyn Duplex>) {
    let start =
        "POST /v2/bench/stalled/blobs/uploads/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(start.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    let location = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location").then_some(value)
    });
    let location = location.expect("an upload");
    let path = location.find("/v2/").map_or(location, |at| &location[at..]);
    let request = format!("PATCH {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 104857600\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(&Bytes::from(vec![7; SENT])).await.unwrap();
    stream.flush().await.unwrap();
}
