//! Which replicas are called.

use std::io;

use parking_lot::Mutex;
use platform_http::client::Resolver;
use tokio::net::TcpListener;

use super::*;

async fn of_both_are_used(client: &Client, servers: [&Replica; 2]) {
    let before = servers.map(Replica::calls);
    until("both are used", async || {
        ask(client, a_get("/")).await.expect("an answer");
        servers.iter().zip(before).all(|(server, before)| server.calls() > before)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica_is_left_out_without_an_error_and_used_again_when_it_is_back() {
    let (mut first, second) = (Replica::start().await, Replica::start().await);
    let client = client_of(&[first.address, second.address]);
    of_both_are_used(&client, [&first, &second]).await;

    // Under load, from many callers at once.
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (client, stop) = (client.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    ask(&client, a_get("/")).await?;
                }
                Ok::<_, CallError>(())
            })
        })
        .collect();
    until("it is busy", async || first.calls() > 200).await;
    let address = first.address;
    first.server.kill();
    until_it_is(&client, address, ReplicaState::Dead).await;
    let before = second.calls();
    until("the other has it all", async || second.calls() > before + 200).await;

    let first = Replica::start_on(address).await;
    until_it_is(&client, address, ReplicaState::Ready).await;
    of_both_are_used(&client, [&first, &second]).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap().expect("no caller sees an error");
    }
}

#[tokio::test]
async fn a_replica_that_is_not_ready_is_left_out_unless_there_is_no_other() {
    let (first, second) = (Replica::start().await, Replica::start().await);
    let client = client_of(&[first.address, second.address]);
    first.ready.store(false, Ordering::Relaxed);
    until_it_is(&client, first.address, ReplicaState::NotReady).await;
    let before = first.calls();
    for _ in 0..50 {
        ask(&client, a_get("/")).await.expect("an answer");
    }
    assert_eq!(first.calls(), before);

    second.ready.store(false, Ordering::Relaxed);
    until_it_is(&client, second.address, ReplicaState::NotReady).await;
    ask(&client, a_get("/")).await.expect("better than nothing");

    first.ready.store(true, Ordering::Relaxed);
    until_it_is(&client, first.address, ReplicaState::Ready).await;
    let before = second.calls();
    for _ in 0..50 {
        ask(&client, a_get("/")).await.expect("an answer");
    }
    assert_eq!(second.calls(), before);
}

#[tokio::test]
async fn all_addresses_of_a_name_are_used_and_the_name_is_resolved_again() {
    let servers = [Replica::start().await, Replica::start().await, Replica::start().await];
    let named = Arc::new(Mutex::new(Ok(vec![servers[0].address, servers[1].address])));
    let asked = Arc::new(AtomicU64::new(0));
    let (answers, counted) = (named.clone(), asked.clone());
    let resolver = Resolver::new(move |name, port| {
        counted.fetch_add(1, Ordering::Relaxed);
        assert_eq!((name.as_str(), port), ("library", 8080));
        let addresses = answers.lock().as_ref().map(Vec::clone).map_err(|kind| io::Error::from(*kind));
        async move { addresses }
    });
    let config = ClientConfig { resolve_every: Duration::from_millis(20), ..config() };
    let client =
        Client::with_resolver(&ServiceAddress::parse("http://library:8080").unwrap(), &config, &resolver);
    of_both_are_used(&client, [&servers[0], &servers[1]]).await;

    *named.lock() = Err(io::ErrorKind::NotFound);
    let before = asked.load(Ordering::Relaxed);
    until("it was asked in vain", async || asked.load(Ordering::Relaxed) > before + 1).await;
    ask(&client, a_get("/")).await.expect("what was known is kept");

    *named.lock() = Ok(vec![servers[2].address, servers[1].address]);
    until("the new one is known", async || {
        let known = client.replicas();
        let has = |server: &Replica| known.iter().any(|(address, _)| *address == server.address);
        has(&servers[2]) && has(&servers[1]) && !has(&servers[0])
    })
    .await;
    of_both_are_used(&client, [&servers[1], &servers[2]]).await;
}

#[tokio::test(start_paused = true)]
async fn all_names_of_a_list_are_looked_up_before_it_is_said_who_there_is() {
    let late = Resolver::new(|name, port| async move {
        let (seconds, last) = if name == "near" { (0, 1) } else { (3, 2) };
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(vec![SocketAddr::from(([127, 0, 0, last], port))])
    });
    let address = ServiceAddress::parse("http://far:1,http://near:1").unwrap();
    let known = async |seconds| {
        let client = Client::with_resolver(&address, &config(), &late);
        client.addresses(Instant::now() + Duration::from_secs(seconds)).await
    };
    let addresses = |lasts: &[u8]| -> Vec<SocketAddr> {
        lasts.iter().map(|last| SocketAddr::from(([127, 0, 0, *last], 1))).collect()
    };
    assert_eq!(known(10).await, addresses(&[1, 2]));
    assert_eq!(known(2).await, addresses(&[1]), "those that are known by then");
}

#[tokio::test]
async fn a_real_name_is_resolved() {
    let server = Replica::start().await;
    let address = format!("http://localhost:{}", server.address.port());
    let client = Client::new(&ServiceAddress::parse(&address).unwrap(), &config());
    assert_eq!(ask(&client, a_get("/")).await.unwrap(), "here ");
}

#[tokio::test]
async fn without_a_replica_the_error_comes_in_time_and_says_that_nothing_was_done() {
    let mut server = Replica::start().await;
    let client = client_of(&[server.address]);
    ask(&client, a_get("/")).await.expect("an answer");
    server.server.kill();
    until_it_is(&client, server.address, ReplicaState::Dead).await;
    let error = ask(&client, a_post("")).await.expect_err("nobody is there");
    assert!(matches!(error, CallError::NotSent(_)), "{error}");

    let unknown = Resolver::new(|_, _| async { Err(io::ErrorKind::NotFound.into()) });
    let address = ServiceAddress::parse("http://nowhere").unwrap();
    let client = Client::with_resolver(&address, &config(), &unknown);
    let error = ask(&client, a_get("/")).await.expect_err("nobody is there");
    assert!(matches!(error, CallError::NotSent(_)), "{error}");

    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(&[listener.local_addr().unwrap()]);
    let deadline = Instant::now() + Duration::from_millis(200);
    let error = client.call(a_get("/"), deadline).await.expect_err("nobody answers");
    assert!(matches!(error, CallError::Late), "{error}");
    assert!(Instant::now() >= deadline);
}

#[tokio::test]
async fn one_that_does_not_answer_does_not_hold_up_the_others() {
    let server = Replica::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = (silent.local_addr().unwrap(), silent);
    let config = ClientConfig { probe_timeout: Duration::from_millis(100), ..config() };
    let address = ServiceAddress::parse(&format!("http://{},http://{}", silent.0, server.address)).unwrap();
    let client = Client::new(&address, &config);
    until_it_is(&client, silent.0, ReplicaState::Dead).await;
    until_it_is(&client, server.address, ReplicaState::Ready).await;
    for _ in 0..100 {
        ask(&client, a_get("/")).await.expect("an answer");
    }
    assert_eq!(server.calls(), 100);
}
