//! What every store of deliveries must do: one suite for the adapters and the fake.

mod said;

use std::sync::Arc;

use delivery::{
    application::ports::{Conflict, DeliveryStore, PageQuery, Save, SortField},
    domain::{Customer, Delivery, DeliveryId, DeliveryState, Moment, OrderId, Version},
};

pub(crate) use said::Outspoken;

/// Runs the suite. `reopen` gives the same store again as after a restart of the process (the fake, which has no
/// restart, gives a clone). The store must be empty at first.
pub(crate) async fn run(reopen: impl AsyncFn() -> Arc<dyn Outspoken>) {
    let saved = every_delivery_comes_back_as_it_was_saved(&*reopen().await).await;
    assert_eq!(walk(&*reopen().await).await, saved, "reopening keeps everything");
    ids_grow_over_a_restart(&reopen).await;
    one_order_has_one_delivery(&*reopen().await).await;
    a_conflict_is_its_callers_alone(&*reopen().await).await;
    what_becomes_shown_is_counted_once(&reopen).await;
    deliveries_are_found_by_their_orders(&*reopen().await).await;
    every_sort_goes_both_ways_page_by_page(&*reopen().await).await;
    a_walk_meets_every_delivery_once(&*reopen().await).await;
    said::exactly_what_is_saved_is_said(&reopen).await;
}

/// Some in every state, so that neither ids, orders, times nor customers come in the same order.
fn deliveries() -> Vec<Delivery> {
    use DeliveryState::{Canceled, HandedOver, Held, ReleaseRemembered, Released, Tombstone};
    let states = [Canceled, Held, Tombstone, HandedOver, Released, ReleaseRemembered, Held, HandedOver];
    let customers =
        [Some("lee"), None, Some("김"), Some("kim"), None, Some("lee"), Some("park"), Some("Kim")];
    let deliveries = states.into_iter().zip(customers).zip(1..).map(|((state, customer), n)| Delivery {
        order_id: OrderId(100 + (n * 5) % 8),
        id: (state != ReleaseRemembered).then_some(DeliveryId(n)),
        customer: customer.and_then(Customer::parse),
        state,
        version: Version(1),
        created_at: Moment(1_000 + (n * 3) % 8),
        changed_at: Moment(2_000 - n),
    });
    deliveries.collect()
}

/// A held parcel of an order.
fn a_parcel(id: i64, order_id: i64) -> Delivery {
    Delivery { id: Some(DeliveryId(id)), order_id: OrderId(order_id), ..deliveries().remove(1) }
}

fn new(delivery: &Delivery) -> Save {
    Save { expected: None, was_shown: false, delivery: delivery.clone(), facts: Vec::new() }
}

fn changed(delivery: &Delivery, expected: i64, becomes: DeliveryState) -> Save {
    let version = Version(expected + 1);
    let was_shown = delivery.state.is_shown();
    let delivery = Delivery { state: becomes, version, changed_at: Moment(9_000), ..delivery.clone() };
    Save { expected: Some(Version(expected)), was_shown, delivery, facts: Vec::new() }
}

type Sort<'a> = &'a [(SortField, bool)];

async fn page(store: &dyn DeliveryStore, offset: u64, limit: u32, sort: Sort<'_>) -> Vec<Delivery> {
    let query = PageQuery { offset, limit, sort: sort.to_vec() };
    store.page(query).await.expect("a page").0
}

async fn total(store: &dyn DeliveryStore) -> u64 {
    store.page(PageQuery { offset: 0, limit: 1, sort: Vec::new() }).await.expect("a page").1
}

/// Everything that is shown, by id.
async fn shown(store: &dyn DeliveryStore) -> Vec<Delivery> {
    page(store, 0, 1_000, &[]).await
}

/// Everything, by order.
async fn walk(store: &dyn DeliveryStore) -> Vec<Delivery> {
    store.scan(OrderId(i64::MIN), 1_000).await.expect("a scan")
}

