//! One VM: an instance of a module with a configuration, as a proxy's worker has one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{anyhow, bail};
use wasmtime::{Instance, Store, TypedFunc, WasmParams, WasmResults};

use super::module::Compiled;
use super::state::{ROOT, State};
use crate::engine::Play;
use crate::host::{self, Action, Came, Direction, FilterEnd, Host, Manners, Scope, Shared, Trap};
use crate::random::Random;
use crate::transcript::Transcript;

/// What one callback may burn; far more than any honest one needs, so that only an endless loop meets it.
const FUEL: u64 = 2_000_000_000;

/// A VM. Once it has trapped it answers nothing any more.
pub struct Vm {
    store: Store<State>,
    exports: Exports,
    host: Host,
    provider: String,
    last_context: u32,
    dead: bool,
    fresh: Fresh,
    instructions: u64,
}

/// What work a module did. It is counted, so the same work costs the same on every machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cost {
    /// Instructions of WebAssembly.
    pub instructions: u64,
    /// Calls of its host, by the import's name.
    pub host_calls: BTreeMap<&'static str, u64>,
}

/// The VM as it was after its configuration.
struct Fresh {
    from: usize,
    size: usize,
    memory: Vec<u8>,
    shared: Shared,
    tick: Option<std::time::Duration>,
    random: Random,
}

type Callback<P, R> = Option<TypedFunc<P, R>>;
/// Context, two numbers.
type Three = (u32, u32, u32);
/// Context, token, and the numbers of headers, body bytes and trailers.
type Five = (u32, u32, u32, u32, u32);

/// What the module has of the callbacks; by direction where there are two.
struct Exports {
    context_create: Callback<(u32, u32), ()>,
    headers: [Callback<Three, u32>; 2],
    body: [Callback<Three, u32>; 2],
    trailers: [Callback<(u32, u32), u32>; 2],
    http_reply: Callback<Five, ()>,
    grpc_receive: Callback<Three, ()>,
    grpc_close: Callback<Three, ()>,
    tick: Callback<u32, ()>,
    queue_ready: Callback<(u32, u32), ()>,
    done: Callback<u32, u32>,
    log: Callback<u32, ()>,
    delete: Callback<u32, ()>,
}

impl Vm {
    /// Starts and configures a VM as a proxy does. A configuration that the plugin refuses is an error, with its log lines.
    pub fn start(module: &Compiled, config: &[u8], shared: Rc<RefCell<Shared>>) -> anyhow::Result<Self> {
        Self::start_in(module, config, shared, &[])
    }

