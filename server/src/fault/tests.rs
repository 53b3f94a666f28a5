#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::*;

use rstest::rstest;

use crate::storage::VirtualPath;

#[rstest]
#[case("when RETR nth 2 do reset at 4096", "when RETR nth 2 do reset at 4096")]
#[case("WHEN retr DO Drop", "when RETR do drop")]
#[case(
    "when connect from 3 do max sessions 2",
    "when connect from 3 do max sessions 2"
)]
#[case(
    "when LIST every 3 user bob do delay 2s times 2",
    "when LIST every 3 user \"bob\" do delay 2000ms times 2"
)]
#[case(
    "when STOR path *.iso session 4 do full at 10 552",
    "when STOR path \"*.iso\" session 4 do full at 10 552"
)]
#[case(
    "when STOR do reply 550 No,  not \"now\" times 3",
    "when STOR do reply 550 \"No,  not \\\"now\\\"\" times 3"
)]
#[case(
    "when NOOP do reply 200 \"a times 3\"",
    "when NOOP do reply 200 \"a times 3\""
)]
#[case(
    "when STOR do reply 226 \"a\\nb\\t\\\\\\x1b\\xe9\\\"\"",
    "when STOR do reply 226 \"a\\nb\\t\\\\\\x1b\\xe9\\\"\""
)]
#[case("when STOR do lines a\\nb", "when STOR do lines \"a\\\\nb\"")]
#[case("when upload do wrong last line", "when upload do wrong last line")]
#[case(
    "when PASV do wrong address 10.0.0.1",
    "when PASV do wrong address 10.0.0.1"
)]
#[case("when PASV do wrong port times 1", "when PASV do wrong port times 1")]
#[case(
    "when download do slow 10 octets/s",
    "when download do slow 10 octets/s"
)]
#[case(
    "when download do slow storage 10ms",
    "when download do slow storage 10ms"
)]
#[case(
    "when handshake do certificate unknown-ca",
    "when handshake do certificate unknown-CA"
)]
fn a_line_is_read_and_written(#[case] line: &str, #[case] canonical: &str) {
    let fault: Fault = line.parse().unwrap();
    assert_eq!(fault.to_string(), canonical);
    assert_eq!(canonical.parse(), Ok(fault));
}

/// The syntax of each row with values in it, wherever it may stand.
#[test]
fn every_action_is_read_as_its_row_says_and_written_back() {
    let whats: Vec<Trigger> = [
        "connect",
        "login",
        "handshake",
        "data",
        "FEAT",
        "PASV",
        "EPSV",
        "AUTH",
        "QUIT",
        "STOR",
    ]
    .into_iter()
    .map(|name| Trigger::named(name).unwrap())
    .collect();
    for row in ACTIONS {
        let filled = row.syntax.replace("CODE", "500").replace("TIME", "20ms");
        let filled = filled
            .replace("KIND", "expired")
            .replace("ADDRESS", "10.1.2.3");
        let filled = filled.replace(" N", " 7").replace("[N", "[7");
        let bare = filled.split(" [").next().unwrap();
        let whole = filled.replace(['[', ']'], "");
        assert!(
            whats.iter().any(|what| row.scope.holds(*what)),
            "{}",
            row.syntax
        );
        for what in &whats {
            for action in [bare, &whole] {
                let read = format!("when {what} do {action} times 2").parse::<Fault>();
                assert_eq!(
                    read.is_ok(),
                    row.scope.holds(*what),
                    "{what} {action} {read:?}"
                );
                if let Ok(fault) = read {
                    assert_eq!(fault.times, Some(2), "{action}");
                    assert_eq!(fault.to_string().parse(), Ok(fault), "{action}");
                }
            }
        }
    }
}

