//! The verbs and their rows.

use super::{Arity, Feature, InTransfer, LoginRule, VerbRow};

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
    const fn feature(self, line: &'static str) -> Self {
        self.listed(Feature::Line(line))
    }

    /// FEAT lists it so.
    const fn listed(mut self, feature: Feature) -> Self {
        self.feature = feature;
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

/// Defines the verbs by their rows.
macro_rules! verbs {
    ($($verb:ident: $kind:ident($($text:expr),*)$(.$rule:ident($($value:expr)?))*;)*) => {
        /// The verbs that this server recognizes, in alphabetical order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is documented by its row in the table")]
        pub enum Verb { $($verb),* }

        /// The table, sorted by name, a row for each [`Verb`].
        pub static VERBS: &[VerbRow] =
            &[$($kind(Verb::$verb, $($text),*)$(.$rule($($value)?))*),*];
    };
}

#[rustfmt::skip]
verbs! {
    Abor: bare("ABOR", "Ends the transfer in progress and closes the data connection.").always().passes();
    Acct: with("ACCT", "<SP> <account>", "Sends an account; no account is needed.").always();
    Adat: with("ADAT", "<SP> <base64data>", "Sends security data; not used with TLS.").always();
    Allo: with("ALLO", "<SP> <octets> [<SP> R <SP> <octets>]", "Checks that a number of octets can be stored; nothing is reserved.").keeps_restart();
    Appe: with("APPE", "<SP> <pathname>", "Appends to a file, or creates it.");
    Auth: with("AUTH", "<SP> TLS", "Starts TLS on the control connection.").always().feature("AUTH TLS");
    Avbl: may("AVBL", "[<SP> <pathname>]", "Returns how many octets can still be stored in a directory.").feature("AVBL");
    Ccc: bare("CCC", "Ends the protection of the control connection.").always().feature("CCC");
    Cdup: bare("CDUP", "Changes to the parent directory.");
    Clnt: with("CLNT", "<SP> <name>", "Sends the name of the client.").always().feature("CLNT");
    Comb: with("COMB", "<SP> <target> 1*(<SP> <source>)", "Appends files to a file and removes them; names may be quoted.").feature("COMB");
    Conf: with("CONF", "<SP> <base64data>", "Sends a confidential command; not supported with TLS.").always();
    Csid: with("CSID", "<SP> <facts>", "Exchanges the identities of client and server.").feature("CSID");
    Cwd: with("CWD", "<SP> <pathname>", "Changes the current directory.");
    Dele: with("DELE", "<SP> <pathname>", "Removes a file.");
    Dsiz: may("DSIZ", "[<SP> <pathname>]", "Returns the total size of all files below a directory in octets.").feature("DSIZ");
    Enc: with("ENC", "<SP> <base64data>", "Sends a private command; not supported with TLS.").always();
    Eprt: with("EPRT", "<SP> |<net-prt>|<net-addr>|<tcp-port>|", "Sets the address to which the server opens the data connection.").feature("EPRT").keeps_restart();
    Epsv: may("EPSV", "[<SP> (1 | 2 | ALL)]", "Makes the server listen for the data connection.").feature("EPSV").keeps_restart();
    Feat: bare("FEAT", "Lists the extensions of the server.").always().keeps_restart();
    Hash: with("HASH", "<SP> <pathname>", "Returns the digest of a file.").listed(Feature::Hashes);
    Help: may("HELP", "[<SP> <verb>]", "Lists the commands, or explains one.").always();
    Host: with("HOST", "<SP> <hostname>", "Selects the virtual host.").always().feature("HOST");
    Lang: may("LANG", "[<SP> <language>]", "Selects the language of replies.").always().keeps_restart().listed(Feature::Languages);
    List: may("LIST", "[<SP> <pathname>]", "Lists a directory or file over the data connection, for humans.");
    Lprt: with("LPRT", "<SP> <long-host-port>", "Names an address; obsoleted by EPRT.").unimplemented();
    Lpsv: bare("LPSV", "Listens for the data connection; obsoleted by EPSV.").unimplemented();
    Md5: with("MD5", "<SP> <pathname>", "Returns the MD5 digest of a file; HASH is the newer command.").feature("MD5");
    Mdtm: with("MDTM", "<SP> <pathname>", "Returns the modification time of a file.").feature("MDTM").keeps_restart();
    Mfct: with("MFCT", "<SP> <time-val> <SP> <pathname>", "Sets the creation time of a file.").feature("MFCT");
    Mff: with("MFF", "<SP> <facts> <SP> <pathname>", "Sets facts of a file.").feature("MFF Modify;Create;UNIX.mode;");
    Mfmt: with("MFMT", "<SP> <time-val> <SP> <pathname>", "Sets the modification time of a file.").feature("MFMT");
    Mic: with("MIC", "<SP> <base64data>", "Sends a command with a checksum; not supported with TLS.").always();
    Mkd: with("MKD", "<SP> <pathname>", "Creates a directory.");
    Mlsd: may("MLSD", "[<SP> <pathname>]", "Lists a directory over the data connection, for programs.");
    Mlst: may("MLST", "[<SP> <pathname>]", "Returns the facts of a file or directory.").listed(Feature::Facts);
    Mmd5: with("MMD5", "<SP> <pathname> *(, <pathname>)", "Returns the MD5 digests of files; names may be quoted.").feature("MMD5");
    Mode: with("MODE", "<SP> (S | B | C | Z)", "Sets the transmission mode: Stream, Block, Compressed or Deflate.").feature("MODE Z").keeps_restart();
    Nlst: may("NLST", "[<SP> <pathname>]", "Lists names over the data connection.");
    Noop: bare("NOOP", "Does nothing.").always().keeps_restart().passes();
    Opts: with("OPTS", "<SP> <command> [<SP> <options>]", "Sets options: UTF8, MLST, HASH, MODE Z.").always().keeps_restart();
    Pass: with("PASS", "<SP> <password>", "Sends the password; must follow USER.").always();
    Pasv: bare("PASV", "Makes the server listen for the data connection.").keeps_restart();
    Pbsz: with("PBSZ", "<SP> 0", "Sets the protection buffer size; TLS needs none.").always().feature("PBSZ").keeps_restart();
    Port: with("PORT", "<SP> <host-port>", "Sets the address to which the server opens the data connection.").keeps_restart();
    Prot: with("PROT", "<SP> (C | P)", "Sets the protection of data connections: Clear or Private.").always().feature("PROT").keeps_restart();
    Pwd: bare("PWD", "Returns the current directory.");
    Quit: bare("QUIT", "Ends the session.").always();
    Rang: with("RANG", "<SP> <first octet> <SP> <last octet>", "Sets the range of octets for RETR, STOR, APPE or HASH; 1 0 clears it.").feature("RANG STREAM");
    Rein: bare("REIN", "Logs out and resets all parameters.").always();
    Rest: with("REST", "<SP> <octets>", "Sets the offset at which the next transfer begins.").feature("REST STREAM");
    Retr: with("RETR", "<SP> <pathname>", "Sends a file to the client.");
    Rmd: with("RMD", "<SP> <pathname>", "Removes an empty directory.");
    Rmda: with("RMDA", "<SP> <pathname>", "Removes a directory and everything in it.").feature("RMDA");
    Rnfr: with("RNFR", "<SP> <pathname>", "Selects what to rename; RNTO must follow.");
    Rnto: with("RNTO", "<SP> <pathname>", "Renames what RNFR selected.");
    Site: with("SITE", "<SP> <service> [<SP> <argument>]", "Commands specific to this server.");
    Size: with("SIZE", "<SP> <pathname>", "Returns the number of octets that RETR would send.").feature("SIZE").keeps_restart();
    Smnt: with("SMNT", "<SP> <pathname>", "Mounts a file system; there is only one.");
    Stat: may("STAT", "[<SP> <pathname>]", "Returns the state of the session, or lists a directory over the control connection.").always().passes().keeps_restart();
    Stor: with("STOR", "<SP> <pathname>", "Stores a file.");
    Stou: may("STOU", "[<SP> <pathname>]", "Stores a file under a unique name.");
    Stru: with("STRU", "<SP> (F | R)", "Sets the file structure: File or Record.").keeps_restart();
    Syst: bare("SYST", "Returns the type of the operating system.").always();
    Thmb: with("THMB", "<SP> <format> <SP> <width> <SP> <height> <SP> <pathname>", "Sends a thumbnail of a picture.").unimplemented();
    Type: with("TYPE", "<SP> ((A | E) [<SP> (N | T | C)] | I | L <SP> 8)", "Sets the representation type: ASCII, EBCDIC, Image or Local.").keeps_restart();
    User: with("USER", "<SP> <username>", "Sends the user name; PASS must follow.").always();
    Xcrc: with("XCRC", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the CRC32 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XCRC");
    Xcup: bare("XCUP", "The old name of CDUP.");
    Xcwd: with("XCWD", "<SP> <pathname>", "The old name of CWD.");
    Xmd5: with("XMD5", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the MD5 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XMD5");
    Xmkd: with("XMKD", "<SP> <pathname>", "The old name of MKD.");
    Xpwd: bare("XPWD", "The old name of PWD.");
    Xrmd: with("XRMD", "<SP> <pathname>", "The old name of RMD.");
    Xsha: with("XSHA", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-1 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA");
    Xsha1: with("XSHA1", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-1 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA1");
    Xsha256: with("XSHA256", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-256 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA256");
    Xsha512: with("XSHA512", "<SP> <pathname> [<SP> <from> [<SP> <to>]]", "Returns the SHA-512 digest of a file or range, <to> excluded; HASH is the newer command.").feature("XSHA512");
}
