//! The rows.

use super::{Arity, Feature, InTransfer, LoginRule, Verb, VerbRow};

/// A verb that takes no argument, for those who are logged in.
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

/// A verb that needs an argument.
const fn with(verb: Verb, name: &'static str, syntax: &'static str, help: &'static str) -> VerbRow {
    VerbRow {
        syntax,
        arity: Arity::Required,
        ..bare(verb, name, help)
    }
}

/// A verb that may have an argument.
const fn may(verb: Verb, name: &'static str, syntax: &'static str, help: &'static str) -> VerbRow {
    VerbRow {
        syntax,
        arity: Arity::Optional,
        ..bare(verb, name, help)
    }
}

impl VerbRow {
    /// Anybody may use it.
    const fn always(mut self) -> Self {
        self.login = LoginRule::Always;
        self
    }

    /// FEAT names it by this line.
    const fn feature(mut self, line: &'static str) -> Self {
        self.feature = Feature::Line(line);
        self
    }

    /// A restart marker survives it (research: promise-ftp and PHP set REST before PASV).
    const fn keeps_restart(mut self) -> Self {
        self.keeps_restart = true;
        self
    }

    /// It is let through while a transfer runs.
    const fn passes(mut self) -> Self {
        self.in_transfer = InTransfer::Passes;
        self
    }

    /// It is only recognized: 502.
    const fn unimplemented(mut self) -> Self {
        self.implemented = false;
        self
    }
}

