//! Each permission allows one effect.

use super::dialogue;
use super::world::World;
use ftpspec_server::auth::Permissions;

/// Commands with each effect, after a data port was named, and the codes with the permission.
/// Without it the code is 550.
const SHOWN: [(&str, &[(&str, &str)]); 9] = [
    ("read", &[("RETR a", "150 / S: 226"), ("XMD5 a", "250")]),
    (
        "list",
        &[
            ("LIST", "150 / S: 226"),
            ("MLST a", "250"),
            ("DSIZ d", "213"),
        ],
    ),
    (
        "create",
        &[
            ("STOR new", "150 / S: 226"),
            ("APPE new", "150 / S: 226"),
            ("STOU", "150 / S: 226"),
            ("SITE SYMLINK a link", "200"),
        ],
    ),
    ("append", &[("APPE a", "150 / S: 226")]),
    ("overwrite", &[("STOR a", "150 / S: 226")]),
    (
        "change_facts",
        &[
            ("MFMT 20020717210715 a", "213"),
            ("SITE CHMOD 600 a", "200"),
        ],
    ),
    (
        "delete",
        &[("DELE a", "250"), ("RMD d/e", "250"), ("RMDA d", "250")],
    ),
    ("rename", &[("RNFR a", "350")]),
    (
        "make_directory",
        &[("MKD new", "257"), ("SITE MKDIR new/new", "200")],
    ),
];

/// A session of a user with this permission, with a data port.
fn who_may(effect: &str) -> World {
    dialogue(&format!(
        "C: USER {effect} / S: 331 / C: PASS secret / S: 230 / C: TYPE I / S: 200 / C: PASV / S: 227"
    ))
}

#[test]
fn each_permission_allows_one_effect() {
    assert_eq!(SHOWN.map(|(effect, _)| effect), Permissions::EFFECTS);
    for user in Permissions::EFFECTS {
        for (effect, commands) in SHOWN {
            for (command, codes) in commands {
                let codes = if user == effect { codes } else { "550" };
                // With the permission to create only, the reply is that the name is taken.
                let codes = match (user, *command) {
                    ("create", "STOR a" | "APPE a") => "553",
                    _ => codes,
                };
                who_may(user).play(&format!("C: {command} / S: {codes} / N:"));
            }
        }
    }
}

#[test]
fn replacing_a_file_needs_the_permission_to_overwrite() {
    who_may("create").play(
        "U: xyz / C: STOR a / S: 553 / C: PASV / S: 227 / C: APPE a / S: 553 / F: /a = 0123456789",
    );
    who_may("rename").play(
        "C: RNFR a / S: 350 / C: RNTO text / S: 550 / C: RNFR a / S: 350 / C: RNTO b / S: 250 / F: /b = 0123456789",
    );
}

#[test]
fn a_restart_at_the_end_is_appending_and_within_it_overwriting() {
    who_may("append")
        .play("U: x / C: REST 10 / S: 350 / C: STOR a / S: 150 / S: 226 / F: /a = 0123456789x");
    who_may("append").play("U: x / C: REST 9 / S: 350 / C: STOR a / S: 550 / F: /a = 0123456789");
    who_may("overwrite")
        .play("U: x / C: REST 9 / S: 350 / C: STOR a / S: 150 / S: 226 / F: /a = 012345678x");
    who_may("create").play("U: x / C: REST 10 / S: 350 / C: STOR a / S: 550 / F: /a = 0123456789");
}

#[test]
fn without_the_permission_to_create_only_existing_files_change() {
    who_may("overwrite")
        .play("U: x / C: STOR new / S: 550 / C: STOR a / S: 150 / S: 226 / F: /a = x");
    who_may("append").play("U: x / C: APPE new / S: 550 / C: STOU / S: 550");
    who_may("overwrite").play("C: RANG 0 3 / S: 350 / C: STOR new / S: 550");
}
