//! What a target offers, found out once before anything is planned.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Session, Target, TlsMode, unguessable};
use crate::driver::{Expected, Recorder, SetupError, Timeouts};
use crate::scenario::{Connection, DataMode, DriverKind, Protection, Variant};
use crate::transcript::Transcript;

/// What a target offers.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    /// What FEAT listed (RFC 2389 §3.2), as it stands; `None` if FEAT is unknown there.
    pub features: Option<Vec<String>>,
    /// The greeting's text.
    pub greeting: String,
    /// Whether AUTH TLS is answered 234; whether the handshake then works is for `sanity/enter` to find out.
    pub auth_tls: bool,
    /// Whether a data connection in clear is refused under TLS (RFC 4217 §10.2).
    pub only_private: bool,
    /// What PASV was answered, if that was a 227.
    pub passive: Option<String>,
    /// What EPSV was answered, if that was a 229.
    pub extended_passive: Option<String>,
    /// Whether EPSV is known.
    pub epsv: bool,
    /// Whether EPRT is known.
    pub eprt: bool,
    /// How long a NOOP and its reply take.
    pub round_trip: Duration,
    /// Why nothing can be stored there, where somebody tried.
    pub no_write: Option<String>,
    /// Why nothing more is known: no connection, no login. A run without login is still worth its report.
    pub trouble: Option<String>,
    /// Whether there was a connection at all.
    pub reachable: bool,
    /// Whether somebody could log in.
    pub logged_in: bool,
    /// What was said.
    pub transcript: Transcript,
}

/// Connects to the target and asks it what it offers.
pub async fn probe(target: &Arc<Target>, timeouts: Timeouts) -> TargetFacts {
    let recorder = Recorder::default();
    // What cannot be asked for is taken as offered: then the scenarios tell.
    let mut facts = TargetFacts {
        epsv: true,
        eprt: true,
        ..TargetFacts::default()
    };
    if let Err(setback) = ask(target, timeouts, &recorder, &mut facts).await {
        facts.trouble = Some(match setback {
            SetupError::Gone(why)
            | SetupError::Refused(why)
            | SetupError::Busy(why)
            | SetupError::Trouble(why) => why,
        });
    }
    if target.tls == TlsMode::Off && facts.reachable {
        facts.auth_tls = offers_tls(target, timeouts, &recorder).await;
    }
    if facts.auth_tls && facts.logged_in {
        let mode = if facts.epsv {
            DataMode::Epsv
        } else {
            DataMode::Pasv
        };
        let refused = refuses_clear_data(target, mode, timeouts, &recorder).await;
        facts.only_private = refused.unwrap_or_default();
    }
    facts.transcript = recorder.finish("probe", "");
    facts
}

async fn ask(
    target: &Arc<Target>,
    timeouts: Timeouts,
    recorder: &Recorder,
    facts: &mut TargetFacts,
) -> Result<(), SetupError> {
    let mut session = connect(target, target.least_protection(), timeouts, recorder).await?;
    facts.reachable = true;
    let greeting = session
        .control
        .hear()
        .await
        .map_err(|fault| SetupError::of("greeting", fault))?;
    facts.greeting = greeting.text();
    if !(200..300).contains(&greeting.code) {
        return Err(SetupError::Refused(format!("greeting: {}", greeting.code)));
    }
    session.log_in().await?;
    facts.logged_in = true;
    facts.auth_tls = target.tls == TlsMode::Explicit;
    let asked = |fault| SetupError::of("probe", fault);
    let began = Instant::now();
    session.exchange("NOOP").await.map_err(asked)?;
    facts.round_trip = began.elapsed();
    let feat = session.exchange("FEAT").await.map_err(asked)?;
    if feat.code == 211 {
        let lines = feat.between().iter();
        let text = |line: &Vec<u8>| String::from_utf8_lossy(line).trim().to_owned();
        facts.features = Some(lines.map(text).collect());
    }
    if target.writable {
        facts.no_write = no_write(&mut session).await?;
    }
    let pasv = session.exchange("PASV").await.map_err(asked)?;
    facts.passive = (pasv.code == 227).then(|| pasv.text());
    let epsv = session.exchange("EPSV").await.map_err(asked)?;
    facts.extended_passive = (epsv.code == 229).then(|| epsv.text());
    facts.epsv = epsv.code / 100 == 2;
    let eprt = session.prepare(DataMode::Eprt).await.map_err(asked)?;
    facts.eprt = eprt.code / 100 == 2;
    session.data.close().await;
    // Last, as some end the session over what they do not know. A server that takes X takes anything, and nothing follows
    // from its taking MODE B; and where ABOR is unknown, that nothing comes of one in a transfer says no more.
    for line in ["ABOR", "TYPE X", "STRU X", "MODE X"] {
        if session.exchange(line).await.is_err() {
            break;
        }
    }
    if session.control.send_line("QUIT").await.is_ok() {
        // How it says goodbye is of no interest here.
        let _ = session.control.until_closed_within(timeouts.quiet).await;
    }
    session.control.close().await;
    Ok(())
}

/// Why no directory can be made, if none can. One that could is removed again.
async fn no_write(session: &mut Session) -> Result<Option<String>, SetupError> {
    let asked = |fault| SetupError::of("probe", fault);
    let name = format!("ftpspec-probe-{}", unguessable());
    let made = session
        .exchange(&format!("MKD {name}"))
        .await
        .map_err(asked)?;
    if (200..300).contains(&made.code) {
        // Whether directories can be removed shows when the scenarios' own are.
        session
            .exchange(&format!("RMD {name}"))
            .await
            .map_err(asked)?;
        return Ok(None);
    }
    let text = made.text();
    let first: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect();
    Ok(Some(format!(
        "no write access (MKD: {} {first}); --read-only leaves it out",
        made.code
    )))
}

async fn offers_tls(target: &Arc<Target>, timeouts: Timeouts, recorder: &Recorder) -> bool {
    let Ok(mut session) = connect(target, Protection::Clear, timeouts, recorder).await else {
        return false;
    };
    let greeted = session
        .control
        .hear()
        .await
        .is_ok_and(|reply| reply.code == 220);
    let offered = greeted
        && session
            .exchange("AUTH TLS")
            .await
            .is_ok_and(|reply| reply.code == 234);
    session.control.close().await;
    offered
}

/// Whether a listing in clear is refused to who logged in under TLS; nothing where that does not show.
async fn refuses_clear_data(
    target: &Arc<Target>,
    mode: DataMode,
    timeouts: Timeouts,
    recorder: &Recorder,
) -> Option<bool> {
    let halfway = Protection::Explicit {
        data_private: false,
    };
    let session = connect(target, halfway, timeouts, recorder).await;
    let mut session = session.ok()?;
    session.log_in().await.ok()?;
    session.prepare(mode).await.ok()?;
    let reply = session.exchange("NLST").await.ok()?;
    if reply.class() == 1 {
        let data = session.data_ready().await.ok()?;
        data.read_to_end(&Expected::Listing).await.ok()?;
        session.hear().await.ok()?;
    }
    session.data.close().await;
    session.control.close().await;
    Some(matches!(reply.code, 521 | 522 | 534))
}

async fn connect(
    target: &Arc<Target>,
    protection: Protection,
    timeouts: Timeouts,
    recorder: &Recorder,
) -> Result<Session, SetupError> {
    let ipv6 = target.address(false).is_none();
    let variant = Variant {
        protection,
        ipv6,
        data: DataMode::Pasv,
        driver: DriverKind::Raw,
    };
    Session::connect(Connection::runner(), target, variant, timeouts, recorder).await
}
