package xds

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// A second waypoint beside the first, with a policy of its own: whose a service is, its label says, and only that one has a chain for it.
func TestACanaryHasTheServicesThatAreMoved(t *testing.T) {
	const served = "inbound-vip|8080|http|mcp-server.tools.svc.cluster.local"
	first := map[string]string{}
	for _, label := range []string{"waypoint", "waypoint-next", "waypoint"} {
		objects := read(t, "../manifests/mcp-authz/traffic-extension.yaml")
		objects = append(objects, beside(t, objects)...)
		object(objects, "Service", "mcp-server").Map("metadata", "labels")["istio.io/use-waypoint"] = label
		for _, snapshot := range snapshots(t, live.Keyed(objects, noKeys)) {
			name := snapshot.Waypoint.Name
			plugins := map[string]bool{}
			names := []string{}
			for _, chain := range must(snapshot.Chains())(t) {
				names = append(names, chain.Name)
				for _, filter := range chain.Filters {
					plugins[filter.Name] = plugins[filter.Name] || filter.Wasm != nil
				}
			}
			if slices.Contains(names, served) != (name == label) {
				t.Errorf("moved to %s: the chains of %s are %v", label, name, names)
			}
			for plugin, of := range map[string]string{"tools": "waypoint", "tools-next": "waypoint-next"} {
				if plugins["extensions.istio.io/trafficextension/tools."+plugin] != (name == of) {
					t.Errorf("%s has %v", name, plugins)
				}
			}
			// Back is one label: what the first has is what it had.
			if text := string(must(snapshot.JSON())(t)["lds"]); name == "waypoint" && label == name {
				if first[name] != "" && text != first[name] {
					t.Errorf("%s has changed", name)
				}
				first[name] = text
			}
		}
	}
}

// What is about the waypoint, once more, about another.
func beside(t *testing.T, objects []mesh.Object) []mesh.Object {
	t.Helper()
	var all []mesh.Object
	for _, object := range objects {
		targets := object.Map("spec").List("targetRefs")
		if object.Kind() != "Gateway" && (len(targets) == 0 || targets[0].Text("name") != "waypoint") {
			continue
		}
		var next mesh.Object
		text := strings.ReplaceAll(string(must(json.Marshal(object))(t)), `"name":"waypoint"`, `"name":"waypoint-next"`)
		check(t, json.Unmarshal([]byte(text), &next))
		if object.Kind() != "Gateway" {
			next.Map("metadata")["name"] = object.Name() + "-next"
		}
		all = append(all, next)
	}
	return all
}
