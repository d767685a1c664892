//! The file of `--config`: settings by the names of their options, in TOML.
//!
//! What stands before the first heading is meant for every service that knows it; what stands below `[rent]` is
//! meant for rent alone, and goes before it. So one file can serve all processes.

use std::{collections::BTreeMap, ffi::OsString, fs, path::PathBuf};

use clap::{Arg, Command};
use toml::{Table, Value};

use super::{passwords, read::change_args};

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
    let read = fs::read_to_string(path).map_err(|error| error.to_string());
    let table = match read.and_then(|text| text.parse().map_err(|error| without_its_line(&text, &error))) {
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
    command.mut_args(|arg| with_default(arg, &for_all)).mut_subcommands(|role| {
        let settings = of_role(&for_all, by_role.get(role.get_name()));
        change_args(role, &|arg| with_default(arg, &settings))
    })
}

/// Why the file is no TOML, and where. The line itself is left out: it may be the one of a password whose quotes were
/// forgotten, and what is said here ends up in logs.
fn without_its_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', " ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return message };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    format!("no TOML at line {line}, column {column}: {message}")
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
fn split(table: Table) -> (Settings, BTreeMap<String, Settings>) {
    let (mut for_all, mut by_role) = (Settings::new(), BTreeMap::new());
    for (name, value) in table {
        match value {
            Value::Table(settings) => {
                let settings = settings.into_iter().map(|(name, value)| (name, texts(value)));
                by_role.insert(name, settings.collect());
            }
            _ => drop(for_all.insert(name, texts(value))),
        }
    }
    (for_all, by_role)
}

fn texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Integer(number) => vec![number.to_string()],
        Value::Float(number) => vec![number.to_string()],
        Value::Boolean(truth) => vec![truth.to_string()],
        Value::Datetime(time) => vec![time.to_string()],
        Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        // No setting has parts: most of them refuse this. What is in it may be a password.
        Value::Table(_) => vec!["(a table)".to_owned()],
    }
}

/// What counts for one service: its own before what is meant for all, also where a password is a file for the one
/// and a text for the others.
fn of_role(for_all: &Settings, own: Option<&Settings>) -> Settings {
    let mut settings = for_all.clone();
    for (name, values) in own.into_iter().flatten() {
        if let Some(other) =
            passwords::the_other_of(name).filter(|other| own.is_none_or(|own| !own.contains_key(*other)))
        {
            settings.remove(other);
        }
        settings.insert(name.clone(), values.clone());
    }
    settings
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use crate::cli::{Cli, Command, Misread, OrderRole, read};

    fn a_file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    fn read_with(text: &str, line: &[&str]) -> Result<Cli, Misread> {
        let file = a_file(text);
        let path = file.path().display().to_string();
        read(["rentalbook"].iter().chain(line).copied().chain(["--config", path.as_str()]))
    }

    fn order(text: &str, line: &[&str]) -> OrderRole {
        let line: Vec<_> = ["order"].iter().chain(line).copied().collect();
        match read_with(text, &line).expect("settings").command {
            Some(Command::Order(role)) => role,
            other => panic!("another command: {other:?}"),
        }
    }

    fn mistakes(text: &str, line: &[&str]) -> Vec<String> {
        match read_with(text, line) {
            Err(Misread::Mistakes(mistakes)) => mistakes,
            other => panic!("no mistake: {other:?}"),
        }
    }

    const FILE: &str = r#"
        postgres-host = "db"
        kafka-brokers = ["one:9092", "two:9092"]
        max-pending = 7
        [order]
        max-pending = 8
        port = 9001
        [rent]
        port = 9002
    "#;

    #[test]
    fn an_option_goes_before_the_service_before_what_is_for_all_before_the_default() {
        let role = order(FILE, &[]);
        assert_eq!(
            (role.port, role.order.max_pending, role.postgres.postgres_host.as_str()),
            (9001, 8, "db")
        );
        assert_eq!(role.kafka.kafka_brokers, ["one:9092", "two:9092"]);
        assert_eq!(role.order.rent_deadline_ms, 1000, "nobody has said");
        assert_eq!(order(FILE, &["--max-pending", "9"]).order.max_pending, 9);
    }

    #[test]
    fn all_mistakes_of_file_and_line_are_told_at_once() {
        let text = "max-pending = \"many\"\nhost = \"db\"\n[order]\nprot = 1\n[cellar]\nport = 1\n";
        let told = mistakes(text, &["order", "--port", "x"]);
        for what in [
            "no setting host",
            "no setting prot below [order]",
            "no service [cellar]",
            "--max-pending",
            "--port",
        ] {
            assert!(told.iter().any(|mistake| mistake.contains(what)), "{what}: {told:?}");
        }
        assert_eq!(told.len(), 5, "{told:?}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_by_line_and_column_and_without_its_text() {
        let told = mistakes("port = 1\npostgres-password = ge-heim\n", &["order"]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("line 2, column 21: "), "{told:?}");
        assert!(!told[0].contains("ge-heim"), "{told:?}");
        assert!(!told[0].contains('\n'), "{told:?}");
    }

    #[test]
    fn a_password_of_the_file_is_not_in_the_help() {
        for (role, engine) in [("order", "postgres"), ("rent", "postgres"), ("mypage", "redis")] {
            let text = format!("{engine}-password = \"ge-heim\"\n{engine}-host = \"db.internal\"\n");
            let Err(Misread::Shown(help)) = read_with(&text, &[role, "--help"]) else {
                panic!("{role}: no help")
            };
            let help = help.render().to_string();
            assert!(help.contains("[default: db.internal]"), "the defaults are those of the file: {help}");
            assert!(!help.contains("ge-heim"), "{help}");
        }
    }

    #[test]
    fn faults_of_the_file_are_refused_outside_of_a_drill_whoever_says_that_it_is_one() {
        let fault = "fault = [\"bus.delay=1ms\"]\n";
        for command in [&["order"][..], &[]] {
            let told = mistakes(fault, command);
            assert!(told.len() == 1 && told[0].contains("--drills"), "{told:?}");
        }
        assert_eq!(order(fault, &["--drills"]).server.fault.len(), 1);
        let both = format!("drills = true\n{fault}");
        assert_eq!(order(&both, &[]).server.fault.len(), 1);
        let line = ["--fault", "store.delay=1ms"];
        assert_eq!(order("drills = true", &line).server.fault.len(), 1, "the file says that it is a drill");
        assert!(!mistakes("drills = false", &["order", "--fault", "store.delay=1ms"]).is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told() {
        assert!(mistakes("this is = = no TOML", &["order"])[0].contains("--config"));
        let missing = read(["rentalbook", "order", "--config", "/nowhere/at/all.toml"]);
        let Err(Misread::Mistakes(told)) = missing else { panic!("{missing:?}") };
        assert!(told[0].contains("/nowhere/at/all.toml"), "{told:?}");
    }
}
