//! What the machine lives in: proxies with workers, and a server that asks users.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wardpoint_core::approval::{Action, Approval, Approvals, Server};
use wardpoint_core::config::ConfigErrors;
use wardpoint_core::filter::{
    CallId, Callout, CalloutError, Cas, Effects, Event, Filter, Head, Op, Plugin, Properties, Reply, Root, RootEffects, RootOp,
    Ruling, ServiceError, Services, Settings, Shared, Signature, Step, Stream,
};
use wardpoint_core::http::Headers;
use wardpoint_core::oauth::ClientAuth;
use wardpoint_core::oauth::ciba::User;
use wardpoint_core::policy::{Decision, Reason};
use wardpoint_core::seal::Sealer;
use wardpoint_core::secret::Secret;
use wardpoint_core::time::{Duration, Timestamp};

pub(crate) const IDP: &str = "https://idp.example";
/// How long a user has.
pub(crate) const LIFE: u64 = 120;
/// What the server wants between two polls.
pub(crate) const INTERVAL: u64 = 5;

/// What a caller hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    Approved(String),
    Denied,
    Expired,
    Pending(Option<String>, u64),
    TooMany,
    Unavailable(u64),
}

/// Who wants what.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) user: &'static str,
    pub(crate) agent: &'static str,
    pub(crate) tool: String,
    pub(crate) arguments: [u8; 32],
    pub(crate) ticket: Option<String>,
}

pub(crate) fn want(tool: &str) -> Want {
    Want { user: "alice", agent: "planner", tool: tool.into(), arguments: [1; 32], ticket: None }
}

impl Want {
    pub(crate) fn with(&self, ticket: &str) -> Self {
        Self { ticket: Some(ticket.into()), ..self.clone() }
    }
}

thread_local! {
    static HEARD: RefCell<Option<Heard>> = const { RefCell::new(None) };
    static WANT: RefCell<Option<Want>> = const { RefCell::new(None) };
    static KEY: RefCell<&'static str> = const { RefCell::new("k1") };
}

/// The key that envelopes are sealed with from now on.
pub(crate) fn seal_with(key: &'static str) {
    KEY.set(key);
}

/// A plugin that does nothing but ask.
struct Asker(Approvals);

struct Asking {
    approvals: Approvals,
    call: Option<CallId>,
}

impl Plugin for Asker {
    const NAME: &'static str = "asker";
    type Filter = Asking;

    fn configure(_: &[u8]) -> Result<Self, ConfigErrors> {
        let server = Server {
            cluster: "idp".into(),
            authority: "idp.example".into(),
            ask: "/bc-authorize".into(),
            token: "/token".into(),
            timeout: Duration::from_secs(2),
            issuer: IDP.into(),
            scopes: vec!["tools:write".into()],
            acr_values: Vec::new(),
            expires_in: None,
            message: 50,
            opaque: false,
            audiences: Vec::new(),
            outgoing: None,
        };
        let key = KEY.with_borrow(|key| key.to_string());
        let digits: String = Sha256::digest(&key).iter().map(|byte| format!("{byte:02x}")).collect();
        let sealer = Sealer::new(&[(key.as_str(), Secret::new(digits))]).unwrap();
        Ok(Self(Approvals::new(server, sealer)))
    }

    fn settings(&self) -> Settings {
        Settings::default()
    }

    fn filter(&self) -> Asking {
        Asking { approvals: self.0.clone(), call: None }
    }

    fn on_tick(&mut self, now: Timestamp, _: &mut RootEffects<'_>) {
        self.0.on_tick(now);
    }

    fn on_reply(&mut self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) {
        // An answer that comes after all waiting is over is nobody's.
        let _known = self.0.on_reply(call, now, reply, fx);
    }
}

