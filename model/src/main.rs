//! Checks every configuration to its end and prints a table: `make model`. With an argument, only configurations whose
//! name contains it.

#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use std::process::ExitCode;

use model::{configurations, run};

fn main() -> ExitCode {
    println!("| configuration | states | steps | depth | time | properties | breaches |");
    println!("|---|---|---|---|---|---|---|");
    let mut breaches = Vec::new();
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for configuration in configurations::small().into_iter().chain(configurations::big()) {
        let name = configuration.name;
        if !name.contains(&wanted) {
            continue;
        }
        let outcome = run::check(configuration, 2);
        println!(
            "| {name} | {} | {} | {} | {:.1} s | {} | {} |",
            outcome.states,
            outcome.steps,
            outcome.depth,
            outcome.time.as_secs_f64(),
            outcome.properties,
            outcome.breaches.len()
        );
        breaches.extend(outcome.breaches);
    }
    for (property, counterexample) in &breaches {
        println!("\nBroken: {property}\n{counterexample}");
    }
    if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
