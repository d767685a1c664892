//! The story of a seed: a library under way, and what came of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use contracts::{GROUPS, TOPIC};
use delivery::{application::ports::DeliveryStore as _, domain::DeliveryState};
use futures_util::future::join_all;
use mypage::adapters::outbound::memory::MemoryView;
use order::{application::ports::OrderStore as _, domain::OrderId};
use platform_event_bus::EventBus as _;
use platform_outbox::Outbox;
use rentalbook::{
    audit::{Audit, Report},
    parts::Parts,
};
use tokio::{sync::mpsc, time::sleep};

use super::{
    Defect,
    clients::Clients,
    fate::{Fate, Happened, Port, Who, at_once},
    library::{Library, Setting, open_deliveries, open_orders, open_rents, open_view},
    panics::listening,
};

/// What came of a seed.
pub(super) struct Told {
    /// Nothing, or what was lost or done twice.
    pub(super) wrong: Option<String>,
    pub(super) happened: Happened,
}

/// A library has to come to rest within so many looks, in half a minute of its own time and more.
const LOOKS: u32 = 400;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Tells the story of `seed`.
pub(super) fn tell(seed: u64, defect: Option<Defect>) -> Told {
    let folder = tempfile::Builder::new().prefix("simulation").tempdir_in(scratch()).expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (fate, deaths) = runtime.block_on(async { Fate::of(seed, defect) });
    let (judged, panics) = listening(|| {
        let (clients, rests) = runtime.block_on(live(&fate, deaths, folder.path()));
        drop(runtime);
        judge(&clients, folder.path().to_owned(), rests)
    });
    let panics = panics.into_iter().map(|panic| format!("a panic: {panic}"));
    let wrong: Vec<_> = judged.flatten().into_iter().chain(panics).collect();
    Told { wrong: (!wrong.is_empty()).then(|| wrong.join("\n")), happened: fate.happened() }
}

/// A library, from its opening until it has come to rest and is closed.
async fn live(fate: &Fate, deaths: mpsc::UnboundedReceiver<Who>, folder: &Path) -> (Clients, bool) {
    let setting = Setting {
        rejects: fate.one_in(2),
        gathers: fate.one_in(2),
        partitions: 1 + u32::try_from(fate.below(12)).expect("small"),
        batch: [1, 2, 5, 2048][usize::try_from(fate.below(4)).expect("small")],
        skew: [0, 0, 20, 2_000][usize::try_from(fate.below(4)).expect("small")],
        pause: [1, 50, 1_000][usize::try_from(fate.below(3)).expect("small")],
    };
    fate.say(format_args!("{setting:?}"));
    let library = Library::new(fate, setting, folder);
    Who::ALL.into_iter().for_each(|who| library.start(who));
    tokio::spawn(start_again(library.clone(), deaths));
    tokio::spawn(cut_off(fate.clone()));
    let clients = Clients { library: library.clone(), told: Arc::default() };
    let number = 1 + fate.below(4);
    // Where one of them panics it is heard: see `listening`.
    join_all((0..number).map(|_| tokio::spawn(clients.clone().go(3 + fate.below(10))))).await;
    fate.calm_down();
    fate.say("nothing goes wrong any more");
    let rests = comes_to_rest(&library).await;
    for who in Who::ALL {
        library.kill(who).await;
    }
    (clients, rests)
}

/// In memory, where there is such a place: what is looked for here is not what a disk forgets.
fn scratch() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

async fn start_again(library: Library, mut deaths: mpsc::UnboundedReceiver<Who>) {
    while let Some(who) = deaths.recv().await {
        library.kill(who).await;
        let library = library.clone();
        tokio::spawn(async move {
            sleep(library.fate.millis(3_000)).await;
            library.start(who);
        });
    }
}

/// Now and then somebody gets through to nobody, at one of its ports.
async fn cut_off(fate: Fate) {
    while !fate.is_calm() {
        sleep(fate.millis(4_000)).await;
        let who = Who::ALL[usize::try_from(fate.below(4)).expect("small")];
        let port = match fate.below(3) {
            0 => Port::Store,
            1 => Port::Bus,
            _ => Port::Rent,
        };
        let lasts = fate.millis(4_000);
        if !fate.is_calm() {
            fate.cut(if port == Port::Rent { Who::Order } else { who }, port, lasts);
        }
    }
}

/// Whether everything that is under way comes to its end: nobody does anything any more.
async fn comes_to_rest(library: &Library) -> bool {
    let mut quiet = 0;
    for _ in 0..LOOKS {
        sleep(LOOK).await;
        quiet = if is_quiet(library) { quiet + 1 } else { 0 };
        if quiet == 2 {
            return true;
        }
    }
    false
}

fn is_quiet(library: &Library) -> bool {
    let bus = library.bus.clone();
    let lag = at_once(async move {
        let mut lag = 0;
        for group in GROUPS {
            lag += bus.lag(TOPIC, group).await.expect("positions");
        }
        lag
    });
    lag == 0 && library.running.lock().is_done()
}

/// What is wrong in the files that are left, if anything is.
fn judge(clients: &Clients, folder: PathBuf, rests: bool) -> Option<String> {
    let library = &clients.library;
    let (orders, rents) = (open_orders(&folder), open_rents(&folder));
    let (deliveries, view) = (open_deliveries(&folder), open_view(&folder));
    let outboxes: Vec<Arc<dyn Outbox>> =
        vec![Arc::new(orders.outbox()), Arc::new(rents.outbox()), Arc::new(deliveries.outbox())];
    let parts = Parts {
        orders: Arc::new(orders.clone()),
        rents: Arc::new(rents),
        deliveries: Arc::new(deliveries.clone()),
        view,
        bus: Arc::new(library.bus.clone()),
        outboxes,
        topic: TOPIC.to_owned(),
        groups: GROUPS.map(str::to_owned).into(),
    };
    let report: Report = at_once(async move {
        let rebuilt = Arc::new(MemoryView::default());
        let audit =
            Audit { library: parts, rebuilt, all_running: Arc::new(|| true), patience: Duration::ZERO };
        audit.run().await.expect("an audit")
    });
    let (orders, shipped) = at_once(async move {
        let orders = orders.scan(OrderId(0), 1_000).await.expect("orders");
        let parcels = deliveries.scan(delivery::domain::OrderId(0), 1_000).await.expect("parcels");
        let handed_over = parcels.into_iter().filter(|parcel| parcel.state == DeliveryState::HandedOver);
        (orders, handed_over.map(|parcel| parcel.order_id.0).collect::<Vec<_>>())
    });
    let is_shipped = |id: OrderId| shipped.contains(&id.0);
    let mut broken = clients.told.lock().broken(&orders, is_shipped, library.setting.rejects);
    let dead_letters = library.consumed.dead_letters();
    if dead_letters > 0 {
        broken.push(format!("{dead_letters} dead letters"));
    }
    if !rests {
        broken.push("it never comes to rest".to_owned());
    }
    let is_wrong = !report.breaches.is_empty() || report.under_way > 0 || !broken.is_empty();
    is_wrong.then(|| format!("{report}{broken:#?}"))
}
