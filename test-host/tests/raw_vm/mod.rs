//! A VM whose every host call is in the test's hand: no model of a proxy, only the ABI.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the machinery of a test: it fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use wasmtime::{Caller, Engine, Extern, ExternType, Instance, Linker, Memory, Module, Store, Val};

/// What the calls of a module are answered with, and what it did.
#[derive(Default)]
pub(crate) struct Host {
    /// Status by name of the call; `*` is for all that are not named. Absent: the call does what it should.
    pub(crate) faults: BTreeMap<String, u32>,
    pub(crate) configuration: Vec<u8>,
    /// Bodies are delivered while headers are held.
    pub(crate) holds_headers: bool,
    pub(crate) request: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) response: Vec<(Vec<u8>, Vec<u8>)>,
    /// What the proxy holds of the body.
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) called: Vec<String>,
    /// Status of the answer that was given, if one was.
    pub(crate) answered: Option<i32>,
    pub(crate) closed: bool,
    pub(crate) resumed: bool,
    pub(crate) log: Vec<String>,
    pub(crate) tokens: u32,
}

/// One instance of a plugin.
pub(crate) struct Vm {
    pub(crate) store: Store<Host>,
    instance: Instance,
}

/// A plugin, compiled once.
pub(crate) struct Plugin {
    engine: Engine,
    module: Module,
}

impl Plugin {
    pub(crate) fn load(name: &str) -> Self {
        let file = format!("{name}.wasm");
        let folder = std::env::var_os("WARDPOINT_PLUGINS")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/plugins"), PathBuf::from);
        let engine = Engine::default();
        let module = Module::from_file(&engine, folder.join(&file))
            .unwrap_or_else(|error| panic!("no target/plugins/{file}: run `make plugins`: {error:#}"));
        Self { engine, module }
    }

    /// All host calls that the module imports.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.module.imports().filter(|i| i.module() == "env").map(|i| i.name().to_owned()).collect()
    }

    /// A VM in which `_initialize` has run and root 1 exists.
    pub(crate) fn start(&self, host: Host) -> Vm {
        let mut store = Store::new(&self.engine, host);
        let mut linker = Linker::new(&self.engine);
        for import in self.module.imports() {
            let ExternType::Func(kind) = import.ty() else { panic!("{} is no function", import.name()) };
            let name = import.name().to_owned();
            linker
                .func_new(import.module(), import.name(), kind, move |mut caller, arguments, results| {
                    let arguments: Vec<i64> = arguments.iter().map(number).collect();
                    let status = answer(&mut caller, &name, &arguments)?;
                    if let Some(result) = results.first_mut() {
                        *result = Val::I32(status.cast_signed());
                    }
                    Ok(())
                })
                .unwrap();
        }
        let instance = linker.instantiate(&mut store, &self.module).unwrap();
        let mut vm = Vm { store, instance };
        vm.call("_initialize", &[]);
        vm.call("proxy_on_context_create", &[1, 0]);
        vm
    }
}

impl Vm {
    /// Makes a callback. A trap is the one thing that may never happen.
    pub(crate) fn call(&mut self, name: &str, arguments: &[i32]) -> i32 {
        let function = self.instance.get_func(&mut self.store, name).unwrap_or_else(|| panic!("{name} is not exported"));
        let arguments: Vec<Val> = arguments.iter().map(|n| Val::I32(*n)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        if let Err(trap) = function.call(&mut self.store, &arguments, &mut results) {
            let host = self.store.data();
            panic!("{name} trapped under {:?}: {trap:#}\n{:?}\n{:?}", host.faults, host.called, host.log);
        }
        results.first().map_or(0, |result| result.unwrap_i32())
    }

    pub(crate) fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }
}

fn number(value: &Val) -> i64 {
    match value {
        Val::I32(n) => i64::from(*n),
        Val::I64(n) => *n,
        other => panic!("{other:?} is no argument of this ABI"),
    }
}

