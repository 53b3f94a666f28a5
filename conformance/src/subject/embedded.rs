//! The reference server as a target in this process.
//!
//! Besides the `serve` command, only this file and `server_tap` may use the server crate: the judge
//! must not share a parser with the server that it judges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use ftpspec_server::observe::tap::Tap;
use ftpspec_server::{Server, ServerBuilder, ServerHandle, Tls};

use super::Target;
use crate::driver::Trust;

/// The reference server, running in this process with an empty file system and every feature on.
#[derive(Debug)]
pub struct Embedded {
    running: ServerHandle,
    target: Arc<Target>,
}

impl Embedded {
    /// Starts the server on free loopback ports.
    ///
    /// # Errors
    /// If it cannot listen or create a certificate, as text.
    pub async fn start() -> Result<Self, String> {
        Self::start_from(Server::builder()).await
    }

    /// Like [`Self::start`], with a tap that observes what is on the wire.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with_tap(tap: impl Tap) -> Result<Self, String> {
        Self::start_from(Server::builder().tap(tap)).await
    }

    async fn start_from(builder: ServerBuilder) -> Result<Self, String> {
        let failed = |error: &dyn std::error::Error| match error.source() {
            Some(source) => format!("the reference server did not start: {error}: {source}"),
            None => format!("the reference server did not start: {error}"),
        };
        let (user, password) = ("ftpspec", "in the open");
        let builder = builder
            .user(user, password)
            .tls(Tls::explicit())
            .allow_ccc();
        let running = loopback()
            .into_iter()
            .map(|ip| SocketAddr::new(ip, 0))
            .fold(builder, |it, address_for| {
                it.bind(address_for).bind_implicit(address_for)
            })
            .start()
            .await
            .map_err(|error| failed(&error))?;
        let trust = match running.ca_pem() {
            Some(pem) => Trust::from_pem(pem.as_bytes())?,
            None => Trust::Anything,
        };
        let target = Arc::new(Target {
            user: user.into(),
            password: password.into(),
            trust,
            implicit: running.implicit_addresses().to_vec(),
            ..Target::at("localhost", running.addresses().to_vec())
        });
        Ok(Self { running, target })
    }

    /// The target: in clear and with implicit TLS, over IPv4 and, if the host has it, IPv6.
    #[must_use]
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Stops the server; running transfers may finish first.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// The loopback addresses of this host.
fn loopback() -> Vec<IpAddr> {
    let mut addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    let ipv6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    if TcpListener::bind((ipv6, 0)).is_ok() {
        addresses.push(ipv6);
    }
    addresses
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::driver::Timeouts;
    use crate::runner::testing::{FIRST, job, play_options};
    use crate::runner::{Job, Played, Selection, plan, play};
    use crate::scenario::{Connection, DriverKind, Protection};
    use crate::subject::probe;
    use crate::transcript::{CloseKind as How, End, Event, EventKind, Side};

    async fn played(server: &Embedded, job: Job) -> Played {
        let mut patient = play_options();
        patient.timeouts = Timeouts::default();
        play(job, server.target(), &patient).await
    }

    #[tokio::test]
    async fn the_reference_server_offers_every_feature() {
        let server = Embedded::start().await.unwrap();
        let facts = probe(server.target(), Timeouts::default()).await;
        assert_eq!(facts.problem, None);
        assert!(facts.auth_tls && facts.epsv && facts.eprt);
        assert!(facts.features.unwrap().contains(&"REST STREAM".to_owned()));
        server.stop().await;
    }

    #[tokio::test]
    async fn private_data_connections_resume_the_session_of_the_control_connection() {
        let server = Embedded::start().await.unwrap();
        let dialogue =
            "@given a pattern(100000)\n@data\n> RETR a\n< 150\n@receive pattern(100000)\n< 226";
        for variant in ["pasv tls", "epsv tls", "port tls", "eprt tls"] {
            let played = played(&server, job(variant, "", dialogue)).await;
            assert_eq!(played.stop, None, "{variant}: {:#?}", played.transcript);
            let events = played.transcript.events;
            let own: Vec<_> = events
                .iter()
                .filter(|event| event.connection == Connection::main())
                .collect();
            assert!(own.iter().any(|event| matches!(&event.what,
                EventKind::TlsEstablished(facts) if facts.data && facts.resumed)));
            assert!(own.iter().any(|event| matches!(
                &event.what,
                EventKind::DataClosed(End {
                    by: Side::Server,
                    how: How::Clean
                })
            )));
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn every_possible_combination_of_the_axes_transfers_files() {
        let server = Embedded::start().await.unwrap();
        let target = server.target();
        let facts = probe(target, Timeouts::default()).await;
        let front = "axes = [\"data\", \"tls\"]\ndrivers = [\"raw\", \"suppaftp\"]";
        let dialogue = "@put a \"0123\"\n@get a \"0123\"\n@names a";
        let scenario = job("pasv", front, dialogue).scenario;
        let full = Selection {
            full: true,
            ..Selection::default()
        };
        let plan = plan(&[scenario], &full, target, &facts);
        // Raw: every mode over IPv4, two over IPv6; suppaftp: three and two, in clear and private.
        let families = loopback().len();
        let expected = if families == 2 {
            (4 + 2) * 4 + (3 + 2) * 2
        } else {
            4 * 4 + 3 * 2
        };
        assert_eq!(plan.jobs.len(), expected, "{:#?}", plan.skipped);
        for job in plan.jobs {
            let variant = job.variant;
            let played = played(&server, job).await;
            assert_eq!(played.stop, None, "{variant}: {:#?}", played.transcript);
            let events = &played.transcript.events;
            let ok = |event: &Event| matches!(&event.what, EventKind::Observed { ok: true, .. });
            let in_dialogue = events.iter().filter(|event| event.line > 0);
            assert_eq!(
                in_dialogue.filter(|event| ok(event)).count(),
                3,
                "{variant}"
            );
            let private =
                |what: &EventKind| matches!(what, EventKind::TlsEstablished(facts) if facts.data);
            let data_is_private = events.iter().any(|event| private(&event.what));
            if variant.driver == DriverKind::Raw {
                let wanted = match variant.protection {
                    Protection::Clear => false,
                    Protection::Explicit { data_private } => data_private,
                    Protection::Implicit => true,
                };
                assert_eq!(data_is_private, wanted, "{variant}");
            }
            let peers = events.iter().filter_map(|event| match &event.what {
                EventKind::Connected { peer, .. } => Some(peer.starts_with('[')),
                _ => None,
            });
            assert!(
                peers.into_iter().all(|ipv6| ipv6 == variant.ipv6),
                "{variant}"
            );
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn after_ccc_the_dialogue_continues_in_clear() {
        let server = Embedded::start().await.unwrap();
        let dialogue = "> CCC\n< 200\n@clear\n> NOOP\n< 200";
        let played = played(&server, job("pasv tls", "", dialogue)).await;
        assert_eq!(played.stop, None, "{:#?}", played.transcript);
        let ended = |event: &&Event| event.what == EventKind::TlsEnded { clean: true };
        assert_eq!(
            played.transcript.events.iter().find(ended).unwrap().line,
            FIRST + 2
        );
        server.stop().await;
    }

    #[tokio::test]
    async fn user_steps_give_the_same_result_with_every_driver() {
        let server = Embedded::start().await.unwrap();
        let front = "drivers = [\"raw\", \"suppaftp\"]";
        let dialogue = "@put a \"0123\"\n@append a \"45\"\n@get a \"012345\"\n@resume a 4 \"45\"\n@size a 6\n\
            @mkdir d\n@fails @mkdir d\n@rename a d/b\n@names d\n@cwd d\n@list b\n@delete b\n@fails @get b *";
        let dialogue = dialogue.replace(" *", " \"\"");
        for variant in [
            "pasv",
            "epsv tls",
            "suppaftp",
            "suppaftp epsv",
            "suppaftp port",
            "suppaftp tls",
        ] {
            let played = played(&server, job(variant, front, &dialogue)).await;
            assert_eq!(played.stop, None, "{variant}: {:#?}", played.transcript);
            let observed: Vec<_> = (played.transcript.events.iter())
                .filter(|event| event.line > 0)
                .filter_map(|event| match &event.what {
                    EventKind::Observed { ok, .. } => Some(*ok),
                    _ => None,
                })
                .collect();
            assert_eq!(observed, [true; 13], "{variant}");
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn playing_a_job_twice_gives_the_same_events() {
        let server = Embedded::start().await.unwrap();
        let dialogue =
            "@given a \"1\"\n@data\n> RETR a\n< 150\n@receive \"1\"\n< 226\n> MKD b\n< 257";
        let mut runs = Vec::new();
        for _ in 0..2 {
            let played = played(&server, job("epsv tls", "", dialogue)).await;
            let shape: Vec<_> = (played.transcript.events.iter())
                .map(|event| {
                    let what = std::mem::discriminant(&event.what);
                    (event.connection.clone(), event.line, what)
                })
                .collect();
            runs.push((played.transcript.variables, shape));
        }
        assert_eq!(runs[0], runs[1]);
        server.stop().await;
    }
}
