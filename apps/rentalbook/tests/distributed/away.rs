//! One engine after the other dies under load and comes back: what can go on goes on, and nothing answered is lost.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use platform_testkit::{kafka::KafkaServer, postgres::PostgresServer, redis::RedisServer, until};
use rentalbook::cli::ServiceArg;

use super::Scene;
use crate::harness::distributed::{Distributed, engines};

/// What customers were answered.
#[derive(Default)]
struct Answers {
    taken: RefCell<BTreeSet<i64>>,
    /// Answered since somebody asked last: 201 or 202, and 503.
    fresh: Cell<(u32, u32)>,
}

impl Answers {
    /// Places orders, one after the other, until it is told to stop.
    async fn gather(&self, scene: &Scene, stop: &Cell<bool>) {
        while !stop.get() {
            let answer = scene.request_book("COSMOS").await;
            let (taken, refused) = self.fresh.get();
            match answer.status {
                201 | 202 => {
                    self.taken.borrow_mut().insert(answer.number("id"));
                    self.fresh.set((taken + 1, refused));
                }
                // 504: nobody can know what became of it.
                502..=504 => self.fresh.set((taken, refused + 1)),
                _ => panic!("{answer:?}"),
            }
        }
    }

    async fn until_taken(&self, n: u32) {
        self.fresh.set((0, 0));
        until("orders are taken", async || self.fresh.get().0 >= n).await;
    }

    async fn until_refused(&self) {
        self.fresh.set((0, 0));
        until("an order is refused", async || self.fresh.get().1 > 0).await;
    }
}

async fn alive(scene: &Scene) {
    for service in [ServiceArg::Order, ServiceArg::Rent, ServiceArg::Delivery, ServiceArg::Mypage] {
        let answer = scene.send(service, hyper::Method::GET, "/actuator/health/liveness", None).await;
        assert_eq!(answer.status, 200, "{service:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_die_and_come_back_under_load_and_every_answered_order_is_there() {
    let (postgres, kafka, redis) = (PostgresServer::start(), KafkaServer::start(), RedisServer::start());
    let mut engines = engines();
    for settings in [&mut engines.orders, &mut engines.rents, &mut engines.deliveries] {
        (settings.port, settings.database) = (postgres.port(), postgres.database());
    }
    engines.kafka.brokers = vec![kafka.bootstrap()];
    engines.redis.port = redis.port();
    let scene = Scene::of(Distributed::open_on(engines, |config| config).await);
    let (answers, stop) = (Answers::default(), Cell::new(false));

    let drama = async {
        answers.until_taken(20).await;
        kafka.kill();
        answers.until_taken(50).await;
        assert_eq!(answers.fresh.get().1, 0, "without Kafka every order is taken");
        alive(&scene).await;
        kafka.start_again();

        redis.kill();
        answers.until_taken(20).await;
        let page = scene.get_mypages().await;
        assert_eq!(page, 503, "without Redis there is no page");
        assert_eq!(answers.fresh.get().1, 0, "and everything else goes on");
        alive(&scene).await;
        redis.start_again();

        postgres.kill();
        answers.until_refused().await;
        alive(&scene).await;
        postgres.start_again();
        answers.until_taken(20).await;
        stop.set(true);
    };
    tokio::join!(answers.gather(&scene, &stop), drama);

    let last = *answers.taken.borrow().last().expect("an order");
    scene.until_shown(last, "Ship").await;
    let stored: BTreeSet<_> = scene.orders().await.into_iter().collect();
    let lost: Vec<_> = answers.taken.borrow().difference(&stored).copied().collect();
    assert!(lost.is_empty(), "answered and not there: {lost:?}");
    scene.close().await;
}
