//! Dialogues with the server-PI: commands and replies, by document. No socket is opened.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod clients;
mod digests;
mod drafts;
mod every_verb;
mod laws;
mod permissions;
mod ranges;
mod registry;
mod rfc1123;
mod rfc2389;
mod rfc2428;
mod rfc2640;
mod rfc3659;
mod rfc4217;
mod rfc7151;
mod rfc959;
mod rfc959_transfers;
mod site;
mod switched_off;
mod world;

use ftpspec_server::Limits;
use ftpspec_server::internals::pi::{Link, Setup, TlsPolicy};
use world::World;

/// Plays a script on a session in clear, with TLS available; see [`World::play`].
#[track_caller]
fn dialogue(script: &str) -> World {
    let mut world = World::new(setup(), link());
    world.play(script);
    world
}

/// Plays a script after a login.
#[track_caller]
fn logged_in(script: &str) -> World {
    logged_in_to(setup(), script)
}

/// Plays a script after a login, with another setup.
#[track_caller]
fn logged_in_to(setup: Setup, script: &str) -> World {
    let mut world = World::new(setup, link());
    world.play(LOGIN);
    world.play(script);
    world
}

const LOGIN: &str = "C: USER test / S: 331 / C: PASS secret / S: 230";
/// USER and PASS of a user without permissions.
const NOBODY: &str = "C: USER nobody / S: 331 / C: PASS secret / S: 230";
const READER: &str = "C: USER reader / S: 331 / C: PASS secret / S: 230";

fn setup() -> Setup {
    Setup {
        greeting: "Hello.".into(),
        host: "test.example".into(),
        tls: TlsPolicy::Explicit,
        limits: Limits {
            failed_logins: 3,
            ..Limits::default()
        }
        .into(),
        allow_ccc: true,
        ..Setup::default()
    }
}

/// A setup with the default limits, changed by `set`.
fn limited(set: impl FnOnce(&mut Limits)) -> Setup {
    let mut limits = Limits::default();
    set(&mut limits);
    Setup {
        limits: limits.into(),
        ..setup()
    }
}

fn link() -> Link {
    Link {
        local: "192.0.2.1:21".parse().unwrap(),
        peer: "192.0.2.7:50000".parse().unwrap(),
        protected: false,
    }
}

fn link_v6() -> Link {
    Link {
        local: "[2001:db8::1]:21".parse().unwrap(),
        peer: "[2001:db8::7]:50000".parse().unwrap(),
        protected: false,
    }
}
