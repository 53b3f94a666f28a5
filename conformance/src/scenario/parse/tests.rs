//! The grammar, statement by statement.
#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use proptest::prelude::*;
use rstest::rstest;

use super::super::*;
use super::parse;

pub(super) const FRONT: &str = r#"+++
title  = "A claim"
cites  = ["RFC 959 §5.4"]
covers = ["959-x"]
level  = "must"
+++
"#;

fn with_front(dialogue: &str) -> Result<Scenario, Vec<Diagnostic>> {
    parse(ScenarioId("test".into()), &format!("{FRONT}{dialogue}"))
}

/// The dialogue in canonical layout.
fn canonical(dialogue: &str) -> String {
    let scenario = with_front(dialogue).unwrap();
    scenario
        .steps
        .iter()
        .map(Step::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The errors, each with its place.
pub(super) fn problems_in(dialogue: &str) -> Vec<String> {
    let text = format!("{FRONT}{dialogue}");
    let found = parse(ScenarioId("test".into()), &text).unwrap_err();
    found
        .iter()
        .map(|found| format!("{} at `{}`", found.message, &text[found.span.clone()]))
        .collect()
}

/// Statements that are in canonical layout already.
#[rstest]
#[case("> TYPE I")]
#[case("> SITE  two  blanks ")]
#[case(">")]
#[case("B> USER ${user} $${x}")]
#[case("Other> NOOP")]
#[case("< 200")]
#[case("< 125 | 150 | 2yz")]
#[case("< 257 \"${made}\"*")]
#[case(r"< 230 \* \ literal\?")]
#[case("< 227 /(?<address>\\d+(,\\d+){5})/")]
#[case("B< 50z no such *")]
#[case("< 211-*\n< ...\n<  REST STREAM\n< ...\n< 211 End")]
#[case("B< 214-First\nB<\nB<  x\nB< 214 *")]
#[case("< 2yz-*\n< ...\n< 2yz End\n!should 211")]
#[case("< 250 | 226\n!should 226 Done*\n!ends 534 | 50z")]
#[case("< 425\n!should 425 x\n!after 125 | 150\n!ends 226\nB< 421\nB!after 5yz")]
#[case(r#"@raw "\xff\xf4\xf2ABOR\r\n""#)]
#[case(r#"@segment "NO" "OP\r" "\n""#)]
#[case(r#"@bytewise "NOOP\r\n" + repeat("a", 3)"#)]
#[case("@silent 200ms\n@silent 2s")]
#[case("@closed\n@alive\nB@open\nB@login\n@login\n@drop\n@clear")]
#[case("@tls\n!ends\nB@tls 1.3\nB!ends")]
#[case("@tls\n@tls 1.2\n@tls 1.3")]
#[case("@data\n@data PASV\n@data EPSV\n@data PORT\n@data EPRT")]
#[case(
    "@listen\n@connect\n@stale-port\n@third-party\n@refused\n@handshake\n@close\n@reset\n@eof\n@nodata"
)]
#[case(r#"@send pattern(70000)[4096..] + "x"[..1] + ${user} + crlf("a\nb")[1..2]"#)]
#[case("@write pattern(5)")]
#[case("@read 100")]
#[case("@receive *")]
#[case(r#"@receive "456789""#)]
#[case("@receive /^total \\d+ \"x\"/")]
#[case("@receive lines")]
#[case(r#"@receive lines "a b" "c""#)]
#[case(r#"@receive has "*;type=\"file\"; \\x" "/^a b$/""#)]
#[case(r#"@receive once "*a.txt" "/ b$/""#)]
#[case(r#"@receive hasnot "* .." "*/..""#)]
#[case(r#"@receive zlib "456789""#)]
#[case(r#"@receive zlib lines "a b" "c""#)]
#[case("@receive zlib *")]
#[case("@receive blocks pattern(70000)")]
#[case(r#"@receive compressed "a" + repeat("b", 9)"#)]
#[case("@receive zlib /^a$/")]
#[case(r#"@given numbers.bin "0123456789""#)]
#[case("@given dir/")]
#[case("@given \"my dir/\"\n@given sub/file pattern(1)")]
#[case("@stored \"a \\\"b\\\"\" pattern(3)\n@missing a\\b\n@missing -rf")]
#[case(r#"@put a "x""#)]
#[case(r#"@append a "x""#)]
#[case(r#"@get a "xx""#)]
#[case(r#"@resume a 1 "x""#)]
#[case("@names\n@names a \"b c\" d")]
#[case("@repeat 50\n> MKD d-${turn}\nB< 257\n@end\n@alive")]
#[case("@names d-${1..50} x${01..9}.txt\n@list ${user}-${0..3}")]
#[case(r#"@receive dated a.txt ${modify} "b c" 20020717210714"#)]
#[case("@list a\n@size a 2\n@rename a b\n@delete b\n@mkdir d\n@cwd d\n@rmdir ../d")]
#[case("@fails get a\n@fails size a\n@fails resume a 3\n@fails delete \"no body\"")]
#[case("@fails put /x \"y\"")]
fn a_statement_is_written_as_it_was_read(#[case] dialogue: &str) {
    assert_eq!(canonical(dialogue), dialogue);
}

