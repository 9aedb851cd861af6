//! What is compared: suites of variants that all get the same work.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::filters::{self, Sees};
use crate::peer::Says;
use crate::token::Token;
use crate::tokens::{self, Callers};
use crate::work::{self, FORBIDDEN, Load, Shape, TOOL, Work};

/// The variant with nothing before the router but `jwt_authn`. What others cost is counted from here.
pub(crate) const BASE: &str = "no filter";
/// Envoy's own filters.
pub(crate) const NATIVE: &str = "mcp + rbac";
/// Our plugin; it leaves its audit record for an access log of its own.
pub(crate) const OURS: &str = "mcp-authz";
/// The same, and the record is written to the log as well: what is configured if nothing is.
const OURS_LOGS: &str = "mcp-authz, logs too";
/// The same, and no access log prints the record: what is left is the plugin's own.
const OURS_UNPRINTED: &str = "mcp-authz, unprinted";
const EXT_AUTHZ: &str = "ext_authz";
pub(crate) const EXT_PROC: &str = "ext_proc";
const LUA: &str = "lua";
/// A plugin that does nothing.
pub(crate) const NOOP: &str = "noop plugin";
/// A plugin that decides nothing and calls the proxy for what ours calls it for: what is above it is our own work.
pub(crate) const SAME_CALLS: &str = "noop, same host calls";
/// Where that one leaves as many bytes as a record has.
pub(crate) const NOOP_AUDITS: &str = "wasm.bench_record";
/// What `mcp-authz` calls the proxy for when it lets a call pass.
const CALLS_OF_OURS: &str = "clock headers payload shared hold body state count count";

/// All suites that put load on a proxy, in their order.
pub(crate) const NAMES: [&str; 7] = ["calls", "large", "deny", "lists", "rules", tokens::NAME, "parts"];

/// What must become of every request of a suite.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// The upstream's answer, unchanged.
    Pass,
    /// The same, and the upstream got the token that was issued for it.
    Exchanged,
    /// This status, and this in the body; the upstream never sees it.
    Refuse(u16, &'static str),
    /// A list of these tools.
    Tools(Vec<String>),
}

/// One way to do the job.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// `jwt_authn` stands before its filters.
    pub(crate) verifies: bool,
    pub(crate) filters: Vec<Value>,
    pub(crate) load: Load,
    pub(crate) want: Want,
    /// What is in the answer to a forged token.
    pub(crate) forged: &'static str,
    /// It asks the gRPC peer.
    pub(crate) asks: bool,
    /// The filter state with an audit record for each request, which an access log of its own prints.
    pub(crate) audits: Option<&'static str>,
}

/// Variants, and the work that each of them gets.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) works: Vec<Work>,
    pub(crate) variants: Vec<Variant>,
    /// Which ratios are of interest: over, under.
    pub(crate) ratios: Vec<(String, String)>,
    /// What the upstream answers.
    pub(crate) answer: Vec<u8>,
    /// What the gRPC peer answers.
    pub(crate) says: Says,
    /// What who decides by the body must refuse.
    pub(crate) probes: Option<Probes>,
    /// What plugins call.
    pub(crate) services: Vec<Service>,
    /// The token that is issued for the upstream.
    pub(crate) issued: String,
    /// A slot is so much shorter than usual.
    pub(crate) pace: f64,
}

/// Something that plugins call: gives these answers in turn.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) answers: Vec<Vec<u8>>,
}

/// Requests that are sent once, before any load.
pub(crate) struct Probes {
    /// A tool that no policy allows.
    pub(crate) forbidden: Work,
    /// Two names in one call.
    pub(crate) two_names: Work,
}

/// The compiled plugins.
pub(crate) struct Modules {
    pub(crate) ours: PathBuf,
    pub(crate) exchange: PathBuf,
    pub(crate) noop: PathBuf,
    /// Other builds of ours to be held against it: `mcp-authz.<name>.wasm` in the same folder.
    others: Vec<(String, PathBuf)>,
    /// The same of `token-exchange`.
    pub(crate) other_exchanges: Vec<(String, PathBuf)>,
}

impl Modules {
    /// Those that `make plugins` has built.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let folder = match std::env::var_os("WARDPOINT_PLUGINS") {
            Some(folder) => std::path::absolute(folder)?,
            None => {
                let here = std::env::current_dir()?;
                let found = here.ancestors().map(|folder| folder.join("target/plugins")).find(|folder| folder.exists());
                found.context("no target/plugins: run `make plugins`")?
            }
        };
        let find = |name: &str| {
            let file = folder.join(name);
            file.exists().then_some(file).with_context(|| format!("no {name} among the plugins: run `make plugins`"))
        };
        let mut files = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        files.sort();
        let builds = |plugin: &str, variant: &str| {
            let build = |path: &PathBuf| {
                let name = path.file_name()?.to_str()?.strip_prefix(plugin)?.strip_prefix('.')?.strip_suffix(".wasm")?;
                Some((format!("{variant}, build {name}"), path.clone()))
            };
            files.iter().filter_map(build).collect()
        };
        let (others, other_exchanges) = (builds(OURS, OURS), builds("token-exchange", tokens::EXCHANGE));
        Ok(Self {
            ours: find("mcp-authz.wasm")?,
            exchange: find("token-exchange.wasm")?,
            noop: find("noop.wasm")?,
            others,
            other_exchanges,
        })
    }
}

