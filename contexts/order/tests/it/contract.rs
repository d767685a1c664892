//! What every store of orders must do: one suite for the adapters and the fake.

mod said;

use std::{sync::Arc, time::Duration};

use order::{
    application::ports::{Conflict, Due, OrderStore, PageQuery, Revocation, Save, SortField},
    domain::{Customer, IdempotencyKey, Item, Moment, Order, OrderId, OrderState, Rejection, Version},
};

use crate::support::until;

pub(crate) use said::Outspoken;

/// Runs the suite. `reopen` gives the same store again as after a restart of the process (the fake, which has no
/// restart, gives a clone). The store must be empty at first.
pub(crate) async fn run(reopen: impl AsyncFn() -> Arc<dyn Outspoken>) {
    let saved = every_order_comes_back_as_it_was_saved(&*reopen().await).await;
    assert_eq!(all(&*reopen().await).await, saved, "reopening keeps everything");
    ids_grow_over_a_restart(&reopen).await;
    a_conflict_is_its_callers_alone(&*reopen().await).await;
    what_was_taken_back_is_not_written(&*reopen().await).await;
    a_key_has_one_order(&*reopen().await).await;
    orders_are_found_by_their_ids(&*reopen().await).await;
    how_many_wait_is_known_after_every_move(&reopen).await;
    no_more_wait_than_are_let_in(&reopen).await;
    a_caller_that_gives_up_is_counted(&reopen).await;
    what_is_deferred_is_due_at_any_age_and_the_rest_when_it_is_old(&*reopen().await).await;
    every_sort_goes_both_ways_page_by_page(&*reopen().await).await;
    a_walk_meets_every_order_once(&*reopen().await).await;
    said::exactly_what_is_saved_is_said(&reopen).await;
}

/// One in every state, so that neither items, times nor customers come in the order of the ids.
fn orders() -> Vec<Order> {
    let rule = |reason: &str| OrderState::Rejected(Rejection::Rule(reason.to_owned()));
    let states = [
        OrderState::Shipped,
        OrderState::Pending,
        rule("zzz"),
        OrderState::Cancelling,
        OrderState::Rejected(Rejection::Unavailable),
        OrderState::Ordered,
        OrderState::Canceled,
        // Just before the reason of those that rent did not answer.
        rule("rentals could not be confirmed"),
        OrderState::Ordered,
    ];
    let customers =
        [Some("lee"), None, Some("김"), Some("kim"), None, Some("lee"), Some("park"), Some("Kim"), None];
    let items = ["코스모스", "COSMOS", "b", "a", "COSMOS", "Z", "b", "COSMOS", "a"];
    let orders = states.into_iter().zip(customers).zip(items).zip(1..);
    let orders = orders.map(|(((state, customer), item), n): (_, i64)| Order {
        id: OrderId(n),
        item: Item::parse(item).expect("an item"),
        customer: customer.and_then(Customer::parse),
        ordered_said: n % 2 == 0,
        deferred_said: false,
        idempotency_key: (n % 3 == 0).then(|| a_key(&format!("key-{n}"))),
        state,
        version: Version(1),
        placed_at: Moment(1_000 + (n * 4) % 9),
        changed_at: Moment(2_000 - n),
    });
    orders.collect()
}

fn a_key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).expect("a key")
}

/// A pending order without a key.
fn pending(id: i64) -> Order {
    Order { id: OrderId(id), idempotency_key: None, ..orders().remove(1) }
}

fn new(order: &Order) -> Save {
    Save {
        expected: None,
        was_pending: false,
        pending_below: None,
        order: order.clone(),
        facts: Vec::new(),
        revocation: None,
        redoable: false,
    }
}

/// `order` in another state, as it is saved and as it is then.
fn becomes(order: &Order, state: OrderState) -> (Save, Order) {
    let version = Version(order.version.0 + 1);
    let changed = Order { state, version, changed_at: Moment(9_000), ..order.clone() };
    let (expected, was_pending) = (Some(order.version), order.state == OrderState::Pending);
    (
        Save {
            expected,
            was_pending,
            pending_below: None,
            order: changed.clone(),
            facts: Vec::new(),
            revocation: None,
            redoable: false,
        },
        changed,
    )
}

async fn page(store: &dyn OrderStore, offset: u64, limit: u32, sort: &[(SortField, bool)]) -> Vec<Order> {
    let query = PageQuery { offset, limit, sort: sort.to_vec() };
    store.page(query).await.expect("a page").0
}

async fn total(store: &dyn OrderStore) -> u64 {
    store.page(PageQuery { offset: 0, limit: 1, sort: Vec::new() }).await.expect("a page").1
}

