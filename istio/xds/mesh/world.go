package mesh

import "fmt"

// WaypointClass is the only class whose waypoints are an Envoy that runs WebAssembly.
const WaypointClass = "istio-waypoint"

const (
	gatewayName = "gateway.networking.k8s.io/gateway-name"
	managed     = "gateway.istio.io/managed"
	controller  = "istio.io-mesh-controller"
)

// Waypoint is a Gateway of the waypoint class.
type Waypoint struct {
	Namespace, Name string
	// Address is what istiod knows its only instance by; nothing is ever sent to it.
	Address string
}

// String is namespace and name.
func (w Waypoint) String() string { return w.Namespace + "/" + w.Name }

// Labels are those of its pod.
func (w Waypoint) Labels() map[string]string {
	return map[string]string{gatewayName: w.Name, managed: controller}
}

// Deploy adds what a cluster makes of the manifests: for each waypoint its Service, an instance and its status; the class; namespaces;
// the addresses of services and of what they stand for outside. The objects given are not changed.
func Deploy(objects []Object) ([]Object, []Waypoint) {
	var all []Object
	var waypoints []Waypoint
	hasClass := false
	for _, object := range objects {
		object = object.Copy()
		hasClass = hasClass || object.Kind() == "GatewayClass"
		if object.Kind() == "Gateway" && object.Map("spec").Text("gatewayClassName") == WaypointClass {
			number := len(waypoints) + 1
			waypoint := Waypoint{object.Namespace(), object.Name(), fmt.Sprintf("3.0.0.%d", number)}
			waypoints = append(waypoints, waypoint)
			object["status"] = map[string]any{"addresses": []any{map[string]any{
				"type":  "Hostname",
				"value": fmt.Sprintf("%s.%s.svc.cluster.local", waypoint.Name, waypoint.Namespace),
			}}}
			all = append(all, service(waypoint, number), instance(waypoint))
		}
		spec := object.Map("spec")
		switch object.Kind() {
		case "Service":
			if spec.Text("clusterIP") == "" {
				spec["clusterIP"] = fmt.Sprintf("10.96.1.%d", len(all))
			}
		case "ServiceEntry":
			if _, given := spec["addresses"]; !given && spec.Text("resolution") != "NONE" {
				spec["addresses"] = []any{fmt.Sprintf("240.240.1.%d", len(all))}
			}
		}
		all = append(all, object)
	}
	all = append(all, namespaces(all)...)
	if !hasClass {
		all = append(all, Object{
			"apiVersion": "gateway.networking.k8s.io/v1",
			"kind":       "GatewayClass",
			"metadata":   map[string]any{"name": WaypointClass},
			"spec":       map[string]any{"controllerName": "istio.io/mesh-controller"},
		})
	}
	return all, waypoints
}

// Each namespace in which something lies, with the label that Kubernetes gives it.
func namespaces(objects []Object) []Object {
	const name = "kubernetes.io/metadata.name"
	given, all := map[string]bool{}, []Object{}
	for _, object := range objects {
		if object.Kind() == "Namespace" {
			given[object.Name()] = true
		}
	}
	for _, object := range objects {
		namespace := object.Namespace()
		if given[namespace] {
			continue
		}
		given[namespace] = true
		all = append(all, Object{
			"apiVersion": "v1",
			"kind":       "Namespace",
			"metadata":   map[string]any{"name": namespace, "labels": map[string]any{name: namespace}},
		})
	}
	return all
}

func service(waypoint Waypoint, number int) Object {
	return Object{
		"apiVersion": "v1",
		"kind":       "Service",
		"metadata": map[string]any{
			"name":      waypoint.Name,
			"namespace": waypoint.Namespace,
			"labels":    map[string]any{managed: controller, gatewayName: waypoint.Name, "istio.io/gateway-name": waypoint.Name},
		},
		"spec": map[string]any{
			"clusterIP": fmt.Sprintf("3.0.1.%d", number),
			"ports":     []any{map[string]any{"appProtocol": "hbone", "name": "mesh", "port": 15008}},
			"selector":  map[string]any{gatewayName: waypoint.Name},
		},
	}
}

func instance(waypoint Waypoint) Object {
	return Object{
		"apiVersion": "networking.istio.io/v1",
		"kind":       "WorkloadEntry",
		"metadata":   map[string]any{"name": waypoint.Name + "-a", "namespace": waypoint.Namespace},
		"spec":       map[string]any{"address": waypoint.Address, "labels": map[string]any{gatewayName: waypoint.Name}},
	}
}
