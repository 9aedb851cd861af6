//! A proxy with several VMs, and a plugin that only asks who bears the token.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by it")]

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ring::signature as ring;
use serde_json::{Value, json};
use wardpoint_core::audit::About;
use wardpoint_core::config::{ConfigErrors, Decode as _, Problems, parse};
use wardpoint_core::filter::{
    CallId, Callout, CalloutError, Cas, Digest, Effects, Event, Filter, Head, HttpCall, Op, Plugin, Properties, Reply, Root,
    RootEffects, RootOp, Ruling, ServiceError, Services, Settings, Shared, Signature, Step, Stream,
};
use wardpoint_core::http::Headers;
use wardpoint_core::identity::Source;
use wardpoint_core::identity::revocation::{Bearing, Revocation, Standing};
use wardpoint_core::identity::tokens::{RawOwnIdentity, Tokens, Verdict};
use wardpoint_core::jws::{Algorithm, Family, TokenError};
use wardpoint_core::policy::Decision;
use wardpoint_core::secret::Secret;
use wardpoint_core::time::{Duration, Timestamp};

use crate::signers::{bare, encode, header, kid, sign, with};

pub(crate) const SECS: u64 = 1_795_251_600;

/// Allows whoever bears a good token that is not revoked.
#[derive(Clone)]
struct Gate {
    source: Rc<Source>,
    tokens: Tokens,
    revocation: Option<Revocation>,
}

/// One request's machine. The audit record says in `action` what was found.
struct Asker(Gate, Vec<u8>);

impl Plugin for Gate {
    const NAME: &'static str = "gate";
    type Filter = Asker;

    fn configure(text: &[u8]) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::new();
        let raw = parse(text, &mut problems).and_then(|(node, _)| RawOwnIdentity::decode(&node, &mut problems));
        let gate = raw.map(|raw| {
            let (common, issuers, revocation) = raw.split(&mut problems);
            let tokens = problems.field("tokens", |p| Tokens::new(&issuers, p));
            let revocation = revocation.map(|raw| problems.field("revocation", |p| raw.compile(p)));
            Self { source: Rc::new(Source::new(common, None, &[])), tokens, revocation }
        });
        match gate {
            Some(gate) if problems.is_empty() => Ok(gate),
            _ => Err(ConfigErrors::new(Self::NAME, problems.into_list())),
        }
    }

    fn equip(self, secret: &mut dyn FnMut(&str) -> Option<Secret<String>>) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::new();
        self.tokens.equip(secret, &mut problems);
        if problems.is_empty() { Ok(self) } else { Err(ConfigErrors::new(Self::NAME, problems.into_list())) }
    }

    fn settings(&self) -> Settings {
        Settings::default()
    }

    fn filter(&self) -> Asker {
        Asker(self.clone(), Vec::new())
    }

    fn on_tick(&mut self, now: Timestamp, fx: &mut RootEffects<'_>) {
        self.tokens.on_tick(now, fx);
        if let Some(revocation) = &self.revocation {
            revocation.on_tick(now, fx);
        }
    }

    fn on_reply(&mut self, call: CallId, now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut RootEffects<'_>) {
        // One that came too late is nobody's any more.
        let _ours = self.tokens.on_reply(call, now, reply, fx)
            || self.revocation.as_ref().is_some_and(|revocation| revocation.on_reply(call, now, reply, fx));
    }
}

impl Asker {
    fn ask(&self, fx: &mut Effects<'_>) -> Step {
        let Self(gate, token) = self;
        let verified = match gate.tokens.verify(token, fx.now(), fx) {
            Verdict::Known(verified) => verified,
            Verdict::Refused(error) => return refuse(error, fx),
            Verdict::Wait(call) => return Step::Await(call),
        };
        let caller = gate.source.read_with(Properties::default(), &verified.bearer).unwrap();
        let who = Bearing::of(&caller, Some(&verified));
        match gate.revocation.as_ref().map_or(Standing::Good, |revocation| revocation.judge(&who, fx.now(), fx)) {
            Standing::Good => {}
            Standing::Refused(error) => return refuse(error, fx),
            Standing::Wait(call) => return Step::Await(call),
        }
        let about = About { action: verified.bearer.subject.as_deref().map(str::to_owned), ..About::default() };
        fx.enforce(Ruling { about, ..Ruling::new(Decision::allow("known")) })
    }
}

fn refuse(error: TokenError, fx: &mut Effects<'_>) -> Step {
    let about = About { action: Some(error.to_string()), ..About::default() };
    fx.enforce(Ruling { about, ..Ruling::new(Decision::deny(error.reason())) })
}

impl Filter for Asker {
    fn on_request_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        self.1 = head.headers.one("authorization").unwrap().unwrap().to_vec();
        self.ask(fx)
    }

    fn on_callout_reply(&mut self, _: Timestamp, _: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        self.ask(fx)
    }
}

