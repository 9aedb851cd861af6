//! A text that is fetched from time to time: keys, revocations, statuses.
//!
//! It is fetched by a call of the root. Of the VMs of a proxy one fetches, and the others take what it found:
//!
//! 1. At the first tick, and then whenever `refresh` has passed (a fifth of it is chance), whoever wins a compare-and-set.
//! 2. A fetch that fails is repeated, later each time; the last good one stays until `keep` has passed since it came, and
//!    then there is none any more.
//! 3. A request that misses something in it brings one fetch a `cool_down`, whatever comes (BY-T-18): requests that miss
//!    something meanwhile wait for that one, up to a number; all others go on with what is there.
//! 4. A VM that is asked before it has any does not wait for another VM, of which it hears nothing but at a tick: it fetches
//!    for itself. So does each VM where shared data fails.
//! 5. What is secret is not shared: any other module of the process could read it. There each VM fetches for itself.
//! 6. What has an end of its own is fetched again when half of what is left of it has passed, and is not used after it.

mod agreed;
mod content;

use std::rc::Rc;

use agreed::{Agreed, published, unpublished};
pub(in crate::identity) use content::{Content, Fault};

use super::Reach;
use crate::filter::{CallId, Callout, CalloutError, Cas, HttpCall, Reply, ServiceError, Services};
use crate::time::{Duration, Timestamp};

/// Most requests that wait for one fetch: what a flood can make a VM hold.
const MAX_WAITING: u32 = 1_000;
/// What a call may take beyond its timeout before it is taken for lost.
const GRACE: Duration = Duration::from_secs(1);
/// The wait after the first fetch that failed; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest wait after a fetch that failed.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// A text that is fetched, or stands in the configuration and stays.
pub(in crate::identity) struct Document<T: Content> {
    held: Option<Rc<T>>,
    rule: T::Rule,
    /// Counts those that differ from the one before: what was concluded from an older one may no longer hold.
    version: u32,
    fetched: Option<Fetched>,
}

/// Where it is fetched, and how often.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::identity) struct Fetching {
    /// The request.
    pub(in crate::identity) call: HttpCall,
    /// How long it is fresh.
    pub(in crate::identity) refresh: Duration,
    /// How long it may be used.
    pub(in crate::identity) keep: Duration,
    /// The least time between two fetches because something is missing in it.
    pub(in crate::identity) cool_down: Duration,
    /// What tells its shared data from that of others.
    pub(in crate::identity) name: String,
}

/// What became of a wish for another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::identity) enum Asked {
    /// There is none, and will be none soon.
    No,
    /// There is another now.
    Renewed,
    /// Too many wait already.
    TooMany,
    /// It is on the way: ask again when this call is over.
    Wait(CallId),
}

struct Fetched {
    kind: &'static str,
    shared: bool,
    from: Fetching,
    agreed: Agreed,
    /// The version of what is agreed, to win or lose against other VMs; `None`: shared data does not work.
    cas: Option<Cas>,
    /// Which one this VM has.
    generation: u64,
    since: Timestamp,
    call: Option<(CallId, Timestamp)>,
    waiting: u32,
    /// This VM does not fetch before, whatever others say.
    not_before: Timestamp,
    /// What was wrong with the last fetch of this VM.
    fault: Option<Fault>,
}

impl<T: Content<Rule = ()>> Document<T> {
    /// One that is configured, and stays.
    pub(in crate::identity) fn inline(content: T) -> Self {
        Self { held: Some(Rc::new(content)), rule: (), version: 0, fetched: None }
    }

    /// One that is yet to be fetched.
    pub(in crate::identity) fn fetched(from: Fetching) -> Self {
        Self::ruled(from, ())
    }
}

impl<T: Content> Document<T> {
    /// One that is yet to be fetched, and must be as the rule has it.
    pub(in crate::identity) fn ruled(from: Fetching, rule: T::Rule) -> Self {
        let fetched = Fetched {
            kind: T::NAME,
            shared: T::SHARED,
            from,
            agreed: Agreed::default(),
            cas: Some(Cas::ABSENT),
            generation: 0,
            since: Timestamp::default(),
            call: None,
            waiting: 0,
            not_before: Timestamp::default(),
            fault: None,
        };
        Self { held: None, rule, version: 0, fetched: Some(fetched) }
    }

    /// What there is, if it may be used now.
    pub(in crate::identity) fn usable(&self, now: Timestamp) -> Option<&Rc<T>> {
        let kept = self.fetched.as_ref().is_none_or(|fetched| now < fetched.since + fetched.from.keep);
        self.held.as_ref().filter(|held| kept && held.ends().is_none_or(|ends| now < ends))
    }

    /// What was wrong with the last fetch of this VM.
    pub(in crate::identity) fn fault(&self) -> Option<Fault> {
        self.fetched.as_ref()?.fault
    }

