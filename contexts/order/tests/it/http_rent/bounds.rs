//! How long rent may take, and how much it is asked at once.

use std::sync::atomic::AtomicUsize;

use tokio::{sync::Barrier, time::Instant};

use super::*;

/// What rent was told last.
fn told(rents: &Rents) -> u64 {
    let head = rents.heads.lock().pop().expect("a request");
    head["x-request-deadline-ms"].to_str().expect("text").parse().expect("a number")
}

#[tokio::test]
async fn rent_has_no_more_time_than_is_left_of_the_request() {
    let rents = Rents::default();
    let desk = a_desk(the_originals(&rents)).await;
    let until = |left| Some(Instant::now() + Duration::from_millis(left));
    let hurried = AskRent { answer_by: until(5_000), ..a_question() };
    assert_eq!(desk.confirm(hurried).await, RentAnswer::Confirmed);
    assert!(told(&rents) <= 5_000);
    let patient = AskRent { answer_by: until(60_000), order_id: OrderId(2), ..a_question() };
    assert_eq!(desk.confirm(patient).await, RentAnswer::Confirmed);
    assert!((5_001..=10_000).contains(&told(&rents)), "nor more than it always has");
}

/// Those who look, of whom always eight are answered together.
#[derive(Clone)]
struct Looking {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    eight: Arc<Barrier>,
}

async fn looks(State(looking): State<Looking>, request: Request, next: Next) -> Response {
    if request.method() != Method::GET || request.uri().path().starts_with("/actuator") {
        return next.run(request).await;
    }
    let now = looking.now.fetch_add(1, Ordering::SeqCst) + 1;
    looking.most.fetch_max(now, Ordering::SeqCst);
    looking.eight.wait().await;
    looking.now.fetch_sub(1, Ordering::SeqCst);
    next.run(request).await
}

#[tokio::test]
async fn after_lost_answers_eight_orders_are_looked_up_at_once_however_many_there_are() {
    let rents = Rents::default();
    let looking = Looking { now: Arc::default(), most: Arc::default(), eight: Arc::new(Barrier::new(8)) };
    let app = ours(&rents).layer(middleware::from_fn_with_state(looking.clone(), looks));
    let address = that_cuts(serve(app).await, Arc::new(AtomicU64::new(3))).await;
    let desk = HttpRent::new(client(address), Duration::from_secs(60));
    // Two requests for 64 orders each, and one for 16.
    assert_eq!(desk.confirm_all(questions(1..145)).await, vec![RentAnswer::Confirmed; 144]);
    assert_eq!((rents.posts(), rents.looks()), (3, 144), "none is asked for again");
    assert_eq!(looking.most.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn who_cannot_be_looked_up_in_time_has_no_answer_and_is_not_asked_for_again() {
    let rents = Rents::default();
    // The ninth is never there, so that none is answered.
    let looking = Looking { now: Arc::default(), most: Arc::default(), eight: Arc::new(Barrier::new(9)) };
    let app = ours(&rents).layer(middleware::from_fn_with_state(looking.clone(), looks));
    let address = that_cuts(serve(app).await, Arc::new(AtomicU64::new(1))).await;
    let desk = HttpRent::new(client(address), Duration::from_secs(1));
    let answers = desk.confirm_all(questions(1..65)).await;
    assert!(answers.iter().all(is_unavailable), "{answers:?}");
    assert_eq!((rents.posts(), looking.most.load(Ordering::SeqCst)), (1, 8));
}
