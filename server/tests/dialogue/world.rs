//! The environment of a session: files in memory, immediate decisions about logins, data
//! connections that are only recorded.

use bytes::Bytes;
use ftpspec_server::auth::accounts::{Account, Accounts, Password};
use ftpspec_server::auth::{
    Authenticating, Authenticator as _, CertificateRule, ClientCertificate, Denied, Permissions,
    Secret, User,
};
use ftpspec_server::internals::dtp::coded_size;
use ftpspec_server::internals::pi::{
    Coding, Content, Control, DataPort, DuringTransfer, Link, Listing, Malformed, Session, Setup,
    Step, TransferEnd, TransferQuestion, Work,
};
use ftpspec_server::internals::wire::{Completion, ControlEvent, Naming, Reply, parse_time_val};
use ftpspec_server::storage::{
    Entry, FileKind, MemFs, OpenWrite, ReadHandle, Storage, Times, VirtualPath, WriteHandle,
    open_read_range, open_write_range, read_file, write_file,
};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A session and everything that it can request.
pub(crate) struct World {
    pub(crate) session: Session,
    pub(crate) files: Arc<dyn Storage>,
    users: Accounts,
    listener: SocketAddr,
    /// Replies that were not examined yet.
    said: VecDeque<Reply>,
    /// What the last transfer sent over the data connection, before TYPE A is applied.
    sent: Vec<u8>,
    /// What the next STOR receives over it.
    received: Vec<u8>,
    running: Option<TransferQuestion>,
    queued: VecDeque<ControlEvent>,
    pub(crate) closed: bool,
    /// Whether the server has a certificate.
    pub(crate) certificate: bool,
    /// The last change of the connections.
    pub(crate) control: Option<Control>,
    /// The last requested transfer: port, protected, coding.
    pub(crate) transfer: Option<(DataPort, bool, Coding)>,
}

impl World {
    /// Files: `/a` of ten digits, `/text` of two lines, `/empty`, `/-la`, `/d/f`, `/d/g.txt`,
    /// `/d/.hidden`, and the directory `/d/e`. Users: `test` has all permissions, `reader` may
    /// read and list, `nobody` has none, and for each permission there is a user of its name; the
    /// password is `secret`. `carol` has a certificate.
    pub(crate) fn new(setup: Setup, link: Link) -> Self {
        let files: Arc<dyn Storage> = Arc::new(MemFs::new());
        for directory in ["/d", "/d/e"] {
            files.make_directory(&path(directory)).unwrap();
        }
        for (name, content) in [
            ("/a", "0123456789"),
            ("/text", "one\ntwo\n"),
            ("/empty", ""),
            ("/-la", "x"),
            ("/d/f", "f"),
            ("/d/g.txt", "g"),
            ("/d/.hidden", "h"),
        ] {
            write_file(&*files, &path(name), Bytes::from(content)).unwrap();
        }
        let times = Times {
            modified: parse_time_val(b"20231123040000"),
            created: None,
        };
        for name in [
            "/a",
            "/text",
            "/empty",
            "/-la",
            "/d/f",
            "/d/g.txt",
            "/d/.hidden",
            "/d/e",
            "/d",
        ] {
            files.set_times(&path(name), times).unwrap();
        }
        let carols = ClientCertificate::from_der(b"that of carol");
        let carols = CertificateRule::Fingerprint(*carols.fingerprint());
        let account = |name: &str, permissions, password| {
            let user = User::new(name, Arc::clone(&files));
            Account::new(
                User {
                    permissions,
                    ..user
                },
                password,
            )
        };
        let secret = || Password::Plain(Secret::new("secret"));
        let carol = Account {
            certificates: vec![carols],
            ..account("carol", Permissions::ALL, Password::None)
        };
        let users = [
            ("test", Permissions::ALL),
            ("reader", Permissions::READ_ONLY),
            ("nobody", Permissions::NONE),
        ];
        let by_effect = Permissions::EFFECTS.map(|effect| {
            let mut permissions = Permissions::NONE;
            *permissions.effect(effect).unwrap() = true;
            (effect, permissions)
        });
        let users = users.into_iter().chain(by_effect).fold(
            Accounts::new().with("carol", carol),
            |users, (name, permissions)| users.with(name, account(name, permissions, secret())),
        );
        Self {
            session: Session::new(Arc::new(setup), link),
            files,
            users,
            listener: SocketAddr::new(link.local.ip(), 2121),
            said: VecDeque::new(),
            sent: Vec::new(),
            received: Vec::new(),
            running: None,
            queued: VecDeque::new(),
            closed: false,
            certificate: true,
            control: None,
            transfer: None,
        }
    }

