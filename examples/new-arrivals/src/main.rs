//! The service as a process.

use std::{error::Error, net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Parser;
use new_arrivals::Requests;
use platform_bus_kafka::{KafkaBus, KafkaSettings};
use tokio::{net::TcpListener, signal::ctrl_c};

/// Shows which books were requested how often: GET /items.
#[derive(Parser)]
struct Cli {
    /// Kafka, as `host:port`.
    #[arg(long, env = "RENTALBOOK_KAFKA_BROKERS", value_delimiter = ',', default_value = "127.0.0.1:9092")]
    brokers: Vec<String>,
    /// The library's topic.
    #[arg(long, env = "RENTALBOOK_KAFKA_TOPIC", default_value = contracts::TOPIC)]
    topic: String,
    /// The file of its view; made where it is missing.
    #[arg(long, default_value = "new-arrivals.db")]
    file: PathBuf,
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    tracing_subscriber::fmt().init();
    let requests = Requests::open(&cli.file)?;
    let bus = KafkaBus::new(KafkaSettings { brokers: cli.brokers, ..KafkaSettings::default() });
    let consumer = requests.consumer(Arc::new(bus.clone()), &cli.topic);
    let consuming = tokio::spawn(consumer.run(async { drop(ctrl_c().await) }));
    let listener = TcpListener::bind(cli.listen).await?;
    let serving = axum::serve(listener, requests.router());
    serving.with_graceful_shutdown(async { drop(ctrl_c().await) }).await?;
    consuming.await?;
    bus.left().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Cli;

    #[test]
    fn what_the_library_has_a_name_for_in_the_environment_has_it_here() {
        let library = rentalbook::cli::Cli::command();
        let order = library.find_subcommand("order").expect("a service");
        let variable = |command: &Command, id: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_id() == id);
            arg.and_then(|arg| arg.get_env()).expect("a variable").to_owned()
        };
        for (here, there) in [("brokers", "kafka_brokers"), ("topic", "kafka_topic")] {
            assert_eq!(variable(&Cli::command(), here), variable(order, there));
        }
    }
}
