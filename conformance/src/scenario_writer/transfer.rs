//! The statements of transfers, and what follows from them for the files of a session.

use super::content::Contents;
use super::script::{Line, Script, argument};
use super::tree::{Body, Entry, Path};
use crate::data::{CONTENT_LIMIT, Data};
use crate::scenario::{Action, Content, Receive, TextPattern};
use crate::transcript::{Command, Reply};

/// Octets of a listing in which names are looked for.
const LISTING: u64 = 1 << 20;
/// A file that is long enough for its transfer to be aborted.
const LONG: u64 = 16_000_000;
impl Script<'_> {
    /// The first octets of a transfer that is aborted later.
    pub(super) fn begin_aborted(&mut self, exchange: usize, command: Option<&Command>) {
        let transfer = self
            .dialogue
            .transfer(exchange)
            .cloned()
            .unwrap_or_default();
        let path = command.and_then(|command| self.path(command));
        if transfer.from_client.is_empty() {
            if let Some(path) = path {
                self.tree.sized(
                    &path,
                    Some(transfer.from_server.len().min(CONTENT_LIMIT - LONG) + LONG),
                );
            }
            let read = transfer.from_server.len().min(1000);
            if read > 0 {
                self.step(Action::Read(read));
            }
        } else {
            let text = self.text;
            let octets = transfer.from_client;
            let content = self.contents.on_the_wire(&Body { octets, text });
            self.step(Action::WriteData(content));
        }
    }

    /// The octets of a transfer that came to its end.
    pub(super) fn data(&mut self, exchange: usize, command: Option<&Command>, reply: &Reply) {
        let transfer = self
            .dialogue
            .transfer(exchange)
            .cloned()
            .unwrap_or_default();
        let Some(command) = command else {
            return;
        };
        let path = self.path(command);
        let text = self.text;
        match command.verb.as_str() {
            "STOR" | "STOU" | "APPE" => {
                let body = Body {
                    octets: transfer.from_client,
                    text,
                };
                let content = self.contents.on_the_wire(&body);
                self.step(Action::SendData(content));
                if reply.class() == 2
                    && let Some(path) = self.stored_at(exchange, command, path)
                {
                    self.stored(&path, body, command.verb == "APPE");
                }
            }
            "RETR" if reply.class() != 2 => self.step(Action::DataEnds),
            "RETR" => {
                let received = self.received(path.as_ref(), transfer.from_server);
                self.step(Action::Receive(received));
            }
            _ => {
                if let Some(path) = &path {
                    self.listed(command, path, &transfer.from_server);
                }
                let directory = path.unwrap_or_else(|| self.tree.cwd.clone());
                let listing = self.listing(&directory, &transfer.from_server);
                self.step(Action::Receive(listing));
            }
        }
    }

    /// Where an upload went: for STOU, where its name is known.
    fn stored_at(&self, exchange: usize, command: &Command, path: Option<Path>) -> Option<Path> {
        match command.verb.as_str() {
            "STOU" => self.unique_path(exchange),
            _ => path,
        }
    }

    /// A listing of one file or directory: it was there.
    fn listed(&mut self, command: &Command, path: &Path, octets: &Data) {
        let argument = argument(command);
        if argument.contains(['*', '?', '[', '{']) || octets.len() > LISTING {
            return;
        }
        let listing = String::from_utf8_lossy(&octets.joined()).into_owned();
        let mut lines = listing.lines();
        let is_itself = lines.next().is_some_and(|line| line.ends_with(&argument));
        let is_file = command.verb != "MLSD" && is_itself && lines.next().is_none();
        let entry = match is_file {
            true => Entry::File(None, None),
            false => Entry::Directory,
        };
        self.tree.exists(path, entry);
    }

    fn stored(&mut self, path: &Path, body: Body, appends: bool) {
        let is_whole = self.offset == 0 && !appends;
        if self.offset > 0 && self.offset <= CONTENT_LIMIT {
            // What is stored after an offset needs a file of that length.
            self.tree.sized(path, Some(self.offset));
        }
        let before = self.tree.file(path).map(|before| before.octets.clone());
        let joined = before.filter(Contents::is_literal).map(|before| {
            let end = if appends { before.len() } else { self.offset };
            let mut whole = before.slice(0..end);
            whole.extend(body.octets.clone());
            whole
        });
        let known = match (is_whole, joined) {
            (true, _) => Some(body),
            (false, Some(octets)) if Contents::is_literal(&octets) => Some(Body { octets, ..body }),
            (false, None) if appends => Some(body),
            _ => None,
        };
        self.tree.make(path, Entry::File(known, None));
    }

    /// What a download brings.
    fn received(&mut self, path: Option<&Path>, octets: Data) -> Receive {
        let (offset, text) = (self.offset, self.text);
        if let Some(path) = path.filter(|_| offset <= CONTENT_LIMIT / 2) {
            // What is before the offset is not known.
            let mut whole = Data::repeated(b"?".to_vec(), offset);
            whole.extend(octets.clone());
            self.tree.read(
                path,
                Body {
                    octets: whole,
                    text,
                },
            );
            let known = self
                .tree
                .file(path)
                .filter(|known| known.text == text)
                .cloned();
            let is_same = |known: &Body| {
                offset <= known.octets.len()
                    && known.octets.slice(offset..known.octets.len()) == octets
            };
            match known {
                Some(known) if is_same(&known) => {
                    return Receive::Exactly(match offset {
                        0 => self.contents.on_the_wire(&known),
                        offset => self.contents.rest(&known, offset),
                    });
                }
                Some(_) => {
                    let note = "Not what this session has stored.";
                    self.lines.push(Line::Note(note.into()));
                    return Receive::Anything;
                }
                None => {}
            }
        }
        match Contents::is_literal(&octets) {
            true => Receive::Exactly(Content::literal(&octets.joined())),
            false => {
                self.lines.push(Line::Note(
                    "Too long, and not what was stored before.".into(),
                ));
                Receive::Anything
            }
        }
    }

    /// The names in a listing that the scenario makes sure of.
    fn listing(&self, directory: &Path, octets: &Data) -> Receive {
        let octets = octets.slice(0..octets.len().min(LISTING));
        let listing = String::from_utf8_lossy(&octets.joined()).into_owned();
        let is_listed = |name: &&str| listing.lines().any(|line| line.ends_with(name));
        let names = self.tree.names_in(directory).filter(is_listed);
        let globs = names.map(|name| TextPattern {
            source: format!("*{}", TextPattern::literal(name).source),
        });
        let globs: Vec<TextPattern> = globs.collect();
        match globs.is_empty() {
            true => Receive::Anything,
            false => Receive::Has(globs),
        }
    }
}