async fn all(store: &dyn OrderStore) -> Vec<Order> {
    page(store, 0, 1_000, &[]).await
}

async fn every_order_comes_back_as_it_was_saved(store: &dyn OrderStore) -> Vec<Order> {
    assert_eq!((total(store).await, store.pending()), (0, 0));
    let orders = orders();
    for order in &orders {
        assert_eq!(store.next_id().await, Ok(order.id), "ids are given one after the other");
        assert_eq!(store.by_id(order.id).await, Ok(None));
        assert_eq!(store.save(new(order)).await, Ok(Ok(())));
        assert_eq!(store.by_id(order.id).await.as_ref(), Ok(&Some(order.clone())));
    }
    assert_eq!(total(store).await, 9);
    assert_eq!(all(store).await, orders, "without a wish the collection is sorted by id");
    orders
}

async fn ids_grow_over_a_restart(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    let store = reopen().await;
    let unused = store.next_id().await.expect("an id");
    assert!(unused > OrderId(9), "{unused:?} was given before");
    let before = store.next_id().await.expect("an id");
    drop(store);
    assert_eq!(reopen().await.save(new(&pending(before.0))).await, Ok(Ok(())));
    let after = reopen().await.next_id().await.expect("an id");
    assert!(after > before, "{after:?} comes after {before:?}");
}

async fn what_was_taken_back_is_not_written(store: &dyn OrderStore) {
    let before = (total(store).await, store.pending());
    let (taken_back, begun) = (Revocation::default(), Revocation::default());
    assert!(taken_back.revoke() && taken_back.revoke(), "nothing has begun");
    let with = |id, revocation| Save { revocation: Some(revocation), ..new(&pending(id)) };
    let saves = vec![with(901, taken_back), with(902, begun.clone())];
    assert_eq!(store.save_all(saves).await, Ok(vec![Err(Conflict), Ok(())]));
    assert!(!begun.revoke(), "it is too late");
    assert_eq!(store.by_id(OrderId(901)).await, Ok(None));
    assert_eq!((total(store).await, store.pending()), (before.0 + 1, before.1 + 1));
}

async fn a_conflict_is_its_callers_alone(store: &dyn OrderStore) {
    let before = (total(store).await, store.pending());
    let [one, other, absent] = [201, 202, 203].map(pending);
    for order in [&one, &other] {
        assert_eq!(store.save(new(order)).await, Ok(Ok(())));
    }
    let (faster, one_now) = becomes(&one, OrderState::Cancelling);
    assert_eq!(store.save(faster).await, Ok(Ok(())));

    let (slower, _) = becomes(&one, OrderState::Ordered);
    let (lone, other_now) = becomes(&other, OrderState::Ordered);
    let (of_nothing, _) = becomes(&absent, OrderState::Ordered);
    let (newcomer, again) = (new(&pending(204)), new(&Order { item: one.item.clone(), ..pending(202) }));
    let results = store.save_all(vec![slower, lone, of_nothing, newcomer, again]).await;
    assert_eq!(results, Ok(vec![Err(Conflict), Ok(()), Err(Conflict), Ok(()), Err(Conflict)]));

    assert_eq!(store.by_id(one.id).await, Ok(Some(one_now)), "the one who was faster is kept");
    assert_eq!(store.by_id(other.id).await, Ok(Some(other_now)));
    assert_eq!(store.by_id(absent.id).await, Ok(None), "nothing of a conflict is written");
    let after = (total(store).await, store.pending());
    assert_eq!(after, (before.0 + 3, before.1 + 1), "a conflict is counted nowhere");
}

async fn a_key_has_one_order(store: &dyn OrderStore) {
    let before = (total(store).await, store.pending());
    let with_key = |id, key: &str| Order { idempotency_key: Some(a_key(key)), ..pending(id) };
    assert_eq!(store.by_key(&a_key("k")).await, Ok(None));
    let both = vec![new(&with_key(301, "k")), new(&with_key(302, "k")), new(&with_key(303, "K"))];
    let results = store.save_all(both).await;
    assert_eq!(results, Ok(vec![Ok(()), Err(Conflict), Ok(())]), "within one transaction");
    assert_eq!(store.save(new(&with_key(304, "k"))).await, Ok(Err(Conflict)), "and after it");
    assert_eq!(store.by_key(&a_key("k")).await, Ok(Some(with_key(301, "k"))));
    assert_eq!(store.by_key(&a_key("K")).await, Ok(Some(with_key(303, "K"))));
    for id in [302, 304] {
        assert_eq!(store.by_id(OrderId(id)).await, Ok(None), "nothing of a conflict is written");
    }
    assert_eq!((total(store).await, store.pending()), (before.0 + 2, before.1 + 2));

    let (mut giving_back, _) = becomes(&with_key(301, "k"), OrderState::Rejected(Rejection::Unavailable));
    giving_back.order.idempotency_key = None;
    assert_eq!(store.save(giving_back).await, Ok(Ok(())));
    assert_eq!(store.by_key(&a_key("k")).await, Ok(None), "a key that was given back has no order");
    assert_eq!(store.save(new(&with_key(305, "k"))).await, Ok(Ok(())));
    assert_eq!(store.by_key(&a_key("k")).await, Ok(Some(with_key(305, "k"))));
}