    /// Plays a script of lines, or of parts between ` / `:
    ///
    /// ```text
    /// C: NOOP         the client sends a line, which is carried out
    /// B: RETR a       it begins a transfer, which continues until E or an ABOR
    /// M: STAT         it sends a line meanwhile
    /// E: complete     the transfer ends: complete, lost, unconnected, unprotected, full, malformed
    /// S: 226          the server replies: a code, or a code and the beginning of the text
    /// S: 211 ~ TYPE   a reply with these octets somewhere in it
    /// N:              the server sends no (other) reply
    /// D: a\r\nb       the data of the last transfer
    /// U: xyz          the data of the next upload
    /// F: /a = xyz     the content of a file is now this
    /// ```
    #[track_caller]
    pub(crate) fn play(&mut self, script: &str) {
        let lines = script.split('\n').flat_map(|line| line.split(" / "));
        for line in lines.map(str::trim_start).filter(|line| !line.is_empty()) {
            let (kind, rest) = line.split_at(2);
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            if !matches!(kind, "S:" | "D:" | "F:" | "N:" | "U:") {
                assert!(self.said.is_empty(), "before {line}: {:?}", self.said);
            }
            match kind {
                "C:" => {
                    self.send(rest);
                    self.end(TransferEnd::Complete { octets: 0 });
                }
                "B:" => {
                    self.send(rest);
                    assert!(self.running.is_some(), "{line} began no transfer");
                }
                "M:" => self.meanwhile(ControlEvent::Line(unescaped(rest))),
                "E:" => self.end(match rest {
                    "complete" => TransferEnd::Complete { octets: 1 },
                    "malformed" => TransferEnd::Malformed(Malformed::Form),
                    "lost" => TransferEnd::ConnectionLost,
                    "unconnected" => TransferEnd::NoConnection,
                    "unprotected" => TransferEnd::NoProtection,
                    "full" => TransferEnd::StorageFailed(io::ErrorKind::StorageFull.into()),
                    "broken" => TransferEnd::StorageFailed(io::ErrorKind::Other.into()),
                    other => panic!("no transfer ends {other}"),
                }),
                "S:" => self.expect(line, rest),
                "N:" => assert!(self.said.is_empty(), "{:?}", self.said),
                "D:" => assert_eq!(escaped(&self.sent), rest, "{line}"),
                "U:" => self.bring(&unescaped(rest)),
                "F:" => {
                    let (name, content) = rest.split_once(" = ").unwrap();
                    let found = read_file(&*self.files, &path(name), 1 << 20).unwrap();
                    assert_eq!(escaped(&found), content, "{line}");
                }
                _ => panic!("no such line: {line}"),
            }
        }
        assert!(self.said.is_empty(), "at the end: {:?}", self.said);
    }

    /// Does everything that an event leads to, except for a transfer, which keeps running. Returns
    /// the replies.
    pub(crate) fn receive(&mut self, event: ControlEvent) -> Vec<Reply> {
        let step = self.session.receive(event);
        self.follow(step);
        self.take_said()
    }

    /// The same, with or without a running transfer.
    pub(crate) fn hear(&mut self, event: ControlEvent) -> Vec<Reply> {
        if self.is_transferring() {
            self.meanwhile(event);
            return self.take_said();
        }
        self.receive(event)
    }

    /// Whether a transfer runs.
    pub(crate) fn is_transferring(&self) -> bool {
        self.running.is_some()
    }

    /// The data of the next upload.
    pub(crate) fn bring(&mut self, octets: &[u8]) {
        self.received = octets.to_vec();
    }

    /// Replies that were not examined yet.
    pub(crate) fn take_said(&mut self) -> Vec<Reply> {
        self.said.drain(..).collect()
    }