/// Several VMs in one proxy.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) proxy: Proxy,
    vms: Vec<Vm>,
    /// Calls that nobody has answered yet: of which VM.
    pub(crate) calls: VecDeque<(usize, CallId, HttpCall)>,
    pub(crate) counters: BTreeMap<String, u64>,
}

/// What all VMs share.
#[derive(Default)]
pub(crate) struct Proxy {
    /// Signatures that were looked at.
    pub(crate) checks: usize,
    /// What is said of them instead of the truth.
    pub(crate) says: Option<Result<bool, ServiceError>>,
    pub(crate) data: BTreeMap<String, (Vec<u8>, u32)>,
    pub(crate) no_get: bool,
    /// Writes to names that end so fail.
    pub(crate) no_set: Option<&'static str>,
    pub(crate) no_random: bool,
    writes: u32,
    random: u8,
}

struct Vm {
    root: Root<Gate>,
    waiting: Vec<Stream<Asker>>,
}

impl World {
    pub(crate) fn new(vms: usize, config: &Value) -> Self {
        let mut secret = |name: &str| (name == "GATE_SECRET").then(|| Secret::new("hush".to_owned()));
        let mut vm = || match Root::equipped(config.to_string().as_bytes(), &mut secret) {
            Ok(root) => Vm { root, waiting: Vec::new() },
            Err(errors) => panic!("{errors}"),
        };
        Self {
            now: Timestamp::from_secs(SECS),
            proxy: Proxy::default(),
            vms: (0..vms).map(|_| vm()).collect(),
            calls: VecDeque::new(),
            counters: BTreeMap::new(),
        }
    }

    /// Time passes: ticks of all VMs come.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            for vm in 0..self.vms.len() {
                self.tick(vm);
            }
            if self.now >= end {
                return;
            }
            self.now = (self.now + Duration::from_millis(500)).min(end);
        }
    }

    /// Time passes until somebody calls; how much.
    pub(crate) fn until_call(&mut self) -> Duration {
        let begin = self.now;
        while self.calls.is_empty() {
            self.pass(Duration::from_millis(500));
        }
        self.now.since(begin)
    }

    pub(crate) fn tick(&mut self, vm: usize) {
        self.vms[vm].root.on_tick(self.now, &mut self.proxy);
        self.drain(vm);
    }

    /// `user`, `error`, or `waits`.
    pub(crate) fn ask(&mut self, vm: usize, token: &str) -> String {
        let headers: Headers = [(":method", "POST"), ("authorization", token)].into_iter().collect();
        let mut stream = self.vms[vm].root.stream();
        let head = Head { headers: &headers, properties: Properties::default(), end_of_stream: false };
        let _flow = stream.handle(Event::RequestHeaders(head), self.now, &mut self.proxy);
        let said = self.said(vm, &mut stream);
        if said == "waits" {
            self.vms[vm].waiting.push(stream);
        }
        said
    }

    /// Answers the oldest call; what those say who waited for it.
    pub(crate) fn answer(&mut self, reply: Result<(u16, &str), CalloutError>) -> Vec<String> {
        let (vm, call, _) = self.calls.pop_front().unwrap();
        let headers: Headers = [("content-type", "application/json")].into_iter().collect();
        let reply = reply.map(|(status, body)| Reply { status, headers: &headers, body: body.as_bytes() });
        self.vms[vm].root.on_reply(call, self.now, reply, &mut self.proxy);
        self.drain(vm);
        let streams = std::mem::take(&mut self.vms[vm].waiting);
        let (woken, waiting) = streams.into_iter().partition(|stream| stream.awaits(call));
        self.vms[vm].waiting = waiting;
        let woken: Vec<Stream<Asker>> = woken;
        let mut said = Vec::new();
        for mut stream in woken {
            let _flow = stream.handle(Event::CalloutReply(call, reply), self.now, &mut self.proxy);
            said.push(self.said(vm, &mut stream));
            if said.last().unwrap() == "waits" {
                self.vms[vm].waiting.push(stream);
            }
        }
        said
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counters.get(&format!("wardpoint.gate.{name}")).copied().unwrap_or_default()
    }

    /// How often a signature was looked at since the last time that this was asked.
    pub(crate) fn checks(&mut self) -> usize {
        std::mem::take(&mut self.proxy.checks)
    }

    fn said(&mut self, vm: usize, stream: &mut Stream<Asker>) -> String {
        let mut said = "waits".to_owned();
        while let Some(op) = stream.poll_op() {
            match op {
                Op::Audit(record) => said = record.about.action.unwrap(),
                Op::CallOutShared(id, Callout::Http(call)) => self.calls.push_back((vm, id, call)),
                Op::Count(counter, by) => *self.counters.entry(counter.to_string()).or_default() += by,
                Op::Respond(_) | Op::Resume(_) => {}
                other => panic!("{other:?}"),
            }
        }
        said
    }

    fn drain(&mut self, vm: usize) {
        while let Some(op) = self.vms[vm].root.poll_op() {
            match op {
                RootOp::CallOut(id, Callout::Http(call)) => self.calls.push_back((vm, id, call)),
                RootOp::Count(counter, by) => *self.counters.entry(counter.to_string()).or_default() += by,
                other => panic!("{other:?}"),
            }
        }
    }
}

