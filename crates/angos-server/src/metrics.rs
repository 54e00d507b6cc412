//! What the server counts about itself, in the text format of `OpenMetrics`.
//!
//! No label carries anything a client chose: actions, outcomes and classes are closed sets, policies and rules are the
//! configuration's, so no traffic changes the number of series. Counters of the request path are resolved once, here
//! or when a set of policies is put into force, and cost one atomic add.

mod damage;
mod expiries;
mod fairness;
mod policies;
mod timing;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use angos_access::Action;
use angos_registry::{Damage, GcStatus};
use angos_tls::{FailureClass, Material, TrustError};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::authorize::access::CurrentAccess;
use crate::line_log::LineMetrics;
use crate::server::background::{Background, JobMetrics};
use crate::server::garbage_collection::GcMetrics;
use crate::server::storage_health::StorageMetrics;
use crate::settings::Settings;

use damage::DamageMetrics;
use expiries::{ExpiryMetrics, SoonestClient};
use fairness::Fairness;
use policies::PolicyMetrics;
use timing::Timing;

const PREFIX: &str = "angos";

type Labels<const N: usize> = [(&'static str, &'static str); N];

const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// The label of a request that named no operation.
const NO_ACTION: &str = "none";
/// From a cached manifest (0.1 ms) to a long blob (100 s), about three buckets per decade.
const DURATION_BUCKETS: [f64; 14] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 100.0];

/// Counters of one action.
#[derive(Debug)]
struct Requests {
    by_class: [Counter; 5],
    duration: Histogram,
}

/// Every metric of one server. Cheap to share by reference; nothing here is global.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// One entry per element of `Action::ALL`, in that order, and a last one for requests without an action.
    requests: Vec<Requests>,
    pub(crate) allowed: Counter,
    pub(crate) denied: Counter,
    pub(crate) decision_time: Timing,
    handshakes: Family<Labels<1>, Counter>,
    drained: Family<Labels<1>, Counter>,
    pub(crate) soonest_client: SoonestClient,
    connections: Family<[(&'static str, String); 1], Gauge>,
    pub(crate) in_flight: Gauge,
    pub(crate) body_memory: Gauge,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) reloads_applied: Counter,
    pub(crate) reloads_refused: Counter,
    last_good_load: Gauge,
    pub(crate) generation: Gauge,
    pub(crate) tls_generation: Gauge,
    pub(crate) stalled: Counter,
    pub(crate) cut: Counter,
    pub(crate) fairness: Fairness,
    pub(crate) panics: Counter,
}

