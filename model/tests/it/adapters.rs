//! What the model says of the contexts, held against the contexts as they run: real records, their own consumers and
//! use cases, a real store, and what its outbox has to publish afterwards.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use contracts::{HEADER_EVENT_TYPE, Timestamp, WireClock, decode};
use delivery::{
    adapters::outbound::sqlite::SqliteDeliveries,
    application::{Deliveries, HandOver, ports::DeliveryStore as _},
};
use model::{
    configurations,
    contexts::CUSTOMER,
    lending::Lending,
    table::{Input, Reply, Row, Step, Table},
};
use mypage::projection::{Fact, OrderFact};
use order::{
    adapters::outbound::sqlite::SqliteOrders,
    application::{
        CancelOrder, Orders,
        ports::{AskRent, OrderStore as _, RentAnswer, RentDesk},
    },
};
use platform_event_bus::{Handler, Headers, Record};
use platform_outbox::{Outbox, OutboxMessage};
use rent::{
    adapters::outbound::sqlite::SqliteRents,
    application::{ConfirmRent, Rents, ports::RentStore as _},
};

/// It is always the beginning of 1970, as in the model.
struct Stopped;

impl order::application::ports::Clock for Stopped {
    fn now(&self) -> order::domain::Moment {
        order::domain::Moment(0)
    }
}

impl rent::application::ports::Clock for Stopped {
    fn now(&self) -> rent::domain::Moment {
        rent::domain::Moment(0)
    }
}

impl delivery::application::ports::Clock for Stopped {
    fn now(&self) -> delivery::domain::Moment {
        delivery::domain::Moment(0)
    }
}

/// Nobody is asked here.
struct NoDesk;

#[async_trait]
impl RentDesk for NoDesk {
    async fn confirm(&self, _: AskRent) -> RentAnswer {
        RentAnswer::Unavailable("nobody is asked here".to_owned())
    }
}

/// A record of the topic that says `fact` of an order.
fn record(order_id: i64, fact: Fact) -> Record {
    let (event_type, status) = fact.said_by();
    let value = format!(
        r#"{{"eventType":"{event_type}","status":"{status}","id":{order_id},"orderId":{order_id},"customer":"{CUSTOMER}"}}"#
    );
    let headers = Headers::new([(HEADER_EVENT_TYPE, event_type.as_bytes())]);
    Record { partition: 0, offset: 0, published_at: 0, key: None, headers, value: value.into() }
}

/// The fact that a message of an outbox is to mypage.
fn fact_of(message: &OutboxMessage) -> Fact {
    let event = decode(&message.value, String::new).expect("JSON").expect("an event");
    OrderFact::from_event(event, Timestamp(0)).fact
}

/// Fails unless the context did in its store and its outbox what the table says.
#[track_caller]
fn same<R: Row + Debug>(
    table: &Table<R>,
    from: u8,
    input: Input,
    expected: impl Fn(R) -> R,
    found: Option<R>,
    said: &[Fact],
) {
    let Step { row, says, .. } = table.step(from, input);
    let expected = table.row(row).cloned().map(expected);
    let context = format!("{:?}, {input:?}", table.row(from));
    assert!(found.clone().map(R::unversioned) == expected, "{context}: {found:?} is not {expected:?}");
    assert_eq!(said, says.as_slice(), "{context}");
}

/// What an outbox has to publish; nothing of it is left.
async fn said(outbox: &impl Outbox) -> Vec<Fact> {
    let rows = outbox.read(0, 100).await.expect("a read");
    if let Some(last) = rows.last() {
        outbox.delete_through(last.seq).await.expect("deleted");
    }
    rows.iter().map(|row| fact_of(&row.message)).collect()
}

fn lending() -> Lending {
    Lending::new(configurations::defer())
}

fn events() -> impl Iterator<Item = Input> {
    Fact::ALL.into_iter().map(Input::Hears)
}

#[tokio::test]
async fn order_does_what_the_model_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteOrders::open(&folder.path().join("order.db"), WireClock::default()).expect("it opens");
    let orders =
        Orders::new(Arc::new(store.clone()), Arc::new(NoDesk), Arc::new(Stopped), Default::default());
    let consumer = order::adapters::inbound::events::Events(orders.clone());
    let lending = lending();
    let mut case = 0;
    for from in 0..lending.orders.len() {
        for input in events().chain([Input::Cancel]) {
            case += 1;
            let id = order::domain::OrderId(case);
            // A key belongs to one order, and no input here looks at it.
            let own =
                |order: order::domain::Order| order::domain::Order { id, idempotency_key: None, ..order };
            if let Some(order) = lending.orders.row(from).cloned().map(own) {
                store.save(order_save(order)).await.expect("a store").expect("saved");
            }
            match input {
                Input::Hears(fact) => consumer.handle(&[record(case, fact)]).await.expect("handled"),
                // Whether it is refused is a matter of order's own tests; here it is what is saved.
                _ => drop(
                    orders.cancel_order(CancelOrder { id, if_version: None, correlation_id: None }).await,
                ),
            }
            let found = store.by_id(id).await.expect("a store");
            same(&lending.orders, from, input, own, found, &said(&store.outbox()).await);
        }
    }
    assert!(case > 100, "{case} cases");
}

