//! Where the audit records of an exchange go: none is ever without a place.

use std::rc::Rc;

use super::step::{Counted, Counter};
use crate::audit::Record;
use crate::time::Duration;

/// What stands before a record in the proxy's log.
const PREFIX: &str = "wardpoint.audit ";
/// Bytes of records that one exchange may leave for the access log: some twenty. What is more goes to the log.
const SHARE: usize = 16 << 10;

/// Where records go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destinations {
    /// To the proxy's log, at once.
    pub log: bool,
    /// To the access log, when the exchange is over.
    pub access_log: bool,
    /// The property that the access log finds them in: [`left_as`].
    pub left_as: Rc<str>,
}

/// What a driver lends to write to.
pub trait Sink {
    /// Writes a line to the proxy's log; whether it could.
    fn log(&mut self, line: &str) -> bool;

    /// Leaves a list of records for the access log in this property, in the place of the last one; whether it could.
    fn leave(&mut self, property: &str, list: &str) -> bool;

    /// Adds one to a counter.
    fn count(&mut self, counter: Counter);
}

/// The records of one exchange.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Those that were left for the access log: a JSON array without its last bracket.
    left: String,
}

/// For plugins that are made up.
impl Default for Destinations {
    fn default() -> Self {
        Self::both("")
    }
}

impl Destinations {
    /// To both places.
    pub fn both(plugin: &str) -> Self {
        Self { log: true, access_log: true, left_as: left_as(plugin, None).into() }
    }
}

/// The property that a plugin leaves its records in. The proxy keeps it as filter state, with `wasm.` before.
pub fn left_as(plugin: &str, own: Option<&str>) -> String {
    let mut name = format!("wardpoint_{}", plugin.replace('-', "_"));
    if let Some(own) = own {
        name.extend([".", own]);
    }
    name
}

impl Trail {
    /// Leaves a list of no records where one will be left later, for a guard that is asked before. Where it cannot be left the
    /// guard refuses, and the record says so.
    pub(super) fn mark(&self, to: &Destinations, sink: &mut dyn Sink) {
        if to.access_log && self.left.is_empty() {
            let _left = sink.leave(&to.left_as, "[]");
        }
    }

