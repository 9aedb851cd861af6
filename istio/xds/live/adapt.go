package live

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"wardpoint/istio/xds/mesh"
)

// Machine is what a mesh on one machine has instead of a cluster.
type Machine struct {
	// Modules is where plugins lie: Istio's agent would have pulled them there.
	Modules string
	// Keys are those of every identity provider.
	Keys string
	// Pods are the ports of what stands behind each Service, Outside those of what stands for each host outside.
	Pods, Outside map[string]int
	// HBONE is the port of the waypoint.
	HBONE int
}

// Adapt makes manifests fit. The objects given are not changed.
func (m Machine) Adapt(objects []mesh.Object) []mesh.Object {
	var adapted []mesh.Object
	for _, object := range objects {
		object = object.Copy()
		spec := object.Map("spec")
		switch object.Kind() {
		case "TrafficExtension":
			pulled(spec.Map("wasm"), m.Modules)
		case "WasmPlugin":
			pulled(spec, m.Modules)
		case "EnvoyFilter":
			for _, patch := range spec.List("configPatches") {
				if vm := patch.Map("patch", "value", "typed_config", "config", "vm_config"); vm != nil {
					uri := vm.Map("code", "remote", "http_uri").Text("uri")
					vm["code"] = map[string]any{"local": map[string]any{"filename": module(uri, m.Modules)}}
				}
			}
		case "RequestAuthentication":
			keyed(spec, m.Keys)
		case "Service":
			if port, ok := m.Pods[object.Name()]; ok {
				adapted = append(adapted, slice(object, port))
			}
			if spec.Text("clusterIP") == "" {
				spec["clusterIP"] = fmt.Sprintf("10.96.0.%d", len(adapted))
			}
		case "ServiceEntry":
			for _, host := range spec.Texts("hosts") {
				if port, ok := m.Outside[host]; ok {
					spec["resolution"] = "STATIC"
					ports := map[string]any{spec.List("ports")[0].Text("name"): port}
					spec["endpoints"] = []any{map[string]any{"address": "127.0.0.1", "ports": ports}}
				}
			}
		case "Gateway":
			adapted = append(adapted, stock(object, m.HBONE))
		}
		adapted = append(adapted, object)
	}
	return adapted
}

// Keyed makes `keys` those of every identity provider: istiod would fetch them. The objects given are not changed.
func Keyed(objects []mesh.Object, keys string) []mesh.Object {
	var all []mesh.Object
	for _, object := range objects {
		object = object.Copy()
		if object.Kind() == "RequestAuthentication" {
			keyed(object.Map("spec"), keys)
		}
		all = append(all, object)
	}
	return all
}

func keyed(spec mesh.Object, keys string) {
	for _, rule := range spec.List("jwtRules") {
		delete(rule, "jwksUri")
		rule["jwks"] = keys
	}
}

func pulled(plugin mesh.Object, modules string) {
	plugin["url"] = "file://" + module(plugin.Text("url"), modules)
	delete(plugin, "sha256")
}

// The file of an image: `oci://REGISTRY/…/NAME:TAG`.
func module(uri, modules string) string {
	name, _, _ := strings.Cut(path.Base(uri), ":")
	name, _, _ = strings.Cut(name, "@")
	return filepath.Join(modules, name+".wasm")
}

// Kubernetes would make it of the pods.
func slice(service mesh.Object, port int) mesh.Object {
	ports := service.Map("spec").List("ports")
	return mesh.Object{
		"apiVersion":  "discovery.k8s.io/v1",
		"kind":        "EndpointSlice",
		"addressType": "IPv4",
		"metadata": map[string]any{
			"name": service.Name() + "-1", "namespace": service.Namespace(),
			"labels": map[string]any{"kubernetes.io/service-name": service.Name()},
		},
		"ports":     []any{map[string]any{"name": ports[0].Text("name"), "port": port, "protocol": "TCP"}},
		"endpoints": []any{map[string]any{"addresses": []any{"127.0.0.1"}, "conditions": map[string]any{"ready": true, "serving": true}}},
	}
}

// What a stock Envoy does not know is left out (telemetry of Istio's own build), and HBONE comes in on the loopback address.
func stock(gateway mesh.Object, hbone int) mesh.Object {
	manager := "envoy.filters.network.http_connection_manager"
	remove := func(kind, listener string, filter map[string]any) any {
		return map[string]any{
			"applyTo": kind,
			"match":   map[string]any{"context": "SIDECAR_INBOUND", "listener": map[string]any{"name": listener, "filterChain": map[string]any{"filter": filter}}},
			"patch":   map[string]any{"operation": "REMOVE"},
		}
	}
	http := func(name string) map[string]any {
		return map[string]any{"name": manager, "subFilter": map[string]any{"name": name}}
	}
	return mesh.Object{
		"apiVersion": "networking.istio.io/v1alpha3",
		"kind":       "EnvoyFilter",
		"metadata":   map[string]any{"name": fmt.Sprintf("%s-stock-envoy", gateway.Name()), "namespace": gateway.Namespace()},
		"spec": map[string]any{
			"targetRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway.Name()}},
			"priority":   100,
			"configPatches": []any{
				remove("HTTP_FILTER", "connect_terminate", http("waypoint_downstream_peer_metadata")),
				remove("HTTP_FILTER", "main_internal", http("waypoint_upstream_peer_metadata")),
				remove("NETWORK_FILTER", "main_internal", map[string]any{"name": "istio.metadata_exchange"}),
				map[string]any{
					"applyTo": "LISTENER",
					"match":   map[string]any{"context": "SIDECAR_INBOUND", "listener": map[string]any{"name": "connect_terminate"}},
					"patch": map[string]any{"operation": "MERGE", "value": map[string]any{
						"address": map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": hbone}},
					}},
				},
			},
		},
	}
}
