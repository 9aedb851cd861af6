//! What all VMs of one proxy share: shared data, queues, metrics.

use std::collections::{BTreeMap, VecDeque};

use super::Status;

/// The state that outlives a stream and a VM. One per proxy.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    data: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    cas: u32,
    queues: Vec<(Vec<u8>, VecDeque<Vec<u8>>)>,
    metrics: Vec<Metric>,
}

#[derive(Clone, Debug)]
struct Metric {
    kind: u32,
    name: String,
    value: u64,
}

const COUNTER: u32 = 0;
const GAUGE: u32 = 1;
const HISTOGRAM: u32 = 2;

impl Shared {
    /// Entries that it holds: values, queues with their items, metrics.
    pub fn entries(&self) -> usize {
        self.data.len() + self.queues.iter().map(|(_, items)| 1 + items.len()).sum::<usize>() + self.metrics.len()
    }

    /// A value and its version.
    pub fn get(&self, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.data.get(key).cloned().ok_or(Status::NOT_FOUND)
    }

    /// Writes a value; `cas` 0 means unconditionally (`shared_data.cc`).
    pub fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        if cas != 0 && self.data.get(key).is_some_and(|(_, version)| *version != cas) {
            return Err(Status::CAS_MISMATCH);
        }
        self.cas += 1;
        self.data.insert(key.to_vec(), (value.to_vec(), self.cas));
        Ok(())
    }

    /// The queue of that name, made if it is not there. Tokens begin at 1.
    pub fn register_queue(&mut self, name: &[u8]) -> u32 {
        self.resolve_queue(name).unwrap_or_else(|_| {
            self.queues.push((name.to_vec(), VecDeque::new()));
            self.queues.len() as u32
        })
    }

    /// The queue of that name.
    pub fn resolve_queue(&self, name: &[u8]) -> Result<u32, Status> {
        self.queues.iter().position(|(n, _)| n == name).map(|index| index as u32 + 1).ok_or(Status::NOT_FOUND)
    }

    /// Puts an item in.
    pub fn enqueue(&mut self, queue: u32, item: &[u8]) -> Result<(), Status> {
        self.queue(queue)?.push_back(item.to_vec());
        Ok(())
    }

    /// Takes the oldest item out.
    pub fn dequeue(&mut self, queue: u32) -> Result<Vec<u8>, Status> {
        self.queue(queue)?.pop_front().ok_or(Status::EMPTY)
    }

    fn queue(&mut self, token: u32) -> Result<&mut VecDeque<Vec<u8>>, Status> {
        let index = (token as usize).checked_sub(1).ok_or(Status::NOT_FOUND)?;
        self.queues.get_mut(index).map(|(_, items)| items).ok_or(Status::NOT_FOUND)
    }

    /// The metric of that name, made if it is not there.
    pub fn define_metric(&mut self, kind: u32, name: &str) -> Result<u32, Status> {
        if !matches!(kind, COUNTER | GAUGE | HISTOGRAM) {
            return Err(Status::BAD_ARGUMENT);
        }
        if let Some(index) = self.metrics.iter().position(|metric| metric.name == name && metric.kind == kind) {
            return Ok(index as u32 + 1);
        }
        self.metrics.push(Metric { kind, name: name.to_owned(), value: 0 });
        Ok(self.metrics.len() as u32)
    }

    /// Adds to a counter (only upwards) or a gauge.
    pub fn increment_metric(&mut self, id: u32, by: i64) -> Result<(), Status> {
        let metric = self.metric(id)?;
        match metric.kind {
            COUNTER if by < 0 => Err(Status::BAD_ARGUMENT),
            COUNTER | GAUGE => {
                metric.value = metric.value.wrapping_add_signed(by);
                Ok(())
            }
            _ => Err(Status::BAD_ARGUMENT),
        }
    }

    /// Sets a gauge, adds to a counter, or takes a sample.
    pub fn record_metric(&mut self, id: u32, value: u64) -> Result<(), Status> {
        let metric = self.metric(id)?;
        metric.value = if metric.kind == COUNTER { metric.value.wrapping_add(value) } else { value };
        Ok(())
    }

    /// The value of a counter or gauge.
    pub fn get_metric(&mut self, id: u32) -> Result<u64, Status> {
        let metric = self.metric(id)?;
        if metric.kind == HISTOGRAM { Err(Status::BAD_ARGUMENT) } else { Ok(metric.value) }
    }

    /// Counters that are not zero.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let counters = self.metrics.iter().filter(|metric| metric.kind == COUNTER && metric.value > 0);
        counters.map(|metric| (metric.name.clone(), metric.value)).collect()
    }

    fn metric(&mut self, id: u32) -> Result<&mut Metric, Status> {
        let index = (id as usize).checked_sub(1).ok_or(Status::NOT_FOUND)?;
        self.metrics.get_mut(index).ok_or(Status::NOT_FOUND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_and_set_refuses_who_comes_late() {
        let mut shared = Shared::default();
        assert_eq!(shared.get(b"k"), Err(Status::NOT_FOUND));
        shared.set(b"k", b"1", 0).unwrap();
        let (_, cas) = shared.get(b"k").unwrap();
        shared.set(b"k", b"2", cas).unwrap();
        assert_eq!(shared.set(b"k", b"3", cas), Err(Status::CAS_MISMATCH));
        assert_eq!(shared.get(b"k").unwrap().0, b"2");
    }

    #[test]
    fn a_queue_gives_back_in_order_and_says_when_it_is_empty() {
        let mut shared = Shared::default();
        let queue = shared.register_queue(b"q");
        assert_eq!(shared.resolve_queue(b"q"), Ok(queue));
        shared.enqueue(queue, b"1").unwrap();
        shared.enqueue(queue, b"2").unwrap();
        assert_eq!(shared.dequeue(queue), Ok(b"1".to_vec()));
        assert_eq!(shared.dequeue(queue), Ok(b"2".to_vec()));
        assert_eq!(shared.dequeue(queue), Err(Status::EMPTY));
        assert_eq!(shared.dequeue(queue + 1), Err(Status::NOT_FOUND));
    }

    #[test]
    fn counters_only_go_up() {
        let mut shared = Shared::default();
        let id = shared.define_metric(COUNTER, "a").unwrap();
        assert_eq!(shared.define_metric(COUNTER, "a"), Ok(id));
        shared.increment_metric(id, 2).unwrap();
        assert_eq!(shared.increment_metric(id, -1), Err(Status::BAD_ARGUMENT));
        assert_eq!(shared.counters(), [("a".to_owned(), 2)].into());
    }
}
