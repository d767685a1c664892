//! From the command line, the environment and a file to settings. All mistakes are told at once.

use std::ffi::OsString;

use clap::{
    Arg, Command, CommandFactory as _, FromArgMatches as _,
    builder::OsStringValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::Cli;

/// Why a command line is not one.
#[derive(Debug)]
pub enum Misread {
    /// Help or the version was asked for, and is to be shown.
    Shown(clap::Error),
    /// What is wrong, each in one line.
    Mistakes(Vec<String>),
}

/// Reads `args`, the first of which is the program's name. What is not there comes from the environment, then from
/// the file of `--config`, then from the defaults.
///
/// # Errors
/// Where something is wrong, with all of it; and where help was asked for.
pub fn read(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Cli, Misread> {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let mut command = Cli::command();
    let mut mistakes = Vec::new();
    #[cfg(feature = "distributed")]
    {
        command = super::file::with_defaults_of_the_file(command, &args, &mut mistakes);
    }
    loop {
        let error = match command.try_get_matches_from_mut(&args) {
            Ok(matches) if mistakes.is_empty() => match Cli::from_arg_matches(&matches) {
                Ok(cli) => return Ok(cli),
                Err(error) => error,
            },
            Ok(_) => return Err(Misread::Mistakes(mistakes)),
            Err(error) => error,
        };
        if is_answer(&error) {
            return Err(Misread::Shown(error));
        }
        let mistake = in_one_line(&error);
        let is_new = !mistakes.contains(&mistake);
        mistakes.push(mistake);
        // The others are found without it.
        match wrong_value_of(&error) {
            Some(name) if is_new => command = any_value_for(command, &name),
            _ => {
                mistakes.dedup();
                return Err(Misread::Mistakes(mistakes));
            }
        }
    }
}

/// Help that was asked for, or a command without a subcommand, which is as good as asking.
fn is_answer(error: &clap::Error) -> bool {
    !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// What is wrong, and the tip if there is one, without the rest that clap would print.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraphs = text.split("\n\n").enumerate();
    let parts = paragraphs.filter(|(n, part)| *n == 0 || part.trim_start().starts_with("tip:"));
    let in_one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts: Vec<_> = parts.map(|(_, part)| in_one_line(part)).collect();
    parts.join("; ").trim_start_matches("error: ").to_owned()
}

/// The option whose value is wrong, where that is what is wrong.
fn wrong_value_of(error: &clap::Error) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let Some(ContextValue::String(usage)) = error.get(ContextKind::InvalidArg) else { return None };
    usage.strip_prefix("--")?.split([' ', '=']).next().map(str::to_owned)
}

fn any_value_for(command: Command, long: &str) -> Command {
    change_args(command, &|arg| {
        if arg.get_long() == Some(long) { arg.value_parser(OsStringValueParser::new()) } else { arg }
    })
}

/// The command with every option changed, in its subcommands, too.
pub(super) fn change_args(command: Command, change: &dyn Fn(Arg) -> Arg) -> Command {
    command.mut_args(change).mut_subcommands(|subcommand| change_args(subcommand, change))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(line: &str) -> Vec<String> {
        match read(std::iter::once("rentalbook").chain(line.split(' '))) {
            Err(Misread::Mistakes(mistakes)) => mistakes,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistake_is_one_line() {
        for (line, expected) in [
            (
                "--order-prot 1",
                "unexpected argument '--order-prot' found; tip: a similar argument exists: '--order-port'",
            ),
            ("--order-port x", "invalid value 'x' for '--order-port <PORT>': invalid digit found in string"),
            ("--log loud", "invalid value 'loud' for '--log <FORMAT>' [possible values: text, json]"),
        ] {
            assert_eq!(mistakes(line), [expected]);
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let told = mistakes("--order-port x --time-zone Mars --max-in-flight 0 --on-rent-unavailable maybe");
        for name in ["order-port", "time-zone", "max-in-flight", "on-rent-unavailable"] {
            assert!(told.iter().any(|mistake| mistake.contains(name)), "{name}: {told:?}");
        }
        assert_eq!(told.len(), 4, "{told:?}");
    }

    #[cfg(feature = "distributed")]
    #[test]
    fn keys_that_begin_with_nothing_are_a_mistake() {
        let told = mistakes("mypage --redis-prefix ");
        assert_eq!(told, ["a value is required for '--redis-prefix <TEXT>' but none was supplied"]);
    }

    #[test]
    fn help_is_no_mistake() {
        for line in ["--help", "--version", "tools", "tools dlq show --help"] {
            let asked = read(std::iter::once("rentalbook").chain(line.split(' ')));
            assert!(matches!(asked, Err(Misread::Shown(_))), "{line}: {asked:?}");
        }
    }
}