impl Asking {
    fn hear(&mut self, approval: Approval, fx: &mut Effects<'_>) -> Step {
        let heard = match approval {
            Approval::Wait(call) | Approval::WaitForKeys(call) => {
                self.call = Some(call);
                return Step::Await(call);
            }
            Approval::Approved(issued) => Heard::Approved(issued.token.reveal().clone()),
            Approval::Denied => Heard::Denied,
            Approval::Expired => Heard::Expired,
            Approval::Pending { ticket, retry_after } => Heard::Pending(ticket, retry_after.as_secs()),
            Approval::TooMany => Heard::TooMany,
            Approval::Unavailable { retry_after } => Heard::Unavailable(retry_after.as_secs()),
        };
        HEARD.set(Some(heard));
        fx.enforce(Ruling::new(Decision::deny(Reason::NoMatchingRule)))
    }
}

impl Filter for Asking {
    fn on_request_headers(&mut self, _: Head<'_>, fx: &mut Effects<'_>) -> Step {
        let Want { user, agent, tool, arguments, ticket } = WANT.take().unwrap();
        let action = Action { policy: "p", issuer: IDP, user, agent, method: "tools/call", name: &tool, arguments: &arguments };
        let client = ClientAuth::Cluster { id: Some("gate") };
        let approval = self.approvals.ask(&action, &User::LoginHint(user), &client, ticket.as_deref(), fx);
        self.hear(approval, fx)
    }

    fn on_callout_reply(&mut self, _: Timestamp, _: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        let approval = self.approvals.after(self.call.unwrap());
        self.hear(approval, fx)
    }
}

/// What the workers of one proxy share, as Envoy keeps it.
#[derive(Default)]
pub(crate) struct Proxy {
    pub(crate) data: HashMap<String, (Vec<u8>, u32)>,
    version: u32,
    pub(crate) broken: bool,
}

impl Services for Proxy {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        into.fill(7);
        Ok(())
    }

    fn shared_get(&mut self, key: &str) -> Result<Option<Shared>, ServiceError> {
        if self.broken {
            return Err(ServiceError::Failed);
        }
        Ok(self.data.get(key).map(|(value, cas)| Shared { value: value.clone(), cas: Cas(*cas) }))
    }

    fn shared_set(&mut self, key: &str, value: &[u8], cas: Option<Cas>) -> Result<(), ServiceError> {
        if self.broken {
            return Err(ServiceError::Failed);
        }
        if let (Some(cas), Some((_, version))) = (cas, self.data.get(key))
            && cas.0 != *version
        {
            return Err(ServiceError::CasMismatch);
        }
        self.version += 1;
        self.data.insert(key.to_owned(), (value.to_vec(), self.version));
        Ok(())
    }

    fn verify_signature(&mut self, _: &Signature<'_>, _: &[u8]) -> Result<bool, ServiceError> {
        Err(ServiceError::Unsupported)
    }
}

/// What a user says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Says {
    Nothing,
    Yes,
    No,
}

/// What the server does instead of what it should.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Answer(u16, &'static str, Value),
    /// With a `retry-after`.
    Busy(u16, &'static str, &'static str),
    Html,
    NoReply,
    NotDispatched,
    TimedOut,
}

/// A question at the server.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) user: String,
    pub(crate) message: String,
    pub(crate) says: Says,
    expires: u64,
    interval: u64,
    polled: u64,
    used: bool,
}

/// OpenID Connect CIBA core 1.0, poll mode, by the letter.
#[derive(Default)]
pub(crate) struct Idp {
    pub(crate) asked: Vec<Asked>,
    pub(crate) polls: usize,
    pub(crate) too_early: usize,
    pub(crate) tokens: usize,
    pub(crate) faults: VecDeque<Fault>,
    /// Whose tokens it gives, if not those of who was asked.
    pub(crate) gives: Option<&'static str>,
}

