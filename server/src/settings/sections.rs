//! The tables of a settings file and their keys.

use super::form::{Form, Section};
use super::{
    AccountSettings, AnonymousSettings, HostSettings, PassiveSettings, PlannedFault, Settings,
    StorageSettings, TlsHostSettings, TlsMode, TlsSettings, UserSettings, UsersFile,
};
use crate::Limits;
use crate::pi::TlsRequirement;
use crate::wire::{HostName, LanguageTag, is_media_type};

impl Section for Settings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("listen", &mut self.listen);
        form.value("listen_implicit", &mut self.listen_implicit);
        form.value("port", &mut self.port);
        form.value("greeting", &mut self.greeting);
        form.value("proxy_protocol_from", &mut self.proxy_protocol_from);
        form.value("disable", &mut self.disable);
        form.value("list_options", &mut self.list_options);
        form.value("ascii_conversion", &mut self.ascii_conversion);
        form.value("active_source_port", &mut self.active_source);
        form.value("noop_in_transfer", &mut self.noop_in_transfer);
        form.value("restart_markers", &mut self.restart_markers);
        form.value("language_of_names", &mut self.language_of_names);
        form.value("dot_names", &mut self.dot_names);
        form.value("links", &mut self.links);
        form.value("journal", &mut self.journal);
        form.value("users", &mut self.users_file);
        form.value("faults", &mut self.faults);
        form.table("storage", &mut self.storage);
        form.table("tls", &mut self.tls);
        form.table("passive", &mut self.passive);
        form.table("limits", &mut self.limits);
        form.pairs("media_types", &mut self.media_types, media_type);
        form.optional("anonymous", &mut self.anonymous);
        form.tables("user", &mut self.users);
        form.tables("host", &mut self.hosts);
        form.tables("fault", &mut self.planned);
        for planned in self.planned.drain(..) {
            self.faults.extend(planned.fault);
        }
        if let Some(tag) = &self.language_of_names
            && LanguageTag::parse(tag.as_bytes()).is_none()
        {
            form.wrong(
                "language_of_names",
                "expected a language tag, such as \"en\"",
            );
        }
        if self.restart_markers.is_some_and(|every| every.0 == 0) {
            form.wrong(
                "restart_markers",
                "expected at least one octet between two markers",
            );
        }
        if self.port != 0 && !self.listen.is_empty() {
            form.wrong(
                "port",
                "`port` is for the loopback addresses; `listen` names its own ports",
            );
        }
        if self.tls.mode == TlsMode::Off && !self.listen_implicit.is_empty() {
            form.wrong(
                "listen_implicit",
                "nobody is protected from the first octet where tls.mode is \"off\"",
            );
        }
        no_name_twice(&self.users, form);
        let mut hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|host| host.name.to_lowercase())
            .collect();
        hosts.sort();
        if let Some(twice) = hosts.windows(2).find(|pair| pair[0] == pair[1]) {
            form.wrong("host", format!("there are two hosts {:?}", twice[0]));
        }
    }
}

fn media_type(ending: &str, media_type: &str) -> Result<(), String> {
    if ending.starts_with('.') || ending.is_empty() {
        return Err("an ending is written without its dot".into());
    }
    if !is_media_type(media_type) {
        return Err("expected a media type, such as \"text/plain\"".into());
    }
    Ok(())
}

fn no_name_twice(users: &[UserSettings], form: &mut impl Form) {
    let mut names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        form.wrong("user", format!("there are two users {:?}", twice[0]));
    }
}

