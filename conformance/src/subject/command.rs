//! A command that starts a server, as somebody wrote it: words, with names in braces for what we choose.

use std::str::FromStr;

/// A command that says where its port goes.
///
/// It is no shell line: it is cut into words by the rules of a shell, and nothing else of one is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecCommand {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

impl FromStr for ExecCommand {
    type Err = String;

    fn from_str(command: &str) -> Result<Self, String> {
        let mut words = shell_words::split(command)
            .map_err(|error| format!("exec: `{command}` is no list of words: {error}"))?
            .into_iter();
        let program = words.next().ok_or("exec: there is no command")?;
        let command = Self {
            program,
            arguments: words.collect(),
        };
        if !command.asks_for("{port}") {
            return Err(
                "exec: the command does not say where its port goes; write {port} there".into(),
            );
        }
        Ok(command)
    }
}

impl ExecCommand {
    /// Whether the name stands somewhere in it.
    pub(super) fn asks_for(&self, name: &str) -> bool {
        let mut words = std::iter::once(&self.program).chain(&self.arguments);
        words.any(|word| word.contains(name))
    }

    /// With every name replaced.
    pub(super) fn filled(&self, values: &[(&str, String)]) -> Self {
        let arguments = self.arguments.iter().map(|word| filled(word, values));
        Self {
            program: filled(&self.program, values),
            arguments: arguments.collect(),
        }
    }
}

/// The word with every name in braces replaced; what a value holds is not looked at again.
fn filled(word: &str, values: &[(&str, String)]) -> String {
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
    fn names_in_braces_are_filled_in_once() {
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
    #[case("", "there is no command")]
    #[case("'a {port}", "is no list of words")]
    #[case("a", "write {port} there")]
    fn what_cannot_be_started_is_refused_as_it_is_read(#[case] command: &str, #[case] why: &str) {
        let error = command.parse::<ExecCommand>().unwrap_err();
        assert!(
            error.starts_with("exec: ") && error.contains(why),
            "{error}"
        );
    }
}
