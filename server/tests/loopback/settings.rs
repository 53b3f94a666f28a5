//! The effects of settings files.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use ftpspec_server::ServerHandle;
use ftpspec_server::auth::accounts::PasswordHash;
use ftpspec_server::settings::Settings;
use rustls::version::TLS13;
use tokio::time::Instant;

use crate::client::{Client, connector};

async fn start(text: &str) -> ServerHandle {
    let settings = Settings::parse(text).unwrap();
    // What is printed is equivalent, except for passwords.
    if !text.contains("password = ") {
        assert_eq!(Settings::parse(&settings.to_toml()).unwrap(), settings);
    }
    settings.prepare().unwrap().builder.start().await.unwrap()
}

async fn try_login(server: &ServerHandle, user: &str, password: &str) -> (Client, String) {
    let mut client = Client::connect(server.addresses()[0]).await;
    client.expect(&format!("USER {user}"), "331").await;
    let reply = client.ask(&format!("PASS {password}")).await;
    (client, reply)
}

async fn login(server: &ServerHandle, user: &str) -> Client {
    let (client, reply) = try_login(server, user, "secret").await;
    assert!(reply.starts_with("230 "), "{reply}");
    client
}

#[tokio::test]
async fn a_password_matches_its_hash_and_a_wrong_one_is_answered_as_an_unknown_user() {
    let hash = PasswordHash::of(b"secret").unwrap();
    let server = start(&format!(
        "[[user]]\nname = \"alice\"\npassword_hash = \"{hash}\"\n"
    ))
    .await;
    login(&server, "alice").await.expect("PWD", "257").await;
    let (_, wrong) = try_login(&server, "alice", "Secret").await;
    let (_, nobody) = try_login(&server, "bob", "secret").await;
    assert_eq!((&wrong[..4], &wrong), ("530 ", &nobody));
}

#[tokio::test]
async fn a_login_from_a_host_that_is_not_allowed_is_answered_as_a_wrong_password() {
    let server = start(
        "[[user]]\nname = \"here\"\nany_password = true\nallowed_hosts = [\"127.0.0.2/32\"]\n
         [[user]]\nname = \"wrong\"\npassword = \"other\"\n",
    )
    .await;
    let (_, refused) = try_login(&server, "here", "secret").await;
    let (_, wrong) = try_login(&server, "wrong", "secret").await;
    assert_eq!((&refused[..4], &refused), ("530 ", &wrong));

    let mut client = Client::connect_from("127.0.0.2", server.addresses()[0]).await;
    client.expect("USER here", "331").await;
    client.expect("PASS x", "230").await;
}

#[tokio::test]
async fn a_user_sees_only_its_root_which_holds_only_its_quota() {
    let server = start(
        "[[user]]\nname = \"all\"\nany_password = true\n
         [[user]]\nname = \"alice\"\nany_password = true\nroot = \"home/alice\"\nquota = 20\n
         [[user]]\nname = \"too\"\nany_password = true\nroot = \"home/alice\"\nhome = \"/in\"\n",
    )
    .await;
    let mut all = login(&server, "all").await;
    all.upload("STOR above", b"secret", false).await;
    assert_eq!(server.files().read("above").unwrap(), b"secret");
    assert!(server.url().starts_with("ftp://all@127.0.0.1:"));
    all.expect("CWD /home/alice", "250").await;
    all.expect("MKD in", "257").await;

    let mut alice = login(&server, "alice").await;
    assert!(alice.expect("PWD", "257").await.contains("\"/\""));
    for way in ["RETR /above", "RETR ../../above", "SIZE ../above"] {
        alice.expect(way, "550").await;
    }
    alice.upload("STOR in/a", &[b'x'; 20], false).await;
    let data = alice.data(false).await;
    alice.send("STOR in/b").await;
    alice.receive("150 ").await;
    let mut wire = alice.establish(data).await;
    wire.write(b"y").await;
    wire.end().await;
    alice.receive("552 ").await;

    let mut too = login(&server, "too").await;
    assert!(too.expect("PWD", "257").await.contains("\"/in\""));
    assert_eq!(too.download("RETR a", false).await, [b'x'; 20]);
    assert_eq!(all.expect("SIZE in/a", "213").await, "213 20");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_those_of_the_directories_that_were_named() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["served", "below", "own"] {
        std::fs::create_dir(directory.path().join(name)).unwrap();
        std::fs::write(directory.path().join(name).join(name), name).unwrap();
    }
    let path = |name: &str| directory.path().join(name).display().to_string();
    let user = "[[user]]\nname = \"a\"\nany_password = true\n";
    for (key, name, stays) in [
        ("directory", "served", true),
        ("overlay", "below", false),
        ("seed", "below", false),
    ] {
        let server = start(&format!("[storage]\n{key} = {:?}\n{user}", path(name))).await;
        let mut client = login(&server, "a").await;
        assert_eq!(
            client.download(&format!("RETR {name}"), false).await,
            name.as_bytes()
        );
        client.upload("STOR new", b"x", false).await;
        assert_eq!(
            directory.path().join(name).join("new").exists(),
            stays,
            "{key}"
        );
    }
    let server = start(&format!(
        "{user}directory = {:?}\nquota = \"1 KiB\"\n",
        path("own")
    ))
    .await;
    let mut client = login(&server, "a").await;
    assert_eq!(client.download("RETR own", false).await, b"own");
    client.expect("AVBL", "213").await;
}

