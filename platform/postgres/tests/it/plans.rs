use crate::{a_client, a_database, a_store, changed, new, save};

#[tokio::test]
async fn the_plans_do_not_walk_through_what_grows() {
    let settings = a_database();
    let store = a_store(&settings).await;
    for id in 0..30 {
        save(&store, new(id)).await.expect("saved");
        save(&store, changed(id, 1, "x")).await.expect("saved");
    }
    // Grows tenthousandfold behind the back of what was planned.
    let client = a_client(&settings).await;
    let grow = "INSERT INTO notes SELECT n, 1, n, NULL, 'x', false FROM generate_series(1000, 200000) AS n";
    client.batch_execute(grow).await.expect("grown");
    client.batch_execute("SELECT pg_stat_force_next_flush()").await.expect("flushed");
    let scans = async || {
        let sql = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'notes'";
        client.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0)
    };
    let before = scans().await;
    let changes = (1000..1500).map(|id| changed(id, 1, "y")).collect();
    let began = std::time::Instant::now();
    store.save_all(changes).await.expect("saved");
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
    assert_eq!(scans().await, before, "nothing is walked through");
}
