//! From the command line, the environment and a file to settings. All mistakes are told at once.

use std::ffi::OsString;

use clap::{
    Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _,
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
    let mut args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let mut command = Cli::command();
    let mut mistakes = Vec::new();
    #[cfg(feature = "distributed")]
    {
        command = super::file::with_defaults_of_the_file(command, &args, &mut mistakes);
    }
    let of_the_file = mistakes.len();
    // What followed an option that was taken out: its value, if nothing else.
    let mut freed = None;
    while mistakes.len() <= of_the_file + MOST {
        let error = match command.try_get_matches_from_mut(&args) {
            Ok(matches) => {
                mistakes.extend(contradictions(&matches));
                if mistakes.is_empty() {
                    return settings(&matches);
                }
                break;
            }
            Err(error) => error,
        };
        if is_answer(&error) {
            // Help that was asked for beside a mistake, or for lack of what was the mistake, would hide it.
            if mistakes.len() == of_the_file {
                return Err(Misread::Shown(error));
            }
            break;
        }
        if let Some(place) = freed.take()
            && let Some(place) = consequence(&error, &args, place)
        {
            args.remove(place);
            continue;
        }
        let mistake = in_one_line(&error);
        let is_new = !mistakes.contains(&mistake);
        if is_new {
            mistakes.push(mistake);
        }
        // The others are found without it.
        match wrong_value_of(&error) {
            Some(name) if is_new => command = any_value_for(command, &name),
            _ => match place_of(&error, &args) {
                Some(place) => {
                    args.remove(place);
                    freed = Some(place);
                }
                None => break,
            },
        }
    }
    Err(Misread::Mistakes(mistakes))
}

/// So many mistakes are told at once; who has made more has other questions.
const MOST: usize = 50;

fn settings(matches: &ArgMatches) -> Result<Cli, Misread> {
    #[cfg_attr(not(feature = "distributed"), expect(unused_mut, reason = "there are no passwords"))]
    let mut cli =
        Cli::from_arg_matches(matches).map_err(|error| Misread::Mistakes(vec![in_one_line(&error)]))?;
    #[cfg(feature = "distributed")]
    super::passwords::choose(in_use(matches), &mut cli);
    Ok(cli)
}

/// The options of the command that is run.
fn in_use(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, of_command)| of_command)
}

/// What is wrong with settings that are right for themselves. Clap could say some of it, but not of those that come
/// from the file: to it they are defaults.
fn contradictions(matches: &ArgMatches) -> Vec<String> {
    let in_use = in_use(matches);
    let mut found = Vec::new();
    let has_faults = in_use.try_contains_id("fault").is_ok_and(|has_faults| has_faults);
    if has_faults && !matches!(in_use.try_get_one("drills"), Ok(Some(true))) {
        found.push("--fault is only there in a drill: --drills says that this is one".to_owned());
    }
    #[cfg(feature = "distributed")]
    found.extend(super::passwords::given_twice(in_use));
    found
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

/// What is wrong, as it was written, where it is no option that is known.
fn written(error: &clap::Error) -> Option<&str> {
    let context = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand];
    context.iter().find_map(|kind| match error.get(*kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    })
}

/// What is only wrong because of what was taken out at `place`: its value, which is neither an option's nor anything
/// else now, or the option before it, which has lost its own (`--port -1`).
fn consequence(error: &clap::Error, args: &[OsString], place: usize) -> Option<usize> {
    let word = args.get(place).and_then(|word| word.to_str()).filter(|word| {
        // Another option is a mistake of its own, and a number below zero is no option.
        !word.starts_with('-') || word.parse::<f64>().is_ok()
    });
    match error.kind() {
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            word.filter(|word| written(error) == Some(word)).map(|_| place)
        }
        ErrorKind::InvalidValue => place_of(error, args).filter(|before| before + 1 == place),
        _ => None,
    }
}

/// Where the option or the word is that is wrong as a whole. An unknown command has none: what follows it means
/// nothing without it.
fn place_of(error: &clap::Error, args: &[OsString]) -> Option<usize> {
    if error.kind() == ErrorKind::InvalidSubcommand {
        return None;
    }
    let text = written(error)?;
    // Known ones come with their value: `--port <PORT>`.
    let name = text.split([' ', '=']).next().filter(|name| name.starts_with('-')).unwrap_or(text);
    let is_it = |arg: &str| match arg.strip_prefix(name) {
        Some("") => true,
        // Several letters behind one dash.
        Some(_) if !name.starts_with("--") => name.starts_with('-'),
        Some(rest) => rest.starts_with('='),
        None => false,
    };
    (1..args.len()).find(|place| args[*place].to_str().is_some_and(is_it))
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
    fn an_option_that_is_none_hides_no_other_mistake() {
        let told =
            mistakes("--prot 1 --order-port x --hots=y -z --rent-port --max-pending 1 --max-pending 2");
        for name in ["'--prot'", "--order-port", "'--hots'", "'-z'", "--rent-port", "--max-pending"] {
            assert!(told.iter().any(|mistake| mistake.contains(name)), "{name}: {told:?}");
        }
        assert_eq!(told.len(), 6, "{told:?}");
    }

    #[test]
    fn what_follows_an_option_that_is_none_keeps_its_meaning_where_it_has_one() {
        assert_eq!(mistakes("--prot tools dlq show 3-17").len(), 1);
        assert_eq!(mistakes("--prot 1 --prot 2").len(), 1);
        assert_eq!(mistakes("--order-port -1"), ["unexpected argument '-1' found"]);
        let told = mistakes("tools dlq show --loud 3-17 --hots");
        assert!(told.len() == 2 && told[1].contains("'--hots'"), "{told:?}");
    }

    #[test]
    fn who_makes_no_end_of_mistakes_is_told_some() {
        let line: Vec<_> = (0..1000).map(|n| format!("--option-{n}")).collect();
        assert!((10..100).contains(&mistakes(&line.join(" ")).len()));
    }

    #[test]
    fn help_beside_a_mistake_does_not_hide_it() {
        for line in ["--prot 1 --help", "tools --prot"] {
            assert_eq!(mistakes(line).len(), 1, "{line}");
        }
    }

    #[test]
    fn a_fault_is_refused_outside_of_a_drill_beside_the_other_mistakes() {
        let told = mistakes("--fault store.full=on --order-port x");
        assert!(told.len() == 2 && told[1].contains("--drills"), "{told:?}");
        assert!(read(["rentalbook", "--fault", "store.full=on", "--drills"]).is_ok());
    }

    #[cfg(feature = "distributed")]
    #[test]
    fn of_one_service_too_all_mistakes_are_told_at_once() {
        let told = mistakes("order --prot 1 --hots x --port abc --kafka-session-ms 5999 --kafka-tls maybe");
        for name in ["'--prot'", "'--hots'", "--port", "6000..=300000", "disabled"] {
            assert!(told.iter().any(|mistake| mistake.contains(name)), "{name}: {told:?}");
        }
        assert_eq!(told.len(), 5, "{told:?}");
        assert_eq!(mistakes("order --kafka-session-ms 300001").len(), 1);
    }

    #[test]
    fn help_is_no_mistake() {
        for line in ["--help", "--version", "tools", "tools dlq show --help"] {
            let asked = read(std::iter::once("rentalbook").chain(line.split(' ')));
            assert!(matches!(asked, Err(Misread::Shown(_))), "{line}: {asked:?}");
        }
    }
}
