//! Settings files: what is read and printed, and how errors are reported.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::form::{Form, Section};
use super::value::Value;
use super::*;

use rstest::rstest;

/// The path of each key of the format, as `table.key`.
#[derive(Default)]
struct Keys {
    way: String,
    found: Vec<String>,
}

impl Keys {
    fn of(section: &mut impl Section) -> Vec<String> {
        let mut keys = Self::default();
        section.fill(&mut keys);
        keys.found
    }

    fn way(&self, key: &str) -> String {
        match self.way.as_str() {
            "" => key.to_owned(),
            way => format!("{way}.{key}"),
        }
    }

    fn inner(&mut self, key: &str, section: &mut impl Section) {
        let way = self.way(key);
        let before = std::mem::replace(&mut self.way, way);
        section.fill(self);
        self.way = before;
    }
}

impl Form for Keys {
    fn value<T: Value>(&mut self, key: &'static str, _: &mut T) {
        self.found.push(self.way(key));
    }
    fn table<T: Section>(&mut self, key: &'static str, table: &mut T) {
        self.inner(key, table);
    }
    fn optional<T: Section + Default>(&mut self, key: &'static str, _: &mut Option<T>) {
        self.inner(key, &mut T::default());
    }
    fn tables<T: Section + Default>(&mut self, key: &'static str, _: &mut Vec<T>) {
        self.inner(key, &mut T::default());
    }
    fn pairs(
        &mut self,
        key: &'static str,
        _: &mut Vec<(String, String)>,
        _: fn(&str, &str) -> Result<(), String>,
    ) {
        self.found.push(self.way(key));
    }
}

#[test]
fn every_limit_is_a_key() {
    let shown = format!("{:#?}", Limits::default());
    let fields = shown.lines().filter_map(|line| {
        let (field, _) = line.strip_prefix("    ")?.split_once(':')?;
        (!field.starts_with(' ')).then_some(field)
    });
    assert!(fields.eq(Keys::of(&mut Limits::default())));
}

fn problems(text: &str) -> Vec<String> {
    match Settings::parse(text) {
        Ok(_) => Vec::new(),
        Err(SettingsError::Wrong(problems)) => problems
            .iter()
            .map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message))
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

const EXAMPLE: &str = include_str!("../../examples/ftpspec.toml");

#[test]
fn the_example_is_read_and_explains_every_key() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ftpspec.toml");
    let settings = Settings::read(&example).unwrap();
    assert!(!settings.users.is_empty() && settings.anonymous.is_some());
    for way in Keys::of(&mut Settings::default()) {
        let key = way.rsplit('.').next().unwrap();
        let mut lines = EXAMPLE
            .lines()
            .map(|line| line.trim_start_matches(['#', ' ', '[']));
        let found = lines.any(|line| {
            let rest = line.strip_prefix(key);
            rest.is_some_and(|rest| rest.starts_with([' ', ']']))
        });
        assert!(found, "{way} is not in the example");
    }
}

/// Removes the `#` of each line that is commented out, and of the whole table below such a header.
#[test]
fn what_is_commented_out_in_the_example_is_right_too() {
    let is_setting = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ") && key.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
    };
    let mut below_a_header = 0;
    for (number, line) in EXAMPLE.lines().enumerate() {
        let Some(line) = line.strip_prefix("# ") else {
            below_a_header = 0;
            continue;
        };
        if line.starts_with("[[") {
            below_a_header = 1;
        } else if below_a_header > 0 {
            below_a_header += 1;
        } else if !is_setting(line) {
            continue;
        }
        let mut lines: Vec<&str> = EXAMPLE.lines().collect();
        for line in &mut lines[number + 1 - below_a_header.max(1)..=number] {
            *line = line.strip_prefix("# ").unwrap();
        }
        let wrong = problems(&lines.join("\n"));
        // Some exclude or require each other, but every key and kind of value is valid.
        let unknown = |wrong: &&String| {
            wrong.contains("there is no") || wrong.contains("expected") && below_a_header == 0
        };
        assert_eq!(wrong.iter().find(unknown), None, "{line}");
    }
}

/// Every key, each with a value other than its default.
const ALL: &str = r#"
listen = ["127.0.0.1:0", "[::1]:0"]
listen_implicit = ["127.0.0.1:0"]
greeting = "Hello \"there\"\nand welcome."
proxy_protocol_from = ["10.0.0.0/8", "::1"]
disable = ["port", "SITE CHMOD"]
list_options = false
ascii_conversion = false
active_source_port = "control-1"
noop_in_transfer = "at_once"
restart_markers = "64 KiB"
language_of_names = "de"
journal = "journal.jsonl"
faults = ["when RETR nth 2 do reset at 4096"]

