//! One session that is played again, event by event.

mod sending;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until};

use super::Playback;
use super::control::Control;
use super::data::{DataConnection, Instruction, Opening, Recorded};
use super::substitute::{Pathnames, unique_name};
use crate::driver::{TlsClient, quoted_pathname};
use crate::proxy::passive_reply;
use crate::replay::compare::Played;
use crate::replay::dialogue::{Exchange, Session, Transfer};
use crate::subject::Target;
use crate::transcript::{Channel, CloseKind, DataMode, End, EventKind, Side};

/// Octets a server may send on a control connection beyond four times those of the recording.
const SURPLUS: u64 = 8 << 20;
/// Commands after which nothing is played when they are refused, but were not in the recording:
/// what follows would act on something else.
const NEEDED: [&str; 9] = [
    "USER", "PASS", "ACCT", "CWD", "XCWD", "CDUP", "XCUP", "AUTH", "REIN",
];

/// A session while it is played.
pub(super) struct Playing<'a> {
    recorded: &'a Session,
    target: &'a Target,
    playback: &'a Playback,
    /// The replies of each event: exchange, and which of its replies; `None` for unasked ones.
    answers: BTreeMap<usize, Vec<Option<(usize, usize)>>>,
    /// The events of each data connection that are still to be played.
    data_events: BTreeMap<u32, VecDeque<usize>>,
    /// The exchange of each data connection.
    users: BTreeMap<u32, usize>,
    control: Option<Control>,
    tls: Option<TlsClient>,
    /// The beginning of a command line whose verb is not complete or whose argument changes.
    held: Vec<u8>,
    urgent: bool,
    listener: Option<TcpListener>,
    passive: Option<SocketAddr>,
    data: BTreeMap<u32, DataConnection>,
    received: BTreeMap<u32, u64>,
    transfers: BTreeMap<u32, Transfer>,
    /// How the client ended the control connection.
    ending: Option<CloseKind>,
    pathnames: Pathnames,
    knows_directory: bool,
    stopped: Option<String>,
    no_connection: Option<String>,
}

impl<'a> Playing<'a> {
    pub(super) fn new(recorded: &'a Session, target: &'a Target, playback: &'a Playback) -> Self {
        let mut answers: BTreeMap<usize, Vec<Option<(usize, usize)>>> = BTreeMap::new();
        for (number, exchange) in recorded.exchanges.iter().enumerate() {
            for (nth, (event, _)) in exchange.replies.iter().enumerate() {
                answers.entry(*event).or_default().push(Some((number, nth)));
            }
        }
        for (event, _) in &recorded.unasked {
            answers.entry(*event).or_default().push(None);
        }
        let mut data_events: BTreeMap<u32, VecDeque<usize>> = BTreeMap::new();
        for (index, (_, event)) in recorded.events.iter().enumerate() {
            if let Channel::Data(number) = event.channel {
                data_events.entry(number).or_default().push_back(index);
            }
        }
        let exchanges = recorded.exchanges.iter().enumerate();
        let users = exchanges.filter_map(|(index, it)| Some((it.transfer?, index)));
        Self {
            recorded,
            target,
            playback,
            answers,
            data_events,
            users: users.collect(),
            control: None,
            tls: None,
            held: Vec::new(),
            urgent: false,
            listener: None,
            passive: None,
            data: BTreeMap::new(),
            received: BTreeMap::new(),
            transfers: BTreeMap::new(),
            ending: None,
            pathnames: Pathnames::default(),
            knows_directory: false,
            stopped: None,
            no_connection: None,
        }
    }

    /// Why there was no connection.
    pub(super) fn unreachable(&self) -> Option<&str> {
        self.no_connection.as_deref()
    }

    /// Waits, and takes meanwhile what the server sends.
    pub(super) async fn pause(&mut self, until: Instant) {
        let Some(control) = &mut self.control else {
            return sleep_until(until).await;
        };
        let mut failed = None;
        loop {
            tokio::select! {
                () = sleep_until(until) => break,
                received = control.receive() => {
                    if let Err(problem) = received {
                        failed = Some(problem);
                        break;
                    }
                }
            }
        }
        self.stopped = self.stopped.take().or(failed);
    }

    /// Plays one event.
    pub(super) async fn step(&mut self, index: usize) {
        if self.stopped.is_none()
            && let Err(problem) = self.event(index).await
        {
            self.stopped = Some(problem);
        }
    }

