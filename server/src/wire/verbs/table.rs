//! The rows.

use super::{Arity, Feature, InTransfer, LoginRule, Verb, VerbRow};

/// A verb that takes no argument, for logged-in users.
const fn bare(verb: Verb, name: &'static str, help: &'static str) -> VerbRow {
    VerbRow {
        verb,
        name,
        syntax: "",
        help,
        arity: Arity::None,
        login: LoginRule::LoggedIn,
        feature: Feature::Unlisted,
        in_transfer: InTransfer::Waits,
        keeps_restart: false,
        implemented: true,
    }
}

/// A verb that requires an argument.
const fn with(verb: Verb, name: &'static str, syntax: &'static str, help: &'static str) -> VerbRow {
    VerbRow {
        syntax,
        arity: Arity::Required,
        ..bare(verb, name, help)
    }
}

/// A verb with an optional argument.
const fn may(verb: Verb, name: &'static str, syntax: &'static str, help: &'static str) -> VerbRow {
    VerbRow {
        syntax,
        arity: Arity::Optional,
        ..bare(verb, name, help)
    }
}

impl VerbRow {
    /// Any client may use it.
    const fn always(mut self) -> Self {
        self.login = LoginRule::Always;
        self
    }

    /// FEAT lists it with this line.
    const fn feature(mut self, line: &'static str) -> Self {
        self.feature = Feature::Line(line);
        self
    }

    /// A restart marker stays valid after it (promise-ftp and PHP send REST before PASV).
    const fn keeps_restart(mut self) -> Self {
        self.keeps_restart = true;
        self
    }

    /// It may be answered during a transfer.
    const fn passes(mut self) -> Self {
        self.in_transfer = InTransfer::Passes;
        self
    }

    /// It is not implemented: 502.
    const fn unimplemented(mut self) -> Self {
        self.implemented = false;
        self
    }
}

