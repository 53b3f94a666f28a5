//! RFC 2228 and RFC 4217: AUTH, PBSZ, PROT and CCC.

use super::world::World;
use super::{LOGIN, dialogue, link, setup};
use std::sync::Arc;

use ftpspec_server::auth::ClientCertificate;
use ftpspec_server::internals::pi::{
    Control, Link, SessionOffered, Setup, TlsPolicy, TlsRequirement, TransferEnd,
};

const TLS: &str = "C: AUTH TLS / S: 234";
const RETR: &str = "C: PASV / S: 227 / C: RETR a / S: 150 / S: 226";

fn implicit() -> World {
    let setup = Setup {
        tls: TlsPolicy::Implicit,
        ..setup()
    };
    let link = Link {
        protected: true,
        ..link()
    };
    World::new(setup, link)
}

fn protected(world: &World) -> Option<bool> {
    world.transfer.map(|(_, protected, _)| protected)
}

#[test]
fn auth_tls_is_234_and_then_the_handshake() {
    let world = dialogue("C: auth tls / S: 234");
    assert_eq!(world.control, Some(Control::StartTls));
    dialogue(
        "C: AUTH TLS-C / S: 234 / C: STAT / S: 211 ~ Control connection: TLS; data connections: clear",
    );
    dialogue(
        "C: AUTH TLS-P / S: 234 / C: STAT / S: 211 ~ Control connection: TLS; data connections: private",
    );
}

#[test]
fn other_mechanisms_are_504() {
    dialogue(
        "C: AUTH SSL / S: 504 / C: AUTH GSSAPI / S: 504 / C: AUTH NOSUCH / S: 504 / C: AUTH / S: 501 / C: AUTH  / S: 501",
    );
}

#[test]
fn tls_in_tls_is_503() {
    dialogue(&format!("{TLS} / C: AUTH TLS / S: 503 / C: NOOP / S: 200"));
    implicit().play("C: AUTH TLS / S: 503");
}

#[test]
fn auth_resets_the_login_and_all_parameters() {
    dialogue(&format!(
        "{LOGIN} / C: TYPE I / S: 200 / C: CWD d / S: 250 / C: PASV / S: 227 / {TLS} / C: PWD / S: 530
         {LOGIN} / C: PWD / S: 257 \"/\" / C: STAT / S: 211 ~ TYPE: ASCII / C: STAT / S: 211 ~ No data port"
    ));
    dialogue(&format!(
        "C: USER test / S: 331 / {TLS} / C: PASS secret / S: 503"
    ));
}

#[test]
fn each_rung_stands_on_the_one_below() {
    dialogue("C: PBSZ 0 / S: 503 / C: PROT P / S: 503");
    dialogue(&format!(
        "{TLS} / C: PROT P / S: 503 / C: PBSZ 0 / S: 200 PBSZ=0 / C: PROT P / S: 200 / C: PROT C / S: 200"
    ));
}

#[test]
fn pbsz_is_always_zero() {
    dialogue(&format!(
        "{TLS} / C: PBSZ x / S: 501 / C: PBSZ 4294967296 / S: 501 / C: PBSZ / S: 501 / C: PBSZ 1024 / S: 200 PBSZ=0"
    ));
}

#[test]
fn levels_that_tls_lacks_are_536_and_unknown_ones_504() {
    dialogue(&format!(
        "{TLS} / C: PBSZ 0 / S: 200 / C: PROT S / S: 536 / C: PROT e / S: 536 / C: PROT X / S: 504 / C: PROT / S: 501
         C: prot p / S: 200 / C: STAT / S: 211 ~ data connections: private"
    ));
}

#[test]
fn protection_is_decided_at_the_transfer() {
    let mut world = dialogue(&format!("{TLS} / {LOGIN} / {RETR}"));
    assert_eq!(protected(&world), Some(false));
    world.play(
        "C: PASV / S: 227 / C: PBSZ 0 / S: 200 / C: PROT P / S: 200 / C: RETR a / S: 150 / S: 226",
    );
    assert_eq!(protected(&world), Some(true));
    world.play(RETR);
    assert_eq!(protected(&world), Some(true));
    world.play("C: PASV / S: 227 / C: PROT C / S: 200 / C: LIST / S: 150 / S: 226");
    assert_eq!(protected(&world), Some(false));
}

#[test]
fn a_second_pbsz_leaves_the_level() {
    dialogue(&format!(
        "{TLS} / C: PBSZ 0 / S: 200 / C: PROT P / S: 200 / C: PBSZ 0 / S: 200 / C: STAT / S: 211 ~ private"
    ));
}

