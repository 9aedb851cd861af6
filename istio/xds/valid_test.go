package xds

import (
	"strings"
	"sync"
	"testing"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	schemas "istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/config/schema/collections"

	"wardpoint/istio/xds/mesh"
)

func TestTheManifestsAreValid(t *testing.T) {
	for name, paths := range sets(t) {
		for _, object := range read(t, paths...) {
			if err := refusal(t, object); err != nil {
				t.Errorf("%s: %s: %v", name, object, err)
			}
		}
	}
}

// Each is refused by the schema or by istiod's webhook: a validator that takes everything would pass the test above.
func TestWhatIsNotValidIsRefused(t *testing.T) {
	spec := func(objects []mesh.Object) mesh.Object {
		return object(objects, "TrafficExtension", "mcp-authz").Map("spec")
	}
	for name, broken := range map[string]func([]mesh.Object){
		"unknown field":         func(o []mesh.Object) { spec(o)["fase"] = "AUTHZ" },
		"wrong digest":          func(o []mesh.Object) { spec(o).Map("wasm")["sha256"] = "12" },
		"wrong scheme":          func(o []mesh.Object) { spec(o).Map("wasm")["url"] = "ftp://registry.example.com/x" },
		"selector and targets":  func(o []mesh.Object) { spec(o)["selector"] = map[string]any{"matchLabels": map[string]any{"a": "b"}} },
		"no plugin":             func(o []mesh.Object) { delete(spec(o), "wasm") },
		"port without a scheme": func(o []mesh.Object) { spec(o).Map("wasm")["url"] = "localhost:5000/mcp-authz:1.0.0" },
	} {
		t.Run(name, func(t *testing.T) {
			objects := read(t, matrix)
			broken(objects)
			if refusal(t, object(objects, "TrafficExtension", "mcp-authz")) == nil {
				t.Error("it is taken")
			}
		})
	}
}

// Reading all of Istio's schemas takes half a second.
var validator = func() func(*testing.T) *schemas.Validator {
	var read sync.Once
	var found *schemas.Validator
	return func(t *testing.T) *schemas.Validator {
		read.Do(func() { found = schemas.NewIstioValidator(t) })
		return found
	}
}()

// What an API server says of an object that is Istio's or the Gateway API's: by its schema and its rules, then by istiod's webhook.
func refusal(t *testing.T, object mesh.Object) error {
	t.Helper()
	group, _, _ := strings.Cut(object.Text("apiVersion"), "/")
	if !strings.HasSuffix(group, ".istio.io") && group != "gateway.networking.k8s.io" {
		return nil
	}
	text, err := mesh.YAML([]mesh.Object{object})
	if err != nil {
		return err
	}
	if err := validator(t).ValidateCustomResourceYAML(text, nil); err != nil {
		return err
	}
	configs, _, err := crd.ParseInputs(text)
	if err != nil {
		return err
	}
	for _, config := range configs {
		if schema, ok := collections.PilotGatewayAPI().FindByGroupVersionKind(config.GroupVersionKind); ok {
			if _, err := schema.ValidateConfig(config); err != nil {
				return err
			}
		}
	}
	return nil
}
