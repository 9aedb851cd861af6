//! What called services answer, as a play says it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::engine::Sent;
use crate::transcript::Called;

/// How a callout ends.
#[derive(Clone, Debug)]
pub enum CalloutScript {
    /// With this answer, after this time.
    Answer(Sent, Duration),
    /// The connection is reset.
    Reset,
    /// Never; the proxy's time limit ends it.
    Silence,
    /// The cluster does not exist.
    NoCluster,
}

/// The answers of all called services.
#[derive(Clone, Debug)]
pub enum Callouts {
    /// In the order of the calls, whoever is called.
    InOrder(VecDeque<CalloutScript>),
    /// By the name of the cluster that is called.
    Of(BTreeMap<String, Answers>),
}

/// The answers of one cluster.
#[derive(Clone, Debug)]
pub enum Answers {
    /// In the order of its calls.
    InOrder(VecDeque<CalloutScript>),
    /// The same for every call. Each VM of a real proxy may make such a call, and when it does is nobody's business: calls
    /// that are equal count as one, before all others.
    Always(CalloutScript),
}

impl Callouts {
    /// The answer to the next call of this cluster; `None`: there is nobody to answer it.
    pub fn next(&mut self, cluster: &str) -> Option<CalloutScript> {
        match self {
            Self::InOrder(scripts) => scripts.pop_front(),
            Self::Of(clusters) => match clusters.get_mut(cluster)? {
                Answers::InOrder(scripts) => scripts.pop_front(),
                Answers::Always(script) => Some(script.clone()),
            },
        }
    }

    /// All that may be answered.
    pub fn all(&self) -> Vec<&CalloutScript> {
        match self {
            Self::InOrder(scripts) => scripts.iter().collect(),
            Self::Of(clusters) => clusters.values().flat_map(Answers::all).collect(),
        }
    }

    /// Nobody is called.
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// Whether this cluster answers every call.
    pub fn is_always(&self, cluster: &str) -> bool {
        matches!(self, Self::Of(clusters) if matches!(clusters.get(cluster), Some(Answers::Always(_))))
    }

    /// Whether any cluster does.
    pub fn has_always(&self) -> bool {
        matches!(self, Self::Of(clusters) if clusters.values().any(|answers| matches!(answers, Answers::Always(_))))
    }

    /// Whether this cluster does not exist; `None`: that changes from one call to the next.
    pub fn is_missing(&self, cluster: &str) -> Option<bool> {
        let scripts = match self {
            Self::InOrder(scripts) => scripts.iter().collect(),
            Self::Of(clusters) => clusters.get(cluster).map(Answers::all).unwrap_or_default(),
        };
        let missing = scripts.iter().filter(|script| matches!(script, CalloutScript::NoCluster)).count();
        (missing == 0 || missing == scripts.len()).then_some(missing > 0)
    }

    /// What was called, without what nobody can tell beforehand: see [`Answers::Always`].
    pub fn certain(&self, called: Vec<Called>) -> Vec<Called> {
        let (mut always, in_order): (Vec<_>, Vec<_>) = called.into_iter().partition(|call| self.is_always(&call.cluster));
        always.sort();
        always.dedup();
        always.extend(in_order);
        always
    }
}

impl Answers {
    fn all(&self) -> Vec<&CalloutScript> {
        match self {
            Self::InOrder(scripts) => scripts.iter().collect(),
            Self::Always(script) => vec![script],
        }
    }
}

impl Default for Callouts {
    fn default() -> Self {
        Self::InOrder(VecDeque::new())
    }
}

impl From<Vec<CalloutScript>> for Callouts {
    fn from(scripts: Vec<CalloutScript>) -> Self {
        Self::InOrder(scripts.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(cluster: &str, body: &str) -> Called {
        Called { cluster: cluster.to_owned(), headers: Vec::new(), body: body.into() }
    }

    fn mixed() -> Callouts {
        let sts = Answers::InOrder(vec![CalloutScript::Reset, CalloutScript::Silence].into());
        Callouts::Of(BTreeMap::from([("idp".to_owned(), Answers::Always(CalloutScript::NoCluster)), ("sts".to_owned(), sts)]))
    }

    #[test]
    fn a_cluster_has_its_own_answers() {
        let mut callouts = mixed();
        let next: Vec<_> = ["idp", "sts", "other", "idp", "sts", "sts", "idp"].map(|name| callouts.next(name)).into();
        assert!(
            matches!(
                next.as_slice(),
                [
                    Some(CalloutScript::NoCluster),
                    Some(CalloutScript::Reset),
                    None,
                    Some(CalloutScript::NoCluster),
                    Some(CalloutScript::Silence),
                    None,
                    Some(CalloutScript::NoCluster),
                ]
            ),
            "{next:?}"
        );
        let mut callouts = Callouts::from(vec![CalloutScript::Reset]);
        assert!(matches!((callouts.next("any"), callouts.next("any")), (Some(CalloutScript::Reset), None)));
    }

    #[test]
    fn one_cluster_may_be_missing_and_not_another() {
        let callouts = mixed();
        assert_eq!(["idp", "sts", "other"].map(|name| callouts.is_missing(name)), [Some(true), Some(false), Some(false)]);
        let sometimes = Callouts::from(vec![CalloutScript::Reset, CalloutScript::NoCluster]);
        assert_eq!(sometimes.is_missing("any"), None);
    }

    #[test]
    fn how_often_the_same_is_asked_is_not_seen() {
        let seen = vec![called("idp", "b"), called("sts", "1"), called("idp", "a"), called("sts", "1"), called("idp", "b")];
        let certain = [called("idp", "a"), called("idp", "b"), called("sts", "1"), called("sts", "1")];
        assert_eq!(mixed().certain(seen.clone()), certain);
        assert_eq!(Callouts::default().certain(seen.clone()), seen);
    }
}
