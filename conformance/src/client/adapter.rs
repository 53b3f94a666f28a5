//! How a client is run: a description as data, with one command line per task.
//!
//! ```toml
//! name    = "curl"
//! version = "curl --version"
//! ipv6    = true
//! [tasks]
//! download = "curl -sS {mode} {tls} -o {local} {url}"
//! [mode]
//! passive = ""
//! active = "-P -"
//! [tls]
//! clear = ""
//! explicit = "--ssl-reqd --cacert {ca}"
//! ```

use super::task::{TASKS, Task, TaskKind};
use super::variant::{Protection, Variant};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Where the server is, who logs in, and what the task is about.
#[derive(Debug, Clone)]
pub(crate) struct Setting<'a> {
    /// How the client has to connect.
    pub variant: Variant,
    /// The task; its word may be one that does not exist.
    pub task: &'a str,
    /// The pathnames of the task.
    pub names: &'a [String],
    /// The host, without brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The user.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// The file of the certificate authority, in PEM.
    pub ca: &'a str,
    /// The local directory, which is also the working directory.
    pub directory: &'a str,
    /// The directory with the files that belong to the adapter.
    pub adapter: &'a str,
    /// Seconds after which the client should give up waiting.
    pub timeout: u64,
}

/// The command of a task: an argument list and environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables that are set for it.
    pub environment: Vec<(String, String)>,
}

/// Why there is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsupported {
    /// No line for the task.
    #[error("the adapter has no command for `{0}`")]
    Task(TaskKind),
    /// No fragment for the data mode, TLS or family.
    #[error("the adapter has nothing for {0}")]
    Variant(&'static str),
}

/// A client, and how it is run.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Its name in reports.
    pub name: String,
    /// The command that shows its version.
    pub version: Option<Vec<String>>,
    commands: Commands,
}

#[derive(Debug, Clone)]
enum Commands {
    /// A command line per task, and fragments for the variants.
    Lines(Box<Lines>),
    /// One program that reads the task and exits with 127 for one that it does not know.
    Driver(Vec<String>),
}

#[derive(Debug, Clone)]
struct Lines {
    tasks: BTreeMap<TaskKind, Vec<String>>,
    mode: BTreeMap<String, String>,
    tls: BTreeMap<String, String>,
    scheme: BTreeMap<String, String>,
    ipv6: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    version: Option<String>,
    command: Option<String>,
    #[serde(default)]
    ipv6: bool,
    #[serde(default)]
    tasks: BTreeMap<String, String>,
    #[serde(default)]
    mode: BTreeMap<String, String>,
    #[serde(default)]
    tls: BTreeMap<String, String>,
    #[serde(default)]
    scheme: BTreeMap<String, String>,
}

/// The words of the tables `mode` and `tls`.
const MODES: [&str; 2] = ["passive", "active"];
const PROTECTIONS: [&str; 3] = ["clear", "explicit", "implicit"];

impl FromStr for Adapter {
    type Err = String;

    /// Reads an adapter file.
    fn from_str(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let split = |what: &str, line: &str| words(line).map_err(|why| format!("{what}: {why}"));
        let version = file.version.as_deref();
        let version = version.map(|line| split("version", line)).transpose()?;
        if let Some(command) = &file.command {
            if !file.tasks.is_empty() {
                return Err("an adapter has either `command` or `[tasks]`".into());
            }
            let words = split("command", command)?;
            return Ok(Self {
                name: file.name,
                version,
                commands: Commands::Driver(words),
            });
        }
        let mut tasks = BTreeMap::new();
        for (name, line) in &file.tasks {
            let Ok(kind) = name.parse::<TaskKind>() else {
                let known: Vec<_> = TASKS.iter().map(|row| row.name).collect();
                return Err(format!(
                    "there is no task `{name}`; the tasks are {}",
                    known.join(", ")
                ));
            };
            tasks.insert(kind, split(name, line)?);
        }
        if tasks.is_empty() {
            return Err("an adapter has a `command`, or `[tasks]` with one line per task".into());
        }
        for (table, keys, known) in [
            ("mode", &file.mode, &MODES[..]),
            ("tls", &file.tls, &PROTECTIONS[..]),
            ("scheme", &file.scheme, &PROTECTIONS[..]),
        ] {
            if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
                return Err(format!(
                    "[{table}] has no key `{key}`; its keys are {}",
                    known.join(", ")
                ));
            }
        }
        Ok(Self {
            name: file.name,
            version,
            commands: Commands::Lines(Box::new(Lines {
                tasks,
                mode: file.mode,
                tls: file.tls,
                scheme: file.scheme,
                ipv6: file.ipv6,
            })),
        })
    }
}

