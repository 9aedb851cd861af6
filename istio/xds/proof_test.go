// Package xds proves by istiod's own code that the manifests do what they say, and by a real Envoy that it holds.
package xds

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
	"wardpoint/istio/xds/proof"
)

const (
	matrix = "testdata/matrix"
	// The chain of its server, and what stands there: a plugin that istiod puts in, and one that an EnvoyFilter of priority 10 does.
	serverChain = "inbound-vip|8080|http|mcp-server.tools.svc.cluster.local"
	authzFilter = "extensions.istio.io/trafficextension/tools.mcp-authz"
	heldFilter  = "wardpoint.mcp-authz"
)

// Istiod would fetch the keys of an identity provider; nothing here depends on them.
const noKeys = `{"keys":[]}`

// All sets of manifests: those that are shipped, and those of the tests.
func sets(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{"matrix": {matrix}}
	for _, delivery := range []string{"traffic-extension", "wasm-plugin", "envoy-filter"} {
		all["live."+delivery] = []string{world, "testdata/live/" + delivery + ".yaml"}
	}
	shipped := must(filepath.Glob("../manifests/*/*.yaml"))(t)
	for _, path := range shipped {
		if form := strings.TrimSuffix(filepath.Base(path), ".yaml"); form != "values" {
			all[filepath.Base(filepath.Dir(path))+"."+form] = []string{path}
		}
	}
	if len(all) < len(shipped)/2+4 {
		t.Fatalf("sets: %v", all)
	}
	return all
}

func TestWhatTheManifestsSayIsInTheChains(t *testing.T) {
	for name, paths := range sets(t) {
		objects := live.Keyed(read(t, paths...), noKeys)
		deliveries, err := proof.Deliveries(objects)
		if err != nil || len(deliveries) == 0 {
			t.Fatalf("%s: %d deliveries, %v", name, len(deliveries), err)
		}
		t.Logf("%s: %d plugins", name, len(deliveries))
		if found := problems(t, objects, objects); len(found) > 0 {
			t.Errorf("%s: %s", name, strings.Join(found, "\n"))
		}
	}
}

func TestTheOrderOfEveryChain(t *testing.T) {
	const (
		everywhere = "extensions.istio.io/trafficextension/istio-system.everywhere"
		second     = "extensions.istio.io/trafficextension/tools.second-opinion~istio-translated-wasmplugin"
		exchange   = "extensions.istio.io/trafficextension/tools.token-exchange"
		provider   = "extensions.istio.io/trafficextension/tools.provider-only"
		jwt        = "envoy.filters.http.jwt_authn"
		rbac       = "envoy.filters.http.rbac"
	)
	rest := []string{heldFilter, "envoy.filters.http.grpc_stats", "envoy.filters.http.fault", "envoy.filters.http.cors",
		"waypoint_upstream_peer_metadata", "envoy.filters.http.router"}
	wanted := map[string][]string{
		serverChain:                           append([]string{jwt, everywhere, authzFilter, second, exchange, rbac}, rest...),
		"inbound-vip|80|http|api.llm.example": append([]string{provider, jwt, everywhere, authzFilter, second}, rest...),
		"direct-http":                         append([]string{jwt, everywhere, authzFilter, second}, rest...),
	}
	chains, err := snapshots(t, read(t, matrix))[0].Chains()
	if err != nil {
		t.Fatal(err)
	}
	seen := []string{}
	for _, chain := range chains {
		seen = append(seen, chain.Name)
		if names := chain.Names(); !slices.Equal(names, wanted[chain.Name]) {
			t.Errorf("%s: %s\nwanted: %s", chain.Name, strings.Join(names, "\n  "), strings.Join(wanted[chain.Name], "\n  "))
		}
	}
	if len(seen) != len(wanted) {
		t.Errorf("chains: %v", seen)
	}
}

// What istiod gets and what the manifests say differ in one thing each, and that thing is named.
func TestEveryDifferenceIsFound(t *testing.T) {
	authz := func(objects []mesh.Object) mesh.Object {
		return object(objects, "TrafficExtension", "mcp-authz").Map("spec")
	}
	held := func(objects []mesh.Object) mesh.Object {
		patches := object(objects, "EnvoyFilter", "held").Map("spec").List("configPatches")
		return patches[0].Map("patch", "value", "typed_config", "config")
	}
	for name, differ := range map[string]func([]mesh.Object){
		"the root id is":              func(o []mesh.Object) { authz(o).Map("wasm")["pluginName"] = "other" },
		"the failure policy is":       func(o []mesh.Object) { authz(o).Map("wasm")["failStrategy"] = "FAIL_OPEN" },
		"the plugin configuration is": func(o []mesh.Object) { authz(o).Map("wasm", "pluginConfig")["version"] = 2.0 },
		"the header hold is":          func(o []mesh.Object) { held(o)["allow_on_headers_stop_iteration"] = false },
		"which is none of its targets": func(o []mesh.Object) {
			authz(o)["targetRefs"] = []any{map[string]any{"kind": "Service", "group": "", "name": "mcp-server"}}
		},
		"which is not its phase": func(o []mesh.Object) { authz(o)["phase"] = "STATS" },
		"in spite of its priority": func(o []mesh.Object) {
			object(o, "TrafficExtension", "token-exchange").Map("spec")["priority"] = 999.0
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := read(t, matrix)
			differ(said)
			one(t, problems(t, said, read(t, matrix)), name)
		})
	}
}