    async fn event(&mut self, index: usize) -> Result<(), String> {
        let recorded = self.recorded;
        let (_, event) = &recorded.events[index];
        if self.control.is_none() {
            self.connect().await?;
        }
        if let Channel::Data(number) = event.channel {
            self.data_events_up_to(number, index);
            return Ok(());
        }
        match &event.what {
            EventKind::FromClient { octets } => {
                self.settle().await?;
                self.send(octets).await?;
            }
            EventKind::FromServer { .. } => {
                for answer in self.answers.remove(&index).unwrap_or_default() {
                    match answer {
                        Some((exchange, nth)) => self.await_reply(exchange, nth).await?,
                        None => self.await_unasked(index).await?,
                    }
                }
            }
            EventKind::Urgent { from: Side::Client } => self.urgent = true,
            EventKind::TlsEstablished(_) => {
                let tls = self.tls.clone().ok_or("TLS is not available")?;
                self.control()?.begin_tls(&tls).await?;
            }
            EventKind::TlsEnded { .. } => self.control()?.end_tls().await,
            EventKind::HalfClosed(end) | EventKind::Closed(end) => {
                self.control_ended(end).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Plays the events of a data connection up to this one, but for those that were played before.
    fn data_events_up_to(&mut self, number: u32, last: usize) {
        let events = &self.recorded.events;
        while let Some(left) = self.data_events.get_mut(&number)
            && let Some(index) = left.pop_front_if(|index| *index <= last)
        {
            self.data_event(number, &events[index].1.what);
        }
    }

    /// The event with which a data connection was opened; 0 if it was not.
    fn opening_of(&self, number: u32) -> usize {
        let mut events = self.recorded.events.iter();
        let opening = events.position(|(_, event)| {
            let opened = matches!(event.what, EventKind::DataOpened { .. });
            opened && event.channel == Channel::Data(number)
        });
        opening.unwrap_or_default()
    }

    fn data_event(&mut self, number: u32, what: &EventKind) {
        match what {
            EventKind::TlsEstablished(_) => {
                if let Some(tls) = self.tls.clone() {
                    self.instruct(number, Instruction::Handshake(tls));
                }
            }
            EventKind::DataOpened { mode, .. } => self.open_data(number, *mode),
            EventKind::DataFromClient { octets } => {
                self.instruct(number, Instruction::Send(octets.clone()));
            }
            EventKind::DataFromServer { octets } => {
                let received = self.received.entry(number).or_default();
                *received += octets.len();
                let position = *received;
                self.instruct(number, Instruction::ReceiveUpTo(position));
            }
            EventKind::DataClosed(end) | EventKind::HalfClosed(end) => {
                self.data_ended(number, end);
            }
            _ => {}
        }
    }

    async fn connect(&mut self) -> Result<(), String> {
        let recorded = self
            .recorded
            .events
            .iter()
            .map(|(_, event)| match &event.what {
                EventKind::FromServer { octets } => octets.len() as u64,
                _ => 0,
            });
        let most = recorded
            .sum::<u64>()
            .saturating_mul(4)
            .saturating_add(SURPLUS);
        let mut addresses = self.target.addresses.clone();
        // The family of the recording first: PORT and PASV cannot name an IPv6 address.
        let was_ipv6 = self
            .recorded
            .events
            .iter()
            .find_map(|(_, it)| match &it.what {
                EventKind::Connected { peer, .. } => peer.parse::<SocketAddr>().ok(),
                _ => None,
            });
        let was_ipv6 = was_ipv6.is_some_and(|it| it.ip().to_canonical().is_ipv6());
        addresses.sort_by_key(|address| address.is_ipv6() != was_ipv6);
        let connecting = Control::connect(&addresses, self.playback.patience, most);
        let control = connecting.await.inspect_err(|problem| {
            self.no_connection = Some(problem.clone());
        })?;
        if let Some(peer) = control.peer() {
            let target = self.target;
            self.tls = Some(TlsClient::new(&target.trust, &target.host, peer)?);
        }
        self.control = Some(control);
        Ok(())
    }

    fn control(&mut self) -> Result<&mut Control, String> {
        self.control
            .as_mut()
            .ok_or_else(|| "there is no connection".into())
    }

    fn instruct(&mut self, number: u32, instruction: Instruction) {
        if let Some(data) = self.data.get_mut(&number) {
            data.instruct(instruction);
        }
    }

    /// Whether the live server has refused the transfer of this data connection.
    fn is_refused_now(&self, number: u32) -> bool {
        let exchanges = self.control.as_ref().map(|it| &it.conversation().exchanges);
        let live = exchanges.and_then(|live| live.get(*self.users.get(&number)?));
        live.is_some_and(|live| {
            let refused = live
                .completion()
                .is_some_and(|(_, reply)| reply.class() >= 4);
            refused && live.preliminary().next().is_none()
        })
    }

    fn refused(&mut self, number: u32) {
        let transfer = Transfer {
            error: Some("the server refused the transfer".into()),
            ..Transfer::default()
        };
        self.transfers.insert(number, transfer);
    }

    /// The recorded command of a data connection.
    fn user(&self, number: u32) -> Option<&'a Exchange> {
        self.recorded.exchanges.get(*self.users.get(&number)?)
    }

    fn data_ended(&mut self, number: u32, end: &End) {
        if end.by == Side::Server {
            return self.instruct(number, Instruction::ReceiveToEnd);
        }
        // The recorded server had sent everything when the client ended a download. To end it as
        // early now could interrupt a server that has not.
        let completion = self.user(number).and_then(|user| user.completion());
        let is_download = self.received.contains_key(&number);
        if is_download && completion.is_some_and(|reply| reply.class() == 2) {
            self.instruct(number, Instruction::ReceiveToEnd);
        }
        self.instruct(number, Instruction::End(end.how));
    }

    fn open_data(&mut self, number: u32, mode: DataMode) {
        if self.is_refused_now(number) {
            self.refused(number);
            return;
        }
        let peer = self.control.as_ref().and_then(Control::peer);
        let opening = match (mode, self.passive, self.listener.take(), peer) {
            (DataMode::Pasv | DataMode::Epsv, Some(address), _, _) => Opening::Connect(address),
            (DataMode::Port | DataMode::Eprt, _, Some(listener), Some(peer)) => {
                Opening::Accept(listener, peer)
            }
            _ => {
                let error = Some("no reply named an address for it".into());
                let transfer = Transfer {
                    error,
                    ..Transfer::default()
                };
                self.transfers.insert(number, transfer);
                return;
            }
        };
        let octets = self
            .recorded
            .transfers
            .get(&number)
            .map(|it| it.from_server.clone());
        let user = self.user(number);
        let is_listing = user.is_some_and(|it| matches!(it.verb(), "LIST" | "NLST" | "MLSD"));
        let recorded = Recorded {
            mode,
            octets: octets.unwrap_or_default(),
            is_listing,
        };
        let data = DataConnection::open(opening, recorded, self.playback.patience);
        self.data.insert(number, data);
    }

    /// Waits until the data connections have done what the client had done when it sent its next
    /// command, unless nothing moves.
    async fn settle(&mut self) -> Result<(), String> {
        let patience = self.playback.patience;
        loop {
            let Some(control) = &mut self.control else {
                return Ok(());
            };
            // What a recording has of a data connection before its command came after it.
            let sent = control.conversation().exchanges.len();
            let users = &self.users;
            let is_used = |number: &u32| users.get(number).is_some_and(|user| *user < sent);
            let mut data = self.data.iter_mut();
            let busy = data.find(|(number, data)| is_used(number) && !data.is_idle());
            let Some((_, data)) = busy else {
                return Ok(());
            };
            if control.closed.is_some() {
                return Ok(());
            }
            tokio::select! {
                () = data.changed() => {}
                received = control.receive() => received?,
                () = sleep(patience) => return Ok(()),
            }
            self.deal_with_completions().await;
        }
    }

    /// Waits for a reply to this exchange; a completion is every reply that was left.
    async fn await_reply(&mut self, exchange: usize, nth: usize) -> Result<(), String> {
        let recorded = &self.recorded.exchanges[exchange];
        let is_last = recorded
            .replies
            .get(nth)
            .is_some_and(|(_, reply)| reply.class() != 1);
        if let Some(number) = recorded.transfer {
            // The order of events on two connections is not that of their causes: the first reply
            // may wait for the data connection, the last one waits for all of the data.
            let until = if is_last {
                usize::MAX
            } else {
                self.opening_of(number)
            };
            self.data_events_up_to(number, until);
        }
        loop {
            self.deal_with_completions().await;
            let live = self.control()?.conversation().exchanges.get(exchange);
            let replies = live.map_or(0, |live| live.replies.len());
            if replies > nth || live.is_some_and(|live| live.completion().is_some()) {
                break;
            }
            self.receive("no reply came in time").await?;
        }
        self.learn(exchange);
        self.is_needed(exchange)
    }

    async fn await_unasked(&mut self, event: usize) -> Result<(), String> {
        let wanted = self
            .recorded
            .unasked
            .iter()
            .filter(|(at, _)| *at <= event)
            .count();
        while self.control()?.conversation().unasked.len() < wanted {
            self.receive("a reply that was recorded here did not come")
                .await?;
        }
        Ok(())
    }

    /// Takes what the server sends next, as long as something moves.
    async fn receive(&mut self, silence: &str) -> Result<(), String> {
        let patience = self.playback.patience;
        loop {
            let moved = |data: &BTreeMap<u32, DataConnection>| -> u64 {
                data.values().map(|data| data.progress().moved).sum()
            };
            let before = moved(&self.data);
            let control = self.control.as_mut().ok_or("there is no connection")?;
            if control.closed.is_some() {
                return Err("the server has ended the control connection".into());
            }
            tokio::select! {
                received = control.receive() => return received,
                () = sleep(patience) => {}
            }
            if moved(&self.data) == before {
                return Err(silence.to_owned());
            }
        }
    }

    /// What follows from replies that completed a command: data connections end, or are not needed.
    async fn deal_with_completions(&mut self) {
        let Some(control) = &self.control else {
            return;
        };
        let exchanges = &control.conversation().exchanges;
        let mut over = Vec::new();
        for number in self.data.keys() {
            let live = self.users.get(number).and_then(|user| exchanges.get(*user));
            let completion = live.and_then(|live| live.completion());
            if let (Some((_, reply)), Some(live)) = (completion, live) {
                let began = live.preliminary().next().is_some();
                over.push((*number, began || reply.class() < 4));
            }
        }
        for (number, began) in over {
            let Some(data) = self.data.remove(&number) else {
                continue;
            };
            if began {
                let transfer = data.finish(self.playback.patience).await;
                self.transfers.insert(number, transfer);
            } else {
                data.abandon();
                self.refused(number);
            }
        }
    }

    /// Learns what the live server chose: ports, the login directory, unique names.
    fn learn(&mut self, exchange: usize) {
        let Some(control) = &self.control else {
            return;
        };
        let Some(live) = control.conversation().exchanges.get(exchange) else {
            return;
        };
        let recorded = &self.recorded.exchanges[exchange];
        match recorded.verb() {
            "PASV" | "EPSV" => {
                let Some((_, reply)) = live.completion() else {
                    return;
                };
                let line = reply.lines.last().map(Vec::as_slice).unwrap_or_default();
                let peer = control.peer();
                self.passive = peer.and_then(|peer| passive_reply(reply.code, line, peer));
            }
            "PWD" | "XPWD" if !std::mem::replace(&mut self.knows_directory, true) => {
                let named = |text: Option<String>| text.as_deref().and_then(quoted_pathname);
                let was = named(recorded.completion().map(|it| it.first_line_text()));
                let is = named(live.completion().map(|(_, it)| it.first_line_text()));
                self.pathnames.login_directory = was.zip(is).filter(|(was, is)| was != is);
            }
            "CWD" | "XCWD" | "CDUP" | "XCUP" => self.knows_directory = true,
            "STOU" => {
                let mut was = recorded.replies.iter();
                let was = was.find_map(|(_, reply)| unique_name(&reply.first_line_text()));
                let mut is = live.replies.iter();
                let is = is.find_map(|(_, reply)| unique_name(&reply.first_line_text()));
                self.pathnames.unique_names.extend(was.zip(is));
            }
            _ => {}
        }
    }

    /// Whether what follows can be played: a refused login or directory makes it something else.
    fn is_needed(&mut self, exchange: usize) -> Result<(), String> {
        let recorded = &self.recorded.exchanges[exchange];
        let was_done = recorded.completion().is_some_and(|it| it.class() < 4);
        let control = self.control()?;
        let live = control.conversation().exchanges.get(exchange);
        let completion = live.and_then(|live| live.completion());
        let is_refused = completion.is_some_and(|(_, reply)| reply.class() >= 4);
        match was_done && is_refused && NEEDED.contains(&recorded.verb()) {
            true => Err(format!(
                "{} was refused; what follows would act on something else",
                recorded.verb()
            )),
            false => Ok(()),
        }
    }

    async fn control_ended(&mut self, end: &End) -> Result<(), String> {
        match end.by {
            // At the end: replies that were recorded later were on their way.
            Side::Client => self.ending = Some(end.how),
            Side::Server => {
                self.end_control().await;
                while self.control()?.closed.is_none() {
                    // That it stays open is found by the comparison.
                    if self.receive("").await.is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    async fn end_control(&mut self) {
        if let (Some(how), Some(control)) = (self.ending.take(), &mut self.control) {
            control.end(how).await;
        }
    }

    /// What was played, when nothing more is.
    pub(super) async fn finish(mut self) -> Played {
        self.deal_with_completions().await;
        self.end_control().await;
        for (number, data) in std::mem::take(&mut self.data) {
            if !self.users.contains_key(&number) {
                data.abandon();
                continue;
            }
            let transfer = data.finish(self.playback.patience).await;
            self.transfers.insert(number, transfer);
        }
        let mut session = Session {
            transfers: self.transfers,
            ..Session::default()
        };
        if let Some(control) = self.control {
            session.closed = control.closed.clone();
            session.take_conversation(control.into_pairing());
        }
        Played {
            session,
            stopped: self.stopped,
            directories: self.pathnames.login_directory,
        }
    }
}
