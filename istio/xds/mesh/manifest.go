// Package mesh runs istiod's own discovery code over manifest files.
package mesh

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

// Object is a manifest as it was written.
type Object map[string]any

// Read takes every document of every file; a folder stands for the YAML files in it.
func Read(paths ...string) ([]Object, error) {
	var objects []Object
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			found, err := readFile(file)
			if err != nil {
				return nil, err
			}
			objects = append(objects, found...)
		}
	}
	return objects, nil
}

// Parse takes the documents of a text.
func Parse(text []byte) ([]Object, error) {
	var objects []Object
	for number, document := range bytes.Split(append([]byte("\n"), text...), []byte("\n---\n")) {
		var object Object
		if err := yaml.UnmarshalStrict(document, &object); err != nil {
			return nil, fmt.Errorf("document %d: %w", number+1, err)
		}
		if object == nil {
			continue
		}
		if object.Kind() == "" || object.Name() == "" {
			return nil, fmt.Errorf("document %d has no kind or no name", number+1)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// Kind as in `kind`.
func (o Object) Kind() string { return o.text("kind") }

// Name as in `metadata.name`.
func (o Object) Name() string { return o.Map("metadata").text("name") }

// Namespace is where the object lives.
func (o Object) Namespace() string {
	if namespace := o.Map("metadata").text("namespace"); namespace != "" {
		return namespace
	}
	return "default"
}

// String is how findings name the object.
func (o Object) String() string {
	return fmt.Sprintf("%s %s/%s", o.Kind(), o.Namespace(), o.Name())
}

// Map is the object at a path; an empty one if it is not there.
func (o Object) Map(path ...string) Object {
	for _, name := range path {
		next, _ := o[name].(map[string]any)
		o = next
	}
	return o
}

// List is the objects of a list.
func (o Object) List(name string) []Object {
	items, _ := o[name].([]any)
	var found []Object
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			found = append(found, object)
		}
	}
	return found
}

// Text is a text member; empty if it is not there.
func (o Object) Text(name string) string { return o.text(name) }

// Texts is the texts of a list.
func (o Object) Texts(name string) []string {
	items, _ := o[name].([]any)
	var found []string
	for _, item := range items {
		if text, ok := item.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

// Copy shares nothing with the original.
func (o Object) Copy() Object { return copied(map[string]any(o)).(map[string]any) }

// YAML is the objects as one text.
func YAML(objects []Object) (string, error) {
	var documents []string
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return "", fmt.Errorf("%s: %w", object, err)
		}
		documents = append(documents, string(text))
	}
	return strings.Join(documents, "\n---\n"), nil
}

func (o Object) text(name string) string {
	text, _ := o[name].(string)
	return text
}

func copied(value any) any {
	switch value := value.(type) {
	case map[string]any:
		fresh := make(map[string]any, len(value))
		for name, member := range value {
			fresh[name] = copied(member)
		}
		return fresh
	case []any:
		fresh := make([]any, len(value))
		for index, item := range value {
			fresh[index] = copied(item)
		}
		return fresh
	default:
		return value
	}
}

func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := filepath.Glob(filepath.Join(path, "*.yaml"))
	sort.Strings(files)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no YAML file", path)
	}
	return files, err
}

func readFile(path string) ([]Object, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	objects, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return objects, nil
}
