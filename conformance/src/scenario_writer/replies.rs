//! The replies that a scenario expects.

use super::dialogue::Happening;
use super::pathname::{components, resolve};
use super::script::{Script, TRANSFERS, WITH_PATHNAME, argument, variable_of};
use super::tree::Path;
use crate::data::CONTENT_LIMIT;
use crate::scenario::{Action, Codes, Expect, ReplyPattern, TextPattern};
use crate::transcript::{Command, Reply};

impl Script<'_> {
    pub(super) fn expect(&mut self, reply: &Reply, text: Option<String>) {
        let codes = match reply.code {
            // Which of them depends on when the data connection was opened.
            125 | 150 => "125 | 150".to_owned(),
            code => code.to_string(),
        };
        let (Ok(codes), Ok(before)) = (codes.parse::<Codes>(), "125 | 150".parse::<Codes>()) else {
            return self.stop("a reply has no code");
        };
        let answered = match reply.class() {
            // What follows is about a transfer that has begun.
            1 => {
                if let Some(verb) = self.unanswered.front_mut() {
                    verb.clear();
                }
                None
            }
            _ => self.unanswered.pop_front(),
        };
        // RFC 959 §6: a transfer may be refused after a preliminary reply as well, and then the
        // server waits for the data of an upload.
        let refused =
            answered.filter(|verb| reply.class() >= 4 && TRANSFERS.contains(&verb.as_str()));
        let is_upload = matches!(refused.as_deref(), Some("APPE" | "STOR" | "STOU"));
        if is_upload && self.is_ready {
            self.step(Action::CloseData);
        }
        let text = text.map(|source| ReplyPattern::Text(TextPattern { source }));
        self.step(Action::Expect(Expect {
            codes,
            text,
            should: None,
            after: refused.map(|_| (0, before)),
            ends: None,
        }));
    }

    /// What is known of the text of a reply.
    pub(super) fn text_of(
        &self,
        exchange: usize,
        command: Option<&Command>,
        reply: &Reply,
    ) -> Option<String> {
        let command = command?;
        let text = reply.text();
        match command.verb.as_str() {
            "PWD" | "XPWD" if reply.code == 257 => {
                let quoted = text.strip_prefix('"')?.split_once('"')?.0;
                let path: Vec<&str> = components(quoted).collect();
                let here = self.home.iter().chain(&self.tree.cwd);
                if !here.eq(path) {
                    return None;
                }
                let below: String = self
                    .tree
                    .cwd
                    .iter()
                    .map(|name| format!("/{name}"))
                    .collect();
                Some(format!(
                    "\"${{dir}}{}\"*",
                    TextPattern::literal(&below).source.trim_start_matches('\\')
                ))
            }
            "SIZE" if reply.code == 213 && !self.text => {
                let path = self.path(command)?;
                let size: u64 = text.trim().parse().ok()?;
                let known = match self.tree.file(&path) {
                    Some(body) if body.text => None,
                    Some(body) => Some(body.octets.len()),
                    None => (size <= CONTENT_LIMIT).then_some(size),
                };
                (known == Some(size)).then(|| size.to_string())
            }
            "STOU" => {
                let (name, variable) = self.unique.iter().find(|(name, variable)| {
                    *variable == variable_of(exchange) && text.contains(name.as_str())
                })?;
                let (before, after) = text.split_once(name.as_str())?;
                let tail = before
                    .char_indices()
                    .rev()
                    .take(6)
                    .last()
                    .map_or(0, |(at, _)| at);
                let rest: String = after.chars().take(3).collect();
                let before = TextPattern::literal(&before[tail..]).source;
                let end = if after.chars().count() > 3 { "*" } else { "" };
                let rest = TextPattern::literal(&rest).source;
                Some(format!("*{before}${{{variable}}}{rest}{end}"))
            }
            _ => None,
        }
    }

    /// The file that STOU stored.
    pub(super) fn unique_path(&self, exchange: usize) -> Option<Path> {
        let variable = variable_of(exchange);
        let (name, _) = self.unique.iter().find(|(_, other)| *other == variable)?;
        resolve(&self.home, &self.tree.cwd, name)
    }

    /// The names that STOU chose and that a later command uses.
    pub(super) fn find_unique_names(&mut self, happenings: &[Happening<'_>]) {
        for (index, happening) in happenings.iter().enumerate() {
            let Happening::Reply(exchange, reply, _) = happening else {
                continue;
            };
            let text = reply.text();
            let command = happenings[..index]
                .iter()
                .rev()
                .find_map(|earlier| match earlier {
                    Happening::Command(number, command) if number == exchange => Some(command),
                    _ => None,
                });
            if command.is_none_or(|command| command.verb != "STOU") {
                continue;
            }
            let later = happenings[index..].iter().filter_map(|later| match later {
                Happening::Command(_, command)
                    if WITH_PATHNAME.contains(&command.verb.as_str()) =>
                {
                    Some(argument(command))
                }
                _ => None,
            });
            let mut later = later.filter(|name| name.len() > 2 && text.contains(name.as_str()));
            if let Some(name) = later.next() {
                self.unique.push((name, variable_of(*exchange)));
            }
        }
    }
}
