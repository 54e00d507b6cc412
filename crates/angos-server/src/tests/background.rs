//! A background job that ends is noticed: the server ends with an error that names it, or is not ready.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::limits::DECISION_LOG_QUEUE_BYTES;
use crate::{DecisionLog, Job, LineLog};

const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the thread that writes to it.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("a defect")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The error the server ends with.
async fn ended(server: &mut Running) -> String {
    let outcome = tokio::time::timeout(PATIENCE, &mut server.task).await.expect("ended");
    outcome.expect("without a defect").expect_err("not as it was told").to_string()
}

#[tokio::test]
async fn a_log_without_its_thread_ends_the_server() {
    let decisions = DecisionLog::start(|| Ok(Broken)).expect("a thread");
    let mut server = start(Settings { decision_log: Some(decisions), ..settings() }, open());
    server.get("/v2/").await;
    assert!(ended(&mut server).await.contains("decision-log-writer"));

    let log = LineLog::start("tested", DECISION_LOG_QUEUE_BYTES, || Ok(Broken), drop).expect("a thread");
    let mut server = start(Settings { log: Some(log.clone()), ..settings() }, open());
    assert_eq!(server.get("/v2/").await.status, 200);
    log.push(b"line\n");
    assert!(ended(&mut server).await.contains("log-writer"));
}

#[tokio::test]
async fn a_service_that_is_added_is_watched_too() {
    let mut server = start(settings(), open());
    server.handle.background().service("added", async { Err("the file is gone".to_owned()) });
    assert_eq!(ended(&mut server).await, "the background job added ended: the file is gone");
}

/// Panics until it is mended.
struct Mended(Arc<AtomicBool>);

impl Job for Mended {
    async fn round(&mut self) -> Result<(), String> {
        assert!(self.0.load(Ordering::SeqCst), "a defect");
        Ok(())
    }

    async fn due(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_periodic_job_that_panics_fails_readiness() {
    let management = Some(([127, 0, 0, 1], 0).into());
    let server = start(Settings { management, ..settings() }, open());
    let ready = || send(server.management.expect("bound"), "GET", "/readyz", &[], Bytes::new());
    assert_eq!(ready().await.status, 200);
    let is_mended = Arc::new(AtomicBool::new(false));
    server.handle.background().periodic("added", Mended(Arc::clone(&is_mended)));
    for expected in [503, 200] {
        let answer = async {
            loop {
                let answer = ready().await;
                if answer.status == expected {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await.expect("readiness follows the job");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(text.contains("background job added panicked"), expected == 503, "{text}");
        assert_eq!(server.get("/v2/").await.status, 200, "requests go on");
        is_mended.store(true, Ordering::SeqCst);
        server.handle.background().start_now("added").expect("a periodic job");
    }
}

/// Everything that runs beside the requests has a name and a state.
#[tokio::test]
async fn every_job_of_the_server_is_listed() {
    let decisions = DecisionLog::start(|| Ok(io::sink())).expect("a thread");
    let log = LineLog::start("tested", DECISION_LOG_QUEUE_BYTES, || Ok(io::sink()), drop).expect("a thread");
    let management = Some(([127, 0, 0, 1], 0).into());
    let settings = Settings { management, decision_log: Some(decisions), log: Some(log), ..settings() };
    let server = start(settings, open());
    assert_eq!(server.get("/v2/").await.status, 200);
    let names: Vec<_> = server.handle.background().jobs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "accept-registry",
            "accept-management",
            "metadata-writer",
            "decision-log-writer",
            "log-writer",
            "upload-expiry",
            "garbage-collection",
            "storage-health"
        ]
    );
}