    /// Ends the running transfer, if any. Returns the replies.
    pub(crate) fn finish(&mut self) -> Vec<Reply> {
        self.end(TransferEnd::Complete { octets: 0 });
        self.take_said()
    }

    fn send(&mut self, line: &str) {
        assert!(self.running.is_none(), "a transfer runs");
        assert!(!self.closed, "the connection is closed");
        let step = self.session.receive(ControlEvent::Line(unescaped(line)));
        self.follow(step);
    }

    fn meanwhile(&mut self, event: ControlEvent) {
        assert!(self.running.is_some(), "no transfer runs");
        self.session.transfer_progress(42);
        let queued = !self.queued.is_empty();
        match self.session.during_transfer(&event, queued) {
            DuringTransfer::Reply(Completion(reply)) => self.say(&reply),
            DuringTransfer::Queue => self.queued.push_back(event),
            DuringTransfer::Abort(Completion(reply)) => {
                let question = self.running.take().unwrap();
                let Completion(aborted) = question.answer(&mut self.session, TransferEnd::Aborted);
                self.say(&aborted);
                self.say(&reply);
                self.work_off();
            }
        }
    }

    pub(crate) fn end(&mut self, end: TransferEnd) {
        if let Some(question) = self.running.take() {
            let Completion(reply) = question.answer(&mut self.session, end);
            self.say(&reply);
        }
        self.work_off();
    }

    fn work_off(&mut self) {
        // Commands after QUIT are not read.
        while !self.closed
            && let Some(event) = self.queued.pop_front()
        {
            let step = self.session.receive(event);
            self.follow(step);
            self.end(TransferEnd::Complete { octets: 0 });
        }
    }

    fn follow(&mut self, mut step: Step) {
        loop {
            step = match step {
                Step::Reply(Completion(reply)) => return self.say(&reply),
                Step::ReplyThen(Completion(reply), control) => {
                    self.say(&reply);
                    self.control = Some(control);
                    match control {
                        Control::StartTls => self.session.tls_established(),
                        Control::EndTls => self.session.tls_ended(),
                        Control::Close => self.closed = true,
                        Control::DropDataPort => {}
                    }
                    return;
                }
                Step::Ask(work) => self.perform(*work),
                Step::Transfer(question) => return self.begin(*question),
            };
        }
    }

    fn perform(&mut self, work: Work) -> Step {
        let session = &mut self.session;
        match work {
            Work::Authenticate(q) => {
                let of_host = session.authenticator().cloned();
                let users = of_host.unwrap_or_else(|| Arc::new(self.users.clone()));
                let outcome = at_once(users.authenticate(q.about.clone()));
                q.answer(session, outcome)
            }
            Work::Recognize(q) => {
                let outcome = at_once(self.users.recognize(q.about.clone()));
                q.answer(session, outcome)
            }
            Work::Storage(work) => work.run().answer(session),
            Work::PrepareTls(q) => q.answer(session, self.certificate),
            Work::Listen(q) => q.answer(session, Ok(self.listener)),
            Work::CodedSize(q) => {
                let (at, coding) = &q.about;
                let size = coded_size(&*at.storage, &at.path, coding);
                q.answer(session, size)
            }
            Work::ListLines(q) => {
                let lines = listed(&q.about).map(|text| {
                    text.split(|octet| *octet == b'\n')
                        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
                        .filter(|line| !line.is_empty())
                        .collect()
                });
                q.answer(session, lines)
            }
        }
    }

