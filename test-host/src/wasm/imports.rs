//! The imports of proxy-wasm 0.2.1, on the model.

use std::time::Duration;

use wasmtime::{Caller, Linker};

use super::memory::{Done, block, give, slice, text, to_abi, view, write, write_u32};
use super::state::State;
use crate::host::{BufferKind, Direction, MapKind, Request, Status};

type C<'a> = Caller<'a, State>;

/// Envoy's `info`.
const LOG_LEVEL: u32 = 2;

/// Defines an import that answers with a status.
macro_rules! import {
    ($linker:ident, $name:literal, |$caller:ident $(, $argument:ident: $type:ty)*| $body:expr) => {
        $linker.func_wrap("env", $name, |mut $caller: C<'_> $(, $argument: $type)*| -> wasmtime::Result<u32> {
            $caller.data_mut().count($name);
            to_abi((|| -> Done { $body; Ok(()) })())
        })?
    };
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define_log_and_time(linker)?;
    define_maps(linker)?;
    define_buffers(linker)?;
    define_stream(linker)?;
    define_calls(linker)?;
    define_properties(linker)?;
    define_shared(linker)?;
    define_metrics(linker)
}

fn define_log_and_time(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_log", |c, level: u32, data: u32, size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.log(level, &text(memory, data, size)?)?;
    });
    import!(linker, "proxy_get_log_level", |c, out: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.check("proxy_get_log_level")?;
        write_u32(memory, out, LOG_LEVEL)?;
    });
    import!(linker, "proxy_get_current_time_nanoseconds", |c, out: u32| {
        let (memory, state) = view(&mut c)?;
        write(memory, out, &state.host.clock()?.to_le_bytes())?;
    });
    import!(linker, "proxy_set_tick_period_milliseconds", |c, millis: u32| c.data_mut().host.set_tick(millis)?);
    import!(linker, "proxy_set_effective_context", |c, context: u32| {
        let state = c.data_mut();
        let scope = state.scope(context).ok_or(Status::BAD_ARGUMENT)?;
        state.host.turn_to(scope)?;
    });
    import!(linker, "proxy_done", |c| c.data_mut().host.check("proxy_done")?);
    Ok(())
}

fn define_maps(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_get_header_map_pairs", |c, kind: u32, data: u32, size: u32| {
        let bytes = c.data_mut().host.pairs(map(kind)?)?.to_block();
        give(&mut c, &bytes, data, size)?;
    });
    import!(linker, "proxy_get_header_map_size", |c, kind: u32, out: u32| {
        let (memory, state) = view(&mut c)?;
        write_u32(memory, out, state.host.pairs(map(kind)?)?.len() as u32)?;
    });
    import!(linker, "proxy_set_header_map_pairs", |c, kind: u32, data: u32, size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.set_pairs(map(kind)?, block(memory, data, size)?)?;
    });
    import!(linker, "proxy_get_header_map_value", |c, kind: u32, name: u32, name_size: u32, data: u32, size: u32| {
        let (memory, state) = view(&mut c)?;
        let value = state.host.value(map(kind)?, slice(memory, name, name_size)?)?;
        give(&mut c, &value, data, size)?;
    });
    import!(linker, "proxy_remove_header_map_value", |c, kind: u32, name: u32, name_size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.remove_value(map(kind)?, slice(memory, name, name_size)?)?;
    });
    import!(linker, "proxy_replace_header_map_value", |c, kind: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.set_value(map(kind)?, slice(memory, name, name_size)?, slice(memory, value, value_size)?)?;
    });
    import!(linker, "proxy_add_header_map_value", |c, kind: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.add_value(map(kind)?, slice(memory, name, name_size)?, slice(memory, value, value_size)?)?;
    });
    Ok(())
}

