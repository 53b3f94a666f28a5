//! One control connection: octets in, replies out, and the work the server-PI asks for in between.

mod during_transfer;
mod faults;
mod hooks;
mod interception;
mod perform;
mod stream;
mod throttle;
mod tls;
mod transfer;
mod waiting;

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, timeout, timeout_at};

use super::shared::{Shared, Slot};
use super::tls::ConnectionTls;
use crate::dtp::{CLOSING_TIME, PassivePort};
use crate::limits::Limits;
use crate::observe::journal::{CloseReason, EventKind};
use crate::observe::sessions::SessionGuard;
use crate::observe::tap::Side;
use crate::pi::{Control, Link, Session, Setup, Step};
use crate::wire::{ControlEvent, LineReader, Reply};
use faults::FaultState;
use interception::Interception;
use stream::ControlStream;
use throttle::Throttle;
use waiting::Waiting;

/// How long a client may take to close after the server, and how many octets it may still send.
const CLOSING: (Duration, usize) = (Duration::from_secs(2), 1 << 20);

/// The most octets a client may send without a line end.
const LONGEST_WITHOUT_LINE_END: u32 = 1 << 20;

/// A control connection (RFC 959 §2.3).
///
/// Ten thousand of them may be idle, so an idle one holds no buffer, and what is rare is boxed.
pub(crate) struct Connection {
    pub(super) session: Session,
    pub(super) passive: Option<Box<PassivePort>>,
    /// Whether TLS begins with the first octet.
    implicit_tls: bool,
    pub(super) slot: Slot,
    pub(super) stream: ControlStream,
    /// The state of the fault plan; `None` without a plan.
    faults: Option<Box<FaultState>>,
    pub(super) record: SessionGuard,
    reader: LineReader,
    /// Replies that are still to be sent.
    pub(super) replies: Vec<u8>,
    /// Commands that came during a transfer and wait for its end.
    queue: Waiting,
    /// The deadline for the login.
    login_by: Instant,
    /// `None` if the session has none of them.
    bounds: Option<Box<Bounds>>,
    pub(super) tls: Option<Box<ConnectionTls>>,
    /// How long a download waits for the client to close before its completion reply.
    closing_time: Duration,
    /// The first command of the queue, if faults and hooks have seen it during a transfer.
    interception: Option<Box<Interception>>,
    /// The last reply, for [`Hooks::after`](crate::Hooks::after).
    pub(super) answered: Option<Box<Reply>>,
}

/// Optional limits, boxed to keep idle sessions small.
#[derive(Debug)]
struct Bounds {
    /// When the session must end ([`Limits::session`]).
    ends_by: Option<Instant>,
    throttle: Option<Throttle>,
}

impl Bounds {
    fn of(limits: &Limits, now: Instant) -> Option<Box<Self>> {
        let ends_by = limits.session.map(|limit| after(now, limit));
        let throttle = Throttle::limited_to(limits.commands_per_second, now);
        let limited = ends_by.is_some() || throttle.is_some();
        limited.then(|| Box::new(Self { ends_by, throttle }))
    }
}

/// Why a control connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// QUIT, or too many failures: the reply has been given.
    Quit,
    /// Nothing came for too long.
    Idle,
    /// Without a login for too long.
    NotLoggedIn,
    /// The session lasted too long.
    OverTime,
    /// The user has too many sessions.
    SessionsOfUser,
    /// What the client sends has no line end.
    EndlessLine,
    /// The server stops.
    Stopped,
    /// The operator closed the session.
    ClosedByOperator,
    /// The client is gone, does not read its replies, or violates TLS.
    Lost,
}

/// What ended a wait.
enum Wakeup {
    Filled(usize),
    Lost,
    Idle,
    Stopped,
    ClosedByOperator,
}

impl From<End> for CloseReason {
    fn from(end: End) -> Self {
        match end {
            End::Quit => Self::Quit,
            End::Idle => Self::Idle,
            End::NotLoggedIn | End::OverTime | End::SessionsOfUser | End::EndlessLine => {
                Self::Limit
            }
            End::Stopped => Self::Stopped,
            End::ClosedByOperator => Self::ClosedByOperator,
            End::Lost => Self::Lost,
        }
    }
}

