//! The tools, while engines are away that they have no use for.

use platform_testkit::server::Nobody;
use rentalbook::{
    cli::{Dlq, Tool},
    distributed::{Peers, run_tool},
};

use crate::harness::distributed::engines;

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_and_the_view_are_looked_after_while_no_database_is_there() {
    let (mut engines, nobody) = (engines(), Nobody::there());
    for settings in [&mut engines.orders, &mut engines.rents, &mut engines.deliveries] {
        settings.port = nobody.address().port();
    }
    let run = async |tool| run_tool(&tool, &engines, &Peers::default()).await;
    let listed = run(Tool::Dlq(Dlq::List)).await;
    assert_eq!((listed.text.as_str(), listed.code), ("no dead letters\n", 0));
    let built = run(Tool::RebuildView).await;
    assert!(built.code == 0 && built.text.contains("from 0 events"), "{built:?}");
    let audited = run(Tool::Audit).await;
    assert_eq!(audited.code, 1, "it looks at all of them: {audited:?}");
}
