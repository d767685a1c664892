//! Engines that let in only who has the password, which is in a file.

use std::io::Write as _;

use platform_secret::Password;
use platform_testkit::{postgres::PostgresServer, redis::RedisServer};

use super::Scene;
use crate::harness::distributed::{Distributed, engines};

const SECRET: &str = "ge-heim-4711";

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_demand_a_password_let_the_library_in_and_it_shows_it_to_nobody() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "{SECRET}").expect("written");
    let password = || Password::File(file.path().to_owned());
    let (postgres, redis) = (PostgresServer::with_password(SECRET), RedisServer::with_password(SECRET));
    let mut engines = engines();
    for settings in [&mut engines.orders, &mut engines.rents, &mut engines.deliveries] {
        (settings.port, settings.database) = (postgres.port(), postgres.database());
        settings.password = password();
    }
    engines.redis.port = redis.port();
    engines.redis.user = Some(RedisServer::USER.to_owned());
    engines.redis.password = password();
    assert!(!format!("{engines:?}").contains(SECRET));

    let scene = Scene::of(Distributed::open_on(engines, |config| config).await);
    let order = scene.an_order("COSMOS").await;
    scene.until_shown(order, "Ship").await;
    scene.close().await;
}