    /// Writes a record wherever it is to go. What the access log cannot take goes to the log; what is lost is counted.
    pub(super) fn write(&mut self, to: &Destinations, record: &Record, took: Duration, sink: &mut dyn Sink) {
        let lost = |what: &str| Counter { plugin: record.plugin, what: Counted::Other(format!("audit_lost.{what}")) };
        let before = self.left.len();
        let mut left = false;
        if to.access_log {
            self.left.reserve(768);
            self.left.push(if before == 0 { '[' } else { ',' });
            record.push_json(&mut self.left, took);
            if self.left.len() < SHARE {
                self.left.push(']');
                left = sink.leave(&to.left_as, &self.left);
                self.left.pop();
                if !left {
                    sink.count(lost("filter_state"));
                }
            }
        }
        if to.log || !left {
            let mut line = String::with_capacity(768);
            line.push_str(PREFIX);
            match self.left.get(before + 1..) {
                Some(json) => line.push_str(json),
                None => record.push_json(&mut line, took),
            }
            if !sink.log(&line) {
                sink.count(lost("log"));
            }
        }
        if !left {
            self.left.truncate(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{About, Outcome};
    use crate::policy::{Mode, PolicyId};
    use crate::time::Timestamp;

    /// A proxy that has what was written last.
    #[derive(Default)]
    struct Proxy {
        lines: Vec<String>,
        list: String,
        lost: Vec<String>,
        no_log: bool,
        no_state: bool,
    }

    impl Sink for Proxy {
        fn log(&mut self, line: &str) -> bool {
            self.lines.extend((!self.no_log).then(|| line.to_owned()));
            !self.no_log
        }

        fn leave(&mut self, property: &str, list: &str) -> bool {
            assert_eq!(property, "wardpoint_mcp_authz");
            if !self.no_state {
                list.clone_into(&mut self.list);
            }
            !self.no_state
        }

        fn count(&mut self, counter: Counter) {
            self.lost.push(counter.to_string());
        }
    }

    /// To the log, to the access log.
    type To = (bool, bool);
    const BOTH: To = (true, true);
    const LOG: To = (true, false);
    const ACCESS_LOG: To = (false, true);

    fn to((log, access_log): To) -> Destinations {
        Destinations { log, access_log, ..Destinations::both("mcp-authz") }
    }

    fn record(name: &str) -> Record {
        Record {
            time: Timestamp::default(),
            plugin: "mcp-authz",
            policy: PolicyId::default(),
            trace: None,
            request: "r".into(),
            about: About { action: Some(name.to_owned()), ..About::default() },
            outcome: Outcome::Allow,
            reason: None,
            rule: None,
            tier: None,
            mode: Mode::Enforce,
            late: false,
        }
    }

    fn written(places: To, names: &[&str], mut proxy: Proxy) -> Proxy {
        let mut trail = Trail::default();
        for name in names {
            trail.write(&to(places), &record(name), Duration::ZERO, &mut proxy);
        }
        proxy
    }

    fn json(name: &str) -> String {
        record(name).to_json(Duration::ZERO)
    }

    #[test]
    fn each_record_goes_where_it_should() {
        let list = format!("[{},{}]", json("a"), json("b"));
        let lines = ["a", "b"].map(|name| format!("wardpoint.audit {}", json(name)));
        let both = written(BOTH, &["a", "b"], Proxy::default());
        assert_eq!((both.lines.as_slice(), &both.list), (&lines[..], &list));
        let log = written(LOG, &["a", "b"], Proxy::default());
        assert_eq!((log.lines.as_slice(), log.list.as_str()), (&lines[..], ""));
        let access_log = written(ACCESS_LOG, &["a", "b"], Proxy::default());
        assert_eq!((access_log.lines.as_slice(), &access_log.list), (&[][..], &list));
        assert!([both, log, access_log].iter().all(|proxy| proxy.lost.is_empty()));
    }

    #[test]
    fn what_the_access_log_cannot_take_goes_to_the_log() {
        let proxy = written(ACCESS_LOG, &["a", "b"], Proxy { no_state: true, ..Proxy::default() });
        assert_eq!(proxy.lines, ["a", "b"].map(|name| format!("wardpoint.audit {}", json(name))));
        assert_eq!(proxy.lost, ["wardpoint.mcp-authz.audit_lost.filter_state"; 2]);
        let proxy = written(ACCESS_LOG, &["a"], Proxy { no_state: true, no_log: true, ..Proxy::default() });
        assert_eq!(proxy.lost, ["wardpoint.mcp-authz.audit_lost.filter_state", "wardpoint.mcp-authz.audit_lost.log"]);
    }

    #[test]
    fn a_mark_is_a_list_that_a_record_takes_the_place_of() {
        for (places, mark) in [(BOTH, "[]"), (ACCESS_LOG, "[]"), (LOG, "")] {
            let mut proxy = Proxy::default();
            let mut trail = Trail::default();
            trail.mark(&to(places), &mut proxy);
            assert_eq!((proxy.list.as_str(), proxy.lines.len(), proxy.lost.len()), (mark, 0, 0));
            trail.write(&to(places), &record("a"), Duration::ZERO, &mut proxy);
            let list = if mark.is_empty() { String::new() } else { format!("[{}]", json("a")) };
            assert_eq!(proxy.list, list);
            trail.mark(&to(places), &mut proxy);
            assert_eq!(proxy.list, list, "a record is not taken back");
        }
    }

    #[test]
    fn the_share_of_an_exchange_is_bounded_and_nothing_is_lost() {
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let proxy = written(ACCESS_LOG, &names, Proxy::default());
        assert!(proxy.list.len() <= SHARE && proxy.list.len() > SHARE - 1000, "{}", proxy.list.len());
        let left = proxy.list.matches(r#"{"v":1"#).count();
        assert_eq!((left + proxy.lines.len(), proxy.lost.len()), (100, 0));
        for (number, name) in names.iter().enumerate() {
            let json = json(name);
            assert_eq!(proxy.list.contains(&json), number < left, "{number}");
            assert_eq!(proxy.lines.iter().any(|line| line.contains(&json)), number >= left, "{number}");
        }
    }
}
