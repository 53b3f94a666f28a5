//! A proxy between any client and any server: it follows the data connections, ends TLS on both
//! sides, and lets an observer see every octet of both channels.
//!
//! ```text
//!  client  --control-->  Session  --control-->  server
//!          <==data====>  Carrier  <==data====>
//! ```
//!
//! Only addresses are changed in what flows: the 227 and 229 that go to the client, and the PORT
//! and EPRT that go to the server, name ports of the proxy.

mod activity;
mod address;
mod data;
mod faults;
mod lines;
mod observer;
mod pump;
mod recorder;
mod session;
mod stream;
mod tls;
mod write_out;

pub(crate) use activity::{Activity, OnActivity, Watcher};
pub(crate) use address::{PortCommand, active_address, passive_line, passive_reply};
pub(crate) use faults::{Fault, FaultPlan, Plan, describe_for_proxy};
pub(crate) use lines::{ClientLines, ClientPiece, ServerLines, ServerPiece, split_command};
pub(crate) use recorder::Recorder;
pub(crate) use stream::Stream;
pub(crate) use tls::{Authority, Protections, UpstreamTls};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::driver::listen;
use crate::subject::Target;
use faults::SessionFaults;
use observer::Leg;
pub(crate) use observer::{Channel, Observer, Sighting};
use session::Session;
use tls::SessionTls;

/// How long connecting to the server may take.
const CONNECT: Duration = Duration::from_secs(60);
/// After this long without octets TCP asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_mins(2);
/// How long sessions may go on after the proxy was stopped.
const ENDING: Duration = Duration::from_millis(500);
/// Sessions at a time; one more is answered 421.
const SESSIONS: usize = 1000;

/// Makes the observer of a session: its number, from 1, and the client's address. A session that
/// cannot be observed is refused, with the error in the reply.
pub(crate) type Observers =
    Box<dyn Fn(u64, SocketAddr) -> Result<Arc<dyn Observer>, String> + Send + Sync>;

/// A proxy that is running; it stops when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    authority: Authority,
    /// Ends accepting when dropped.
    stop: oneshot::Sender<()>,
    task: JoinSet<()>,
}

/// What a proxy does.
pub(crate) struct Settings {
    /// Where it listens; port 0 is any.
    pub(crate) listen: SocketAddr,
    /// The server.
    pub(crate) upstream: Target,
    /// How both sides are protected.
    pub(crate) tls: Protections,
    /// The faults that are injected on the client's side.
    pub(crate) faults: Option<Arc<FaultPlan>>,
    /// Who sees the sessions.
    pub(crate) observers: Observers,
}

struct Shared {
    settings: Settings,
    authority: Authority,
}

impl Proxy {
    /// Serves in front of a server.
    ///
    /// # Errors
    /// When it cannot listen, or no certificate can be made.
    pub(crate) fn start(settings: Settings) -> io::Result<Self> {
        let (listen_at, upstream) = (settings.listen, &settings.upstream);
        let listener = if listen_at.port() == 0 {
            listen(listen_at)?
        } else {
            let listener = std::net::TcpListener::bind(listen_at)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)?
        };
        let address = listener.local_addr()?;
        let names = vec![
            upstream.host.clone(),
            "localhost".into(),
            address.ip().to_string(),
        ];
        let authority = Authority::new(names)?;
        let shared = Arc::new(Shared {
            settings,
            authority: authority.clone(),
        });
        let mut task = JoinSet::new();
        let (stop, stopped) = oneshot::channel();
        task.spawn(accept(listener, shared, stopped));
        Ok(Self {
            address,
            authority,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate clients have to trust, in PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Stops it. Sessions that are about to end have a moment for that, the others are ended.
    pub(crate) async fn stop(mut self) {
        drop(self.stop);
        let _stopped = self.task.join_next().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut sessions = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, address)) = accepted else {
                    // The system has no more handles; some sessions have to end first.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                number += 1;
                while sessions.try_join_next().is_some() {}
                let place = Place { number, open: sessions.len() + 1 };
                sessions.spawn(serve(client, address, place, Arc::clone(&shared)));
            }
            Some(_) = sessions.join_next() => {}
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    let ending = async { while sessions.join_next().await.is_some() {} };
    let _others = timeout(ENDING, ending).await;
}

/// The place of a session among the others.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Its number, counted from 1.
    number: u64,
    /// Sessions at this moment.
    open: usize,
}