async fn every_delivery_comes_back_as_it_was_saved(store: &dyn DeliveryStore) -> Vec<Delivery> {
    assert_eq!(total(store).await, 0);
    let mut deliveries = deliveries();
    for (delivery, id) in deliveries.iter().zip(1..) {
        assert_eq!(store.next_id().await, Ok(DeliveryId(id)), "ids are given one after the other");
        assert_eq!(store.by_order(delivery.order_id).await, Ok(None));
        assert_eq!(store.save(new(delivery)).await, Ok(Ok(())));
        assert_eq!(store.by_order(delivery.order_id).await, Ok(Some(delivery.clone())));
        let by_id = store.by_id(DeliveryId(id)).await;
        assert_eq!(by_id, Ok(delivery.id.map(|_| delivery.clone())), "shown or not, by the id if it has one");
    }
    assert_eq!(store.by_id(DeliveryId(99)).await, Ok(None));
    assert_eq!(total(store).await, 6, "tombstones and remembered releases do not count");
    let visible: Vec<_> = deliveries.iter().filter(|delivery| delivery.state.is_shown()).cloned().collect();
    assert_eq!(shown(store).await, visible, "without a wish the collection is sorted by id");
    deliveries.sort_by_key(|delivery| delivery.order_id);
    deliveries
}

async fn ids_grow_over_a_restart(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    let before = reopen().await.next_id().await.expect("an id");
    assert!(before > DeliveryId(8), "{before:?} was given before");
    // Not shown, and nevertheless taken.
    let tombstone = Delivery { state: DeliveryState::Tombstone, ..a_parcel(before.0, 200) };
    assert_eq!(reopen().await.save(new(&tombstone)).await, Ok(Ok(())));
    let after = reopen().await.next_id().await.expect("an id");
    assert!(after > before, "{after:?} comes after {before:?}");
}

async fn one_order_has_one_delivery(store: &dyn DeliveryStore) {
    let before = total(store).await;
    let both = vec![new(&a_parcel(301, 300)), new(&a_parcel(302, 300))];
    assert_eq!(store.save_all(both).await, Ok(vec![Ok(()), Err(Conflict)]), "within one transaction");
    assert_eq!(store.save(new(&a_parcel(303, 300))).await, Ok(Err(Conflict)), "and after it");
    assert_eq!(store.by_order(OrderId(300)).await, Ok(Some(a_parcel(301, 300))));
    for id in [302, 303] {
        assert_eq!(store.by_id(DeliveryId(id)).await, Ok(None), "nothing of a conflict is written");
    }
    assert_eq!(total(store).await, before + 1);
}

async fn a_conflict_is_its_callers_alone(store: &dyn DeliveryStore) {
    use DeliveryState::{Canceled, HandedOver, Released};
    let before = total(store).await;
    let stored = deliveries();
    let (stale, current) = (&stored[1], &stored[6]);
    assert_eq!(store.save(changed(stale, 1, Canceled)).await, Ok(Ok(())));
    let results = store.save_all(vec![
        changed(stale, 1, HandedOver),
        changed(current, 1, Released),
        changed(&a_parcel(401, 401), 1, Released),
        new(&a_parcel(402, 402)),
    ]);
    assert_eq!(results.await, Ok(vec![Err(Conflict), Ok(()), Err(Conflict), Ok(())]));

    let found = async |order| store.by_order(order).await.expect("a read");
    let state = async |order| found(order).await.map(|delivery| (delivery.state, delivery.version.0));
    assert_eq!(state(stale.order_id).await, Some((Canceled, 2)), "the one who was faster is kept");
    assert_eq!(state(current.order_id).await, Some((Released, 2)));
    assert_eq!(state(OrderId(401)).await, None);
    let times = found(current.order_id).await.map(|delivery| (delivery.created_at, delivery.changed_at));
    assert_eq!(times, Some((current.created_at, Moment(9_000))));
    assert_eq!(total(store).await, before + 1, "a change of a delivery is no further delivery");
}

