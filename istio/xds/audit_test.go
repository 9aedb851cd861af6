package xds

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// In which chains istiod has records printed, by where a Telemetry stands and what it is about; `wardpoint lint` says the same of the
// manifests alone (audit-gap).
func TestWhoseRecordsArePrinted(t *testing.T) {
	file, otel := "envoy.access_loggers.file", "envoy.access_loggers.open_telemetry"
	about := func(namespace, kind, name string, logging map[string]any) mesh.Object {
		spec := map[string]any{"accessLogging": []any{logging}}
		if kind != "" {
			spec["targetRefs"] = []any{map[string]any{"group": groups[kind], "kind": kind, "name": name}}
		}
		return mesh.Object{
			"apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry",
			"metadata": map[string]any{"name": strings.ToLower("of-" + kind + name), "namespace": namespace}, "spec": spec,
		}
	}
	by := func(provider string) map[string]any {
		return map[string]any{"providers": []any{map[string]any{"name": provider}}}
	}
	with := func(name string, value any) map[string]any {
		logging := by("wardpoint-audit")
		logging[name] = value
		return logging
	}
	audit := by("wardpoint-audit")
	gateway := about("tools", "Gateway", "waypoint", audit)
	for name, c := range map[string]struct {
		said []mesh.Object
		// What prints of a service and of an entry of another namespace, and of what is neither.
		service, entry, rest []string
	}{
		"nobody":                             {nil, nil, nil, nil},
		"the Gateway":                        {[]mesh.Object{gateway}, nil, nil, []string{file}},
		"the Gateway and the Service":        {[]mesh.Object{gateway, about("files", "Service", "mcp-server", audit)}, []string{file}, nil, []string{file}},
		"the Gateway and the ServiceEntry":   {[]mesh.Object{gateway, about("files", "ServiceEntry", "api", audit)}, nil, []string{file}, []string{file}},
		"the Service, from elsewhere":        {[]mesh.Object{gateway, about("tools", "Service", "mcp-server", audit)}, nil, nil, []string{file}},
		"the Service alone":                  {[]mesh.Object{about("files", "Service", "mcp-server", audit)}, []string{file}, nil, nil},
		"the mesh":                           {[]mesh.Object{about("istio-system", "", "", audit)}, []string{file}, []string{file}, []string{file}},
		"the waypoint's namespace":           {[]mesh.Object{about("tools", "", "", audit)}, []string{file}, []string{file}, []string{file}},
		"the Gateway, as lines":              {[]mesh.Object{about("tools", "Gateway", "waypoint", by("wardpoint-audit-lines"))}, nil, nil, []string{file}},
		"the services' namespace":            {[]mesh.Object{gateway, about("files", "", "", audit)}, []string{file}, []string{file}, []string{file}},
		"the class, of which nobody hears":   {[]mesh.Object{about("istio-system", "GatewayClass", "istio-waypoint", audit)}, nil, nil, nil},
		"another in the place of the first":  {[]mesh.Object{about("tools", "", "", audit), about("files", "Service", "mcp-server", by("wardpoint-audit-otel"))}, []string{otel}, []string{file}, []string{file}},
		"switched off for the Service":       {[]mesh.Object{about("tools", "", "", audit), about("files", "Service", "mcp-server", with("disabled", true))}, nil, []string{file}, []string{file}},
		"for clients, which no waypoint has": {[]mesh.Object{gateway, about("files", "", "", with("match", map[string]any{"mode": "CLIENT"}))}, nil, nil, []string{file}},
	} {
		t.Run(name, func(t *testing.T) {
			objects := append(audited(t), c.said...)
			printed := map[string][]string{}
			for _, snapshot := range snapshots(t, live.Keyed(objects, noKeys)) {
				printed = logs(t, snapshot)
			}
			chains := map[string][]string{
				"inbound-vip|8080|http|mcp-server.files.svc.cluster.local": c.service, "inbound-vip|80|http|api.example.com": c.entry, "direct-http": c.rest,
			}
			for chain, wanted := range chains {
				if found, there := printed[chain]; !there || !slices.Equal(found, wanted) {
					t.Errorf("%s: %v, %v, not %v", chain, there, found, wanted)
				}
			}
			// Whoever is not printed where somebody is.
			var wanted []string
			for object, own := range map[string][]string{"Service files/mcp-server": c.service, "ServiceEntry files/api": c.entry} {
				others := slices.Concat(c.service, c.entry)
				if len(c.rest) > 0 && !slices.Equal(own, c.rest) || len(c.rest)+len(own) == 0 && len(others) > 0 {
					wanted = append(wanted, object)
				}
			}
			slices.Sort(wanted)
			if found := gaps(t, objects); !slices.Equal(found, wanted) {
				t.Errorf("lint finds %v, not %v", found, wanted)
			}
		})
	}
}

// The set `tiers`, with an entry beside its service and nothing that prints.
func audited(t *testing.T) []mesh.Object {
	t.Helper()
	objects := slices.DeleteFunc(read(t, "../manifests/tiers/traffic-extension.yaml"), func(object mesh.Object) bool { return object.Kind() == "Telemetry" })
	labels := map[string]any{"istio.io/use-waypoint": "waypoint", "istio.io/use-waypoint-namespace": "tools"}
	port := func(number int, name string) []any {
		return []any{map[string]any{"number": number, "name": name, "protocol": "HTTP"}}
	}
	entry := func(namespace, name, host string, number int, labels map[string]any) mesh.Object {
		return mesh.Object{
			"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
			"metadata": map[string]any{"name": name, "namespace": namespace, "labels": labels},
			"spec":     map[string]any{"hosts": []any{host}, "location": "MESH_EXTERNAL", "resolution": "DNS", "ports": port(number, "http")},
		}
	}
	collector := entry("observability", "collector", "collector.observability.svc.cluster.local", 4317, map[string]any{})
	return append(objects, entry("files", "api", "api.example.com", 80, labels), collector)
}

// The access logs of each chain.
func logs(t *testing.T, snapshot *mesh.Snapshot) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, listener := range snapshot.Listeners {
		for _, chain := range append(listener.GetFilterChains(), listener.GetDefaultFilterChain()) {
			for _, network := range chain.GetFilters() {
				var http manager.HttpConnectionManager
				if listener.GetName() != "main_internal" || network.GetTypedConfig().UnmarshalTo(&http) != nil {
					continue
				}
				found[chain.GetName()] = nil
				for _, log := range http.GetAccessLog() {
					found[chain.GetName()] = append(found[chain.GetName()], log.GetName())
				}
			}
		}
	}
	return found
}

// What `wardpoint lint` says is not printed.
func gaps(t *testing.T, objects []mesh.Object) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifests.yaml")
	check(t, os.WriteFile(path, []byte(must(mesh.YAML(objects))(t)), 0o600))
	// It ends with 1 where it finds an error.
	out, err := exec.Command(built(t, "host/wardpoint"), "lint", "--format", "json", path).Output()
	var found []struct{ Check, Object string }
	if json.Unmarshal(out, &found) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var names []string
	for _, finding := range found {
		if finding.Check == "audit-gap" {
			names = append(names, finding.Object)
		}
	}
	slices.Sort(names)
	return names
}
