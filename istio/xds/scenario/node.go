package scenario

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fields are those of a mapping; each is taken once.
type fields struct {
	names []string
	nodes map[string]*yaml.Node
}

func of(node *yaml.Node) *fields {
	found := &fields{nodes: map[string]*yaml.Node{}}
	node = resolved(node)
	if node == nil {
		return found
	}
	if node.Kind != yaml.MappingNode {
		panic(unplayable(fmt.Sprintf("line %d is no mapping", node.Line)))
	}
	for index := 0; index+1 < len(node.Content); index += 2 {
		name := node.Content[index].Value
		found.names = append(found.names, name)
		found.nodes[name] = resolved(node.Content[index+1])
	}
	return found
}

func (f *fields) take(name string) *yaml.Node {
	node := f.nodes[name]
	delete(f.nodes, name)
	return node
}

// What was not taken is what a waypoint cannot play.
func (f *fields) finish() {
	left := slices.DeleteFunc(slices.Clone(f.names), func(name string) bool { return f.nodes[name] == nil })
	if len(left) > 0 {
		panic(unplayable("it has `" + strings.Join(left, "`, `") + "`"))
	}
}

// The value of a mapping that has this member and no other.
func only(node *yaml.Node, name string) *yaml.Node {
	if node = resolved(node); node == nil || node.Kind != yaml.MappingNode || len(node.Content) != 2 || node.Content[0].Value != name {
		return nil
	}
	return resolved(node.Content[1])
}

func resolved(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

func text(node *yaml.Node) string {
	node = resolved(node)
	if node == nil || node.Kind != yaml.ScalarNode {
		panic(unplayable("a value is no text"))
	}
	return node.Value
}

// The bytes that a body means.
func body(node *yaml.Node) []byte {
	node = resolved(node)
	if node.Kind == yaml.ScalarNode {
		return []byte(node.Value)
	}
	if node.Kind == yaml.MappingNode {
		fields := of(node)
		if one := only(node, "sse"); one != nil {
			return stream(one)
		}
		if one := only(node, "base64"); one != nil {
			decoded, err := base64.StdEncoding.DecodeString(text(one))
			if err != nil {
				panic(unplayable(err.Error()))
			}
			return decoded
		}
		if one := fields.take("text"); one != nil && fields.nodes["repeat"] != nil {
			times, err := strconv.Atoi(text(fields.take("repeat")))
			fields.finish()
			if err != nil {
				panic(unplayable(err.Error()))
			}
			return bytes.Repeat([]byte(text(one)), times)
		}
		if one := only(node, "json"); one != nil {
			node = one
		}
	}
	return compact(nil, node)
}

// Compact JSON, members in the written order.
func compact(out []byte, node *yaml.Node) []byte {
	node = resolved(node)
	switch node.Kind {
	case yaml.MappingNode:
		out = append(out, '{')
		for index := 0; index+1 < len(node.Content); index += 2 {
			if index > 0 {
				out = append(out, ',')
			}
			if node.Content[index].Value == "jwt" {
				panic(unplayable("it has a token in its body"))
			}
			out = append(append(out, quoted(node.Content[index].Value)...), ':')
			out = compact(out, node.Content[index+1])
		}
		return append(out, '}')
	case yaml.SequenceNode:
		out = append(out, '[')
		for index, item := range node.Content {
			if index > 0 {
				out = append(out, ',')
			}
			out = compact(out, item)
		}
		return append(out, ']')
	}
	switch node.ShortTag() {
	case "!!int", "!!float", "!!bool":
		return append(out, node.Value...)
	case "!!null":
		return append(out, "null"...)
	}
	return append(out, quoted(node.Value)...)
}

func quoted(text string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text)
	return bytes.TrimSpace(out.Bytes())
}

// An empty JSON-RPC result for the request's id.
func result(asked []byte) []byte {
	var call struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(asked, &call) != nil || call.ID == nil {
		call.ID = json.RawMessage("1")
	}
	return []byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, call.ID))
}
