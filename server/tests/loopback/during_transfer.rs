//! Commands that are answered while a transfer goes on: faults and hooks see them like all others.

use std::sync::{Arc, Mutex};

use ftpspec_server::fault::Plan;
use ftpspec_server::internals::wire::{Reply, Verb};
use ftpspec_server::observe::hooks::{BoxFuture, CommandAction, Request};
use ftpspec_server::{Hooks, NoopInTransfer, ServerHandle, SessionInfo};
use tokio::sync::Notify;

use crate::client::{Client, Wire};
use crate::{builder, logged_in, serve};

async fn with_faults(plan: &str) -> ServerHandle {
    builder()
        .noop_in_transfer(NoopInTransfer::AtOnce)
        .faults(Plan::of_lines(plan).unwrap())
        .start()
        .await
        .unwrap()
}

/// Begins an upload.
async fn uploading(client: &mut Client) -> Wire {
    let mut data = client.begin("STOR file").await;
    data.write(b"content").await;
    data
}

async fn complete(client: &mut Client, mut data: Wire) {
    data.end().await;
    client.receive("226").await;
}

#[tokio::test]
async fn faults_are_injected_into_replies_during_a_transfer() {
    let plan = "when STAT nth 1 do reply 450 Later.\nwhen STAT nth 2 do drop\n\
        when NOOP nth 1 do duplicate\nwhen NOOP nth 2 do split bytewise\n\
        when NOOP nth 3 do delay 1ms\nwhen ABOR nth 1 do reply 502 \"Not now.\"\n\
        when ABOR nth 2 do duplicate";
    let server = with_faults(plan).await;
    let mut client = logged_in(&server).await;
    let data = uploading(&mut client).await;
    assert_eq!(client.ask("STAT").await, "450 Later.");
    client.send("STAT").await;
    client.expect("NOOP", "200").await;
    client.receive("200").await;
    client.expect("NOOP", "200").await;
    client.expect("NOOP", "200").await;
    client.expect("STAT", "211").await;
    assert_eq!(client.ask("ABOR").await, "502 Not now.");
    complete(&mut client, data).await;

    let data = uploading(&mut client).await;
    client.expect("ABOR", "426").await;
    for _ in 0..2 {
        client.receive("226").await;
    }
    drop(data);
    client.expect("NOOP", "200").await;
    let seen: Vec<u64> = server
        .fault_counts()
        .iter()
        .map(|count| count.seen)
        .collect();
    assert_eq!(seen, [3, 3, 4, 4, 4, 2, 2]);
}

#[tokio::test]
async fn a_fault_can_end_the_session_during_a_transfer() {
    for (action, replies) in [
        ("hang up", &[][..]),
        ("reply 421 Bye.", &["421 Bye."]),
        ("unsolicited 421 Bye.", &["200 ", "421 Bye."]),
    ] {
        let server = with_faults(&format!("when NOOP do {action}")).await;
        let mut client = logged_in(&server).await;
        let data = uploading(&mut client).await;
        client.send("NOOP").await;
        for expected in replies {
            let reply = client.reply().await;
            assert!(reply.starts_with(expected), "{action}: {reply}");
        }
        assert_eq!(client.reply().await, "", "{action}");
        drop(data);
    }
}

/// Decides about STAT and ABOR when it is allowed to.
#[derive(Debug, Default)]
struct Slow {
    asked: Notify,
    allowed: Notify,
    after: Mutex<Vec<(Option<Verb>, u16)>>,
}

impl Hooks for Slow {
    fn before<'a>(
        &'a self,
        _: &'a SessionInfo,
        command: &'a Request,
    ) -> BoxFuture<'a, CommandAction> {
        Box::pin(async move {
            if let Some(Verb::Stat | Verb::Abor) = command.verb() {
                self.asked.notify_one();
                self.allowed.notified().await;
            }
            CommandAction::Proceed
        })
    }

    fn after(&self, _: &SessionInfo, command: &Request, reply: &Reply) {
        self.after
            .lock()
            .unwrap()
            .push((command.verb(), reply.code.0));
    }
}

#[tokio::test]
async fn a_transfer_goes_on_and_ends_while_a_hook_decides() {
    let hooks = Arc::new(Slow::default());
    let server = builder().shared_hooks(hooks.clone()).start().await.unwrap();
    let mut client = logged_in(&server).await;
    let data = uploading(&mut client).await;
    client.send("STAT").await;
    hooks.asked.notified().await;
    complete(&mut client, data).await;
    hooks.allowed.notify_one();
    client.receive("211").await;

    let data = uploading(&mut client).await;
    client.send("STAT").await;
    hooks.asked.notified().await;
    hooks.allowed.notify_one();
    client.receive("211").await;
    client.send("ABOR").await;
    hooks.asked.notified().await;
    hooks.allowed.notify_one();
    client.receive("426").await;
    client.receive("226").await;
    drop(data);
    client.expect("NOOP", "200").await;
    let after = hooks.after.lock().unwrap();
    let of = |wanted: Verb| -> Vec<u16> {
        let codes = after.iter().filter(|(verb, _)| *verb == Some(wanted));
        codes.map(|(_, code)| *code).collect()
    };
    assert_eq!(of(Verb::Stor), [226, 426]);
    assert_eq!(of(Verb::Stat), [211, 211]);
    assert_eq!(of(Verb::Abor), [226]);
}

#[tokio::test]
async fn a_hook_can_refuse_an_abor_and_close_the_session_during_a_transfer() {
    let server = serve(builder().before(
        [Verb::Abor, Verb::Stat],
        |_, command| match command.verb() {
            Some(Verb::Abor) => CommandAction::reply(550, "It goes on."),
            _ => CommandAction::Close(Reply::text(421, "Bye.")),
        },
    ))
    .await;
    let mut client = logged_in(&server).await;
    let data = uploading(&mut client).await;
    assert_eq!(client.ask("ABOR").await, "550 It goes on.");
    complete(&mut client, data).await;
    let data = uploading(&mut client).await;
    assert_eq!(client.ask("STAT").await, "421 Bye.");
    assert_eq!(client.reply().await, "");
    drop(data);
}