impl Idp {
    pub(crate) fn answer(&mut self, path: &str, form: &HashMap<String, String>, now: u64) -> (u16, Value) {
        match path {
            "/bc-authorize" => {
                assert!(form["scope"].split(' ').any(|scope| scope == "openid"));
                let (user, message) = (form["login_hint"].clone(), form["binding_message"].clone());
                let expires = now + LIFE;
                self.asked.push(Asked {
                    user,
                    message,
                    says: Says::Nothing,
                    expires,
                    interval: INTERVAL,
                    polled: now,
                    used: false,
                });
                let id = format!("id-{}", self.asked.len() - 1);
                (200, json!({"auth_req_id": id, "expires_in": LIFE, "interval": INTERVAL}))
            }
            "/token" => {
                self.polls += 1;
                let index: usize = form["auth_req_id"].strip_prefix("id-").unwrap().parse().unwrap();
                let error = |code: &str| (400, json!({"error": code, "error_description": "canary"}));
                let Some(asked) = self.asked.get_mut(index) else { return error("invalid_grant") };
                if asked.used {
                    return error("invalid_grant");
                }
                if now >= asked.expires {
                    return error("expired_token");
                }
                let early = now < asked.polled + asked.interval;
                asked.polled = now;
                if early {
                    self.too_early += 1;
                    asked.interval += 5;
                    return error("slow_down");
                }
                match asked.says {
                    Says::Nothing => error("authorization_pending"),
                    Says::No => error("access_denied"),
                    Says::Yes => {
                        asked.used = true;
                        self.tokens += 1;
                        let user = self.gives.unwrap_or(&asked.user);
                        (
                            200,
                            json!({"access_token": token(user, index), "token_type": "Bearer", "expires_in": 60, "refresh_token": "r"}),
                        )
                    }
                }
            }
            other => panic!("{other}"),
        }
    }
}

/// The token that an approval gives.
pub(crate) fn token(user: &str, index: usize) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": IDP, "sub": user, "aud": "gate", "jti": index.to_string(), "exp": 4_000_000_000_u64});
    format!("{}.{}.c2ln", part(json!({"alg": "RS256"})), part(claims))
}

pub(crate) fn read_form(body: &[u8]) -> HashMap<String, String> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut parts = text.split('%');
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            out.push(char::from(u8::from_str_radix(part.get(..2).unwrap(), 16).unwrap()));
            out.push_str(part.get(2..).unwrap());
        }
        out
    };
    let text = std::str::from_utf8(body).unwrap();
    text.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(name, value)| (decode(name), decode(value))).collect()
}

/// A call that is on its way.
struct Flying {
    worker: usize,
    id: CallId,
    path: String,
    form: HashMap<String, String>,
}

/// Everything.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) idp: Idp,
    pub(crate) proxies: Vec<Proxy>,
    /// Each worker and its proxy.
    workers: Vec<(usize, Root<Asker>)>,
    flying: Vec<Flying>,
    waiting: Vec<(usize, u32, Stream<Asking>)>,
    heard: HashMap<u32, Heard>,
    next: u32,
    /// Lines of the log.
    pub(crate) log: Vec<String>,
}

impl World {
    /// Proxies with so many workers each.
    pub(crate) fn new(workers: &[usize]) -> Self {
        seal_with("k1");
        let mut world = Self {
            now: 1_795_251_600,
            idp: Idp::default(),
            proxies: workers.iter().map(|_| Proxy::default()).collect(),
            workers: Vec::new(),
            flying: Vec::new(),
            waiting: Vec::new(),
            heard: HashMap::new(),
            next: 0,
            log: Vec::new(),
        };
        for (proxy, count) in workers.iter().enumerate() {
            world.workers.extend((0..*count).map(|_| (proxy, configure())));
        }
        world
    }

    /// A new VM in the place of a worker's; what it knew is gone.
    pub(crate) fn reload(&mut self, worker: usize) {
        self.workers.get_mut(worker).unwrap().1 = configure();
        self.flying.retain(|call| call.worker != worker);
        self.waiting.retain(|(of, ..)| *of != worker);
    }

    /// A request begins; its number.
    pub(crate) fn begin(&mut self, worker: usize, want: &Want) -> u32 {
        WANT.set(Some(want.clone()));
        let mut stream = self.workers.get(worker).unwrap().1.stream();
        let headers: Headers = [(":method", "POST")].into_iter().collect();
        let head = Head { headers: &headers, properties: Properties::default(), end_of_stream: true };
        self.next += 1;
        let number = self.next;
        self.tell(worker, number, &mut stream, Event::RequestHeaders(head));
        if !self.heard.contains_key(&number) {
            self.waiting.push((worker, number, stream));
        }
        number
    }

