//! The probe as a policy.

use std::rc::Rc;

use wardpoint_core::config::{ConfigErrors, Problem, Problems, parse};
use wardpoint_core::filter::{
    Callout, CalloutError, Chunk, Destinations, Digest, Effects, Filter, GrpcCall, Head, HostProfile, HttpCall, Plugin,
    PropertyPath, Reply, Ruling, Settings, Signature, Step,
};
use wardpoint_core::policy::{Decision, Mode, PolicyId, Reason};
use wardpoint_core::time::{Duration, Timestamp};
use wardpoint_proxy_wasm::abi::{self, Level};

use crate::script::{Action, Phase, Script};

/// Properties that every request is asked for, so that a trace shows what the host says of them.
const PROPERTIES: [&[&str]; 4] = [
    &["filter_state", "io.istio.peer_principal"],
    &["connection", "uri_san_peer_certificate"],
    &["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "payload", "sub"],
    &["request", "id"],
];
const TIMEOUT: Duration = Duration::from_millis(500);

/// The probe of one configuration.
pub(crate) struct Probe {
    digest: String,
    hold_headers: bool,
}

/// The probe of one request.
#[derive(Default)]
pub(crate) struct ProbeFilter {
    script: Script,
}

impl Plugin for Probe {
    const NAME: &'static str = "probe";
    type Filter = ProbeFilter;

    fn configure(config: &[u8]) -> Result<Self, ConfigErrors> {
        let refuse = |path: &str, text: &str| {
            let problem = Problem { path: path.into(), text: text.to_owned() };
            Err(ConfigErrors::new(Self::NAME, vec![problem]))
        };
        let Some((_, digest)) = parse(config, &mut Problems::default()) else { return refuse("", "no JSON") };
        let text: String = String::from_utf8_lossy(config).chars().filter(|c| !c.is_whitespace()).collect();
        if text.contains(r#""holdHeaders":"#) {
            Ok(Self { digest, hold_headers: text.contains(r#""holdHeaders":true"#) })
        } else {
            refuse("holdHeaders", "missing; say true or false")
        }
    }

    fn settings(&self) -> Settings {
        let path = |path: &[&str]| PropertyPath(path.iter().map(|&segment| segment.to_owned()).collect());
        Settings {
            policy: PolicyId { name: "probe".into(), digest: self.digest.as_str().into() },
            mode: Mode::Enforce,
            host: HostProfile { hold_headers: self.hold_headers },
            audit: Destinations::both("probe"),
            properties: PROPERTIES.into_iter().map(path).collect::<Rc<[_]>>(),
        }
    }

    fn filter(&self) -> ProbeFilter {
        ProbeFilter::default()
    }
}

impl Filter for ProbeFilter {
    fn on_request_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        let properties: Vec<String> = (0..PROPERTIES.len())
            .map(|index| match head.properties.get(index) {
                Ok(Some(value)) => String::from_utf8_lossy(value).into_owned(),
                Ok(None) => "absent".into(),
                Err(_) => "error".into(),
            })
            .collect();
        trace(&format!("requestHeaders n={} eos={} properties={properties:?}", head.headers.len(), head.end_of_stream));
        let text = head.headers.one("x-probe").ok().flatten().map(String::from_utf8_lossy).unwrap_or_default();
        match Script::parse(&text) {
            Ok(script) => self.script = script,
            Err(part) => {
                trace(&format!("bad script: {part}"));
                return fx.enforce(Ruling::new(Decision::deny(Reason::MalformedMessage)));
            }
        }
        if self.script.edits(&[Phase::RequestHeaders, Phase::RequestBody, Phase::RequestEnd, Phase::Callout]) {
            fx.edit_body();
        }
        if !self.script.decides() {
            let _goes_on = fx.enforce(Ruling::new(Decision::allow("probe")));
        }
        self.act(Phase::RequestHeaders, fx)
    }

    fn on_request_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        trace(&format!("requestBody size={} eos={}", chunk.bytes.len(), chunk.end_of_stream));
        self.act_on_body(Phase::RequestBody, Phase::RequestEnd, chunk.end_of_stream, fx)
    }

    fn on_callout_reply(&mut self, _now: Timestamp, reply: Result<Reply<'_>, CalloutError>, fx: &mut Effects<'_>) -> Step {
        trace(&match reply {
            Ok(reply) => format!("callout status={} n={} size={}", reply.status, reply.headers.len(), reply.body.len()),
            Err(error) => format!("callout error={error:?}"),
        });
        self.act(Phase::Callout, fx)
    }

    fn on_response_headers(&mut self, head: Head<'_>, fx: &mut Effects<'_>) -> Step {
        let status = head.headers.status();
        trace(&format!("responseHeaders status={status:?} n={} eos={}", head.headers.len(), head.end_of_stream));
        if self.script.edits(&[Phase::ResponseHeaders, Phase::ResponseBody, Phase::ResponseEnd]) {
            fx.edit_body();
        }
        self.act(Phase::ResponseHeaders, fx)
    }

    fn on_response_body(&mut self, chunk: Chunk<'_>, fx: &mut Effects<'_>) -> Step {
        trace(&format!("responseBody size={} eos={}", chunk.bytes.len(), chunk.end_of_stream));
        self.act_on_body(Phase::ResponseBody, Phase::ResponseEnd, chunk.end_of_stream, fx)
    }

    fn on_end(&mut self, _fx: &mut Effects<'_>) {
        trace("end");
    }
}

impl ProbeFilter {
    /// The last part is in both phases. Nothing comes after it, so what was to be held for more goes on.
    fn act_on_body(&self, each: Phase, end: Phase, last: bool, fx: &mut Effects<'_>) -> Step {
        match self.act(each, fx) {
            Step::Continue | Step::Hold if last => self.act(end, fx),
            step => step,
        }
    }

    fn act(&self, phase: Phase, fx: &mut Effects<'_>) -> Step {
        let mut step = Step::Continue;
        for action in self.script.at(phase) {
            match action {
                Action::Allow => step = fx.enforce(Ruling::new(Decision::allow("probe"))),
                Action::CallOut(cluster) => step = Step::CallOut(http(cluster)),
                Action::CallOutGrpc(cluster) => step = Step::CallOut(grpc(cluster)),
                Action::CallOutShared(cluster) => step = Step::Await(fx.call_out_shared(http(cluster))),
                Action::Continue => step = Step::Continue,
                Action::Deny => step = fx.enforce(Ruling::new(Decision::deny(Reason::DeniedByRule))),
                Action::Hold => step = Step::Hold,
                Action::Random => {
                    let mut bytes = [0; 8];
                    let got = fx.services().random(&mut bytes);
                    trace(&format!("random {got:?} zero={}", bytes == [0; 8]));
                }
                Action::RemoveHeader(name) => fx.remove_header(name),
                Action::ReplaceBody(text) => fx.replace_body(text.clone().into_bytes()),
                Action::Reset => step = Step::Reset,
                Action::SetHeader(name, value) => fx.set_header(name, value.as_bytes()),
                Action::SharedGet(key) => {
                    let got = fx.services().shared_get(key);
                    trace(&format!(
                        "sharedGet {:?}",
                        got.map(|shared| shared.map(|s| String::from_utf8_lossy(&s.value).into_owned()))
                    ));
                }
                Action::SharedSet(key, value) => {
                    let cas = fx.services().shared_get(key).ok().flatten().map(|shared| shared.cas);
                    let set = fx.services().shared_set(key, value.as_bytes(), cas);
                    trace(&format!("sharedSet {set:?}"));
                }
                Action::Trap => trap(),
                Action::Verify(parts) => {
                    if let [key, bytes, message] = parts.as_slice() {
                        let valid = fx.services().verify_signature(&Signature { digest: Digest::Sha256, key, bytes }, message);
                        trace(&format!("verify {valid:?}"));
                    }
                }
            }
        }
        step
    }
}

fn http(cluster: &str) -> Callout {
    let headers = [(":method", "GET"), (":path", "/probe"), (":authority", cluster)];
    Callout::Http(HttpCall {
        cluster: cluster.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.into())).into(),
        body: Vec::new(),
        timeout: TIMEOUT,
    })
}

fn grpc(cluster: &str) -> Callout {
    Callout::Grpc(GrpcCall {
        cluster: cluster.to_owned(),
        service: "wardpoint.Probe".into(),
        method: "Check".into(),
        message: b"\x0a\x05probe".to_vec(),
        timeout: TIMEOUT,
    })
}

#[expect(clippy::panic, reason = "the probe must be able to trap; it never ships")]
fn trap() -> ! {
    panic!("probe: told to trap")
}

fn trace(line: &str) {
    let _written = abi::log(Level::Info, &format!("probe.trace {line}"));
}