    /// [`Vm::start`] in an environment.
    pub fn start_in(
        module: &Compiled,
        config: &[u8],
        shared: Rc<RefCell<Shared>>,
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let mut store = Store::new(module.ready.module().engine(), State::new());
        store.set_fuel(FUEL).map_err(|error| anyhow!("{error:?}"))?;
        let instance = module.ready.instantiate(&mut store).map_err(|error| anyhow!("{error:?}"))?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| anyhow!("the module exports no memory"))?;
        if instance.get_func(&mut store, "proxy_abi_version_0_2_1").is_none() {
            bail!("the module does not say that it speaks proxy-wasm 0.2.1");
        }
        store.data_mut().memory = Some(memory);
        store.data_mut().allocate =
            export(&instance, &mut store, "proxy_on_memory_allocate").or_else(|| export(&instance, &mut store, "malloc"));
        store.data_mut().environment = environment.iter().map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect();
        store.data_mut().host = Host::new(config, shared);
        let exports = Exports::find(&instance, &mut store);
        if let Err(error) = configure(&instance, &mut store, config.len()) {
            let lines = store.data().host.lines().join("\n");
            return Err(if lines.is_empty() { error } else { error.context(lines) });
        }
        let host = std::mem::take(&mut store.data_mut().host);
        let bytes = memory.data(&store);
        let fresh = Fresh {
            from: module.lasting,
            size: bytes.len(),
            memory: bytes.get(module.lasting..).unwrap_or_default().to_vec(),
            shared: host.shared().borrow().clone(),
            tick: host.tick_period(),
            random: store.data().random.clone(),
        };
        store.data_mut().calls.clear();
        let provider = host::provider(config);
        Ok(Self { store, exports, host, provider, last_context: ROOT, dead: false, fresh, instructions: 0 })
    }

    /// Plays an exchange, and those before it, on the VM as the last one left it.
    pub fn play(&mut self, play: &Play, manners: Manners) -> Transcript {
        let mut host = std::mem::take(&mut self.host);
        let provider = self.provider.clone();
        let transcript = host::play_all(self, &mut host, play, &provider, manners);
        self.host = host;
        transcript
    }

    /// One exchange through this one and the one behind it in the chain. See [`host::play_chain`].
    pub fn play_before(&mut self, next: &mut Self, play: &Play, behind: &Play, manners: Manners) -> Transcript {
        let (mut host, mut seen_by_next) = (std::mem::take(&mut self.host), std::mem::take(&mut next.host));
        let provider = self.provider.clone();
        let ends: [host::End<'_>; 2] = [(&mut *self, &mut host), (&mut *next, &mut seen_by_next)];
        let transcript = host::play_chain(ends, play, behind, &provider, manners);
        (self.host, next.host) = (host, seen_by_next);
        transcript
    }

    /// Puts the VM back to how it was after its configuration. `false`: it cannot be, a new one is needed.
    pub fn rewind(&mut self) -> bool {
        let Some(memory) = self.store.data().memory else { return false };
        let bytes = memory.data_mut(&mut self.store);
        if self.dead || bytes.len() != self.fresh.size {
            return false;
        }
        let Some(lasting) = bytes.get_mut(self.fresh.from..) else { return false };
        lasting.copy_from_slice(&self.fresh.memory);
        self.host.rewind(&self.fresh.shared, self.fresh.tick);
        let state = self.store.data_mut();
        state.random = self.fresh.random.clone();
        state.output.clear();
        self.last_context = ROOT;
        true
    }

    /// Whether it has trapped.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// What its callbacks have cost since it was configured.
    pub fn cost(&self) -> Cost {
        Cost { instructions: self.instructions, host_calls: self.store.data().calls.clone() }
    }

    /// Size of its memory in bytes.
    pub fn memory_size(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    /// A callback with the model lent to the imports; `otherwise` if the module has none such.
    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        host: &mut Host,
        find: impl FnOnce(&Exports) -> Option<&TypedFunc<P, R>>,
        arguments: P,
        otherwise: R,
    ) -> Result<R, Trap> {
        if self.dead {
            return Err(Trap("the VM has trapped before".into()));
        }
        let Some(function) = find(&self.exports) else { return Ok(otherwise) };
        std::mem::swap(&mut self.store.data_mut().host, host);
        let result = self.store.set_fuel(FUEL).and_then(|()| function.call(&mut self.store, arguments));
        std::mem::swap(&mut self.store.data_mut().host, host);
        self.instructions += FUEL - self.store.get_fuel().unwrap_or(FUEL);
        result.map_err(|error| {
            self.dead = true;
            Trap(format!("{error:?}"))
        })
    }

    fn stream(&self) -> u32 {
        self.store.data().stream.unwrap_or(ROOT)
    }
}

impl FilterEnd for Vm {
    fn on_begin(&mut self, host: &mut Host) -> Result<(), Trap> {
        self.last_context += 1;
        let id = self.last_context;
        self.store.data_mut().stream = Some(id);
        self.call(host, |e| e.context_create.as_ref(), (id, ROOT), ())
    }

    fn on_headers(&mut self, host: &mut Host, direction: Direction, end_of_stream: bool) -> Result<Action, Trap> {
        let count = host.pairs_count(direction);
        let arguments = (self.stream(), count, u32::from(end_of_stream));
        self.call(host, |e| side(&e.headers, direction), arguments, 0).map(action)
    }

    fn on_body(&mut self, host: &mut Host, direction: Direction, size: usize, end_of_stream: bool) -> Result<Action, Trap> {
        let arguments = (self.stream(), size as u32, u32::from(end_of_stream));
        self.call(host, |e| side(&e.body, direction), arguments, 0).map(action)
    }

    fn on_trailers(&mut self, host: &mut Host, direction: Direction) -> Result<Action, Trap> {
        let arguments = (self.stream(), host.trailers_count(direction));
        self.call(host, |e| side(&e.trailers, direction), arguments, 0).map(action)
    }