/// Answers one call. A fault with status 0 is a host that says "done" and does nothing.
fn answer(caller: &mut Caller<'_, Host>, name: &str, a: &[i64]) -> wasmtime::Result<u32> {
    let host = caller.data_mut();
    host.called.push(name.to_owned());
    if let Some(status) = host.faults.get(name).or_else(|| host.faults.get("*").filter(|_| name.starts_with("proxy_"))) {
        return Ok(*status);
    }
    match name {
        "proxy_log" => {
            let line = read(caller, a[1], a[2]);
            caller.data_mut().log.push(String::from_utf8_lossy(&line).into_owned());
        }
        "proxy_get_current_time_nanoseconds" => write(caller, a[0], &1_795_251_600_000_000_000_u64.to_le_bytes()),
        "proxy_get_buffer_bytes" => {
            let all = if a[0] == 7 { &host.configuration } else { &host.body };
            let start = usize::try_from(a[1])?.min(all.len());
            let end = start.saturating_add(usize::try_from(a[2] & 0xffff_ffff)?).min(all.len());
            let bytes = all[start..end].to_vec();
            give(caller, &bytes, a[3], a[4])?;
        }
        "proxy_set_buffer_bytes" => caller.data_mut().body = read(caller, a[3], a[4]),
        "proxy_get_header_map_pairs" => {
            let block = block(if a[0] == 0 { &host.request } else { &host.response });
            give(caller, &block, a[1], a[2])?;
        }
        "proxy_get_property" => {
            let path = read(caller, a[0], a[1]);
            let Some(value) = caller.data().properties.get(&path).cloned() else { return Ok(1) };
            give(caller, &value, a[2], a[3])?;
        }
        "proxy_define_metric" => write(caller, a[3], &7_u32.to_le_bytes()),
        "proxy_get_shared_data" | "proxy_call_foreign_function" => return Ok(1),
        "proxy_http_call" | "proxy_grpc_call" => {
            host.tokens += 1;
            let token = host.tokens.to_le_bytes();
            write(caller, a[a.len() - 1], &token);
        }
        "proxy_send_local_response" => host.answered = Some(i32::try_from(a[0])?),
        "proxy_close_stream" => host.closed = true,
        "proxy_continue_stream" => host.resumed = true,
        "random_get" => write(caller, a[0], &vec![0xa5; usize::try_from(a[1])?]),
        "environ_sizes_get" => {
            write(caller, a[0], &[0; 4]);
            write(caller, a[1], &[0; 4]);
        }
        "fd_write" => {
            let vector = read(caller, a[1], 8);
            let at = |from: usize| i64::from(u32::from_le_bytes(vector[from..from + 4].try_into().unwrap()));
            let text = read(caller, at(0), at(4));
            caller.data_mut().log.push(String::from_utf8_lossy(&text).into_owned());
            let written = u32::try_from(text.len())?;
            write(caller, a[3], &written.to_le_bytes());
        }
        _ => {}
    }
    Ok(0)
}

fn block(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in pairs {
        for text in [name, value] {
            out.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        }
    }
    for (name, value) in pairs {
        for text in [name, value] {
            out.extend(text);
            out.push(0);
        }
    }
    out
}

fn give(caller: &mut Caller<'_, Host>, bytes: &[u8], data: i64, size: i64) -> wasmtime::Result<()> {
    let Some(Extern::Func(allocate)) = caller.get_export("proxy_on_memory_allocate") else { panic!("no allocator") };
    let length = i32::try_from(bytes.len())?;
    let at = allocate.typed::<i32, i32>(&mut *caller)?.call(&mut *caller, length)?;
    write(caller, i64::from(at), bytes);
    write(caller, data, &at.to_le_bytes());
    write(caller, size, &length.to_le_bytes());
    Ok(())
}

fn memory(caller: &mut Caller<'_, Host>) -> Memory {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else { panic!("no memory") };
    memory
}

fn read(caller: &mut Caller<'_, Host>, at: i64, size: i64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    memory(caller).read(&*caller, usize::try_from(at & 0xffff_ffff).unwrap(), &mut bytes).unwrap();
    bytes
}

fn write(caller: &mut Caller<'_, Host>, at: i64, bytes: &[u8]) {
    memory(caller).write(&mut *caller, usize::try_from(at & 0xffff_ffff).unwrap(), bytes).unwrap();
}
