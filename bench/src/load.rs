//! The client: some kept connections, each with one request at a time, as fast as they are answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use memchr::memmem;
use tokio::net::TcpStream;

use crate::http1::{Connection, Message};

/// How many connections. Fewer cost the proxy more per request: it sleeps and wakes between them.
pub(crate) const CONNECTIONS: usize = 8;

/// A minute without an answer is a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// The answer that every request must get.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) body: Body,
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
    fn check(&self, answer: &Message) -> anyhow::Result<()> {
        let good = match &self.body {
            Body::Exactly(body) => *body == answer.body,
            Body::With(part) => memmem::find(&answer.body, part.as_bytes()).is_some(),
        };
        if good && answer.status == Some(self.status) {
            return Ok(());
        }
        let body = String::from_utf8_lossy(answer.body.get(..answer.body.len().min(300)).unwrap_or_default()).into_owned();
        bail!("wrong verdict: {:?} instead of {}, with {} bytes: {body}", answer.status, self.status, answer.body.len())
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

/// Load for this long. Ends when all answers are there, or with the first wrong one.
pub(crate) async fn run(proxy: SocketAddr, request: &[u8], expected: &Expected, time: Duration) -> anyhow::Result<Tally> {
    let until = Instant::now() + time;
    let connections = (0..CONNECTIONS).map(|_| {
        let (request, expected) = (request.to_vec(), expected.clone());
        tokio::spawn(async move { one(proxy, &request, &expected, until).await })
    });
    let mut all = Tally::default();
    for connection in connections.collect::<Vec<_>>() {
        let one = tokio::time::timeout(time + PATIENCE, connection).await.context("no answer")??;
        let one = one?;
        all.completed += one.completed;
        all.latencies.extend(one.latencies);
    }
    Ok(all)
}

async fn one(proxy: SocketAddr, request: &[u8], expected: &Expected, until: Instant) -> anyhow::Result<Tally> {
    let (mut tally, mut answer) = (Tally::default(), Message::default());
    let mut connection = Connection::new(TcpStream::connect(proxy).await?)?;
    let mut begun = Instant::now();
    while begun < until {
        connection.write(request).await?;
        if !connection.read(&mut answer).await? {
            bail!("the proxy closed a kept connection");
        }
        expected.check(&answer)?;
        if answer.closes {
            connection = Connection::new(TcpStream::connect(proxy).await?)?;
        }
        let ended = Instant::now();
        tally.completed += 1;
        tally.latencies.push(u32::try_from((ended - begun).as_micros()).unwrap_or(u32::MAX));
        begun = ended;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_seen() {
        let answer = |status, body: &str| Message { status: Some(status), closes: false, body: body.as_bytes().to_vec() };
        let exactly = Expected { status: 200, body: Body::Exactly(b"all".to_vec()) };
        let with = Expected { status: 403, body: Body::With("no_matching_rule") };
        assert!(exactly.check(&answer(200, "all")).is_ok());
        assert!(with.check(&answer(403, r#"{"reason":"no_matching_rule","decision":"1"}"#)).is_ok());
        for (expected, wrong) in [
            (&exactly, answer(403, "all")),
            (&exactly, answer(200, "al")),
            (&exactly, Message { status: None, ..answer(200, "all") }),
            (&with, answer(200, "no_matching_rule")),
            (&with, answer(403, "upstream connect error")),
        ] {
            assert!(expected.check(&wrong).is_err(), "{expected:?} {:?}", wrong.status);
        }
    }
}