/// The table, sorted by name, a row for each [`Verb`].
#[rustfmt::skip]
pub static VERBS: &[VerbRow] = &[
    bare(Verb::Abor, "ABOR", "Ends the transfer in progress and closes the data connection.").always().passes(),
    with(Verb::Acct, "ACCT", "<SP> <account>", "Names an account; none is needed here.").always(),
    with(Verb::Adat, "ADAT", "<SP> <base64data>", "Carries security data; TLS needs none.").always(),
    with(Verb::Allo, "ALLO", "<SP> <octets> [<SP> R <SP> <octets>]", "Asks whether so much can be stored; none needs to be reserved.").keeps_restart(),
    with(Verb::Appe, "APPE", "<SP> <pathname>", "Appends to a file, or makes it."),
    with(Verb::Auth, "AUTH", "<SP> TLS", "Protects the control connection by TLS.").always().feature("AUTH TLS"),
    may(Verb::Avbl, "AVBL", "[<SP> <pathname>]", "Tells how many octets can still be stored in a directory.").feature("AVBL"),
    bare(Verb::Ccc, "CCC", "Takes the protection of the control connection away.").always().feature("CCC"),
    bare(Verb::Cdup, "CDUP", "Makes the parent directory the working directory."),
    with(Verb::Clnt, "CLNT", "<SP> <name>", "Tells the server the name of the client.").always().feature("CLNT"),
    with(Verb::Comb, "COMB", "<SP> <target> 1*(<SP> <source>)", "Appends files to a file and removes them; names may be quoted.").feature("COMB"),
    with(Verb::Conf, "CONF", "<SP> <base64data>", "Carries a confidential command; not with TLS.").always(),
    with(Verb::Csid, "CSID", "<SP> <facts>", "Exchanges the identities of client and server.").feature("CSID"),
    with(Verb::Cwd, "CWD", "<SP> <pathname>", "Changes the working directory."),
    with(Verb::Dele, "DELE", "<SP> <pathname>", "Removes a file."),
    may(Verb::Dsiz, "DSIZ", "[<SP> <pathname>]", "Tells how many octets all files below a directory have.").feature("DSIZ"),
    with(Verb::Enc, "ENC", "<SP> <base64data>", "Carries a private command; not with TLS.").always(),
    with(Verb::Eprt, "EPRT", "<SP> |<net-prt>|<net-addr>|<tcp-port>|", "Names the address to which the server makes the data connection.").feature("EPRT").keeps_restart(),
    may(Verb::Epsv, "EPSV", "[<SP> (1 | 2 | ALL)]", "Lets the server listen for the data connection.").feature("EPSV").keeps_restart(),
    bare(Verb::Feat, "FEAT", "Lists the extensions of the server.").always().keeps_restart(),
    VerbRow { feature: Feature::Hashes, ..with(Verb::Hash, "HASH", "<SP> <pathname>", "Tells the digest of a file.") },
    may(Verb::Help, "HELP", "[<SP> <verb>]", "Lists the verbs, or explains one.").always(),
    with(Verb::Host, "HOST", "<SP> <hostname>", "Names the virtual host.").always().feature("HOST"),
    VerbRow { feature: Feature::Languages, ..may(Verb::Lang, "LANG", "[<SP> <language>]", "Chooses the language of replies.").always().keeps_restart() },
    may(Verb::List, "LIST", "[<SP> <pathname>]", "Lists a directory or file over the data connection, for people."),
    with(Verb::Lprt, "LPRT", "<SP> <long-host-port>", "Names an address; obsoleted by EPRT.").unimplemented(),
    bare(Verb::Lpsv, "LPSV", "Listens for the data connection; obsoleted by EPSV.").unimplemented(),
    with(Verb::Md5, "MD5", "<SP> <pathname>", "Tells the MD5 digest of a file; HASH does.").feature("MD5"),
    with(Verb::Mdtm, "MDTM", "<SP> <pathname>", "Tells when a file was last modified.").feature("MDTM").keeps_restart(),
    with(Verb::Mfct, "MFCT", "<SP> <time-val> <SP> <pathname>", "Sets the creation time of a file.").feature("MFCT"),
    with(Verb::Mff, "MFF", "<SP> <facts> <SP> <pathname>", "Sets facts of a file.").feature("MFF Modify;Create;UNIX.mode;"),
    with(Verb::Mfmt, "MFMT", "<SP> <time-val> <SP> <pathname>", "Sets the modification time of a file.").feature("MFMT"),
    with(Verb::Mic, "MIC", "<SP> <base64data>", "Carries a command with a checksum; not with TLS.").always(),
    with(Verb::Mkd, "MKD", "<SP> <pathname>", "Makes a directory."),
    may(Verb::Mlsd, "MLSD", "[<SP> <pathname>]", "Lists a directory over the data connection, for programs."),
    VerbRow { feature: Feature::Facts, ..may(Verb::Mlst, "MLST", "[<SP> <pathname>]", "Tells the facts of a file or directory.") },
    with(Verb::Mmd5, "MMD5", "<SP> <pathname> *(, <pathname>)", "Tells the MD5 digests of files; names may be quoted.").feature("MMD5"),
    with(Verb::Mode, "MODE", "<SP> (S | B | C | Z)", "Sets the transmission mode: Stream, Block, Compressed or Deflate.").feature("MODE Z").keeps_restart(),
    may(Verb::Nlst, "NLST", "[<SP> <pathname>]", "Lists names over the data connection."),
    bare(Verb::Noop, "NOOP", "Does nothing.").always().keeps_restart().passes(),
    with(Verb::Opts, "OPTS", "<SP> <command> [<SP> <options>]", "Sets options: UTF8, MLST, HASH, MODE Z.").always().keeps_restart(),
    with(Verb::Pass, "PASS", "<SP> <password>", "Gives the password, right after USER.").always(),
    bare(Verb::Pasv, "PASV", "Lets the server listen for the data connection.").keeps_restart(),
    with(Verb::Pbsz, "PBSZ", "<SP> 0", "Sets the protection buffer size; TLS needs none.").always().feature("PBSZ").keeps_restart(),
    with(Verb::Port, "PORT", "<SP> <host-port>", "Names the address to which the server makes the data connection.").keeps_restart(),
    with(Verb::Prot, "PROT", "<SP> (C | P)", "Sets the protection of data connections: Clear or Private.").always().feature("PROT").keeps_restart(),
    bare(Verb::Pwd, "PWD", "Tells the working directory."),
    bare(Verb::Quit, "QUIT", "Ends the session.").always(),
    with(Verb::Rang, "RANG", "<SP> <first octet> <SP> <last octet>", "Sets which octets RETR, STOR, APPE or HASH is about; 1 0 is all of them.").feature("RANG STREAM"),
    bare(Verb::Rein, "REIN", "Begins anew: logs out and resets all parameters.").always(),
    with(Verb::Rest, "REST", "<SP> <octets>", "Sets where the next transfer begins.").feature("REST STREAM"),
    with(Verb::Retr, "RETR", "<SP> <pathname>", "Sends a file to the client."),
    with(Verb::Rmd, "RMD", "<SP> <pathname>", "Removes an empty directory."),
    with(Verb::Rmda, "RMDA", "<SP> <pathname>", "Removes a directory with all that is in it.").feature("RMDA"),
    with(Verb::Rnfr, "RNFR", "<SP> <pathname>", "Names what is to be renamed; RNTO must follow."),
    with(Verb::Rnto, "RNTO", "<SP> <pathname>", "Renames what RNFR named."),
    with(Verb::Site, "SITE", "<SP> <service> [<SP> <argument>]", "Services of this server."),
    with(Verb::Size, "SIZE", "<SP> <pathname>", "Tells how many octets RETR would send.").feature("SIZE").keeps_restart(),
    with(Verb::Smnt, "SMNT", "<SP> <pathname>", "Mounts a file system; there is only one here."),
    may(Verb::Stat, "STAT", "[<SP> <pathname>]", "Tells the state of the session, or lists a directory over the control connection.").always().passes().keeps_restart(),
    with(Verb::Stor, "STOR", "<SP> <pathname>", "Takes a file from the client."),
    may(Verb::Stou, "STOU", "[<SP> <pathname>]", "Takes a file under a name that is not in use."),
    with(Verb::Stru, "STRU", "<SP> (F | R)", "Sets the file structure: File or Record.").keeps_restart(),
    bare(Verb::Syst, "SYST", "Tells the kind of operating system.").always(),
    with(Verb::Thmb, "THMB", "<SP> <format> <SP> <width> <SP> <height> <SP> <pathname>", "Sends a small picture.").unimplemented(),
    with(Verb::Type, "TYPE", "<SP> ((A | E) [<SP> (N | T | C)] | I | L <SP> 8)", "Sets the representation type: ASCII, EBCDIC, Image or Local.").keeps_restart(),
    with(Verb::User, "USER", "<SP> <username>", "Begins to log in; PASS must follow.").always(),
    with(Verb::Xcrc, "XCRC", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Tells the CRC32 digest of a file, or of the octets up to before <to>; HASH does.").feature("XCRC"),
    bare(Verb::Xcup, "XCUP", "The old name of CDUP."),
    with(Verb::Xcwd, "XCWD", "<SP> <pathname>", "The old name of CWD."),
    with(Verb::Xmd5, "XMD5", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Tells the MD5 digest of a file, or of the octets up to before <to>; HASH does.").feature("XMD5"),
    with(Verb::Xmkd, "XMKD", "<SP> <pathname>", "The old name of MKD."),
    bare(Verb::Xpwd, "XPWD", "The old name of PWD."),
    with(Verb::Xrmd, "XRMD", "<SP> <pathname>", "The old name of RMD."),
    with(Verb::Xsha, "XSHA", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Tells the SHA-1 digest of a file, or of the octets up to before <to>; HASH does.").feature("XSHA"),
    with(Verb::Xsha1, "XSHA1", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Tells the SHA-1 digest of a file, or of the octets up to before <to>; HASH does.").feature("XSHA1"),
    with(Verb::Xsha256, "XSHA256", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Tells the SHA-256 digest of a file, or of the octets up to before <to>; HASH does.").feature("XSHA256"),
    with(Verb::Xsha512, "XSHA512", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Tells the SHA-512 digest of a file, or of the octets up to before <to>; HASH does.").feature("XSHA512"),
];