impl Probes {
    fn new(token: &Token) -> Self {
        Self {
            forbidden: Work::new("a forbidden tool", &work::call(FORBIDDEN, 256, Shape::Text), token),
            two_names: Work::new("two names", &work::call_with_two_names(), token),
        }
    }
}

impl Variant {
    /// Whether it reads the call by itself and decides; the gRPC peer gives the same answer to all.
    pub(crate) fn decides(&self) -> bool {
        [LUA, NATIVE, OURS].iter().any(|name| self.name.starts_with(name))
    }

    /// Whether it claims to be a policy that cannot be got round.
    pub(crate) fn is_strict(&self) -> bool {
        [NATIVE, OURS].iter().any(|name| self.name.starts_with(name))
    }
}

impl Suite {
    /// The suite of this name.
    pub(crate) fn new(name: &'static str, modules: &Modules, token: &Token, callers: &Callers<'_>) -> anyhow::Result<Self> {
        let call = |name, size, shape| Work::new(name, &work::call(TOOL, size, shape), token);
        let suite = match name {
            tokens::NAME => tokens::suite(modules, callers)?,
            "large" => {
                let works =
                    vec![call("64 KiB, one text", 65_536, Shape::Text), call("64 KiB, many members", 65_536, Shape::Members)];
                Self::of_calls(name, works, modules, token, Says::Allow)
            }
            "deny" => {
                let body = work::call(FORBIDDEN, 2048, Shape::Text);
                Self::of_calls(name, vec![Work::new("2 KiB, refused", &body, token)], modules, token, Says::Deny)
            }
            "lists" => Self::of_lists(name, modules, token),
            "rules" => Self::of_rules(name, vec![call("2 KiB", 2048, Shape::Text)], modules, token),
            "parts" => Self::of_parts(name, vec![call("2 KiB", 2048, Shape::Text)], modules),
            _ => Self::of_calls(
                name,
                vec![call("256 B", 256, Shape::Text), call("2 KiB", 2048, Shape::Text)],
                modules,
                token,
                Says::Allow,
            ),
        };
        Ok(suite)
    }

    /// One that is about calls that go through: what suites say that are about something else is added by them.
    pub(crate) fn plain(name: &'static str, works: Vec<Work>, variants: Vec<Variant>, ratios: Vec<(String, String)>) -> Self {
        Self {
            name,
            works,
            variants,
            ratios,
            answer: work::answer(),
            says: Says::Allow,
            probes: None,
            services: Vec::new(),
            issued: String::new(),
            pace: 1.0,
        }
    }

    /// The secrets of the proxy: the token that is issued for the upstream, as a header has it.
    pub(crate) fn secrets(&self) -> Vec<Value> {
        let text = json!({ "secret": { "inline_string": format!("Bearer {}", self.issued) } });
        if self.issued.is_empty() { Vec::new() } else { vec![json!({ "name": filters::STS, "generic_secret": text })] }
    }

    /// Only the base and variants that one of these texts names, or in whose names it is; all, if there is none.
    pub(crate) fn keep(&mut self, only: &[String]) {
        let names: Vec<String> = self.variants.iter().map(|variant| variant.name.clone()).collect();
        let means = |text: &String, name: &str| if names.contains(text) { text == name } else { name.contains(text.as_str()) };
        let kept = |name: &str| only.is_empty() || name == BASE || only.iter().any(|text| means(text, name));
        self.variants.retain(|variant| kept(&variant.name));
        self.ratios.retain(|(over, under)| kept(over) && kept(under));
    }

    fn of_calls(name: &'static str, works: Vec<Work>, modules: &Modules, token: &Token, says: Says) -> Self {
        let tools = [vec![TOOL.to_owned()]];
        let refuse = |status, text| if says == Says::Deny { Want::Refuse(status, text) } else { Want::Pass };
        let variants = vec![
            variant(BASE, Vec::new(), Want::Pass),
            variant(NOOP, filters::noop(&modules.noop, ""), Want::Pass),
            Variant { audits: Some(NOOP_AUDITS), ..variant(SAME_CALLS, filters::noop(&modules.noop, CALLS_OF_OURS), Want::Pass) },
            variant(LUA, filters::lua(TOOL), refuse(403, "denied by Lua")),
            variant(NATIVE, filters::native(&[TOOL]), refuse(403, "RBAC: access denied")),
            variant(EXT_AUTHZ, filters::ext_authz(), refuse(403, "")),
            variant(EXT_PROC, filters::ext_proc(Sees::Requests), refuse(403, "")),
            variant(OURS, filters::ours(&modules.ours, &tools, ACCESS_LOG), refuse(403, "no_matching_rule")),
            variant(OURS_LOGS, filters::ours(&modules.ours, &tools, BOTH), refuse(403, "no_matching_rule")),
        ];
        let ratios = [(OURS, NATIVE), (OURS, EXT_AUTHZ), (OURS, EXT_PROC), (SAME_CALLS, NATIVE)];
        let ratios = ratios.map(|(over, under)| (over.to_owned(), under.to_owned())).into();
        let probes = (says == Says::Allow).then(|| Probes::new(token));
        Self { says, probes, ..Self::plain(name, works, variants, ratios) }
    }

