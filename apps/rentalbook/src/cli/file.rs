//! The file of `--config`: settings by the names of their options, in TOML.
//!
//! What stands before the first heading is meant for every service that knows it; what stands below `[rent]` is
//! meant for rent alone, and goes before it. So one file can serve all processes.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap::{Arg, Command};
use config::{Config, File, FileFormat, Value, ValueKind};

use super::read::change_args;

/// Settings by name; each a list, mostly of one.
type Settings = BTreeMap<String, Vec<String>>;

/// The command, whose options have the values of the file for defaults.
pub(super) fn with_defaults_of_the_file(
    command: Command,
    args: &[OsString],
    mistakes: &mut Vec<String>,
) -> Command {
    let Some(path) = place(args) else { return command };
    let shown = path.display().to_string();
    let read = Config::builder().add_source(File::from(path).format(FileFormat::Toml)).build();
    let table = match read.and_then(Config::try_deserialize::<BTreeMap<String, Value>>) {
        Ok(table) => table,
        Err(error) => {
            mistakes.push(format!("--config {shown}: {error}"));
            return command;
        }
    };
    let (for_all, by_role) = split(table);
    let known = names(&command);
    for (heading, settings) in
        std::iter::once((None, &for_all)).chain(by_role.iter().map(|(r, s)| (Some(r), s)))
    {
        let of_role = heading.and_then(|role| command.find_subcommand(role)).map(names);
        if let (Some(role), None) = (heading, &of_role) {
            mistakes.push(format!("--config {shown}: there is no service [{role}]"));
            continue;
        }
        let known = of_role.as_ref().unwrap_or(&known);
        let unknown = settings.keys().filter(|name| !known.contains(name));
        let below = heading.map(|role| format!(" below [{role}]")).unwrap_or_default();
        mistakes.extend(unknown.map(|name| format!("--config {shown}: there is no setting {name}{below}")));
    }
    let command = change_args(command, &|arg| with_default(arg, &for_all));
    command.mut_subcommands(|role| match by_role.get(role.get_name()) {
        Some(settings) => change_args(role, &|arg| with_default(arg, settings)),
        None => role,
    })
}

/// Where the file is. It is looked for before everything else, as it says what the defaults are.
fn place(args: &[OsString]) -> Option<PathBuf> {
    let flag = args.iter().enumerate().find_map(|(n, arg)| {
        let text = arg.to_str()?;
        match text.strip_prefix("--config") {
            Some("") => args.get(n + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(OsString::from),
            None => None,
        }
    });
    flag.or_else(|| std::env::var_os("RENTALBOOK_CONFIG")).map(PathBuf::from)
}

/// What is meant for all, and what for one service.
fn split(table: BTreeMap<String, Value>) -> (Settings, BTreeMap<String, Settings>) {
    let (mut for_all, mut by_role) = (Settings::new(), BTreeMap::new());
    for (name, value) in table {
        match value.kind {
            ValueKind::Table(settings) => {
                let settings = settings.into_iter().map(|(name, value)| (name, texts(value)));
                by_role.insert(name, settings.collect());
            }
            _ => drop(for_all.insert(name, texts(value))),
        }
    }
    (for_all, by_role)
}

fn texts(value: Value) -> Vec<String> {
    match value.kind {
        ValueKind::Array(values) => values.into_iter().flat_map(texts).collect(),
        _ => vec![value.to_string()],
    }
}

/// The names of all options, of its subcommands, too.
fn names(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(Arg::get_long).map(str::to_owned);
    own.chain(command.get_subcommands().flat_map(names)).collect()
}

fn with_default(arg: Arg, settings: &Settings) -> Arg {
    let Some(values) = arg.get_long().and_then(|name| settings.get(name)) else { return arg };
    // Read once, at the start: what is left behind lives as long as the program.
    arg.default_values(values.iter().map(|value| &*value.clone().leak()).collect::<Vec<&'static str>>())
}
