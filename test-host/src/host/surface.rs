//! The host calls of a filter, in the meaning that Envoy gives them. Each carries the name of its import, under which a play can
//! make it fail.

use std::time::Duration;

use super::call::Request;
use super::state::{LocalAnswer, Wish};
use super::{BufferKind, Direction, Host, Map, MapKind, Scope, Status};

impl Host {
    fn fault(&self, import: &str) -> Result<(), Status> {
        match self.faults.iter().find(|(name, status)| name == import && *status != 0) {
            Some((_, status)) => Err(Status(*status)),
            None => Ok(()),
        }
    }

    /// Nanoseconds since the Unix epoch, on the virtual clock.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Whether `import` is to fail: for engines whose import has no call here.
    pub fn check(&self, import: &str) -> Result<(), Status> {
        self.fault(import)
    }

    /// `proxy_get_current_time_nanoseconds`.
    pub fn clock(&self) -> Result<u64, Status> {
        self.fault("proxy_get_current_time_nanoseconds")?;
        Ok(self.now)
    }

    /// `proxy_set_effective_context`: what later calls act on. A stream that has gone is nothing to turn to.
    pub fn turn_to(&mut self, scope: Scope) -> Result<(), Status> {
        self.fault("proxy_set_effective_context")?;
        if scope == Scope::Stream && !self.stream.alive {
            return Err(Status::BAD_ARGUMENT);
        }
        self.scope = scope;
        Ok(())
    }

    /// `proxy_log`. The level is not kept: `info` and above reach the capture.
    pub fn log(&mut self, level: u32, text: &str) -> Result<(), Status> {
        self.fault("proxy_log")?;
        if level >= 2 {
            self.lines.push(text.to_owned());
        }
        Ok(())
    }

