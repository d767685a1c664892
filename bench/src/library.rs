//! The programs that are measured, as processes of their own.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::Result;

/// A process that is ended with its handle.
pub(crate) struct Process(Child);

impl Process {
    /// A process that has just been started.
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The ports of order, rent, delivery, mypage and gateway in a measurement.
const PORTS: [u16; 5] = [28081, 28082, 28083, 28084, 28088];

/// Where a service listens.
pub(crate) fn order() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], PORTS[0]))
}

/// Where mypage listens.
pub(crate) fn mypage() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], PORTS[3]))
}

/// A running library.
pub(crate) struct Library {
    process: Process,
}

impl Library {
    /// Starts `program` on `data` and waits until order answers.
    pub(crate) async fn start(program: &Path, data: &Path) -> Result<Self> {
        Self::start_with(program, data, &[]).await
    }

    /// The same with further settings, those of drills among them.
    pub(crate) async fn start_with(program: &Path, data: &Path, settings: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("--data").arg(data).args(settings).stdout(Stdio::null()).stderr(Stdio::inherit());
        command.env("RENTALBOOK_LOG", if settings.is_empty() { "warn" } else { "error" });
        if !settings.is_empty() {
            command.env("RENTALBOOK_DRILLS", "1");
        }
        for (name, port) in ["order", "rent", "delivery", "mypage", "gateway"].iter().zip(PORTS) {
            command.arg(format!("--{name}-port={port}"));
        }
        let library = Self { process: Process::new(command.spawn()?) };
        until_connected(order()).await?;
        until_connected(mypage()).await?;
        Ok(library)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        self.process.resident_mib()
    }

    /// Processor time that it has used, in seconds: unlike the rate it does not depend on what else the machine does.
    pub(crate) fn processor_seconds(&self) -> Result<f64> {
        // Fields 14 and 15 of proc(5) stat, in ticks of a hundredth; the name before them may hold spaces.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.0.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).ok_or("no processor time");
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) fn stop(mut self) -> Result<()> {
        Command::new("kill").arg("-TERM").arg(self.process.0.id().to_string()).status()?;
        self.process.0.wait()?;
        Ok(())
    }
}

/// The bare server.
pub(crate) struct Baseline {
    _process: Process,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// Starts it with the bodies that the library has answered.
    pub(crate) async fn start(posted: &str, order: &str, mypage: &str) -> Result<Self> {
        Self::start_with(&["--posted", posted, "--order", order, "--mypage", mypage]).await
    }

    /// Starts one that refuses every order with this body.
    pub(crate) async fn start_refusing(body: &str) -> Result<Self> {
        Self::start_with(&["--posted", "", "--order", "", "--mypage", "", "--refused", body]).await
    }

    async fn start_with(bodies: &[&str]) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 28080));
        let child = Command::new(std::env::current_exe()?)
            .args(["baseline", "--address", &address.to_string()])
            .args(bodies)
            .stdout(Stdio::null())
            .spawn()?;
        let baseline = Self { _process: Process::new(child), address };
        until_connected(address).await?;
        Ok(baseline)
    }
}

/// Waits until somebody listens.
pub(crate) async fn until_connected(address: SocketAddr) -> Result<()> {
    let start = Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_err() {
        if start.elapsed() > Duration::from_secs(60) {
            return Err(format!("nothing answers at {address}").into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// Waits until a service says that it is ready.
#[cfg(feature = "distributed")]
pub(crate) async fn until_ready(address: SocketAddr) -> Result<()> {
    until_connected(address).await?;
    let start = Instant::now();
    while crate::load::get(address, "/actuator/health/readiness").await?.0 != 200 {
        if start.elapsed() > Duration::from_secs(60) {
            return Err(format!("the service at {address} does not get ready").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
