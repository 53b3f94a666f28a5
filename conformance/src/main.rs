//! The `ftpspec` command.

mod cli;

use clap::Parser as _;
use cli::{
    AlpnChoice, Baseline, Cli, Command, CoverageFormat, Format, LinksChoice, Matrix, ReportVerb,
    Required, Reuse, Snapshot, TlsChoice, Version,
};
use ftpspec::command::signals::StopSignals;
use ftpspec::command::{self, CoverageWish, Fmt, Form, ReportFiles, ReportWish, check, serve};
use std::io::IsTerminal as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logs();
    let code = match cli.command {
        Command::Serve(wish) => in_runtime(serve_until_interrupted(*wish)),
        Command::Check(wished) => in_runtime(judge(
            wish(None, wished.url, wished.playing),
            wished.telling,
        )),
        Command::Run(wished) => in_runtime(judge(
            wish(Some(wished.files), wished.target, wished.playing),
            wished.telling,
        )),
        Command::Snapshot(Snapshot::Record(wished)) => {
            in_runtime(command::record_snapshots(snapshot_wish(wished)))
        }
        Command::Snapshot(Snapshot::Check(wished)) => {
            in_runtime(command::check_snapshots(snapshot_wish(wished)))
        }
        Command::Baseline(Baseline::Update(wished)) => {
            command::update_baseline(&command::BaselineWish {
                file: wished.file,
                from: wished.from,
                reason: wished.reason,
                strict: wished.strict,
                dry_run: wished.dry_run,
            })
        }
        Command::Diff(wished) => in_runtime(command::diff(command::DiffWish {
            a: wished.a,
            b: wished.b,
            json: wished.format == Format::Json,
            playing: wish(None, None, wished.playing),
        })),
        Command::List(wish) => {
            let form = match (wish.freeze, wish.format) {
                (true, _) => command::ListForm::Set,
                (false, Format::Json) => command::ListForm::Json,
                (false, Format::Human) => command::ListForm::Human,
            };
            command::list(&wish.patterns, &wish.set, form)
        }
        Command::Explain(wish) => in_runtime(async move { command::explain(&wish.id).await }),
        Command::Coverage(wish) => command::coverage(&CoverageWish {
            patterns: wish.patterns,
            form: match wish.format {
                CoverageFormat::Human => Form::Human,
                CoverageFormat::Json => Form::Json,
                CoverageFormat::Md => Form::Markdown,
            },
            uncovered: wish.uncovered,
            levels: wish.levels,
            require: wish.require,
        }),
        Command::Report(wish) => report(wish),
        Command::Selftest(wish) => in_runtime(command::selftest(&wish.patterns, wish.jobs)),
        Command::Lint(wish) => command::lint(&wish.paths),
        Command::Fmt(wish) => command::fmt(
            &wish.paths,
            match (wish.check, wish.json) {
                (true, _) => Fmt::Check,
                (false, true) => Fmt::Json,
                (false, false) => Fmt::Write,
            },
        ),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

fn report(wish: cli::ReportArgs) -> i32 {
    match wish.verb {
        Some(ReportVerb::Merge {
            from,
            output,
            strict,
        }) => command::merge_reports(&from, &output, strict),
        Some(ReportVerb::Schema) => command::report_schema(),
        None => command::report(&ReportWish {
            from: wish.from,
            files: report_files(wish.json, wish.files),
            strict: wish.strict,
            json: wish.format == Format::Json,
        }),
    }
}

fn report_files(json: Option<std::path::PathBuf>, wish: cli::Files) -> ReportFiles {
    ReportFiles {
        json,
        html: wish.html,
        junit: wish.junit,
        markdown: wish.md,
        github: wish.github,
    }
}

/// Logs go to stderr; `RUST_LOG` says how much.
fn logs() {
    use tracing_subscriber::EnvFilter;
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

fn in_runtime(work: impl Future<Output = i32>) -> i32 {
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // What still blocks a thread is of no use to anybody any more.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("ftpspec: failed to start: {error}");
            command::TROUBLE
        }
    }
}

