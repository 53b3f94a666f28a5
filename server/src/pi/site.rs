//! SITE: commands specific to this server (RFC 959 §4.1.3). Permission is by effect, as for the
//! verbs. The completion is 200; 250 would be as good (§5.4 has 200 in the row of SITE).

use super::files::plain;
use super::storage_replies::Act;
use super::{Decision, Session, Step, StorageWork};
use crate::storage::{Change, Storage, VirtualPath, make_directories};
use crate::wire::{Completion, FactChanges, Reply, SERVICES, Service, SiteCommand, SiteLine, done};
use std::time::{Duration, SystemTime};

/// The shortest idle timeout that a session may set.
const SHORTEST_IDLE: Duration = Duration::from_secs(30);
/// SITE commands on a line of SITE HELP.
const SERVICES_PER_LINE: usize = 8;

impl Session {
    /// SITE. An unknown command is a bad parameter (RFC 959 §5.4 has 500 and 501 for it).
    pub(super) fn site(&mut self, argument: &[u8]) -> Decision {
        let line = SiteLine::split(argument)
            .ok()
            .filter(|line| !self.setup.disabled_services.contains(line.service))
            .ok_or_else(no_such_service)?;
        match line.parse().map_err(|error| done(501, error.0))? {
            SiteCommand::Help(topic) => self.site_help(topic),
            SiteCommand::Chmod(mode, pathname) => self.set_mode(mode, pathname),
            SiteCommand::Utime(time, pathname) => self.set_time(time, pathname),
            SiteCommand::Symlink { target, link } => self.symlink(&target, &link),
            SiteCommand::Mkdir(pathname) => self.make_directories(pathname),
            SiteCommand::Rmdir(pathname) => self.remove_subtree(pathname),
            SiteCommand::Idle(time) => self.idle(time),
            SiteCommand::Refused => Err(done(504, line.service.row().help)),
        }
    }

    /// SITE HELP and HELP SITE: the available SITE commands, or one of them.
    pub(super) fn site_help(&self, topic: Option<&[u8]>) -> Decision {
        let offered = |service: Service| {
            service.row().implemented && !self.setup.disabled_services.contains(service)
        };
        if let Some(topic) = topic {
            let service = Service::named(topic).filter(|service| offered(*service));
            let row = service.ok_or_else(no_such_service)?.row();
            let space = if row.syntax.starts_with('<') { " " } else { "" };
            let syntax = format!("Syntax: SITE {}{space}{}", row.name, row.syntax);
            let help = [format!(" {}", row.help)];
            return Ok(Step::Reply(Completion(Reply::block(
                214, syntax, help, "End",
            ))));
        }
        let names: Vec<&str> = SERVICES
            .iter()
            .filter(|row| offered(row.service))
            .map(|row| row.name)
            .collect();
        let lines = names.chunks(SERVICES_PER_LINE).map(|names| {
            names
                .iter()
                .map(|name| format!(" {name:<7}"))
                .collect::<String>()
        });
        let reply = Reply::block(
            214,
            "The following SITE commands are recognized:",
            lines,
            "End",
        );
        Ok(Step::Reply(Completion(reply)))
    }

    /// The idle timeout that the session has set, if any.
    #[must_use]
    pub fn idle_limit(&self) -> Option<Duration> {
        self.parameters
            .idle
            .map(|seconds| Duration::from_secs(seconds.into()))
    }

    fn set_mode(&self, mode: u32, pathname: &[u8]) -> Decision {
        let changes = FactChanges {
            mode: Some(mode),
            ..FactChanges::default()
        };
        self.change_facts(pathname, changes, done(200, "Permissions changed."))
    }

    fn set_time(&self, time: SystemTime, pathname: &[u8]) -> Decision {
        let mut changes = FactChanges::default();
        changes.times.modified = Some(time);
        self.change_facts(pathname, changes, done(200, "Modification time set."))
    }

    /// A storage resolves links inside its tree in any case; a link with a target above the root is
    /// not created at all.
    fn symlink(&self, target: &[u8], link: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, link, |may| may.create)?;
        self.resolve(Act::Find, target)?;
        if leads_out(&at.path, target) {
            return Err(done(550, "The link target is above the root directory."));
        }
        let target = target.to_vec();
        let link = |storage: &dyn Storage, path: &VirtualPath| {
            storage.symlink(&target, path)?;
            let path = path.clone();
            Ok(vec![Change::LinkMade { path, target }])
        };
        StorageWork::change(at, link, plain(200, Act::Find, "Symbolic link created.")).ask()
    }

    fn make_directories(&self, pathname: &[u8]) -> Decision {
        let at = self.permitted(Act::Find, pathname, |may| may.make_directory)?;
        let make = |storage: &dyn Storage, path: &VirtualPath| {
            let made = make_directories(storage, path)?.into_iter();
            Ok(made.map(|path| Change::DirectoryMade { path }).collect())
        };
        StorageWork::change(at, make, plain(200, Act::Find, "The directory exists.")).ask()
    }

    fn idle(&mut self, time: Option<Duration>) -> Decision {
        let (usual, longest) = (
            self.setup.limits.idle,
            self.setup.limits.longest_idle.max(self.setup.limits.idle),
        );
        if let Some(time) = time {
            let shortest = SHORTEST_IDLE.min(usual);
            if !(shortest..=longest).contains(&time) {
                let text = format!(
                    "The idle timeout must be from {} to {} seconds.",
                    shortest.as_secs(),
                    longest.as_secs()
                );
                return Err(done(501, text));
            }
            self.parameters.idle = u32::try_from(time.as_secs()).ok();
        }
        let now = self.idle_limit().unwrap_or(usual);
        let text = format!(
            "The idle timeout is {} seconds; the maximum is {}.",
            now.as_secs(),
            longest.as_secs()
        );
        Ok(Step::Reply(done(200, text)))
    }
}

/// Whether a link with this target would leave the root by its `..`.
fn leads_out(link: &VirtualPath, target: &[u8]) -> bool {
    let mut depth = if target.starts_with(b"/") {
        0
    } else {
        link.components().count().saturating_sub(1)
    };
    for name in target.split(|octet| *octet == b'/') {
        depth = match name {
            b"" | b"." => depth,
            b".." if depth == 0 => return true,
            b".." => depth - 1,
            _ => depth + 1,
        };
    }
    false
}

fn no_such_service() -> Completion {
    done(501, "Unknown SITE command; see SITE HELP.")
}
