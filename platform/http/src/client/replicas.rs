//! Which replicas there are: names are resolved again and again, and each address is looked after.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use platform_resilience::jittered;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::ClientConfig;
use super::address::{Origin, ServiceAddress};
use super::endpoint::Endpoint;
use super::probe::look_after;

/// Failing requests ask for a name to be resolved again; not more often than this.
const RESOLVE_PAUSE: Duration = Duration::from_millis(200);

/// Finds the addresses of a name. [`Resolver::default`] asks the operating system.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(String, u16) -> Resolving + Send + Sync>);

type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

impl Resolver {
    /// From a function of name and port.
    pub fn new<F>(resolve: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name, port| Box::pin(resolve(name, port))))
    }

    async fn resolve(&self, origin: &Origin) -> io::Result<Vec<SocketAddr>> {
        (self.0)(origin.host.clone(), origin.port).await
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(
            |name, port| async move { tokio::net::lookup_host((name, port)).await.map(Iterator::collect) },
        )
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

/// The replicas as they are known now.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) endpoints: Arc<[Arc<Endpoint>]>,
    /// How many names have not been looked up yet.
    pub(super) unresolved: usize,
}

/// All replicas of a service. Dropped, it looks after them no longer.
pub(super) struct Replicas {
    pub(super) known: watch::Receiver<Known>,
    again: watch::Sender<()>,
    _names: JoinSet<()>,
}

impl Replicas {
    pub(super) fn of(address: &ServiceAddress, config: &ClientConfig, resolver: &Resolver) -> Self {
        let origins = address.origins();
        let (publish, known) = watch::channel(Known { unresolved: origins.len(), ..Known::default() });
        let register = Arc::new(Register {
            by_origin: Mutex::new(vec![None; origins.len()]),
            looked_after: Mutex::default(),
            publish,
            config: config.clone(),
        });
        let (again, asked) = watch::channel(());
        let mut names = JoinSet::new();
        for (place, origin) in origins.iter().enumerate() {
            match origin.host.parse::<IpAddr>() {
                Ok(address) => register.enter(place, vec![SocketAddr::new(address, origin.port)]),
                Err(_a_name) => {
                    let resolving =
                        follow(place, origin.clone(), resolver.clone(), Arc::clone(&register), asked.clone());
                    names.spawn(resolving);
                }
            }
        }
        // Addresses alone need nobody who follows them, but somebody who holds them.
        names.spawn(async move {
            let _held = register;
            std::future::pending::<()>().await;
        });
        Self { known, again, _names: names }
    }

    /// Has the names resolved again soon: what they name may have moved.
    pub(super) fn resolve_again(&self) {
        self.again.send_replace(());
    }
}

/// Resolves one name for as long as it is of interest.
async fn follow(
    place: usize,
    origin: Origin,
    resolver: Resolver,
    register: Arc<Register>,
    mut asked: watch::Receiver<()>,
) {
    let mut was_resolved = true;
    loop {
        let why = match timeout(register.config.resolve_timeout, resolver.resolve(&origin)).await {
            Ok(Ok(addresses)) if addresses.is_empty() => Some("it has no address".to_owned()),
            Ok(Ok(addresses)) => {
                register.enter(place, addresses);
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_late) => Some("nobody answers".to_owned()),
        };
        if let Some(why) = &why {
            register.keep(place);
            if was_resolved {
                tracing::warn!(name = origin.host, why, "a name cannot be resolved");
            }
        }
        was_resolved = why.is_none();
        sleep(RESOLVE_PAUSE.min(register.config.resolve_every)).await;
        let rest = register.config.resolve_every.saturating_sub(RESOLVE_PAUSE);
        // Whoever asks again is the owner of this task: it cannot outlive it.
        let _ = timeout(jittered(rest), asked.changed()).await;
        asked.mark_unchanged();
    }
}

/// Brings together what the names have become.
struct Register {
    /// What each URL stands for; `None` where that is not known yet.
    by_origin: Mutex<Vec<Option<Vec<SocketAddr>>>>,
    looked_after: Mutex<HashMap<SocketAddr, (Arc<Endpoint>, Looking)>>,
    publish: watch::Sender<Known>,
    config: ClientConfig,
}

/// Stops looking after a replica.
struct Looking(AbortHandle);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Register {
    fn enter(&self, place: usize, addresses: Vec<SocketAddr>) {
        let mut by_origin = self.by_origin.lock();
        by_origin[place] = Some(addresses);
        let wanted: BTreeSet<_> = by_origin.iter().flatten().flatten().copied().collect();
        let unresolved = by_origin.iter().filter(|addresses| addresses.is_none()).count();
        let mut looked_after = self.looked_after.lock();
        let is_same = looked_after.len() == wanted.len()
            && wanted.iter().all(|address| looked_after.contains_key(address));
        if is_same && self.publish.borrow().unresolved == unresolved {
            return;
        }
        looked_after.retain(|address, _| wanted.contains(address));
        for address in wanted {
            looked_after.entry(address).or_insert_with(|| {
                let endpoint = Arc::new(Endpoint::new(address, self.config.clone()));
                let task = tokio::spawn(look_after(Arc::clone(&endpoint)));
                (endpoint, Looking(task.abort_handle()))
            });
        }
        let endpoints = looked_after.values().map(|(endpoint, _)| Arc::clone(endpoint)).collect();
        self.publish.send_replace(Known { endpoints, unresolved });
    }

    /// What was known before is kept: that a name cannot be resolved says nothing about the replicas.
    fn keep(&self, place: usize) {
        let known = self.by_origin.lock()[place].clone().unwrap_or_default();
        self.enter(place, known);
    }
}
