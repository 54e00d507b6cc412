//! A process that pushes is killed at any moment, again and again, on the same folder.
//!
//! The child is this test binary itself. It tells on its standard output what was acknowledged; whatever it
//! told must be there afterwards, and nothing that is there may be wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test; clippy.toml allows it only within test functions"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use angos_oci::{Algorithm, Digest};
use angos_storage::{Batch, Error, SessionId, Settings, Storage};
use bytes::Bytes;

const ROUNDS: u32 = 12;

/// Content that follows from a number.
fn content(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length.div_ceil(8)).flatten().take(length).collect::<Vec<u8>>().into()
}

/// Sizes from nothing to some pieces.
fn length(seed: u64) -> usize {
    usize::try_from(seed.wrapping_mul(7919) % 700_000).unwrap()
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{line}").unwrap();
    out.flush().unwrap();
}

/// The child: reads a folder and a first number, then pushes until it is killed.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let Some((folder, first)) = input.split_once('\n') else { return };
    let (folder, first) = (folder.to_owned(), first.trim().parse::<u64>().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        let storage = Storage::open(&Settings::in_folder(folder)).unwrap();
        let pushers: Vec<_> =
            (0..4).map(|lane| tokio::spawn(push(storage.clone(), first + lane * 1_000_000))).collect();
        for pusher in pushers {
            pusher.await.unwrap();
        }
    });
}

async fn push(storage: Storage, first: u64) {
    for seed in first.. {
        let content = content(seed, length(seed));
        let digest = Digest::of(Algorithm::Sha256, &content);
        if seed % 3 == 0 {
            let mut writer = storage.blobs.stage(Algorithm::Sha256).await.unwrap();
            writer.write(content).await.unwrap();
            writer.commit(&digest).await.unwrap();
        } else {
            let session = storage.blobs.begin(Algorithm::Sha256).await.unwrap();
            let mut offset = 0;
            for piece in content.chunks(100_000) {
                let mut writer = storage.blobs.append(&session, offset).await.unwrap();
                writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
                offset = writer.finish().await.unwrap().offset;
                tell(&format!("session {session} {seed} {offset}"));
            }
            storage.blobs.commit(&session, &digest).await.unwrap();
            storage.blobs.abort(&session).await.unwrap();
        }
        tell(&format!("blob {seed}"));
        let batch = Batch::new().put(format!("a/{seed}"), digest.to_string()).put(format!("b/{seed}"), "");
        storage.metadata.apply(batch).await.unwrap();
        tell(&format!("record {seed}"));
    }
}

/// What the child told.
#[derive(Default)]
struct Told {
    blobs: Vec<u64>,
    records: Vec<u64>,
    sessions: BTreeMap<SessionId, (u64, u64)>,
}

fn start(folder: &Path, first: u64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    write!(input, "{}\n{first}", folder.display()).unwrap();
    child
}

/// Lets a child push for a while, kills it, and returns what it had told.
fn run(folder: &Path, first: u64, patience: Duration) -> Told {
    let mut child = start(folder, first);
    let output = child.stdout.take().unwrap();
    let (lines, heard) = mpsc::channel();
    let listener = std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let mut told = Told::default();
    let mut hear = |line: String| {
        let Some(line) = line.strip_prefix('@') else { return };
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        match words[0] {
            "blob" => told.blobs.push(number(1)),
            "record" => told.records.push(number(1)),
            _ => drop(told.sessions.insert(words[1].parse().unwrap(), (number(2), number(3)))),
        }
    };
    let first_line = heard.recv_timeout(Duration::from_mins(1)).expect("the child pushes");
    hear(first_line);
    let deadline = Instant::now() + patience;
    while let Ok(line) = heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        hear(line);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    listener.join().unwrap();
    heard.try_iter().for_each(&mut hear);
    told
}

async fn read(storage: &Storage, digest: &Digest) -> Option<Vec<u8>> {
    let mut reader = storage.blobs.read(digest, None).await.unwrap()?;
    let mut content = Vec::new();
    while let Some(chunk) = reader.next().await {
        content.extend_from_slice(&chunk.unwrap());
    }
    Some(content)
}

/// Everything told is there, everything there is right, and sessions go on.
async fn verify(storage: &Storage, told: &Told) {
    for seed in &told.blobs {
        let expected = content(*seed, length(*seed));
        let digest = Digest::of(Algorithm::Sha256, &expected);
        assert!(read(storage, &digest).await.unwrap() == expected, "blob {seed}");
    }
    for seed in &told.records {
        for key in [format!("a/{seed}"), format!("b/{seed}")] {
            assert!(storage.metadata.read(key.as_bytes()).await.unwrap().is_some(), "{key}");
        }
    }
    let count = async |prefix: &[u8]| storage.metadata.scan(prefix, None, 1_000_000).await.unwrap().len();
    assert_eq!(count(b"a/").await, count(b"b/").await, "a batch is whole");
    for (digest, size) in storage.blobs.scan(None, 1_000_000).await.unwrap() {
        let found = read(storage, &digest).await.unwrap();
        assert_eq!((Digest::of(digest.algorithm(), &found), found.len() as u64), (digest, size));
    }
    let mut continued = 0;
    for (session, (seed, acknowledged)) in &told.sessions {
        let content = content(*seed, length(*seed));
        let digest = Digest::of(Algorithm::Sha256, &content);
        let Some(progress) = storage.blobs.progress(session).await.unwrap() else {
            assert!(storage.blobs.stat(&digest).await.unwrap().is_some(), "a session vanished: {seed}");
            continue;
        };
        assert!(progress.offset >= *acknowledged, "{seed}: {} < {acknowledged}", progress.offset);
        let mut writer = storage.blobs.append(session, progress.offset).await.unwrap();
        writer.write(content.slice(usize::try_from(progress.offset).unwrap()..)).await.unwrap();
        assert_eq!(writer.commit(&digest).await.unwrap(), content.len() as u64);
        assert!(read(storage, &digest).await.unwrap() == content, "continued {seed}");
        continued += 1;
    }
    assert!(continued <= 4, "{continued} sessions were open at once");
    for (session, _) in storage.blobs.sessions(None, 1000).await.unwrap() {
        assert!(storage.blobs.abort(&session).await.unwrap());
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut blobs, mut sessions) = (0, 0);
    for round in 0..ROUNDS {
        let first = u64::from(round) * 10_000;
        let told = run(folder.path(), first, Duration::from_millis(u64::from(17 * (round + 1))));
        blobs += told.blobs.len();
        sessions += told.sessions.len();
        runtime.block_on(async {
            let storage = Storage::open(&Settings::in_folder(folder.path())).unwrap();
            assert!(matches!(Storage::open(&Settings::in_folder(folder.path())), Err(Error::Locked { .. })));
            verify(&storage, &told).await;
        });
    }
    assert!(blobs > 0 && sessions > 0, "{blobs} blobs, {sessions} sessions");
}
