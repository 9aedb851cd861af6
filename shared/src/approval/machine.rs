//! Questions on their way.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::board::{self, Entry, Found, State, TRIES};
use super::ticket::Question;
use super::{Action, Approval, Key, Server};
use crate::filter::{CallId, Callout, CalloutError, Effects, HttpCall, Reply, RootEffects, ServiceError, Services};
use crate::identity::secret::SealingKeys;
use crate::oauth::ciba::{AuthRequest, BindingMessage, Polled, SLOW_DOWN, Started, User};
use crate::oauth::{ClientAuth, ErrorCode, Failure, Issued, Post, TokenRequest};
use crate::secret::Secret;
use crate::time::{Duration, Timestamp};

/// Where these questions stand in shared data.
const BOARD: &str = "approval";
/// Calls that one worker may have out, and outcomes that it keeps for those who wait.
const MAX_CALLS: usize = 256;
/// How long an outcome is kept: those who wait read it at once.
const KEPT: Duration = Duration::from_secs(10);
/// How long nobody is asked after a server could not be asked.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a no is final, at the least, where the server says it before the user was asked.
const NO: Duration = Duration::from_secs(60);

/// What a plugin and its filters share: one for each configuration. A clone is the same one.
#[derive(Clone)]
pub struct Approvals(Rc<Inner>);

struct Inner {
    server: Server,
    keys: SealingKeys,
    calls: RefCell<HashMap<CallId, Call>>,
}

/// A call and what came of it.
struct Call {
    key: Key,
    owner: Key,
    /// `sub` of the user, for the token.
    user: String,
    at: Timestamp,
    about: About,
    outcome: Option<Outcome>,
}

enum About {
    /// Asking the user.
    Start,
    /// Asking what the user said.
    Poll(Question),
}

/// An [`Approval`] that several requests may wait for.
enum Outcome {
    /// Until one of them has taken it.
    Approved(Option<Issued>),
    Denied,
    Expired,
    Pending {
        ticket: String,
        retry_after: Duration,
    },
    /// When it is worth to come back.
    Unavailable(Duration),
}

impl Approvals {
    /// No question is out that this worker knows of.
    pub fn new(server: Server, keys: impl Into<SealingKeys>) -> Self {
        Self(Rc::new(Inner { server, keys: keys.into(), calls: RefCell::default() }))
    }

    /// Keys of tickets. While there are none, nobody can be asked.
    pub fn keys(&self) -> &SealingKeys {
        &self.0.keys
    }

    /// Whether this may be done. `user` is who is asked, `client` is how we prove ourselves to the server, `ticket` is what
    /// the caller brought.
    pub fn ask(
        &self,
        action: &Action<'_>,
        user: &User<'_>,
        client: &ClientAuth<'_>,
        ticket: Option<&str>,
        fx: &mut Effects<'_>,
    ) -> Approval {
        if self.is_outgoing() && action.issuer != self.0.server.issuer {
            // What this server calls a user says nothing of another issuer's.
            return Approval::Unavailable { retry_after: NO };
        }
        let key = action.key();
        let going = self.0.calls.borrow().iter().find(|(_, call)| call.key == key && call.outcome.is_none()).map(|(id, _)| *id);
        if let Some(call) = going {
            return Approval::Wait(call);
        }
        if self.0.calls.borrow().len() >= MAX_CALLS {
            return Approval::Unavailable { retry_after: PAUSE };
        }
        let now = fx.now();
        if let Some(call) = ticket.and_then(|ticket| self.0.keys.want_for(ticket, now, fx)) {
            return Approval::WaitForKeys(call);
        }
        match self.0.look(action, &key, ticket, now, fx.services()) {
            Ok(Todo::Open { ticket, retry_after }) => {
                let call = self.0.keys.want_for(&ticket, now, fx);
                call.map_or(Approval::Unavailable { retry_after }, Approval::WaitForKeys)
            }
            Ok(Todo::Say(approval)) => approval,
            Ok(Todo::Start) => self.0.start(action, key, user, client, fx),
            Ok(Todo::Poll(question)) => {
                let request = TokenRequest::Approval { id: Secret::new(question.id.reveal()) };
                self.0.call(action, key, About::Poll(question.clone()), request.post(client), &self.0.server.token, fx)
            }
            Err(_) => Approval::Unavailable { retry_after: PAUSE },
        }
    }

