//! The command line that starts a server, with placeholders in braces.

use std::str::FromStr;

/// A command with a placeholder for the port.
///
/// It is split into words like a shell command line; no other shell feature is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecCommand {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

impl FromStr for ExecCommand {
    type Err = String;

    fn from_str(command: &str) -> Result<Self, String> {
        let mut words = shell_words::split(command)
            .map_err(|error| format!("exec: `{command}` cannot be split into words: {error}"))?
            .into_iter();
        let program = words.next().ok_or("exec: the command is empty")?;
        let command = Self {
            program,
            arguments: words.collect(),
        };
        if !command.asks_for("{port}") {
            return Err("exec: the command has no placeholder for the port; add {port}".into());
        }
        Ok(command)
    }
}

impl ExecCommand {
    /// Whether it contains this placeholder.
    pub(super) fn asks_for(&self, name: &str) -> bool {
        let mut words = std::iter::once(&self.program).chain(&self.arguments);
        words.any(|word| word.contains(name))
    }

    /// The command with every placeholder replaced.
    pub(super) fn filled(&self, values: &[(&str, String)]) -> Self {
        let arguments = self.arguments.iter().map(|word| filled(word, values));
        Self {
            program: filled(&self.program, values),
            arguments: arguments.collect(),
        }
    }
}

/// The word with every placeholder replaced; values are not expanded again.
pub(crate) fn filled(word: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let value = values
            .iter()
            .find_map(|(name, value)| Some((rest.strip_prefix(name)?, value)));
        match value {
            Some((behind, value)) => {
                filled.push_str(value);
                rest = behind;
            }
            None => {
                let mut chars = rest.chars();
                filled.extend(chars.next());
                rest = chars.as_str();
            }
        }
    }
    filled
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn placeholders_are_replaced_once() {
        let values = [
            ("{port}", "21".to_owned()),
            ("{root}", "/{port}".to_owned()),
        ];
        let command: ExecCommand = "ftpd 'a b' -p{port}:{root}{x}{".parse().unwrap();
        let filled = command.filled(&values);
        assert_eq!(filled.program, "ftpd");
        assert_eq!(filled.arguments, ["a b", "-p21:/{port}{x}{"]);
    }

    #[rstest]
    #[case("", "the command is empty")]
    #[case("'a {port}", "cannot be split into words")]
    #[case("a", "add {port}")]
    fn an_invalid_command_is_refused(#[case] command: &str, #[case] why: &str) {
        let error = command.parse::<ExecCommand>().unwrap_err();
        assert!(
            error.starts_with("exec: ") && error.contains(why),
            "{error}"
        );
    }
}
