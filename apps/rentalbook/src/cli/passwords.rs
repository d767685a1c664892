//! Which password is meant, where one is given as a text and as a file that it is in.
//!
//! An option goes before the environment, that before the file of `--config`, whichever of the two it is. Of two in the
//! same place nobody can know.

use clap::{ArgMatches, parser::ValueSource};

use super::{Cli, Command, DeliveryRole, MypageRole, OrderRole, RentRole};

/// As a text, and as a file.
const PAIRS: [(&str, &str); 2] =
    [("postgres-password", "postgres-password-file"), ("redis-password", "redis-password-file")];

/// The other way to give the same password.
pub(super) fn the_other_of(name: &str) -> Option<&'static str> {
    PAIRS.iter().find_map(|(text, file)| match name {
        _ if name == *text => Some(*file),
        _ if name == *file => Some(*text),
        _ => None,
    })
}

/// Passwords that are given twice in one place, of the role that was read.
pub(super) fn given_twice(role: &ArgMatches) -> Vec<String> {
    let twice = PAIRS.iter().filter_map(|(text, file)| {
        let place = match (source(role, text)?, source(role, file)?) {
            (one, other) if one != other => return None,
            (ValueSource::CommandLine, _) => "on the command line",
            (ValueSource::EnvVariable, _) => "in the environment",
            _ => "in the file of --config",
        };
        Some(format!("--{text} and --{file} are both given {place}: which of them is meant?"))
    });
    twice.collect()
}

/// Leaves the password that goes before the other.
pub(super) fn choose(role: &ArgMatches, cli: &mut Cli) {
    let ((text_name, file_name), text, file) = match &mut cli.command {
        Some(
            Command::Order(OrderRole { postgres, .. })
            | Command::Rent(RentRole { postgres, .. })
            | Command::Delivery(DeliveryRole { postgres, .. }),
        ) => (PAIRS[0], &mut postgres.postgres_password, &mut postgres.postgres_password_file),
        Some(Command::Mypage(MypageRole { redis, .. })) => {
            (PAIRS[1], &mut redis.redis_password, &mut redis.redis_password_file)
        }
        _ => return,
    };
    if source(role, text_name) > source(role, file_name) {
        *file = None;
    } else {
        *text = None;
    }
}

/// Where it is given, the later the stronger. There is no default but from the file.
fn source(role: &ArgMatches, name: &str) -> Option<ValueSource> {
    let id = name.replace('-', "_");
    // Not every role has it.
    role.try_contains_id(&id).ok()?;
    role.value_source(&id)
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, path::PathBuf};

    use platform_secret::{Password, Secret};

    use crate::{
        cli::{Misread, read},
        role::Role,
    };

    /// What a password is, given by options and by a file of `--config`. How the environment comes between the two is
    /// told of the program itself: the one of this process belongs to all tests.
    fn password(role: &str, file: &str, line: &[&str]) -> Result<Password, Vec<String>> {
        let mut config = tempfile::NamedTempFile::new().expect("a file");
        config.write_all(file.as_bytes()).expect("written");
        let path = config.path().display().to_string();
        let all = ["rentalbook", role, "--config", &path];
        match read(all.iter().chain(line)) {
            Ok(cli) => {
                let engines = cli.command.as_ref().and_then(Role::of).expect("a role").engines;
                Ok(match role {
                    "order" => engines.orders.password,
                    "rent" => engines.rents.password,
                    "delivery" => engines.deliveries.password,
                    _ => engines.redis.password,
                })
            }
            Err(Misread::Mistakes(mistakes)) => Err(mistakes),
            Err(shown) => panic!("{shown:?}"),
        }
    }

    fn text(text: &str) -> Result<Password, Vec<String>> {
        Ok(Password::Text(Secret::new(text)))
    }

    fn file(path: &str) -> Result<Password, Vec<String>> {
        Ok(Password::File(PathBuf::from(path)))
    }

    const ROLES: [(&str, &str); 4] =
        [("order", "postgres"), ("rent", "postgres"), ("delivery", "postgres"), ("mypage", "redis")];

    #[test]
    fn a_password_as_an_option_goes_before_one_of_the_file_whichever_is_a_text() {
        for (role, engine) in ROLES {
            let (as_text, as_file) = (format!("--{engine}-password"), format!("--{engine}-password-file"));
            let set_text = format!("{engine}-password = \"weak\"");
            let set_file = format!("{engine}-password-file = \"/weak\"");
            assert_eq!(password(role, &set_text, &[]), text("weak"));
            assert_eq!(password(role, &set_file, &[]), file("/weak"));
            assert_eq!(password(role, &set_text, &[&as_file, "/strong"]), file("/strong"));
            assert_eq!(password(role, &set_file, &[&as_text, "strong"]), text("strong"));
            assert_eq!(password(role, "", &[]), Ok(Password::None));
        }
    }

    #[test]
    fn a_password_of_one_service_goes_before_that_of_all() {
        let config = "postgres-password = \"all\"\n[order]\npostgres-password-file = \"/order\"\n";
        assert_eq!(password("order", config, &[]), file("/order"));
        assert_eq!(password("rent", config, &[]), text("all"));
    }

    #[test]
    fn a_password_that_is_given_twice_in_one_place_is_a_mistake_beside_the_others() {
        let line = ["--redis-password", "ge-heim", "--redis-password-file", "/f", "--port", "x"];
        let told = password("mypage", "", &line).expect_err("mistakes");
        assert!(told.iter().any(|mistake| mistake.contains("both given on the command line")), "{told:?}");
        assert!(told.iter().any(|mistake| mistake.contains("--port")), "{told:?}");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(!told.concat().contains("ge-heim"), "{told:?}");
        let told = password("order", "postgres-password = \"a\"\npostgres-password-file = \"/b\"", &[]);
        let told = told.expect_err("a mistake");
        assert!(told.len() == 1 && told[0].contains("both given in the file of --config"), "{told:?}");
    }
}