    /// Opens the file, sends the preliminary reply, and moves all data at once.
    fn begin(&mut self, question: TransferQuestion) {
        let transfer = &question.about;
        assert_ne!(transfer.port, DataPort::None, "there is always a port");
        self.transfer = Some((transfer.port, transfer.protected, transfer.coding));
        self.sent.clear();
        let moved = match &transfer.content {
            Content::Retrieve { at, offset } => at
                .storage
                .open_read(&at.path, *offset)
                .and_then(read_all)
                .map(|octets| {
                    self.sent = octets;
                    None
                }),
            Content::RetrieveRange { at, range } => {
                open_read_range(&*at.storage, &at.path, range.start, range.end)
                    .and_then(read_all)
                    .map(|octets| {
                        self.sent = octets;
                        None
                    })
            }
            Content::StoreRange { at, range } => {
                open_write_range(&*at.storage, &at.path, range.start, range.end)
                    .and_then(|file| write_all(file, &self.received))
                    .map(|()| None)
            }
            Content::Store { at, how } => {
                stored(at.storage.as_ref(), &at.path, *how, &self.received).map(|()| None)
            }
            Content::StoreUnique { at } => {
                let directory = at
                    .storage
                    .stat(&at.path, true)
                    .is_ok_and(|found| found.kind == FileKind::Directory);
                let unique = if directory {
                    at.path.join(b"unique").unwrap()
                } else {
                    at.path.clone()
                };
                stored(
                    at.storage.as_ref(),
                    &unique,
                    OpenWrite::CreateNew,
                    &self.received,
                )
                .map(|()| Some(unique))
            }
            Content::List(listing) => listed(listing).map(|text| {
                self.sent = text;
                None
            }),
        };
        match moved {
            Ok(created) => {
                let preliminary = transfer.preliminary(created.as_ref());
                self.say(&preliminary.0);
                self.running = Some(question);
            }
            Err(error) => {
                let end = TransferEnd::NotOpened(error);
                let Completion(reply) = question.answer(&mut self.session, end);
                self.say(&reply);
            }
        }
    }

    fn say(&mut self, reply: &Reply) {
        let reply = self.session.translated(reply).into_owned();
        self.said.push_back(reply);
    }

    #[track_caller]
    fn expect(&mut self, line: &str, expected: &str) {
        let Some(reply) = self.said.pop_front() else {
            panic!("{line}: nothing was said");
        };
        let mut octets = Vec::new();
        reply.encode(&mut octets);
        let text = escaped(&octets);
        let (start, within) = expected.split_once(" ~ ").unwrap_or((expected, ""));
        assert!(
            text.starts_with(start) && text.contains(within),
            "{line}: {text}"
        );
    }
}

/// The decision of an authenticator that does not wait.
fn at_once(mut deciding: Authenticating<'_>) -> Result<User, Denied> {
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(outcome) = deciding.as_mut().poll(&mut context) else {
        panic!("these accounts are decided at once");
    };
    outcome
}

fn stored(
    storage: &dyn Storage,
    path: &VirtualPath,
    how: OpenWrite,
    octets: &[u8],
) -> io::Result<()> {
    write_all(storage.open_write(path, how)?, octets)
}

fn write_all(mut file: Box<dyn WriteHandle>, octets: &[u8]) -> io::Result<()> {
    file.write_chunk(octets.to_vec().into())?;
    file.commit()
}

fn read_all(mut file: Box<dyn ReadHandle>) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    loop {
        let chunk = file.read_chunk(4096)?;
        if chunk.is_empty() {
            return Ok(octets);
        }
        octets.extend_from_slice(&chunk);
    }
}

fn listed(listing: &Listing) -> io::Result<Vec<u8>> {
    let (storage, path) = (&listing.at.storage, &listing.at.path);
    let lister = listing.lister(parse_time_val(b"20240101000000").unwrap());
    let mut text = Vec::new();
    let metadata = storage.stat(path, true)?;
    if metadata.kind == FileKind::Directory {
        for entry in storage.list(path)? {
            let entry = entry?;
            if lister.shows(&entry) {
                lister.write(&entry, Naming::Own, &mut text);
            }
        }
    } else {
        let name = path.name().unwrap_or_default().to_vec();
        lister.write(&Entry { name, metadata }, Naming::Own, &mut text);
    }
    Ok(text)
}

pub(crate) fn path(text: &str) -> VirtualPath {
    VirtualPath::root().join(text.as_bytes()).unwrap()
}

/// Octets of a script, with the escapes `\r`, `\n`, `\0` and `\xFF`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        octets.extend_from_slice(before.as_bytes());
        let length = match after.as_bytes() {
            [b'r', ..] => {
                octets.push(b'\r');
                1
            }
            [b'n', ..] => {
                octets.push(b'\n');
                1
            }
            [b'x', ..] => {
                octets.push(u8::from_str_radix(&after[1..3], 16).unwrap());
                3
            }
            _ => panic!("no such escape: {text}"),
        };
        rest = &after[length..];
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

fn escaped(octets: &[u8]) -> String {
    octets
        .escape_ascii()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}