#[rstest]
#[case::codes("<125|150   text  ", "< 125 | 150 text")]
#[case::indent("  @alive  ", "@alive")]
#[case::pieces("@raw   \"a\"+\"b\"", "@raw \"a\" + \"b\"")]
#[case::escapes(r#"@raw "\x41\x0a\x24{a}""#, r#"@raw "A\n$${a}""#)]
#[case::names("@missing \"plain\"", "@missing plain")]
#[case::failing("@fails @get a", "@fails get a")]
#[case::block_without_texts("< 211-\n< 211", "< 211-*\n< 211 *")]
#[case::comments(
    "# one\n\n@alive\n  # two\n< 211-*\n# three\n\n< 211 End",
    "@alive\n< 211-*\n< 211 End"
)]
#[case::line_ends("@alive\r\n> NOOP\r\n", "@alive\n> NOOP")]
#[case::time("@silent 1000ms", "@silent 1s")]
fn spelling_has_one_canonical_form(#[case] dialogue: &str, #[case] expected: &str) {
    assert_eq!(canonical(dialogue), expected);
}

#[rstest]
#[case::no_sigil("NOOP", "a statement begins with `>`, `<`, `@` or `!` at `NOOP`")]
#[case::lower_name(
    "b> NOOP",
    "the name of a control connection begins with a capital letter at `b`"
)]
#[case::no_blank(">NOOP", "put a blank between `>` and the line at `N`")]
#[case::control("> a\u{7}b", "control characters are not allowed here at `\u{7}`")]
#[case::variable("> a ${1}", "`${` does not begin a variable here at `${`")]
#[case::no_code("<", "a reply code is missing here at ``")]
#[case::bad_code(
    "< 20 ok",
    "`20` is not a reply code: three digits, `50z` or `5yz` at `20`"
)]
#[case::bad_second(
    "< 200 | 1000",
    "`1000` is not a reply code: three digits, `50z` or `5yz` at `1000`"
)]
#[case::block_of_two("< 211 | 214-x", "a reply of several lines has one code at `214-x`")]
#[case::open_block(
    "< 211-x\n< a\n> NOOP",
    "this reply of several lines has no end at `< 211-x`"
)]
#[case::others_block(
    "< 211-x\nB< 211 x",
    "this reply of several lines has no end at `< 211-x`"
)]
#[case::regex(
    "< 200 /(/",
    "the regular expression is broken: unclosed group at `/(/`"
)]
#[case::lonely_wish(
    "> A\n!should 200",
    "`!should` must come right after a `<` at `!should 200`"
)]
#[case::others_wish(
    "< 200\nB!should 200",
    "`!should` must come right after a `<` at `B!should 200`"
)]
#[case::two_wishes(
    "< 200\n!should 200\n!should 201",
    "`!should` may appear once, before `!after` and `!ends` at `!should 201`"
)]
#[case::late_wish(
    "< 200\n!ends 500\n!should 201",
    "`!should` may appear once, before `!after` and `!ends` at `!should 201`"
)]
#[case::two_befores(
    "< 200\n!after 120\n!after 120",
    "`!after` may appear once, before `!ends` at `!after 120`"
)]
#[case::late_before(
    "< 200\n!ends 500\n!after 120",
    "`!after` may appear once, before `!ends` at `!after 120`"
)]
#[case::tls_wish(
    "@tls\n!should 200",
    "`!should` must come right after a `<` at `!should 200`"
)]
#[case::late_end(
    "@tls\n!ends 200",
    "`!ends` must come right after a `<` at `!ends 200`"
)]
#[case::no_wish("< 200\n!must 200", "this is not a line about a reply at `!must 200`")]
#[case::unknown("@recieve *", "there is no statement `@recieve` at `@recieve`")]
#[case::plain("@plain", "`@plain` was renamed to `@clear` at `@plain`")]
#[case::earlier("@earlier", "`@earlier` was renamed to `@stale-port` at `@earlier`")]
#[case::stranger(
    "@stranger",
    "`@stranger` was renamed to `@third-party` at `@stranger`"
)]
#[case::matters("< 200\n!matters", "`!matters` was renamed to `!impact` at `!matters`")]
#[case::main_open("@open", "the main connection is open already at `@open`")]
#[case::too_much("@alive # yes", "`# yes` is too much here at `# yes`")]
#[case::mode("@data pasv", "this is one of PASV, EPSV, PORT, EPRT at `pasv`")]
#[case::version("@tls 1.1", "this is one of 1.2, 1.3 at `1.1`")]
#[case::unit("@silent 200", "a time has a unit at `200`")]
#[case::patience("@silent 1801s", "the longest time is 30 minutes at `1801s`")]
#[case::too_many_names(
    "@names a${1..9999} b c",
    "a statement names at most 10000 names at `a${1..9999} b c`"
)]
#[case::range_in_quotes("@names \"${1..2}\"", "`${` does not begin a variable here at `${`")]
#[case::range_elsewhere("@mkdir ${1..2}", "`${` does not begin a variable here at `${`")]
#[case::no_time("@receive dated a.txt", "the time of this entry is missing at ``")]
#[case::no_content("@send", "octets are missing here at ``")]
#[case::word("@send patern(3)", "octets are missing here at `patern`")]
#[case::open_quote("@send \"abc", "the quote is not closed at `\"`")]
#[case::escape(r#"@send "a\q""#, r"this is not a valid escape at `\q`")]
#[case::hex(r#"@send "a\xf""#, r"two hexadecimal digits follow `\x` at `\x`")]
#[case::joined("@send \"a\"\"b\"", "`\"b\"` does not belong here at `\"a\"\"b\"`")]
#[case::dangling("@send \"a\" +", "octets are missing here at ``")]
#[case::backwards(
    "@send pattern(9)[5..4]",
    "the slice ends before it begins at `[5..4]`"
)]
#[case::beyond("@send \"abc\"[..4]", "there are only 3 octets to slice at `[..4]`")]
#[case::huge(
    "@send pattern(99999999999)",
    "the content is larger than 64 MiB at `pattern(99999999999)`"
)]
#[case::huge_unit(
    "@send repeat(\"ab\", 99999999)[..1]",
    "the content is larger than 64 MiB at `repeat(\"ab\", 99999999)[..1]`"
)]
#[case::overflow(
    "@read 99999999999999999999",
    "the number is too large at `99999999999999999999`"
)]
#[case::much("@read 99999999999", "`@read` reads 64 MiB at most at `99999999999`")]
#[case::open_regex("@receive /abc", "the regular expression is not closed at `/abc`")]
#[case::no_glob("@receive has name", "a glob in quotes is missing at `n`")]
#[case::given("@given name", "the octets of the file are missing at ``")]
#[case::given_both("@given name/ \"x\"", "a directory has no octets at `name/`")]
#[case::given_named("B@given a/", "`@given` uses the runner's own connection at `@given`")]
#[case::no_name("@delete", "a name is missing at ``")]
#[case::name(r#"@delete "\xff""#, r#"a name has to be UTF-8 at `"\xff"`"#)]
#[case::failing("@fails alive", "`alive` is not a user step at `alive`")]
fn a_broken_statement_says_what_and_where(#[case] dialogue: &str, #[case] expected: &str) {
    assert_eq!(problems_in(dialogue), [expected]);
}