async fn serve_until_interrupted(wish: cli::Serve) -> i32 {
    if wish.list_faults {
        return match serve::list_faults() {
            Ok(()) => 0,
            Err(_) => command::TROUBLE,
        };
    }
    if wish.hash_password {
        return told(serve::hash_password());
    }
    // First of all: from here on a signal ends the server, and not the process in the middle of
    // something.
    let stop = match StopSignals::listen() {
        Ok(stop) => stop,
        Err(error) => return told(Err(error)),
    };
    let print_config = wish.print_config;
    match serve_wish(wish).settings() {
        Ok(settings) if print_config => told(serve::print_config(&settings)),
        Ok(settings) => serve::serve(settings, stop).await,
        Err(error) => told(Err(error)),
    }
}

fn told(outcome: std::io::Result<()>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("serve: {error}");
            command::USAGE
        }
    }
}

fn serve_wish(wish: cli::Serve) -> serve::Wish {
    let users = wish.user.into_iter();
    let users = users.map(|user| match user.split_once(':') {
        Some((name, password)) => (name.to_owned(), Some(password.to_owned())),
        None => (user, None),
    });
    serve::Wish {
        config: wish.config,
        bind: wish.bind,
        port: wish.port,
        users: users.collect(),
        password: wish.password,
        anonymous: wish.anonymous,
        tls: wish.tls.map(|tls| match tls {
            TlsChoice::Off => serve::TlsMode::Off,
            TlsChoice::Explicit => serve::TlsMode::Explicit,
            TlsChoice::Implicit => serve::TlsMode::Implicit,
        }),
        certificate: wish.cert.zip(wish.key),
        tls_rules: tls_rules(wish.tls_rules),
        seed: wish.seed,
        root: wish.root,
        overlay: wish.overlay,
        quota: wish.quota,
        hide_dot_names: wish.hide_dot_names,
        links: wish.links.map(|links| match links {
            LinksChoice::Shown => serve::Links::Shown,
            LinksChoice::Followed => serve::Links::Followed,
            LinksChoice::Hidden => serve::Links::Hidden,
        }),
        disable: wish.disable,
        proxy_protocol_from: wish.proxy_protocol_from,
        passive_ports: wish.passive_ports,
        limits: serve::LimitsWish {
            sessions: wish.max_sessions,
            sessions_per_address: wish.max_per_ip,
            idle: wish.idle.map(std::time::Duration::from_secs),
            failed_logins: wish.login_attempts,
        },
        faults: wish.fault,
        fault_files: wish.fault_file,
        journal: wish.journal,
    }
}

fn tls_rules(wish: cli::TlsRules) -> serve::TlsRules {
    let version = |version| match version {
        Version::V1_2 => serve::TlsVersion::V1_2,
        Version::V1_3 => serve::TlsVersion::V1_3,
    };
    let demand = if wish.client_cert_optional {
        serve::ClientCertificates::Optional
    } else {
        serve::ClientCertificates::Required
    };
    serve::TlsRules {
        required: wish.tls_required.map(|required| match required {
            Required::None => serve::TlsRequirement::None,
            Required::Control => serve::TlsRequirement::Control,
            Required::Data => serve::TlsRequirement::ControlAndData,
        }),
        lowest: wish.tls_min.map(version),
        highest: wish.tls_max.map(version),
        clients: wish.client_ca.map(|authorities| (authorities, demand)),
        logins: wish.user_cert,
        reuse: wish.tls_reuse.map(|reuse| match reuse {
            Reuse::Off => serve::SessionReuse::Off,
            Reuse::Warn => serve::SessionReuse::Warn,
            Reuse::Require => serve::SessionReuse::Require,
        }),
        alpn: wish.alpn.map(|alpn| match alpn {
            AlpnChoice::Ignored => serve::Alpn::Ignored,
            AlpnChoice::Optional => serve::Alpn::Optional,
            AlpnChoice::Required => serve::Alpn::Required,
        }),
        key_log: wish.key_log,
        allow_ccc: wish.allow_ccc,
    }
}

/// What `check`, `run` and the others that play are asked for.
fn wish(
    files: Option<Vec<std::path::PathBuf>>,
    url: Option<String>,
    playing: cli::Playing,
) -> check::Wish {
    check::Wish {
        files,
        url,
        exec: playing.exec,
        user: playing.user,
        password: playing.password,
        ca: playing.ca,
        addresses: playing.address,
        implicit_port: playing.implicit_port,
        read_only: playing.read_only,
        path: playing.path,
        max_connections: playing.max_connections.map(usize::from),
        select: playing.select,
        sets: playing.set,
        variant: playing.variant,
        full: playing.matrix == Matrix::Full,
        profiles: playing.profile,
        jobs: playing.jobs,
        timeout: playing.timeout,
        ..check::Wish::default()
    }
}

