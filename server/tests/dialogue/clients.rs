//! What clients in the wild send, in the order in which they send it (research: clients).

use super::{LOGIN, dialogue, logged_in, logged_in_to, setup};
use ftpspec_server::DotNames;
use ftpspec_server::internals::pi::Setup;

#[test]
fn leading_options_of_listings_are_taken() {
    for options in ["-a", "-la", "-al", "-laR", "-1", "-l -a"] {
        logged_in(&format!(
            "C: CWD d / S: 250 / C: PASV / S: 227 / C: LIST {options} / S: 150 / S: 226 / C: PASV / S: 227 / C: NLST {options} / S: 150 / S: 226"
        ));
    }
    logged_in(
        "C: PASV / S: 227 / C: NLST -a d / S: 150 / S: 226 / D: d/.hidden\\r\\nd/e\\r\\nd/f\\r\\nd/g.txt\\r\\n",
    );
    // glftpd's and its clients list over the control connection.
    logged_in(
        "C: CWD d / S: 250 / C: STAT -la / S: 212- ~ .hidden / C: CDUP / S: 250 / C: STAT -l d / S: 212-Status of /d ~ f\\r\\n-rw
         C: STAT -la nosuch / S: 450 / C: STAT -- -la / S: 213- ~ -la / C: STAT ./-la / S: 213- ~ -la",
    );
}

#[test]
fn names_with_a_dot_are_shown_unless_the_server_hides_them() {
    let all = "d/.hidden\\r\\nd/e\\r\\nd/f\\r\\nd/g.txt\\r\\n";
    let nlst = |names: &str| format!("C: PASV / S: 227 / C: NLST d / S: 150 / S: 226 / D: {names}");
    let only_hidden = "C: MKD x / S: 257 / U: x / C: PASV / S: 227 / C: STOR x/.y / S: 150 / S: 226 / C: RMD x / S: 550 ";
    logged_in(&nlst(all));
    logged_in("C: STAT d / S: 212- ~ .hidden");
    logged_in(&format!("{only_hidden}Directory not empty.\\r\\n"));

    let hiding = Setup {
        dot_names: DotNames::Hidden,
        ..setup()
    };
    let mut world = logged_in_to(hiding, &nlst("d/e\\r\\nd/f\\r\\nd/g.txt\\r\\n"));
    world.play(&nlst(all).replace("NLST d", "NLST -a d"));
    world.play(
        "C: OPTS MLST type; / S: 200 / C: PASV / S: 227 / C: MLSD d / S: 150 / S: 226
         D: type=file; .hidden\\r\\ntype=dir; e\\r\\ntype=file; f\\r\\ntype=file; g.txt\\r\\n",
    );
    world.play(&format!(
        "{only_hidden}Directory not empty: it has hidden entries.\\r\\n"
    ));
}

#[test]
fn a_file_that_looks_like_an_option_can_be_reached() {
    logged_in(
        "C: PASV / S: 227 / C: NLST ./-la / S: 150 / S: 226 / D: ./-la\\r\\n / C: PASV / S: 227 / C: RETR -la / S: 150 / S: 226 / D: x
         C: PASV / S: 227 / C: NLST -- -la / S: 150 / S: 226 / D: -la\\r\\n / C: DELE -la / S: 250",
    );
}

#[test]
fn mget_expands_by_nlst() {
    logged_in(
        "C: PASV / S: 227 / C: NLST d/*.txt / S: 150 / S: 226 / D: d/g.txt\\r\\n / C: CWD d / S: 250
         C: PASV / S: 227 / C: NLST ? / S: 150 / S: 226 / D: e\\r\\nf\\r\\n / C: PASV / S: 227 / C: NLST *.none / S: 150 / S: 226 / D: 
         C: PASV / S: 227 / C: NLST .* / S: 150 / S: 226 / D: .hidden\\r\\n / C: PASV / S: 227 / C: LIST nosuch/* / S: 450",
    );
}

#[test]
fn a_name_with_a_star_in_it_is_found_as_it_is() {
    logged_in(
        "U: x / C: PASV / S: 227 / C: STOR d/[f] / S: 150 / S: 226 / C: PASV / S: 227 / C: NLST d/[f] / S: 150 / S: 226 / D: d/[f]\\r\\n",
    );
}

#[test]
fn php_sends_pasv_then_type_and_promise_ftp_rest_then_epsv() {
    logged_in(
        "C: PASV / S: 227 / C: TYPE I / S: 200 / C: RETR a / S: 150 / S: 226 / D: 0123456789",
    );
    logged_in(
        "C: TYPE I / S: 200 / C: REST 5 / S: 350 / C: EPSV / S: 229 / C: RETR a / S: 150 / S: 226 / D: 56789",
    );
}

#[test]
fn links_sends_pasv_then_cwd_and_snarf_pasv_then_size() {
    logged_in(
        "C: PASV / S: 227 / C: CWD d / S: 250 / C: RETR /a / S: 150 / S: 226 / D: 0123456789",
    );
    logged_in(
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: SIZE a / S: 213 10 / C: REST 5 / S: 350 / C: RETR a / S: 150 / S: 226 / D: 56789",
    );
}

#[test]
fn axel_tries_rest_1_and_rest_0() {
    logged_in(
        "C: TYPE I / S: 200 / C: CWD /d/ / S: 250 / C: REST 1 / S: 350 / C: REST 0 / S: 350 / C: SIZE f / S: 213 1 / C: PASV / S: 227 / C: RETR f / S: 150 / S: 226 / D: f",
    );
}

#[test]
fn basic_ftp_sends_options_before_the_login() {
    dialogue(&format!(
        "C: OPTS UTF8 ON / S: 200 / {} / C: FEAT / S: 211 / C: TYPE I / S: 200 / C: STRU F / S: 200 / C: OPTS UTF8 ON / S: 200
         C: OPTS MLST type;size;modify;unique;unix.mode;unix.owner;unix.group;unix.ownername;unix.groupname; / S: 200 MLST OPTS type;size;modify;unique;UNIX.mode;UNIX.owner;UNIX.group;\\r\\n
         C: EPSV / S: 229 / C: MLSD d / S: 150 / S: 226",
        LOGIN
    ));
}

#[test]
fn curl_tries_auth_ssl_first() {
    dialogue(&format!(
        "C: AUTH SSL / S: 504 / C: AUTH TLS / S: 234 / {} / C: PBSZ 0 / S: 200 / C: PROT P / S: 200 / C: PWD / S: 257 \"/\"",
        LOGIN
    ));
}

#[test]
fn gvfs_asks_for_help_of_site() {
    logged_in(
        "C: SYST / S: 215 UNIX Type: L8 / C: FEAT / S: 211 / C: SITE HELP / S: 214 / C: TYPE I / S: 200 / C: OPTS UTF8 ON / S: 200 / C: PWD / S: 257",
    );
}

#[test]
fn suppaftp_names_the_format_and_the_byte_size() {
    logged_in("C: TYPE A N / S: 200 / C: TYPE L 8 / S: 200 / C: TYPE I / S: 200");
}
