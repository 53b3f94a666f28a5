//! RFC 959 §4.1.3: transfers, and commands during a transfer.

use super::world::World;
use super::{logged_in, logged_in_to, setup};
use ftpspec_server::internals::pi::{
    Control, DataPort, Mode, NoopInTransfer, Representation, Setup, Structure,
};

#[test]
fn a_retrieval_is_150_then_226() {
    logged_in("C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / D: 0123456789");
}

#[test]
fn without_a_data_port_it_is_425_but_first_comes_what_is_wrong_with_the_file() {
    logged_in("C: RETR a / S: 425 / C: RETR nosuch / S: 550 / C: RETR d / S: 550");
    logged_in("C: LIST / S: 425 / C: LIST nosuch / S: 450 / C: MLSD nosuch / S: 550");
    logged_in("C: STOR a / S: 425 / C: STOU / S: 425 / C: APPE a / S: 425 / F: /a = 0123456789");
}

#[test]
fn a_data_port_is_used_up_by_one_transfer() {
    logged_in("C: PASV / S: 227 / C: RETR a / S: 150 / S: 226 / C: RETR a / S: 425");
    logged_in("C: PASV / S: 227 / C: RETR nosuch / S: 550 / C: RETR a / S: 425");
}

#[test]
fn the_last_of_port_and_pasv_counts() {
    let mut world = logged_in("C: PASV / S: 227 / C: PORT 192,0,2,7,200,1 / S: 200");
    assert_eq!(world.control, Some(Control::DropDataPort));
    world.play("C: TYPE I / S: 200 / C: RETR a / S: 150 / S: 226");
    let active = DataPort::Active("192.0.2.7:51201".parse().unwrap());
    let how = |world: &World| {
        let (port, protected, coding) = world.transfer.unwrap();
        (port, protected, coding.representation)
    };
    assert_eq!(how(&world), (active, false, Representation::Image));
    world.play("C: PORT 192,0,2,7,200,1 / S: 200 / C: PASV / S: 227 / C: RETR a / S: 150 / S: 226");
    assert_eq!(
        how(&world),
        (DataPort::Passive, false, Representation::Image)
    );
}

#[test]
fn listings_keep_their_own_type_and_leave_the_other_alone() {
    let mut world = logged_in("C: PASV / S: 227 / C: LIST / S: 150 / S: 226");
    assert_eq!(
        world.transfer.map(|(_, _, how)| how.representation),
        Some(Representation::Image)
    );
    world.play("C: PASV / S: 227 / C: RETR a / S: 150 / S: 226");
    assert_eq!(
        world.transfer.map(|(_, _, how)| how.representation),
        Some(Representation::Ascii)
    );
}

#[test]
fn listings_are_coded_as_files_but_for_mlsd() {
    let mut world = logged_in("C: TYPE E / S: 200 / C: STRU R / S: 200 / C: MODE B / S: 200");
    let mut coding = |command: &str| {
        world.play(&format!(
            "C: PASV / S: 227 / C: {command} / S: 150 / S: 226"
        ));
        let (_, _, coding) = world.transfer.unwrap();
        (coding.representation, coding.structure, coding.mode)
    };
    let set = (Representation::Ebcdic, Structure::Record, Mode::Block);
    assert_eq!(coding("RETR a"), set);
    assert_eq!(coding("LIST"), set);
    assert_eq!(coding("NLST"), set);
    // RFC 3659 §7.2: as if in TYPE L 8, STRU F and MODE S.
    let plain = (Representation::Image, Structure::File, Mode::Stream);
    assert_eq!(coding("MLSD"), plain);
    assert_eq!(coding("RETR a"), set);
    world.play("C: MODE Z / S: 200");
    let deflated = Mode::Deflate { level: 1 };
    world.play("C: PASV / S: 227 / C: MLSD / S: 150 / S: 226");
    let (_, _, coding) = world.transfer.unwrap();
    assert_eq!(
        (coding.representation, coding.structure, coding.mode),
        (Representation::Image, Structure::File, deflated)
    );
}

#[test]
fn restart_markers_count_data_in_some_modes_and_are_ours_in_others() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: STRU R / S: 200 / C: REST 4 / S: 350 / C: RETR a / S: 555
         C: STRU F / S: 200 / C: MODE Z / S: 200 / C: REST 4 / S: 350 / C: RETR a / S: 150 / S: 226
         C: TYPE A / S: 200 / C: PASV / S: 227 / C: REST 4 / S: 350 / C: RETR a / S: 555
         C: MODE B / S: 200 / C: REST 4 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 456789
         C: STRU R / S: 200 / C: TYPE E / S: 200 / C: MODE C / S: 200 / C: PASV / S: 227 / C: REST 11 / S: 350 / C: RETR a / S: 554
         C: REST 4 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 456789",
    );
}