impl Services for Proxy {
    fn random(&mut self, into: &mut [u8]) -> Result<(), ServiceError> {
        if self.no_random {
            return Err(ServiceError::Failed);
        }
        for byte in into {
            self.random = self.random.wrapping_mul(29).wrapping_add(41);
            *byte = self.random;
        }
        Ok(())
    }

    fn shared_get(&mut self, key: &str) -> Result<Option<Shared>, ServiceError> {
        if self.no_get {
            return Err(ServiceError::Failed);
        }
        Ok(self.data.get(key).map(|(value, cas)| Shared { value: value.clone(), cas: Cas(*cas) }))
    }

    fn shared_set(&mut self, key: &str, value: &[u8], cas: Option<Cas>) -> Result<(), ServiceError> {
        if self.no_set.is_some_and(|end| key.ends_with(end)) {
            return Err(ServiceError::Failed);
        }
        if self.data.get(key).is_some_and(|(_, is)| cas.is_some_and(|Cas(cas)| cas != *is)) {
            return Err(ServiceError::CasMismatch);
        }
        self.writes += 1;
        self.data.insert(key.to_owned(), (value.to_vec(), self.writes));
        Ok(())
    }

    fn verify_signature(&mut self, signature: &Signature<'_>, message: &[u8]) -> Result<bool, ServiceError> {
        self.checks += 1;
        if let Some(said) = self.says {
            return said;
        }
        // What stands before the bits in a key of 2048 bits, and before a point on P-256.
        let (algorithm, before): (&dyn ring::VerificationAlgorithm, usize) = match signature.key.len() {
            294 => (&ring::RSA_PKCS1_2048_8192_SHA256, 24),
            91 => (&ring::ECDSA_P256_SHA256_ASN1, 26),
            other => panic!("a key of {other} bytes"),
        };
        assert_eq!(signature.digest, Digest::Sha256);
        Ok(ring::UnparsedPublicKey::new(algorithm, &signature.key[before..]).verify(message, signature.bytes).is_ok())
    }
}

/// An issuer whose keys are fetched.
pub(crate) fn fetching() -> Value {
    let jwks = json!({"cluster": "idp", "authority": "idp.example", "path": "/jwks"});
    json!({"peer": "none", "tokens": [{"issuer": "https://idp", "audiences": ["https://tool"], "jwks": jwks}]})
}

/// One issuer whose keys are configured, with these further settings.
pub(crate) fn inline(settings: Value) -> Value {
    let keys = [Family::P256, Family::Rsa].map(|family| with(bare(family), json!({"kid": kid(family)})));
    let issuer = json!({"issuer": "https://idp", "audiences": ["https://tool"], "jwks": {"keys": keys}});
    json!({"peer": "none", "tokens": [with(issuer, settings)]})
}

/// The text of a set with a key of each of these families, under these names.
pub(crate) fn set(keys: &[(Family, &str)]) -> String {
    let keys: Vec<Value> = keys.iter().map(|(family, kid)| with(bare(*family), json!({"kid": kid}))).collect();
    json!({"keys": keys}).to_string()
}

/// The set that most tests use.
pub(crate) fn usual() -> String {
    set(&[(Family::P256, "P256"), (Family::Rsa, "Rsa")])
}

/// A good token, but for these claims. The same claims make the same token: the signature has no chance in it.
pub(crate) fn token(claims: Value) -> String {
    sign(Algorithm::Rs256, &header(Algorithm::Rs256).to_string(), &with(good(), claims).to_string())
}

/// A good token of a key of this name.
pub(crate) fn token_of(key: &str) -> String {
    sign(Algorithm::Rs256, &with(header(Algorithm::Rs256), json!({"kid": key})).to_string(), &good().to_string())
}

/// A good token but for its signature.
pub(crate) fn forged(number: usize) -> String {
    let claims = with(good(), json!({"jti": number.to_string()}));
    [encode(header(Algorithm::Rs256).to_string()), encode(claims.to_string()), encode([7; 256])].join(".")
}

fn good() -> Value {
    json!({"iss": "https://idp", "sub": "alice", "aud": "https://tool", "iat": SECS - 60, "exp": SECS + 7_200})
}
