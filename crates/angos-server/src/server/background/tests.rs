//! The end of a job is never silent.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::*;
use crate::limits::BACKGROUND_RETRY;

const PATIENCE: Duration = Duration::from_secs(30);

async fn ended(background: &Background) -> JobEnded {
    tokio::time::timeout(PATIENCE, background.ended()).await.unwrap()
}

fn states(background: &Background) -> Vec<JobState> {
    background.jobs().into_iter().map(|(_, state)| state).collect()
}

/// What a service does wrong, and the reason that is given.
#[tokio::test]
async fn a_service_that_ends_is_reported() {
    type Work = std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
    let rows: [(Work, &str); 4] = [
        (Box::pin(async { Ok(()) }), "it returned"),
        (Box::pin(async { Err("the thread is gone".to_owned()) }), "the thread is gone"),
        (Box::pin(async { panic!("a defect") }), "it panicked: a defect"),
        (
            Box::pin(async {
                tokio::task::yield_now().await;
                panic!("a defect in line {}", 7)
            }),
            "it panicked: a defect in line 7",
        ),
    ];
    for (work, reason) in rows {
        let background = Background::default();
        background.service("other", std::future::pending());
        background.service("broken", work);
        let ended = ended(&background).await;
        assert_eq!((ended.job.as_str(), ended.reason.as_str()), ("broken", reason));
        assert_eq!(states(&background), [JobState::Running, JobState::Failed]);
        assert_eq!(background.broken(), None, "readiness fails because the server drains");
    }
}

#[tokio::test]
async fn services_may_end_when_the_server_stops() {
    let background = Background::default();
    let told = Arc::new(Notify::new());
    let wait = Arc::clone(&told);
    let running = background.start("accept", async move {
        wait.notified().await;
        Ok(())
    });
    background.service("pending", std::future::pending());
    background.expect_ends();
    told.notify_one();
    tokio::time::timeout(PATIENCE, running.ended()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), background.ended()).await.is_err());
    background.stop();
    assert_eq!(states(&background), [JobState::Stopped, JobState::Stopped]);
}

/// Does in each round what its number says: succeeds, fails or panics.
struct Rounds {
    plan: &'static [&'static str],
    done: Arc<AtomicUsize>,
}

impl Job for Rounds {
    async fn round(&mut self) -> Result<(), String> {
        let round = self.done.fetch_add(1, Ordering::SeqCst);
        match self.plan.get(round) {
            Some(&"panic") => panic!("a defect"),
            Some(&"error") => Err("cannot".to_owned()),
            _ => Ok(()),
        }
    }

    async fn due(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// Starts a job and lets it do so many rounds, each asked for.
async fn rounds(plan: &'static [&'static str]) -> Background {
    let (background, done) = (Background::default(), Arc::new(AtomicUsize::new(0)));
    background.periodic("tested", Rounds { plan, done: Arc::clone(&done) });
    for round in 1..=plan.len() {
        while done.load(Ordering::SeqCst) < round || states(&background) == [JobState::Running] {
            tokio::task::yield_now().await;
        }
        if round < plan.len() {
            background.start_now("tested").unwrap();
        }
    }
    background
}

#[tokio::test(start_paused = true)]
async fn a_round_that_panics_fails_readiness_until_one_succeeds() {
    for (plan, state, broken) in [
        (&["fine"][..], JobState::Idle, false),
        (&["error"], JobState::Failed, false),
        (&["panic"], JobState::Failed, true),
        (&["panic", "error"], JobState::Failed, true),
        (&["panic", "error", "fine"], JobState::Idle, false),
        (&["fine", "panic", "panic"], JobState::Failed, true),
    ] {
        let background = rounds(plan).await;
        assert_eq!(states(&background), [state], "{plan:?}");
        assert_eq!(background.broken().is_some(), broken, "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_retried_soon_although_nothing_is_due() {
    let background = rounds(&["panic"]).await;
    tokio::time::sleep(BACKGROUND_RETRY + Duration::from_secs(1)).await;
    assert_eq!((states(&background), background.broken()), (vec![JobState::Idle], None));
}

#[tokio::test]
async fn only_periodic_jobs_can_be_started() {
    let background = rounds(&["fine"]).await;
    background.service("service", std::future::pending());
    for name in ["service", "missing"] {
        assert_eq!(background.start_now(name), Err(UnknownJob(name.to_owned())));
    }
}

#[tokio::test]
async fn the_metrics_show_every_job() {
    let background = rounds(&["fine", "error", "panic"]).await;
    background.service("service", std::future::pending());
    let mut registry = prometheus_client::registry::Registry::with_prefix("angos");
    registry.register_collector(Box::new(JobMetrics(background)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "angos_background_job_state{job=\"tested\",state=\"failed\"} 1",
        "angos_background_job_state{job=\"tested\",state=\"idle\"} 0",
        "angos_background_job_state{job=\"service\",state=\"running\"} 1",
        "angos_background_job_rounds_total{job=\"tested\",outcome=\"completed\"} 1",
        "angos_background_job_rounds_total{job=\"tested\",outcome=\"failed\"} 1",
        "angos_background_job_rounds_total{job=\"tested\",outcome=\"panicked\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
    }
    assert!(!text.contains("rounds_total{job=\"service\""), "{text}");
}