    /// What came of a call that [`Approval::Wait`] named; never another one.
    pub fn after(&self, call: CallId) -> Approval {
        match self.0.calls.borrow_mut().get_mut(&call).and_then(|call| call.outcome.as_mut()) {
            Some(Outcome::Approved(issued)) => issued.take().map_or(Approval::Expired, Approval::Approved),
            Some(Outcome::Denied) => Approval::Denied,
            Some(Outcome::Expired) => Approval::Expired,
            Some(Outcome::Pending { ticket, retry_after }) => {
                Approval::Pending { ticket: Some(ticket.clone()), retry_after: *retry_after }
            }
            Some(Outcome::Unavailable(retry_after)) => Approval::Unavailable { retry_after: *retry_after },
            None => Approval::Unavailable { retry_after: PAUSE },
        }
    }

    /// The answer to a call of the root; whether it was one of these.
    pub fn on_reply(&self, id: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) -> bool {
        let mut calls = self.0.calls.borrow_mut();
        let Some(call) = calls.get_mut(&id).filter(|call| call.outcome.is_none()) else { return false };
        let outcome = match &call.about {
            About::Start => self.0.started(call, now, reply, fx),
            About::Poll(question) => self.0.polled(call, question.clone(), now, reply, fx),
        };
        call.at = now;
        call.outcome = Some(outcome);
        true
    }

    /// Whether tokens go on in the place of those that callers bring.
    pub fn is_outgoing(&self) -> bool {
        self.0.server.outgoing.is_some()
    }

    /// Forgets what nobody waits for any more.
    pub fn on_tick(&self, now: Timestamp) {
        let longest = KEPT + self.0.server.timeout;
        self.0.calls.borrow_mut().retain(|_, call| now.since(call.at) < if call.outcome.is_some() { KEPT } else { longest });
    }
}

/// What is to be done about a question.
enum Todo {
    /// The ticket on the board, which the keys do not open that are there.
    Open {
        ticket: String,
        /// How long nobody is asked if they never do.
        retry_after: Duration,
    },
    Poll(Question),
    Say(Approval),
    Start,
}

impl Call {
    /// Writes what came of its question.
    fn put(&self, services: &mut dyn Services, now: Timestamp, mark: [u8; 32], entry: &Entry) {
        board::put(services, BOARD, &self.owner, now, (&self.key, mark), entry);
    }
}

