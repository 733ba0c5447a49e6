use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::*;

fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
    variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Loads a file of this text with these variables and flags.
fn load(text: &str, variables: &[(&str, &str)], mut flags: ConfigFlags) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orchestrator.toml");
    std::fs::write(&path, text).unwrap();
    flags.config = Some(path);
    Config::load_with(&flags, Some(environment(variables)))
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    load(text, &[], ConfigFlags::default())
}

#[test]
fn nothing_at_all_means_the_defaults() {
    let config = Config::load_with(&ConfigFlags::default(), Some(HashMap::new())).unwrap();
    assert_eq!(config, Config::default());
    config.check().unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8420");
    let file = Path::new("orchestrator-data/orchestrator.db").to_owned();
    assert_eq!(config.database.url().unwrap(), DatabaseUrl::Sqlite(file));
    assert_eq!(config.key_file(), Path::new("orchestrator-data/orchestrator.key"));
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[limits]\ndata = 3000\n[database]\ndata_folder = \"a\"";
    let variables = [
        ("ORCHESTRATOR__SERVER__LISTEN", "127.0.0.1:2"),
        ("ORCHESTRATOR__LIMITS__DATA", "4000"),
        ("ORCHESTRATOR__SERVER__ALLOWED_HOSTS", "a.example,b.example"),
        ("ORCHESTRATOR__SERVER__INSECURE", "true"),
        ("ORCHESTRATOR_URL", "http://elsewhere"),
    ];
    let flags = ConfigFlags { listen: Some("127.0.0.1:3".parse().unwrap()), ..ConfigFlags::default() };
    let config = load(text, &variables, flags).unwrap();
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(config.limits.data, 4000);
    assert_eq!(config.server.allowed_hosts, ["a.example", "b.example"]);
    assert!(config.server.insecure);
    assert_eq!(config.database.data_folder, Path::new("a"));
}

#[test]
fn an_unknown_key_is_refused_with_the_known_ones() {
    let error = from_file("[server]\nlistenn = \"127.0.0.1:1\"").unwrap_err().to_string();
    assert!(error.contains("listenn") && error.contains("`listen`"), "{error}");
    let error = from_file("[servers]\n").unwrap_err().to_string();
    assert!(error.contains("servers") && error.contains("`server`"), "{error}");
    let variables = [("ORCHESTRATOR__SERVER__LISSEN", "x")];
    let error = load("", &variables, ConfigFlags::default()).unwrap_err().to_string();
    assert!(error.contains("lissen") && error.contains("`listen`"), "{error}");
}

#[test]
fn a_bad_value_is_refused_with_its_key() {
    for (text, key) in [
        ("[server]\nlisten = \"localhost\"", "server.listen"),
        ("[limits]\ndata = \"many\"", "limits.data"),
        ("[scheduling]\ntime_zone = \"Mars/Base\"", "scheduling.time_zone"),
        ("[log]\nformat = \"xml\"", "log.format"),
    ] {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.contains(key), "{key}: {error}");
    }
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line_and_without_passwords() {
    for (text, line, expected) in [
        ("[limits]\ndata = 3000\n\n[server]\nlistenn = \"127.0.0.1:1\"", 5, "`listenn`"),
        (
            "[database]\nurl = \"postgres://robot:hunter2@db\"\nurl = \"postgres://robot:hunter2@db\"",
            3,
            "duplicate key",
        ),
        ("[database]\nurl = \"postgres://robot:hunter2@db", 2, "invalid basic string"),
        ("[limits]\ndata = \"many\"", 2, "expected"),
    ] {
        let error = from_file(text).unwrap_err().to_string();
        let place = format!("orchestrator.toml, line {line}, cannot be used: ");
        assert!(
            error.contains(&place) && error.contains(expected) && !error.contains("hunter2"),
            "{expected}: {error}"
        );
    }
}

#[test]
fn a_file_is_not_blamed_for_what_is_wrong_in_the_environment() {
    let quoted = "[limits]\ndata = \"3000\"";
    from_file(quoted).unwrap().check().unwrap();
    let variables = [("ORCHESTRATOR__LIMITS__PROCESS_ARGS", "many")];
    let error = load(quoted, &variables, ConfigFlags::default()).unwrap_err().to_string();
    assert!(error.contains("limits.process_args") && !error.contains("orchestrator.toml"), "{error}");
}