#[tokio::test]
async fn permissions_and_what_is_switched_off_hold() {
    let server = start(
        "disable = [\"FEAT\", \"SITE IDLE\"]\n
         [[user]]\nname = \"box\"\nany_password = true\npermissions = \"drop-box\"\n
         [[user]]\nname = \"two\"\nany_password = true\npermissions = [\"list\", \"create\"]\n
         [anonymous]\nnames = [\"guest\"]\n",
    )
    .await;
    let mut dropping = login(&server, "box").await;
    dropping.upload("STOR a", b"x", false).await;
    for refused in ["MLST a", "RETR a", "DELE a", "RNFR a"] {
        dropping.expect(refused, "550").await;
    }
    let mut two = login(&server, "two").await;
    two.expect("MLST a", "250").await;
    two.expect("RETR a", "550").await;
    two.expect("FEAT", "502").await;
    two.expect("SITE IDLE", "501").await;
    let mut guest = login(&server, "guest").await;
    assert_eq!(guest.download("RETR a", false).await, b"x");
    guest.expect("DELE a", "550").await;
    assert!(
        try_login(&server, "anonymous", "x")
            .await
            .1
            .starts_with("530 ")
    );
}

#[tokio::test]
async fn no_more_octets_a_second_are_moved_than_a_rate_allows() {
    let server = start(
        "[[user]]\nname = \"a\"\nany_password = true\nupload_rate = 100000\ndownload_rate = 100000\n",
    )
    .await;
    let content = vec![b'x'; 40_000];
    // What the last piece costs is not waited for by the client.
    let least = Duration::from_millis(400 - 125);
    let mut client = login(&server, "a").await;
    for mode in ["S", "B", "Z"] {
        client.expect(&format!("MODE {mode}"), "200").await;
        client.expect("TYPE I", "200").await;
        let begin = Instant::now();
        if mode == "S" {
            client.upload("STOR file", &content, false).await;
            assert!(
                begin.elapsed() >= least,
                "an upload took {:?}",
                begin.elapsed()
            );
        }
        let begin = Instant::now();
        client.download("RETR file", true).await;
        let expected = if mode == "Z" { Duration::ZERO } else { least };
        assert!(begin.elapsed() >= expected, "{mode}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn sessions_of_one_user_and_limits_of_all_hold() {
    let server = start(
        "[limits]\nfailed_logins = 1\n
         [[user]]\nname = \"one\"\nany_password = true\nsessions = 1\n
         [[user]]\nname = \"many\"\npassword = \"secret\"\n",
    )
    .await;
    let _first = login(&server, "one").await;
    assert!(try_login(&server, "one", "x").await.1.starts_with("421 "));
    let _both = (login(&server, "many").await, login(&server, "many").await);
    assert!(
        try_login(&server, "many", "wrong")
            .await
            .1
            .starts_with("421 ")
    );
}

#[tokio::test]
async fn a_virtual_host_has_its_own_greeting_users_and_files() {
    let server = start(
        "greeting = \"The server.\"\n
         [[user]]\nname = \"a\"\npassword = \"secret\"\n
         [[host]]\nname = \"b.example\"\ngreeting = \"Host b.\"\n
         [host.storage]\nquota = 3\n
         [[host.user]]\nname = \"a\"\npassword = \"other\"\n",
    )
    .await;
    let mut own = Client::open(server.addresses()[0]).await;
    assert_eq!(own.reply().await, "220 The server.");
    own.expect("USER a", "331").await;
    own.expect("PASS secret", "230").await;
    own.upload("STOR file", b"long enough", false).await;

    let mut client = Client::connect(server.addresses()[0]).await;
    assert_eq!(client.expect("HOST b.example", "220").await, "220 Host b.");
    client.expect("USER a", "331").await;
    client.expect("PASS secret", "530").await;
    client.expect("USER a", "331").await;
    client.expect("PASS other", "230").await;
    client.expect("SIZE file", "550").await;
    assert_eq!(client.expect("AVBL", "213").await, "213 3");
}

#[tokio::test]
async fn addresses_tls_and_passive_ports_are_as_configured() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    // Sixteen, as another test may take one of them meanwhile.
    let (first, last) = (port.min(65_000), port.min(65_000) + 15);
    let server = start(&format!(
        "listen = [\"127.0.0.1:0\"]\nlisten_implicit = [\"127.0.0.1:0\"]\nproxy_protocol_from = [\"127.0.0.3\"]\n
         [tls]\nrequired = \"control\"\nallow_ccc = true\n
         [passive]\nports = [\"{first}-{last} as 1024\"]\naddress = \"203.0.113.5\"\n
         [[user]]\nname = \"a\"\nany_password = true\n",
    ))
    .await;
    assert_eq!(
        (server.addresses().len(), server.implicit_addresses().len()),
        (1, 1)
    );
    let mut clear = Client::connect(server.addresses()[0]).await;
    clear.expect("USER a", "530").await;
    let tls = connector(&server, &TLS13);
    let mut client = Client::connect_implicit(server.implicit_addresses()[0], tls).await;
    client.expect("USER a", "331").await;
    client.expect("PASS x", "230").await;
    let reply = client.expect("PASV", "227").await;
    assert!(reply.contains("203,0,113,5,4,"), "{reply}");
    client.expect("CCC", "200").await;

    let mut proxied = Client::open_from("127.0.0.3", server.addresses()[0]).await;
    proxied
        .wire
        .write(b"PROXY TCP4 192.0.2.1 198.51.100.2 34567 21\r\n")
        .await;
    proxied.receive("220 ").await;
    assert_eq!(
        server.sessions().last().unwrap().peer.ip().to_string(),
        "192.0.2.1"
    );
}

#[tokio::test]
async fn a_fault_and_a_limit_on_commands_are_planned_in_both_ways() {
    let server = start(
        "faults = [\"when NOOP nth 1 do reply 450\"]\n
         [[fault]]\nwhen = \"NOOP\"\nnth = 2\ndo = \"reply 451\"\n
         [[user]]\nname = \"a\"\nany_password = true\n",
    )
    .await;
    let mut client = login(&server, "a").await;
    for code in ["450", "451", "200"] {
        client.expect("NOOP", code).await;
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_reported_with_its_path() {
    let user = "[[user]]\nname = \"a\"\nany_password = true\n";
    for text in [
        format!("[storage]\nseed = \"/no/such\"\n{user}"),
        format!("{user}directory = \"/no/such\"\n"),
    ] {
        let error = Settings::parse(&text).unwrap().prepare().unwrap_err();
        assert_eq!(error.path, Path::new("/no/such"));
        assert!(
            error
                .to_string()
                .starts_with("failed to use the files of /no/such: ")
        );
    }
    let nobody = Settings::default().prepare().unwrap().builder.start().await;
    assert!(
        matches!(nobody, Err(ftpspec_server::StartError::Config(errors)) if errors == [ftpspec_server::ConfigError::NoUsers])
    );
}
