package proof

import (
	"fmt"
	"slices"
	"strings"

	"wardpoint/istio/xds/mesh"
)

// RootNamespace is where a resource must live to attach to the class of waypoints.
const RootNamespace = "istio-system"

// Whether a manifest that targets this means this chain.
func covers(delivery Delivery, target mesh.Object, waypoint mesh.Waypoint, chain mesh.Chain, objects []mesh.Object) bool {
	from := delivery.From
	if len(delivery.Chains) > 0 && !slices.Contains(delivery.Chains, chain.Name) {
		return false
	}
	if namespace := target.Text("namespace"); namespace != "" && namespace != from.Namespace() {
		return false
	}
	name := target.Text("name")
	switch target.Text("kind") {
	case "Gateway":
		return name == waypoint.Name && from.Namespace() == waypoint.Namespace
	case "GatewayClass":
		return name == mesh.WaypointClass && from.Namespace() == RootNamespace
	case "Service":
		return serves(chain, name+"."+from.Namespace()+".svc.cluster.local")
	case "ServiceEntry":
		return slices.ContainsFunc(objects, func(object mesh.Object) bool {
			entry := object.Kind() == "ServiceEntry" && object.Name() == name && object.Namespace() == from.Namespace()
			return entry && slices.ContainsFunc(object.Map("spec").Texts("hosts"), func(host string) bool { return serves(chain, host) })
		})
	}
	return false
}

// Whether each service that is to be behind a waypoint has a chain there: without one its traffic goes past every plugin. Istiod says
// nothing, for example where the Gateway takes no services of another namespace (`allowedRoutes`).
func (p *problems) enrolment(objects []mesh.Object, snapshots []*mesh.Snapshot) error {
	for _, object := range objects {
		labels := object.Map("metadata", "labels")
		waypoint := labels.Text("istio.io/use-waypoint")
		if waypoint == "" || waypoint == "none" || object.Kind() != "Service" && object.Kind() != "ServiceEntry" {
			continue
		}
		namespace := labels.Text("istio.io/use-waypoint-namespace")
		if namespace == "" {
			namespace = object.Namespace()
		}
		hosts := object.Map("spec").Texts("hosts")
		if object.Kind() == "Service" {
			hosts = []string{object.Name() + "." + object.Namespace() + ".svc.cluster.local"}
		}
		for _, host := range hosts {
			found := false
			for _, snapshot := range snapshots {
				if snapshot.Waypoint.Namespace != namespace || snapshot.Waypoint.Name != waypoint {
					continue
				}
				chains, err := snapshot.Chains()
				if err != nil {
					return err
				}
				found = found || slices.ContainsFunc(chains, func(chain mesh.Chain) bool { return serves(chain, host) })
			}
			if !found {
				*p = append(*p, fmt.Sprintf("%s is not behind the waypoint %s/%s: it has no chain for %s", object, namespace, waypoint, host))
			}
		}
	}
	return nil
}

// The chain of a service is named `inbound-vip|PORT|http|HOST`.
func serves(chain mesh.Chain, host string) bool {
	parts := strings.Split(chain.Name, "|")
	return len(parts) == 4 && parts[3] == host
}