    /// What a request heard, if it is over.
    pub(crate) fn heard(&self, number: u32) -> Option<Heard> {
        self.heard.get(&number).cloned()
    }

    /// A request from beginning to end.
    pub(crate) fn ask(&mut self, worker: usize, want: &Want) -> Heard {
        let number = self.begin(worker, want);
        self.land();
        self.heard(number).unwrap()
    }

    /// The server answers all calls.
    pub(crate) fn land(&mut self) {
        while !self.flying.is_empty() {
            let call = self.flying.remove(0);
            let json: Headers = [("content-type", "application/json")].into_iter().collect();
            let busy: Headers;
            let html: Headers = [("content-type", "text/html")].into_iter().collect();
            let (headers, answer) = match self.idp.faults.pop_front() {
                Some(Fault::NoReply) => (&json, Err(CalloutError::NoReply)),
                Some(Fault::NotDispatched) => (&json, Err(CalloutError::NotDispatched)),
                Some(Fault::TimedOut) => (&json, Err(CalloutError::TimedOut)),
                Some(Fault::Html) => (&html, Ok((200, "<html>canary</html>".to_owned()))),
                Some(Fault::Answer(status, path, body)) if path == call.path => (&json, Ok((status, body.to_string()))),
                Some(Fault::Busy(status, path, seconds)) if path == call.path => {
                    busy = [("content-type", "application/json"), ("retry-after", seconds)].into_iter().collect();
                    (&busy, Ok((status, "{}".into())))
                }
                fault => {
                    self.idp.faults.extend(fault);
                    let (status, body) = self.idp.answer(&call.path, &call.form, self.now);
                    (&json, Ok((status, body.to_string())))
                }
            };
            let reply = match &answer {
                Ok((status, body)) => Ok(Reply { status: *status, headers, body: body.as_bytes() }),
                Err(error) => Err(*error),
            };
            let now = Timestamp::from_secs(self.now);
            let (proxy, root) = self.workers.get_mut(call.worker).unwrap();
            root.on_reply(call.id, now, reply, self.proxies.get_mut(*proxy).unwrap());
            while let Some(op) = root.poll_op() {
                if let RootOp::Warn(text) = op {
                    self.log.push(text);
                }
            }
            let (over, waiting) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|(worker, _, stream)| *worker == call.worker && stream.awaits(call.id));
            self.waiting = waiting;
            let over: Vec<(usize, u32, Stream<Asking>)> = over;
            for (worker, number, mut stream) in over {
                self.tell(worker, number, &mut stream, Event::CalloutReply(call.id, reply));
            }
        }
    }

    pub(crate) fn tick(&mut self) {
        let now = Timestamp::from_secs(self.now);
        for (proxy, root) in &mut self.workers {
            root.on_tick(now, self.proxies.get_mut(*proxy).unwrap());
        }
    }

    fn tell(&mut self, worker: usize, number: u32, stream: &mut Stream<Asking>, event: Event<'_>) {
        let proxy = self.workers.get(worker).unwrap().0;
        let _flow = stream.handle(event, Timestamp::from_secs(self.now), self.proxies.get_mut(proxy).unwrap());
        while let Some(op) = stream.poll_op() {
            if let Op::CallOutShared(id, Callout::Http(call)) = op {
                let header =
                    |name: &str| call.headers.iter().find(|(n, _)| n == name).map(|(_, v)| String::from_utf8(v.clone()).unwrap());
                assert_eq!((call.cluster.as_str(), header(":authority").as_deref()), ("idp", Some("idp.example")));
                self.flying.push(Flying { worker, id, path: header(":path").unwrap(), form: read_form(&call.body) });
            }
        }
        if let Some(heard) = HEARD.take() {
            self.heard.insert(number, heard);
        }
    }
}

fn configure() -> Root<Asker> {
    Root::configure(b"{}").unwrap_or_else(|_| panic!("there is nothing to configure"))
}
