//! Shortens dialogues for snapshots, so that a changed reply text changes few of them.

/// A line that replaces several lines of a dialogue.
struct Elision {
    /// The lines it replaces: commands and events in full, replies by their beginning.
    lines: &'static [&'static str],
    mark: &'static str,
}

const LOGIN: Elision = Elision {
    lines: &[
        "-- connected",
        "S: 220 ",
        "C: USER ftpspec",
        "S: 331 ",
        "C: PASS <secret>",
        "S: 230 ",
        "C: CWD <dir>",
        "S: 250 ",
    ],
    mark: "-- connected and logged in",
};

const TLS_LOGIN: Elision = Elision {
    lines: &[
        "-- connected",
        "S: 220 ",
        "C: AUTH TLS",
        "S: 234 ",
        "-- TLS 1.3",
        "C: USER ftpspec",
        "S: 331 ",
        "C: PASS <secret>",
        "S: 230 ",
        "C: CWD <dir>",
        "S: 250 ",
    ],
    mark: "-- connected and logged in under TLS 1.3",
};

const END: Elision = Elision {
    lines: &[
        "C: NOOP",
        "S: 200 ",
        "C: QUIT",
        "S: 221 ",
        "-- closed by the server",
    ],
    mark: "-- barrier and QUIT",
};

/// The dialogue with one line in place of each login, list of features and end of a session.
pub(crate) fn elide(dialogue: &str) -> String {
    let lines: Vec<&str> = dialogue.lines().collect();
    let mut shortened: Vec<String> = Vec::new();
    let mut rest = lines.as_slice();
    while let Some(line) = rest.first() {
        let label = label_of(line);
        let found = [LOGIN, TLS_LOGIN, END]
            .into_iter()
            .find(|elision| elision.begins(rest, label));
        if let Some(elision) = found {
            shortened.push(format!("{label}{}", elision.mark));
            rest = rest.get(elision.lines.len()..).unwrap_or_default();
            continue;
        }
        let features = length_of_features(rest, label);
        if features > 0 {
            shortened.push(format!("{label}S: 211 <features>"));
        } else {
            shortened.push((*line).to_owned());
        }
        rest = rest.get(features.max(1)..).unwrap_or_default();
    }
    shortened.join("\n")
}

impl Elision {
    fn begins(&self, dialogue: &[&str], label: &str) -> bool {
        dialogue.len() >= self.lines.len()
            && self.lines.iter().zip(dialogue).all(|(wanted, line)| {
                let line = line.strip_prefix(label);
                line.is_some_and(|line| match wanted.starts_with("S: ") {
                    true => line.starts_with(wanted),
                    false => line == *wanted,
                })
            })
    }
}

/// The name of the control connection and a space, or nothing for the main connection.
fn label_of(line: &str) -> &str {
    ["-- ", "C: ", "S: "]
        .iter()
        .filter_map(|kind| line.find(kind))
        .min()
        .and_then(|at| line.get(..at))
        .filter(|label| {
            label
                .trim_end()
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric())
        })
        .unwrap_or_default()
}

/// How many lines the reply to FEAT has that the dialogue begins with; 0 if there is none.
fn length_of_features(dialogue: &[&str], label: &str) -> usize {
    let is = |line: &str, start: &str| {
        let line = line.strip_prefix(label);
        line.is_some_and(|line| line.starts_with(start))
    };
    if !dialogue.first().is_some_and(|line| is(line, "S: 211-")) {
        return 0;
    }
    let features = dialogue.iter().skip(1).take_while(|line| is(line, "S:  "));
    let (count, has_utf8) = features.fold((0, false), |(count, has_utf8), line| {
        (count + 1, has_utf8 || is(line, "S:  UTF8"))
    });
    if has_utf8 { count + 2 } else { 0 }
}