impl Metrics {
    /// Registers every metric, so that a scrape shows all of them from the start.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let decisions = Family::<Labels<1>, Counter>::default();
        let reloads = Family::<Labels<1>, Counter>::default();
        let connections = Family::<[(&'static str, String); 1], Gauge>::default();
        registry.register("connections", "Open connections, by listener", connections.clone());
        let handshakes = Family::<Labels<1>, Counter>::default();
        let decision_time = Timing::default();
        registry.register(
            "policy_decision_duration_seconds",
            "Time all policies together take for one decision",
            decision_time.clone(),
        );
        registry.register("decisions", "Policy decisions on requests, by outcome", decisions.clone());
        registry.register("reloads", "Configuration reloads, by outcome", reloads.clone());
        registry.register("tls_handshakes", "TLS handshakes, by how they ended", handshakes.clone());
        for outcome in FailureClass::ALL.map(FailureClass::as_str).into_iter().chain(["ok"]) {
            drop(handshakes.get_or_create(&[("outcome", outcome)]));
        }
        let (body_memory, received_bytes, sent_bytes) = bodies(&mut registry);
        Self {
            requests: requests(&mut registry),
            allowed: decisions.get_or_create_owned(&[("outcome", "allow")]),
            denied: decisions.get_or_create_owned(&[("outcome", "deny")]),
            decision_time,
            handshakes,
            drained: drained(&mut registry),
            soonest_client: SoonestClient::new(Instant::now()),
            connections,
            in_flight: gauge(&mut registry, "requests_in_flight", "Requests being answered"),
            body_memory,
            received_bytes,
            sent_bytes,
            reloads_applied: reloads.get_or_create_owned(&[("outcome", "applied")]),
            reloads_refused: reloads.get_or_create_owned(&[("outcome", "refused")]),
            last_good_load: last_good_load(&mut registry),
            generation: gauge(
                &mut registry,
                "policy_generation",
                "Generation of the access policies in force",
            ),
            tls_generation: gauge(&mut registry, "tls_generation", "Generation of the TLS material in force"),
            stalled: counter(
                &mut registry,
                "stalled_connections",
                "Connections cut because the client stood still",
            ),
            cut: counter(&mut registry, "cut_responses", "Responses cut by a failed read"),
            fairness: Fairness::new(&mut registry),
            panics: counter(&mut registry, "panics", "Connections that ended in a defect of this program"),
            registry,
        }
    }

    /// Adds the lines of the logs, the background jobs and the build.
    pub(crate) fn beside(mut self, settings: &Settings, background: &Background) -> Self {
        let decisions = settings.decision_log.as_ref().map(|log| LineMetrics {
            name: "decision_log_lines",
            help: "Lines of the decision log, by outcome",
            log: log.lines().clone(),
        });
        let log = settings.log.as_ref().map(|log| LineMetrics {
            name: "log_lines",
            help: "Lines of the log, by outcome",
            log: log.clone(),
        });
        for lines in [decisions, log].into_iter().flatten() {
            self.registry.register_collector(Box::new(lines));
        }
        self.registry.register_collector(Box::new(JobMetrics(background.clone())));
        if !settings.build_info.is_empty() {
            let help = "What the program was built from";
            self.registry.register("build", help, Info::new(settings.build_info.clone()));
        }
        self
    }

    /// Shows the room of the stores and whether they take writes, too.
    pub(crate) fn with_storage(mut self, storage: StorageMetrics) -> Self {
        self.registry.register_collector(Box::new(storage));
        self
    }

    /// Counts one finished request; `action` is none when the request named no operation.
    pub(crate) fn request(&self, action: Option<Action>, status: u16, elapsed: Duration) {
        let index = action.and_then(|wanted| Action::ALL.iter().position(|known| *known == wanted));
        let Some(requests) = self.requests.get(index.unwrap_or(Action::ALL.len())) else { return };
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = requests.by_class.get(class) {
            counter.inc();
        }
        requests.duration.observe(elapsed.as_secs_f64());
    }

    /// Shows that a whole configuration was loaded now.
    pub(crate) fn loaded_now(&self) {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.last_good_load.set(i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX));
    }

    /// Counts one handshake; `class` is `ok` or the class of the failure.
    pub(crate) fn handshake(&self, class: &'static str) {
        self.handshakes.get_or_create(&[("outcome", class)]).inc();
    }

    /// Counts a connection that is closed because its peer is no longer trusted, by the class of the distrust.
    pub(crate) fn drained(&self, reason: &'static str) {
        self.drained.get_or_create(&[("reason", reason)]).inc();
    }

    /// The connections of one listener.
    pub(crate) fn connections(&self, listener: &str) -> Gauge {
        self.connections.get_or_create_owned(&[("listener", listener.to_owned())])
    }

    /// Everything, as text, with what the policies in force have decided, and what of the material in force ends.
    pub(crate) fn encode(
        &self,
        access: Arc<CurrentAccess>,
        material: Option<Arc<Material>>,
        damage: Damage,
        gc: GcStatus,
    ) -> String {
        let mut in_force = Registry::with_prefix(PREFIX);
        in_force.register_collector(Box::new(PolicyMetrics(access)));
        let client = self.soonest_client.at(Instant::now());
        in_force.register_collector(Box::new(ExpiryMetrics { material, client }));
        in_force.register_collector(Box::new(DamageMetrics(damage)));
        in_force.register_collector(Box::new(GcMetrics(gc)));
        let mut text = String::with_capacity(16 * 1024);
        // Writing into a String fails only out of memory.
        let _ = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &in_force))
            .and_then(|()| encode_eof(&mut text));
        text
    }
}