[storage]
seed = "seed"
quota = "3 GiB"

[tls]
mode = "implicit"
required = "data"
lowest = "1.3"
certificate = "chain.pem"
key = "key.pem"
names = ["ftp.example.org"]
client_authorities = "ca.pem"
client_certificates = "optional"
session_reuse = "require"
alpn = "required"
close_notify = "lenient"
key_log = "keys"
allow_ccc = true
[[tls.host]]
name = "a.example"
[[tls.host]]
name = "b.example"
certificate = "b.pem"
key = "b.key"

[passive]
ports = ["50000-50009", "50020", "50030-50031 as 31000"]
address = "203.0.113.5"
shared = true

[limits]
sessions = 7
sessions_per_address = 3
sessions_per_user = "unlimited"
failed_logins = 9
login_delay = "1s"
session = "2h"
idle = "1h 30m"
data_stall = "1500ms"
ascii_size = "unlimited"

[media_types]
txt = "text/plain"
"tar.gz" = "application/gzip"

[anonymous]
names = ["guest"]
permissions = "drop-box"
root = "incoming"
quota = "10 MiB"
sessions = 3

[[user]]
name = "alice"
password_hash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
permissions = ["read", "list", "append"]
root = "/home/alice"
home = "/in"
quota = 1000
upload_rate = "64 KiB"
download_rate = "1 MB"
allowed_hosts = ["192.0.2.0/24"]
sessions = 2
tls_required = "data"

[[user]]
name = "bob"
any_password = true
directory = "bob"
certificates = ["cn:bob", "email:bob@example.org", "dns:bob.example", "uri:urn:bob", "sha256:abababababababababababababababababababababababababababababababab"]

[[host]]
name = "ftp.example.org"
greeting = "Hello."
[host.storage]
overlay = "below"
[host.anonymous]
[[host.user]]
name = "carol"
certificates = ["cn:carol"]

[[fault]]
when = "LIST"
nth = 3
path = "a \"b"
do = "reset at 1"
"#;

#[test]
fn what_is_printed_is_read_as_the_same() {
    let settings = Settings::parse(ALL).unwrap();
    assert_eq!(settings.faults.len(), 2);
    assert_eq!(settings.limits.data_stall.as_millis(), 1500);
    let printed = settings.to_toml();
    assert_eq!(Settings::parse(&printed).unwrap(), settings, "{printed}");
    let usual = Settings::default();
    assert_eq!(Settings::parse(&usual.to_toml()).unwrap(), usual);
}