async fn orders_are_found_by_their_ids(store: &dyn OrderStore) {
    assert_eq!(store.by_ids(&[]).await, Ok(Vec::new()));
    let found = store.by_ids(&[OrderId(3), OrderId(999), OrderId(1)]).await.expect("a read");
    let mut found: Vec<_> = found.iter().map(|order| order.id.0).collect();
    found.sort_unstable();
    assert_eq!(found, [1, 3], "in any order, and only those that there are");
}

async fn how_many_wait_is_known_after_every_move(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    let before = reopen().await.pending();
    let moves = |path: &[(OrderState, u64)]| path.to_vec();
    let (waits, over) = (before + 1, before);
    let paths = [
        moves(&[(OrderState::Ordered, over), (OrderState::Cancelling, over), (OrderState::Canceled, over)]),
        moves(&[(OrderState::Pending, waits), (OrderState::Ordered, over), (OrderState::Shipped, over)]),
        moves(&[(OrderState::Rejected(Rejection::Unavailable), over), (OrderState::Shipped, over)]),
        moves(&[(OrderState::Rejected(Rejection::Rule("no".to_owned())), over)]),
        moves(&[(OrderState::Cancelling, over), (OrderState::Shipped, over)]),
        moves(&[(OrderState::Shipped, over)]),
    ];
    for (path, id) in paths.into_iter().zip(401..) {
        let mut order = pending(id);
        let store = reopen().await;
        assert_eq!(store.save(new(&order)).await, Ok(Ok(())));
        assert_eq!(store.pending(), waits);
        drop(store);
        for (state, wait) in path {
            let store = reopen().await;
            let (change, changed) = becomes(&order, state);
            assert_eq!(store.save(change).await, Ok(Ok(())));
            assert_eq!(store.pending(), wait, "{:?} to {:?}", order.state, changed.state);
            drop(store);
            assert_eq!(reopen().await.pending(), wait, "after a restart");
            order = changed;
        }
    }
    let store = reopen().await;
    let together = [451, 452, 453].map(|id| new(&pending(id)));
    store
        .save_all(together.into())
        .await
        .expect("saved")
        .into_iter()
        .for_each(|saved| assert!(saved.is_ok()));
    assert_eq!(store.pending(), before + 3);
}

/// In one transaction and in several at once.
async fn no_more_wait_than_are_let_in(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    let store = reopen().await;
    let most = store.pending() + 3;
    let one_more = |id| Save { pending_below: Some(most), ..new(&pending(id)) };
    let together = store.save_all([461, 462].map(one_more).into()).await.expect("saved");
    assert_eq!(together, [Ok(()), Ok(())]);
    let (confirmed, _) = becomes(&pending(461), OrderState::Ordered);
    let together = vec![one_more(463), one_more(464), confirmed, one_more(465), one_more(466)];
    let results = store.save_all(together).await.expect("saved");
    assert_eq!(results, [Ok(()), Err(Conflict), Ok(()), Ok(()), Err(Conflict)], "a place becomes free");
    assert_eq!((store.pending(), store.by_id(OrderId(464)).await), (most, Ok(None)));

    let wider = most + 3;
    let asking: Vec<_> = (467..467 + 16)
        .map(|id| {
            let (store, change) = (Arc::clone(&store), Save { pending_below: Some(wider), ..one_more(id) });
            tokio::spawn(async move { store.save(change).await.expect("saved") })
        })
        .collect();
    let mut taken = 0;
    for asked in asking {
        taken += u64::from(asked.await.expect("no panic").is_ok());
    }
    assert_eq!((taken, store.pending()), (3, wider));
}

/// What was sent to be written is written, whether or not the caller waits for it.
async fn a_caller_that_gives_up_is_counted(reopen: &impl AsyncFn() -> Arc<dyn Outspoken>) {
    let store = reopen().await;
    let (before, order) = (store.pending(), pending(501));
    let _ = tokio::time::timeout(Duration::ZERO, store.save(new(&order))).await;
    until("written", async || store.by_id(order.id).await.expect("a read").is_some()).await;
    until("counted", async || store.pending() == before + 1).await;
    drop(store);
    assert_eq!(reopen().await.pending(), before + 1);
}