#[test]
fn ccc_clears_the_control_connection_and_freezes_the_level() {
    let mut world = dialogue(&format!(
        "{TLS} / C: PBSZ 0 / S: 200 / C: PROT P / S: 200 / {LOGIN} / C: CCC / S: 200"
    ));
    assert_eq!(world.control, Some(Control::EndTls));
    world.play(&format!(
        "C: PWD / S: 257 / C: PBSZ 0 / S: 503 / C: PROT C / S: 503 / C: CCC / S: 533 / {RETR}"
    ));
    assert_eq!(protected(&world), Some(true));
    world.play(&format!("{TLS} / C: PWD / S: 530"));
}

#[test]
fn ccc_is_refused_in_the_clear_before_the_login_and_by_policy() {
    dialogue("C: CCC / S: 533");
    dialogue(&format!("{TLS} / C: CCC / S: 534"));
    let setup = Setup {
        allow_ccc: false,
        ..setup()
    };
    World::new(setup, link()).play(&format!("{TLS} / {LOGIN} / C: CCC / S: 534"));
}

#[test]
fn rein_ends_tls_after_its_reply() {
    let mut world = dialogue(&format!("{TLS} / {LOGIN} / C: REIN / S: 220"));
    assert_eq!(world.control, Some(Control::EndTls));
    world.play(&format!(
        "C: PBSZ 0 / S: 503 / {TLS} / {LOGIN} / C: PWD / S: 257"
    ));
}

#[test]
fn implicit_tls_is_protected_throughout_and_stays_so() {
    let mut world = implicit();
    world.play(&format!("{LOGIN} / {RETR}"));
    assert_eq!(protected(&world), Some(true));
    world.play(&format!("C: PROT C / S: 200 / {RETR}"));
    assert_eq!(protected(&world), Some(false));
    world.play("C: REIN / S: 220");
    assert_eq!(world.control, Some(Control::DropDataPort));
    world.play(&format!("{LOGIN} / {RETR}"));
    assert_eq!(protected(&world), Some(true));
}

#[test]
fn the_login_knows_whether_it_came_protected() {
    use ftpspec_server::internals::pi::{Session, Step, Work};
    use ftpspec_server::internals::wire::ControlEvent;
    for (begin, expected) in [(None, false), (Some("AUTH TLS"), true)] {
        let mut session = Session::new(setup().into(), link());
        let line = |text: &str| ControlEvent::Line(text.into());
        if let Some(begin) = begin {
            let Step::Ask(work) = session.receive(line(begin)) else {
                panic!("is there a certificate?");
            };
            let Work::PrepareTls(question) = *work else {
                panic!("it is about TLS");
            };
            let Step::ReplyThen(..) = question.answer(&mut session, true) else {
                panic!("AUTH is accepted");
            };
            session.tls_established();
        }
        let Step::Reply(_) = session.receive(line("USER test")) else {
            panic!("331");
        };
        let Step::Ask(work) = session.receive(line("PASS secret")) else {
            panic!("somebody must decide");
        };
        let Work::Authenticate(question) = *work else {
            panic!("it is a login");
        };
        assert_eq!(question.about.protected, expected);
        assert!(!format!("{question:?}").contains("secret"));
    }
}

fn requiring(requirement: TlsRequirement) -> World {
    let setup = Setup {
        tls_required: requirement,
        ..setup()
    };
    World::new(setup, link())
}

#[test]
fn where_the_control_connection_must_be_protected_a_login_in_clear_is_refused() {
    for requirement in [TlsRequirement::Control, TlsRequirement::ControlAndData] {
        let mut world = requiring(requirement);
        world.play(&format!(
            "C: USER test / S: 530 ~ AUTH TLS / C: PASS secret / S: 530 / C: PWD / S: 530 / C: FEAT / S: 211 / C: NOOP / S: 200
             {TLS} / {LOGIN} / C: PWD / S: 257 / C: REIN / S: 220 / C: USER test / S: 530"
        ));
    }
    requiring(TlsRequirement::None).play(LOGIN);
}

#[test]
fn after_ccc_a_new_login_would_be_in_clear() {
    requiring(TlsRequirement::Control).play(&format!(
        "{TLS} / {LOGIN} / C: CCC / S: 200 / C: PWD / S: 257 / C: USER test / S: 530 / C: PWD / S: 257"
    ));
}

