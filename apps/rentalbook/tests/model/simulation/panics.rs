//! Panics, wherever a story has them. Most of its tasks are spawned, and nobody looks at how they end: a process goes on
//! without one of them, or a customer is told nothing, which is allowed. So the panics themselves are listened for.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    /// What has panicked on this thread, while it is listened to.
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Does `work`, unless it panics; and each panic on this thread meanwhile, in whichever task, also where somebody caught it.
/// A story has one thread. (The stores' own are not listened to: where one of them is gone, its store never answers again.)
pub(super) fn listening<T>(work: impl FnOnce() -> T) -> (Option<T>, Vec<String>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            let is_heard = HEARD
                .with_borrow_mut(|heard| heard.as_mut().map(|heard| heard.push(panic.to_string())).is_some());
            if !is_heard {
                usual(panic);
            }
        }));
    });
    HEARD.set(Some(Vec::new()));
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    (done, HEARD.take().unwrap_or_default())
}

#[test]
fn a_panic_is_heard_though_nobody_looks_at_its_task() {
    let (done, heard) = listening(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            tokio::spawn(async { panic!("in a task") });
            tokio::task::yield_now().await;
        });
        1
    });
    assert_eq!((done, heard.len()), (Some(1), 1));
    assert!(heard[0].contains("in a task"), "{heard:?}");
    let (done, heard) = listening(|| panic!("by itself"));
    assert_eq!((done, heard.len()), (None::<()>, 1));
    assert!(listening(|| ()).1.is_empty());
}