async fn what_becomes_shown_is_counted_once(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    use DeliveryState::{HandedOver, Held, ReleaseRemembered, Released};
    let store = reopen().await;
    let before = total(&*store).await;
    let remembered = Delivery { id: None, state: ReleaseRemembered, ..a_parcel(0, 501) };
    assert_eq!(store.save(new(&remembered)).await, Ok(Ok(())));
    assert_eq!(total(&*store).await, before);
    let mut prepared = changed(&remembered, 1, Released);
    prepared.delivery =
        Delivery { id: Some(DeliveryId(501)), customer: Customer::parse("new"), ..prepared.delivery };
    let parcel = prepared.delivery.clone();
    assert_eq!(store.save(prepared).await, Ok(Ok(())));
    assert_eq!(store.by_id(DeliveryId(501)).await, Ok(Some(parcel.clone())), "it has taken its name");
    assert_eq!(total(&*store).await, before + 1);
    assert_eq!(store.save(changed(&parcel, 2, HandedOver)).await, Ok(Ok(())));
    assert_eq!(store.save(changed(&parcel, 2, Held)).await, Ok(Err(Conflict)));
    drop(store);
    assert_eq!(total(&*reopen().await).await, before + 1);
}

async fn deliveries_are_found_by_their_orders(store: &dyn DeliveryStore) {
    assert_eq!(store.by_orders(&[]).await, Ok(Vec::new()));
    let orders = [OrderId(300), OrderId(999), OrderId(200)];
    let found = store.by_orders(&orders).await.expect("a read");
    let mut found: Vec<_> = found.iter().map(|delivery| delivery.order_id.0).collect();
    found.sort_unstable();
    assert_eq!(found, [200, 300], "in any order, shown or not, and only those that there are");
}

fn status_word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Held | DeliveryState::Released => "Ship",
        DeliveryState::HandedOver => "Shipped",
        DeliveryState::Canceled => "Ship Canceled",
        DeliveryState::ReleaseRemembered | DeliveryState::Tombstone => panic!("{state:?} is shown"),
    }
}

/// What a sort means, said another way than the stores say it.
fn sort_key(field: SortField, delivery: &Delivery) -> (i64, Option<&str>) {
    match field {
        SortField::Id => (delivery.id.map_or(0, |id| id.0), None),
        SortField::OrderId => (delivery.order_id.0, None),
        SortField::Status => (0, Some(status_word(delivery.state))),
        SortField::Customer => (0, delivery.customer.as_ref().map(Customer::as_str)),
        SortField::CreatedAt => (delivery.created_at.0, None),
        SortField::ChangedAt => (delivery.changed_at.0, None),
    }
}

async fn every_sort_goes_both_ways_page_by_page(store: &dyn DeliveryStore) {
    use SortField::{ChangedAt, CreatedAt, Customer, Id, OrderId, Status};
    let by_id = shown(store).await;
    for field in [Id, OrderId, Status, Customer, CreatedAt, ChangedAt] {
        for descending in [false, true] {
            let mut expected = by_id.clone();
            expected.sort_by(|a, b| {
                let order = sort_key(field, a).cmp(&sort_key(field, b));
                if descending { order.reverse() } else { order }
            });
            let mut found = Vec::new();
            for number in 0..=by_id.len() as u64 / 3 {
                let part = page(store, number * 3, 3, &[(field, descending)]).await;
                assert!(part.len() <= 3);
                found.extend(part);
            }
            assert_eq!(found, expected, "by {field:?}, descending: {descending}");
        }
    }
    let found = page(store, 0, 1_000, &[(Status, false), (OrderId, true)]).await;
    let mut expected = by_id.clone();
    expected.sort_by_key(|delivery| (status_word(delivery.state), -delivery.order_id.0));
    assert_eq!(found, expected, "by two fields");
    assert!(page(store, u64::MAX, 20, &[]).await.is_empty(), "beyond the end");
    assert_eq!(total(store).await, by_id.len() as u64);
}

async fn a_walk_meets_every_delivery_once(store: &dyn DeliveryStore) {
    let (mut found, mut after) = (Vec::new(), OrderId(i64::MIN));
    loop {
        let some = store.scan(after, 2).await.expect("a scan");
        assert!(some.len() <= 2);
        let Some(last) = some.last() else { break };
        after = last.order_id;
        found.extend(some);
    }
    assert_eq!(found, walk(store).await);
    assert!(found.is_sorted_by_key(|delivery| delivery.order_id));
    assert!(found.iter().any(|delivery| !delivery.state.is_shown()), "what is not shown is met, too");
}
