// Package manifests checks the chart, what is rendered from it, and the examples for Envoy Gateway. It needs what `make manifest-tools` builds.
package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	mesh "istio.io/api/mesh/v1alpha1"
	"sigs.k8s.io/yaml"
)

const (
	chart   = "../chart"
	tools   = "../../target/tools/mesh"
	schemas = tools + "/crds/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"
)

var (
	sets  = []string{"mcp-authz", "mcp-authz-approval", "token-exchange", "tiers", "all"}
	forms = []string{"traffic-extension", "wasm-plugin", "envoy-filter"}
)

type object = map[string]any

func valuesOf(set string) string { return filepath.Join("../manifests", set, "values.yaml") }

func rendered(set, form string) string { return filepath.Join("../manifests", set, form+".yaml") }

// Every set in every form.
func each(t *testing.T, check func(t *testing.T, set, form string)) {
	for _, set := range sets {
		for _, form := range forms {
			t.Run(set+"/"+form, func(t *testing.T) { check(t, set, form) })
		}
	}
}

func run(name string, arguments ...string) (string, error) {
	var both bytes.Buffer
	command := exec.Command(name, arguments...)
	command.Stdout, command.Stderr = &both, &both
	err := command.Run()
	return both.String(), err
}

func wardpoint(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := run("../../target/host/wardpoint", arguments...)
	if err != nil {
		t.Errorf("wardpoint %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return out
}

func template(arguments ...string) (string, error) {
	return run(tools+"/helm", append([]string{"template", "wardpoint", chart, "--namespace", "tools"}, arguments...)...)
}

func documents(t *testing.T, path string) []object {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []object
	for _, document := range strings.Split(string(text), "\n---\n") {
		var one object
		if err := yaml.Unmarshal([]byte(document), &one); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

func at(value any, path ...any) any {
	for _, step := range path {
		switch node := value.(type) {
		case object:
			key, ok := step.(string)
			if !ok {
				return nil
			}
			value = node[key]
		case []any:
			index, ok := step.(int)
			if !ok || index >= len(node) {
				return nil
			}
			value = node[index]
		default:
			return nil
		}
	}
	return value
}

// A plugin as one object brings it.
type attached struct {
	kind, name, namespace, plugin string
	hold                          bool
	config                        object
}

func extensions(t *testing.T, path string) []attached {
	t.Helper()
	var found []attached
	for _, document := range documents(t, path) {
		one := attached{kind: document["kind"].(string)}
		one.name, one.namespace = at(document, "metadata", "name").(string), at(document, "metadata", "namespace").(string)
		var wasm, plugin, config any
		switch one.kind {
		case "TrafficExtension":
			wasm = at(document, "spec", "wasm")
		case "WasmPlugin":
			wasm = at(document, "spec")
		case "EnvoyFilter":
			envoy := at(document, "spec", "configPatches", 0, "patch", "value", "typed_config", "config")
			text, is := at(envoy, "configuration", "value").(string)
			if !is {
				continue
			}
			var parsed object
			if err := json.Unmarshal([]byte(text), &parsed); err != nil {
				t.Fatal(err)
			}
			plugin, config = at(envoy, "root_id"), parsed
			one.hold, _ = at(envoy, "allow_on_headers_stop_iteration").(bool)
			if at(envoy, "failure_policy") != "FAIL_RELOAD" {
				t.Errorf("%s: no FAIL_RELOAD", one.name)
			}
		default:
			continue
		}
		if wasm != nil {
			plugin, config = at(wasm, "pluginName"), at(wasm, "pluginConfig")
			if at(wasm, "failStrategy") != "FAIL_RELOAD" {
				t.Errorf("%s: no FAIL_RELOAD", one.name)
			}
			if phase := at(document, "spec", "phase"); phase != "AUTHZ" {
				t.Errorf("%s: phase %v", one.name, phase)
			}
		}
		if _, is := at(document, "spec", "priority").(float64); !is {
			t.Errorf("%s: no priority", one.name)
		}
		for _, never := range []string{"match", "selector", "workloadSelector"} {
			if at(document, "spec", never) != nil {
				t.Errorf("%s: %s", one.name, never)
			}
		}
		one.plugin, one.config = plugin.(string), config.(object)
		found = append(found, one)
	}
	if len(found) == 0 {
		t.Errorf("%s: no plugin", path)
	}
	return found
}

// BLESS=1 writes the files anew.
func TestTheRenderedManifestsAreFresh(t *testing.T) {
	each(t, func(t *testing.T, set, form string) {
		fresh, err := template("-f", valuesOf(set), "--set", "form="+form)
		if err != nil {
			t.Fatal(fresh)
		}
		path := rendered(set, form)
		if os.Getenv("BLESS") != "" {
			if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		committed, err := os.ReadFile(path)
		if err != nil || string(committed) != fresh {
			t.Errorf("%s is stale: make manifests, and read the diff", path)
		}
	})
}

func TestHelmFindsNothing(t *testing.T) {
	for _, set := range sets {
		out, err := run(tools+"/helm", "lint", chart, "--strict", "--namespace", "tools", "-f", valuesOf(set))
		if err != nil {
			t.Errorf("%s: %s", set, out)
		}
	}
}

func TestEverySetIsThere(t *testing.T) {
	found, err := filepath.Glob("../manifests/*/*.yaml")
	if err != nil || len(found) != len(sets)*(len(forms)+1) {
		t.Errorf("%d files for %d sets", len(found), len(sets))
	}
}

func conform(paths ...string) (string, error) {
	return run(tools+"/kubeconform", append([]string{"-strict", "-summary", "-schema-location", schemas}, paths...)...)
}

func TestTheManifestsFitTheirDefinitions(t *testing.T) {
	var paths []string
	for _, set := range sets {
		for _, form := range forms {
			paths = append(paths, rendered(set, form))
		}
	}
	gateway, err := filepath.Glob("../envoy-gateway/*.yaml")
	if err != nil || len(gateway) == 0 {
		t.Fatal("no examples for Envoy Gateway")
	}
	out, err := conform(append(paths, gateway...)...)
	if err != nil || !strings.Contains(out, "Skipped: 0") {
		t.Error(out)
	}
	t.Log(out)
}

func TestWhatDoesNotFitIsSeen(t *testing.T) {
	good, err := os.ReadFile(rendered("all", "traffic-extension"))
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"failStrategy: FAIL_RELOAD":     "failStrategy: FAIL_SOMEHOW",
		"forwardOriginalToken: true":    "forwardOriginalTokens: true",
		"priority: 310":                 "priority: high",
		"mtls: {mode: STRICT}":          "mtls: {mode: STRICTER}",
		"notRequestPrincipals: [\"*\"]": "notRequestPrincipal: [\"*\"]",
		"policyTypes: [Egress]":         "policyType: [Egress]",
		"resolution: DNS":               "resolution: [DNS]",
		"verbs: [\"get\"":               "verb: [\"get\"",
		"protocol: HBONE}":              "protocols: HBONE}",
	} {
		if !bytes.Contains(good, []byte(from)) {
			t.Errorf("%s is nowhere", from)
		}
		path := filepath.Join(t.TempDir(), "bad.yaml")
		if err := os.WriteFile(path, bytes.ReplaceAll(good, []byte(from), []byte(to)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := conform(path); err == nil {
			t.Errorf("%s: %s", to, out)
		}
	}
}

// Every value that has a default is one that the schema knows, and the other way round; so none is without a word of what it is.
func TestEveryValueIsDocumented(t *testing.T) {
	var values, schema object
	for path, into := range map[string]*object{"values.yaml": &values, "values.schema.json": &schema} {
		text, err := os.ReadFile(filepath.Join(chart, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	var compare func(path string, values, schema object)
	compare = func(path string, values, schema object) {
		known, _ := schema["properties"].(object)
		for name := range values {
			if known[name] == nil {
				t.Errorf("the schema has no %s%s", path, name)
			}
		}
		for name, part := range known {
			value, is := values[name]
			if !is {
				t.Errorf("values.yaml has no %s%s", path, name)
			}
			if inner, is := value.(object); is && len(inner) > 0 {
				compare(path+name+".", inner, part.(object))
			}
		}
	}
	compare("", values, schema)
}

func TestBadValuesAreRefused(t *testing.T) {
	for _, bad := range []struct{ set, value, says string }{
		{"mcp-authz", "form=lua", "form"},
		{"mcp-authz", "forms=wasm-plugin", "forms"},
		{"mcp-authz", "modules.mcp-authz.url=oci://registry.example.com/wardpoint/mcp-authz:latest", "url"},
		{"mcp-authz", "modules.mcp-authz.url=oci://registry.example.com/wardpoint/mcp-authz", "url"},
		{"mcp-authz", "modules.mcp-authz.url=registry.example.com:5000/mcp-authz:1.0.0", "url"},
		{"mcp-authz", "modules.mcp-authz.sha256=0f0f", "sha256"},
		{"mcp-authz", "modules.mcp-authz.sha256=null", "sha256"},
		{"mcp-authz", "modules.mcp-auth.url=x", "mcp-auth"},
		{"mcp-authz", "policies[0].failStrategy=FAIL_OPEN", "failStrategy"},
		{"mcp-authz", "policies[0].match[0].ports[0].number=80", "match"},
		{"mcp-authz", "policies[0].tier=cluster", "tier"},
		{"mcp-authz", "policies[0].tier=service", "target"},
		{"mcp-authz", "policies[0].config=null", "config"},
		{"mcp-authz", "policies[0].config.hostProfile.holdHeaders=true", "hostProfile"},
		{"mcp-authz", "policies[0].priority=high", "priority"},
		{"mcp-authz", "policies=null", "policies"},
		{"mcp-authz", "waypoint.bufferBytes=4MiB", "bufferBytes"},
		{"mcp-authz", "agents.namespaces=null", "namespaces"},
		{"mcp-authz", "browsers.origins[0]=*", "origins"},
		{"mcp-authz", "browsers.origins[0]=https://*.example.com", "origins"},
		{"token-exchange", "waypoint.env[0].name=ISTIO_META_X", "env"},
		{"all", "egress.providers[0].agents[0]=planner", "agents"},
		// Values that fit the schema and do not fit one another.
		{"mcp-authz", "policies[0].target=elsewhere", "there is no waypoint \"elsewhere\""},
		{"tiers", "policies[2].target=elsewhere", "neither services nor egress.providers has \"elsewhere\""},
		{"mcp-authz", "policies[0].plugin=token-exchange", "modules has no \"token-exchange\""},
		{"mcp-authz", "policies[0].env[0]=SECRET", "waypoint.env has no \"SECRET\""},
		{"tiers", "services[0].namespace=tools", "Roles cannot tell the tiers apart"},
	} {
		out, err := template("-f", valuesOf(bad.set), "--set", bad.value)
		if err == nil || !strings.Contains(out, bad.says) {
			t.Errorf("%s: %v: %.300s", bad.value, err, out)
		}
	}
	if out, err := template("-f", valuesOf("mcp-authz"), "--set", "form=envoy-filter,modules.mcp-authz.pullSecret=x"); err == nil {
		t.Errorf("a pull secret that nothing would use: %.300s", out)
	}
}

func TestWardpointLintFindsNothing(t *testing.T) {
	each(t, func(t *testing.T, set, form string) {
		if out := wardpoint(t, "lint", rendered(set, form)); !strings.HasSuffix(strings.TrimSpace(out), ", 0 errors, 0 warnings") {
			t.Error(out)
		}
	})
}

func TestThePluginsTakeTheirConfiguration(t *testing.T) {
	each(t, func(t *testing.T, set, form string) {
		for _, one := range extensions(t, rendered(set, form)) {
			accepts(t, one.plugin, one.config)
		}
	})
}

func accepts(t *testing.T, plugin string, config object) {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if out := wardpoint(t, "check", "--plugin", plugin, path); strings.Contains(out, "warning") {
		t.Error(out)
	}
}

func TestThePluginsTakeTheirConfigurationFromEnvoyGateway(t *testing.T) {
	paths, err := filepath.Glob("../envoy-gateway/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		for _, document := range documents(t, path) {
			modules, _ := at(document, "spec", "wasm").([]any)
			for _, module := range modules {
				plugin := at(module, "rootID").(string)
				found[plugin] = true
				accepts(t, plugin, at(module, "config").(object))
				if at(module, "failOpen") != false || at(module, "code", "image", "sha256") == nil {
					t.Errorf("%s: %s: open, or without a digest", path, plugin)
				}
				if hold := at(module, "config", "hostProfile", "holdHeaders"); hold != false {
					t.Errorf("%s: %s: Envoy Gateway cannot hold headers", path, plugin)
				}
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("only %v", found)
	}
}

// Only the EnvoyFilter can hold headers, and only there the plugin is told so; else the three forms say the same.
func TestTheFormsAreTwins(t *testing.T) {
	for _, set := range sets {
		first := extensions(t, rendered(set, forms[0]))
		for _, form := range forms {
			these := extensions(t, rendered(set, form))
			if len(these) != len(first) {
				t.Fatalf("%s/%s: %d plugins", set, form, len(these))
			}
			for _, one := range these {
				if told := at(one.config, "hostProfile", "holdHeaders"); told != one.hold || one.hold != (one.kind == "EnvoyFilter") {
					t.Errorf("%s/%s: %s: told %v, holds %v", set, form, one.name, told, one.hold)
				}
				delete(one.config, "hostProfile")
				twin := false
				for _, other := range first {
					delete(other.config, "hostProfile")
					same := one.name == other.name && one.namespace == other.namespace && one.plugin == other.plugin
					twin = twin || same && reflect.DeepEqual(one.config, other.config)
				}
				if !twin {
					t.Errorf("%s/%s: %s has no twin", set, form, one.name)
				}
			}
		}
	}
}

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
	provider := config.ExtensionProviders[0]
	labels := provider.GetEnvoyFileAccessLog().GetLogFormat().GetLabels().GetFields()
	for _, plugin := range []string{"mcp-authz", "mcp-authz-approval", "token-exchange"} {
		name := strings.ReplaceAll(plugin, "-", "_")
		if got, want := labels[name].GetStringValue(), fmt.Sprintf("%%FILTER_STATE(wasm.wardpoint_%s:PLAIN)%%", name); got != want {
			t.Errorf("%s: %s", plugin, got)
		}
	}
	for _, set := range sets {
		for _, document := range documents(t, rendered(set, forms[0])) {
			name := at(document, "spec", "accessLogging", 0, "providers", 0, "name")
			if document["kind"] == "Telemetry" && name != provider.Name {
				t.Errorf("%s: %v", set, name)
			}
		}
	}
}