impl Inner {
    /// What the board and the ticket say. What is to be done then is this worker's to do.
    fn look(
        &self,
        action: &Action<'_>,
        key: &Key,
        ticket: Option<&str>,
        now: Timestamp,
        services: &mut dyn Services,
    ) -> Result<Todo, ServiceError> {
        let sealer = &*self.keys.sealer(now).ok_or(ServiceError::Failed)?;
        let brought = match ticket.map(|text| Question::open(text, key, sealer, now)) {
            Some(None) => return Ok(Todo::Say(Approval::Expired)),
            Some(Some(question)) => Some(question),
            None => None,
        };
        for _ in 0..TRIES {
            let owner = action.owner();
            let found = board::find(services, BOARD, &owner, key, now)?;
            let (entry, place) = match found {
                Found::Full if brought.is_none() => return Ok(Todo::Say(Approval::TooMany)),
                Found::Full => (None, None),
                Found::Free(place) => (None, Some(place)),
                Found::Entry(entry, place) => (Some(entry), Some(place)),
            };
            if entry.as_ref().is_some_and(|entry| entry.state == State::Denied) {
                return Ok(Todo::Say(Approval::Denied));
            }
            let question = match (&brought, &entry) {
                (Some(question), Some(entry)) if entry.mark == question.mark() => match entry.state {
                    State::Used => return Ok(Todo::Say(Approval::Expired)),
                    _ => Question { next: question.next.max(entry.next), ..question.clone() },
                },
                // One of another replica, or an older one: the board is about another question, and stays so.
                (Some(question), Some(_)) => return Ok(self.unclaimed(question, key, now, services)),
                (Some(question), None) if place.is_none() => return Ok(self.unclaimed(question, key, now, services)),
                (Some(question), None) => question.clone(),
                (None, Some(Entry { state: State::Starting, until, .. })) => {
                    let retry_after = until.since(now).max(Duration::from_secs(1));
                    return Ok(Todo::Say(Approval::Pending { ticket: None, retry_after }));
                }
                (None, Some(entry @ Entry { state: State::Out, .. })) => {
                    match Question::open(&entry.ticket, key, sealer, now) {
                        Some(question) => Question { next: question.next.max(entry.next), ..question },
                        // Sealed with a key that is gone, or has not come to this worker yet.
                        None => {
                            return Ok(Todo::Open { ticket: entry.ticket.clone(), retry_after: entry.until.since(now) });
                        }
                    }
                }
                (None, Some(Entry { state: State::Failed, until, .. })) => {
                    return Ok(Todo::Say(Approval::Unavailable { retry_after: until.since(now) }));
                }
                (None, Some(Entry { state: State::Denied | State::Used, .. }) | None) => {
                    if let Found::Entry(busy, _) = board::find(services, BOARD, &owner, &owner, now)? {
                        return Ok(Todo::Say(Approval::Unavailable { retry_after: busy.until.since(now) }));
                    }
                    let until = now + self.server.timeout + PAUSE;
                    let entry =
                        Entry { key: *key, state: State::Starting, mark: [0; 32], until, next: now, ticket: String::new() };
                    if board::claim(services, place.as_ref(), &entry)? {
                        return Ok(Todo::Start);
                    }
                    continue;
                }
            };
            if question.next > now {
                return Ok(self.too_early(&question, key, now, services));
            }
            let next = now + question.interval;
            let question = Question { next, ..question };
            let Some(entry) = self.out(&question, key, now, services) else { return Err(ServiceError::Failed) };
            if board::claim(services, place.as_ref(), &entry)? {
                return Ok(Todo::Poll(question));
            }
        }
        // Other workers are about the same.
        Ok(Todo::Say(Approval::Pending { ticket: ticket.map(Into::into), retry_after: Duration::from_secs(1) }))
    }

    /// Goes on with a question that has no place on the board here.
    fn unclaimed(&self, question: &Question, key: &Key, now: Timestamp, services: &mut dyn Services) -> Todo {
        if question.next > now {
            return self.too_early(question, key, now, services);
        }
        Todo::Poll(Question { next: now + question.interval, ..question.clone() })
    }

    fn too_early(&self, question: &Question, key: &Key, now: Timestamp, services: &mut dyn Services) -> Todo {
        let retry_after = question.next.since(now);
        let ticket = self.keys.sealer(now).and_then(|sealer| question.seal(key, &sealer, services));
        Todo::Say(match ticket {
            Some(ticket) => Approval::Pending { ticket: Some(ticket), retry_after },
            None => Approval::Unavailable { retry_after },
        })
    }

    /// How a question stands on the board.
    fn out(&self, question: &Question, key: &Key, now: Timestamp, services: &mut dyn Services) -> Option<Entry> {
        let ticket = question.seal(key, &*self.keys.sealer(now)?, services)?;
        let (mark, until, next) = (question.mark(), question.expires, question.next);
        Some(Entry { key: *key, state: State::Out, mark, until, next, ticket })
    }

    fn start(&self, action: &Action<'_>, key: Key, user: &User<'_>, client: &ClientAuth<'_>, fx: &mut Effects<'_>) -> Approval {
        let Some(message) = BindingMessage::new(action.name, &key.0, self.server.message) else {
            return Approval::Unavailable { retry_after: PAUSE };
        };
        let request = AuthRequest {
            scopes: &self.server.scopes.iter().map(String::as_str).collect::<Vec<_>>(),
            user: user.clone(),
            message: &message,
            acr_values: &self.server.acr_values.iter().map(String::as_str).collect::<Vec<_>>(),
            expires_in: self.server.expires_in,
        };
        self.call(action, key, About::Start, request.post(client), &self.server.ask, fx)
    }

    fn call(&self, action: &Action<'_>, key: Key, about: About, post: Post, path: &str, fx: &mut Effects<'_>) -> Approval {
        let (headers, body) = post.into_request(&self.server.authority, path);
        let (cluster, timeout) = (self.server.cluster.clone(), self.server.timeout);
        let id = fx.call_out_shared(Callout::Http(HttpCall { cluster, headers, body, timeout }));
        let (owner, user) = (action.owner(), action.user.to_owned());
        let call = Call { key, owner, user, at: fx.now(), about, outcome: None };
        self.calls.borrow_mut().insert(id, call);
        Approval::Wait(id)
    }

