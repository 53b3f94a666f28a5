//! A transfer, and the commands that come meanwhile (RFC 959 §4.1.3).

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::during_transfer::{Abort, Answer, Immediate};
use super::{Connection, End, note_event};
use crate::dtp::{DataProtection, Progress, Route, Timeouts, carry, open};
use crate::observe::hooks::CommandAction;
use crate::observe::journal::DataMode;
use crate::pi::{DataPort, DuringTransfer, TransferEnd, TransferQuestion, restart_marker};

/// What has happened while a transfer goes on.
enum Happened {
    /// Octets, replies that were sent, restart markers: look again.
    Something,
    /// The next step of a command that is being answered.
    Decided(CommandAction),
    /// The transfer has ended.
    Ended(TransferEnd, Option<Interruption>),
}

/// What ends a transfer that would go on.
enum Interruption {
    /// ABOR.
    Abort(Box<Abort>),
    /// The end of the session.
    CutOff(End),
}

impl Connection {
    /// Opens, moves and closes, while the control connection is listened to (RFC 959 §4.1.3).
    pub(in crate::net) async fn transfer(&mut self, question: TransferQuestion) -> Result<(), End> {
        let number = self.slot.number;
        let wanted = &question.about;
        let (verb, path) = (wanted.verb.row().name, wanted.content.path());
        tracing::debug!(connection = number, verb, ?path, "transfer started");
        let mut observed = self.transfer_started(wanted);
        let mut immediate = None;
        let (end, interruption) = match open(wanted).await {
            Err(error) => {
                self.drop_data_port();
                (TransferEnd::NotOpened(error), None)
            }
            Ok(opened) => {
                self.reply(&opened.preliminary.0);
                let (route, mode) = match (wanted.port, self.passive.take()) {
                    (DataPort::Passive, Some(port)) => (Route::Passive(port), DataMode::Passive),
                    (DataPort::Active(to), _) => {
                        let source = self.shared().active_source;
                        let from = source.beside(self.record.local);
                        (Route::Active { from, to }, DataMode::Active)
                    }
                    (DataPort::Passive | DataPort::None, _) => (Route::Nowhere, DataMode::Passive),
                };
                let faults = self.data_faults();
                let limits = &self.shared().limits;
                let timeouts = Timeouts {
                    connection: limits.data_connection,
                    handshake: limits.handshake,
                    stall: limits.data_stall,
                    closing: self.closing_time,
                };
                let rate = self.session.rate(wanted.content.is_upload());
                let progress = Arc::new(Progress::of(&self.record, mode).at(rate));
                self.record.set_data_mode(mode);
                observed.set_name(opened.name.as_ref());
                let tls = self.data_tls(wanted.protected);
                let session = Arc::clone(&self.record);
                let following = Arc::clone(&progress);
                let carrying = carry(opened, route, faults, tls, timeouts, session, following);
                let carrying = Box::pin(carrying);
                let ended = self
                    .listen_during(carrying, &progress, &mut immediate)
                    .await;
                if progress.was_kept_open() {
                    self.closing_time = Duration::ZERO;
                }
                let how = ended.as_ref().ok().map(|(end, _)| end);
                observed.ended(&self.record, how, &progress);
                ended?
            }
        };
        if let TransferEnd::NotOpened(_) = end {
            observed.ended(&self.record, Some(&end), &Progress::default());
        }
        tracing::info!(connection = number, ?end, "a transfer ended");
        if let Some(immediate) = immediate {
            self.after_the_transfer(immediate).await?;
        }
        let completion = question.answer(&mut self.session, end);
        self.reply(&completion.0);
        match interruption {
            None => Ok(()),
            Some(Interruption::Abort(abort)) => self.answer_abort(*abort).await,
            Some(Interruption::CutOff(end)) => Err(end),
        }
    }

    /// Answers an ABOR, after the completion reply of the transfer that it has ended.
    async fn answer_abort(&mut self, abort: Abort) -> Result<(), End> {
        let Some((request, actions)) = abort.intercepted else {
            self.reply(&abort.completion.0);
            return Ok(());
        };
        let of_the_transfer = self.answered.take();
        Box::pin(self.end_faults()).await?;
        Box::pin(self.arm(actions)).await?;
        self.reply(&abort.completion.0);
        self.answered = of_the_transfer;
        self.call_after(&request, &abort.completion.0);
        Ok(())
    }

    fn data_tls(&self, protected: bool) -> Option<Arc<DataProtection>> {
        self.tls
            .as_ref()
            .filter(|_| protected)
            .map(|tls| Arc::clone(tls.data()))
    }

