use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Mistake>> {
    let lookup =
        |name: &str| pairs.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned());
    Settings::from_names("STORE", &Settings::default(), lookup)
}

#[test]
fn what_is_not_set_stays_as_it_is() {
    assert_eq!(read(&[]), Ok(Settings::default()));
    let found = read(&[("STORE_HOST", "db"), ("STORE_PORT", "5433"), ("STORE_ANSWER_MS", "700")]);
    let expected = Settings {
        host: "db".to_owned(),
        port: 5433,
        answer_within: Duration::from_millis(700),
        ..Settings::default()
    };
    assert_eq!(found, Ok(expected));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes = read(&[
        ("STORE_HOST", " "),
        ("STORE_PORT", "0"),
        ("STORE_CONNECTIONS", "many"),
        ("STORE_TLS", "maybe"),
        ("STORE_PASSWORD_FILE", "/nowhere/at/all"),
    ])
    .expect_err("five mistakes");
    let names: Vec<_> = mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
    let told = ["STORE_HOST", "STORE_PORT", "STORE_PASSWORD_FILE", "STORE_TLS", "STORE_CONNECTIONS"];
    assert_eq!(names, told, "{mistakes:?}");
    let both = [("STORE_PASSWORD", "a"), ("STORE_PASSWORD_FILE", "b")];
    assert_eq!(read(&both).expect_err("which?").len(), 1);
}

#[test]
fn a_password_is_read_from_a_file_whenever_it_is_needed_and_never_shown() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "ge heim\n").expect("written");
    let path = &file.path().to_str().expect("a path").to_owned();
    let settings = read(&[("STORE_PASSWORD_FILE", path)]).expect("settings");
    assert_eq!(settings.password.now(), Ok(Some(Secret::new("ge heim"))));
    std::fs::write(file.path(), "rotated").expect("written");
    assert_eq!(settings.password.now(), Ok(Some(Secret::new("rotated"))));
    drop(file);
    let reason = settings.password.now().expect_err("it is gone");
    assert!(reason.contains(path) && reason.contains("cannot be read"), "{reason}");
    for shown in [format!("{settings:?}"), format!("{:?}", read(&[("STORE_PASSWORD", "ge heim")]))] {
        assert!(!shown.contains("heim") && !shown.contains("rotated"), "{shown}");
    }
}

#[test]
fn a_url_says_it_all_and_a_single_name_counts_more() {
    let url = ("STORE_URL", "postgres://kim:ge%20heim@db.example:5433/library");
    let expected = Settings {
        host: "db.example".to_owned(),
        port: 5433,
        database: "library".to_owned(),
        user: "kim".to_owned(),
        password: Password::Text(Secret::new("ge heim")),
        ..Settings::default()
    };
    assert_eq!(read(&[url]), Ok(expected.clone()));
    let other = Settings { user: "lee".to_owned(), port: 1, ..expected };
    assert_eq!(read(&[url, ("STORE_USER", "lee"), ("STORE_PORT", "1")]), Ok(other));
    let part = read(&[("STORE_URL", "postgresql://db/")]).expect("settings");
    assert_eq!(part, Settings { host: "db".to_owned(), ..Settings::default() });
}

#[test]
fn what_is_wrong_with_a_url_is_told_without_it() {
    for url in [
        "http://kim:geheim@db/library",
        "postgres://kim:geheim@db:port/library",
        "postgres://kim:geheim@one,two/library",
        "postgres://kim:geheim@db/library?sslmode=require",
        "postgres://kim:geheim@db/library?colour=red",
        "geheim",
    ] {
        let mistakes = read(&[("STORE_URL", url)]).expect_err(url);
        assert_eq!((mistakes.len(), mistakes[0].name.as_str()), (1, "STORE_URL"));
        assert!(!mistakes[0].to_string().contains("geheim"), "{mistakes:?}");
    }
}