    /// The server took the question, or did not.
    fn started(&self, call: &Call, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) -> Outcome {
        let read = reply.map(|reply| Started::read(reply.status, reply.headers, reply.body));
        let over = |key, state, until| Entry { key, state, mark: [0; 32], until, next: now, ticket: String::new() };
        let (outcome, entry) = match read {
            Ok(Ok(started)) => {
                let interval = started.interval;
                let question = Question { id: started.id, expires: now + started.expires_in, interval, next: now + interval };
                let Some(entry) = self.out(&question, &call.key, now, fx.services()) else {
                    return Outcome::Unavailable(PAUSE);
                };
                (Outcome::Pending { ticket: entry.ticket.clone(), retry_after: interval }, entry)
            }
            Ok(Err(Failure::Refused { error: ErrorCode::AccessDenied, .. })) => {
                (Outcome::Denied, over(call.key, State::Denied, now + NO))
            }
            // Nothing more is asked of this user, in the place of the question. Others are: servers limit how often one user is
            // asked, and an agent must not silence the others'.
            Ok(Err(Failure::Busy { retry_after: Some(wait) })) => {
                let wait = wait.max(PAUSE);
                (Outcome::Unavailable(wait), over(call.owner, State::Failed, now + wait))
            }
            failed => {
                if let Ok(Err(Failure::Refused { error, .. })) = failed {
                    fx.warn(&format!("approval: the server does not ask users: {}", error.code()));
                }
                (Outcome::Unavailable(PAUSE), over(call.key, State::Failed, now + PAUSE))
            }
        };
        call.put(fx.services(), now, [0; 32], &entry);
        outcome
    }

    /// The server said what became of it.
    fn polled(
        &self,
        call: &Call,
        question: Question,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        fx: &mut RootEffects<'_>,
    ) -> Outcome {
        let polled = match reply {
            Ok(reply) => Polled::read(reply.status, reply.headers, reply.body),
            Err(_) => return Outcome::Unavailable(PAUSE),
        };
        let mark = question.mark();
        let over = |state, until| Entry { key: call.key, state, mark, until, next: now, ticket: String::new() };
        let slower = |said: Option<Duration>| {
            let interval = question.interval + SLOW_DOWN;
            let next = (now + interval.max(said.unwrap_or_default())).min(question.expires);
            Question { interval, next, ..question.clone() }
        };
        match polled {
            Polled::Approved(issued) => {
                call.put(fx.services(), now, mark, &over(State::Used, question.expires));
                match self.server.vouches_for(&issued, &call.user, now) {
                    Ok(()) => Outcome::Approved(Some(issued)),
                    Err(why) => {
                        fx.warn(&format!("approval: a token was refused: {why}"));
                        Outcome::Denied
                    }
                }
            }
            Polled::Denied => {
                call.put(fx.services(), now, mark, &over(State::Denied, question.expires.max(now + NO)));
                Outcome::Denied
            }
            Polled::Expired => {
                call.put(fx.services(), now, mark, &over(State::Used, question.expires));
                Outcome::Expired
            }
            Polled::Pending => self.wait(call, question, now, fx.services()),
            Polled::SlowDown => self.wait(call, slower(None), now, fx.services()),
            Polled::Failed(Failure::Busy { retry_after }) => self.wait(call, slower(retry_after), now, fx.services()),
            Polled::Failed(failure) => {
                if let Failure::Refused { error, .. } = failure {
                    fx.warn(&format!("approval: the server does not say what users answered: {}", error.code()));
                }
                Outcome::Unavailable(PAUSE)
            }
        }
    }

    fn wait(&self, call: &Call, question: Question, now: Timestamp, services: &mut dyn Services) -> Outcome {
        let Some(entry) = self.out(&question, &call.key, now, services) else { return Outcome::Unavailable(PAUSE) };
        call.put(services, now, question.mark(), &entry);
        Outcome::Pending { ticket: entry.ticket, retry_after: question.next.since(now) }
    }
}
