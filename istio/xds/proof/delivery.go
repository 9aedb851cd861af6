// Package proof compares what manifests say with what istiod makes of them.
package proof

import (
	"encoding/json"
	"fmt"

	wasm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	plugin "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"wardpoint/istio/xds/mesh"
)

// The type of the filter that an EnvoyFilter adds to ECDS.
const wasmType = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"

// Delivery is a plugin as a manifest says that it comes: by TrafficExtension, by WasmPlugin or by EnvoyFilter.
type Delivery struct {
	// From is the manifest.
	From mesh.Object
	// Filter is the name that the filter has in a chain.
	Filter string
	// Phase is `AUTHN`, `AUTHZ` or `STATS`; empty without one.
	Phase string
	// Priority is the place in the phase; nil if none is written.
	Priority *float64
	// Root, Policy, Hold and Config are what the plugin must come with.
	Root, Policy string
	Hold         bool
	Config       any
	// Targets is what it attaches to.
	Targets []mesh.Object
	// Chains are the names of those that an EnvoyFilter puts it into; every one, if none is named.
	Chains []string
}

// Deliveries are all plugins of the manifests.
func Deliveries(objects []mesh.Object) ([]Delivery, error) {
	var all []Delivery
	for _, object := range objects {
		spec := object.Map("spec")
		switch object.Kind() {
		case "TrafficExtension":
			if _, ok := spec["wasm"]; ok {
				all = append(all, extension(object, spec.Map("wasm"), ""))
			}
		case "WasmPlugin":
			all = append(all, extension(object, spec, "~istio-translated-wasmplugin"))
		case "EnvoyFilter":
			found, err := inserted(object)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", object, err)
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

func extension(object, from mesh.Object, suffix string) Delivery {
	spec := object.Map("spec")
	delivery := Delivery{
		From:    object,
		Filter:  "extensions.istio.io/trafficextension/" + object.Namespace() + "." + object.Name() + suffix,
		Phase:   spec.Text("phase"),
		Root:    from.Text("pluginName"),
		Policy:  policy(from.Text("failStrategy")),
		Targets: targets(spec),
	}
	if config, ok := from["pluginConfig"]; ok {
		delivery.Config = config
	}
	if priority, ok := spec["priority"].(float64); ok {
		delivery.Priority = &priority
	}
	return delivery
}

func targets(spec mesh.Object) []mesh.Object {
	if _, ok := spec["targetRef"]; ok {
		return []mesh.Object{spec.Map("targetRef")}
	}
	return spec.List("targetRefs")
}

// What `failStrategy` means to Envoy; without one Istio closes for good.
func policy(strategy string) string {
	if strategy == "" || strategy == "FAIL_CLOSE" {
		return plugin.FailurePolicy_FAIL_CLOSED.String()
	}
	return strategy
}

// The plugins that an EnvoyFilter adds to ECDS; that each stands in a chain is for `Problems` to see.
func inserted(object mesh.Object) ([]Delivery, error) {
	var all []Delivery
	for _, patch := range object.Map("spec").List("configPatches") {
		value := patch.Map("patch", "value")
		if patch.Text("applyTo") != "EXTENSION_CONFIG" || value.Map("typed_config").Text("@type") != wasmType {
			continue
		}
		delivery, err := written(object, value)
		if err != nil {
			return nil, err
		}
		delivery.Chains = chains(object, delivery.Filter)
		all = append(all, delivery)
	}
	return all, nil
}

func chains(object mesh.Object, filter string) []string {
	var names []string
	for _, patch := range object.Map("spec").List("configPatches") {
		name := patch.Map("match", "listener", "filterChain").Text("name")
		if patch.Text("applyTo") == "HTTP_FILTER" && patch.Map("patch", "value").Text("name") == filter && name != "" {
			names = append(names, name)
		}
	}
	return names
}

func written(object, value mesh.Object) (Delivery, error) {
	typed := value.Map("typed_config").Copy()
	delete(typed, "@type")
	text, err := json.Marshal(typed)
	if err != nil {
		return Delivery{}, err
	}
	var plugin wasm.Wasm
	if err := protojson.Unmarshal(text, &plugin); err != nil {
		return Delivery{}, err
	}
	config, err := configOf(&plugin)
	return Delivery{
		From:    object,
		Filter:  value.Text("name"),
		Root:    plugin.GetConfig().GetRootId(),
		Policy:  plugin.GetConfig().GetFailurePolicy().String(),
		Hold:    plugin.GetConfig().GetAllowOnHeadersStopIteration().GetValue(),
		Config:  config,
		Targets: object.Map("spec").List("targetRefs"),
	}, err
}

// The plugin configuration; nil if there is none.
func configOf(plugin *wasm.Wasm) (any, error) {
	configuration := plugin.GetConfig().GetConfiguration()
	if configuration == nil || len(configuration.GetValue()) == 0 {
		return nil, nil
	}
	var text wrapperspb.StringValue
	if err := configuration.UnmarshalTo(&text); err != nil {
		return nil, err
	}
	var config any
	if err := json.Unmarshal([]byte(text.GetValue()), &config); err != nil {
		return nil, err
	}
	return config, nil
}