/// Splits a command line into words as a shell does, without any other shell feature.
fn words(line: &str) -> Result<Vec<String>, String> {
    let words = shell_words::split(line);
    let words = words.map_err(|error| format!("`{line}` cannot be split into words: {error}"))?;
    match words.is_empty() {
        true => Err("the command is empty".into()),
        false => Ok(words),
    }
}

impl Adapter {
    /// A program that is given every task, as after `check-client --`.
    #[must_use]
    pub(crate) fn driver(words: Vec<String>) -> Self {
        Self {
            name: words.join(" "),
            version: None,
            commands: Commands::Driver(words),
        }
    }

    /// Whether one program is given every task. It can refuse a task by exit status 127.
    #[must_use]
    pub(crate) fn is_driver(&self) -> bool {
        matches!(self.commands, Commands::Driver(_))
    }

    /// Whether there is a command for this task in this variant.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn supports(&self, task: &Task, variant: Variant) -> Result<(), Unsupported> {
        self.variant(variant)?;
        match &self.commands {
            Commands::Lines(lines) if !lines.tasks.contains_key(&task.kind) => {
                Err(Unsupported::Task(task.kind))
            }
            _ => Ok(()),
        }
    }

    /// Whether the client can connect in this way.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn variant(&self, variant: Variant) -> Result<(), Unsupported> {
        let Commands::Lines(lines) = &self.commands else {
            return Ok(());
        };
        let (mode, tls) = (mode_word(variant), tls_word(variant));
        if !lines.mode.contains_key(mode) {
            return Err(Unsupported::Variant(match variant.active {
                false => "passive data connections",
                true => "active data connections",
            }));
        }
        if !lines.tls.contains_key(tls) {
            return Err(Unsupported::Variant(match variant.protection {
                Protection::Clear => "sessions without TLS",
                Protection::Explicit => "AUTH TLS",
                Protection::Implicit => "implicit TLS",
            }));
        }
        match variant.ipv6 && !lines.ipv6 {
            true => Err(Unsupported::Variant("IPv6")),
            false => Ok(()),
        }
    }

    /// The command for a task. `None` if there is no line for it, or not for this variant.
    #[must_use]
    pub(crate) fn invocation(&self, setting: &Setting<'_>) -> Option<Invocation> {
        let values = self.values(setting);
        let line = match &self.commands {
            Commands::Driver(words) => words,
            Commands::Lines(lines) => lines.tasks.get(&setting.task.parse().ok()?)?,
        };
        let mut filled = Vec::new();
        for word in line {
            match (word.as_str(), &self.commands) {
                // A fragment that stands alone is any number of arguments.
                ("{mode}" | "{tls}", Commands::Lines(_)) => {
                    let fragment = values.iter().find(|(name, _)| name == word);
                    let fragment = fragment.map_or("", |(_, value)| value.as_str());
                    filled.extend(shell_words::split(fragment).ok()?);
                }
                _ => filled.push(fill(word, &values)),
            }
        }
        let mut filled = filled.into_iter();
        let environment = values.iter().map(|(name, value)| {
            let name = name.trim_matches(['{', '}']).to_ascii_uppercase();
            (format!("FTPSPEC_{name}"), value.clone())
        });
        Some(Invocation {
            program: filled.next()?,
            arguments: filled.collect(),
            environment: environment.collect(),
        })
    }

    /// Every placeholder and its value.
    fn values(&self, setting: &Setting<'_>) -> Vec<(String, String)> {
        let variant = setting.variant;
        let (mut mode, mut tls) = (mode_word(variant).to_owned(), tls_word(variant).to_owned());
        let mut scheme = match variant.protection {
            Protection::Implicit => "ftps",
            Protection::Clear | Protection::Explicit => "ftp",
        };
        let ca = [("{ca}".to_owned(), setting.ca.to_owned())];
        if let Commands::Lines(lines) = &self.commands {
            scheme = lines.scheme.get(&tls).map_or(scheme, String::as_str);
            let fragment = |table: &BTreeMap<String, String>, key: &str| {
                fill(table.get(key).map_or("", String::as_str), &ca)
            };
            mode = fragment(&lines.mode, &mode);
            tls = fragment(&lines.tls, &tls);
        }
        let name = |index: usize| setting.names.get(index).map_or("", String::as_str);
        let urlhost = match setting.host.contains(':') {
            true => format!("[{}]", setting.host),
            false => setting.host.to_owned(),
        };
        let account = format!(
            "{}:{}",
            escape(setting.user, b""),
            escape(setting.password, b"")
        );
        let base = format!("{scheme}://{account}@{urlhost}:{}/", setting.port);
        let path = escape(name(0), b"/");
        let directory = match path.is_empty() {
            true => base.clone(),
            false => format!("{base}{path}/"),
        };
        let local = format!("{}/{}", setting.directory, name(0));
        let values = [
            ("task", setting.task.to_owned()),
            ("url", format!("{base}{path}")),
            ("dirurl", directory),
            ("path", path),
            ("base", base),
            ("scheme", scheme.to_owned()),
            ("host", setting.host.to_owned()),
            ("urlhost", urlhost),
            ("port", setting.port.to_string()),
            ("user", setting.user.to_owned()),
            ("password", setting.password.to_owned()),
            ("ca", setting.ca.to_owned()),
            ("local", local),
            ("dir", setting.directory.to_owned()),
            ("remote", name(0).to_owned()),
            ("to", name(1).to_owned()),
            ("mode", mode),
            ("tls", tls),
            ("timeout", setting.timeout.to_string()),
            ("adapter", setting.adapter.to_owned()),
        ];
        let named = values.into_iter();
        named
            .map(|(name, value)| (format!("{{{name}}}"), value))
            .collect()
    }
}

