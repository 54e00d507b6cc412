//! One connection, from accept to response.
//!
//! # The path of a request
//!
//! | stage | file | in → out | calls |
//! |---|---|---|---|
//! | 1 accept | `listener.rs`, `listener/accept.rs` | listening socket → stream and address, within the connection limit | tokio |
//! | 2 handshake | `connection/handshake.rs` | stream → TLS stream and peer; the certificate is read here, once per connection | `angos_tls::Acceptor` |
//! | 3 connection | `connection.rs` | stream → requests; ALPN chooses HTTP/1.1 or HTTP/2 | hyper |
//! | | `request.rs` | calls stages 4 to 9 in their order, after checking that the peer is still trusted | |
//! | 4 route | `route.rs` | method, path and query → `Operation` or an error; pure; parses once | `angos_oci` |
//! | 5 authenticate | `authenticate.rs` | peer and headers → `Identity` | `angos_auth::Credentials` |
//! | 6 authorize | `authorize.rs` | identity and `Operation` → `Permit` or a denial; writes the decision log | `angos_access::AccessPolicies` |
//! | 7 operate | `operations.rs`, `operations/*.rs` | `Permit` and body → `Outcome` | `angos_registry::Registry` |
//! | 8 store | `angos-registry` → `angos-storage` | verified bytes → storage | the storage traits |
//! | 9 respond | `respond.rs`, `respond/error.rs` | `Outcome` or error → HTTP response; statuses are chosen here alone | hyper |
//!
//! Beside the path: `server.rs` (bind, run, drain, reload; background jobs), `settings.rs`, `limits.rs` (every bound with its
//! reason), `metrics.rs`, `decision_log.rs`, and `line_log.rs` (logs behind a bounded queue).
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
pub use respond::error::DenialResponse;
pub use server::background::{Background, Job, JobEnded, JobState, UnknownJob};
pub use server::handle::Handle;
pub use server::open_files::TooFewFiles;
pub use server::{Server, StartError};
pub use settings::{Limits, Listener, Settings, Surfaces, Timeouts};