    fn of_lists(name: &'static str, modules: &Modules, token: &Token) -> Self {
        let variants = vec![
            variant(BASE, Vec::new(), Want::Pass),
            variant(NOOP, filters::noop(&modules.noop, ""), Want::Pass),
            variant(LUA, filters::lua_reads_answer(), Want::Pass),
            variant(EXT_PROC, filters::ext_proc(Sees::Answers), Want::Pass),
            variant(OURS, filters::ours(&modules.ours, &[work::kept()], ACCESS_LOG), Want::Tools(work::kept())),
        ];
        let works = vec![Work::new("tools/list, 52 KB", work::LIST_REQUEST, token)];
        let ratios = vec![(OURS.to_owned(), EXT_PROC.to_owned())];
        Self { answer: work::list(), ..Self::plain(name, works, variants, ratios) }
    }

    /// What costs what: a plugin that does one thing more each time, up to all that ours does but for reading JSON.
    fn of_parts(name: &'static str, works: Vec<Work>, modules: &Modules) -> Self {
        let mut variants = vec![variant(BASE, Vec::new(), Want::Pass)];
        for parts in PARTS {
            let filters = filters::noop(&modules.noop, parts);
            let name = match parts {
                "" => NOOP.to_owned(),
                ALL_PARTS => "noop: all of these".to_owned(),
                parts => format!("noop: {parts}"),
            };
            variants.push(variant(&name, filters, Want::Pass));
        }
        for (name, to) in [(OURS, ACCESS_LOG), (OURS_LOGS, BOTH), (OURS_UNPRINTED, ACCESS_LOG)] {
            variants.push(variant(name, filters::ours(&modules.ours, &[vec![TOOL.to_owned()]], to), Want::Pass));
        }
        for (name, module) in &modules.others {
            variants.push(variant(name, filters::ours(module, &[vec![TOOL.to_owned()]], ACCESS_LOG), Want::Pass));
        }
        Self::plain(name, works, variants, Vec::new())
    }

    /// The rule that matches comes last.
    fn of_rules(name: &'static str, works: Vec<Work>, modules: &Modules, token: &Token) -> Self {
        let tools = |count: usize| -> Vec<String> { (1..count).map(work::listed).chain([TOOL.to_owned()]).collect() };
        let mut variants = vec![variant(BASE, Vec::new(), Want::Pass)];
        for count in RULES {
            let tools = tools(count);
            let names: Vec<&str> = tools.iter().map(String::as_str).collect();
            variants.push(variant(&counted(NATIVE, count), filters::native(&names), Want::Pass));
            let rules: Vec<Vec<String>> = tools.into_iter().map(|tool| vec![tool]).collect();
            variants.push(variant(&counted(OURS, count), filters::ours(&modules.ours, &rules, ACCESS_LOG), Want::Pass));
        }
        let one = |name| counted(name, 1);
        let ratios = vec![
            (counted(OURS, 32), one(OURS)),
            (counted(OURS, 1000), one(OURS)),
            (counted(NATIVE, 1000), one(NATIVE)),
            (counted(OURS, 1000), counted(NATIVE, 1000)),
        ];
        let probes = Some(Probes::new(token));
        Self { probes, ..Self::plain(name, works, variants, ratios) }
    }
}

/// Where our audit records go: mostly to an access log alone, as one would have it under load.
const ACCESS_LOG: &[&str] = &["accessLog"];
const BOTH: &[&str] = &["log", "accessLog"];

/// What the plugin of the suite `parts` does.
const PARTS: [&str; 11] =
    ["", "clock", "headers", "headers answer", "claims", "payload", "hold", "hold body", "log", "state", ALL_PARTS];

/// What every policy does for a request, whatever it decides.
const ALL_PARTS: &str = "clock headers answer claims hold body log state count";

/// How many rules a policy of the suite `rules` has.
const RULES: [usize; 3] = [1, 32, 1000];

/// The name of a variant with so many rules.
pub(crate) fn counted(name: &str, rules: usize) -> String {
    format!("{name}, {rules} rule{}", if rules == 1 { "" } else { "s" })
}

/// A variant that stands behind `jwt_authn`.
pub(crate) fn variant(name: &str, filters: Vec<Value>, want: Want) -> Variant {
    let asks = name.starts_with(EXT_AUTHZ) || name.starts_with(EXT_PROC);
    let audits = (name.starts_with(OURS) && name != OURS_UNPRINTED).then_some("wasm.wardpoint_mcp_authz");
    Variant { name: name.to_owned(), verifies: true, filters, load: Load::Usual, want, forged: "", asks, audits }
}
