//! Processor time of a handshake on the server's side: the whole acceptor on a socket, beside rustls alone in memory with
//! the same provider and certificates.
//!
//! One thread serves, and only what that thread spends is counted. Its clients are a second thread on the same processor,
//! so that no wake-up crosses processors and what the clients do to the caches is the same on a socket and in memory.
//! Each way is measured in many short slices, in turn: what disturbs the machine for longer than a slice falls on all.

mod memory;
mod site;
mod socket;

use crate::report::Shares;
use angos_tls::ClientAuth;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use site::Site;
use socket::{Served, Sockets};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// Slices a round, way and kind.
const SLICES: usize = 4;
/// Handshakes a slice.
const HANDSHAKES: usize = 64;
/// Handshakes before those of a slice, so that memory is there and sessions exist: one of each client that resumes, of
/// which there are as many as connections at once.
const WARM_UP: usize = 16;
/// One kind of handshake, and the share of the bare rate it should reach.
struct Kind {
    title: &'static str,
    target: f64,
    auth: ClientAuth,
    /// Whether each client is one the server has not seen: what it remembers of chains is then worth nothing.
    strangers: bool,
    resumes: bool,
}

const KINDS: [Kind; 4] = [
    Kind { title: "full", target: 0.70, auth: ClientAuth::None, strangers: false, resumes: false },
    Kind { title: "mutual", target: 0.75, auth: ClientAuth::Required, strangers: true, resumes: false },
    Kind {
        title: "mutual, known chain",
        target: 0.75,
        auth: ClientAuth::Required,
        strangers: false,
        resumes: false,
    },
    Kind {
        title: "mutual resumed",
        target: 0.60,
        auth: ClientAuth::Required,
        strangers: false,
        resumes: true,
    },
];

/// Measures every kind whose name contains `only`, in turn, with that many connections at once, and prints the shares.
pub(crate) fn measure(rounds: usize, only: &str, in_flight: usize) {
    let only = only.to_owned();
    // A thread of its own, as it does not leave its processor any more.
    let measuring = std::thread::spawn(move || {
        stay_on_one_processor();
        measure_here(rounds, &only, in_flight);
    });
    measuring.join().unwrap();
}

fn measure_here(rounds: usize, only: &str, in_flight: usize) {
    let (site, sockets) = (Site::new(in_flight), Sockets::open());
    let titled = KINDS.map(|kind| (format!("handshake, {}", kind.title), kind));
    let chosen = titled.into_iter().filter(|(title, _)| title.contains(only));
    let names = ["angos", "rustls alone", "rustls on a socket"];
    let mut kinds: Vec<_> =
        chosen.map(|(title, kind)| (Shares::new(&title, names, kind.target), kind)).collect();
    for slice in 0..rounds * SLICES {
        for (shares, kind) in &mut kinds {
            let mut costs = [0.0; 3];
            for turn in 0..3 {
                let way = (slice + turn) % 3;
                costs[way] = match way {
                    0 => sockets.cost(kind, &site, Served::Whole(site.acceptor(kind))),
                    1 => memory::cost(kind, &site),
                    _ => sockets.cost(kind, &site, Served::Bare(TlsAcceptor::from(site.bare(kind)))),
                };
            }
            shares.add(costs);
        }
    }
    for (shares, _) in kinds {
        shares.print();
    }
}

/// Threads started after this stay there too.
fn stay_on_one_processor() {
    let allowed = sched_getaffinity(None).unwrap();
    let last = (0..CpuSet::MAX_CPU).rev().find(|number| allowed.is_set(*number)).unwrap();
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).unwrap();
}

/// Processor time this thread has spent, in user and system mode.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

fn since(began: Duration) -> Duration {
    thread_time().saturating_sub(began)
}

/// Of one handshake of a slice.
fn microseconds(slice: Duration) -> f64 {
    slice.as_secs_f64() * 1e6 / HANDSHAKES as f64
}
