//! The only binary: without a command the whole library on this machine, with `tools` what looks after it.

use std::{io::Write as _, process::ExitCode, time::Duration};

use platform_telemetry::LogFormat;
#[cfg(feature = "distributed")]
use rentalbook::{cli::ServiceArg, distributed, role::Role};
use rentalbook::{
    cli::{self, Cli, Command, LogArg, Misread},
    config::Config,
    embedded::{Library, StartError},
    tools::{self, Outcome},
    welcome,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::timeout,
};

/// Longest time from Ctrl-C to the end.
const STOP: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = match cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(misread) => return misunderstood(misread),
    };
    let format = match cli.common.log {
        LogArg::Text => LogFormat::Text,
        LogArg::Json => LogFormat::Json,
    };
    if let Err(error) = platform_telemetry::start(format) {
        return fail(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the program cannot start its threads: {error}")),
    };
    let code = runtime.block_on(run(cli));
    // What still runs is made to be dropped at any moment.
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

async fn run(cli: Cli) -> ExitCode {
    match cli.command {
        None => library(Config::from_args(cli.common.data, &cli.library)).await,
        #[cfg(feature = "distributed")]
        Some(Command::Tools(args)) if args.distributed => match Role::of_all(cli.common.config.as_ref()) {
            Ok((engines, peers)) => tell(&distributed::run_tool(&args.tool, &engines, &peers).await),
            Err(misread) => misunderstood(misread),
        },
        Some(Command::Tools(args)) => tell(&tools::run(&cli.common.data, &args.tool).await),
        #[cfg(feature = "distributed")]
        Some(command) => match Role::of(&command) {
            Some(role) => replica(role).await,
            None => ExitCode::FAILURE,
        },
    }
}

fn tell(outcome: &Outcome) -> ExitCode {
    say(&outcome.text, outcome.code == 0);
    ExitCode::from(outcome.code)
}

/// Ctrl-C, or what a supervisor sends.
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

const NO_SIGNALS: &str = "the program cannot listen for Ctrl-C";

/// One replica of one service, until it is asked to stop.
#[cfg(feature = "distributed")]
async fn replica(role: Role) -> ExitCode {
    let Ok(stop) = asked_to_stop() else { return fail(NO_SIGNALS) };
    let Role { service, config, engines, peers } = role;
    warn_of_a_drill(&config);
    let replica = match distributed::replica(service, &config, &engines, &peers) {
        Ok(replica) => replica,
        Err(error) => return fail(&error.to_string()),
    };
    if let Err(error) = replica.start().await {
        return fail(&error.to_string());
    }
    if service != ServiceArg::Gateway {
        tokio::spawn(async move { distributed::check_topic(&engines).await });
    }
    stop.await;
    let Ok(asked_again) = asked_to_stop() else { return fail(NO_SIGNALS) };
    tokio::select! {
        () = replica.give_notice(config.drain_notice) => {}
        () = asked_again => {}
    }
    if timeout(STOP, replica.stop()).await.is_err() {
        return fail("it was stopped before everything had finished; what was answered is kept");
    }
    ExitCode::SUCCESS
}

/// Who reads the log of a library that others rely on has to see that anybody may switch faults in it, also while
/// none is on.
fn warn_of_a_drill(config: &Config) {
    if config.faults.is_some() {
        tracing::warn!("THIS LIBRARY IS IN A DRILL: faults may be switched on at any time (--drills)");
    }
}

async fn library(config: Config) -> ExitCode {
    let Ok(stop) = asked_to_stop() else { return fail(NO_SIGNALS) };
    warn_of_a_drill(&config);
    let stop = async move {
        stop.await;
        say("\nclosing …\n", true);
    };
    tokio::pin!(stop);
    // A task of its own, so that whatever it does, Ctrl-C is heard: building the view again may take minutes.
    let mut starting = tokio::spawn(Library::start(config));
    let started = tokio::select! {
        started = &mut starting => started,
        () = &mut stop => return give_up(starting).await,
    };
    let library = match started {
        Ok(Ok(library)) => library,
        Ok(Err(error)) => return fail(&error.to_string()),
        Err(error) => return fail(&format!("the library did not start: {error}")),
    };
    say(&welcome::text(&library).await, true);
    stop.await;
    close(library).await
}

/// Ctrl-C before it was open. What it has made so far is found by the next start.
async fn give_up(starting: JoinHandle<Result<Library, StartError>>) -> ExitCode {
    starting.abort();
    match timeout(STOP / 2, starting).await {
        // It was faster.
        Ok(Ok(Ok(library))) => close(library).await,
        _ => closed(),
    }
}

async fn close(library: Library) -> ExitCode {
    if timeout(STOP, library.stop()).await.is_err() {
        return fail("the library was closed before everything had finished; what was answered is kept");
    }
    closed()
}

fn closed() -> ExitCode {
    say("closed\n", true);
    ExitCode::SUCCESS
}

/// Answers go to standard output; why there is none, to standard error.
fn say(text: &str, is_answer: bool) {
    // A reader that has gone away (`| head`) is no reason to complain.
    let _ = if is_answer {
        std::io::stdout().write_all(text.as_bytes())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
}

/// Help that was asked for goes to standard output; mistakes are one line each.
fn misunderstood(misread: Misread) -> ExitCode {
    match misread {
        Misread::Shown(help) => {
            say(&help.render().to_string(), !help.use_stderr());
            ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(2))
        }
        Misread::Mistakes(mistakes) => {
            say(&format!("{}; `rentalbook --help` shows what there is\n", mistakes.join("\n")), false);
            ExitCode::from(2)
        }
    }
}

fn fail(sentence: &str) -> ExitCode {
    say(&format!("{sentence}\n"), false);
    ExitCode::FAILURE
}
