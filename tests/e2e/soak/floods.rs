//! What dishonest clients do, one kind after another: silence, streams that nobody reads, and guessed passwords.

use super::Soak;
use crate::harness::frames::{END_STREAM, Frames};
use crate::harness::{Client, Registry, digest_of};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const SILENT: usize = 200;
const STALLED_CONNECTIONS: usize = 4;
const STALLED_STREAMS: u32 = 50;
const GUESSERS: usize = 12;
/// How long each kind lasts, and the rest after it.
const FLOOD: Duration = Duration::from_secs(3);

/// Pushes what stalled streams ask for, and starts.
pub(super) async fn start(soak: &Arc<Soak>, registry: &Registry) -> Vec<JoinHandle<()>> {
    let blob = vec![7; 1 << 20];
    assert_eq!(soak.clients[0].push_blob("soak/large", &blob).await.unwrap(), 201);
    let large = format!("/v2/soak/large/blobs/{}", digest_of(&blob));
    vec![tokio::spawn(flood(Arc::clone(soak), registry.address, large))]
}

async fn flood(soak: Arc<Soak>, address: SocketAddr, large: String) {
    for round in 0_usize.. {
        if !soak.goes_on().await {
            return;
        }
        match round % 3 {
            0 => silence(&soak, address).await,
            1 => stall(&soak, &large).await,
            _ => guess(&soak).await,
        }
        soak.ledger.answered(["silence", "stall", "guesses"][round % 3], 0, Duration::ZERO);
        wait(&soak, Instant::now()).await;
    }
}

/// Waits until a flood that began then has lasted long enough, or all is to rest.
async fn wait(soak: &Soak, since: Instant) {
    while since.elapsed() < FLOOD && !soak.is_paused() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Connections that say nothing, or the first bytes of a handshake.
async fn silence(soak: &Soak, address: SocketAddr) {
    let started = Instant::now();
    let mut sockets = Vec::new();
    for number in 0..SILENT {
        let Ok(mut socket) = std::net::TcpStream::connect_timeout(&address, FLOOD) else { break };
        if number % 2 == 0 {
            let _closed = socket.write_all(&[22, 3, 1, 2, 0, 1]);
        }
        sockets.push(socket);
    }
    wait(soak, started).await;
}

/// Streams that ask for much and take nothing.
async fn stall(soak: &Soak, large: &str) {
    let started = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..STALLED_CONNECTIONS {
        if soak.clients[1].dial().await.is_err() {
            continue;
        }
        let mut frames = Frames::open(&soak.clients[1], &[(4, 0)]).await;
        for stream in 0..STALLED_STREAMS {
            frames.ask(stream * 2 + 1, "GET", large, END_STREAM).await;
        }
        connections.push(frames);
    }
    wait(soak, started).await;
}

/// Wrong passwords, as fast as they are refused.
async fn guess(soak: &Arc<Soak>) {
    let started = Instant::now();
    let guesses = (0..GUESSERS).map(|number| {
        let soak = Arc::clone(soak);
        tokio::spawn(async move {
            for round in 0.. {
                if started.elapsed() > FLOOD || soak.is_paused() {
                    return;
                }
                let client: Client = soak.guesser.clone().basic("ci", &format!("wrong {number} {round}"));
                let asked = Instant::now();
                if let Ok(answer) = client.send("GET", "/v2/", &[], "").await {
                    soak.ledger.answered("guess", answer.status.as_u16(), asked.elapsed());
                    if answer.status.is_success() {
                        soak.ledger.wrong(format!("a wrong password was answered {}", answer.status));
                    }
                }
            }
        })
    });
    for guess in guesses.collect::<Vec<_>>() {
        guess.await.unwrap();
    }
}
