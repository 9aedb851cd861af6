//! What both a stream and the root can do: ask the host, and make calls on the root.

use crate::filter::{CallId, Callout, Effects, RootEffects, Services};

/// The sink of an event, whichever it is.
pub(crate) trait Reach {
    /// Host services.
    fn services(&mut self) -> &mut dyn Services;

    /// Makes a call on the root, which streams may await.
    fn call(&mut self, callout: Callout) -> CallId;

    /// Adds one to a counter.
    fn count(&mut self, name: &str);
}

impl Reach for Effects<'_> {
    fn services(&mut self) -> &mut dyn Services {
        Effects::services(self)
    }

    fn call(&mut self, callout: Callout) -> CallId {
        self.call_out_shared(callout)
    }

    fn count(&mut self, name: &str) {
        Effects::count(self, name);
    }
}

impl Reach for RootEffects<'_> {
    fn services(&mut self) -> &mut dyn Services {
        RootEffects::services(self)
    }

    fn call(&mut self, callout: Callout) -> CallId {
        self.call_out(callout)
    }

    fn count(&mut self, name: &str) {
        RootEffects::count(self, name);
    }
}
