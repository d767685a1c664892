//! Every setting is in the table of `docs/operations.md`, with its names and its default as they are here.

use std::{collections::BTreeMap, fs, path::Path};

use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

/// A row but for who takes the option, and its effect.
type Row = (String, String);

/// The rows of all options, and who takes each. An option that has another default or effect in another command has a
/// row for each of them.
fn rows() -> BTreeMap<Row, Vec<String>> {
    let mut rows = BTreeMap::<Row, Vec<String>>::new();
    let mut command = Cli::command();
    // Only now a service has the options that all commands share.
    command.build();
    let roles = command.get_subcommands().filter(|role| !["tools", "help"].contains(&role.get_name()));
    let all = std::iter::once((&command, "library")).chain(roles.map(|role| (role, role.get_name())));
    for (command, role) in all {
        // A service takes the folder, too, and has no use for it.
        for arg in options(command).filter(|arg| role == "library" || arg.get_id() != "data") {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            rows.entry((row(arg), help)).or_default().push(role.to_owned());
        }
    }
    rows
}

fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some_and(|long| long != "help" && long != "version"))
}

fn row(arg: &Arg) -> String {
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
        // To clap it is `false`, once the command is built.
        _ if !takes_a_value => "none".to_owned(),
        ("port", _) => "that of the service".to_owned(),
        (_, default) if default.is_empty() => "none".to_owned(),
        (_, default) => format!("`{default}`"),
    };
    format!("| `--{name}` | `{env}` | {} | {default} |", unit.unwrap_or_else(|| "flag".to_owned()))
}

#[test]
fn every_setting_is_in_the_table_of_operations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let there: Vec<_> = rows()
        .into_iter()
        .map(|((row, help), roles)| {
            format!("{row} {} | {} |", roles.join(", "), help.replace('\n', " ").replace('|', "or"))
        })
        .collect();
    let told: Vec<_> = text.lines().filter(|line| line.starts_with("| `--")).collect();
    let missing: Vec<_> = there.iter().filter(|row| !told.contains(&row.as_str())).cloned().collect();
    assert!(missing.is_empty(), "not in docs/operations.md:\n{}", missing.join("\n"));
    let gone: Vec<_> = told.into_iter().filter(|row| !there.iter().any(|there| there == row)).collect();
    assert!(gone.is_empty(), "only in docs/operations.md:\n{}", gone.join("\n"));
}
