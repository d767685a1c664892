//! How many connections a process may have open: each takes a file descriptor, and the stores need some as well.

use std::sync::{Arc, LazyLock};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most connections of a process, however many files it may open.
const MOST: usize = 16_384;

/// File descriptors that are left for everything else.
const FOR_THE_REST: usize = 256;

/// Places for connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Connections {
    all: Arc<Semaphore>,
    of_one_server: usize,
}

impl Connections {
    /// So many over all servers. One of them takes three quarters at most: whoever fills it does not shut the others.
    #[must_use]
    pub fn new(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_one_server: (all - all / 4).max(1) }
    }

    /// As many as this process may open files, but for some, and 16,384 at most. Everybody gets the same ones.
    ///
    /// A process begins with fewer files than the system would let it open (1,024, so that `select` works); the
    /// first call takes what it may.
    #[must_use]
    pub fn of_this_process() -> Self {
        static OURS: LazyLock<Connections> = LazyLock::new(|| Connections::new(that_fit(open_files())));
        OURS.clone()
    }

    /// The places of one server.
    pub(super) fn of_one_server(&self) -> Places {
        Places { own: Arc::new(Semaphore::new(self.of_one_server)), all: Arc::clone(&self.all) }
    }
}

/// The places of one server, among those of all.
pub(super) struct Places {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

impl Places {
    /// Waits for one; it is free again when what is returned is dropped. `None` never comes: nobody closes them.
    pub(super) async fn take(&self) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = Arc::clone(&self.own).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some([own, of_all])
    }
}

/// Asks for as many as the system allows; how many it is then.
fn open_files() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let now = if setrlimit(Resource::Nofile, limit).is_ok() { limit.maximum } else { before };
    now.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

fn that_fit(files: usize) -> usize {
    files.saturating_sub(FOR_THE_REST).clamp(FOR_THE_REST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_left() {
        assert_eq!(that_fit(1024), 768);
        assert_eq!(that_fit(20_000), MOST);
        assert_eq!(that_fit(usize::MAX), MOST);
        assert_eq!(that_fit(0), FOR_THE_REST);
    }

    #[tokio::test]
    async fn one_server_cannot_take_all_places() {
        let connections = Connections::new(4);
        let (greedy, other) = (connections.of_one_server(), connections.of_one_server());
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(greedy.take().await);
        }
        let of_greedy = tokio::time::timeout(std::time::Duration::ZERO, greedy.take()).await;
        assert!(of_greedy.is_err(), "the fourth waits");
        assert!(other.take().await.is_some());
        taken.pop();
        assert!(greedy.take().await.is_some());
    }

    #[test]
    fn a_process_takes_the_files_that_it_may_have() {
        let ours = Connections::of_this_process();
        assert!(ours.all.available_permits() >= FOR_THE_REST);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
