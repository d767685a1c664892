//! A server that can be killed.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::{Builder, Runtime},
};

/// A server on a thread of its own. Killed, it ends as a process does: all of its sockets close at once.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves `app` on any port.
    pub async fn start(app: Router) -> Self {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), app).await
    }

    /// Serves `app` on this address.
    ///
    /// # Panics
    /// Where it cannot be listened on.
    pub async fn start_on(address: SocketAddr, app: Router) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
        let starting = runtime.spawn(async move {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            tokio::spawn(async move { axum::serve(listener, app).await });
            Ok::<_, std::io::Error>(address)
        });
        match starting.await {
            Ok(Ok(address)) => Self { address, runtime: Some(runtime) },
            Ok(Err(error)) => panic!("{address}: {error}"),
            Err(error) => panic!("{address}: {error}"),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address at which nobody listens, and nobody else can while this is held.
#[derive(Debug)]
pub struct Nobody {
    address: SocketAddr,
    _bound: TcpSocket,
}

impl Nobody {
    /// On any port.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn there() -> Self {
        let bind = || {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            Ok::<_, std::io::Error>(Self { address: socket.local_addr()?, _bound: socket })
        };
        bind().unwrap_or_else(|error| panic!("no port: {error}"))
    }

    /// Where nobody is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