async fn what_is_deferred_is_due_at_any_age_and_the_rest_when_it_is_old(store: &dyn OrderStore) {
    let due = async |placed_before, limit| {
        let due = Due { placed_before: Moment(placed_before), limit };
        let due = store.due(due).await.expect("a read");
        assert!(due.iter().all(|order| order.state == OrderState::Pending));
        due.iter().map(|order| order.id.0).filter(|id| *id > 600).collect::<Vec<_>>()
    };
    // Nothing of what is pending before these is deferred, or as old.
    let placed = [(605, 8, false), (601, 9, false), (604, 99, true), (602, 99, false), (603, 10, false)];
    for (id, placed_at, deferred_said) in placed {
        let order = Order { placed_at: Moment(placed_at), deferred_said, ..pending(id) };
        assert_eq!(store.save(new(&order)).await, Ok(Ok(())));
    }
    let confirmed = Order { placed_at: Moment(1), deferred_said: true, ..orders().remove(5) };
    let confirmed = Order { id: OrderId(606), idempotency_key: None, ..confirmed };
    assert_eq!(store.save(new(&confirmed)).await, Ok(Ok(())));

    assert_eq!(due(0, 100).await, [604], "deferred");
    assert_eq!(due(10, 100).await, [601, 604, 605], "older than that, oldest first");
    assert_eq!(due(10, 2).await, [601, 604], "no more than asked for");
    assert_eq!(due(100, 100).await, [601, 602, 603, 604, 605]);
}

/// What a sort means, said another way than the stores say it.
fn sort_key(field: SortField, order: &Order) -> (i64, Option<String>) {
    let word = match &order.state {
        OrderState::Pending => "Pending",
        OrderState::Ordered => "Ordered",
        OrderState::Rejected(_) => "Order Rejected",
        OrderState::Cancelling => "Order Cancel",
        OrderState::Canceled => "Order Canceled",
        OrderState::Shipped => "Shipped",
    };
    match field {
        SortField::Id => (order.id.0, None),
        SortField::Item => (0, Some(order.item.as_str().to_owned())),
        SortField::Status => (0, Some(word.to_owned())),
        SortField::Customer => (0, order.customer.as_ref().map(|customer| customer.as_str().to_owned())),
        SortField::PlacedAt => (order.placed_at.0, None),
        SortField::ChangedAt => (order.changed_at.0, None),
        SortField::Reason => match &order.state {
            OrderState::Rejected(rejection) => (0, Some(rejection.reason().to_owned())),
            _ => (0, None),
        },
    }
}

/// Equals keep the order of their ids, in both directions.
fn sorted(mut orders: Vec<Order>, sort: &[(SortField, bool)]) -> Vec<i64> {
    orders.sort_by_key(|order| order.id);
    for (field, descending) in sort.iter().rev() {
        orders.sort_by(|a, b| {
            let order = sort_key(*field, a).cmp(&sort_key(*field, b));
            if *descending { order.reverse() } else { order }
        });
    }
    orders.iter().map(|order| order.id.0).collect()
}

async fn every_sort_goes_both_ways_page_by_page(store: &dyn OrderStore) {
    use SortField::{ChangedAt, Customer, Id, Item, PlacedAt, Reason, Status};
    let by_id = all(store).await;
    let each = [Id, Item, Status, Customer, Reason, PlacedAt, ChangedAt];
    let mut sorts: Vec<Vec<_>> =
        each.iter().flat_map(|field| [false, true].map(|descending| vec![(*field, descending)])).collect();
    sorts.extend([vec![(Status, true), (Item, false)], vec![(Customer, false), (Id, true)]]);
    for sort in sorts {
        let mut found = Vec::new();
        for number in 0..=by_id.len() as u64 / 7 {
            let part = page(store, number * 7, 7, &sort).await;
            assert!(part.len() <= 7);
            found.extend(part.iter().map(|order| order.id.0));
        }
        assert_eq!(found, sorted(by_id.clone(), &sort), "by {sort:?}");
    }
    assert!(page(store, 10_000, 7, &[]).await.is_empty());
    assert_eq!(total(store).await, by_id.len() as u64);
}

async fn a_walk_meets_every_order_once(store: &dyn OrderStore) {
    let (mut met, mut after) = (Vec::new(), OrderId(0));
    loop {
        let part = store.scan(after, 4).await.expect("a part");
        assert!(part.len() <= 4);
        let Some(last) = part.last() else { break };
        after = last.id;
        met.extend(part);
    }
    assert_eq!(met, all(store).await);
}