    /// Takes commands while a transfer runs. Returns how it ended, and what ended it early.
    async fn listen_during(
        &mut self,
        mut carrying: Pin<Box<impl Future<Output = TransferEnd>>>,
        progress: &Progress,
        immediate: &mut Option<Immediate>,
    ) -> Result<(TransferEnd, Option<Interruption>), End> {
        let (shared, ends_by) = (Arc::clone(self.shared()), self.ends_by());
        let limits = &shared.limits;
        let mut cut_off = Box::pin(async {
            tokio::select! {
                biased;
                () = shared.cut_off() => End::Stopped,
                () = sleep_until(ends_by.unwrap_or_else(Instant::now)), if ends_by.is_some() => End::OverTime,
            }
        });
        // Both sides are fed in turn: neither a fast data connection nor a flood of commands may
        // starve the other.
        let mut commands_first = false;
        let mut rest: Option<Pin<Box<Sleep>>>;
        loop {
            rest = None;
            while immediate.is_none()
                && self.queue.len() < limits.queued_commands
                && self.replies.len() < limits.queued_replies
            {
                rest = self
                    .throttle()
                    .and_then(|throttle| throttle.wait(Instant::now()))
                    .map(|until| Box::pin(sleep_until(until)));
                if rest.is_some() {
                    break;
                }
                let Some(event) = self.reader.next_event() else {
                    break;
                };
                note_event(&self.record, &event);
                self.session.transfer_progress(progress.moved());
                let queued = !self.queue.is_empty();
                let answer = match self.session.during_transfer(&event, queued) {
                    DuringTransfer::Queue => {
                        self.queue.push(event);
                        continue;
                    }
                    _ if self.is_intercepted() => {
                        *immediate = self.begin_immediate(event)?;
                        Answer::Given
                    }
                    DuringTransfer::Reply(completion) => {
                        self.reply_directly(&completion.0);
                        Answer::Given
                    }
                    DuringTransfer::Abort(completion) => Answer::Abort(Box::new(Abort {
                        completion,
                        intercepted: None,
                    })),
                };
                if let Some(throttle) = self.throttle() {
                    throttle.count(Instant::now());
                }
                if let Answer::Abort(abort) = answer {
                    return Ok(aborted(carrying, progress, abort).await);
                }
            }
            let held_back = self.replies.len() >= limits.queued_replies;
            let listens = self.queue.len() < limits.queued_commands
                && !held_back
                && rest.is_none()
                && immediate.is_none();
            commands_first = !commands_first;
            let happened = std::future::poll_fn(|cx| {
                if self.record.poll_closed_by_operator(cx) {
                    return Poll::Ready(Err(End::ClosedByOperator));
                }
                let channel = &self.record.control;
                match self.stream.poll_send(cx, &mut self.replies, channel) {
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Lost)),
                    // Commands that were held back for the replies' sake may be here already: no
                    // octet will wake us.
                    Poll::Ready(Ok(())) if held_back => {
                        return Poll::Ready(Ok(Happened::Something));
                    }
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
                for commands in [commands_first, !commands_first] {
                    if !commands {
                        if let Poll::Ready(end) = carrying.as_mut().poll(cx) {
                            return Poll::Ready(Ok(Happened::Ended(end, None)));
                        }
                        if progress.is_marked() {
                            return Poll::Ready(Ok(Happened::Something));
                        }
                    } else if listens
                        && let Poll::Ready(read) =
                            self.stream.poll_fill(cx, &mut self.reader, channel)
                    {
                        // The control connection's end is the transfer's (RFC 959 §4.1.1 QUIT).
                        return Poll::Ready(match read {
                            Ok(1..) => Ok(Happened::Something),
                            Ok(0) | Err(_) => Err(End::Lost),
                        });
                    }
                }
                if let Some(immediate) = immediate
                    && let Poll::Ready(decision) = immediate.poll(cx)
                {
                    return Poll::Ready(Ok(Happened::Decided(decision)));
                }
                if let Some(rest) = &mut rest
                    && rest.as_mut().poll(cx).is_ready()
                {
                    return Poll::Ready(Ok(Happened::Something));
                }
                // A file must not appear after a 426: a commit in progress is completed.
                if !progress.is_committing()
                    && let Poll::Ready(end) = cut_off.as_mut().poll(cx)
                {
                    let interruption = Some(Interruption::CutOff(end));
                    let end = TransferEnd::Aborted;
                    return Poll::Ready(Ok(Happened::Ended(end, interruption)));
                }
                Poll::Pending
            });
            let happened = happened.await?;
            for mark in progress.take_marks() {
                self.reply(&restart_marker(&mark).0);
            }
            match happened {
                Happened::Something => self.refuse_endless_line()?,
                Happened::Ended(end, interruption) => return Ok((end, interruption)),
                Happened::Decided(decision) => {
                    if let Answer::Abort(abort) = self.continue_answer(immediate, decision)? {
                        return Ok(aborted(carrying, progress, abort).await);
                    }
                }
            }
        }
    }
}

/// The end of a transfer that ABOR ends. What is being committed is completed: a file must not
/// appear after the reply was 426.
async fn aborted(
    carrying: Pin<Box<impl Future<Output = TransferEnd>>>,
    progress: &Progress,
    abort: Box<Abort>,
) -> (TransferEnd, Option<Interruption>) {
    let end = if progress.is_committing() {
        carrying.await
    } else {
        drop(carrying);
        TransferEnd::Aborted
    };
    (end, Some(Interruption::Abort(abort)))
}
