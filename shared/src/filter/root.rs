//! The machine of one VM: the plugin, its calls, and the streams that it makes.

use std::collections::VecDeque;

use super::effects::{CallIds, RootEffects};
use super::services::Services;
use super::step::{CallId, RootOp};
use super::stream::Stream;
use super::{CalloutError, Plugin, Reply, Settings};
use crate::config::ConfigErrors;
use crate::secret::Secret;
use crate::time::Timestamp;

/// One per VM and configuration. One event in, then drain [`Root::poll_op`] before the next.
pub struct Root<P: Plugin> {
    plugin: P,
    settings: Settings,
    ids: CallIds,
    /// Set when a body came while headers were held: then this host can do it, and a slow client is only slow.
    hold_proven: std::rc::Rc<core::cell::Cell<bool>>,
    ops: VecDeque<RootOp>,
}

impl<P: Plugin> Root<P> {
    /// Text to plugin; all problems at once.
    pub fn configure(config: &[u8]) -> Result<Self, ConfigErrors> {
        Self::of(P::configure(config)?)
    }

    /// [`Root::configure`] for a plugin that has [`Plugin::SECRETS`].
    pub fn equipped(config: &[u8], secret: &mut dyn FnMut(&str) -> Option<Secret<String>>) -> Result<Self, ConfigErrors> {
        Self::of(P::configure(config)?.equip(secret)?)
    }

    fn of(plugin: P) -> Result<Self, ConfigErrors> {
        let settings = plugin.settings();
        Ok(Self { plugin, settings, ids: CallIds::default(), hold_proven: Default::default(), ops: VecDeque::new() })
    }

    /// What every stream needs to know.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The machine of a new stream.
    pub fn stream(&self) -> Stream<P::Filter> {
        Stream::new(P::NAME, self.plugin.filter(), self.settings.clone(), self.ids.clone(), self.hold_proven.clone())
    }

    /// Every [`super::TICK_PERIOD`]. The driver gives [`super::Event::Tick`] to each stream as well.
    pub fn on_tick(&mut self, now: Timestamp, services: &mut dyn Services) {
        let mut fx = RootEffects { plugin: P::NAME, ops: &mut self.ops, services, ids: &self.ids };
        self.plugin.on_tick(now, &mut fx);
    }

    /// The answer to a call of the root. The driver gives it to the streams that await it as well.
    pub fn on_reply(
        &mut self,
        call: CallId,
        now: Timestamp,
        reply: Result<Reply<'_>, CalloutError>,
        services: &mut dyn Services,
    ) {
        let mut fx = RootEffects { plugin: P::NAME, ops: &mut self.ops, services, ids: &self.ids };
        self.plugin.on_reply(call, now, reply, &mut fx);
    }

    /// What is to be done next.
    pub fn poll_op(&mut self) -> Option<RootOp> {
        self.ops.pop_front()
    }
}
