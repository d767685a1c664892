//! One service of the running library: its port, its consumers, its relay; started and stopped as one.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::Router;
use platform_http::{BindError, ServerConfig, bind, serve};
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinHandle,
};
use tracing::info;

use crate::door::Door;

/// A task of a service. It may be dropped at any moment: what it did not finish is done again.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Longest time that requests under way get when a service stops. The library stops its gateway first and then the
/// others, so it is spent twice before the end.
const DRAIN: Duration = Duration::from_secs(2);

/// A service that can be started and stopped.
pub struct Service {
    name: &'static str,
    door: Arc<Door>,
    router: Router,
    tasks: Box<dyn Fn() -> Vec<Task> + Send + Sync>,
    address: Mutex<SocketAddr>,
    running: Mutex<Option<Running>>,
}

struct Running {
    close: oneshot::Sender<()>,
    server: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Service {
    /// A service that is not started yet. `tasks` gives new ones for each start.
    pub fn new(
        name: &'static str,
        address: SocketAddr,
        door: Arc<Door>,
        router: Router,
        tasks: impl Fn() -> Vec<Task> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            door,
            router,
            tasks: Box::new(tasks),
            address: Mutex::new(address),
            running: Mutex::new(None),
        }
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
        let listener = bind(*address).await?;
        *address = listener.local_addr().unwrap_or(*address);
        let (close, closed) = oneshot::channel::<()>();
        let config = ServerConfig { drain: DRAIN, ..ServerConfig::default() };
        let server = serve(listener, self.router.clone(), config, async {
            let _ = closed.await;
        });
        self.door.set_open(true);
        *running = Some(Running {
            close,
            server: tokio::spawn(server),
            tasks: (self.tasks)().into_iter().map(tokio::spawn).collect(),
        });
        info!(service = self.name, address = %*address, "started");
        Ok(true)
    }

    /// Closes the port, lets requests under way finish, and ends the tasks. Returns whether it was running before.
    pub async fn stop(&self) -> bool {
        let Some(Running { close, server, tasks }) = self.running.lock().await.take() else { return false };
        self.door.set_open(false);
        let _ = close.send(());
        let _ = server.await;
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        info!(service = self.name, "stopped");
        true
    }
}
