use std::time::{Duration, Instant};

use platform_outbox::Outbox as _;
use platform_postgres::Saved;
use platform_testkit::{postgres::PostgresServer, until};

use crate::{a_store, new, notes, save, settings};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_everybody_is_told_at_once_and_then_all_goes_on() {
    let server = PostgresServer::start();
    let store = a_store(&settings(&server, server.database())).await;
    save(&store, new(1)).await.expect("saved");
    assert_eq!(notes(&store).await.len(), 1);
    let outbox = store.outbox();
    assert_eq!(outbox.read(0, 10).await.expect("rows").len(), 1);

    for round in 0..2_i64 {
        server.kill();
        until("the store is not ready", async || !store.is_ready()).await;
        let began = Instant::now();
        for n in 0..20 {
            save(&store, new(100 + n)).await.expect_err("away");
            store.query("SELECT 1", &[]).await.expect_err("away");
            outbox.read(0, 10).await.expect_err("away");
            outbox.backlog().await.expect_err("away");
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(4), "80 answers took {took:?}");
        // Ids that were fetched before are given; others are not to be had.
        until("no more ids", async || store.next_id().await.is_err()).await;

        server.start_again();
        until("saved again", async || save(&store, new(10 + round)).await == Ok(Saved::Yes)).await;
        until("the store is ready", async || store.is_ready()).await;
        store.next_id().await.expect("an id");
        let found = outbox.read(0, 10).await.expect("rows");
        assert_eq!(u64::try_from(found.len()).expect("small"), outbox.backlog().await.expect("a backlog"));
    }
    let ids: Vec<_> = notes(&store).await.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, [1, 10, 11], "what was refused is not there, what was saved is");
    assert_eq!((store.total("notes").await, store.known_total("notes")), (Ok(3), 3));
}