fn define_buffers(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_get_buffer_bytes", |c, kind: u32, start: u32, length: u32, data: u32, size: u32| {
        let bytes = c.data_mut().host.buffer(buffer(kind)?, start as usize, length as usize)?.to_vec();
        give(&mut c, &bytes, data, size)?;
    });
    import!(linker, "proxy_get_buffer_status", |c, kind: u32, size: u32, flags: u32| {
        let (memory, state) = view(&mut c)?;
        let length = state.host.buffer_size(buffer(kind)?)?;
        write_u32(memory, size, length as u32)?;
        write_u32(memory, flags, 0)?;
    });
    import!(linker, "proxy_set_buffer_bytes", |c, kind: u32, start: u32, length: u32, data: u32, size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.set_buffer(buffer(kind)?, start as usize, length as usize, slice(memory, data, size)?)?;
    });
    Ok(())
}

fn define_stream(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_continue_stream", |c, side: u32| c.data_mut().host.continue_stream(direction(side)?)?);
    import!(linker, "proxy_close_stream", |c, side: u32| {
        direction(side)?;
        c.data_mut().host.close_stream()?;
    });
    import!(linker, "proxy_send_local_response", |c,
                                                  status: u32,
                                                  details: u32,
                                                  details_size: u32,
                                                  body: u32,
                                                  body_size: u32,
                                                  headers: u32,
                                                  headers_size: u32,
                                                  _grpc: i32| {
        let (memory, state) = view(&mut c)?;
        let headers = block(memory, headers, headers_size)?;
        let details = slice(memory, details, details_size)?;
        state.host.send_local_response(status, details, headers, slice(memory, body, body_size)?)?;
    });
    Ok(())
}

fn define_calls(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_http_call", |c,
                                        cluster: u32,
                                        cluster_size: u32,
                                        headers: u32,
                                        headers_size: u32,
                                        body: u32,
                                        body_size: u32,
                                        trailers: u32,
                                        trailers_size: u32,
                                        millis: u32,
                                        token: u32| {
        let (memory, state) = view(&mut c)?;
        block(memory, trailers, trailers_size)?;
        let request = Request::Http(block(memory, headers, headers_size)?, slice(memory, body, body_size)?);
        let cluster = slice(memory, cluster, cluster_size)?;
        let made = state.host.call(cluster, &request, Duration::from_millis(millis.into()))?;
        write_u32(memory, token, made)?;
    });
    import!(linker, "proxy_grpc_call", |c,
                                        cluster: u32,
                                        cluster_size: u32,
                                        service: u32,
                                        service_size: u32,
                                        method: u32,
                                        method_size: u32,
                                        metadata: u32,
                                        metadata_size: u32,
                                        message: u32,
                                        message_size: u32,
                                        millis: u32,
                                        token: u32| {
        let (memory, state) = view(&mut c)?;
        let request = Request::Grpc(
            slice(memory, service, service_size)?,
            slice(memory, method, method_size)?,
            block(memory, metadata, metadata_size)?,
            slice(memory, message, message_size)?,
        );
        let cluster = slice(memory, cluster, cluster_size)?;
        let made = state.host.call(cluster, &request, Duration::from_millis(millis.into()))?;
        write_u32(memory, token, made)?;
    });
    import!(linker, "proxy_grpc_cancel", |c, token: u32| c.data_mut().host.cancel(token)?);
    import!(linker, "proxy_grpc_close", |c, token: u32| c.data_mut().host.cancel(token)?);
    import!(linker, "proxy_get_status", |c, code: u32, data: u32, size: u32| {
        let (memory, state) = view(&mut c)?;
        let (status, message) = state.host.grpc_status()?;
        let message = message.to_vec();
        write_u32(memory, code, status)?;
        give(&mut c, &message, data, size)?;
    });
    import!(linker, "proxy_call_foreign_function", |c,
                                                    name: u32,
                                                    name_size: u32,
                                                    arguments: u32,
                                                    arguments_size: u32,
                                                    data: u32,
                                                    size: u32| {
        let (memory, state) = view(&mut c)?;
        let answer = state.host.foreign(slice(memory, name, name_size)?, slice(memory, arguments, arguments_size)?)?;
        give(&mut c, &answer, data, size)?;
    });
    Ok(())
}

