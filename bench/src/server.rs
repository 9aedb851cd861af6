//! A server in a thread of its own, so that its CPU time can be told from that of the others.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::cpu;

/// A running server; it ends with the program.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// For [`cpu::of_thread`].
    pub(crate) thread: i32,
}

/// Starts a server on a free port of loopback.
pub(crate) fn start<F>(name: &str, serve: impl FnOnce(TcpListener) -> F + Send + 'static) -> anyhow::Result<Server>
where
    F: Future<Output = ()>,
{
    let (tell, told) = mpsc::channel();
    let run = move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            tell.send(Server { address: listener.local_addr()?, thread: cpu::this_thread() })?;
            serve(listener).await;
            Ok(())
        })
    };
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    told.recv().with_context(|| format!("the {name} did not start"))
}
