//! What every store of rents must do: one suite for the adapters and the fake.

mod said;

use std::sync::Arc;

use rent::{
    application::ports::{Conflict, PageQuery, RentStore, Save, SortField},
    domain::{Copy, Customer, Moment, OrderId, Rent, RentId, RentState, Version},
};

pub(crate) use said::Outspoken;

/// Runs the suite. `reopen` gives the same store again as after a restart of the process (the fake, which has no
/// restart, gives a clone). The store must be empty at first.
pub(crate) async fn run(reopen: impl AsyncFn() -> Arc<dyn Outspoken>) {
    let saved = every_rent_comes_back_as_it_was_saved(&*reopen().await).await;
    assert_eq!(all(&*reopen().await).await, saved, "reopening keeps everything");
    ids_grow_over_a_restart(&reopen).await;
    one_order_has_one_rent(&*reopen().await).await;
    a_conflict_is_its_callers_alone(&*reopen().await).await;
    rents_are_found_by_their_orders(&*reopen().await).await;
    every_sort_goes_both_ways_page_by_page(&*reopen().await).await;
    a_walk_meets_every_rent_once(&*reopen().await).await;
    said::exactly_what_is_saved_is_said(&reopen).await;
}

/// One in every state, so that neither ids, orders, times nor customers come in the same order.
fn rents() -> Vec<Rent> {
    let states = [
        RentState::Canceled(Copy::Free),
        RentState::Rented,
        RentState::Canceled(Copy::Refused("b".to_owned())),
        RentState::WithCourier,
        RentState::Canceled(Copy::Tombstone),
        RentState::Canceled(Copy::Refused("a".to_owned())),
        RentState::Canceled(Copy::Bound),
        RentState::Rented,
    ];
    let customers =
        [Some("lee"), None, Some("김"), Some("kim"), None, Some("lee"), Some("park"), Some("Kim")];
    let rents = states.into_iter().zip(customers).zip(1..).map(|((state, customer), n): (_, i64)| Rent {
        id: RentId(n),
        order_id: OrderId(100 + (n * 5) % 8),
        customer: customer.and_then(Customer::parse),
        state,
        version: Version(1),
        created_at: Moment(1_000 + (n * 3) % 8),
        changed_at: Moment(2_000 - n),
    });
    rents.collect()
}

fn new(rent: &Rent) -> Save {
    Save { expected: None, rent: rent.clone(), facts: Vec::new() }
}

fn changed(rent: &Rent, expected: i64, becomes: RentState) -> Save {
    let version = Version(expected + 1);
    let rent = Rent { state: becomes, version, changed_at: Moment(9_000), ..rent.clone() };
    Save { expected: Some(Version(expected)), rent, facts: Vec::new() }
}

async fn page(store: &dyn RentStore, offset: u64, limit: u32, sort: &[(SortField, bool)]) -> Vec<Rent> {
    let query = PageQuery { offset, limit, sort: sort.to_vec() };
    store.page(query).await.expect("a page").0
}

async fn total(store: &dyn RentStore) -> u64 {
    store.page(PageQuery { offset: 0, limit: 1, sort: Vec::new() }).await.expect("a page").1
}

async fn all(store: &dyn RentStore) -> Vec<Rent> {
    page(store, 0, 1_000, &[]).await
}

async fn every_rent_comes_back_as_it_was_saved(store: &dyn RentStore) -> Vec<Rent> {
    assert_eq!(total(store).await, 0);
    let rents = rents();
    for rent in &rents {
        assert_eq!(store.next_id().await, Ok(rent.id), "ids are given one after the other");
        assert_eq!(store.by_order(rent.order_id).await, Ok(None));
        assert_eq!(store.save(new(rent)).await, Ok(Ok(())));
        assert_eq!(store.by_id(rent.id).await.as_ref(), Ok(&Some(rent.clone())));
        assert_eq!(store.by_order(rent.order_id).await, Ok(Some(rent.clone())));
    }
    assert_eq!(store.by_id(RentId(99)).await, Ok(None));
    assert_eq!(total(store).await, 8);
    assert_eq!(all(store).await, rents, "without a wish the collection is sorted by id");
    rents
}

async fn ids_grow_over_a_restart(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    let before = reopen().await.next_id().await.expect("an id");
    assert!(before > RentId(8), "{before:?} was given before");
    let rent = Rent { id: before, order_id: OrderId(200), ..rents().remove(0) };
    assert_eq!(reopen().await.save(new(&rent)).await, Ok(Ok(())));
    let after = reopen().await.next_id().await.expect("an id");
    assert!(after > before, "{after:?} comes after {before:?}");
}

