//! One service of the running library: its port, its consumers, its relay; started and stopped as one.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::Router;
use platform_http::{BindError, Limited, ServerConfig, TrustedPeers, bind, serve};
use tokio::{
    sync::{Mutex, oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tower::util::Either;
use tracing::info;

use crate::door::Door;

/// A task of a service. It ends soon after its service is [`Stopping`], and may also be dropped at any moment: what
/// it did not finish is done again.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the tasks of a service that it stops.
#[derive(Clone)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Returns when the service stops.
    pub async fn told(mut self) {
        // Without its service nobody would ever tell it.
        let _ = self.0.wait_for(|stops| *stops).await;
    }

    /// `task` until the service stops.
    pub fn end(&self, task: impl Future<Output = ()> + Send + 'static) -> Task {
        let told = self.clone().told();
        Box::pin(async move {
            tokio::select! {
                () = told => {}
                () = task => {}
            }
        })
    }
}

/// Longest time that tasks get to finish what they are at.
const FINISH: Duration = Duration::from_millis(500);

/// Longest time that requests under way get when a service stops: more than rent's answer may take. The library stops
/// its gateway first, then order, and then the others, so it is spent three times before the end.
const DRAIN: Duration = Duration::from_millis(1_200);

/// New tasks for a start.
type Tasks = Box<dyn Fn(&Stopping) -> Vec<Task> + Send + Sync>;

/// What is waited for when everything else has ended.
type AtTheEnd = Box<dyn Fn() -> Task + Send + Sync>;

/// What a service answers: its routes within its limits, and around them, where there is a need, what web pages need.
pub type App = Either<Limited<Router>, Router>;

/// A service that can be started and stopped.
pub struct Service {
    name: &'static str,
    door: Arc<Door>,
    app: App,
    tasks: Tasks,
    believed: TrustedPeers,
    at_the_end: Option<AtTheEnd>,
    address: Mutex<SocketAddr>,
    running: Mutex<Option<Running>>,
}

struct Running {
    close: oneshot::Sender<()>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Service {
    /// A service that is not started yet. `tasks` gives new ones for each start.
    pub fn new(
        name: &'static str,
        address: SocketAddr,
        door: Arc<Door>,
        app: App,
        tasks: impl Fn(&Stopping) -> Vec<Task> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            door,
            app,
            tasks: Box::new(tasks),
            believed: TrustedPeers::default(),
            at_the_end: None,
            address: Mutex::new(address),
            running: Mutex::new(None),
        }
    }

    /// The same, taking the word of these proxies about their clients.
    #[must_use]
    pub fn believing(self, proxies: TrustedPeers) -> Self {
        Self { believed: proxies, ..self }
    }

    /// The same, waiting for this whenever it has stopped.
    #[must_use]
    pub fn ending_with(self, end: impl Fn() -> Task + Send + Sync + 'static) -> Self {
        Self { at_the_end: Some(Box::new(end)), ..self }
    }

    /// Where it listens: after the first start with the port that it got.
    pub async fn address(&self) -> SocketAddr {
        *self.address.lock().await
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it answers.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Who knows whether it is open.
    #[must_use]
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// Whether it is started.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.door.is_open()
    }

    /// Opens the port and starts the tasks. Returns whether it was stopped before.
    pub async fn start(&self) -> Result<bool, BindError> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Ok(false);
        }
        let mut address = self.address.lock().await;
        let listener = bind(*address)?;
        *address = listener.local_addr().unwrap_or(*address);
        let (close, closed) = oneshot::channel::<()>();
        let config =
            ServerConfig { drain: DRAIN, trusted_peers: self.believed.clone(), ..ServerConfig::default() };
        let server = serve(listener, self.app.clone(), config, async {
            let _ = closed.await;
        });
        self.door.set_open(true);
        let (stop, stopping) = watch::channel(false);
        *running = Some(Running {
            close,
            stop,
            server: tokio::spawn(server),
            tasks: (self.tasks)(&Stopping(stopping)).into_iter().map(tokio::spawn).collect(),
        });
        info!(service = self.name, address = %*address, "started");
        Ok(true)
    }

    /// Says from now on that it is not ready, and goes on for so long: balancers send their requests elsewhere before
    /// its port is closed.
    pub async fn give_notice(&self, notice: Duration) {
        if notice.is_zero() {
            return;
        }
        info!(service = self.name, ?notice, "not ready any more, stops later");
        self.door.set_open(false);
        sleep(notice).await;
    }

    /// Closes the port, lets requests under way finish, and ends the tasks. Returns whether it was running before.
    pub async fn stop(&self) -> bool {
        let Some(Running { close, stop, server, tasks }) = self.running.lock().await.take() else {
            return false;
        };
        self.door.set_open(false);
        let _ = close.send(());
        let _ = server.await;
        stop.send_replace(true);
        for mut task in tasks {
            if timeout(FINISH, &mut task).await.is_err() {
                task.abort();
                let _ = task.await;
            }
        }
        if let Some(end) = &self.at_the_end {
            end().await;
        }
        info!(service = self.name, "stopped");
        true
    }
}
