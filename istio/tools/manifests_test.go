// Package manifests checks the chart, what is rendered from it, and the examples for Envoy Gateway. It needs what `make manifest-tools` builds.
package manifests

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

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
