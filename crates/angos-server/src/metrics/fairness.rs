//! What callers lost because they had their share.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::counter;

/// Connections and requests that had to yield.
#[derive(Debug)]
pub(crate) struct Fairness {
    pub(crate) displaced: Counter,
    pub(crate) over_share: Counter,
}

impl Fairness {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            displaced: counter(
                registry,
                "displaced_connections",
                "Connections closed to make room for a later one",
            ),
            over_share: counter(
                registry,
                "requests_over_share",
                "Requests answered 429 because their caller had its share of requests or connections",
            ),
        }
    }
}