    fn on_reply(&mut self, host: &mut Host, _: Scope, token: u32, came: Came) -> Result<(), Trap> {
        // Envoy 1.40 tells the root, whoever made the call; turning to the stream is the module's own doing.
        let context = ROOT;
        match came {
            Came::Http { headers, body, trailers } => {
                let arguments = (context, token, headers as u32, body as u32, trailers as u32);
                self.call(host, |e| e.http_reply.as_ref(), arguments, ())
            }
            Came::GrpcMessage(size) => self.call(host, |e| e.grpc_receive.as_ref(), (context, token, size as u32), ()),
            Came::GrpcStatus(code) => self.call(host, |e| e.grpc_close.as_ref(), (context, token, code), ()),
        }
    }

    fn on_tick(&mut self, host: &mut Host) -> Result<(), Trap> {
        self.call(host, |e| e.tick.as_ref(), ROOT, ())
    }

    fn on_queue_ready(&mut self, host: &mut Host, queue: u32) -> Result<(), Trap> {
        self.call(host, |e| e.queue_ready.as_ref(), (ROOT, queue), ())
    }

    fn on_end(&mut self, host: &mut Host) -> Result<(), Trap> {
        let id = self.stream();
        if id == ROOT {
            return Ok(());
        }
        self.call(host, |e| e.log.as_ref(), id, ())?;
        self.call(host, |e| e.done.as_ref(), id, 1)?;
        self.call(host, |e| e.delete.as_ref(), id, ())?;
        self.store.data_mut().stream = None;
        Ok(())
    }
}

fn configure(instance: &Instance, store: &mut Store<State>, size: usize) -> anyhow::Result<()> {
    let trapped = |error: wasmtime::Error| anyhow!("the VM trapped while it was configured: {error:?}");
    for name in ["_initialize", "_start"] {
        if let Some(start) = export::<(), ()>(instance, store, name) {
            start.call(&mut *store, ()).map_err(trapped)?;
            break;
        }
    }
    if let Some(create) = export::<(u32, u32), ()>(instance, store, "proxy_on_context_create") {
        create.call(&mut *store, (ROOT, 0)).map_err(trapped)?;
    }
    let steps = [("proxy_on_vm_start", 0), ("proxy_on_configure", size)];
    for (name, size) in steps {
        if let Some(step) = export::<(u32, u32), u32>(instance, store, name)
            && step.call(&mut *store, (ROOT, size as u32)).map_err(trapped)? == 0
        {
            bail!("{name} refused");
        }
    }
    Ok(())
}

fn export<P: WasmParams, R: WasmResults>(instance: &Instance, store: &mut Store<State>, name: &str) -> Option<TypedFunc<P, R>> {
    instance.get_typed_func(store, name).ok()
}

fn side<T>(both: &[Option<T>; 2], direction: Direction) -> Option<&T> {
    let [request, response] = both;
    match direction {
        Direction::Request => request.as_ref(),
        Direction::Response => response.as_ref(),
    }
}

fn action(number: u32) -> Action {
    if number == 0 { Action::Continue } else { Action::Pause }
}

impl Exports {
    fn find(instance: &Instance, store: &mut Store<State>) -> Self {
        Self {
            context_create: export(instance, store, "proxy_on_context_create"),
            headers: ["proxy_on_request_headers", "proxy_on_response_headers"].map(|name| export(instance, store, name)),
            body: ["proxy_on_request_body", "proxy_on_response_body"].map(|name| export(instance, store, name)),
            trailers: ["proxy_on_request_trailers", "proxy_on_response_trailers"].map(|name| export(instance, store, name)),
            http_reply: export(instance, store, "proxy_on_http_call_response"),
            grpc_receive: export(instance, store, "proxy_on_grpc_receive"),
            grpc_close: export(instance, store, "proxy_on_grpc_close"),
            tick: export(instance, store, "proxy_on_tick"),
            queue_ready: export(instance, store, "proxy_on_queue_ready"),
            done: export(instance, store, "proxy_on_done"),
            log: export(instance, store, "proxy_on_log"),
            delete: export(instance, store, "proxy_on_delete"),
        }
    }
}
