//! The client: some kept connections, each with one request at a time, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use memchr::memmem;
use tokio::net::TcpStream;

use crate::http1::{Connection, Message};
use crate::work::Request;

/// How many connections. Fewer cost the proxy more per request: it sleeps and wakes between them.
pub(crate) const CONNECTIONS: usize = 8;

/// A minute without an answer is a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// The answer that every request must get.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) body: Body,
    /// What must be in the answer to a forged token; its status is 401.
    pub(crate) forged: &'static str,
}

/// What its body must be.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Exactly this.
    Exactly(Vec<u8>),
    /// It names a decision, which differs, so only this part is fixed.
    With(&'static str),
}

/// What one slot of load was.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) completed: u64,
    /// Those of them whose token was forged.
    pub(crate) forged: u64,
    /// Of each request, in µs.
    latencies: Vec<u32>,
}

impl Tally {
    /// The median latency in µs.
    pub(crate) fn median_latency(&mut self) -> f64 {
        self.latencies.sort_unstable();
        self.latencies.get(self.latencies.len() / 2).copied().map_or(f64::NAN, f64::from)
    }
}

impl Expected {
    fn check(&self, answer: &Message, forged: bool) -> anyhow::Result<()> {
        let has = |part: &str| memmem::find(&answer.body, part.as_bytes()).is_some();
        let good = match &self.body {
            _ if forged => has(self.forged),
            Body::Exactly(body) => *body == answer.body,
            Body::With(part) => has(part),
        };
        let status = if forged { 401 } else { self.status };
        if good && answer.status == Some(status) {
            return Ok(());
        }
        let body = String::from_utf8_lossy(answer.body.get(..answer.body.len().min(300)).unwrap_or_default()).into_owned();
        bail!("wrong verdict: {:?} instead of {status}, with {} bytes: {body}", answer.status, answer.body.len())
    }
}

/// One request and its answer, whatever it is.
pub(crate) async fn ask(proxy: SocketAddr, request: &[u8]) -> anyhow::Result<Message> {
    let mut connection = Connection::new(TcpStream::connect(proxy).await?)?;
    let mut answer = Message::default();
    connection.write(request).await?;
    let read = tokio::time::timeout(PATIENCE, connection.read(&mut answer)).await.context("no answer")??;
    if read { Ok(answer) } else { bail!("closed without an answer") }
}

/// Requests in their order, from the first one again after the last.
pub(crate) struct Reel {
    requests: Arc<[Request]>,
    sent: AtomicUsize,
}

impl Reel {
    pub(crate) fn new(requests: &Arc<[Request]>) -> Self {
        Self { requests: requests.clone(), sent: AtomicUsize::new(0) }
    }

    fn next(&self) -> anyhow::Result<&Request> {
        let sent = self.sent.fetch_add(1, Ordering::Relaxed);
        self.requests.get(sent % self.requests.len().max(1)).context("nothing to send")
    }
}

/// Load for this long, and at least one exchange of each connection. Ends when all answers are there, or with the first wrong one.
pub(crate) async fn run(proxy: SocketAddr, reel: &Arc<Reel>, expected: &Expected, time: Duration) -> anyhow::Result<Tally> {
    let until = Instant::now() + time;
    let connections = (0..CONNECTIONS).map(|_| {
        let (reel, expected) = (reel.clone(), expected.clone());
        tokio::spawn(async move { one(proxy, &reel, &expected, until).await })
    });
    let mut all = Tally::default();
    for connection in connections.collect::<Vec<_>>() {
        let one = tokio::time::timeout(time + PATIENCE, connection).await.context("no answer")??;
        let one = one?;
        all.completed += one.completed;
        all.forged += one.forged;
        all.latencies.extend(one.latencies);
    }
    Ok(all)
}

async fn one(proxy: SocketAddr, reel: &Reel, expected: &Expected, until: Instant) -> anyhow::Result<Tally> {
    let (mut tally, mut answer) = (Tally::default(), Message::default());
    let mut connection = Connection::new(TcpStream::connect(proxy).await?)?;
    let mut begun = Instant::now();
    loop {
        let request = reel.next()?;
        connection.write(&request.bytes).await?;
        if !connection.read(&mut answer).await? {
            bail!("the proxy closed a kept connection");
        }
        expected.check(&answer, request.forged)?;
        if answer.closes {
            connection = Connection::new(TcpStream::connect(proxy).await?)?;
        }
        let ended = Instant::now();
        tally.completed += 1;
        tally.forged += u64::from(request.forged);
        tally.latencies.push(u32::try_from((ended - begun).as_micros()).unwrap_or(u32::MAX));
        begun = ended;
        if begun >= until {
            return Ok(tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_seen() {
        let answer = |status, body: &str| Message { status: Some(status), body: body.as_bytes().to_vec(), ..Message::default() };
        let exactly = Expected { status: 200, body: Body::Exactly(b"all".to_vec()), forged: "invalid_token" };
        let with = Expected { status: 403, body: Body::With("no_matching_rule"), forged: "" };
        assert!(exactly.check(&answer(200, "all"), false).is_ok());
        assert!(exactly.check(&answer(401, "invalid_token"), true).is_ok());
        assert!(with.check(&answer(403, r#"{"reason":"no_matching_rule","decision":"1"}"#), false).is_ok());
        for passed in [answer(200, "all"), answer(401, "all"), answer(200, "invalid_token")] {
            assert!(exactly.check(&passed, true).is_err());
        }
        for (expected, wrong) in [
            (&exactly, answer(403, "all")),
            (&exactly, answer(200, "al")),
            (&exactly, Message { status: None, ..answer(200, "all") }),
            (&with, answer(200, "no_matching_rule")),
            (&with, answer(403, "upstream connect error")),
        ] {
            assert!(expected.check(&wrong, false).is_err(), "{expected:?} {:?}", wrong.status);
        }
    }
}