#[test]
fn a_password_is_neither_printed_nor_shown_and_a_comment_says_so() {
    let text = "[[user]]\nname = \"alice\"\npassword = \"s3cret\"\n";
    let printed = Settings::parse(text).unwrap().to_toml();
    assert!(
        !printed.contains("s3cret")
            && printed.contains("# password: there is one; it is not printed")
    );
    let again = problems(&printed);
    assert!(
        again.len() == 1 && again[0].contains("nobody could log in"),
        "{again:?}"
    );
    for wrong in [
        "password = [\"s3cret\"]",
        "password = \"s3cret\" x",
        "user = { password = 5, name = \"s3cret\" }",
    ] {
        let error = Settings::parse(&text.replace("password = \"s3cret\"", wrong)).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn a_mistake_is_shown_with_its_place_and_a_suggestion() {
    let text = "port = 2121\n\n[passive]\nadress = \"203.0.113.5\"\n";
    let error = Settings::parse(text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "settings:4:1: there is no key `adress` here; did you mean `address`?\n  |\n4 | adress = \"203.0.113.5\"\n  | ^^^^^^"
    );
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_the_file() {
    let text =
        "prot = 1\nlisten = \"x\"\n[limits]\nidle = 5\nsessions = -1\n[[user]]\nname = \"a\"\n";
    let nobody = "nobody could log in: give a `password_hash` (ftpspec serve --hash-password), a `password`, \
                  `certificates`, or `any_password = true`";
    assert_eq!(
        problems(text),
        [
            "1:1 there is no key `prot` here; did you mean `port`?",
            "2:10 expected a list, found a text",
            "4:8 expected a duration such as \"30s\" or \"5m\", found a number",
            "5:12 expected a number or \"unlimited\": that is too large or too small",
            &format!("7:8 {nobody}"),
        ]
    );
}

#[rstest]
#[case("tls = 1", "1:7 expected a table, found a number")]
#[case("user = 1", "1:8 expected [[user]] tables, found a number")]
#[case(
    "port = 65536",
    "1:8 expected a number: that is too large or too small"
)]
#[case(
    "disable = [\"LISTT\"]",
    "1:12 there is no verb \"LISTT\"; did you mean `LIST`?"
)]
#[case(
    "disable = [\"SITE CHMO\"]",
    "1:12 there is no verb \"SITE CHMO\"; did you mean `CHMOD`?"
)]
#[case(
    "without = [\"LIST\"]",
    "1:1 the key `without` is now called `disable`"
)]
#[case(
    "balancers = []",
    "1:1 the key `balancers` is now called `proxy_protocol_from`"
)]
#[case("faults = [\"when RETR\"]", "1:11 ")]
#[case(
    "language_of_names = \"e n\"",
    "1:21 expected a language tag, such as \"en\""
)]
#[case(
    "restart_markers = 0",
    "1:19 expected at least one octet between two markers"
)]
#[case(
    "port = 1\nlisten = [\"[::]:1\"]",
    "1:8 `port` is for the loopback addresses"
)]
#[case(
    "[tls]\nmode = \"explict\"",
    "2:8 expected \"off\", \"explicit\" or \"implicit\"; did you mean `explicit`?"
)]
#[case("[tls]\nkey = \"k\"", "2:7 a key needs its `certificate`")]
#[case(
    "[tls]\nlowest = \"1.3\"\nhighest = \"1.2\"",
    "2:10 the lowest version is above the highest"
)]
#[case(
    "[tls]\nmode = \"off\"\nrequired = \"data\"",
    "3:12 what must be protected cannot be"
)]
#[case(
    "listen_implicit = [\"[::]:0\"]\n[tls]\nmode = \"off\"",
    "1:19 nobody is protected"
)]
#[case("[passive]\nports = [\"9-1\"]", "2:10 expected ports")]
#[case("[passive]\nports = [\"1-9 as 65530\"]", "2:10 expected ports")]
#[case("[passive]\nshared = true", "2:10 only named `ports` are shared")]
#[case(
    "active_source_port = 0",
    "1:22 expected \"any\", \"control-1\" or a port"
)]
#[case(
    "active_source_port = \"control\"",
    "1:22 expected \"any\", \"control-1\" or a port"
)]
#[case("[passive]\nports = []", "2:9 expected at least one port")]
#[case(
    "[storage]\nseed = \"a\"\noverlay = \"b\"",
    "2:8 files come from `overlay` or `seed`"
)]
#[case(
    "[storage]\nsync_uploads = true",
    "2:16 `sync_uploads` is for a `directory`"
)]
#[case(
    "[media_types]\n\".txt\" = \"text/plain\"",
    "2:10 an ending is written without its dot"
)]
#[case("[media_types]\ntxt = \"text\"", "2:7 expected a media type")]
#[case("[limits]\nsession = \"-5s\"", "2:11 expected a duration")]
#[case("[anonymous]\nquota = \"1 XB\"", "2:9 expected octets")]
#[case(
    "[anonymous]\nquota = \"1 GB\"",
    "2:9 a quota is for files of one's own"
)]
#[case(
    "[anonymous]\nupload_rate = 0",
    "2:15 expected at least one octet a second"
)]
#[case(
    "[anonymous]\nallowed_hosts = [\"10.0.0.0/33\"]",
    "2:18 expected an address, or"
)]
#[case(
    "[anonymous]\npermissions = \"read_only\"",
    "2:15 expected \"all\", \"read-only\""
)]
#[case(
    "[anonymous]\npermissions = [\"raed\"]",
    "2:16 there is no effect \"raed\"; did you mean `read`?"
)]
#[case(
    "[anonymous]\nroot = \"a\"\ndirectory = \"b\"",
    "3:13 files are below `root` or in a `directory`"
)]
#[case("[[user]]\npassword = \"x\"", "1:1 a user needs a `name`")]
#[case(
    "[[user]]\nname = \"a\"\npassword = \"x\"\nany_password = true",
    "3:12 `password`, `password_hash` and"
)]
#[case(
    "[[user]]\nname = \"a\"\npassword_hash = \"x\"",
    "3:17 expected an Argon2 hash"
)]
#[case(
    "[[user]]\nname = \"a\"\npassword = \"x\"\n[[user]]\nname = \"a\"\npassword = \"y\"",
    "1:1 there are two users \"a\""
)]
#[case("[[host]]\nname = \"a b\"", "2:8 a host needs a `name`")]
#[case(
    "[[host]]\nname = \"a\"\n[host.storage]\nquota = 1",
    "3:1 files of a host are for users of that host"
)]
#[case("[[fault]]\nwhen = \"RETR\"", "1:1 ")]
#[case("[[fault]]\nwhen = \"RETR\"\ndo = \"rset\"", "3:6 ")]
#[case("a = [", "1:6 this is no TOML")]
fn an_error_is_reported_with_its_place(#[case] text: &str, #[case] expected: &str) {
    let found = problems(text);
    assert!(
        found
            .first()
            .is_some_and(|first| first.starts_with(expected)),
        "{found:?}"
    );
}

