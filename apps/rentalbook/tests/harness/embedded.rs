//! All services in one process, on files.

use std::{net::SocketAddr, path::Path};

use rentalbook::{
    cli::{ServiceArg, Tool},
    config::Config,
    embedded::Library,
    stores::Stores,
};

use super::{Scene, Wiring};

/// A running library in a folder of its own.
pub(crate) struct Embedded {
    library: Option<Library>,
    config: Config,
    folder: tempfile::TempDir,
}

impl Embedded {
    async fn start(&mut self) {
        self.library = Some(Library::start(self.config.clone()).await.expect("the library starts"));
    }

    fn library(&self) -> &Library {
        self.library.as_ref().expect("the library runs")
    }
}

impl Wiring for Embedded {
    async fn open(change: impl FnOnce(Config) -> Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = change(Config { ports: [0; 5], ..Config::new(folder.path().to_owned()) });
        let mut embedded = Self { library: None, config, folder };
        embedded.start().await;
        embedded
    }

    async fn restart(&mut self) {
        self.library.take().expect("the library runs").stop().await;
        self.start().await;
    }

    async fn address(&self, service: ServiceArg) -> SocketAddr {
        self.library().address(service).await
    }

    async fn tool(&self, tool: &Tool) -> (String, u8) {
        let outcome = rentalbook::tools::run(self.folder.path(), tool).await;
        (outcome.text, outcome.code)
    }

    async fn stop(mut self) {
        self.library.take().expect("the library runs").stop().await;
    }
}

impl Scene {
    /// Where the state is.
    pub(crate) fn data(&self) -> &Path {
        super::SceneOn::library(self).folder.path()
    }

    /// Its files.
    pub(crate) fn stores(&self) -> &Stores {
        super::SceneOn::library(self).library().stores()
    }
}