#[test]
fn every_error_is_reported_not_only_the_first() {
    let found = problems_in("> A\n< 2000\n!should 200\n@alife\n\n@send\nnonsense\n< 200");
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[rstest]
#[case("")]
#[case("title = \"x\"\n")]
#[case("+++\ntitle = \"x\"\n")]
#[case("\n+++\n+++\n")]
fn without_front_matter_there_is_one_error(#[case] text: &str) {
    assert_eq!(parse(ScenarioId("test".into()), text).unwrap_err().len(), 1);
}

#[test]
fn every_key_of_the_front_matter_is_read() {
    let text = r#"+++
title = "A claim"
cites = ["RFC 959 §5.4", "RFC 1123 §4.1"]
covers = ["a", "b"]
level = "practice"
needs = ["REST STREAM"]
axes = ["tls", "data"]
login = false
barrier = false
drivers = ["raw", "suppaftp"]
profile = "security"
+++
@alive
"#;
    let about = parse(ScenarioId("x".into()), text).unwrap().about;
    assert_eq!(about.title, "A claim");
    assert_eq!(about.cites, ["RFC 959 §5.4", "RFC 1123 §4.1"]);
    assert_eq!(about.covers, ["a", "b"]);
    assert_eq!(about.level, Level::Practice);
    assert_eq!(about.needs, ["REST STREAM".into()]);
    assert_eq!(
        about.axes,
        Axes {
            data: true,
            tls: true
        }
    );
    assert_eq!((about.login, about.barrier), (false, false));
    assert_eq!(about.drivers, [DriverKind::Raw, DriverKind::Suppaftp]);
    assert_eq!(about.profile.as_deref(), Some("security"));
}

#[test]
fn what_the_front_matter_leaves_out_has_its_default() {
    let about = with_front("@alive").unwrap().about;
    assert_eq!((about.login, about.barrier), (true, true));
    assert_eq!(about.drivers, [DriverKind::Raw]);
    assert_eq!(about.axes, Axes::default());
    assert_eq!((about.needs.len(), about.profile), (0, None));
    let own = FRONT.replace("covers = [\"959-x\"]\n", "") + "@alive";
    let own = parse(ScenarioId("own".into()), &own).unwrap();
    assert_eq!(own.about.covers, Vec::<String>::new());
    let empty = FRONT.replace("\"959-x\"", "") + "@alive";
    assert_eq!(parse(ScenarioId("x".into()), &empty).unwrap_err().len(), 1);
}

#[test]
fn the_old_name_of_impact_is_refused_with_the_new_name() {
    let text = FRONT.replace("level", "matters = \"Why.\"\nlevel") + "@alive";
    let found = parse(ScenarioId("x".into()), &text).unwrap_err();
    assert_eq!(
        found[0].message,
        "the key `matters` was renamed to `impact`"
    );
}

#[test]
fn errors_are_drawn_with_what_was_probably_meant() {
    let text = r#"+++
title  = "Grüße"
cites  = "RFC 959 §5.4"
covers = ["959-x", 3]
level  = "shuold"
lgoin  = false
+++
> NOOP
< 200 | 20
@recieve "abc"
200 ok
"#;
    let found = parse(ScenarioId("x".into()), text).unwrap_err();
    insta::assert_snapshot!(render("scenarios/x.ftpt", text, &found, false), @r#"
    error: `cites` is a list of texts, not a text
     --> scenarios/x.ftpt:3:10
      |
    3 | cites  = "RFC 959 §5.4"
      |          ^^^^^^^^^^^^^^
      |
      = help: cites = ["…"]

    error: this is a text, not a value of type integer
     --> scenarios/x.ftpt:4:20
      |
    4 | covers = ["959-x", 3]
      |                    ^

    error: this is one of must, should, may, practice
     --> scenarios/x.ftpt:5:10
      |
    5 | level  = "shuold"
      |          ^^^^^^^^
      |
      = help: did you mean `should`?

    error: there is no key `lgoin`
     --> scenarios/x.ftpt:6:1
      |
    6 | lgoin  = false
      | ^^^^^
      |
      = help: did you mean `login`?

    error: `20` is not a reply code: three digits, `50z` or `5yz`
     --> scenarios/x.ftpt:9:9
      |
    9 | < 200 | 20
      |         ^^

    error: there is no statement `@recieve`
      --> scenarios/x.ftpt:10:1
       |
    10 | @recieve "abc"
       | ^^^^^^^^
       |
       = help: did you mean `@receive`?

    error: a statement begins with `>`, `<`, `@` or `!`
      --> scenarios/x.ftpt:11:1
       |
    11 | 200 ok
       | ^^^^^^
       |
       = help: a reply is expected with `< 200`
    "#);
}

#[test]
fn a_file_full_of_errors_is_answered_soon_and_briefly() {
    let text = format!("{FRONT}{}", "@alife\n".repeat(20_000));
    let found = parse(ScenarioId("x".into()), &text).unwrap_err();
    assert_eq!(found.len(), 100);
    assert_eq!(found[99].help.as_deref(), Some("… and 19900 more errors"));
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let text = format!("{FRONT}{}", "#\n".repeat(600_000));
    assert_eq!(parse(ScenarioId("x".into()), &text).unwrap_err().len(), 1);
}

#[test]
fn a_front_matter_that_is_too_large_is_not_read() {
    let text = format!("+++\nx = {}\n+++\n", "[".repeat(100_000));
    assert_eq!(parse(ScenarioId("x".into()), &text).unwrap_err().len(), 1);
}

#[test]
fn every_example_of_the_readme_parses() {
    let readme = include_str!("../../../../scenarios/README.md");
    let mut examples = 0;
    for block in readme.split("```\n").skip(1).step_by(2) {
        let text = match block.starts_with("+++") {
            true => block.to_owned(),
            false => format!("{FRONT}{block}"),
        };
        if let Err(found) = parse(ScenarioId("readme".into()), &text) {
            panic!("{}", render("README.md", &text, &found, false));
        }
        examples += 1;
    }
    assert!(examples >= 2, "the examples are found");
    // Every statement of the tables is one.
    for line in readme.lines().filter_map(|line| line.strip_prefix("| `@")) {
        let word = line
            .split(|next: char| !next.is_ascii_lowercase() && next != '-')
            .next()
            .unwrap();
        assert!(
            super::statement::names().any(|name| name == word),
            "@{word}"
        );
    }
    for name in super::statement::names() {
        assert!(
            readme.contains(&format!("`@{name}")),
            "@{name} is not in the README"
        );
    }
    for key in super::front::KEYS {
        assert!(
            readme.contains(&format!("`{key}")),
            "{key} is not in the README"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse(ScenarioId("x".into()), &text);
        let _ = with_front(&text);
    }

    #[test]
    fn anything_like_a_dialogue_is_read_or_refused(
        lines in prop::collection::vec(
            r#"([A-Za-z]?[><@!] ?)(raw|segment|send|receive|given|should|ends|has|lines|silent|fails|get)? ?[0-9|yz*?"\\/${}()\[\]+.a-dxü \-]{0,24}"#,
            0..8,
        )
    ) {
        let dialogue = lines.join("\n");
        if let Ok(scenario) = with_front(&dialogue) {
            let written: Vec<String> = scenario.steps.iter().map(Step::to_string).collect();
            let written = written.join("\n");
            prop_assert_eq!(canonical(&written), written);
        }
    }

    #[test]
    fn any_front_matter_is_read_or_refused(text in "[a-z\\[\\]\"=, \n.{}#+-]{0,60}") {
        let _ = parse(ScenarioId("x".into()), &format!("+++\n{text}\n+++\n@alive\n"));
    }
}
