package proof

import (
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

// The chain of a service is named `inbound-vip|PORT|http|HOST`.
func serves(chain mesh.Chain, host string) bool {
	parts := strings.Split(chain.Name, "|")
	return len(parts) == 4 && parts[3] == host
}
