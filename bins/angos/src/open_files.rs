//! The limit on open files: raised as far as the system allows, and the settings made to fit.

use angos_server::Settings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, and lowers the bounds on connections and requests if the settings need more
/// files than that, with a warning that says what to do.
pub(crate) fn fit(settings: &mut Settings) {
    let Some(limit) = raise() else { return };
    let Some(short) = settings.fit_open_files(limit) else { return };
    tracing::warn!(
        target: "angos::server",
        limit = short.limit,
        needed = short.needed,
        connections = short.connections,
        requests = short.requests,
        "the limit on open files is lower than max_connections and max_requests need, so there may be fewer of both: \
         raise it (LimitNOFILE= of systemd, --ulimit nofile= of a container, ulimit -n of a shell), or lower \
         server.max_connections and server.max_requests"
    );
}

/// The limit in force; none if there is no limit.
fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(target: "angos::server", %error, "cannot raise the limit on open files");
        }
    }
    getrlimit(Resource::Nofile).current
}
