//! User steps of the raw driver: the dialogue of the simplest client.

use crate::data::Data;
use crate::driver::{DriverError, Expected, ResolvedStep, StepResult};
use crate::scenario::{DataMode, UserStep};
use crate::subject::Session;
use crate::text::first_line;
use crate::transcript::Reply;

/// Plays the step as the simplest client would.
pub(crate) async fn play_step(
    session: &mut Session,
    mode: DataMode,
    user_step: &ResolvedStep,
) -> Result<StepResult, DriverError> {
    use UserStep as S;
    let mut raw = Raw { session, mode };
    match &user_step.step {
        S::Put(name, _) => raw.store(&format!("STOR {name}"), &user_step.octets).await,
        S::Append(name, _) => raw.store(&format!("APPE {name}"), &user_step.octets).await,
        S::Get(name, _) => {
            raw.retrieve(
                "TYPE I",
                None,
                &format!("RETR {name}"),
                &user_step.expected(),
            )
            .await
        }
        S::Resume(name, at, _) => {
            let rest = format!("REST {at}");
            let line = format!("RETR {name}");
            raw.retrieve("TYPE I", Some(&rest), &line, &user_step.expected())
                .await
        }
        S::Names(_) => {
            raw.retrieve("TYPE A", None, "NLST", &user_step.expected())
                .await
        }
        S::List(_) => {
            raw.retrieve("TYPE A", None, "LIST", &user_step.expected())
                .await
        }
        S::Size(name, _) => raw.size(name).await,
        S::Rename(from, to) => {
            let reply = raw.session.exchange(&format!("RNFR {from}")).await?;
            if reply.code != 350 {
                return Ok(result_of(&reply));
            }
            raw.command(&format!("RNTO {to}")).await
        }
        S::Delete(name) => raw.command(&format!("DELE {name}")).await,
        S::Mkdir(name) => raw.command(&format!("MKD {name}")).await,
        S::Rmdir(name) => raw.command(&format!("RMD {name}")).await,
        S::Cwd(name) => raw.command(&format!("CWD {name}")).await,
    }
}

struct Raw<'a> {
    session: &'a mut Session,
    mode: DataMode,
}

impl Raw<'_> {
    async fn command(&mut self, line: &str) -> Result<StepResult, DriverError> {
        Ok(result_of(&self.session.exchange(line).await?))
    }

    async fn size(&mut self, name: &str) -> Result<StepResult, DriverError> {
        let typed = self.session.exchange("TYPE I").await?;
        if !is_done(&typed) {
            return Ok(result_of(&typed));
        }
        let reply = self.session.exchange(&format!("SIZE {name}")).await?;
        Ok(match reply.text().trim().parse() {
            Ok(number) if reply.code == 213 => StepResult::Number(number),
            _ => StepResult::Refused(shown(&reply)),
        })
    }

    async fn store(&mut self, line: &str, octets: &Data) -> Result<StepResult, DriverError> {
        let reply = match self.begin("TYPE I", None, line).await? {
            Ok(reply) => reply,
            Err(refused) => return Ok(refused),
        };
        let data = self.session.data_ready().await?;
        data.write(octets).await?;
        data.close().await;
        self.complete(reply, Data::default()).await
    }

    async fn retrieve(
        &mut self,
        kind: &str,
        before: Option<&str>,
        line: &str,
        expected: &Expected,
    ) -> Result<StepResult, DriverError> {
        let reply = match self.begin(kind, before, line).await? {
            Ok(reply) => reply,
            Err(refused) => return Ok(refused),
        };
        let octets = self.session.data_ready().await?;
        let octets = octets.read_to_end(expected).await?;
        self.complete(reply, octets).await
    }

    /// Sends the representation type, prepares the data connection and sends the restart marker and
    /// the command; `Err` if one is refused.
    async fn begin(
        &mut self,
        kind: &str,
        before: Option<&str>,
        line: &str,
    ) -> Result<Result<Reply, StepResult>, DriverError> {
        let typed = self.session.exchange(kind).await?;
        if !is_done(&typed) {
            return Ok(Err(result_of(&typed)));
        }
        let prepared = self.session.prepare(self.mode).await?;
        if !is_done(&prepared) {
            return Ok(Err(result_of(&prepared)));
        }
        if let Some(before) = before {
            let marked = self.session.exchange(before).await?;
            if marked.code != 350 {
                self.session.data.close().await;
                return Ok(Err(result_of(&marked)));
            }
        }
        let reply = self.session.exchange(line).await?;
        if (100..300).contains(&reply.code) {
            return Ok(Ok(reply));
        }
        self.session.data.close().await;
        Ok(Err(result_of(&reply)))
    }

    async fn complete(&mut self, begun: Reply, octets: Data) -> Result<StepResult, DriverError> {
        let completion = if begun.code < 200 {
            self.session.read_reply().await?
        } else {
            begun
        };
        Ok(if is_done(&completion) {
            StepResult::Done(octets)
        } else {
            result_of(&completion)
        })
    }
}

fn is_done(reply: &Reply) -> bool {
    (200..300).contains(&reply.code)
}

fn result_of(reply: &Reply) -> StepResult {
    if is_done(reply) {
        StepResult::Done(Data::default())
    } else {
        StepResult::Refused(shown(reply))
    }
}

fn shown(reply: &Reply) -> String {
    format!("{} {}", reply.code, first_line(&reply.text()))
}
