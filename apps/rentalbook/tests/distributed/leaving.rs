//! A replica that is asked to stop says so before it does.

use std::process::{Child, Command, Stdio};

use platform_testkit::until;

use crate::killing::program::{Http, as_tested, free_ports};

/// The gateway's place in [`Ports`](crate::killing::program::Ports).
const GATEWAY: usize = 4;

/// A process that is killed with its test.
struct Replica(Child);

impl Replica {
    /// What a supervisor does.
    fn ask_to_stop(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_not_ready_and_answers_until_its_notice_has_passed() {
    let ports = free_ports();
    let http = Http::new(ports);
    let status = async |path: &str| http.get(GATEWAY, path).await.map(|answer| answer.status);
    let child = Command::new(as_tested())
        // Longer than any test: it has to be asked again.
        .args(["gateway", "--drain-notice-ms", "600000"])
        .env("RENTALBOOK_PORT", ports[GATEWAY].to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut replica = Replica(child);
    let readiness = "/actuator/health/readiness";
    until("it is ready", async || status(readiness).await == Some(200)).await;

    replica.ask_to_stop();
    until("it is not ready any more", async || status(readiness).await == Some(503)).await;
    assert_eq!(status("/actuator/health/liveness").await, Some(200), "it is alive");
    assert_eq!(status("/actuator/info").await, Some(200), "and still answers");

    replica.ask_to_stop();
    until("it has ended", async || replica.0.try_wait().expect("a status").is_some()).await;
    assert!(replica.0.wait().expect("a status").success());
}