async fn serve(client: TcpStream, address: SocketAddr, place: Place, shared: Arc<Shared>) {
    let mut client = Stream::Clear(client);
    if place.open > SESSIONS {
        return refuse(client, "too many sessions").await;
    }
    let observer = match (shared.settings.observers)(place.number, address) {
        Ok(observer) => observer,
        Err(problem) => return refuse(client, &problem).await,
    };
    if let Err(problem) = begin(&mut client, place, &shared, &observer).await {
        observer.see(Leg::Server, Channel::Control, &Sighting::Failed(&problem));
        let reply = refusal(&problem);
        observer.see(
            Leg::Client,
            Channel::Control,
            &Sighting::Sent(reply.as_bytes()),
        );
        refuse(client, &problem).await;
    }
    observer.ended();
}

/// The reply to a client that cannot be served.
fn refusal(problem: &str) -> String {
    format!("421 {problem}.\r\n")
}

/// Ends the connection with a client that cannot be served.
async fn refuse(client: Stream, problem: &str) {
    let reply = refusal(problem);
    if let Stream::Clear(mut tcp) = client {
        let farewell = tokio::io::AsyncWriteExt::write_all(&mut tcp, reply.as_bytes());
        let _gone = timeout(CONNECT, farewell).await;
        Stream::Clear(tcp).close();
    }
}

/// Connects to the server and serves the session; an error is for the 421 that the client gets.
async fn begin(
    client: &mut Stream,
    place: Place,
    shared: &Shared,
    observer: &Arc<dyn Observer>,
) -> Result<(), String> {
    let settings = &shared.settings;
    let upstream = &settings.upstream;
    let local = prepared(client).map_err(|error| error.to_string())?;
    observer.see(Leg::Client, Channel::Control, &local);
    let tcp = connect(&upstream.addresses).await?;
    let mut server = Stream::Clear(tcp);
    let opened = prepared(&mut server).map_err(|error| error.to_string())?;
    observer.see(Leg::Server, Channel::Control, &opened);
    let peer = server.peer().map_err(|error| error.to_string())?.ip();
    let tls = SessionTls::new(
        shared.authority.clone(),
        &upstream.trust,
        &upstream.host,
        peer,
    )?;
    let faults = settings.faults.clone();
    let faults = faults.map(|plan| SessionFaults::new(plan, place.number));
    let taken = std::mem::replace(client, Stream::Closed);
    let local = settings.tls.local();
    let mut session = Session::new(taken, server, local, tls, Arc::clone(observer), faults);
    session.inject_at_connect(place.open);
    match session.begin(settings.tls).await {
        Ok(()) => session.run().await,
        Err(problem) => session.refuse(&problem).await,
    }
    Ok(())
}

fn prepared(stream: &mut Stream) -> io::Result<Sighting<'static>> {
    let tcp = stream.tcp()?;
    tcp.set_nodelay(true)?;
    // Urgent octets stay in their place among the others.
    socket2::SockRef::from(tcp).set_out_of_band_inline(true)?;
    watch(tcp)?;
    Ok(Sighting::Opened {
        ours: stream.local()?,
        theirs: stream.peer()?,
        mode: None,
    })
}

/// A peer that is gone without an end of the connection is noticed.
fn watch(tcp: &TcpStream) -> io::Result<()> {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    socket2::SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}

/// Connects to the first of these addresses that answers.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut problem = "the server has no address".to_owned();
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => {
                problem = format!("the server at {address} cannot be reached: {error}")
            }
            Err(_) => problem = format!("the server at {address} does not answer"),
        }
    }
    Err(problem)
}
