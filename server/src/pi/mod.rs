//! The server-PI: decides the reply and the effects of every command. Pure: no sockets, files,
//! clock or waiting (RFC 959 §2.3, §5.4, §6).

mod digests;
mod files;
mod host;
mod login;
mod parameters;
mod security;
mod service;
mod setup;
mod site;
mod storage_replies;
mod storage_work;
mod transfer;
mod work;

pub use crate::auth::TlsRequirement;
pub use setup::{Link, NoopInTransfer, Setup, TlsPolicy, VirtualHost};
pub use storage_work::{StorageWork, StorageWorkDone};
pub use transfer::restart_marker;
pub use work::*;

use crate::auth::{ClientCertificate, User};
use crate::storage::{HashAlgorithm, VirtualPath};
use crate::wire::{
    Command, CommandLine, Completion, ControlEvent, Facts, InTransfer, LoginRule, Reply, Verb,
    done, is_foreign,
};
use login::Login;
use parameters::Parameters;
use security::Security;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::sync::Arc;
use storage_work::{look, look_at_name};
use transfer::Running;

/// The state of one control connection.
///
/// ```text
/// greeting()
/// for each event: receive() -> Step
///     Step::Ask(work): work.answer(&mut session, outcome) -> Step …
/// while a Step::Transfer is out: during_transfer(&event, queued) -> DuringTransfer
///     queued events: receive() afterwards
/// ```
#[derive(Debug)]
pub struct Session {
    setup: Arc<Setup>,
    /// The server address that the client connected to.
    local: IpAddr,
    /// The client's address.
    peer: IpAddr,
    /// The zone of the control connection, in which link-local addresses are those of both ends
    /// (RFC 4007 §4); 0 is none.
    scope_id: u32,
    login: Login,
    failed_logins: u8,
    security: Security,
    /// The certificate that the client sent in the TLS handshake.
    certificate: Option<Arc<ClientCertificate>>,
    pending: Pending,
    parameters: Parameters,
    running: Option<Running>,
    hosting: Option<Box<host::Hosting>>,
}

/// State that one command leaves for the next. Any other command clears it: RNFR by RFC 959 §4.1.3,
/// PASS by §4.1.1 ("immediately preceded"). A restart marker survives the commands that prepare a
/// transfer ([`VerbRow::keeps_restart`](crate::wire::VerbRow)).
#[derive(Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    /// USER with this name was accepted.
    Password(Box<[u8]>),
    /// RNFR selected this.
    Rename(VirtualPath),
    /// REST set this offset.
    Restart(u64),
    /// RANG selected these octets.
    Range(Range<u64>),
}

impl Pending {
    /// Where the next transfer begins.
    fn offset(&self) -> u64 {
        match self {
            Self::Restart(offset) => *offset,
            Self::Range(range) => range.start,
            _ => 0,
        }
    }
}

/// The identity that CSID returns; names are case-sensitive
/// (draft-peterson-streamlined-ftp-command-extensions §6).
const IDENTITY: &str = concat!(
    "Name=ftpspec; Version=",
    env!("CARGO_PKG_VERSION"),
    "; CaseSensitive=1;"
);

fn scope_id(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    }
}

/// The text form of an address without its port, with its zone if it has one (RFC 4007 §11.2).
fn shown_host(address: SocketAddr) -> String {
    match scope_id(address) {
        0 => address.ip().to_string(),
        zone => format!("{}%{zone}", address.ip()),
    }
}

/// The result of a decision; a refusal is returned early by `?`.
type Decision = Result<Step, Completion>;

impl Session {
    /// The session of a new control connection.
    #[must_use]
    pub fn new(setup: Arc<Setup>, link: Link) -> Self {
        Self {
            local: link.local.ip().to_canonical(),
            peer: link.peer.ip().to_canonical(),
            scope_id: match (scope_id(link.peer), scope_id(link.local)) {
                // The client connected through a load balancer.
                (0, local) => local,
                (peer, _) => peer,
            },
            login: Login::Out,
            failed_logins: 0,
            security: Security::initial(setup.tls, link.protected),
            certificate: None,
            pending: Pending::Nothing,
            parameters: Parameters::default(),
            running: None,
            hosting: None,
            setup,
        }
    }