#[rstest]
#[case("", 0..0, None)]
#[case("wen RETR do drop", 0..3, Some("when"))]
#[case("when RETRR do drop", 5..10, Some("RETR"))]
#[case("when conect do drop", 5..11, Some("connect"))]
#[case("when RETR nht 2 do drop", 10..13, Some("nth"))]
#[case("when RETR nth 0 do drop", 14..15, None)]
#[case("when RETR nth 1 every 2 do drop", 16..21, None)]
#[case("when RETR", 9..9, None)]
#[case("when RETR do", 12..12, None)]
#[case("when RETR do reste at 1", 13..18, Some("reset at N"))]
#[case("when RETR do missing 227", 13..20, Some("missing 226"))]
#[case("when RETR do reset 1", 19..20, None)]
#[case("when RETR do reset at many", 22..26, None)]
#[case("when RETR do drop it", 18..20, None)]
#[case("when RETR do drop time 2", 18..22, Some("times"))]
#[case("when RETR do delay 5", 19..20, None)]
#[case("when RETR do delay 2h", 19..21, None)]
#[case("when NOOP do reset at 1", 13..18, None)]
#[case("when handshake do certificate expird", 30..36, Some("expired"))]
#[case("when connect user bob do drop", 5..12, None)]
#[case("when RETR do reply 150 Hello", 19..22, None)]
#[case("when RETR do reply 550 \"open", 23..28, None)]
#[case("when RETR do reply 550 \"open\\", 23..29, None)]
#[case("when RETR do reply 550 \"a\\q\" times 2", 25..27, Some("\\\\q"))]
#[case("when RETR do reply 550 \"a\\x1\" times 2", 25..27, None)]
#[case("when RETR do reply 550 \"\\xe9\\xé\"", 28..30, None)]
#[case("when RETR do reply 550 \"a\\rb\" times 2", 23..29, None)]
#[case("when RETR do reply 550 \"a\\x00b\"", 23..31, None)]
#[case("when FEAT do advertise \"a\\nb\" times 2", 23..29, None)]
#[case("when RETR user \"\\xe9\" do drop", 15..21, None)]
fn what_is_wrong_is_pointed_at(
    #[case] line: &str,
    #[case] at: std::ops::Range<usize>,
    #[case] suggestion: Option<&str>,
) {
    let error = line.parse::<Fault>().unwrap_err();
    assert_eq!(
        (error.at.clone(), error.suggestion.as_deref()),
        (at, suggestion),
        "{error}"
    );
}

#[test]
fn an_error_shows_the_place() {
    let error = "when RETRR do drop".parse::<Fault>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "column 6: expected a verb or an event; did you mean `RETR`?\n  when RETRR do drop\n       ^^^^^"
    );
}

#[test]
fn toml_is_the_same_plan() {
    let text = "
        [[fault]]
        when = \"RETR\"
        nth = 2
        do = \"reset at 4096\"

        [[fault]]
        when = \"upload\"
        path = '/a b/*'
        user = \"bob\"
        do = \"reply 550 No.\"
        times = 3
    ";
    let lines = "
        # the same
        when RETR nth 2 do reset at 4096
        when upload path \"/a b/*\" user bob do reply 550 No. times 3
    ";
    assert_eq!(
        Plan::from_toml(text).unwrap(),
        Plan::of_lines(lines).unwrap()
    );
}

#[rstest]
#[case(
    "[[fault]]\nwen = \"RETR\"\ndo = \"drop\"",
    "fault 1: there is no key `wen`; did you mean `when`?"
)]
#[case(
    "[[fault]]\nwhen = \"RETR\"\nnth = 1.5\ndo = \"drop\"",
    "fault 1: `nth` is a text or a number"
)]
#[case(
    "[fault]\nwhen = \"RETR\"",
    "`fault` is not part of a fault plan; each fault is a [[fault]] table"
)]
#[case(
    "[[fault]]\nwhen = \"RETRR\"\ndo = \"drop\"",
    "fault 1: column 6: expected a verb or an event; did you mean `RETR`?\n  when RETRR do drop\n       ^^^^^"
)]
fn wrong_toml_is_told(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(Plan::from_toml(text).unwrap_err().to_string(), expected);
}