    /// How long ago it came.
    pub(in crate::identity) fn age(&self, now: Timestamp) -> Duration {
        self.fetched.as_ref().map(|fetched| now.since(fetched.since)).unwrap_or_default()
    }

    /// What there is, however old it may be.
    pub(in crate::identity) fn last(&self) -> Option<&Rc<T>> {
        self.held.as_ref()
    }

    /// Changes whenever the content does.
    pub(in crate::identity) fn version(&self) -> u32 {
        self.version
    }

    /// Takes what another VM has found, or fetches if it is time.
    pub(in crate::identity) fn on_tick(&mut self, now: Timestamp, reach: &mut dyn Reach) {
        self.catch_up(now, reach);
        let Some(fetched) = &mut self.fetched else { return };
        if !fetched.is_calling(now) && fetched.is_due(now) && fetched.take_turn(now, reach.services()) {
            fetched.begin(now, reach);
        }
    }

    /// There is no usable one, and a request needs it.
    pub(in crate::identity) fn want(&mut self, now: Timestamp, reach: &mut dyn Reach) -> Asked {
        self.catch_up(now, reach);
        if self.usable(now).is_some() {
            return Asked::Renewed;
        }
        let Some(fetched) = &mut self.fetched else { return Asked::No };
        if !fetched.is_calling(now) {
            if now < fetched.not_before || !(fetched.is_busy(now) || fetched.is_due(now)) {
                return Asked::No;
            }
            let _or_without_it = fetched.take_turn(now, reach.services());
            fetched.begin(now, reach);
        }
        fetched.wait()
    }

    /// A request needs something that is not in the usable one.
    pub(in crate::identity) fn want_another(&mut self, now: Timestamp, reach: &mut dyn Reach) -> Asked {
        let version = self.version;
        self.catch_up(now, reach);
        if self.version != version {
            return Asked::Renewed;
        }
        let Some(fetched) = &mut self.fetched else { return Asked::No };
        if !fetched.is_calling(now) {
            let cool = now >= fetched.agreed.tried + fetched.from.cool_down;
            if now < fetched.not_before || !(cool || fetched.is_busy(now)) {
                return Asked::No;
            }
            let _or_without_it = fetched.take_turn(now, reach.services());
            fetched.begin(now, reach);
            reach.count(&[T::NAME, ".missed"].concat());
        }
        fetched.wait()
    }

    /// The answer to a call. `false`: it was not for this one.
    pub(in crate::identity) fn on_reply(
        &mut self,
        call: CallId,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        reach: &mut dyn Reach,
    ) -> bool {
        let Some(fetched) = &mut self.fetched else { return false };
        if fetched.call.take_if(|(id, _)| *id == call).is_none() {
            return false;
        }
        fetched.waiting = 0;
        let read = self.read(reply, now);
        self.catch_up(now, reach);
        let Some(fetched) = &mut self.fetched else { return true };
        fetched.fault = read.as_ref().err().copied();
        match read {
            Ok((content, text)) => {
                fetched.publish(text, content.ends(), now, reach);
                self.hold(content);
                reach.count(&[T::NAME, ".fetched"].concat());
            }
            Err(_) => {
                fetched.put_off(now, reach);
                reach.count(&[T::NAME, ".fetch_failed"].concat());
            }
        }
        true
    }

    /// What an answer brought, and its text.
    fn read<'a>(&self, reply: Result<Reply<'a>, CalloutError>, now: Timestamp) -> Result<(T, &'a [u8]), Fault> {
        let reply = reply.map_err(Fault::Call)?;
        if reply.status != 200 {
            return Err(Fault::Status);
        }
        let content = T::read(reply.body, &self.rule, now).map_err(Fault::Content)?;
        if self.held.as_ref().is_some_and(|before| !content.follows(before)) {
            return Err(Fault::Content("older"));
        }
        Ok((content, reply.body))
    }

    /// Reads what the VMs agree on, and takes one that is newer than the own one.
    fn catch_up(&mut self, now: Timestamp, reach: &mut dyn Reach) {
        let Some(fetched) = self.fetched.as_mut().filter(|_| T::SHARED) else { return };
        let services = reach.services();
        if fetched.look(services).is_err() {
            return reach.count(&[T::NAME, ".shared_data_failed"].concat());
        }
        if fetched.agreed.generation <= fetched.generation {
            return;
        }
        let found = services.shared_get(&fetched.name("text")).ok().flatten();
        let found = found.as_ref().and_then(|shared| unpublished(&shared.value));
        let newer = found.filter(|(generation, _)| *generation >= fetched.agreed.generation);
        let Some(content) = newer.and_then(|(_, text)| T::read(text, &self.rule, now).ok()) else {
            // Whoever wrote this is not to be waited for.
            (fetched.agreed.due, fetched.agreed.busy_until) = Default::default();
            return;
        };
        fetched.generation = fetched.agreed.generation;
        fetched.since = fetched.agreed.fetched;
        self.hold(content);
    }

    fn hold(&mut self, content: T) {
        if self.held.as_deref() != Some(&content) {
            self.version = self.version.wrapping_add(1);
            self.held = Some(Rc::new(content));
        }
    }
}

