//! One connection, from accept to response.
//!
//! # The path of a request
//!
//! | stage | file | in → out | calls |
//! |---|---|---|---|
//! | 1 accept | `accept.rs` | socket → stream + address, within the connection limit | tokio |
//! | 2 handshake | `handshake.rs` | stream → TLS stream + who is there, read once per connection, with a deadline | `angos_tls::Acceptor` |
//! | 3 connection | `connection.rs` | stream → requests; ALPN picks the HTTP/1.1 or HTTP/2 builder | hyper |
//! | 4 route | `route.rs` | method + path + query → operation or refusal; pure; parses once | `angos_oci` |
//! | 5 authenticate | `authenticate.rs` | caller + headers → identity | `angos_auth::Credentials` |
//! | 6 authorize | `authorize.rs` | identity + operation → permit or denial; writes the decision log | `angos_access::AccessPolicies` |
//! | 7 operate | `operations/{manifests,blobs,uploads,tags,referrers,catalog}.rs` | permit + body → outcome | `angos_registry::Registry` |
//! | 8 store | `angos-registry` → `angos-storage` | verified bytes → rest | storage traits |
//! | 9 respond | `respond.rs` (success), `refuse.rs` (every refusal) | outcome or reason → HTTP response; statuses are chosen here alone | hyper |
//!
//! Stages 4 to 9 are called in their order by `exchange.rs`. Beside the path: `server.rs`, `listener.rs` and `handle.rs`
//! (bind, run, drain, reload), `places.rs` and `shares.rs` (what a caller may have of connections and requests),
//! `descriptors.rs` (open files), `settings.rs` and `limits.rs` (every bound with its reason), `activity.rs` and `wire.rs`
//! (clients that stand still, connections that close), `trust.rs` and `fate.rs` (whether a connection stays), `expiry.rs` (what
//! ends soon), `body.rs`, `metrics.rs`,
//! `management.rs` (probes without policy), `storage_health.rs` (whether the storage takes writes), `request_id.rs`, `decision_log.rs` (every decision, to be judged again), `denial_log.rs` (how many denials of a caller are logged),
//! `line_log.rs` (logs behind a bounded queue), `background.rs` (named jobs, one runner).
#![doc = include_str!("../README.md")]

mod authenticate;
mod authorize;
mod connection;
mod decision_log;
pub mod limits;
mod line_log;
mod listener;
mod metrics;
mod operations;
mod request;
mod respond;
mod route;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub use authorize::access::Access;
pub use decision_log::DecisionLog;
pub use line_log::{LineLog, LineLogEvent};
pub use server::background::{Background, Job, JobEnded, JobState, UnknownJob};
pub use server::handle::Handle;
pub use server::open_files::TooFewFiles;
pub use server::{Server, StartError};
pub use settings::{Limits, Listener, Settings, Surfaces, Timeouts};