// What istiod takes without a word, and what comes of it.
func TestWhatIstiodTakesInSilenceIsFound(t *testing.T) {
	spec := func(objects []mesh.Object) mesh.Object {
		return object(objects, "TrafficExtension", "mcp-authz").Map("spec")
	}
	target := func(objects []mesh.Object, kind, name string) {
		spec(objects)["targetRefs"] = []any{map[string]any{"group": groups[kind], "kind": kind, "name": name}}
	}
	const nothing, absent = "attaches to nothing", "is not in the chain"
	for name, broken := range map[string]struct {
		breaks func([]mesh.Object)
		found  string
	}{
		"no such gateway":             {func(o []mesh.Object) { target(o, "Gateway", "waypiont") }, nothing},
		"no such service":             {func(o []mesh.Object) { target(o, "Service", "mcp") }, nothing},
		"no such entry":               {func(o []mesh.Object) { target(o, "ServiceEntry", "gpt") }, nothing},
		"a service not at a waypoint": {func(o []mesh.Object) { target(o, "Service", "waypoint") }, nothing},
		"a class from another place":  {func(o []mesh.Object) { target(o, "GatewayClass", "istio-waypoint") }, nothing},
		"a gateway of another place":  {func(o []mesh.Object) { move(o, "TrafficExtension", "mcp-authz", "agents") }, nothing},
		"a selector":                  {func(o []mesh.Object) { choose(spec(o)) }, "has no target"},
		"match.ports": {func(o []mesh.Object) {
			spec(o)["match"] = []any{map[string]any{"ports": []any{map[string]any{"number": 8080.0}}}}
		}, absent},
		"mode CLIENT": {func(o []mesh.Object) { spec(o)["match"] = []any{map[string]any{"mode": "CLIENT"}} }, absent},
		"a waypoint that is not there": {func(o []mesh.Object) {
			object(o, "ServiceEntry", "idp").Map("metadata", "labels")["istio.io/use-waypoint"] = "waypiont"
		}, "is not behind the waypoint"},
		"no priority":            {func(o []mesh.Object) { delete(spec(o), "priority") }, "has no priority"},
		"no reference to a host": {func(o []mesh.Object) { delete(object(o, "EnvoyFilter", "callouts").Map("metadata"), "annotations") }, "calls the cluster outbound|443||idp.example.com"},
		"a route to no service of it": {func(o []mesh.Object) {
			routes := object(o, "TrafficExtension", "token-exchange").Map("spec", "wasm", "pluginConfig").List("routes")
			routes[0]["service"] = "elsewhere.tools.svc.cluster.local"
		}, "has a route to elsewhere.tools"},
		"an anchor that is not there":  {func(o []mesh.Object) { anchor(o, "envoy.filters.http.rbac") }, absent},
		"an anchor before the claims":  {func(o []mesh.Object) { anchor(o, "envoy.filters.http.jwt_authn") }, "which is not its phase"},
		"a plugin that no chain names": {func(o []mesh.Object) { anchor(o, "no.such.filter") }, absent},
	} {
		t.Run(name, func(t *testing.T) {
			objects := read(t, matrix)
			broken.breaks(objects)
			one(t, problems(t, objects, objects), broken.found)
		})
	}
}

var groups = map[string]string{
	"Gateway": "gateway.networking.k8s.io", "GatewayClass": "gateway.networking.k8s.io", "ServiceEntry": "networking.istio.io", "Service": "",
}

func move(objects []mesh.Object, kind, name, namespace string) {
	object(objects, kind, name).Map("metadata")["namespace"] = namespace
}

func choose(spec mesh.Object) {
	delete(spec, "targetRefs")
	spec["selector"] = map[string]any{"matchLabels": map[string]any{"gateway.networking.k8s.io/gateway-name": "waypoint"}}
}

func anchor(objects []mesh.Object, filter string) {
	patches := object(objects, "EnvoyFilter", "held").Map("spec").List("configPatches")
	patches[1].Map("match", "listener", "filterChain", "filter", "subFilter")["name"] = filter
}