impl Fetched {
    fn name(&self, part: &str) -> String {
        ["wardpoint.", self.kind, ".1.", &self.from.name, ".", part].concat()
    }

    fn is_calling(&self, now: Timestamp) -> bool {
        self.call.is_some_and(|(_, until)| now < until)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now >= self.not_before && (now >= self.agreed.due || now + self.from.refresh.max(LAST_RETRY) < self.agreed.due)
    }

    /// Whether another VM fetches.
    fn is_busy(&self, now: Timestamp) -> bool {
        self.agreed.is_busy(now, self.limit())
    }

    /// How long a fetch may take.
    fn limit(&self) -> Duration {
        self.from.call.timeout + GRACE
    }

    fn look(&mut self, services: &mut dyn Services) -> Result<(), ServiceError> {
        match services.shared_get(&self.name("state")) {
            Ok(None) => self.cas = Some(Cas::ABSENT),
            Ok(Some(shared)) => {
                self.cas = Some(shared.cas);
                // One that could not be shared is newer than what is agreed.
                let agreed = Agreed::read(&shared.value).unwrap_or_default();
                if agreed.generation >= self.agreed.generation {
                    self.agreed = agreed;
                }
            }
            Err(error) => {
                self.cas = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Tells the other VMs that this one fetches. `false`: one of them does.
    fn take_turn(&mut self, now: Timestamp, services: &mut dyn Services) -> bool {
        if self.is_busy(now) {
            return false;
        }
        let mine = Agreed { tried: now, busy_until: now + self.limit(), ..self.agreed };
        self.agree(mine, services) != Err(ServiceError::CasMismatch)
    }

    fn begin(&mut self, now: Timestamp, reach: &mut dyn Reach) {
        self.not_before = now + FIRST_RETRY;
        self.waiting = 0;
        self.call = Some((reach.call(Callout::Http(self.from.call.clone())), now + self.limit()));
    }

    fn wait(&mut self) -> Asked {
        match self.call {
            Some(_) if self.waiting >= MAX_WAITING => Asked::TooMany,
            Some((call, _)) => {
                self.waiting += 1;
                Asked::Wait(call)
            }
            None => Asked::No,
        }
    }

    /// Writes what is to be agreed on. Where that cannot be done it holds for this VM.
    fn agree(&mut self, mine: Agreed, services: &mut dyn Services) -> Result<(), ServiceError> {
        let written = match self.cas {
            _ if !self.shared => Ok(()),
            Some(cas) => services.shared_set(&self.name("state"), &mine.to_bytes(), Some(cas)),
            None => Err(ServiceError::Failed),
        };
        if written != Err(ServiceError::CasMismatch) {
            self.agreed = mine;
        }
        written
    }

    /// A good one came: this VM has it, and the others are told.
    fn publish(&mut self, text: &[u8], ends: Option<Timestamp>, now: Timestamp, reach: &mut dyn Reach) {
        let half = ends.map(|ends| ends.since(now) / 2);
        let refresh = half.map_or(self.from.refresh, |half| half.min(self.from.refresh));
        let due = now + (refresh - refresh / 5 * chance(reach.services()) / 256);
        self.not_before = now + self.from.cool_down.min(refresh);
        self.since = now;
        for _ in 0..3 {
            let generation = self.agreed.generation + 1;
            let mine = Agreed { generation, fetched: now, tried: now, due, ..Agreed::default() };
            self.generation = generation;
            let services = reach.services();
            let written = match self.shared {
                true => services.shared_set(&self.name("text"), &published(generation, text), None),
                false => Ok(()),
            };
            match written.and_then(|()| self.agree(mine, services)) {
                Ok(()) => return,
                Err(ServiceError::CasMismatch) if self.look(services).is_ok() => {}
                Err(_) => {
                    self.agreed = mine;
                    break;
                }
            }
        }
        reach.count(&[self.kind, ".shared_data_failed"].concat());
    }

    /// None came. Where another VM has news, they are read at the next tick.
    fn put_off(&mut self, now: Timestamp, reach: &mut dyn Reach) {
        let failures = self.agreed.failures.saturating_add(1);
        let wait = (FIRST_RETRY * (1 << failures.min(8)) / 2).min(LAST_RETRY);
        let due = now + (wait - wait / 2 * chance(reach.services()) / 256);
        self.not_before = due;
        let mine = Agreed { due, failures, busy_until: Timestamp::default(), ..self.agreed };
        let _or_for_itself = self.agree(mine, reach.services());
    }
}

/// A random number below 256. Without one all VMs do things at one time, which is only less kind to others.
fn chance(services: &mut dyn Services) -> u32 {
    let mut byte = [0];
    let _or_zero = services.random(&mut byte);
    byte[0].into()
}