#[test]
fn data_in_the_wrong_form_are_a_local_error() {
    logged_in(
        "C: MODE B / S: 200 / C: PASV / S: 227 / B: STOR a / S: 150 / E: malformed / S: 451 ~ form / C: PWD / S: 257",
    );
}

#[test]
fn stor_replaces_and_appe_appends() {
    logged_in("U: xy / C: PASV / S: 227 / C: STOR a / S: 150 / S: 226 / F: /a = xy");
    logged_in("U: xy / C: PASV / S: 227 / C: APPE a / S: 150 / S: 226 / F: /a = 0123456789xy");
    logged_in("U: xy / C: PASV / S: 227 / C: APPE new / S: 150 / S: 226 / F: /new = xy");
}

#[test]
fn a_name_that_cannot_be_given_is_553() {
    logged_in(
        "C: PASV / S: 227 / C: STOR nosuch/x / S: 553 / C: PASV / S: 227 / C: STOR d / S: 553",
    );
}

#[test]
fn list_and_nlst_take_directories_files_and_nothing() {
    logged_in(
        "C: CWD d / S: 250 / C: PASV / S: 227 / C: NLST / S: 150 / S: 226 / D: .hidden\\r\\ne\\r\\nf\\r\\ng.txt\\r\\n
         C: PASV / S: 227 / C: NLST f / S: 150 / S: 226 / D: f\\r\\n
         C: PASV / S: 227 / C: LIST f / S: 150 / S: 226 / D: -rw-r--r-- 1 ftp      ftp                 1 Nov 23 04:00 f\\r\\n
         C: PASV / S: 227 / C: NLST e / S: 150 / S: 226 / D: ",
    );
}

#[test]
fn how_transfers_fail() {
    let begin = "C: PASV / S: 227 / B: RETR a / S: 150 / E:";
    logged_in(&format!("{begin} lost / S: 426 / C: NOOP / S: 200"));
    logged_in(&format!("{begin} unconnected / S: 425 / C: NOOP / S: 200"));
    logged_in(&format!("{begin} unprotected / S: 522 / C: NOOP / S: 200"));
    logged_in(&format!("{begin} broken / S: 451 / C: NOOP / S: 200"));
    logged_in("C: PASV / S: 227 / B: STOR x / S: 150 / E: full / S: 452 / C: NOOP / S: 200");
}

#[test]
fn abor_ends_a_transfer_with_426_and_226() {
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: ABOR / S: 426 / S: 226 / C: NOOP / S: 200",
    );
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: abor / S: 426 / S: 226 / C: RETR a / S: 425",
    );
}

#[test]
fn abor_with_nothing_to_end_is_226_and_closes_the_port() {
    let mut world = logged_in("C: PASV / S: 227 / C: ABOR / S: 226");
    assert_eq!(world.control, Some(Control::DropDataPort));
    world.play("C: RETR a / S: 425");
}

#[test]
fn stat_is_answered_during_a_transfer() {
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: STAT / S: 211 ~ RETR, 42 octets / M: stat / S: 211 / E: complete / S: 226
         C: STAT / S: 211 ~ No data port",
    );
}

#[test]
fn everything_else_waits_for_the_end_in_order() {
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: PWD / N: / M: NOOP / N: / M: STAT d / N: / M: XYZZ / N:
         E: complete / S: 226 / S: 257 / S: 200 / S: 212 / S: 500",
    );
}

#[test]
fn what_waited_comes_after_the_replies_to_abor() {
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: PWD / N: / M: ABOR / S: 426 / S: 226 / S: 257",
    );
}

#[test]
fn a_noop_during_a_transfer_is_answered_after_it_or_at_once_as_the_server_is_set_up() {
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: NOOP / N: / M: STAT / S: 211 / M: NOOP / N:
         E: complete / S: 226 / S: 200 / S: 200",
    );
    let setup = Setup {
        noop_in_transfer: NoopInTransfer::AtOnce,
        ..setup()
    };
    logged_in_to(
        setup,
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: NOOP / S: 200 / M: PWD / N: / M: NOOP / N:
         E: complete / S: 226 / S: 257 / S: 200",
    );
}

#[test]
fn quit_during_a_transfer_lets_it_finish() {
    let world = logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: QUIT / N: / E: complete / S: 226 / S: 221",
    );
    assert!(world.closed);
}

#[test]
fn rein_and_user_during_a_transfer_let_it_finish() {
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: REIN / N: / E: complete / S: 226 / S: 220 / C: PWD / S: 530",
    );
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: USER x / N: / E: complete / S: 226 / S: 331 / C: PWD / S: 530",
    );
}

#[test]
fn a_chain_of_queued_transfers_is_worked_off() {
    logged_in(
        "C: PASV / S: 227 / B: RETR a / S: 150 / M: PASV / N: / M: RETR d/f / N: / E: complete
         S: 226 / S: 227 / S: 150 / S: 226 / D: f",
    );
}