#[test]
fn where_data_must_be_protected_every_transfer_in_the_clear_is_521_whatever_named_its_port() {
    let mut world = requiring(TlsRequirement::ControlAndData);
    world.play(&format!("{TLS} / {LOGIN}"));
    let ports = [
        "PASV / S: 227",
        "EPSV / S: 229",
        "PORT 192,0,2,7,200,1 / S: 200",
        "EPRT |1|192.0.2.7|51201| / S: 200",
    ];
    for port in ports {
        for transfer in [
            "RETR a", "STOR new", "APPE new", "STOU", "LIST", "NLST", "MLSD",
        ] {
            world.play(&format!("C: {port} / C: {transfer} / S: 521 ~ PROT P"));
        }
        assert_eq!(protected(&world), None, "nothing was opened");
    }
    // The port from before PROT P is used, and is protected.
    world.play("C: PBSZ 0 / S: 200 / C: PROT P / S: 200 / C: RETR a / S: 150 / S: 226");
    assert_eq!(protected(&world), Some(true));
    world.play("C: PASV / S: 227 / C: PROT C / S: 200 / C: RETR a / S: 521 / C: STAT a / S: 213");
}

#[test]
fn without_a_certificate_auth_is_431_and_the_session_goes_on_as_it_was() {
    let mut world = World::new(setup(), link());
    world.certificate = false;
    world.play(&format!(
        "{LOGIN} / C: TYPE I / S: 200 / C: AUTH TLS / S: 431 / C: AUTH X / S: 504 / C: PWD / S: 257"
    ));
    assert_eq!(world.control, None);
    world.certificate = true;
    world.play(&format!("{TLS} / C: PWD / S: 530"));
}

fn carols() -> Option<Arc<ClientCertificate>> {
    Some(ClientCertificate::from_der(b"that of carol").into())
}

#[test]
fn a_certificate_is_enough_for_its_user_only() {
    let mut world = dialogue(TLS);
    world.session.client_certificate(carols());
    world.play(
        "C: USER carol / S: 232 / C: PWD / S: 257 / C: PASS x / S: 503 / C: USER test / S: 331 / C: PWD / S: 530",
    );
    world.play("C: USER test / S: 331 / C: PASS wrong / S: 530 / C: USER test / S: 331 / C: PASS secret / S: 230");
    // Another certificate, and none.
    let other = ClientCertificate::from_der(b"that of mallory");
    for certificate in [Some(Arc::new(other)), None] {
        world.session.client_certificate(certificate);
        world.play("C: USER carol / S: 331 / C: PASS secret / S: 530 / C: PWD / S: 530");
    }
}

#[test]
fn after_ccc_and_rein_a_certificate_logs_nobody_in() {
    let mut world = dialogue(TLS);
    world.session.client_certificate(carols());
    world.play(
        "C: USER carol / S: 232 / C: CCC / S: 200 / C: PWD / S: 257 / C: USER carol / S: 331",
    );
    world.play(&format!("{TLS} / C: USER carol / S: 331"));
    world.session.client_certificate(carols());
    world.play("C: REIN / S: 220");
    world.play(&format!(
        "C: USER carol / S: 331 / {TLS} / C: USER carol / S: 331"
    ));
}

#[test]
fn with_implicit_tls_a_certificate_outlives_rein() {
    let mut world = implicit();
    world.session.client_certificate(carols());
    world.play(
        "C: USER carol / S: 232 / C: REIN / S: 220 / C: PWD / S: 530 / C: USER carol / S: 232",
    );
}

#[test]
fn a_refused_data_connection_is_522_with_the_reason() {
    for (offered, reason) in [
        (SessionOffered::None, "no session to resume"),
        (SessionOffered::Unknown, "a session unknown to this server"),
        (SessionOffered::Foreign, "the session of another connection"),
        (SessionOffered::Own, "could not be resumed"),
    ] {
        let mut world = dialogue(&format!("{LOGIN} / C: PASV / S: 227 / B: RETR a / S: 150"));
        world.end(TransferEnd::NotResumed(offered));
        world.play(&format!("S: 522 ~ {reason}"));
    }
    let mut world = dialogue(&format!("{LOGIN} / C: PASV / S: 227 / B: RETR a / S: 150"));
    world.end(TransferEnd::OtherClient);
    world.play("S: 522 ~ client certificate differs");
}

#[test]
fn tls_exchanges_no_security_data_by_commands() {
    dialogue(
        "C: ADAT YWJj / S: 503 Use AUTH TLS first. / C: ADAT / S: 501 / C: ADAT *** / S: 501
         C: AUTH TLS / S: 234 / C: ADAT YWJj / S: 503 TLS does / C: ADAT YWJ / S: 501",
    );
}

#[test]
fn single_commands_are_not_protected_by_tls() {
    for verb in ["MIC", "CONF", "ENC"] {
        dialogue(&format!(
            "C: {verb} YWJj / S: 503 / C: {verb} / S: 501 / C: {verb} a / S: 501
             C: AUTH TLS / S: 234 / C: {verb} YWJj / S: 537 / C: PBSZ 0 / S: 200 / C: {verb} YWJj / S: 537
             {LOGIN} / C: CCC / S: 200 / C: {verb} YWJj / S: 537"
        ));
    }
}
