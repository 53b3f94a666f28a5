//! The shell command that plays one scenario of a run again.

use crate::scenario::Variant;

use super::options::{Options, with_scheme};
use crate::subject::split_zone;

/// Takes the password from the environment; a shell reports an error if it is not set.
const PASSWORD: &str = "FTPSPEC_PASSWORD=${FTPSPEC_PASSWORD:?}";

impl Options {
    /// The command that plays only `scenario` in `variant`, with every option that affects the
    /// result. It never contains a password: where one is needed, it is taken from the environment.
    #[must_use]
    pub fn reproduce(&self, scenario: &str, variant: Variant) -> String {
        let mut words = Words::default();
        if self.needs_password() {
            words.0.push(PASSWORD.into());
        }
        words.0.push("ftpspec".into());
        let url = self.url.as_deref().map(without_password);
        match (&self.files, url) {
            (None, url) => {
                words.0.push("check".into());
                words.0.extend(url.as_deref().map(quoted));
            }
            (Some(files), url) => {
                words.0.push("run".into());
                for file in files {
                    let file = file.display().to_string();
                    let path = match file.strip_prefix('-') {
                        // Otherwise it would be read as an option.
                        Some(_) => format!("./{file}"),
                        None => file,
                    };
                    words.0.push(quoted(&path));
                }
                words.option("--target", url.as_deref());
            }
        }
        words.option("--exec", self.exec.as_deref());
        words.option("--select", Some(scenario));
        words.option("--variant", Some(&variant.to_string()));
        for profile in &self.profiles {
            words.option("--profile", Some(profile));
        }
        words.option("--user", self.user.as_deref());
        let ca = self.ca.as_ref().map(|ca| ca.display().to_string());
        words.option("--ca", ca.as_deref());
        for address in &self.addresses {
            words.option("--address", Some(&address.to_string()));
        }
        words.option("--implicit-port", number(self.implicit_port).as_deref());
        words.option("--path", self.path.as_deref());
        words.option("--max-connections", number(self.max_connections).as_deref());
        let timeout = self.timeout.map(|timeout| timeout.as_secs_f64());
        words.option("--timeout", number(timeout).as_deref());
        for baseline in &self.criteria.baselines {
            words.option("--baseline", Some(&baseline.display().to_string()));
        }
        words.flag("--read-only", self.read_only);
        words.flag("--strict", self.criteria.strict);
        words.0.join(" ")
    }

    /// Whether a password was given that the server under test needs.
    fn needs_password(&self) -> bool {
        let in_url = |url: &String| {
            let url = parsed(url).map(|(url, _)| url);
            url.is_ok_and(|url| url.password().is_some())
        };
        match &self.url {
            // The bundled server has its own password.
            None => self.exec.is_some() && self.password.is_some(),
            Some(url) => self.password.is_some() || in_url(url),
        }
    }
}

/// The words of a shell command, quoted where necessary.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn option(&mut self, name: &str, value: Option<&str>) {
        match value {
            None => {}
            // A separate word would be read as another option.
            Some(value) if value.starts_with('-') => {
                self.0.push(format!("{name}={}", quoted(value)));
            }
            Some(value) => self.0.extend([name.into(), quoted(value)]),
        }
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        self.0.extend(is_set.then(|| name.into()));
    }
}

fn number(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A URL, and the zone of its address, which the `url` crate does not support.
fn parsed(url: &str) -> Result<(url::Url, Option<String>), url::ParseError> {
    let url = with_scheme(url);
    match split_zone(&url) {
        Some((url, zone)) => Ok((url::Url::parse(&url)?, Some(zone))),
        None => Ok((url::Url::parse(&url)?, None)),
    }
}

/// A URL without its password.
pub(super) fn without_password(url: &str) -> String {
    let Ok((mut parsed, zone)) = parsed(url) else {
        return "?".into();
    };
    // Fails only for a URL without a host, which is not a target.
    let _ = parsed.set_password(None);
    let mut text = parsed.to_string().trim_end_matches('/').to_owned();
    if let (Some(zone), Some(host)) = (zone, parsed.host_str()) {
        let zoned = format!("{}%25{zone}]", host.trim_end_matches(']'));
        text = text.replacen(host, &zoned, 1);
    }
    text
}

/// One shell word, in single quotes if it contains special characters.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@,+%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use proptest::prelude::*;

    fn against(url: &str) -> Options {
        Options {
            url: Some(url.into()),
            ..Options::default()
        }
    }

    #[test]
    fn a_password_is_taken_from_the_environment() {
        let command =
            |options: &Options| options.reproduce("rfc959/noop-says-200", "pasv".parse().unwrap());
        let plain =
            "ftpspec check ftp://anna@localhost:2121 --select rfc959/noop-says-200 --variant pasv";
        let with = format!("FTPSPEC_PASSWORD=${{FTPSPEC_PASSWORD:?}} {plain}");
        assert_eq!(command(&against("ftp://anna@localhost:2121")), plain);
        assert_eq!(command(&against("ftp://anna:geheim@localhost:2121")), with);
        assert_eq!(command(&against("anna:geheim@localhost:2121")), with);
        let separate = Options {
            password: Some("geheim".into()),
            ..against("ftp://anna@localhost:2121")
        };
        assert_eq!(command(&separate), with);
    }

    #[test]
    fn the_addresses_are_those_of_the_run() {
        let options = Options {
            addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
            ..against("ftp://localhost:2121")
        };
        assert_eq!(
            options.reproduce("a/b", "pasv".parse().unwrap()),
            "ftpspec check ftp://localhost:2121 --select a/b --variant pasv --address 127.0.0.1 --address ::1"
        );
    }

    #[test]
    fn a_zone_is_part_of_the_command() {
        let options = against("ftp://anna:geheim@[fe80::1%25eth0]:2121/box");
        let command = options.reproduce("a/b", "epsv".parse().unwrap());
        assert!(
            command.contains("ftp://anna@[fe80::1%25eth0]:2121/box"),
            "{command}"
        );
        assert!(!command.contains("geheim"), "{command}");
    }

    #[test]
    fn the_bundled_server_needs_no_password() {
        let options = Options {
            password: Some("geheim".into()),
            ..Options::default()
        };
        assert_eq!(
            options.reproduce("rfc959/noop-says-200", "epsv tls".parse().unwrap()),
            "ftpspec check --select rfc959/noop-says-200 --variant 'epsv tls'"
        );
    }

    proptest! {
        #[test]
        fn a_quoted_word_is_one_shell_word(word in any::<String>()) {
            let line = format!("a {} b", quoted(&word));
            prop_assert_eq!(shell_words::split(&line).unwrap(), ["a", &word, "b"]);
        }
    }
}