#[test]
fn a_value_that_does_not_fit_is_told_with_where_it_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orchestrator.toml");
    std::fs::write(&path, "[limits]\ndata = 1").unwrap();
    let flags = ConfigFlags { config: Some(path.clone()), ..ConfigFlags::default() };
    let error = Config::load_checked(&flags).unwrap_err().to_string();
    assert!(error.ends_with(&format!("(set by file {})", path.display())), "{error}");
    let flags = ConfigFlags { database: Some("mysql://x".to_owned()), ..ConfigFlags::default() };
    let error = Config::load_checked(&flags).unwrap_err().to_string();
    assert!(error.ends_with("(set by flag --database)"), "{error}");
    let flags = ConfigFlags { listen: Some("0.0.0.0:8420".parse().unwrap()), ..ConfigFlags::default() };
    let error = Config::load_checked(&flags).unwrap_err().to_string();
    assert!(error.contains("--insecure"), "{error}");
}

#[test]
fn values_that_do_not_fit_are_refused_with_what_to_do() {
    for (text, expected) in [
        ("[server]\nlisten = \"0.0.0.0:8420\"", "--insecure"),
        ("[server]\ntls_cert = \"a.pem\"", "server.tls_key: is needed"),
        ("[database]\nurl = \"mysql://x\"", "database.url: expected sqlite:PATH"),
        ("[limits]\ndata = 1048577", "limits.data: 1048577 is not from 2000 to 1048576"),
        ("[limits]\nprocess_args = 1", "limits.process_args"),
        ("[security]\nsession_idle_minutes = 0", "security.session_idle_minutes: 0 is not from 1 to"),
        ("[log]\nlevel = \"a=b=c\"", "log.level"),
        ("[log]\nlevel = \"inof\"", "log.level: 'inof' is none of off, error, warn, info, debug, trace"),
        ("[retention]\nlogs = \"long\"", "retention.logs: 'long' is no time"),
        ("[retention]\naudit = \"5m\"", "retention.audit: '5m' is shorter than one hour"),
    ] {
        let error = from_file(text).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    from_file("[server]\nlisten = \"0.0.0.0:8420\"\ninsecure = true").unwrap().check().unwrap();
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let flags = ConfigFlags { config: Some(PathBuf::from("no/such.toml")), ..ConfigFlags::default() };
    assert!(Config::load(&flags).unwrap_err().to_string().contains("no/such.toml"));
}

#[test]
fn passwords_are_not_shown() {
    for url in
        ["postgres://robot:hunter2@db.example/x?sslpassword=hunter2", "postgresql://robot:hun@hunter2@db.example/x"]
    {
        let config = from_file(&format!("[database]\nurl = \"{url}\"")).unwrap();
        assert!(matches!(config.database.url().unwrap(), DatabaseUrl::Postgres(found) if found == url));
        let shown = format!("{} {config:?} {:?}", config.without_secrets().to_toml(), config.database.url().unwrap());
        assert!(shown.contains("robot:***@db.example/x") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn the_template_names_every_key_with_its_default() {
    let keys = |text: &str| {
        let mut found = Vec::new();
        let mut section = "";
        for line in text.lines().map(|line| line.trim_start_matches('#')) {
            if line.starts_with('[') && line.ends_with(']') {
                section = line;
            } else if let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
                found.push((section, key, value));
            }
        }
        found
            .into_iter()
            .map(|(section, key, value)| (format!("{section}{key}"), value.to_owned()))
            .collect::<HashMap<_, _>>()
    };
    let template = keys(TEMPLATE);
    let shown = Config::default().without_secrets().to_toml();
    for (key, value) in keys(&shown) {
        let documented = template.get(&key).unwrap_or_else(|| panic!("{key} is not in the template"));
        assert!(documented == &value || key.ends_with("time_zone"), "{key}: {documented} is not the default {value}");
    }
    let uncommented: String = TEMPLATE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| l.contains(" = ") && !l.starts_with(' ')).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    from_file(&uncommented).unwrap().check().unwrap();
}