async fn judge(wish: check::Wish, telling: cli::Telling) -> i32 {
    check::check(told_so(wish, telling)).await
}

fn told_so(wish: check::Wish, telling: cli::Telling) -> check::Wish {
    check::Wish {
        strict: telling.strict,
        baselines: telling.baseline,
        json: telling.format == Format::Json,
        part: telling.partition,
        outputs: report_files(telling.report_json, telling.files),
        transcripts: telling.transcripts,
        ..wish
    }
}

fn snapshot_wish(wished: cli::SnapshotArgs) -> command::SnapshotWish {
    command::SnapshotWish {
        directory: wished.dir,
        playing: wish(None, wished.url, wished.playing),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use rstest::rstest;

    fn asked(change: impl FnOnce(&mut check::Wish)) -> check::Wish {
        let mut wish = check::Wish {
            timeout: check::TIMEOUT,
            ..check::Wish::default()
        };
        change(&mut wish);
        wish
    }

    /// What a command asks for, as a shell and this program understand it.
    fn understood(command: &str) -> check::Wish {
        let words = shell_words::split(command).unwrap();
        let program = words.iter().position(|word| word == "ftpspec").unwrap();
        let wish = match Cli::try_parse_from(&words[program..]).unwrap().command {
            Command::Check(it) => told_so(wish(None, it.url, it.playing), it.telling),
            Command::Run(it) => told_so(wish(Some(it.files), it.target, it.playing), it.telling),
            other => panic!("{other:?}"),
        };
        check::Wish {
            // Whatever the environment of this test has.
            password: None,
            ..wish
        }
    }

    #[rstest]
    #[case::the_bundled_server(asked(|_| ()))]
    #[case::a_url(asked(|wish| wish.url = Some("ftp://anna@[::1]:2121/in%20box?x".into())))]
    #[case::files(asked(|wish| {
        wish.files = Some(vec!["my own/x.ftpt".into(), "y".into()]);
        wish.url = Some("ftps://localhost:2121".into());
    }))]
    #[case::a_command(asked(|wish| {
        wish.exec = Some("srv -p {port},{host} --name 'a b' \"$HOME\" `x`".into());
        wish.user = Some("-o'brien & söhne".into());
    }))]
    #[case::files_and_a_command(asked(|wish| {
        wish.files = Some(vec!["mine".into()]);
        wish.exec = Some("srv".into());
    }))]
    #[case::everything_else(asked(|wish| {
        wish.url = Some("ftp://localhost".into());
        wish.user = Some("anna".into());
        wish.ca = Some("~/my ca.pem".into());
        wish.implicit_port = Some(990);
        wish.path = Some("/tmp/!$x".into());
        wish.profiles = vec!["security".into(), "a b".into()];
        wish.max_connections = Some(2);
        wish.timeout = 0.25;
        wish.baselines = vec!["known.toml".into(), "other.toml".into()];
        wish.read_only = true;
        wish.strict = true;
    }))]
    fn the_command_that_plays_it_again_plays_the_same(#[case] asked: check::Wish) {
        let full = check::Wish {
            full: true,
            part: "hash:1/4".parse().ok(),
            jobs: Some(3),
            select: vec!["rfc959".into()],
            sets: vec!["core-1".into()],
            json: true,
            ..asked.clone()
        };
        let alone = check::Wish {
            select: vec!["rfc959/noop-says-200".into()],
            variant: Some("epsv tls".into()),
            ..asked
        };
        let command = full.reproduce("rfc959/noop-says-200", "epsv tls");
        assert_eq!(understood(&command), alone, "{command}");
    }

    #[test]
    fn the_command_that_plays_it_again_asks_the_environment_for_the_password() {
        let wish = asked(|wish| {
            wish.url = Some("ftp://anna:geheim@localhost".into());
            wish.password = Some("geheim".into());
        });
        let command = wish.reproduce("rfc959/noop-says-200", "pasv");
        assert!(!command.contains("geheim"), "{command}");
        assert!(command.starts_with("FTPSPEC_PASSWORD="), "{command}");
        let url = understood(&command).url;
        assert_eq!(url.as_deref(), Some("ftp://anna@localhost"));
    }
}
