// Schemas writes JSON schemas for kubeconform, one file a kind, below the directory that it is given: of Kubernetes' own kinds
// and of the CRDs of Istio, Gateway API and Envoy Gateway, as the modules that go.mod pins have them. What a schema does not
// name is refused, which the API server does not do: it drops such a field without a word.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Where the definitions stand: module and path in it.
var crds = [][2]string{
	{"istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"},
	{"sigs.k8s.io/gateway-api", "config/crd/standard"},
	{"github.com/envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds/generated"},
}

var kubernetes = [2]string{"k8s.io/kubectl", "testdata/openapi/swagger.json"}

type object = map[string]any

// A CustomResourceDefinition, as far as it is read.
type definition struct {
	Kind string
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct{ OpenAPIV3Schema object }
		}
	}
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: schemas DIRECTORY")
	}
	written, err := write(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d schemas\n", written)
}

func write(directory string) (int, error) {
	written := 0
	save := func(group, version, kind string, schema object) error {
		written++
		if group == "" {
			group = version // as kubeconform has it of `apiVersion: v1`
		}
		text, err := json.Marshal(schema)
		if err != nil {
			return err
		}
		path := filepath.Join(directory, group, strings.ToLower(kind)+"_"+version+".json")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o644)
	}
	for _, source := range crds {
		if err := custom(source, save); err != nil {
			return written, fmt.Errorf("%s: %w", source[0], err)
		}
	}
	if err := builtin(kubernetes, save); err != nil {
		return written, fmt.Errorf("%s: %w", kubernetes[0], err)
	}
	return written, nil
}

// The path of what a module has, which no build needs and so nobody may have fetched yet.
func locate(source [2]string) (string, error) {
	text, err := exec.Command("go", "mod", "download", "-json", source[0]).Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	var module struct{ Dir string }
	err = json.Unmarshal(text, &module)
	return filepath.Join(module.Dir, source[1]), err
}

func custom(source [2]string, save func(group, version, kind string, schema object) error) error {
	root, err := locate(source)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, document := range strings.Split(string(text), "\n---") {
			var crd definition
			if err := yaml.Unmarshal([]byte(document), &crd); err != nil {
				return err
			}
			if crd.Kind != "CustomResourceDefinition" {
				continue
			}
			for _, version := range crd.Spec.Versions {
				schema := version.Schema.OpenAPIV3Schema
				closed(schema)
				if err := save(crd.Spec.Group, version.Name, crd.Spec.Names.Kind, named(schema)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Kubernetes' kinds in the schema of its whole API; they refer to one another, so each gets all definitions.
func builtin(source [2]string, save func(group, version, kind string, schema object) error) error {
	path, err := locate(source)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var api struct{ Definitions map[string]object }
	if err := json.Unmarshal(text, &api); err != nil {
		return err
	}
	for _, definition := range api.Definitions {
		closed(definition)
	}
	wanted := map[string]bool{"ConfigMap": true, "Service": true, "NetworkPolicy": true, "Role": true, "RoleBinding": true}
	for _, definition := range api.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, item := range kinds {
			kind := item.(object)
			name := kind["kind"].(string)
			if !wanted[name] || len(kinds) > 1 {
				continue
			}
			schema := object{"definitions": api.Definitions}
			for key, value := range definition {
				schema[key] = value
			}
			if err := save(kind["group"].(string), kind["version"].(string), name, named(schema)); err != nil {
				return err
			}
		}
	}
	return nil
}

// With what every object has; of metadata only what a person writes.
func named(schema object) object {
	text := object{"type": "string"}
	texts := object{"type": "object", "additionalProperties": text}
	properties := schema["properties"].(object)
	properties["apiVersion"], properties["kind"] = text, text
	properties["metadata"] = object{
		"type":                 "object",
		"additionalProperties": false,
		"required":             []string{"name", "namespace"},
		"properties":           object{"name": text, "namespace": text, "labels": texts, "annotations": texts},
	}
	schema["required"] = []string{"apiVersion", "kind", "metadata"}
	return schema
}

// Refuses members that no schema names, except where a schema says that they are kept.
func closed(schema any) {
	switch node := schema.(type) {
	case []any:
		for _, item := range node {
			closed(item)
		}
	case object:
		for _, item := range node {
			closed(item)
		}
		_, properties := node["properties"].(object)
		_, said := node["additionalProperties"]
		open, _ := node["x-kubernetes-preserve-unknown-fields"].(bool)
		if kind, _ := node["type"].(string); properties && kind == "object" && !said && !open {
			node["additionalProperties"] = false
		}
		if node["format"] == "int-or-string" {
			delete(node, "type")
		}
		delete(node, "format") // names that only Kubernetes knows
	}
}
