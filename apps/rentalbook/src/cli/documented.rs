//! Every setting is in the table of `docs/operations.md`, with its names and its default as they are here.

use std::{collections::BTreeMap, fs, path::Path};

use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

/// The row of an option but for its effect, and who takes it.
fn rows() -> BTreeMap<String, (String, String, Vec<String>)> {
    let mut rows = BTreeMap::new();
    let command = Cli::command();
    let roles = command.get_subcommands().filter(|role| role.get_name() != "tools");
    let all = std::iter::once((&command, "library")).chain(roles.map(|role| (role, role.get_name())));
    for (command, role) in all {
        for arg in options(command) {
            let (name, row) = row(arg);
            let entry = rows.entry(name).or_insert_with(|| {
                (row, arg.get_help().map(ToString::to_string).unwrap_or_default(), Vec::new())
            });
            // A port is another one in each role.
            entry.2.push(role.to_owned());
        }
    }
    rows
}

fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some_and(|long| long != "help" && long != "version"))
}

fn row(arg: &Arg) -> (String, String) {
    let name = arg.get_long().unwrap_or_default().to_owned();
    let env = arg.get_env().and_then(|env| env.to_str()).unwrap_or_default();
    let takes_a_value = arg.get_action().takes_values();
    let unit = arg
        .get_value_names()
        .filter(|_| takes_a_value)
        .and_then(|names| names.first())
        .map(ToString::to_string);
    let defaults: Vec<_> = arg.get_default_values().iter().filter_map(|value| value.to_str()).collect();
    let default = match (name.as_str(), defaults.join(",")) {
        ("port", _) => "that of the service".to_owned(),
        (_, default) if default.is_empty() => "none".to_owned(),
        (_, default) => format!("`{default}`"),
    };
    let row = format!("| `--{name}` | `{env}` | {} | {default} |", unit.unwrap_or_else(|| "flag".to_owned()));
    (name, row)
}

#[test]
fn every_setting_is_in_the_table_of_operations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let missing: Vec<_> = rows()
        .into_iter()
        .map(|(_, (row, help, roles))| {
            format!("{row} {} | {} |", roles.join(", "), help.replace('\n', " ").replace('|', "or"))
        })
        .filter(|row| !text.contains(row.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in docs/operations.md:\n{}", missing.join("\n"));
}