impl Section for StorageSettings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("directory", &mut self.directory);
        form.value("overlay", &mut self.overlay);
        form.value("seed", &mut self.seed);
        form.value("quota", &mut self.quota);
        form.value("keep_aborted_uploads", &mut self.keep_aborted_uploads);
        form.value("sync_uploads", &mut self.sync_uploads);
        let named = [
            ("directory", &self.directory),
            ("overlay", &self.overlay),
            ("seed", &self.seed),
        ];
        let mut named = named.iter().filter(|(_, path)| path.is_some());
        if let (Some((one, _)), Some((other, _))) = (named.next(), named.next()) {
            form.wrong(
                other,
                format!("files come from `{one}` or `{other}`, not from both"),
            );
        }
        if self.directory.is_none() {
            for (key, wanted) in [
                ("keep_aborted_uploads", self.keep_aborted_uploads),
                ("sync_uploads", self.sync_uploads),
            ] {
                if wanted {
                    form.wrong(
                        key,
                        format!("`{key}` is for a `directory` that is served itself"),
                    );
                }
            }
        }
    }
}

impl Section for TlsSettings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("mode", &mut self.mode);
        form.value("required", &mut self.required);
        form.value("lowest", &mut self.lowest);
        form.value("highest", &mut self.highest);
        form.value("certificate", &mut self.certificate);
        form.value("key", &mut self.key);
        form.value("names", &mut self.names);
        form.value("client_authorities", &mut self.client_authorities);
        form.value("client_certificates", &mut self.client_certificates);
        form.value("session_reuse", &mut self.session_reuse);
        form.value("alpn", &mut self.alpn);
        form.value("close_notify", &mut self.close_notify);
        form.value("key_log", &mut self.key_log);
        form.value("allow_ccc", &mut self.allow_ccc);
        form.tables("host", &mut self.hosts);
        chain_and_key(self.certificate.is_some(), self.key.is_some(), form);
        if self.lowest > self.highest {
            form.wrong("lowest", "the lowest version is above the highest");
        }
        if self.mode == TlsMode::Off && self.required != TlsRequirement::None {
            form.wrong(
                "required",
                "what must be protected cannot be: the mode is \"off\"",
            );
        }
    }
}

fn chain_and_key(certificate: bool, key: bool, form: &mut impl Form) {
    match (certificate, key) {
        (true, false) => form.wrong("certificate", "a certificate needs its `key`"),
        (false, true) => form.wrong("key", "a key needs its `certificate`"),
        _ => {}
    }
}

impl Section for TlsHostSettings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("name", &mut self.name);
        form.value("certificate", &mut self.certificate);
        form.value("key", &mut self.key);
        chain_and_key(self.certificate.is_some(), self.key.is_some(), form);
        if HostName::parse(self.name.as_bytes()).is_none() {
            form.wrong(
                "name",
                "expected the `name` of the host this certificate is for",
            );
        }
    }
}

impl Section for PassiveSettings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("ports", &mut self.ports);
        form.value("address", &mut self.address);
        form.value("shared", &mut self.shared);
        if self.shared && self.ports.is_none() {
            form.wrong(
                "shared",
                "only named `ports` are shared: any free port serves one session",
            );
        }
        if self.ports.as_ref().is_some_and(Vec::is_empty) {
            form.wrong(
                "ports",
                "expected at least one port; without `ports` any free one is taken",
            );
        }
    }
}

impl Section for Limits {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("sessions", &mut self.sessions);
        form.value("sessions_per_address", &mut self.sessions_per_address);
        form.value("sessions_per_user", &mut self.sessions_per_user);
        form.value("connections_per_second", &mut self.connections_per_second);
        form.value("failed_logins", &mut self.failed_logins);
        form.value("login_delay", &mut self.login_delay);
        form.value("longest_login_delay", &mut self.longest_login_delay);
        form.value("login", &mut self.login);
        form.value("session", &mut self.session);
        form.value("idle", &mut self.idle);
        form.value("longest_idle", &mut self.longest_idle);
        form.value("handshake", &mut self.handshake);
        form.value("data_connection", &mut self.data_connection);
        form.value("data_stall", &mut self.data_stall);
        form.value("reply_stall", &mut self.reply_stall);
        form.value("queued_commands", &mut self.queued_commands);
        form.value("commands_per_second", &mut self.commands_per_second);
        form.value("queued_replies", &mut self.queued_replies);
        form.value("upload", &mut self.upload);
        form.value("listing", &mut self.listing);
        form.value("long_jobs", &mut self.long_jobs);
        form.value("long_job_wait", &mut self.long_job_wait);
        form.value("ascii_size", &mut self.ascii_size);
        form.value("stop", &mut self.stop);
    }
}

