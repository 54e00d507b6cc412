//! Whole-process tests: each starts the real binary on port 0 over a temporary folder and talks to it as a client would.
//!
//! One test binary, so that the harness is compiled once. Table of contents:
//! - [`backup`]: a copy of a running server pulls whole
//! - [`chains`]: every kind of client chain and its answer
//! - [`authorities`]: what an authority may vouch for
//! - [`commits`]: requests whose permission ends while their body is on its way, and tags that go with a digest
//! - [`crash`]: `kill -9` during pushes
//! - [`credentials`]: passwords, headers that are none, and who believes a proxy
//! - [`damage`]: files that are cut, gone or changed under a running server
//! - [`decision_log`]: every decision on disk, rotation, full disks, hostile names
//! - [`disk`]: full, limited, taken away, torn; who may read what is stored
//! - [`doctor`]: what `angos doctor` says of servers, clients and files with one thing wrong
//! - [`expiry`]: what ends soon is told to clients, in the log and in the metrics
//! - [`exposure`]: secrets, internals, and surfaces the policy does not open
//! - [`fairness`]: whatever one caller takes, others are served
//! - [`finish`]: `kill -9` around the end of an upload
//! - [`handshakes`]: garbage, cut and second handshakes, and crowds that stand still
//! - [`http2`]: floods of frames, streams and headers
//! - [`hostile`]: smuggled, oversized, slow and contradictory requests
//! - [`isolation`]: what belongs to one team stays with it
//! - [`language`]: rules of every kind decide real requests, and the metrics count them
//! - [`lints`]: what `angos check` says of policies that load
//! - [`listeners`]: further ports, each with its own TLS and surfaces
//! - [`memory`]: answers nobody takes and handshakes nobody finishes
//! - [`mistakes`]: rules that are refused, with their place
//! - [`page_costs`]: figures of large stores, run by hand
//! - [`policy_explain`]: `angos policy explain` answers as the server does, and says why
//! - [`policy_test`]: `angos policy test` on cases that hold, that fail, and that are none
//! - [`program`]: version, `angos check --format json`, and `angos quickstart` on a port in use
//! - [`push_and_pull`]: an image goes in and comes out, over every transport
//! - [`races`]: requests that meet on a session, a blob or a tag
//! - [`reload`]: certificates and policy swapped under load; bad sets
//! - [`reload_files`]: files that are no files, half written, or cut off
//! - [`replay`]: recorded decisions judged by other policies
//! - [`seed_table`]: the user pages to the letter, rules × callers × actions
//! - [`shadow`]: rules on trial, and metrics of each policy and rule
//! - [`shutdown`]: `/readyz` fails first, then ports close
//! - [`soak`]: everything at once for minutes or hours; only `tests/soak/run.sh` runs it
//! - [`startup`]: refusing to start, and stopping without loss
//! - [`tls`]: certificates under either version, and handshakes that are cut up or broken off
//! - [`torture`]: reloads without end and by every means
//! - [`trust`]: open connections when their certificate ends, or nobody vouches for it any more
//! - [`unwritable`]: logs and output that cannot be written
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "tests: whatever goes wrong here must stop them"
)]

mod authorities;
mod backup;
mod chains;
mod commits;
mod crash;
mod credentials;
mod damage;
mod decision_log;
mod disk;
mod doctor;
mod expiry;
mod exposure;
mod fairness;
mod finish;
mod garbage;
mod handshakes;
mod harness;
mod hostile;
mod http2;
mod isolation;
mod language;
mod lints;
mod listeners;
mod memory;
mod mistakes;
mod page_costs;
mod policy_explain;
mod policy_test;
mod program;
mod push_and_pull;
mod races;
mod reload;
mod reload_files;
mod replay;
mod seed_table;
mod shadow;
mod shutdown;
mod soak;
mod startup;
mod tls;
mod torture;
mod trust;
mod unwritable;
