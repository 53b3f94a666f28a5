//! Runs `ftpspec serve`.

use super::args::{self, AlpnChoice, LinksChoice, Required, Reuse, Serve, TlsChoice, Version};
use crate::cli::exit_code::{CommandError, ExitCode};
use crate::cli::serve;
use crate::cli::signals::StopSignals;

impl Serve {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, CommandError> {
        Ok(serve_until_interrupted(self).await)
    }
}

async fn serve_until_interrupted(wish: Serve) -> ExitCode {
    if wish.list_faults {
        return match serve::list_faults() {
            Ok(()) => ExitCode::Success,
            Err(_) => ExitCode::Failure,
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

fn told(outcome: std::io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            eprintln!("serve: {error}");
            ExitCode::Usage
        }
    }
}

fn serve_wish(wish: Serve) -> serve::Wish {
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

fn tls_rules(wish: args::TlsRules) -> serve::TlsRules {
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