/// Which of these lines are injected, as a word of `x` and `.`.
fn injected(fault: &str, events: &[(u64, &str)]) -> String {
    let faults = Faults::new(Plan::of_lines(fault).unwrap()).unwrap();
    let mut users = std::collections::HashMap::<u64, Vec<u8>>::new();
    let locate = |pathname: &[u8]| VirtualPath::root().join(b"d").unwrap().join(pathname).ok();
    let strike = |(session, line): &(u64, &str)| {
        let user = users.entry(*session).or_default();
        let event = match *line {
            "connect" => FaultEvent::Connect,
            "handshake" => FaultEvent::Handshake,
            line => FaultEvent::Line(line.as_bytes()),
        };
        let injected = !faults.injections(event, *session, user, locate).is_empty();
        if injected { 'x' } else { '.' }
    };
    events.iter().map(strike).collect()
}

#[rstest]
#[case("when NOOP do drop", "xxxxxx")]
#[case("when NOOP nth 2 do drop", ".x....")]
#[case("when NOOP every 2 do drop", ".x.x.x")]
#[case("when NOOP from 3 do drop", "..xxxx")]
#[case("when NOOP from 3 do drop times 2", "..xx..")]
#[case("when NOOP session 2 nth 1 do drop", "...x..")]
#[case("when login do drop", "......")]
fn events_are_counted_over_the_server(#[case] fault: &str, #[case] expected: &str) {
    let events: Vec<_> = (0..6).map(|number| (1 + number / 3, "noop")).collect();
    assert_eq!(injected(fault, &events), expected);
}

#[rstest]
#[case("when data do drop", ".....xxx.x")]
#[case("when login do drop", "...x......")]
#[case("when connect do drop", "x.........")]
#[case("when handshake do plaintext", ".x........")]
#[case("when data user bob do drop", ".....xxx.x")]
#[case("when data user ann do drop", "..........")]
#[case("when USER user bob do drop", "..x.......")]
#[case("when data path *.txt do drop", ".....x....")]
#[case("when data path /d/sub/* do drop", "......x...")]
#[case("when listing path /d do drop", ".........x")]
#[case("when MFMT path *.txt do drop", "........x.")]
#[case("when upload do drop", "......x...")]
#[case("when download nth 2 do drop", ".......x..")]
fn events_are_told_apart(#[case] fault: &str, #[case] expected: &str) {
    let events = [
        "connect",
        "handshake",
        "USER bob",
        "PASS x",
        "NOSUCH",
        "RETR a.txt",
        "STOR sub/b",
        "RETR /c.txt.gz",
        "MFMT 20200101000000 a.txt",
        "LIST -la",
    ]
    .map(|line| (1, line));
    assert_eq!(injected(fault, &events), expected);
}

#[test]
fn no_plan_is_no_work() {
    assert!(Faults::new(Plan::new()).is_none());
}

#[test]
fn the_description_names_every_action_and_event() {
    let text = describe();
    for row in ACTIONS {
        assert!(
            text.contains(row.syntax) && text.contains(row.help),
            "{}",
            row.syntax
        );
    }
    for (name, ..) in Trigger::NAMED {
        assert!(text.contains(name));
    }
}

#[test]
fn an_action_finds_its_row_and_only_storage_faults_need_the_server() {
    for (line, syntax, works) in [
        ("when RETR do reset at 4096", "reset at N", true),
        ("when RETR do slow 9 octets/s", "slow N octets/s", true),
        ("when RETR do slow storage 10ms", "slow storage TIME", false),
        ("when STOR do full at 9 552", "full at N [552]", false),
        ("when FEAT do no text", "no text", true),
        ("when QUIT do no close_notify", "no close_notify", true),
    ] {
        let fault: Fault = line.parse().unwrap();
        let row = fault.action.row().unwrap();
        assert_eq!((row.syntax, row.works_in_proxy()), (syntax, works));
    }
    let help = describe_for_proxy();
    assert!(
        help.contains("reset at N") && !help.contains("slow storage"),
        "{help}"
    );
    assert!(!help.contains("work on files"), "{help}");
}