/// Keys that users and anonymous have in common.
fn account(account: &mut AccountSettings, form: &mut impl Form) {
    form.value("permissions", &mut account.permissions);
    form.value("root", &mut account.root);
    form.value("directory", &mut account.directory);
    form.value("home", &mut account.home);
    form.value("quota", &mut account.quota);
    form.value("upload_rate", &mut account.upload_rate);
    form.value("download_rate", &mut account.download_rate);
    form.value("allowed_hosts", &mut account.allowed_hosts);
    form.value("sessions", &mut account.sessions);
    form.value("tls_required", &mut account.tls_required);
    if account.root.is_some() && account.directory.is_some() {
        form.wrong(
            "directory",
            "files are below `root` or in a `directory`, not both",
        );
    }
    if account.quota.is_some() && account.root.is_none() && account.directory.is_none() {
        form.wrong(
            "quota",
            "a quota is for files of one's own: it needs a `root` or a `directory`",
        );
    }
    for (key, rate) in [
        ("upload_rate", account.upload_rate),
        ("download_rate", account.download_rate),
    ] {
        if rate.is_some_and(|rate| rate.0 == 0) {
            form.wrong(
                key,
                "expected at least one octet a second; `permissions` say who may move none",
            );
        }
    }
}

impl Section for AnonymousSettings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("names", &mut self.names);
        account(&mut self.account, form);
    }
}

impl Section for UserSettings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("name", &mut self.name);
        form.value("password", &mut self.password);
        form.value("password_hash", &mut self.password_hash);
        form.value("any_password", &mut self.any_password);
        form.value("certificates", &mut self.certificates);
        account(&mut self.account, form);
        if self.name.is_empty() {
            form.wrong("name", "a user needs a `name`");
        }
        let mut keys = ["password", "password_hash", "any_password", "certificates"].iter();
        let spoiled = keys.any(|key| form.is_spoiled(key));
        let ways = [
            self.password.is_some(),
            self.password_hash.is_some(),
            self.any_password,
        ];
        match ways.iter().filter(|given| **given).count() {
            0 if self.certificates.is_empty() && !spoiled => form.wrong(
                "name",
                "nobody could log in: give a `password_hash` (ftpspec serve --hash-password), a `password`, \
                 `certificates`, or `any_password = true`",
            ),
            0 | 1 => {}
            _ => form.wrong(
                "password",
                "`password`, `password_hash` and `any_password` exclude each other",
            ),
        }
    }
}

impl Section for UsersFile {
    fn fill(&mut self, form: &mut impl Form) {
        form.tables("user", &mut self.users);
        no_name_twice(&self.users, form);
    }
}

impl Section for HostSettings {
    fn fill(&mut self, form: &mut impl Form) {
        form.value("name", &mut self.name);
        form.value("greeting", &mut self.greeting);
        form.value("users", &mut self.users_file);
        form.optional("storage", &mut self.storage);
        form.optional("anonymous", &mut self.anonymous);
        form.tables("user", &mut self.users);
        if HostName::parse(self.name.as_bytes()).is_none() {
            form.wrong(
                "name",
                "a host needs a `name`: a domain name, or an address (of IPv6 in brackets)",
            );
        }
        let nobody = self.users.is_empty() && self.users_file.is_none() && self.anonymous.is_none();
        if self.storage.is_some() && nobody {
            form.wrong(
                "storage",
                "files of a host are for users of that host, and it has none",
            );
        }
        no_name_twice(&self.users, form);
    }
}

impl Section for PlannedFault {
    fn fill(&mut self, form: &mut impl Form) {
        for (key, word) in crate::fault::KEYS.iter().zip(&mut self.words) {
            form.value(key, word);
        }
        match self.line().parse() {
            Ok(fault) => self.fault = Some(fault),
            Err(error) => form.wrong("do", error.to_string()),
        }
    }
}