impl Connection {
    pub(crate) fn new(
        stream: tokio::net::TcpStream,
        link: Link,
        setup: Arc<Setup>,
        slot: Slot,
    ) -> Self {
        let (now, limits) = (Instant::now(), &slot.shared.limits);
        let shared = &slot.shared;
        let record = shared
            .roster
            .enter(slot.number, (link.local, link.peer), &shared.observers);
        Self {
            login_by: after(now, limits.login),
            bounds: Bounds::of(limits, now),
            session: Session::new(setup, link),
            passive: None,
            implicit_tls: link.protected,
            faults: FaultState::over(&slot, &record),
            slot,
            record,
            stream: ControlStream::Clear(stream),
            reader: LineReader::new(),
            replies: Vec::new(),
            queue: Waiting::default(),
            tls: None,
            closing_time: CLOSING_TIME,
            interception: None,
            answered: None,
        }
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(mut self) {
        let number = self.slot.number;
        tracing::info!(connection = number, peer = %self.record.peer, "connected");
        let Err(end) = self.serve().await;
        tracing::info!(connection = number, ?end, "disconnected");
        Box::pin(self.close(end)).await;
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.slot.shared
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let stop = Arc::clone(&self.shared().stop).notified_owned();
        let mut stop = std::pin::pin!(stop);
        let idle_limit = self.idle_limit();
        if self.implicit_tls {
            self.prepare_tls();
            Box::pin(self.handshake()).await?;
        }
        let mut idle = std::pin::pin!(tokio::time::sleep(idle_limit));
        if self.is_intercepted() {
            Box::pin(self.greet_intercepted()).await?;
        } else {
            let greeting = self.session.greeting();
            self.reply(&greeting);
        }
        loop {
            while let Some(event) = self.next_event() {
                if self.bounds.is_some() {
                    Box::pin(self.wait_for_throttle()).await?;
                }
                self.apply_directory();
                if self.is_intercepted() {
                    Box::pin(self.intercept(event)).await?;
                } else {
                    match self.session.receive(event) {
                        Step::Reply(completion) => self.reply(&completion.0),
                        step => Box::pin(self.carry_out(step)).await?,
                    }
                }
                if self.replies.len() >= self.shared().limits.queued_replies {
                    self.flush().await?;
                }
            }
            // Publish the state before the reply is sent.
            self.publish();
            self.flush().await?;
            if self.shared().is_stopping() {
                return Err(End::Stopped);
            }
            let deadline = self.deadline()?;
            idle.as_mut().reset(deadline);
            match self.wait(idle.as_mut(), stop.as_mut()).await {
                Wakeup::Filled(1..) => self.refuse_endless_line()?,
                Wakeup::Filled(0) | Wakeup::Lost => return Err(End::Lost),
                Wakeup::Idle => return Err(self.deadline().err().unwrap_or(End::Idle)),
                Wakeup::Stopped => return Err(End::Stopped),
                Wakeup::ClosedByOperator => return Err(End::ClosedByOperator),
            }
        }
    }

    /// Ends the session of a client that sends too many octets without a line end.
    fn refuse_endless_line(&self) -> Result<(), End> {
        if self.reader.since_line_end() > LONGEST_WITHOUT_LINE_END {
            return Err(End::EndlessLine);
        }
        Ok(())
    }

    /// Waits until the rate limit allows one more command.
    async fn wait_for_throttle(&mut self) -> Result<(), End> {
        let until = self
            .throttle()
            .and_then(|throttle| throttle.wait(Instant::now()));
        if let Some(until) = until {
            self.rest(until).await?;
        }
        if let Some(throttle) = self.throttle() {
            throttle.count(Instant::now());
        }
        Ok(())
    }

    /// Delays the client; ends the session if the server stops meanwhile.
    pub(super) async fn rest(&mut self, until: Instant) -> Result<(), End> {
        self.flush().await?;
        let stop = Arc::clone(&self.shared().stop).notified_owned();
        if self.shared().is_stopping() || timeout_at(until, stop).await.is_ok() {
            return Err(End::Stopped);
        }
        Ok(())
    }

    /// The deadline for the next command; an error if a deadline has passed already.
    fn deadline(&mut self) -> Result<Instant, End> {
        let now = Instant::now();
        let mut deadline = after(now, self.idle_limit());
        if self.session.is_logged_in() {
            self.login_by = after(now, self.shared().limits.login);
        } else {
            self.slot.log_out();
            if self.login_by <= now {
                return Err(End::NotLoggedIn);
            }
            deadline = deadline.min(self.login_by);
        }
        match self.ends_by() {
            Some(end) if end <= now => Err(End::OverTime),
            Some(end) => Ok(deadline.min(end)),
            None => Ok(deadline),
        }
    }

    fn ends_by(&self) -> Option<Instant> {
        self.bounds.as_ref()?.ends_by
    }

    fn throttle(&mut self) -> Option<&mut Throttle> {
        self.bounds.as_mut()?.throttle.as_mut()
    }

    fn next_event(&mut self) -> Option<ControlEvent> {
        if let Some(waiting) = self.queue.pop() {
            return Some(waiting);
        }
        // A Telnet option is answered before the line it came with.
        self.replies.append(&mut self.reader.take_answers());
        let event = self.reader.next_event()?;
        note_event(&self.record, &event);
        Some(event)
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        let reply = &*self.session.translated(reply);
        match &mut self.faults {
            None => reply.encode(&mut self.replies),
            Some(watch) => watch.encode(reply, &mut self.replies),
        }
        self.record.note_reply(reply);
        if !self.record.hooks().is_empty() {
            self.answered = Some(Box::new(reply.clone()));
        }
    }

    /// Applies a working directory that an embedder has set ([`SessionInfo::set_directory`]).
    ///
    /// [`SessionInfo::set_directory`]: crate::SessionInfo::set_directory
    pub(super) fn apply_directory(&mut self) {
        if let Some(directory) = self.record.take_directory() {
            self.session.go_to(directory);
        }
    }

    /// Publishes the login and the working directory.
    pub(super) fn publish(&mut self) {
        self.apply_directory();
        self.record
            .update(self.session.logged_in(), self.session.protects_data());
    }

    fn reply_last(&mut self, text: &'static str) {
        self.reply(&Reply::line(421, text));
    }

    /// Sends the replies. A client that does not read them is not read either, and then given up.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        if self.holds_replies() {
            Box::pin(self.send_held_replies()).await?;
        }
        self.send().await
    }

    pub(super) async fn send(&mut self) -> Result<(), End> {
        if self.replies.is_empty() {
            return Ok(());
        }
        let stall = self.shared().limits.reply_stall;
        let channel = &self.record.control;
        let sending =
            std::future::poll_fn(|cx| self.stream.poll_send(cx, &mut self.replies, channel));
        match timeout(stall, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Lost),
        }
    }

    /// Waits for octets, and meanwhile for a data connection.
    async fn wait(
        &mut self,
        mut idle: Pin<&mut Sleep>,
        mut stop: Pin<&mut OwnedNotified>,
    ) -> Wakeup {
        std::future::poll_fn(|cx| {
            let channel = &self.record.control;
            if let Poll::Ready(read) = self.stream.poll_fill(cx, &mut self.reader, channel) {
                return Poll::Ready(read.map_or(Wakeup::Lost, Wakeup::Filled));
            }
            if let Some(port) = &mut self.passive {
                let tls = self
                    .tls
                    .as_ref()
                    .filter(|_| self.session.protects_data())
                    .map(|tls| tls.data());
                port.poll_ahead(cx, tls);
            }
            if stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wakeup::Stopped);
            }
            if self.record.poll_closed_by_operator(cx) {
                return Poll::Ready(Wakeup::ClosedByOperator);
            }
            idle.as_mut().poll(cx).map(|()| Wakeup::Idle)
        })
        .await
    }

    /// Carries out a step of the server-PI.
    pub(super) async fn carry_out(&mut self, mut step: Step) -> Result<(), End> {
        loop {
            step = match step {
                Step::Reply(completion) => {
                    self.reply(&completion.0);
                    return Ok(());
                }
                Step::ReplyThen(completion, control) => {
                    self.reply(&completion.0);
                    return self.change(control).await;
                }
                Step::Ask(work) => self.perform(*work).await?,
                Step::Transfer(question) => return self.transfer(*question).await,
            };
        }
    }

    async fn change(&mut self, control: Control) -> Result<(), End> {
        match control {
            Control::StartTls => {
                self.drop_data_port();
                self.flush().await?;
                // Octets after AUTH came in the clear and may be injected.
                self.reader.discard();
                self.queue.clear();
                self.handshake().await?;
                self.session.tls_established();
                Ok(())
            }
            Control::EndTls => {
                self.drop_data_port();
                self.flush().await?;
                self.end_tls().await?;
                self.session.tls_ended();
                Ok(())
            }
            Control::DropDataPort => {
                self.drop_data_port();
                Ok(())
            }
            Control::Close => Err(End::Quit),
        }
    }

    pub(super) fn drop_data_port(&mut self) {
        if let Some(port) = self.passive.take() {
            port.close();
        }
    }

    /// Closes in an orderly way, so that the client gets the last reply: a close with unread octets
    /// would be a reset.
    async fn close(mut self, end: End) {
        self.drop_data_port();
        self.end_faults_at_close(end).await;
        match end {
            End::Quit | End::Lost => {}
            End::Idle => self.reply_last("Idle for too long, closing."),
            End::NotLoggedIn => self.reply_last("The login took too long, closing."),
            End::OverTime => self.reply_last("The session lasted too long, closing."),
            End::EndlessLine => self.reply_last("The line is too long, closing."),
            End::SessionsOfUser => self.reply_last("Too many sessions of this user, closing."),
            End::Stopped => self.reply_last("The server is stopping."),
            End::ClosedByOperator => self.reply_last("The session was closed from outside."),
        }
        self.publish();
        self.record.end(end.into());
        let channel = &self.record.control;
        let closing = async {
            if end != End::Lost {
                let replies = &mut self.replies;
                std::future::poll_fn(|cx| self.stream.poll_send(cx, replies, channel)).await?;
            }
            let mut stream = self.stream.finish(channel).await?;
            if end == End::Stopped {
                // Idle clients have no work in progress; stopping the server does not wait for
                // them.
                return Ok(());
            }
            let mut discarded = vec![0; 4096];
            let mut drained = 0;
            while drained < CLOSING.1 {
                match stream.read(&mut discarded).await {
                    Ok(octets @ 1..) => drained += octets,
                    Ok(0) => {
                        channel.finished(Side::Client, false);
                        break;
                    }
                    Err(error) => {
                        channel.failed(&error, false);
                        break;
                    }
                }
            }
            std::io::Result::Ok(())
        };
        // An error here cannot be reported to anybody.
        let _ = timeout(CLOSING.0, closing).await;
    }
}

/// Records a line of the client.
fn note_event(record: &SessionGuard, event: &ControlEvent) {
    match event {
        ControlEvent::Line(line) => record.note_line(line),
        ControlEvent::Overlong => record.note(|| EventKind::NoCommand { overlong: true }),
        ControlEvent::Malformed => record.note(|| EventKind::NoCommand { overlong: false }),
    }
}

/// The time after `limit`; far in the future if the limit is too large.
fn after(now: Instant, limit: Duration) -> Instant {
    let far = Duration::from_secs(60 * 60 * 24 * 365);
    now + limit.min(far)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::shared::test_slot;
    use super::*;

    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn ten_thousand_connections_fit_into_little_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let link = Link {
            local: address,
            peer: address,
            protected: false,
        };
        let slot = test_slot();
        let serving = Connection::new(stream, link, Arc::default(), slot).run();
        let size = size_of_val(&serving);
        assert!(size <= 1536, "{size}");
    }
}
