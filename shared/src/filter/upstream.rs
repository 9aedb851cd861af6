//! Where a proxy sends a request, by what it calls that itself: whatever the caller says of the host moves it nowhere (BY-X-02).

use std::rc::Rc;

use super::{Properties, PropertyPath};

/// The property in which Envoy says which cluster the route of a request has. It is there from the headers on (1.38 to 1.40).
const CLUSTER: [&str; 2] = ["xds", "cluster_name"];

/// `own`, and behind them the property that [`cluster`] reads.
pub fn with_cluster(own: &[PropertyPath]) -> Rc<[PropertyPath]> {
    let cluster = PropertyPath(CLUSTER.map(str::to_owned).to_vec());
    own.iter().cloned().chain([cluster]).collect()
}

/// The name of the cluster, which stands behind `own` other properties. One that the host cannot say, that is empty or no text is one
/// that it does not say.
pub fn cluster(properties: Properties<'_>, own: usize) -> Option<&str> {
    let name = properties.get(own).ok().flatten()?;
    core::str::from_utf8(name).ok().filter(|name| !name.is_empty())
}

/// The host of the service in a cluster's name of Istio, `direction|port|subset|host`; `None` if it is no such name, or without a host.
pub fn service(cluster: &str) -> Option<&str> {
    let mut parts = cluster.split('|');
    let host = parts.nth(3).filter(|host| !host.is_empty())?;
    parts.next().is_none().then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::PropertyError;

    #[test]
    fn a_service_is_the_host_of_a_name_of_istio() {
        for (name, want) in [
            ("inbound-vip|8080|http|a.ns.svc.cluster.local", Some("a.ns.svc.cluster.local")),
            ("outbound|443||git.example", Some("git.example")),
            ("outbound|80|v2|a", Some("a")),
            ("inbound|8080||", None),
            ("a.ns.svc.cluster.local", None),
            ("outbound|443|git.example", None),
            ("outbound|443||git.example|x", None),
            ("outbound|443||git.example|", None),
            ("outbound_.443_._.git.example", None),
            ("|||a", Some("a")),
            ("", None),
        ] {
            assert_eq!(service(name), want, "{name}");
        }
    }

    #[test]
    fn what_the_host_cannot_say_it_does_not_say() {
        let own = Ok(Some(b"peer".to_vec()));
        let said = |value| cluster(Properties::new(&[own.clone(), value]), 1).map(str::to_owned);
        assert_eq!(said(Ok(Some(b"files".to_vec()))).as_deref(), Some("files"));
        for value in [Ok(None), Err(PropertyError), Ok(Some(Vec::new())), Ok(Some(b"\xff".to_vec()))] {
            assert_eq!(said(value.clone()), None, "{value:?}");
        }
        // Nothing is declared behind the own ones.
        assert_eq!(cluster(Properties::new(&[own]), 1), None);
        assert_eq!(with_cluster(&[PropertyPath(vec!["a".into()])])[1].0, CLUSTER);
    }
}