fn mode_word(variant: Variant) -> &'static str {
    MODES[usize::from(variant.active)]
}

fn tls_word(variant: Variant) -> &'static str {
    match variant.protection {
        Protection::Clear => PROTECTIONS[0],
        Protection::Explicit => PROTECTIONS[1],
        Protection::Implicit => PROTECTIONS[2],
    }
}

/// The word with every placeholder replaced; values are not expanded again.
fn fill(word: &str, values: &[(String, String)]) -> String {
    let values: Vec<_> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    crate::subject::filled(word, &values)
}

/// Percent-encoded (RFC 3986), except unreserved characters and these.
fn escape(text: &str, except: &[u8]) -> String {
    let mut escaped = String::new();
    for octet in text.bytes() {
        let plain = octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
        match plain || except.contains(&octet) {
            true => escaped.push(char::from(octet)),
            false => escaped.push_str(&format!("%{octet:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use rstest::rstest;

    const CURL: &str = "name = \"curl\"\n[tasks]\n\
        download = \"curl {mode} {tls} -o {local} {url}\"\n\
        list = \"curl {mode} '{tls};{dirurl}'\"\n\
        [mode]\npassive = \"\"\nactive = \"-P '- -'\"\n\
        [tls]\nclear = \"\"\nexplicit = \"--cacert {ca}\"\n";

    fn setting<'a>(task: &'a str, names: &'a [String], variant: &str) -> Setting<'a> {
        Setting {
            variant: variant.parse().unwrap(),
            task,
            names,
            host: "::1",
            port: 2121,
            user: "an:na",
            password: "{url}",
            ca: "/c a.pem",
            directory: "/tmp/x",
            adapter: "/tmp/a",
            timeout: 5,
        }
    }

    #[test]
    fn placeholders_and_fragments_are_replaced_once_and_stay_one_word() {
        let adapter: Adapter = CURL.parse().unwrap();
        let names = ["a b/ü".to_owned()];
        let made = adapter.invocation(&setting("download", &names, "active tls"));
        let made = made.unwrap();
        assert_eq!(made.program, "curl");
        assert_eq!(
            made.arguments,
            [
                "-P",
                "- -",
                "--cacert",
                "/c",
                "a.pem",
                "-o",
                "/tmp/x/a b/ü",
                "ftp://an%3Ana:%7Burl%7D@[::1]:2121/a%20b/%C3%BC"
            ]
        );
        let has = |name: &str, value: &str| made.environment.contains(&(name.into(), value.into()));
        assert!(has("FTPSPEC_TASK", "download") && has("FTPSPEC_PASSWORD", "{url}"));
        let listed = adapter
            .invocation(&setting("list", &[], "passive"))
            .unwrap();
        assert_eq!(listed.arguments, [";ftp://an%3Ana:%7Burl%7D@[::1]:2121/"]);
    }

    #[test]
    fn what_is_missing_is_unsupported() {
        let adapter: Adapter = CURL.parse().unwrap();
        let task = |kind| Task {
            kind,
            names: vec!["x".into()],
        };
        let supports = |kind, variant: &str| {
            let supports = adapter.supports(&task(kind), variant.parse().unwrap());
            supports.map_err(|why| why.to_string())
        };
        assert_eq!(supports(TaskKind::Download, "active tls"), Ok(()));
        let missing = |kind, variant, what: &str| {
            assert!(supports(kind, variant).unwrap_err().ends_with(what));
        };
        missing(TaskKind::Upload, "passive", "no command for `upload`");
        missing(TaskKind::Download, "passive implicit", "implicit TLS");
        missing(TaskKind::Download, "passive ipv6", "IPv6");
        assert!(
            adapter
                .invocation(&setting("upload", &[], "passive"))
                .is_none()
        );
    }

    #[test]
    fn a_driver_is_given_every_task_with_the_words_of_the_variant() {
        let adapter = Adapter::driver(vec!["prog".into(), "{task}".into(), "{tls}".into()]);
        assert!(adapter.is_driver());
        let made = adapter.invocation(&setting("no-such-task", &[], "active tls"));
        assert_eq!(made.unwrap().arguments, ["no-such-task", "explicit"]);
    }

    #[rstest]
    #[case("name = \"x\"", "has a `command`, or `[tasks]`")]
    #[case("name = \"x\"\n[tasks]\nget = \"x\"", "there is no task `get`")]
    #[case("name = \"x\"\n[tasks]\nlist = \"'\"", "cannot be split")]
    #[case("name = \"x\"\n[tasks]\nlist = \"\"", "the command is empty")]
    #[case(
        "name = \"x\"\n[tasks]\nlist = \"x\"\n[mode]\npasv = \"\"",
        "[mode] has no key `pasv`"
    )]
    #[case(
        "name = \"x\"\ncommand = \"x\"\n[tasks]\nlist = \"x\"",
        "either `command`"
    )]
    #[case("nam = \"x\"", "unknown field")]
    fn a_file_that_is_not_an_adapter_is_refused(#[case] text: &str, #[case] why: &str) {
        let error = text.parse::<Adapter>().unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
