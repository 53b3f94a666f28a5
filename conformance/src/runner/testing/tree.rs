//! The file system of the test server as one session sees it, with at most one fault.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::FileFault;

/// Pathnames; directories have no octets.
pub(super) type Files = Arc<Mutex<BTreeMap<String, Option<Vec<u8>>>>>;

/// The directory that [`FileFault::CwdGoesElsewhere`] enters.
const ELSEWHERE: &str = "/elsewhere";

/// The files with the working directory of a session.
pub(super) struct Tree {
    fault: FileFault,
    files: Files,
    directory: String,
    /// The argument of the last RNFR.
    renamed: Option<String>,
    has_made: bool,
}

impl Tree {
    pub(super) fn new(fault: FileFault, files: Files) -> Self {
        Self {
            fault,
            files,
            directory: "/".into(),
            renamed: None,
            has_made: false,
        }
    }

    /// The pathname without `.`, `..` and empty components.
    pub(super) fn resolved(&self, argument: &str) -> String {
        let base = if argument.starts_with('/') {
            ""
        } else {
            &self.directory
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in base.split('/').chain(argument.split('/')) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        if self.fault == FileFault::Flat {
            parts.drain(..parts.len().saturating_sub(1));
        }
        let path = format!("/{}", parts.join("/"));
        let same = |known: &&String| {
            self.fault == FileFault::CaseBlind && known.eq_ignore_ascii_case(&path)
        };
        let known = self.files.lock().unwrap().keys().find(same).cloned();
        known.unwrap_or(path)
    }

    pub(super) fn get(&self, path: &str) -> Option<Option<Vec<u8>>> {
        match path {
            "/" => Some(None),
            _ => self.files.lock().unwrap().get(path).cloned(),
        }
    }

    /// Whether a file can be stored there.
    pub(super) fn takes(&self, path: &str) -> bool {
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        let above = if above.is_empty() { "/" } else { above };
        self.get(path) != Some(None) && self.get(above) == Some(None)
    }

    pub(super) fn store(&self, path: String, octets: Vec<u8>, append: bool) {
        let mut files = self.files.lock().unwrap();
        let mut whole = match (append, files.get(&path)) {
            (true, Some(Some(old))) => old.clone(),
            _ => Vec::new(),
        };
        whole.extend(octets);
        files.insert(path, Some(whole));
    }

    pub(super) fn listing(&self, verb: &str, path: &str) -> String {
        if let FileFault::Listing(listing) = self.fault {
            return listing.into();
        }
        let here = format!("{}/", path.trim_end_matches('/'));
        let files = self.files.lock().unwrap();
        let entries = files
            .iter()
            .filter_map(|(name, node)| Some((name.strip_prefix(&here)?, node)));
        let entries = entries.filter(|(name, _)| !name.contains('/'));
        entries
            .map(|(name, node)| match (verb, node) {
                ("MLSD", Some(_)) => format!("type=file; {name}\r\n"),
                ("MLSD", None) => format!("type=dir; {name}\r\n"),
                ("LIST", Some(_)) => format!("-rw-r--r-- 1 a a 0 Jan  1 10:00 {name}\r\n"),
                ("LIST", None) => format!("drwxr-xr-x 1 a a 0 Jan  1 10:00 {name}\r\n"),
                _ if self.fault == FileFault::AbsoluteNlst => format!("{here}{name}\r\n"),
                _ => format!("{name}\r\n"),
            })
            .collect()
    }

    /// The reply to a command about files that needs no data connection; `None` for any other.
    pub(super) fn obey(&mut self, verb: &str, path: String) -> Option<String> {
        let known = self.get(&path);
        let below = format!("{}/", path.trim_end_matches('/'));
        let moves = match self.fault {
            FileFault::CwdGoesNowhere | FileFault::NoDirectories => false,
            FileFault::CwdForItsMakerOnly => self.has_made,
            _ => true,
        };
        let free = known.is_none() && self.takes(&path);
        Some(match verb {
            "PWD" if self.fault == FileFault::ConstantPwd => "257 \"/\"".into(),
            "PWD" => format!("257 \"{}\"", self.directory),
            "MKD"
                if matches!(
                    self.fault,
                    FileFault::MkdMakesNothing | FileFault::NoDirectories
                ) =>
            {
                format!("257 \"{path}\"")
            }
            "MKD" if free => {
                self.has_made = true;
                self.files.lock().unwrap().insert(path.clone(), None);
                format!("257 \"{path}\"")
            }
            "CWD" if self.fault == FileFault::CwdGoesElsewhere && path != "/" => {
                self.directory = ELSEWHERE.into();
                "250 there".into()
            }
            "CWD" if !moves => "250 there".into(),
            "CWD" if known == Some(None) => {
                self.directory = path;
                "250 there".into()
            }
            "CDUP" => {
                self.directory = self.resolved("..");
                "250 there".into()
            }
            "DELE" if matches!(known, Some(Some(_))) => {
                self.files.lock().unwrap().remove(&path);
                "250 gone".into()
            }
            "RMD" if known == Some(None) => {
                let mut files = self.files.lock().unwrap();
                let is_full = files.keys().any(|name| name.starts_with(&below));
                if is_full && self.fault != FileFault::RmdRemovesTrees {
                    return Some("550 not empty".into());
                }
                files.retain(|name, _| *name != path && !name.starts_with(&below));
                "250 gone".into()
            }
            "RNFR" if known.is_some() => {
                self.renamed = Some(path);
                "350 and to?".into()
            }
            "RNTO" => match self.renamed.take() {
                Some(from) if self.takes(&path) && !path.starts_with(&format!("{from}/")) => {
                    let mut files = self.files.lock().unwrap();
                    let within = format!("{from}/");
                    let moved = files
                        .keys()
                        .filter(|it| **it == from || it.starts_with(&within));
                    for old in moved.cloned().collect::<Vec<_>>() {
                        let node = files.remove(&old).unwrap();
                        files.insert(format!("{path}{}", &old[from.len()..]), node);
                    }
                    "250 renamed".into()
                }
                _ => "553 no".into(),
            },
            "SIZE" => match known {
                Some(Some(octets)) => format!("213 {}", octets.len()),
                _ => "550 no".into(),
            },
            "MKD" | "CWD" | "DELE" | "RMD" | "RNFR" => "550 no".into(),
            _ => return None,
        })
    }
}
