//! Engines that let in only who has the password.

use std::{
    fs::{self, File},
    io::Write as _,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use platform_secret::Password;
use platform_testkit::{postgres::PostgresServer, redis::RedisServer, until};

use super::Scene;
use crate::{
    harness::distributed::{Distributed, engines, is_ready},
    killing::program::{as_tested, free_ports},
};

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

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A way to give a replica its password: arguments and environment.
type Way<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_has_its_password_by_option_environment_or_file_and_no_word_of_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let a_file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let password = a_file("password", &format!("{SECRET}\n"));
    let config = a_file("right.toml", &format!("[delivery]\npostgres-password = \"{SECRET}\"\n"));
    let wrong = a_file("wrong.toml", "postgres-password = \"wrong\"\n");
    let (option, by_file) = ("--postgres-password", "--postgres-password-file");
    let (in_env, file_in_env) = ("RENTALBOOK_POSTGRES_PASSWORD", "RENTALBOOK_POSTGRES_PASSWORD_FILE");
    let ways: [Way; 7] = [
        (&[option, SECRET], &[]),
        (&[by_file, &password], &[]),
        (&[], &[(in_env, SECRET)]),
        (&[], &[(file_in_env, &password)]),
        (&["--config", &config], &[]),
        // The environment goes before the file, and an option before the environment.
        (&["--config", &wrong], &[(file_in_env, &password)]),
        (&[by_file, &password], &[(in_env, "wrong")]),
    ];
    let postgres = PostgresServer::with_password(SECRET);
    let (database, port) = (postgres.database(), postgres.port().to_string());
    let log = folder.path().join("log");
    for (args, environment) in ways {
        let words = File::create(&log).expect("a file");
        let at = SocketAddr::from(([127, 0, 0, 1], free_ports()[0]));
        let process = Command::new(as_tested())
            .args(["delivery", "--port", &at.port().to_string(), "--postgres-port", &port])
            // Nobody is there. Readiness asks its own store alone.
            .args(["--postgres-database", &database, "--kafka-brokers", "127.0.0.1:1"])
            .args(args)
            .env_remove(in_env)
            .env_remove(file_in_env)
            .envs(environment.iter().copied())
            .env("RENTALBOOK_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(words.try_clone().expect("a file"))
            .stderr(words)
            .spawn();
        let mut process = Running(process.expect("the program starts"));
        let said = || fs::read_to_string(&log).expect("its words");
        until(&format!("{args:?} {environment:?} let it in"), async || {
            let ended = process.0.try_wait().expect("a status");
            assert!(ended.is_none(), "{args:?} {environment:?}: {}", said());
            is_ready(at).await
        })
        .await;
        drop(process);
        assert!(!said().is_empty() && !said().contains(SECRET), "{args:?} {environment:?}: {}", said());
    }
}

#[test]
fn what_is_said_of_a_password_that_is_set_wrongly_does_not_have_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("no.toml");
    fs::write(&config, format!("postgres-password = {SECRET}\n")).expect("written");
    let config = config.display().to_string();
    let ways: [&[&str]; 4] = [
        &["order", "--config", &config],
        &["order", "--postgres-password", SECRET, "--postgres-password-file", "/f"],
        &["order", "--postgres-pasword", SECRET, "--port", "x"],
        &["mypage", "--redis-password", SECRET, "--redis-port", "x"],
    ];
    for args in ways {
        let output = Command::new(as_tested())
            .args(args)
            .env("RENTALBOOK_POSTGRES_PASSWORD", SECRET)
            .env("RENTALBOOK_REDIS_PASSWORD", SECRET)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.code() == Some(2) && !said.contains(SECRET), "{args:?}: {said}");
    }
}
