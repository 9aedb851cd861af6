package manifests

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	mesh "istio.io/api/mesh/v1alpha1"
	"sigs.k8s.io/yaml"
)

// A waypoint serves other namespaces only if its listener says so, and what is about its Gateway is not about their chains' access log.
func TestServicesOfOtherNamespacesAreServedAndAudited(t *testing.T) {
	each(t, func(t *testing.T, set, form string) {
		all := documents(t, rendered(set, form))
		var routes []any
		audited := map[string]bool{}
		for _, document := range all {
			if document["kind"] == "Gateway" && at(document, "metadata", "name") == "waypoint" {
				routes, _ = at(document, "spec", "listeners", 0, "allowedRoutes", "namespaces", "selector", "matchExpressions", 0, "values").([]any)
			}
			if document["kind"] == "Telemetry" && at(document, "spec", "targetRefs", 0, "kind") == "Service" {
				audited[fmt.Sprint(at(document, "metadata", "namespace"), "/", at(document, "spec", "targetRefs", 0, "name"))] = true
			}
		}
		for _, document := range all {
			namespace, name := at(document, "metadata", "namespace"), at(document, "metadata", "name")
			if document["kind"] != "Service" || namespace == "tools" {
				continue
			}
			if !slices.Contains(routes, namespace) {
				t.Errorf("the waypoint does not serve %s", namespace)
			}
			if !audited[fmt.Sprint(namespace, "/", name)] {
				t.Errorf("no record of %s is printed", name)
			}
		}
	})
}

// Without its plugin a waypoint still refuses strangers and calls without a token, and a service everybody but the waypoint.
func TestWhatHoldsWithoutThePlugin(t *testing.T) {
	each(t, func(t *testing.T, set, form string) {
		held := map[string]bool{}
		for _, document := range documents(t, rendered(set, form)) {
			spec := at(document, "spec")
			kind, _ := document["kind"].(string)
			from := at(spec, "rules", 0, "from", 0, "source")
			switch {
			case kind == "AuthorizationPolicy" && at(spec, "action") == "DENY":
				held["token"] = reflect.DeepEqual(at(from, "notRequestPrincipals"), []any{"*"})
			case kind == "AuthorizationPolicy" && at(spec, "selector") != nil:
				held["service"] = reflect.DeepEqual(at(from, "principals"), []any{"cluster.local/ns/tools/sa/waypoint"})
			case kind == "AuthorizationPolicy" && at(from, "namespaces") != nil:
				held["callers"] = reflect.DeepEqual(at(from, "namespaces"), []any{"agents"})
			case kind == "PeerAuthentication":
				held["mtls"] = at(spec, "mtls", "mode") == "STRICT"
			case kind == "RequestAuthentication":
				held["original"] = at(spec, "jwtRules", 0, "forwardOriginalToken") == true
			case kind == "NetworkPolicy" && at(document, "metadata", "name") == "default-deny-egress":
				selector, _ := at(spec, "podSelector").(object)
				held["egress"] = at(spec, "egress") == nil && selector != nil && len(selector) == 0
			}
		}
		for _, what := range []string{"token", "service", "callers", "mtls", "original", "egress"} {
			if !held[what] {
				t.Errorf("no %s", what)
			}
		}
	})
}

// What Istio refuses in MeshConfig it refuses here; and each plugin's records are printed.
func TestTheMeshConfigPrintsTheRecords(t *testing.T) {
	text, err := os.ReadFile("../mesh-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var config mesh.MeshConfig
	if err := protojson.Unmarshal(whole, &config); err != nil {
		t.Fatal(err)
	}
	providers := map[any]bool{}
	for _, provider := range config.ExtensionProviders {
		providers[provider.Name] = true
		labels := provider.GetEnvoyFileAccessLog().GetLogFormat().GetLabels().GetFields()
		if also := provider.GetEnvoyOtelAls(); also != nil {
			labels = also.GetLogFormat().GetLabels().GetFields()
		}
		lines := strings.Split(provider.GetEnvoyFileAccessLog().GetLogFormat().GetText(), "\n")
		for _, plugin := range []string{"mcp_authz", "mcp_authz_approval", "token_exchange"} {
			for _, tier := range []string{"", "service", "mesh"} {
				label, state := strings.Trim(plugin+"_"+tier, "_"), strings.Trim(plugin+"."+tier, ".")
				want := fmt.Sprintf("%%FILTER_STATE(wasm.wardpoint_%s:PLAIN)%%", state)
				if got := labels[label].GetStringValue(); got != want && !slices.Contains(lines, want) {
					t.Errorf("%s: %s: %s", provider.Name, label, got)
				}
			}
		}
	}
	for _, set := range sets {
		for _, document := range documents(t, rendered(set, forms[0])) {
			name := at(document, "spec", "accessLogging", 0, "providers", 0, "name")
			if document["kind"] == "Telemetry" && !providers[name] {
				t.Errorf("%s: %v", set, name)
			}
		}
	}
}
