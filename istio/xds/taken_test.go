package xds

import (
	"slices"
	"testing"

	"wardpoint/istio/xds/mesh"
)

// What `wardpoint lint` says of filters that an EnvoyFilter takes out of their chains again: when that is so.
func TestWhatAnEnvoyFilterTakesOutOfItsChain(t *testing.T) {
	const other = "envoy.filters.http.buffer"
	value := map[string]any{"name": other, "typed_config": map[string]any{
		"@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer", "max_request_bytes": 4096.0,
	}}
	for name, change := range map[string]struct {
		filter, operation string
		priority          float64
		value             any
		stays             bool
	}{
		"a plugin that istiod puts in is there before any patch": {authzFilter, "REMOVE", -10, nil, false},
		"another filter takes its place":                         {authzFilter, "REPLACE", 0, value, false},
		"nothing is merged into what comes by discovery":         {authzFilter, "MERGE", 20, value, true},
		"what a patch put in can be taken out behind it":         {heldFilter, "REMOVE", 20, nil, false},
		"and be replaced":                  {heldFilter, "REPLACE", 20, value, false},
		"before it, it is not there yet":   {heldFilter, "REMOVE", 0, nil, true},
		"and there is nothing to replace":  {heldFilter, "REPLACE", 0, value, true},
		"of a filter that is in no chain":  {"no.such.filter", "REMOVE", 20, nil, true},
		"another one's name is not enough": {authzFilter + ".v2", "REMOVE", 20, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			patch := map[string]any{"operation": change.operation}
			if change.value != nil {
				patch["value"] = change.value
			}
			objects := append(read(t, matrix), filterChange(change.filter, change.priority, patch))
			chains, err := snapshots(t, objects)[0].Chains()
			check(t, err)
			at := slices.IndexFunc(chains, func(it mesh.Chain) bool { return it.Name == serverChain })
			names := chains[at].Names()
			if stays := slices.Contains(names, authzFilter) && slices.Contains(names, heldFilter); stays != change.stays {
				t.Errorf("%v", names)
			}
			if took := slices.Contains(names, other); took != (change.operation == "REPLACE" && !change.stays) {
				t.Errorf("%v", names)
			}
		})
	}
}

// An EnvoyFilter that does this to a filter of the waypoint.
func filterChange(filter string, priority float64, patch map[string]any) mesh.Object {
	manager := map[string]any{"name": "envoy.filters.network.http_connection_manager", "subFilter": map[string]any{"name": filter}}
	return mesh.Object{
		"apiVersion": "networking.istio.io/v1alpha3",
		"kind":       "EnvoyFilter",
		"metadata":   map[string]any{"name": "change", "namespace": "tools"},
		"spec": map[string]any{
			"targetRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint"}},
			"priority":   priority,
			"configPatches": []any{map[string]any{
				"applyTo": "HTTP_FILTER",
				"match": map[string]any{"context": "SIDECAR_INBOUND", "listener": map[string]any{
					"name": "main_internal", "filterChain": map[string]any{"filter": manager},
				}},
				"patch": patch,
			}},
		},
	}
}