/// A generation as the value of a gauge.
pub(crate) fn generation(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

/// Connections closed because they are trusted no longer, with a series for every reason.
fn drained(registry: &mut Registry) -> Family<Labels<1>, Counter> {
    let drained = Family::<Labels<1>, Counter>::default();
    registry.register(
        "tls_distrusted_connections",
        "Connections closed because their certificate is no longer accepted, by reason",
        drained.clone(),
    );
    for reason in distrusts() {
        drop(drained.get_or_create(&[("reason", reason)]));
    }
    drained
}

/// Every reason to trust a connection no longer.
fn distrusts() -> Vec<&'static str> {
    let judged = FailureClass::ALL
        .into_iter()
        .filter(|class| class.is_authentication() && *class != FailureClass::NoCertificate);
    let others = [TrustError::CaChanged, TrustError::CertificateRequired];
    judged.map(TrustError::from).chain(others).map(TrustError::class).collect()
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn last_good_load(registry: &mut Registry) -> Gauge {
    let help = "When the configuration in force was loaded, at start or by a reload";
    gauge(registry, "reload_last_success_timestamp_seconds", help)
}

/// What bodies take, and how much of them was moved.
fn bodies(registry: &mut Registry) -> (Gauge, Counter, Counter) {
    let memory = "Bytes taken of server.body_memory, for bodies of requests and responses";
    let sent = "Bytes of response bodies handed to the connection";
    (
        gauge(registry, "body_memory_bytes", memory),
        counter(registry, "received_bytes", "Bytes of request bodies read"),
        counter(registry, "sent_bytes", sent),
    )
}

fn requests(registry: &mut Registry) -> Vec<Requests> {
    let counts = Family::<Labels<2>, Counter>::default();
    let durations = Family::<Labels<1>, Histogram>::new_with_constructor(|| {
        Histogram::new(DURATION_BUCKETS.iter().copied())
    });
    registry.register("requests", "Requests answered, by action and status class", counts.clone());
    registry.register(
        "request_duration_seconds",
        "Time from the request head to the response head, by action",
        durations.clone(),
    );
    let actions = Action::ALL.iter().map(|action| action.as_str()).chain([NO_ACTION]);
    actions
        .map(|action| Requests {
            by_class: STATUS_CLASSES
                .map(|class| counts.get_or_create_owned(&[("action", action), ("status", class)])),
            duration: durations.get_or_create_owned(&[("action", action)]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::access::Access;

    #[test]
    fn counts_by_action_and_class() {
        let metrics = Metrics::new();
        metrics.request(Some(Action::GetManifest), 200, Duration::from_micros(80));
        metrics.request(Some(Action::GetManifest), 404, Duration::from_micros(80));
        metrics.request(None, 404, Duration::from_micros(80));
        metrics.handshake("unknown_ca");
        let access = Arc::new(CurrentAccess::new(Access::default(), 1));
        let text = metrics.encode(access, None, Damage::default(), GcStatus::default());
        for line in [
            "angos_requests_total{action=\"get-manifest\",status=\"2xx\"} 1",
            "angos_requests_total{action=\"get-manifest\",status=\"4xx\"} 1",
            "angos_requests_total{action=\"none\",status=\"4xx\"} 1",
            "angos_requests_total{action=\"put-manifest\",status=\"5xx\"} 0",
            "angos_request_duration_seconds_bucket{le=\"0.0001\",action=\"get-manifest\"} 2",
            "angos_tls_handshakes_total{outcome=\"unknown_ca\"} 1",
            "angos_reloads_total{outcome=\"refused\"} 0",
            "angos_tls_handshakes_total{outcome=\"revoked\"} 0",
            "angos_damaged_content_total{damage=\"missing\"} 0",
            "angos_tls_distrusted_connections_total{reason=\"ca_removed\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
        }
    }
}