fn order_save(order: order::domain::Order) -> order::application::ports::Save {
    order::application::ports::Save {
        expected: None,
        was_pending: false,
        pending_below: None,
        order,
        facts: Vec::new(),
        revocation: None,
        redoable: false,
    }
}

#[tokio::test]
async fn rent_does_what_the_model_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteRents::open(&folder.path().join("rent.db"), WireClock::default()).expect("it opens");
    let rents = |policy| Rents::new(Arc::new(store.clone()), Arc::new(Stopped), policy);
    let customer = rent::domain::Customer::parse(CUSTOMER);
    let agree = rents(rent::domain::Policy::default());
    let refuse = rents(rent::domain::Policy { suspended: customer.clone().into_iter().collect() });
    let consumer = rent::adapters::inbound::events::Events(agree.clone());
    let lending = lending();
    let mut case = 0;
    for from in 0..lending.rents.len() {
        for input in events().chain([Reply::Confirmed, Reply::Refused].map(Input::Confirm)) {
            case += 1;
            let order_id = rent::domain::OrderId(case);
            if let Some(rent) = lending.rents.row(from).cloned() {
                let rent = rent::domain::Rent { id: store.next_id().await.expect("an id"), order_id, ..rent };
                let save = rent::application::ports::Save { expected: None, rent, facts: Vec::new() };
                store.save(save).await.expect("a store").expect("saved");
            }
            let command = ConfirmRent { order_id, customer: customer.clone(), correlation_id: None };
            let answered = match input {
                Input::Hears(fact) => {
                    consumer.handle(&[record(case, fact)]).await.expect("handled");
                    None
                }
                Input::Confirm(Reply::Confirmed) => Some(agree.confirm_rent(command).await),
                _ => Some(refuse.confirm_rent(command).await),
            };
            let answered =
                answered.map(|answer| if answer.is_ok() { Reply::Confirmed } else { Reply::Refused });
            assert_eq!(answered, lending.rents.step(from, input).reply, "case {case}");
            let found = store.by_order(order_id).await.expect("a store");
            let id = found.as_ref().map(|rent| rent.id);
            let own =
                |rent: rent::domain::Rent| rent::domain::Rent { id: id.unwrap_or(rent.id), order_id, ..rent };
            same(&lending.rents, from, input, own, found, &said(&store.outbox()).await);
        }
    }
    assert!(case > 80, "{case} cases");
}

#[tokio::test]
async fn delivery_does_what_the_model_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let store =
        SqliteDeliveries::open(&folder.path().join("delivery.db"), WireClock::default()).expect("it opens");
    let deliveries = Deliveries::new(Arc::new(store.clone()), Arc::new(Stopped));
    let consumer = delivery::adapters::inbound::events::Events(deliveries.clone());
    let lending = lending();
    let mut case = 0;
    for from in 0..lending.deliveries.len() {
        for input in events().chain([Input::HandOver]) {
            case += 1;
            let order_id = delivery::domain::OrderId(case);
            let row = lending.deliveries.row(from).cloned();
            // Only a remembered release has no id.
            let id = match row.as_ref().and_then(|row| row.id) {
                Some(_) => Some(store.next_id().await.expect("an id")),
                None => None,
            };
            if let Some(row) = row {
                let delivery = delivery::domain::Delivery { id, order_id, ..row };
                let save = delivery::application::ports::Save {
                    expected: None,
                    was_shown: false,
                    delivery,
                    facts: Vec::new(),
                };
                store.save(save).await.expect("a store").expect("saved");
            }
            match (input, id) {
                (Input::Hears(fact), _) => consumer.handle(&[record(case, fact)]).await.expect("handled"),
                (_, Some(id)) => {
                    let command = HandOver { id, if_version: None, correlation_id: None };
                    drop(deliveries.hand_over(command).await);
                }
                // Without an id there is nothing that a courier could ask for.
                (_, None) => {}
            }
            let found = store.by_order(order_id).await.expect("a store");
            let id = found.as_ref().and_then(|delivery| delivery.id);
            let own = |delivery: delivery::domain::Delivery| delivery::domain::Delivery {
                id: delivery.id.and(id),
                order_id,
                ..delivery
            };
            same(&lending.deliveries, from, input, own, found, &said(&store.outbox()).await);
        }
    }
    assert!(case > 80, "{case} cases");
}