#[test]
fn what_is_read_is_checked_and_what_is_changed_later_can_be() {
    let mut settings = Settings::parse(ALL).unwrap();
    assert_eq!(settings.check(), Vec::<String>::new());
    settings.tls.mode = TlsMode::Off;
    settings.hosts[0].users[0].name.clear();
    let wrong = settings.check();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(
        wrong.contains(&"host.user.name: a user needs a `name`".to_owned()),
        "{wrong:?}"
    );
}

#[test]
fn sizes_are_read_in_all_units_and_written_exactly() {
    for (text, octets) in [
        ("4096", 4096),
        ("64 KiB", 65_536),
        ("64kib", 65_536),
        ("10 MB", 10_000_000),
        ("3GiB", 3 << 30),
        ("unlimited", u64::MAX),
    ] {
        let size: Size = text.parse().unwrap();
        assert_eq!(size.0, octets, "{text}");
        assert_eq!(size.to_string().parse::<Size>().unwrap(), size);
    }
    for wrong in [
        "",
        "KiB",
        "-1",
        "1.5 GiB",
        "1 XiB",
        "99999999999999999999",
        "99999999 TiB",
    ] {
        assert!(wrong.parse::<Size>().is_err(), "{wrong}");
    }
}

#[test]
fn paths_and_files_of_users_are_relative_to_the_file_that_names_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ftpspec.toml");
    std::fs::create_dir(directory.path().join("more")).unwrap();
    std::fs::write(
        &file,
        "users = \"more/users.toml\"\n[storage]\nseed = \"seed\"\n",
    )
    .unwrap();
    let users = directory.path().join("more/users.toml");
    std::fs::write(
        &users,
        "[[user]]\nname = \"a\"\nany_password = true\ndirectory = \"a\"\n",
    )
    .unwrap();
    let settings = Settings::read(&file).unwrap();
    assert_eq!(settings.storage.seed, Some(directory.path().join("seed")));
    assert_eq!(
        settings.users[0].account.directory,
        Some(directory.path().join("more/a"))
    );

    std::fs::write(&users, "[[user]]\nnam = \"a\"\n").unwrap();
    let error = Settings::read(&file).unwrap_err().to_string();
    assert!(
        error.contains("users.toml:2:1: there is no key `nam`"),
        "{error}"
    );
    std::fs::remove_file(&users).unwrap();
    let error = Settings::read(&file).unwrap_err().to_string();
    assert!(
        error.starts_with("failed to read ") && error.contains("users.toml"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_missing_not_text_or_too_large_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ftpspec.toml");
    let refused = || match Settings::read(&file) {
        Err(SettingsError::Read { source, .. }) => source.kind(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(), io::ErrorKind::NotFound);
    std::fs::write(&file, b"greeting = \"\xff\"").unwrap();
    assert_eq!(refused(), io::ErrorKind::InvalidData);
    std::fs::write(&file, "#".repeat(LARGEST_FILE as usize + 1)).unwrap();
    assert_eq!(refused(), io::ErrorKind::FileTooLarge);
    std::fs::write(&file, "#".repeat(LARGEST_FILE as usize)).unwrap();
    Settings::read(&file).unwrap();
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_panic(text in "[ -~\u{e9}\t\n]{0,200}") {
        let _ = Settings::parse(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn no_cut_of_the_example_is_a_panic(cut in 0..EXAMPLE.len()) {
        if let Some(text) = EXAMPLE.get(..cut) {
            let _ = Settings::parse(text).map_err(|error| error.to_string());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_to_listen_on_may_have_a_zone() {
    let settings = |zone| Settings::parse(&format!("listen = [\"[fe80::1%{zone}]:1\"]"));
    let SocketAddr::V6(address) = settings("lo").unwrap().listen[0] else {
        panic!("it is an IPv6 address");
    };
    assert_ne!(address.scope_id(), 0);
    let error = settings("no-such").unwrap_err().to_string();
    assert!(error.contains("no network interface `no-such`"), "{error}");
}