    /// An address of one end of the control connection, with another port. A link-local address
    /// needs its zone to be usable (RFC 4007 §6).
    fn in_zone(&self, ip: IpAddr, port: u16) -> SocketAddr {
        match ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, port, 0, self.scope_id).into()
            }
            ip => SocketAddr::new(ip, port),
        }
    }

    /// The reply to a new connection (RFC 959 §5.4).
    #[must_use]
    pub fn greeting(&self) -> Reply {
        greeting(&self.setup.greeting)
    }

    /// Decides about an event of the control connection.
    pub fn receive(&mut self, event: ControlEvent) -> Step {
        let decision = match &event {
            ControlEvent::Line(line) => self.decide(line),
            ControlEvent::Overlong => {
                self.pending = Pending::Nothing;
                Err(done(500, "Command line too long."))
            }
            ControlEvent::Malformed => {
                self.pending = Pending::Nothing;
                Err(done(501, "The command line contains NUL or a bare CR."))
            }
        };
        decision.unwrap_or_else(Step::Reply)
    }

    /// Decides about an event that arrives while a [`Step::Transfer`] is carried out.
    ///
    /// ABOR and STAT without argument are answered (RFC 959 §4.1.3). Everything else waits,
    /// including QUIT, because a server should queue commands that arrive before the completion
    /// reply (RFC 959 §4.2). With [`NoopInTransfer::AtOnce`] a NOOP is answered too, unless other
    /// commands are `queued`: replies keep the order of their commands.
    pub fn during_transfer(&mut self, event: &ControlEvent, queued: bool) -> DuringTransfer {
        let ControlEvent::Line(line) = event else {
            return DuringTransfer::Queue;
        };
        let Ok(command) = CommandLine::split(line) else {
            return DuringTransfer::Queue;
        };
        if command.verb.row().in_transfer == InTransfer::Waits || !self.offers(command.verb) {
            return DuringTransfer::Queue;
        }
        match command.parse() {
            Ok(Command::Abor) => DuringTransfer::Abort(done(226, "Abort successful.")),
            Ok(Command::Stat(None)) => DuringTransfer::Reply(self.status()),
            Ok(Command::Noop)
                if self.setup.noop_in_transfer == NoopInTransfer::AtOnce && !queued =>
            {
                DuringTransfer::Reply(nothing_done())
            }
            _ => DuringTransfer::Queue,
        }
    }

    /// A reply in the language of the session (RFC 2640 §4.1). Every reply that is sent passes
    /// through it.
    #[must_use]
    pub fn translated<'a>(&self, reply: &'a Reply) -> Cow<'a, Reply> {
        reply.translated(self.parameters.language)
    }

    /// The logged-in user, and the working directory.
    #[must_use]
    pub fn logged_in(&self) -> Option<(&User, &VirtualPath)> {
        match &self.login {
            Login::In(login) => Some((&login.user, &login.working_directory)),
            Login::Out => None,
        }
    }

    /// Clears pending state after the caller answered a command itself, as any other command would.
    pub fn passed_over(&mut self) {
        self.pending = Pending::Nothing;
    }

    /// Whether data connections are to be protected (PROT P).
    #[must_use]
    pub fn protects_data(&self) -> bool {
        self.security.data_is_private()
    }

    /// Sets the octets that the running transfer has moved so far, for STAT.
    pub fn transfer_progress(&mut self, octets: u64) {
        if let Some(running) = &mut self.running {
            running.moved = octets;
        }
    }

    /// Checks the verb first, then its login rule, then its argument.
    fn decide(&mut self, line: &[u8]) -> Decision {
        let pending = std::mem::take(&mut self.pending);
        let Ok(line) = CommandLine::split(line) else {
            return unrecognized(line);
        };
        let row = line.verb.row();
        if row.keeps_restart {
            self.pending = match &pending {
                Pending::Restart(offset) => Pending::Restart(*offset),
                Pending::Range(range) => Pending::Range(range.clone()),
                _ => Pending::Nothing,
            };
        }
        if !self.offers(line.verb) {
            return Err(done(502, "Command not implemented."));
        }
        if row.login == LoginRule::LoggedIn {
            self.user()?;
        }
        let command = line.parse().map_err(|error| done(501, error.0))?;
        self.execute(command, pending)
    }

    fn execute(&mut self, command: Command<'_>, pending: Pending) -> Decision {
        match command {
            Command::User(name) => self.user_name(name),
            Command::Pass(password) => self.password(password, pending),
            Command::Acct => self.account(),
            Command::Rein => self.reinitialize(),
            Command::Quit => Ok(Step::ReplyThen(done(221, "Goodbye."), Control::Close)),
            Command::Auth(mechanism) => self.authenticate_by(mechanism),
            Command::Pbsz => self.protection_buffer_size(),
            Command::Prot(level) => self.protection_level(level),
            Command::Adat => self.security_data(),
            Command::Mic => self.protected_command(),
            Command::Ccc => self.clear_command_channel(),
            Command::Type(code) => self.representation_type(code),
            Command::Stru(code) => self.structure(code),
            Command::Mode(code) => self.mode(code),
            Command::Port(address) => self.port(address),
            Command::Eprt(address) => self.extended_port(address),
            Command::Pasv => self.passive(),
            Command::Epsv(protocol) => self.extended_passive(protocol),
            Command::Rest(offset) => self.restart(offset),
            Command::Host(name) => self.choose_host(name),
            Command::Lang(tag) => self.language(tag),
            Command::Rang(range) => self.range(range),
            Command::Opts(options) => self.options(options),
            Command::Retr(pathname) => self.retrieve(pathname, &pending),
            Command::Stor(pathname) => self.store(Verb::Stor, pathname, &pending),
            Command::Appe(pathname) => self.store(Verb::Appe, pathname, &pending),
            Command::Stou(pathname) => self.store_unique(pathname, &pending),
            Command::List(argument) => self.list(Verb::List, argument),
            Command::Nlst(argument) => self.list(Verb::Nlst, argument),
            Command::Mlsd(pathname) => self.list_facts(pathname),
            Command::Abor => self.abort(),
            Command::Cwd(pathname) => self.change_directory(pathname),
            Command::Cdup => self.change_directory(b".."),
            Command::Pwd => self.working_directory(),
            Command::Mkd(pathname) => self.make_directory(pathname),
            Command::Rmd(pathname) => self.remove_directory(pathname),
            Command::Rmda(pathname) => self.remove_subtree(pathname),
            Command::Dele(pathname) => self.remove_file(pathname),
            Command::Rnfr(pathname) => self.rename_from(pathname),
            Command::Rnto(pathname) => self.rename_to(pathname, pending),
            Command::Size(pathname) => self.size(pathname),
            Command::Mdtm(pathname) => self.modification_time(pathname),
            Command::Mff(argument) => self.set_facts(argument),
            Command::Mlst(pathname) => self.facts(pathname),
            Command::Hash(name) => self.hash(name.pathname, pending),
            Command::Digest(algorithm, argument) => self.digest(algorithm, argument),
            Command::Md5(names) => self.md5(&names),
            Command::Comb(argument) => self.combine(&argument),
            Command::Dsiz(pathname) => self.subtree_size(pathname),
            Command::Avbl(pathname) => self.available(pathname),
            Command::Stat(None) => Ok(Step::Reply(self.status())),
            Command::Stat(Some(argument)) => self.list_status(argument),
            Command::Feat => Ok(Step::Reply(self.features())),
            Command::Help(topic) => self.help(topic),
            Command::Site(argument) => self.site(argument),
            Command::Syst => Ok(Step::Reply(done(215, "UNIX Type: L8"))),
            Command::Noop => Ok(Step::Reply(nothing_done())),
            Command::Clnt => Ok(Step::Reply(done(200, "Command okay."))),
            Command::Csid => Ok(Step::Reply(done(200, IDENTITY))),
            Command::Allo(octets) => self.allocate(octets),
            Command::Smnt => Ok(Step::Reply(done(202, "There is only one file system."))),
            Command::Unimplemented => Err(done(502, "Command not implemented.")),
        }
    }

    /// Whether a verb is available: FEAT and HELP list it, and it is not answered 502.
    fn offers(&self, verb: Verb) -> bool {
        let protection = matches!(
            verb,
            Verb::Auth
                | Verb::Adat
                | Verb::Pbsz
                | Verb::Prot
                | Verb::Ccc
                | Verb::Mic
                | Verb::Conf
                | Verb::Enc
        );
        verb.row().implemented
            && !self.setup.disabled.contains(verb)
            && !(protection && self.setup.tls == TlsPolicy::Off)
    }

    /// Resets everything but the protection and the count of failed logins (REIN, RFC 959 §4.1.1;
    /// AUTH, RFC 4217 §4).
    fn reset(&mut self) {
        self.login = Login::Out;
        self.pending = Pending::Nothing;
        self.parameters = Parameters::default();
    }
}

/// NOOP.
fn nothing_done() -> Completion {
    done(200, "Command okay.")
}

/// 220 with a text of one or more lines.
fn greeting(text: &str) -> Reply {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let last = lines.pop().unwrap_or_default();
    if lines.is_empty() {
        return Reply::line(220, last);
    }
    let first = lines.remove(0);
    Reply::block(220, first, lines, last)
}

/// An unknown command is 500. A line of another protocol ends the session, so that nothing after it
/// is taken for a command.
fn unrecognized(line: &[u8]) -> Decision {
    if is_foreign(line) {
        let goodbye = done(421, "Not an FTP command, closing.");
        return Ok(Step::ReplyThen(goodbye, Control::Close));
    }
    Err(done(500, "Command unrecognized."))
}

/// Asks the caller to do some work.
fn ask(work: Work) -> Decision {
    Ok(Step::Ask(Box::new(work)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    }
}
