//! SITE: the services of this server (RFC 959 §4.1.3).

use super::world::World;
use super::{LOGIN, READER, dialogue, limited, link, logged_in, logged_in_to, setup};
use ftpspec_server::internals::pi::Setup;
use ftpspec_server::internals::wire::{SERVICES, Service, ServiceSet};
use std::time::Duration;

fn as_user(login: &str, script: &str) {
    let mut world = dialogue(login);
    world.play(script);
}

#[test]
fn help_lists_services_and_explains_one() {
    logged_in(
        "C: SITE HELP / S: 214-The following SITE commands are recognized:\\r\\n CHMOD   HELP    IDLE    MKDIR   RMDIR   SYMLINK UTIME  \\r\\n214 End\\r\\n
         C: site help chmod / S: 214-Syntax: SITE CHMOD <SP> <octal mode> <SP> <pathname>\\r\\n Sets the permission bits of a file or directory.\\r\\n214 End\\r\\n
         C: HELP SITE RMDIR / S: 214-Syntax: SITE RMDIR / C: HELP SITE IDLE / S: 214-Syntax: SITE IDLE[<SP> <seconds>]\\r\\n
         C: HELP SITE EXEC / S: 501 / C: SITE HELP CHOWN / S: 501 / C: HELP NOOP x / S: 501",
    );
}

#[test]
fn an_unknown_parameter_is_501() {
    logged_in(
        "C: SITE EXEC id / S: 501 Unknown SITE command; see SITE HELP.\\r\\n / C: SITE / S: 501 / C: SITE  / S: 501 / C: SITE CHMODE 600 a / S: 501",
    );
}

#[test]
fn every_service_needs_a_login() {
    for row in SERVICES {
        dialogue(&format!(
            "C: SITE {} / S: 530 / C: SITE {} a b / S: 530",
            row.name, row.name
        ));
    }
}

#[test]
fn owners_and_groups_are_refused_clearly() {
    logged_in(
        "C: SITE CHOWN root a / S: 504 Changing the owner of a file is not supported.\\r\\n / C: SITE CHGRP wheel a / S: 504 Changing the group of a file is not supported.\\r\\n",
    );
}

#[test]
fn each_service_can_be_switched_off() {
    for row in SERVICES.iter().filter(|row| row.service != Service::Help) {
        let disabled_services = ServiceSet::EMPTY.with(row.service);
        let setup = Setup {
            disabled_services,
            ..setup()
        };
        logged_in_to(
            setup,
            &format!(
                "C: SITE {} a b / S: 501 Unknown SITE command; see SITE HELP.\\r\\n / C: SITE HELP {} / S: 501",
                row.name, row.name
            ),
        );
    }
}

#[test]
fn chmod_sets_the_permission_bits() {
    logged_in(
        "C: SITE CHMOD 600 a / S: 200 / C: MLST a / S: 250 ~ UNIX.mode=0600; / C: SITE CHMOD 0755 d / S: 200 / C: MLST d / S: 250 ~ UNIX.mode=0755;
         C: SITE CHMOD 600 nosuch / S: 550 / C: SITE CHMOD 600 / S: 501 / C: SITE CHMOD rwx a / S: 501 / C: SITE CHMOD 99 a / S: 501",
    );
}

#[test]
fn utime_sets_the_modification_time_in_either_manner() {
    logged_in(
        "C: SITE UTIME 200207172107 a / S: 200 / C: MDTM a / S: 213 20020717210700\\r\\n
         C: SITE UTIME 20020717210715 d/f / S: 200 / C: MDTM d/f / S: 213 20020717210715\\r\\n
         C: SITE UTIME text 20010101000000 20030717210715 20010101000000 UTC / S: 200 / C: MDTM text / S: 213 20030717210715\\r\\n
         C: SITE UTIME a / S: 501 / C: SITE UTIME 20010229000000 a / S: 501 / C: SITE UTIME 200207172107 nosuch / S: 550",
    );
}

#[test]
fn a_link_leads_to_its_target_and_never_out() {
    logged_in(
        "C: SITE SYMLINK a l / S: 200 / F: /l = 0123456789 / C: SITE SYMLINK ../a d/l / S: 200 / F: /d/l = 0123456789
         C: SITE SYMLINK /d/f \"l l\" / S: 200 / F: /l l = f / C: SITE SYMLINK a l / S: 550 / C: SITE SYMLINK a nosuch/l / S: 550
         C: SITE SYMLINK ../a m / S: 550 The link target is above the root directory.\\r\\n / C: SITE SYMLINK /../etc/passwd m / S: 550
         C: SITE SYMLINK d/../../a m / S: 550 / C: SITE SYMLINK ../../a d/m / S: 550 / C: MLST m / S: 550
         C: SITE SYMLINK a / S: 501 / C: SITE SYMLINK / S: 501 / C: SITE SYMLINK a b c / S: 501",
    );
}

#[test]
fn mkdir_makes_what_is_missing_and_rmdir_removes_all() {
    logged_in(
        "C: SITE MKDIR x/y/z / S: 200 / C: CWD x/y/z / S: 250 / C: CWD // / S: 250 / C: SITE MKDIR x/y / S: 200 / C: SITE MKDIR a/b / S: 550
         C: SITE RMDIR x / S: 250 / C: MLST x / S: 550 / C: SITE RMDIR d / S: 250 / C: SITE RMDIR a / S: 550 / C: SITE RMDIR /. / S: 550
         C: SITE MKDIR / S: 501 / C: SITE RMDIR / S: 501 / F: /a = 0123456789",
    );
}

#[test]
fn a_reader_changes_nothing_by_site() {
    as_user(
        READER,
        "C: SITE CHMOD 600 a / S: 550 Permission denied.\\r\\n / C: SITE UTIME 200207172107 a / S: 550 / C: SITE SYMLINK a l / S: 550
         C: SITE MKDIR x / S: 550 / C: SITE RMDIR d / S: 550",
    );
}

#[test]
fn a_session_may_choose_how_long_it_is_idle_within_limits() {
    let hour = Duration::from_hours(1);
    let mut world = World::new(limited(|limits| limits.longest_idle = hour), link());
    world.play(LOGIN);
    world.play("C: SITE IDLE / S: 200 The idle timeout is 600 seconds; the maximum is 3600.\\r\\n");
    assert_eq!(world.session.idle_limit(), None);
    world.play(
        "C: SITE IDLE 3600 / S: 200 The idle timeout is 3600 seconds; the maximum is 3600.\\r\\n",
    );
    assert_eq!(world.session.idle_limit(), Some(Duration::from_hours(1)));
    world.play("C: SITE IDLE 3601 / S: 501 The idle timeout must be from 30 to 3600 seconds.\\r\\n / C: SITE IDLE 0 / S: 501 / C: SITE IDLE x / S: 501");
    assert_eq!(world.session.idle_limit(), Some(Duration::from_hours(1)));
    world.play("C: SITE IDLE 30 / S: 200 / C: REIN / S: 220");
    assert_eq!(world.session.idle_limit(), None);
}