/// The table, sorted by name, a row for each [`Verb`].
#[rustfmt::skip]
pub static VERBS: &[VerbRow] = &[
    bare(Verb::Abor, "ABOR", "Ends the transfer in progress and closes the data connection.").always().passes(),
    with(Verb::Acct, "ACCT", "<SP> <account>", "Sends an account; no account is needed.").always(),
    with(Verb::Adat, "ADAT", "<SP> <base64data>", "Sends security data; not used with TLS.").always(),
    with(Verb::Allo, "ALLO", "<SP> <octets> [<SP> R <SP> <octets>]", "Checks that a number of octets can be stored; nothing is reserved.").keeps_restart(),
    with(Verb::Appe, "APPE", "<SP> <pathname>", "Appends to a file, or creates it."),
    with(Verb::Auth, "AUTH", "<SP> TLS", "Starts TLS on the control connection.").always().feature("AUTH TLS"),
    may(Verb::Avbl, "AVBL", "[<SP> <pathname>]", "Returns how many octets can still be stored in a directory.").feature("AVBL"),
    bare(Verb::Ccc, "CCC", "Ends the protection of the control connection.").always().feature("CCC"),
    bare(Verb::Cdup, "CDUP", "Changes to the parent directory."),
    with(Verb::Clnt, "CLNT", "<SP> <name>", "Sends the name of the client.").always().feature("CLNT"),
    with(Verb::Comb, "COMB", "<SP> <target> 1*(<SP> <source>)", "Appends files to a file and removes them; names may be quoted.").feature("COMB"),
    with(Verb::Conf, "CONF", "<SP> <base64data>", "Sends a confidential command; not supported with TLS.").always(),
    with(Verb::Csid, "CSID", "<SP> <facts>", "Exchanges the identities of client and server.").feature("CSID"),
    with(Verb::Cwd, "CWD", "<SP> <pathname>", "Changes the current directory."),
    with(Verb::Dele, "DELE", "<SP> <pathname>", "Removes a file."),
    may(Verb::Dsiz, "DSIZ", "[<SP> <pathname>]", "Returns the total size of all files below a directory in octets.").feature("DSIZ"),
    with(Verb::Enc, "ENC", "<SP> <base64data>", "Sends a private command; not supported with TLS.").always(),
    with(Verb::Eprt, "EPRT", "<SP> |<net-prt>|<net-addr>|<tcp-port>|", "Sets the address to which the server opens the data connection.").feature("EPRT").keeps_restart(),
    may(Verb::Epsv, "EPSV", "[<SP> (1 | 2 | ALL)]", "Makes the server listen for the data connection.").feature("EPSV").keeps_restart(),
    bare(Verb::Feat, "FEAT", "Lists the extensions of the server.").always().keeps_restart(),
    VerbRow { feature: Feature::Hashes, ..with(Verb::Hash, "HASH", "<SP> <pathname>", "Returns the digest of a file.") },
    may(Verb::Help, "HELP", "[<SP> <verb>]", "Lists the commands, or explains one.").always(),
    with(Verb::Host, "HOST", "<SP> <hostname>", "Selects the virtual host.").always().feature("HOST"),
    VerbRow { feature: Feature::Languages, ..may(Verb::Lang, "LANG", "[<SP> <language>]", "Selects the language of replies.").always().keeps_restart() },
    may(Verb::List, "LIST", "[<SP> <pathname>]", "Lists a directory or file over the data connection, for humans."),
    with(Verb::Lprt, "LPRT", "<SP> <long-host-port>", "Names an address; obsoleted by EPRT.").unimplemented(),
    bare(Verb::Lpsv, "LPSV", "Listens for the data connection; obsoleted by EPSV.").unimplemented(),
    with(Verb::Md5, "MD5", "<SP> <pathname>", "Returns the MD5 digest of a file; HASH is the newer command.").feature("MD5"),
    with(Verb::Mdtm, "MDTM", "<SP> <pathname>", "Returns the modification time of a file.").feature("MDTM").keeps_restart(),
    with(Verb::Mfct, "MFCT", "<SP> <time-val> <SP> <pathname>", "Sets the creation time of a file.").feature("MFCT"),
    with(Verb::Mff, "MFF", "<SP> <facts> <SP> <pathname>", "Sets facts of a file.").feature("MFF Modify;Create;UNIX.mode;"),
    with(Verb::Mfmt, "MFMT", "<SP> <time-val> <SP> <pathname>", "Sets the modification time of a file.").feature("MFMT"),
    with(Verb::Mic, "MIC", "<SP> <base64data>", "Sends a command with a checksum; not supported with TLS.").always(),
    with(Verb::Mkd, "MKD", "<SP> <pathname>", "Creates a directory."),
    may(Verb::Mlsd, "MLSD", "[<SP> <pathname>]", "Lists a directory over the data connection, for programs."),
    VerbRow { feature: Feature::Facts, ..may(Verb::Mlst, "MLST", "[<SP> <pathname>]", "Returns the facts of a file or directory.") },
    with(Verb::Mmd5, "MMD5", "<SP> <pathname> *(, <pathname>)", "Returns the MD5 digests of files; names may be quoted.").feature("MMD5"),
    with(Verb::Mode, "MODE", "<SP> (S | B | C | Z)", "Sets the transmission mode: Stream, Block, Compressed or Deflate.").feature("MODE Z").keeps_restart(),
    may(Verb::Nlst, "NLST", "[<SP> <pathname>]", "Lists names over the data connection."),
    bare(Verb::Noop, "NOOP", "Does nothing.").always().keeps_restart().passes(),
    with(Verb::Opts, "OPTS", "<SP> <command> [<SP> <options>]", "Sets options: UTF8, MLST, HASH, MODE Z.").always().keeps_restart(),
    with(Verb::Pass, "PASS", "<SP> <password>", "Sends the password; must follow USER.").always(),
    bare(Verb::Pasv, "PASV", "Makes the server listen for the data connection.").keeps_restart(),
    with(Verb::Pbsz, "PBSZ", "<SP> 0", "Sets the protection buffer size; TLS needs none.").always().feature("PBSZ").keeps_restart(),
    with(Verb::Port, "PORT", "<SP> <host-port>", "Sets the address to which the server opens the data connection.").keeps_restart(),
    with(Verb::Prot, "PROT", "<SP> (C | P)", "Sets the protection of data connections: Clear or Private.").always().feature("PROT").keeps_restart(),
    bare(Verb::Pwd, "PWD", "Returns the current directory."),
    bare(Verb::Quit, "QUIT", "Ends the session.").always(),
    with(Verb::Rang, "RANG", "<SP> <first octet> <SP> <last octet>", "Sets the range of octets for RETR, STOR, APPE or HASH; 1 0 clears it.").feature("RANG STREAM"),
    bare(Verb::Rein, "REIN", "Logs out and resets all parameters.").always(),
    with(Verb::Rest, "REST", "<SP> <octets>", "Sets the offset at which the next transfer begins.").feature("REST STREAM"),
    with(Verb::Retr, "RETR", "<SP> <pathname>", "Sends a file to the client."),
    with(Verb::Rmd, "RMD", "<SP> <pathname>", "Removes an empty directory."),
    with(Verb::Rmda, "RMDA", "<SP> <pathname>", "Removes a directory and everything in it.").feature("RMDA"),
    with(Verb::Rnfr, "RNFR", "<SP> <pathname>", "Selects what to rename; RNTO must follow."),
    with(Verb::Rnto, "RNTO", "<SP> <pathname>", "Renames what RNFR selected."),
    with(Verb::Site, "SITE", "<SP> <service> [<SP> <argument>]", "Commands specific to this server."),
    with(Verb::Size, "SIZE", "<SP> <pathname>", "Returns the number of octets that RETR would send.").feature("SIZE").keeps_restart(),
    with(Verb::Smnt, "SMNT", "<SP> <pathname>", "Mounts a file system; there is only one."),
    may(Verb::Stat, "STAT", "[<SP> <pathname>]", "Returns the state of the session, or lists a directory over the control connection.").always().passes().keeps_restart(),
    with(Verb::Stor, "STOR", "<SP> <pathname>", "Stores a file."),
    may(Verb::Stou, "STOU", "[<SP> <pathname>]", "Stores a file under a unique name."),
    with(Verb::Stru, "STRU", "<SP> (F | R)", "Sets the file structure: File or Record.").keeps_restart(),
    bare(Verb::Syst, "SYST", "Returns the type of the operating system.").always(),
    with(Verb::Thmb, "THMB", "<SP> <format> <SP> <width> <SP> <height> <SP> <pathname>", "Sends a thumbnail of a picture.").unimplemented(),
    with(Verb::Type, "TYPE", "<SP> ((A | E) [<SP> (N | T | C)] | I | L <SP> 8)", "Sets the representation type: ASCII, EBCDIC, Image or Local.").keeps_restart(),
    with(Verb::User, "USER", "<SP> <username>", "Sends the user name; PASS must follow.").always(),
    with(Verb::Xcrc, "XCRC", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the CRC32 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XCRC"),
    bare(Verb::Xcup, "XCUP", "The old name of CDUP."),
    with(Verb::Xcwd, "XCWD", "<SP> <pathname>", "The old name of CWD."),
    with(Verb::Xmd5, "XMD5", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the MD5 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XMD5"),
    with(Verb::Xmkd, "XMKD", "<SP> <pathname>", "The old name of MKD."),
    bare(Verb::Xpwd, "XPWD", "The old name of PWD."),
    with(Verb::Xrmd, "XRMD", "<SP> <pathname>", "The old name of RMD."),
    with(Verb::Xsha, "XSHA", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-1 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA"),
    with(Verb::Xsha1, "XSHA1", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-1 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA1"),
    with(Verb::Xsha256, "XSHA256", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-256 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA256"),
    with(Verb::Xsha512, "XSHA512", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-512 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA512"),
];
