//! RFC 1123 §4.1 and RFC 2577: what hosts must do, and what servers must not.

use super::world::World;
use super::{dialogue, limited, link, logged_in};
use ftpspec_server::internals::pi::Control;

#[test]
fn stou_names_the_file_in_its_150_and_nothing_else() {
    logged_in(
        "U: x / C: CWD d / S: 250 / C: PASV / S: 227 / C: STOU / S: 150 FILE: /d/unique\\r\\n / S: 226 / F: /d/unique = x",
    );
    logged_in("U: x / C: PASV / S: 227 / C: STOU new / S: 150 FILE: /new\\r\\n / S: 226");
}

#[test]
fn nlst_gives_names_that_retr_takes() {
    logged_in(
        "C: PASV / S: 227 / C: NLST d / S: 150 / S: 226 / D: d/.hidden\\r\\nd/e\\r\\nd/f\\r\\nd/g.txt\\r\\n",
    );
    logged_in(
        "C: PASV / S: 227 / C: NLST /d/ / S: 150 / S: 226 / D: /d/.hidden\\r\\n/d/e\\r\\n/d/f\\r\\n/d/g.txt\\r\\n",
    );
    logged_in(
        "C: CWD d/e / S: 250 / C: PASV / S: 227 / C: NLST .. / S: 150 / S: 226 / D: ../.hidden\\r\\n../e\\r\\n../f\\r\\n../g.txt\\r\\n",
    );
    logged_in("C: PASV / S: 227 / C: NLST d/f / S: 150 / S: 226 / D: d/f\\r\\n");
}

#[test]
fn the_old_names_of_directory_commands_do_the_same() {
    logged_in(
        "C: XMKD n / S: 257 \"/n\" / C: XCWD n / S: 250 / C: XPWD / S: 257 \"/n\" / C: XCUP / S: 250 / C: XRMD n / S: 250",
    );
}

#[test]
fn a_restart_beyond_the_end_is_554() {
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 11 / S: 350 / C: RETR a / S: 554 / C: REST 10 / S: 350 / C: RETR a / S: 150 / S: 226 / D: ",
    );
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 11 / S: 350 / C: STOR a / S: 554 / C: REST 1 / S: 350 / C: STOR new / S: 554",
    );
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 4611686018427387904 / S: 350 / C: STOR a / S: 554 / F: /a = 0123456789",
    );
}

#[test]
fn a_restart_in_type_a_is_555() {
    logged_in(
        "C: PASV / S: 227 / C: REST 1 / S: 350 / C: RETR a / S: 555 / C: REST 1 / S: 350 / C: STOR a / S: 555
         C: REST 0 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
}

#[test]
fn too_many_wrong_passwords_are_421_and_the_end() {
    let wrong = "C: USER test / S: 331 / C: PASS x / S:";
    let world = dialogue(&format!("{wrong} 530 / {wrong} 530 / {wrong} 421"));
    assert_eq!(world.control, Some(Control::Close));
    assert!(world.closed);
}

#[test]
fn rein_does_not_make_new_attempts() {
    let wrong = "C: USER test / S: 331 / C: PASS x / S:";
    dialogue(&format!(
        "{wrong} 530 / {wrong} 530 / C: REIN / S: 220 / {wrong} 421"
    ));
}

#[test]
fn a_login_resets_the_count_and_0_is_no_limit() {
    let wrong = "C: USER test / S: 331 / C: PASS x / S: 530";
    dialogue(&format!(
        "{wrong} / {wrong} / C: USER test / S: 331 / C: PASS secret / S: 230 / {wrong} / {wrong}"
    ));
    let mut world = World::new(limited(|limits| limits.failed_logins = 0), link());
    for _ in 0..300 {
        world.play(wrong);
    }
}

#[test]
fn type_a_t_is_type_a_n() {
    logged_in(
        "C: TYPE I / S: 200 / C: TYPE A T / S: 200 / C: STAT / S: 211 ~ TYPE: ASCII Non-print / C: TYPE E T / S: 200
         C: STAT / S: 211 ~ TYPE: EBCDIC Non-print",
    );
}
