//! Determines once, before planning, what a target offers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Session, Target, TlsMode, unguessable};
use crate::driver::{Expected, Recorder, SetupError, Timeouts};
use crate::scenario::{Connection, DataMode, DriverKind, Protection, Variant};
use crate::text::first_line;
use crate::transcript::Transcript;

/// What a target offers.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    /// The features that FEAT listed (RFC 2389 §3.2); `None` if FEAT is not supported.
    pub features: Option<Vec<String>>,
    /// The text of the greeting.
    pub greeting: String,
    /// Whether AUTH TLS is answered 234; `sanity/enter` tests the handshake.
    pub auth_tls: bool,
    /// Whether a data connection in clear is refused under TLS (RFC 4217 §10.2).
    pub only_private: bool,
    /// The reply to PASV, if it was a 227.
    pub passive: Option<String>,
    /// The reply to EPSV, if it was a 229.
    pub extended_passive: Option<String>,
    /// Whether EPSV is supported.
    pub epsv: bool,
    /// Whether EPRT is supported.
    pub eprt: bool,
    /// The round-trip time of NOOP.
    pub round_trip: Duration,
    /// Why nothing can be stored, if that was tried and failed.
    pub write_refused: Option<String>,
    /// Why the probe ended early: no connection or no login. A run without login still gives a
    /// report.
    pub problem: Option<String>,
    /// Whether a connection was established.
    pub reachable: bool,
    /// Whether the login succeeded.
    pub logged_in: bool,
    /// The transcript of the probe.
    pub transcript: Transcript,
}

/// Connects to the target and determines what it offers.
pub async fn probe(target: &Arc<Target>, timeouts: Timeouts) -> TargetFacts {
    let recorder = Recorder::default();
    // What cannot be determined is assumed to be offered; the scenarios show the truth.
    let mut facts = TargetFacts {
        epsv: true,
        eprt: true,
        ..TargetFacts::default()
    };
    if let Err(error) = ask(target, timeouts, &recorder, &mut facts).await {
        facts.problem = Some(match error {
            SetupError::Gone(why)
            | SetupError::Refused(why)
            | SetupError::Busy(why)
            | SetupError::Internal(why) => why,
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
        .read_reply()
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
        facts.write_refused = write_refused(&mut session).await?;
    }
    let pasv = session.exchange("PASV").await.map_err(asked)?;
    facts.passive = (pasv.code == 227).then(|| pasv.text());
    let epsv = session.exchange("EPSV").await.map_err(asked)?;
    facts.extended_passive = (epsv.code == 229).then(|| epsv.text());
    facts.epsv = epsv.code / 100 == 2;
    let eprt = session.prepare(DataMode::Eprt).await.map_err(asked)?;
    facts.eprt = eprt.code / 100 == 2;
    session.data.close().await;
    // Last, since some servers end the session at an unknown command. A server that accepts X
    // accepts anything, so accepting MODE B proves nothing; and where ABOR is not supported, a
    // missing reply to it during a transfer proves nothing.
    for line in ["ABOR", "TYPE X", "STRU X", "MODE X"] {
        if session.exchange(line).await.is_err() {
            break;
        }
    }
    if session.control.send_line("QUIT").await.is_ok() {
        // The reply to QUIT does not matter here.
        let _ = session.control.until_closed_within(timeouts.quiet).await;
    }
    session.control.close().await;
    Ok(())
}

/// Why no directory can be created, if that fails. A created one is removed again.
async fn write_refused(session: &mut Session) -> Result<Option<String>, SetupError> {
    let asked = |fault| SetupError::of("probe", fault);
    let name = format!("ftpspec-probe-{}", unguessable());
    let made = session
        .exchange(&format!("MKD {name}"))
        .await
        .map_err(asked)?;
    if (200..300).contains(&made.code) {
        // Removal is tested later, with the directories of the scenarios.
        session
            .exchange(&format!("RMD {name}"))
            .await
            .map_err(asked)?;
        return Ok(None);
    }
    Ok(Some(format!(
        "no write access (MKD: {} {}); --read-only leaves it out",
        made.code,
        first_line(&made.text())
    )))
}

async fn offers_tls(target: &Arc<Target>, timeouts: Timeouts, recorder: &Recorder) -> bool {
    let Ok(mut session) = connect(target, Protection::Clear, timeouts, recorder).await else {
        return false;
    };
    let greeted = session
        .control
        .read_reply()
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

/// Whether a listing in clear is refused under TLS; `None` if that cannot be determined.
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
        session.read_reply().await.ok()?;
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
