//! Checks every configuration to its end and prints a table: `make model`. With an argument, only configurations whose
//! name contains it.

#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use std::process::ExitCode;

use model::{
    configurations,
    defect::Defect,
    run::{self, Outcome},
};

/// Cores that a run may use: more than two gain little.
const THREADS: usize = 2;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let all = configurations::small().into_iter().chain(configurations::big());
    let chosen: Vec<_> = all.filter(|configuration| configuration.name.contains(&wanted)).collect();
    println!("| configuration | states | steps | depth | time | properties | breaches |");
    println!("|---|---|---|---|---|---|---|");
    let mut breaches = Vec::new();
    for configuration in chosen {
        let name = configuration.name;
        let outcome = run::check(configuration, THREADS);
        let Outcome { states, steps, depth, time, properties, .. } = outcome;
        let (time, found) = (time.as_secs_f64(), outcome.breaches.len());
        println!("| {name} | {states} | {steps} | {depth} | {time:.1} s | {properties} | {found} |");
        breaches.extend(outcome.breaches);
    }
    for breach in &breaches {
        println!("\n{breach}");
    }
    let missed = if wanted.is_empty() { planted() } else { 0 };
    if breaches.is_empty() && missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A table of the planted defects; how many of them nothing has found.
fn planted() -> usize {
    println!("\n| planted defect | in | states | steps to it | broken |");
    println!("|---|---|---|---|---|");
    let mut missed = 0;
    for defect in Defect::ALL {
        let configuration = defect.shows_in();
        let name = configuration.name;
        let outcome = run::check_with(configuration, defect, THREADS);
        let broken = outcome.breaches.iter().filter(|breach| breach.counterexample.is_some());
        let broken: Vec<_> = broken.map(|breach| breach.property).collect();
        let shortest = broken.iter().filter_map(|property| Some(run::find(defect, property)?.0)).min();
        let steps = shortest.map_or_else(|| "-".to_owned(), |steps| steps.to_string());
        println!("| `{defect:?}` | {name} | {} | {steps} | {} |", outcome.states, broken.join("; "));
        missed += usize::from(broken.is_empty());
    }
    missed
}
