//! The server-PI: decides what every command leads to. Pure: no socket, no file, no clock, no waiting
//! (RFC 959 §2.3, §5.4, §6).

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
mod transfer;
mod work;

pub use crate::auth::TlsRequirement;
pub use setup::{Link, NoopInTransfer, Setup, TlsPolicy, VirtualHost};
pub use transfer::restart_marker;
pub use work::*;

use crate::auth::{ClientCertificate, User};
use crate::storage::{Described, HashAlgorithm, Metadata, VirtualPath};
use crate::wire::{
    Command, CommandLine, Completion, ControlEvent, Facts, InTransfer, LoginRule, Reply, Verb,
    done, is_foreign,
};
use login::Login;
use parameters::Parameters;
use security::Security;
use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::sync::Arc;
use transfer::Running;

/// One control connection's state.
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
    /// The address of ours the client connected to.
    local: IpAddr,
    /// The client's address.
    peer: IpAddr,
    /// The zone of the control connection, in which link-local addresses are those of both ends
    /// (RFC 4007 §4); 0 is none.
    scope_id: u32,
    login: Login,
    failed_logins: u8,
    security: Security,
    /// The client's, from the TLS handshake.
    certificate: Option<Arc<ClientCertificate>>,
    pending: Pending,
    parameters: Parameters,
    running: Option<Running>,
    hosting: Option<Box<host::Hosting>>,
}

/// A command whose meaning waits for the next one. At most one can wait, and any other command forgets it: RNFR by
/// RFC 959 §4.1.3, PASS by §4.1.1 ("immediately preceded"). A restart marker survives the commands that prepare a
/// transfer ([`VerbRow::keeps_restart`](crate::wire::VerbRow)).
#[derive(Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    /// USER was given this name.
    Password(Box<[u8]>),
    /// RNFR named this.
    Rename(VirtualPath),
    /// REST named this octet.
    Restart(u64),
    /// RANG named these octets.
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

/// What CSID says of us; names differ by case (draft-peterson-streamlined-ftp-command-extensions §6).
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

/// The host of an address as it is shown, with its zone if it has one (RFC 4007 §11.2).
fn shown_host(address: SocketAddr) -> String {
    match scope_id(address) {
        0 => address.ip().to_string(),
        zone => format!("{}%{zone}", address.ip()),
    }
}

/// What a decision comes to; a refusal is returned early by `?`.
type Decision = Result<Step, Completion>;

impl Session {
    /// The session of a new control connection.
    #[must_use]
    pub fn new(setup: Arc<Setup>, link: Link) -> Self {
        Self {
            local: link.local.ip().to_canonical(),
            peer: link.peer.ip().to_canonical(),
            scope_id: match (scope_id(link.peer), scope_id(link.local)) {
                // The client is after a load balancer.
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

    /// A port of one of the two ends of the control connection. A link-local address alone is not
    /// one to connect to or to listen at: it means a host only in its zone (RFC 4007 §6).
    fn in_zone(&self, ip: IpAddr, port: u16) -> SocketAddr {
        match ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, port, 0, self.scope_id).into()
            }
            ip => SocketAddr::new(ip, port),
        }
    }

    /// The reply to connecting (RFC 959 §5.4).
    #[must_use]
    pub fn greeting(&self) -> Reply {
        greeting(&self.setup.greeting)
    }

    /// Decides what an event of the control connection leads to.
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

    /// Decides about an event that comes while a [`Step::Transfer`] is out.
    ///
    /// ABOR and STAT without argument are answered (RFC 959 §4.1.3). All else waits, QUIT too,
    /// because a server should queue what comes before the completion reply (RFC 959 §4.2). With
    /// [`NoopInTransfer::AtOnce`] a NOOP is answered too, unless other commands are `queued`:
    /// replies keep the order of their commands.
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

    /// A reply in the language of the session (RFC 2640 §4.1). Everything that is sent passes here.
    #[must_use]
    pub fn translated<'a>(&self, reply: &'a Reply) -> Cow<'a, Reply> {
        reply.translated(self.parameters.language)
    }

    /// Who is logged in, and the working directory.
    #[must_use]
    pub fn logged_in(&self) -> Option<(&User, &VirtualPath)> {
        match &self.login {
            Login::In(login) => Some((&login.user, &login.working_directory)),
            Login::Out => None,
        }
    }

    /// A command was answered by somebody else: what waited for it is forgotten, as any command forgets it.
    pub fn passed_over(&mut self) {
        self.pending = Pending::Nothing;
    }

    /// Whether data connections are to be protected now (PROT P).
    #[must_use]
    pub fn protects_data(&self) -> bool {
        self.security.data_is_private()
    }

    /// The shell says how much the running transfer has moved so far: STAT tells it.
    pub fn transfer_progress(&mut self, octets: u64) {
        if let Some(running) = &mut self.running {
            running.moved = octets;
        }
    }

    /// The verb of a line before anything is done about it, then its login rule, then its argument.
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

    /// Whether a verb does anything here: FEAT and HELP name it, and it is not answered 502.
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

    /// Everything but the protection and the count of failed logins as it was in the beginning (REIN, RFC 959 §4.1.1;
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

/// 220 with a text of any number of lines.
fn greeting(text: &str) -> Reply {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let last = lines.pop().unwrap_or_default();
    if lines.is_empty() {
        return Reply::line(220, last);
    }
    let first = lines.remove(0);
    Reply::block(220, first, lines, last)
}

/// What is no command is 500; what is another protocol's ends the session, before what follows is taken for ours.
fn unrecognized(line: &[u8]) -> Decision {
    if is_foreign(line) {
        let goodbye = done(421, "Not an FTP command, closing.");
        return Ok(Step::ReplyThen(goodbye, Control::Close));
    }
    Err(done(500, "Command unrecognized."))
}

/// Asks the shell for something.
fn ask(work: Work) -> Decision {
    Ok(Step::Ask(Box::new(work)))
}

/// Asks the shell what stands there, and decides by that.
fn look(
    at: StoragePath,
    then: impl FnOnce(&mut Session, StoragePath, io::Result<Metadata>) -> Decision + Send + 'static,
) -> Decision {
    ask(Work::Stat(Question::new(at, |session, at, found| {
        then(session, at, found).unwrap_or_else(Step::Reply)
    })))
}

/// Goes on with what the name is described as: links that lead to nothing are there, too.
fn look_at_name(
    at: StoragePath,
    then: impl FnOnce(&mut Session, StoragePath, io::Result<Described>) -> Decision + Send + 'static,
) -> Decision {
    ask(Work::Describe(Question::new(at, |session, at, found| {
        then(session, at, found).unwrap_or_else(Step::Reply)
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    }
}