fn define_properties(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_get_property", |c, path: u32, path_size: u32, data: u32, size: u32| {
        let (memory, state) = view(&mut c)?;
        let path = text(memory, path, path_size)?;
        let value = state.host.property(&path.split('\0').collect::<Vec<_>>())?;
        give(&mut c, &value, data, size)?;
    });
    import!(linker, "proxy_set_property", |c, path: u32, path_size: u32, value: u32, value_size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.set_property(&text(memory, path, path_size)?, slice(memory, value, value_size)?)?;
    });
    Ok(())
}

fn define_shared(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_get_shared_data", |c, key: u32, key_size: u32, data: u32, size: u32, cas: u32| {
        let (memory, state) = view(&mut c)?;
        let (value, version) = state.host.shared_get(slice(memory, key, key_size)?)?;
        write_u32(memory, cas, version)?;
        give(&mut c, &value, data, size)?;
    });
    import!(linker, "proxy_set_shared_data", |c, key: u32, key_size: u32, value: u32, value_size: u32, cas: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.shared_set(slice(memory, key, key_size)?, slice(memory, value, value_size)?, cas)?;
    });
    import!(linker, "proxy_register_shared_queue", |c, name: u32, name_size: u32, token: u32| {
        let (memory, state) = view(&mut c)?;
        let queue = state.host.register_queue(slice(memory, name, name_size)?)?;
        write_u32(memory, token, queue)?;
    });
    import!(linker, "proxy_resolve_shared_queue", |c, vm: u32, vm_size: u32, name: u32, name_size: u32, token: u32| {
        let (memory, state) = view(&mut c)?;
        let _all_vms_of_the_model_have_one_id = slice(memory, vm, vm_size)?;
        let queue = state.host.resolve_queue(slice(memory, name, name_size)?)?;
        write_u32(memory, token, queue)?;
    });
    import!(linker, "proxy_enqueue_shared_queue", |c, queue: u32, data: u32, size: u32| {
        let (memory, state) = view(&mut c)?;
        state.host.enqueue(queue, slice(memory, data, size)?)?;
    });
    import!(linker, "proxy_dequeue_shared_queue", |c, queue: u32, data: u32, size: u32| {
        let item = c.data_mut().host.dequeue(queue)?;
        give(&mut c, &item, data, size)?;
    });
    Ok(())
}

fn define_metrics(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    import!(linker, "proxy_define_metric", |c, kind: u32, name: u32, name_size: u32, id: u32| {
        let (memory, state) = view(&mut c)?;
        let metric = state.host.define_metric(kind, &text(memory, name, name_size)?)?;
        write_u32(memory, id, metric)?;
    });
    import!(linker, "proxy_increment_metric", |c, id: u32, by: i64| c.data_mut().host.increment_metric(id, by)?);
    import!(linker, "proxy_record_metric", |c, id: u32, value: u64| c.data_mut().host.record_metric(id, value)?);
    import!(linker, "proxy_get_metric", |c, id: u32, out: u32| {
        let (memory, state) = view(&mut c)?;
        let value = state.host.get_metric(id)?;
        write(memory, out, &value.to_le_bytes())?;
    });
    Ok(())
}

fn map(number: u32) -> Result<MapKind, Status> {
    MapKind::from_abi(number).ok_or(Status::BAD_ARGUMENT)
}

fn buffer(number: u32) -> Result<BufferKind, Status> {
    BufferKind::from_abi(number).ok_or(Status::BAD_ARGUMENT)
}

/// `proxy_stream_type_t`: only the two of HTTP.
fn direction(number: u32) -> Result<Direction, Status> {
    match number {
        0 => Ok(Direction::Request),
        1 => Ok(Direction::Response),
        _ => Err(Status::BAD_ARGUMENT),
    }
}
