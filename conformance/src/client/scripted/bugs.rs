//! The faults of the scripted client, in one table.

/// A fault of the scripted client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented by its row in the table")]
pub enum Bug {
    NeverEnds,
    RuinsFiles,
    AlwaysSucceeds,
    AlwaysFails,
    DoesNothing,
    LosesTail,
    TrustsEnd,
    IgnoresCompletion,
    IgnoresCut,
    AppendsAgain,
    NeverGivesUp,
    NoFallback,
    StopsAtFirstLine,
    ExactCodes,
    FullReplyInOneRead,
    LoginAfterRefusal,
    SkipsTls,
    TlsIfPossible,
    AnyCertificate,
    ReadsInjected,
    SkipsPbsz,
    ClearData,
    NewTlsSession,
    Pipelines,
    CommandInTransfer,
    CommandAfterRest,
    CommandAfterRnfr,
    RenamesAnyway,
    OldCommandsOverIpv6,
    ForeignAddress,
    ForeignPort,
    SamePort,
    BareLineFeed,
    NulInArgument,
    TelnetOptions,
    DoubleSpace,
    NoQuit,
    PasswordAnyway,
    FollowsNamesOut,
    RetriesLogin,
    EpsvAllThenPasv,
}

/// Every fault, with what the client then does.
pub const BUGS: &[(Bug, &str)] = &[
    (Bug::NeverEnds, "does not end after its task"),
    (
        Bug::RuinsFiles,
        "appends to every file, here and on the server",
    ),
    (Bug::AlwaysSucceeds, "reports success whatever happened"),
    (Bug::AlwaysFails, "reports failure whatever happened"),
    (Bug::DoesNothing, "does not connect, and reports success"),
    (Bug::LosesTail, "loses the last octet of a file"),
    (Bug::TrustsEnd, "takes a shorter file for the whole one"),
    (Bug::IgnoresCompletion, "ignores what comes after the data"),
    (
        Bug::IgnoresCut,
        "takes an unclean end of the data for its end",
    ),
    (
        Bug::AppendsAgain,
        "resumes by transferring the whole file again",
    ),
    (Bug::NeverGivesUp, "waits without a limit"),
    (
        Bug::NoFallback,
        "has no second way to open a data connection",
    ),
    (
        Bug::StopsAtFirstLine,
        "takes the first line of a reply for all of it",
    ),
    (
        Bug::ExactCodes,
        "knows only the most usual code of each reply",
    ),
    (
        Bug::FullReplyInOneRead,
        "expects one whole reply in one read",
    ),
    (
        Bug::LoginAfterRefusal,
        "goes on with the login and the task after a refusal",
    ),
    (Bug::SkipsTls, "does not use TLS when it is asked to"),
    (Bug::TlsIfPossible, "goes on in clear when TLS is refused"),
    (Bug::AnyCertificate, "accepts any certificate"),
    (
        Bug::ReadsInjected,
        "takes what came in clear for what came protected",
    ),
    (Bug::SkipsPbsz, "sends PROT without PBSZ"),
    (Bug::ClearData, "protects the control connection alone"),
    (
        Bug::NewTlsSession,
        "does not resume the TLS session for data",
    ),
    (Bug::Pipelines, "does not wait for replies at the login"),
    (
        Bug::CommandInTransfer,
        "sends a command while a transfer goes on",
    ),
    (
        Bug::CommandAfterRest,
        "sends a command between REST and the transfer",
    ),
    (
        Bug::CommandAfterRnfr,
        "sends a command between RNFR and RNTO",
    ),
    (Bug::RenamesAnyway, "sends RNTO after RNFR was refused"),
    (Bug::OldCommandsOverIpv6, "uses PASV and PORT over IPv6"),
    (
        Bug::ForeignAddress,
        "connects to whatever address 227 names",
    ),
    (
        Bug::ForeignPort,
        "names an address that is not its own in PORT",
    ),
    (Bug::SamePort, "uses the data port of the transfer before"),
    (Bug::BareLineFeed, "ends command lines with LF alone"),
    (Bug::NulInArgument, "sends NUL in an argument"),
    (Bug::TelnetOptions, "negotiates Telnet options"),
    (Bug::DoubleSpace, "sends two spaces after the verb"),
    (Bug::NoQuit, "resets the control connection at the end"),
    (
        Bug::PasswordAnyway,
        "sends the password after USER was accepted without one",
    ),
    (
        Bug::FollowsNamesOut,
        "follows names of a listing out of its directory",
    ),
    (Bug::RetriesLogin, "sends a refused password again"),
    (Bug::EpsvAllThenPasv, "sends PASV after EPSV ALL"),
];