    /// `proxy_get_header_map_pairs`. A map that is not there has no pairs, and that is no error.
    pub fn pairs(&mut self, kind: MapKind) -> Result<&Map, Status> {
        self.fault("proxy_get_header_map_pairs")?;
        static NONE: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::default);
        Ok(self.map(kind).map_or(&*NONE, |map| &*map))
    }

    /// `proxy_get_header_map_value`: the first value only.
    pub fn value(&mut self, kind: MapKind, name: &[u8]) -> Result<Vec<u8>, Status> {
        self.fault("proxy_get_header_map_value")?;
        let map = self.map(kind).ok_or(Status::BAD_ARGUMENT)?;
        map.first(name).map(<[u8]>::to_vec).ok_or(Status::NOT_FOUND)
    }

    /// `proxy_replace_header_map_value`.
    pub fn set_value(&mut self, kind: MapKind, name: &[u8], value: &[u8]) -> Result<(), Status> {
        self.fault("proxy_replace_header_map_value")?;
        self.editable(kind)?.set(name, value);
        Ok(())
    }

    /// `proxy_add_header_map_value`.
    pub fn add_value(&mut self, kind: MapKind, name: &[u8], value: &[u8]) -> Result<(), Status> {
        self.fault("proxy_add_header_map_value")?;
        self.editable(kind)?.add(name, value);
        Ok(())
    }

    /// `proxy_remove_header_map_value`. A name that is not there is no error.
    pub fn remove_value(&mut self, kind: MapKind, name: &[u8]) -> Result<(), Status> {
        self.fault("proxy_remove_header_map_value")?;
        self.editable(kind)?.remove(name);
        Ok(())
    }

    /// `proxy_set_header_map_pairs`.
    pub fn set_pairs(&mut self, kind: MapKind, map: Map) -> Result<(), Status> {
        self.fault("proxy_set_header_map_pairs")?;
        *self.editable(kind)? = map;
        Ok(())
    }

    /// `proxy_get_buffer_bytes`. The body of another phase is empty, and that is no error.
    pub fn buffer(&mut self, kind: BufferKind, start: usize, size: usize) -> Result<&[u8], Status> {
        self.fault("proxy_get_buffer_bytes")?;
        let bytes = match kind {
            BufferKind::Body(_) => self.bytes(kind).unwrap_or_default(),
            _ => self.bytes(kind).ok_or(Status::NOT_FOUND)?,
        };
        let end = start.saturating_add(size).min(bytes.len());
        Ok(bytes.get(start.min(end)..end).unwrap_or_default())
    }

    /// Size of a buffer (`proxy_get_buffer_status`).
    pub fn buffer_size(&mut self, kind: BufferKind) -> Result<usize, Status> {
        self.fault("proxy_get_buffer_status")?;
        self.bytes(kind).map(<[u8]>::len).ok_or(Status::NOT_FOUND)
    }

    /// `proxy_set_buffer_bytes`: from 0 it drains `size` and puts the bytes in front; from the end on it appends; in the middle
    /// it is `BadArgument` (`envoy-istio` 4.3).
    pub fn set_buffer(&mut self, kind: BufferKind, start: usize, size: usize, bytes: &[u8]) -> Result<(), Status> {
        self.fault("proxy_set_buffer_bytes")?;
        let BufferKind::Body(direction) = kind else { return Err(Status::BAD_ARGUMENT) };
        if !self.on_stream() || !self.side(direction).buffer_alive {
            return Err(Status::BAD_ARGUMENT);
        }
        let buffer = &mut self.side(direction).buffer;
        if start == 0 {
            buffer.splice(..size.min(buffer.len()), bytes.iter().copied());
        } else if start >= buffer.len() {
            buffer.extend_from_slice(bytes);
        } else {
            return Err(Status::BAD_ARGUMENT);
        }
        Ok(())
    }

    /// `proxy_send_local_response`. A second one, and one on the root, does nothing.
    pub fn send_local_response(&mut self, status: u32, details: &[u8], headers: Map, body: &[u8]) -> Result<(), Status> {
        self.fault("proxy_send_local_response")?;
        if !self.on_stream() {
            return Ok(());
        }
        if self.stream.answered {
            return Ok(());
        }
        self.stream.answered = true;
        self.stream.wishes.push(Wish::Answer(LocalAnswer { status, details: details.to_vec(), headers, body: body.to_vec() }));
        Ok(())
    }

    /// `proxy_continue_stream`: done after the callback; maps and buffer of this direction are gone at once.
    pub fn continue_stream(&mut self, direction: Direction) -> Result<(), Status> {
        self.fault("proxy_continue_stream")?;
        if self.on_stream() {
            self.stream.wishes.push(Wish::Resume(direction));
            let side = self.side(direction);
            (side.headers_alive, side.buffer_alive, side.trailers_alive) = (false, false, false);
        }
        Ok(())
    }

    /// `proxy_close_stream`: the stream is reset after the callback, whichever direction is named.
    pub fn close_stream(&mut self) -> Result<(), Status> {
        self.fault("proxy_close_stream")?;
        if self.on_stream() {
            self.stream.wishes.push(Wish::Close);
        }
        Ok(())
    }

    /// `proxy_http_call` and `proxy_grpc_call`.
    pub fn call(&mut self, cluster: &[u8], request: &Request<'_>, timeout: Duration) -> Result<u32, Status> {
        self.fault(if let Request::Http(..) = request { "proxy_http_call" } else { "proxy_grpc_call" })?;
        if self.scope == Scope::Stream && !self.stream.alive {
            return Err(Status::BAD_ARGUMENT);
        }
        self.calls.dispatch(self.scope, cluster, request, timeout)
    }

    /// `proxy_grpc_cancel` and `proxy_grpc_close`.
    pub fn cancel(&mut self, token: u32) -> Result<(), Status> {
        self.fault("proxy_grpc_cancel")?;
        self.calls.cancel(token)
    }

    /// `proxy_get_status`: of the gRPC call whose end is being told.
    pub fn grpc_status(&self) -> Result<(u32, &[u8]), Status> {
        self.fault("proxy_get_status")?;
        Ok((self.grpc_status.0, &self.grpc_status.1))
    }

    /// `proxy_get_property`.
    pub fn property(&self, path: &[&str]) -> Result<Vec<u8>, Status> {
        self.fault("proxy_get_property")?;
        let own = match path {
            ["filter_state", key] => self.filter_state.get(*key),
            [key] => self.filter_state.get(&format!("wasm.{key}")),
            _ => None,
        };
        if let Some(value) = own {
            return Ok(value.clone());
        }
        self.properties.get(path)
    }

    /// `proxy_set_property`: filter state of the stream, under `wasm.<path>`.
    pub fn set_property(&mut self, path: &str, value: &[u8]) -> Result<(), Status> {
        self.fault("proxy_set_property")?;
        self.filter_state.insert(format!("wasm.{path}"), value.to_vec());
        Ok(())
    }

    /// Filter state that the filter has set.
    pub fn filter_state(&self, key: &str) -> Option<&[u8]> {
        self.filter_state.get(key).map(Vec::as_slice)
    }

    /// `proxy_get_shared_data`: value and version.
    pub fn shared_get(&self, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.fault("proxy_get_shared_data")?;
        self.shared.borrow().get(key)
    }

    /// `proxy_set_shared_data`; `cas` 0 is unconditional.
    pub fn shared_set(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        self.fault("proxy_set_shared_data")?;
        self.shared.borrow_mut().set(key, value, cas)
    }

    /// `proxy_register_shared_queue`.
    pub fn register_queue(&mut self, name: &[u8]) -> Result<u32, Status> {
        self.fault("proxy_register_shared_queue")?;
        let queue = self.shared.borrow_mut().register_queue(name);
        if !self.queues.contains(&queue) {
            self.queues.push(queue);
        }
        Ok(queue)
    }

    /// `proxy_resolve_shared_queue`.
    pub fn resolve_queue(&self, name: &[u8]) -> Result<u32, Status> {
        self.fault("proxy_resolve_shared_queue")?;
        self.shared.borrow().resolve_queue(name)
    }

    /// `proxy_enqueue_shared_queue`.
    pub fn enqueue(&mut self, queue: u32, item: &[u8]) -> Result<(), Status> {
        self.fault("proxy_enqueue_shared_queue")?;
        self.shared.borrow_mut().enqueue(queue, item)?;
        self.queued.push(queue);
        Ok(())
    }

    /// `proxy_dequeue_shared_queue`.
    pub fn dequeue(&mut self, queue: u32) -> Result<Vec<u8>, Status> {
        self.fault("proxy_dequeue_shared_queue")?;
        self.shared.borrow_mut().dequeue(queue)
    }

    /// `proxy_define_metric`.
    pub fn define_metric(&mut self, kind: u32, name: &str) -> Result<u32, Status> {
        self.fault("proxy_define_metric")?;
        self.shared.borrow_mut().define_metric(kind, name)
    }

    /// `proxy_increment_metric`.
    pub fn increment_metric(&mut self, id: u32, by: i64) -> Result<(), Status> {
        self.fault("proxy_increment_metric")?;
        self.shared.borrow_mut().increment_metric(id, by)
    }

    /// `proxy_record_metric`.
    pub fn record_metric(&mut self, id: u32, value: u64) -> Result<(), Status> {
        self.fault("proxy_record_metric")?;
        self.shared.borrow_mut().record_metric(id, value)
    }

    /// `proxy_get_metric`.
    pub fn get_metric(&mut self, id: u32) -> Result<u64, Status> {
        self.fault("proxy_get_metric")?;
        self.shared.borrow_mut().get_metric(id)
    }

    /// `proxy_set_tick_period_milliseconds`; 0 stops the ticks.
    pub fn set_tick(&mut self, millis: u32) -> Result<(), Status> {
        self.fault("proxy_set_tick_period_milliseconds")?;
        self.tick_period = (millis > 0).then(|| Duration::from_millis(millis.into()));
        Ok(())
    }

    fn on_stream(&self) -> bool {
        self.scope == Scope::Stream && self.stream.alive
    }

    fn map(&mut self, kind: MapKind) -> Option<&mut Map> {
        let on_stream = self.on_stream();
        match kind {
            MapKind::ReplyHeaders => Some(&mut self.reply.headers),
            MapKind::ReplyTrailers => Some(&mut self.reply.trailers),
            MapKind::Headers(direction) => {
                let side = self.side(direction);
                (on_stream && side.headers_alive).then_some(&mut side.headers)
            }
            MapKind::Trailers(direction) => {
                let side = self.side(direction);
                (on_stream && side.trailers_alive).then_some(&mut side.trailers)
            }
        }
    }

    fn editable(&mut self, kind: MapKind) -> Result<&mut Map, Status> {
        match kind {
            MapKind::Headers(_) | MapKind::Trailers(_) => self.map(kind).ok_or(Status::BAD_ARGUMENT),
            MapKind::ReplyHeaders | MapKind::ReplyTrailers => Err(Status::BAD_ARGUMENT),
        }
    }

    fn bytes(&mut self, kind: BufferKind) -> Option<&[u8]> {
        let on_stream = self.on_stream();
        match kind {
            BufferKind::Body(direction) => {
                let side: &super::state::Side = self.side(direction);
                (on_stream && side.buffer_alive).then_some(&side.buffer)
            }
            BufferKind::ReplyBody => Some(&self.reply.body),
            BufferKind::GrpcMessage => self.grpc.as_deref(),
            BufferKind::VmConfiguration => Some(&[]),
            BufferKind::PluginConfiguration => Some(&self.config),
        }
    }
}

impl MapKind {
    /// From the number of the ABI.
    pub fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Headers(Direction::Request),
            1 => Self::Trailers(Direction::Request),
            2 => Self::Headers(Direction::Response),
            3 => Self::Trailers(Direction::Response),
            6 => Self::ReplyHeaders,
            7 => Self::ReplyTrailers,
            _ => return None,
        })
    }
}

impl BufferKind {
    /// From the number of the ABI.
    pub fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Body(Direction::Request),
            1 => Self::Body(Direction::Response),
            4 => Self::ReplyBody,
            5 => Self::GrpcMessage,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            _ => return None,
        })
    }
}
