//! RFC 7151: HOST.

use super::world::World;
use super::{LOGIN, link, link_v6, logged_in, setup};
use ftpspec_server::VirtualHost;
use ftpspec_server::auth::accounts::{Account, Accounts, Password};
use ftpspec_server::auth::{Secret, User};
use ftpspec_server::internals::pi::Setup;
use ftpspec_server::internals::wire::HostName;
use ftpspec_server::storage::MemFs;
use std::sync::Arc;

/// `one.example` has users and a greeting of its own, `two.example` only a name.
fn hosts() -> World {
    let user = User::new("alice", Arc::new(MemFs::new()));
    let account = Account::new(user, Password::Plain(Secret::new("one")));
    let alice = Accounts::new().with("alice", account);
    let one = VirtualHost::new()
        .greeting("This is one.")
        .authenticator(alice);
    let name = |name: &str| HostName::parse(name.as_bytes()).unwrap();
    let setup = Setup {
        hosts: vec![
            (name("one.example"), one),
            (name("Two.Example"), VirtualHost::new()),
        ],
        ..setup()
    };
    World::new(setup, link())
}

#[test]
fn each_host_has_its_greeting_and_its_users() {
    let mut world = hosts();
    world.play("C: HOST one.example / S: 220 This is one. / C: USER test / S: 331 / C: PASS secret / S: 530");
    world.play("C: USER alice / S: 331 / C: PASS one / S: 230 / C: MLST a / S: 550");
    let mut world = hosts();
    world.play("C: HOST two.example / S: 220 Welcome to two.example. / C: USER alice / S: 331 / C: PASS one / S: 530");
    world.play(LOGIN);
    world.play("C: MLST a / S: 250");
}

#[test]
fn names_are_taken_in_any_case() {
    hosts().play("C: host ONE.example / S: 220 This / C: HOST Two.eXample / S: 220 Welcome");
}

#[test]
fn the_last_host_before_the_login_counts() {
    let mut world = hosts();
    world.play("C: HOST one.example / S: 220 / C: HOST two.example / S: 220");
    world.play(LOGIN);
}

#[test]
fn a_refused_host_changes_nothing() {
    let mut world = hosts();
    world.play("C: HOST one.example / S: 220 / C: HOST three.example / S: 504 / C: USER alice / S: 331 / C: PASS one / S: 230");
}

#[test]
fn host_between_user_and_pass_restarts_the_login() {
    hosts().play("C: USER alice / S: 331 / C: HOST one.example / S: 220 / C: PASS one / S: 503");
}

#[test]
fn after_the_login_host_is_503() {
    logged_in("C: HOST test.example / S: 503 / C: HOST nosuch.example / S: 503 / C: PWD / S: 257");
}

#[test]
fn rein_forgets_the_host() {
    let mut world = hosts();
    world.play("C: HOST one.example / S: 220 / C: USER alice / S: 331 / C: PASS one / S: 230 / C: REIN / S: 220");
    world.play("C: USER alice / S: 331 / C: PASS one / S: 530");
    world.play(LOGIN);
}

#[test]
fn the_servers_own_name_and_address_are_hosts() {
    hosts().play(
        "C: HOST test.example / S: 220 Hello. / C: HOST 192.0.2.1 / S: 220 Hello. / C: HOST 192.0.2.2 / S: 504 / C: HOST [2001:db8::1] / S: 504",
    );
    World::new(setup(), link_v6()).play(
        "C: HOST [2001:DB8:0::1] / S: 220 / C: HOST [2001:db8::2] / S: 504 / C: HOST 192.0.2.1 / S: 504",
    );
}

#[test]
fn ports_and_bare_ipv6_addresses_are_not_host_names() {
    hosts().play(
        "C: HOST / S: 501 / C: HOST 192.0.2.1:2112 / S: 501 / C: HOST [2001:db8::1]:2112 / S: 501 / C: HOST 2001:db8::1 / S: 501
         C: HOST b\\xc3\\xbccher.example / S: 501 / C: HOST one.example two.example / S: 501",
    );
}

#[test]
fn host_speaks_english_again() {
    hosts().play("C: LANG de / S: 200 / C: NOOP / S: 200 Befehl / C: HOST nosuch / S: 504 / C: NOOP / S: 200 Befehl / C: HOST one.example / S: 220 / C: NOOP / S: 200 Command");
}

#[test]
fn host_survives_auth() {
    let mut world = hosts();
    world.play("C: HOST one.example / S: 220 / C: AUTH TLS / S: 234");
    world.play("C: USER alice / S: 331 / C: PASS one / S: 230");
}

#[test]
fn host_must_be_the_name_of_the_tls_handshake() {
    let mut world = hosts();
    world.play("C: AUTH TLS / S: 234");
    world.session.server_name(Some("ONE.example"));
    world.play("C: HOST two.example / S: 504 / C: HOST one.example / S: 220");
    world.play("C: USER alice / S: 331 / C: PASS one / S: 230");
}

#[test]
fn a_certificate_of_one_host_logs_nobody_in_to_another() {
    let mut world = hosts();
    world.play("C: HOST two.example / S: 220 / C: AUTH TLS / S: 234");
    world.session.server_name(Some("one.example"));
    world.play("C: USER alice / S: 503 / C: HOST one.example / S: 220 / C: USER alice / S: 331");
}
