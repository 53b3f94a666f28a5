//! RFC 2428: EPRT and EPSV.

use super::world::World;
use super::{LOGIN, link, link_v6, logged_in, setup};
use ftpspec_server::internals::pi::Link;

#[track_caller]
fn over_ipv6(script: &str) {
    let mut world = World::new(setup(), link_v6());
    world.play(LOGIN);
    world.play(script);
}

#[test]
fn eprt_takes_any_delimiter_and_compares_addresses_as_numbers() {
    logged_in("C: EPRT |1|192.0.2.7|6275| / S: 200 / C: EPRT !1!192.0.2.7!6275! / S: 200");
    over_ipv6(
        "C: EPRT |2|2001:db8::7|6275| / S: 200 / C: EPRT |2|2001:0DB8:0:0:0:0:0:7|6275| / S: 200",
    );
}

#[test]
fn eprt_to_another_host_or_a_low_port_is_refused() {
    logged_in(
        "C: EPRT |1|192.0.2.8|6275| / S: 501 / C: EPRT |1|127.0.0.1|6275| / S: 501 / C: EPRT |1|0.0.0.0|6275| / S: 501
         C: EPRT |2|::ffff:192.0.2.8|6275| / S: 501 / C: EPRT |1|192.0.2.7|25| / S: 504",
    );
    over_ipv6(
        "C: EPRT |2|::|6275| / S: 501 / C: EPRT |2|::1|6275| / S: 501 / C: EPRT |2|2001:db8::7|1023| / S: 504",
    );
}

#[test]
fn an_unknown_protocol_is_522_with_a_list() {
    logged_in(
        "C: EPRT |3|x|6275| / S: 522 Network protocol not supported, use (1,2) / C: EPSV 9 / S: 522 ~ (1,2)",
    );
}

#[test]
fn the_other_protocol_is_522_with_the_one_that_works() {
    logged_in("C: EPRT |2|2001:db8::7|6275| / S: 522 ~ (1)\\r\\n / C: EPSV 2 / S: 522 ~ (1)\\r\\n");
    over_ipv6(
        "C: EPRT |1|192.0.2.7|6275| / S: 522 ~ (2)\\r\\n / C: EPSV 1 / S: 522 ~ (2)\\r\\n / C: PASV / S: 522 ~ (2)\\r\\n",
    );
}

#[test]
fn nonsense_is_501() {
    logged_in(
        "C: EPRT / S: 501 / C: EPRT x / S: 501 / C: EPRT |1|1.2.3|5000| / S: 501 / C: EPRT |1|192.0.2.7|99999| / S: 501
         C: EPRT |1|::1|5000| / S: 501 / C: EPRT |2|192.0.2.7|5000| / S: 501 / C: EPSV abc / S: 501 / C: EPSV -1 / S: 501",
    );
}

#[test]
fn epsv_replies_with_the_port_only() {
    logged_in(
        "C: EPSV / S: 229 Entering Extended Passive Mode (|||2121|)\\r\\n / C: EPSV 1 / S: 229 / C: EPSV  / S: 229",
    );
    over_ipv6("C: EPSV / S: 229 / C: EPSV 2 / S: 229");
}

#[test]
fn after_epsv_all_there_is_only_epsv() {
    logged_in(
        "C: epsv all / S: 200 / C: PASV / S: 501 / C: PORT 192,0,2,7,200,1 / S: 501 / C: EPRT |1|192.0.2.7|6275| / S: 501
         C: EPSV / S: 229 / B: RETR a / S: 150 / M: ABOR / S: 426 / S: 226 / C: PASV / S: 501 / C: EPSV 1 / S: 229",
    );
    logged_in(&format!(
        "C: EPSV ALL / S: 200 / C: REIN / S: 220 / {LOGIN} / C: PASV / S: 227"
    ));
}

#[test]
fn an_ipv4_client_on_a_dual_stack_listener_is_an_ipv4_client() {
    let mapped = Link {
        local: "[::ffff:192.0.2.1]:21".parse().unwrap(),
        peer: "[::ffff:192.0.2.7]:50000".parse().unwrap(),
        ..link()
    };
    let mut world = World::new(setup(), mapped);
    world.play(LOGIN);
    world.play("C: PASV / S: 227 ~ (192,0,2,1, / C: PORT 192,0,2,7,200,1 / S: 200 / C: EPRT |1|192.0.2.7|6275| / S: 200");
}