async fn one_order_has_one_rent(store: &dyn RentStore) {
    let before = total(store).await;
    let rent = |id| Rent { id: RentId(id), order_id: OrderId(300), ..rents().remove(1) };
    let both = vec![new(&rent(301)), new(&rent(302))];
    assert_eq!(store.save_all(both).await, Ok(vec![Ok(()), Err(Conflict)]), "within one transaction");
    assert_eq!(store.save(new(&rent(303))).await, Ok(Err(Conflict)), "and after it");
    assert_eq!(store.by_order(OrderId(300)).await, Ok(Some(rent(301))));
    for id in [302, 303] {
        assert_eq!(store.by_id(RentId(id)).await, Ok(None), "nothing of a conflict is written");
    }
    assert_eq!(total(store).await, before + 1);
}

async fn a_conflict_is_its_callers_alone(store: &dyn RentStore) {
    let before = total(store).await;
    let stored = rents();
    let (stale, current, absent) = (&stored[1], &stored[7], Rent { id: RentId(401), ..stored[1].clone() });
    let bound = RentState::Canceled(Copy::Bound);
    assert_eq!(store.save(changed(stale, 1, bound.clone())).await, Ok(Ok(())));
    let newcomer = Rent { id: RentId(402), order_id: OrderId(402), ..stored[0].clone() };
    let results = store.save_all(vec![
        changed(stale, 1, RentState::WithCourier),
        changed(current, 1, bound.clone()),
        changed(&Rent { order_id: OrderId(401), ..absent }, 1, bound.clone()),
        new(&newcomer),
    ]);
    assert_eq!(results.await, Ok(vec![Err(Conflict), Ok(()), Err(Conflict), Ok(())]));

    let state = async |id| store.by_id(id).await.expect("a read").map(|rent| (rent.state, rent.version.0));
    assert_eq!(state(stale.id).await, Some((bound.clone(), 2)), "the one who was faster is kept");
    assert_eq!(state(current.id).await, Some((bound, 2)));
    assert_eq!(state(RentId(401)).await, None);
    let found = store.by_id(current.id).await.expect("a read").expect("a rent");
    assert_eq!((found.created_at, found.changed_at), (current.created_at, Moment(9_000)));
    assert_eq!(total(store).await, before + 1, "a change of a rent is no further rent");
}

async fn rents_are_found_by_their_orders(store: &dyn RentStore) {
    assert_eq!(store.by_orders(&[]).await, Ok(Vec::new()));
    let orders = [OrderId(300), OrderId(999), OrderId(200)];
    let found = store.by_orders(&orders).await.expect("a read");
    let mut found: Vec<_> = found.iter().map(|rent| rent.order_id.0).collect();
    found.sort_unstable();
    assert_eq!(found, [200, 300], "in any order, and only those that there are");
}

/// What a sort means, said another way than the stores say it.
fn sort_key(field: SortField, rent: &Rent) -> (i64, Option<String>) {
    match field {
        SortField::Id => (rent.id.0, None),
        SortField::OrderId => (rent.order_id.0, None),
        SortField::Customer => (0, rent.customer.as_ref().map(|customer| customer.as_str().to_owned())),
        SortField::CreatedAt => (rent.created_at.0, None),
        SortField::ChangedAt => (rent.changed_at.0, None),
        SortField::Status => {
            let canceled = matches!(rent.state, RentState::Canceled(_));
            (0, Some(if canceled { "Rent Canceled" } else { "Rent" }.to_owned()))
        }
        SortField::Reason => match &rent.state {
            RentState::Canceled(Copy::Refused(reason)) => (0, Some(reason.clone())),
            _ => (0, None),
        },
    }
}

async fn every_sort_goes_both_ways_page_by_page(store: &dyn RentStore) {
    use SortField::{ChangedAt, CreatedAt, Customer, Id, OrderId, Reason, Status};
    let by_id = all(store).await;
    for field in [Id, OrderId, Status, Customer, Reason, CreatedAt, ChangedAt] {
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
    let found = page(store, 0, 1_000, &[(Status, true), (OrderId, false)]).await;
    let mut expected = by_id.clone();
    expected.sort_by_key(|rent| (!matches!(rent.state, RentState::Canceled(_)), rent.order_id));
    assert_eq!(found, expected, "by two fields");
    assert!(page(store, u64::MAX, 20, &[]).await.is_empty(), "beyond the end");
    assert_eq!(total(store).await, by_id.len() as u64);
}

async fn a_walk_meets_every_rent_once(store: &dyn RentStore) {
    let (mut found, mut after) = (Vec::new(), RentId(i64::MIN));
    loop {
        let some = store.scan(after, 2).await.expect("a scan");
        assert!(some.len() <= 2);
        let Some(last) = some.last() else { break };
        after = last.id;
        found.extend(some);
    }
    assert_eq!(found, all(store).await);
}
