//! What of a recorded command line is worked out anew when it is sent again. Pure.

use std::collections::BTreeMap;

use url::Url;

use crate::subject::Target;
use crate::transcript::SECRET;

/// Who logs in.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user name, in place of the recorded one; `None` keeps that.
    pub user: Option<String>,
    /// The password, which a recording never has.
    pub password: Option<String>,
    /// The account.
    pub account: Option<String>,
}

impl Credentials {
    /// Those of the URL where it has any.
    pub(crate) fn or_of_url(self, url: &str, target: &Target) -> Self {
        let has_login = Url::parse(url).is_ok_and(|url| !url.username().is_empty());
        match has_login {
            true => Self {
                user: Some(target.user.clone()),
                password: Some(target.password.clone()),
                ..self
            },
            false => self,
        }
    }
}

/// Does not show secrets.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Verbs whose argument is never sent as it was recorded.
pub(super) const SUBSTITUTED: [&str; 5] = ["USER", "PASS", "ACCT", "PORT", "EPRT"];
/// Verbs whose argument is a pathname (RFC 959 §5.3.1, RFC 3659).
const WITH_PATHNAME: [&str; 20] = [
    "CWD", "XCWD", "RETR", "STOR", "APPE", "DELE", "RMD", "XRMD", "MKD", "XMKD", "RNFR", "RNTO",
    "LIST", "NLST", "MLSD", "MLST", "SIZE", "MDTM", "STAT", "STOU",
];

/// What stands for what in pathnames: values that the server chose.
#[derive(Debug, Default)]
pub(super) struct Pathnames {
    /// The login directory, recorded and live, where they differ.
    pub(super) login_directory: Option<(String, String)>,
    /// Names of STOU, recorded and live.
    pub(super) unique_names: BTreeMap<String, String>,
}

impl Pathnames {
    /// The argument of a command for the live server.
    pub(super) fn live(&self, verb: &str, argument: &[u8]) -> Vec<u8> {
        if !WITH_PATHNAME.contains(&verb) {
            return argument.to_vec();
        }
        let Ok(text) = std::str::from_utf8(argument) else {
            return argument.to_vec();
        };
        if let Some(live) = self.unique_names.get(text) {
            return live.clone().into_bytes();
        }
        let Some((recorded, live)) = &self.login_directory else {
            return argument.to_vec();
        };
        let (recorded, live) = (recorded.trim_end_matches('/'), live.trim_end_matches('/'));
        match text.strip_prefix(recorded) {
            Some("") if live.is_empty() => b"/".to_vec(),
            Some("/") | Some("") => live.as_bytes().to_vec(),
            Some(below) if below.starts_with('/') => format!("{live}{below}").into_bytes(),
            _ => argument.to_vec(),
        }
    }
}

/// The name in a reply to STOU: after `FILE:` (RFC 1123 §4.1.2.9), or quoted.
pub(super) fn unique_name(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let named = match upper.find("FILE:") {
        Some(at) => text[at + 5..].trim(),
        None => text.split('"').nth(1)?,
    };
    let name = named.trim_matches('"').trim_end_matches('.');
    let is_plain = !name.is_empty() && !name.chars().any(char::is_control);
    is_plain.then(|| name.to_owned())
}

/// Whether the argument of PASS or ACCT was left out of the recording.
pub(super) fn is_masked(argument: &[u8]) -> bool {
    argument == SECRET.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/", "/home/u", "/a", "/home/u/a")]
    #[case("/home/a", "/home/b", "/home/a/x y", "/home/b/x y")]
    #[case("/home/a", "/home/b", "/home/a", "/home/b")]
    #[case("/home/a", "/", "/home/a", "/")]
    #[case("/home/a", "/", "/home/a/x", "/x")]
    #[case("/home/a", "/home/b", "/home/abc", "/home/abc")]
    #[case("/home/a", "/home/b", "x", "x")]
    fn a_pathname_below_the_login_directory_follows_it(
        #[case] recorded: &str,
        #[case] live: &str,
        #[case] argument: &str,
        #[case] expected: &str,
    ) {
        let pathnames = Pathnames {
            login_directory: Some((recorded.into(), live.into())),
            ..Pathnames::default()
        };
        let live = pathnames.live("RETR", argument.as_bytes());
        assert_eq!(String::from_utf8_lossy(&live), expected);
        assert_eq!(
            pathnames.live("SITE", argument.as_bytes()),
            argument.as_bytes()
        );
    }

    #[test]
    fn a_name_of_stou_follows_the_live_one() {
        let mut pathnames = Pathnames::default();
        pathnames.unique_names.insert("a.1".into(), "b.2".into());
        assert_eq!(pathnames.live("DELE", b"a.1"), b"b.2");
        assert_eq!(pathnames.live("DELE", b"a.12"), b"a.12");
    }

    #[rstest]
    #[case("FILE: a.1", Some("a.1"))]
    #[case("Opening. File: \"a b\"", Some("a b"))]
    #[case("Transfer complete (\"a\")", Some("a"))]
    #[case("Transfer complete", None)]
    #[case("FILE: ", None)]
    fn the_name_is_found_in_a_reply_to_stou(#[case] text: &str, #[case] name: Option<&str>) {
        assert_eq!(unique_name(text).as_deref(), name);
    }
}
