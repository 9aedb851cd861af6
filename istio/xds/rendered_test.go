package xds

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	rbacconfig "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// What `wardpoint render` makes of the example; a test of the command says when it is stale.
const rendered = "../../examples/one-declaration/manifests.yaml"

var identity = regexp.MustCompile(`spiffe://[^"]+/sa/[a-z]+`)

func TestWhatIsRenderedIsTakenAndStandsInTheChains(t *testing.T) {
	written := read(t, rendered)
	for _, object := range written {
		if err := refusal(t, object); err != nil {
			t.Errorf("%s: %v", object, err)
		}
	}
	objects := live.Keyed(written, noKeys)
	for _, problem := range problems(t, objects, objects) {
		t.Error(problem)
	}
	wanted := map[string][]string{
		"inbound-vip|8080|http|files.tools.svc.cluster.local":     {"spiffe://cluster.local/ns/agents/sa/planner"},
		"inbound-vip|8080|http|mail.tools.svc.cluster.local":      {"spiffe://cluster.local/ns/agents/sa/mailer", "spiffe://cluster.local/ns/agents/sa/planner"},
		"inbound-vip|9000|http|reports.finance.svc.cluster.local": {"spiffe://cluster.local/ns/jobs/sa/scheduler"},
		// What is in no Service: nobody.
		"direct-http": nil,
	}
	seen := map[string]bool{}
	for _, snapshot := range snapshots(t, objects) {
		for chain, found := range allowed(t, snapshot) {
			seen[chain] = true
			if !slices.Equal(found, wanted[chain]) {
				t.Errorf("%s: %v, wanted %v", chain, found, wanted[chain])
			}
		}
	}
	if len(seen) != len(wanted) {
		t.Errorf("chains: %v", slices.Collect(maps.Keys(seen)))
	}
}

// Whom the mesh lets into each chain: the identities in the rules that allow. A chain without such rules lets in everybody.
func allowed(t *testing.T, snapshot *mesh.Snapshot) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, listener := range snapshot.Listeners {
		if listener.GetName() != "main_internal" {
			continue
		}
		for _, chain := range append(listener.GetFilterChains(), listener.GetDefaultFilterChain()) {
			for _, network := range chain.GetFilters() {
				var http manager.HttpConnectionManager
				if network.GetTypedConfig().UnmarshalTo(&http) != nil {
					continue
				}
				found[chain.GetName()] = []string{"everybody"}
				for _, filter := range http.GetHttpFilters() {
					var rules rbac.RBAC
					if filter.GetTypedConfig().UnmarshalTo(&rules) != nil || rules.GetRules() == nil || rules.GetRules().GetAction() != rbacconfig.RBAC_ALLOW {
						continue
					}
					text, err := protojson.Marshal(rules.GetRules())
					if err != nil {
						t.Fatal(err)
					}
					names := identity.FindAllString(string(text), -1)
					slices.Sort(names)
					found[chain.GetName()] = slices.Compact(names)
				}
			}
		}
	}
	return found
}
