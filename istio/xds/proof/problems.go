package proof

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"wardpoint/istio/xds/mesh"
)

// Names of filters that the order is measured by.
const (
	jwtAuthn = "envoy.filters.http.jwt_authn"
	rbac     = "envoy.filters.http.rbac"
	// It is in every chain, so it stands for the end of the phase AUTHZ.
	grpcStats = "envoy.filters.http.grpc_stats"
)

// Problems is every place where istiod made something else of the manifests than they say; empty if they are as they should be.
// That a plugin attaches to nothing is one: no validator of Istio's sees that.
func Problems(objects []mesh.Object, snapshots []*mesh.Snapshot) ([]string, error) {
	deliveries, err := Deliveries(objects)
	if err != nil {
		return nil, err
	}
	var found problems
	if err := found.enrolment(objects, snapshots); err != nil {
		return nil, err
	}
	for _, delivery := range deliveries {
		if err := found.attachment(delivery, objects, snapshots); err != nil {
			return nil, err
		}
	}
	for _, snapshot := range snapshots {
		chains, err := snapshot.Chains()
		if err != nil {
			return nil, err
		}
		for _, chain := range chains {
			found.order(snapshot.Waypoint, chain, deliveries)
		}
	}
	sort.Strings(found)
	return found, nil
}

type problems []string

func (p *problems) add(delivery Delivery, format string, args ...any) {
	*p = append(*p, fmt.Sprintf("%s (%s): ", delivery.From, delivery.Filter)+fmt.Sprintf(format, args...))
}

// Whether the plugin is in the chains of its targets, in no other, and as it was written.
func (p *problems) attachment(delivery Delivery, objects []mesh.Object, snapshots []*mesh.Snapshot) error {
	if len(delivery.Targets) == 0 {
		p.add(delivery, "has no target, so no waypoint takes it")
	}
	met := make([]bool, len(delivery.Targets))
	for _, snapshot := range snapshots {
		chains, err := snapshot.Chains()
		if err != nil {
			return err
		}
		attached := false
		for _, chain := range chains {
			wanted := false
			for index, target := range delivery.Targets {
				if covers(delivery, target, snapshot.Waypoint, chain, objects) {
					wanted, met[index] = true, true
				}
			}
			place := chain.Index(delivery.Filter)
			switch {
			case wanted && place < 0:
				p.add(delivery, "is not in the chain %s of %s", chain.Name, snapshot.Waypoint)
			case !wanted && place >= 0:
				p.add(delivery, "is in the chain %s of %s, which is none of its targets", chain.Name, snapshot.Waypoint)
			case place >= 0:
				attached = true
				p.content(delivery, snapshot.Waypoint, chain.Filters[place])
			}
		}
		if attached {
			p.callouts(delivery, snapshot)
			p.routes(delivery, snapshot)
		}
	}
	for index, target := range delivery.Targets {
		if !met[index] {
			p.add(delivery, "attaches to nothing: no chain of a waypoint is of the %s %s", target.Text("kind"), target.Text("name"))
		}
	}
	return nil
}

func (p *problems) content(delivery Delivery, waypoint mesh.Waypoint, filter mesh.Filter) {
	if !filter.Discovered || filter.Wasm == nil {
		p.add(delivery, "does not come by ECDS to %s", waypoint)
		return
	}
	plugin := filter.Wasm.GetConfig()
	compare := func(what string, is, wanted any) {
		if !reflect.DeepEqual(is, wanted) {
			p.add(delivery, "%s is %v, not %v", what, is, wanted)
		}
	}
	compare("the root id", plugin.GetRootId(), delivery.Root)
	compare("the failure policy", plugin.GetFailurePolicy().String(), delivery.Policy)
	compare("the header hold", plugin.GetAllowOnHeadersStopIteration().GetValue(), delivery.Hold)
	config, err := configOf(filter.Wasm)
	if err != nil {
		p.add(delivery, "its configuration cannot be read: %v", err)
	}
	compare("the plugin configuration", config, delivery.Config)
}

// Whether every cluster that the plugin calls is there.
func (p *problems) callouts(delivery Delivery, snapshot *mesh.Snapshot) {
	for _, cluster := range Clusters(delivery.Config) {
		if !snapshot.HasCluster(cluster) {
			p.add(delivery, "calls the cluster %s, which %s does not have", cluster, snapshot.Waypoint)
		}
	}
}

// Whether requests come to each service that a route is bound to.
func (p *problems) routes(delivery Delivery, snapshot *mesh.Snapshot) {
	config, _ := delivery.Config.(map[string]any)
	routes, _ := config["routes"].([]any)
	for _, route := range routes {
		route, _ := route.(map[string]any)
		service, bound := route["service"].(string)
		reached := slices.ContainsFunc(snapshot.Clusters, func(cluster *cluster.Cluster) bool {
			name := cluster.GetName()
			return strings.HasPrefix(name, "inbound-vip|") && strings.HasSuffix(name, "|"+service)
		})
		if bound && !reached {
			p.add(delivery, "has a route to %s, to which %s sends nothing", service, snapshot.Waypoint)
		}
	}
}

// Clusters is every text at a member `cluster`: what a plugin calls.
func Clusters(config any) []string {
	found := map[string]bool{}
	each(config, func(name string, value any) {
		if text, ok := value.(string); ok && name == "cluster" {
			found[text] = true
		}
	})
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func each(value any, see func(name string, value any)) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			see(name, member)
			each(member, see)
		}
	case []any:
		for _, item := range value {
			each(item, see)
		}
	}
}

// Whether the plugins of a chain stand where their phases and priorities say.
func (p *problems) order(waypoint mesh.Waypoint, chain mesh.Chain, deliveries []Delivery) {
	place := func(name string, absent int) int {
		if index := chain.Index(name); index >= 0 {
			return index
		}
		return absent
	}
	claims, access, end := place(jwtAuthn, -1), place(rbac, len(chain.Filters)), place(grpcStats, -1)
	if end < 0 {
		*p = append(*p, fmt.Sprintf("the chain %s of %s has no %s", chain.Name, waypoint, grpcStats))
	}
	for _, delivery := range deliveries {
		at := chain.Index(delivery.Filter)
		if at < 0 {
			continue
		}
		right := true
		switch {
		case delivery.From.Kind() == "EnvoyFilter":
			right = claims < at && at < end
		case delivery.Phase == "AUTHN":
			right = claims < 0 || at < claims
		case delivery.Phase == "AUTHZ":
			right = claims < at && at < access && at < end
		default:
			right = end < at
		}
		if !right {
			p.add(delivery, "is at place %d of the chain %s of %s, which is not its phase %s: %v",
				at, chain.Name, waypoint, delivery.Phase, chain.Names())
		}
		p.priorities(delivery, waypoint, chain, deliveries)
	}
}

func (p *problems) priorities(delivery Delivery, waypoint mesh.Waypoint, chain mesh.Chain, deliveries []Delivery) {
	if delivery.From.Kind() == "EnvoyFilter" {
		return
	}
	if delivery.Priority == nil {
		p.add(delivery, "has no priority, so it runs last in its phase")
		return
	}
	for _, other := range deliveries {
		if other.Priority == nil || other.Phase != delivery.Phase || *other.Priority >= *delivery.Priority {
			continue
		}
		if after := chain.Index(other.Filter); after >= 0 && after < chain.Index(delivery.Filter) {
			p.add(delivery, "runs after %s in the chain %s of %s in spite of its priority", other.Filter, chain.Name, waypoint)
		}
	}
}
