package scenario

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Mesh is what the scenarios of `token-exchange` are played in.
type Mesh struct {
	// Issuer is the only one whose tokens get in.
	Issuer string
	// Cluster is what the waypoint calls the token service.
	Cluster string
	// Sign makes a token with exactly these claims.
	Sign func(claims map[string]any) (string, error)
}

// Read takes the cases of a file of `token-exchange` whose requests bring a token that the proxy verifies, and whose token service just answers.
func (m Mesh) Read(path string, hold bool) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document struct {
		Environment map[string]string
		Config      yaml.Node
		Cases       []yaml.Node
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file := &File{Name: strings.TrimSuffix(filepath.Base(path), ".yaml"), Unplayable: map[string]string{}}
	for index := range document.Cases {
		name, found, why := m.one(&document.Cases[index], &document.Config, document.Environment, hold)
		if why != "" {
			file.Unplayable[name] = why
		} else {
			file.Cases = append(file.Cases, found)
		}
	}
	return file, nil
}

func (m Mesh) one(node, config *yaml.Node, environment map[string]string, hold bool) (name string, found Case, why string) {
	defer caught(&why)
	parts := of(node)
	name = text(parts.nodes["name"])
	var claims map[string]any
	if own := parts.nodes["claims"]; own != nil {
		decode(own, &claims)
		if claims["iss"] != m.Issuer {
			panic(unplayable("its token is of an issuer that the mesh does not know"))
		}
		if ends, ok := claims["exp"].(int); !ok || int64(ends) < time.Now().Unix() {
			panic(unplayable("its token does not end in the future"))
		}
	}
	// Each case has a token of its own, for what was exchanged for one is kept.
	token := ""
	if claims != nil {
		signed := map[string]any{"jti": name}
		for claim, value := range claims {
			signed[claim] = value
		}
		var err error
		if token, err = m.Sign(signed); err != nil {
			panic(unplayable(err.Error()))
		}
	}
	node = minted(node, func(of map[string]any) string {
		if claims != nil && reflect.DeepEqual(of, claims) {
			return token
		}
		return unsigned(of)
	})
	parts = of(node)
	found.Authorization = m.brought(parts.nodes["request"], token)
	answers := parts.nodes["callouts"]
	if answers != nil && answers.Kind != yaml.SequenceNode {
		panic(unplayable("several services answer"))
	}
	var called []Message
	if answers != nil {
		for _, one := range answers.Content {
			if one.Kind != yaml.MappingNode || of(one).nodes["after"] != nil {
				panic(unplayable("its token service does not just answer"))
			}
			called = append(called, answer(one, Message{}))
		}
	}
	if own := parts.nodes["environment"]; own != nil {
		environment = nil
		decode(own, &environment)
	}
	_, inner, why := read(without(node, "claims", "callouts", "environment"), config, hold)
	inner.Authorization, inner.Called, inner.Environment = found.Authorization, called, environment
	if identity, _ := inner.Config["identity"].(map[string]any); why == "" && identity["claims"] == nil {
		why = "it verifies tokens itself"
	}
	if why == "" {
		names := map[string]bool{}
		inner.Config, _ = recalled(inner.Config, m.Cluster, names).(map[string]any)
		if len(names) > 1 {
			why = "it calls several services"
		}
	}
	return name, inner, why
}

// The credentials of a request: none, or the token of its claims. They are taken out of it.
func (m Mesh) brought(request *yaml.Node, token string) string {
	headers := of(request).nodes["headers"]
	if headers == nil {
		headers = &yaml.Node{Kind: yaml.MappingNode}
	}
	own := of(headers).nodes["authorization"]
	switch {
	case own == nil && token == "":
		return ""
	case own == nil:
		panic(unplayable("claims come with a token only"))
	case own.Kind != yaml.ScalarNode:
		panic(unplayable("it brings several credentials"))
	case token != "" && own.Value == "Bearer "+token, !strings.HasPrefix(strings.ToLower(own.Value), "bearer"):
		*headers = *without(headers, "authorization")
		return own.Value
	}
	panic(unplayable("the proxy refuses its token before any plugin"))
}

// A copy with a text in the place of each token, aliases resolved.
func minted(node *yaml.Node, mint func(map[string]any) string) *yaml.Node {
	node = resolved(node)
	for name, prefix := range map[string]string{"jwt": "", "bearer": "Bearer "} {
		if one := only(node, name); one != nil && one.Kind == yaml.MappingNode {
			var claims map[string]any
			decode(one, &claims)
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: prefix + mint(claims), Line: node.Line}
		}
	}
	fresh := *node
	fresh.Anchor, fresh.Content = "", nil
	for _, part := range node.Content {
		fresh.Content = append(fresh.Content, minted(part, mint))
	}
	return &fresh
}

// A token that only the plugin reads, which does not look at its signature.
func unsigned(claims map[string]any) string {
	part := func(value any) string {
		text, _ := json.Marshal(value)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	header := map[string]string{"alg": "RS256", "typ": "at+jwt", "kid": "play"}
	return part(header) + "." + part(claims) + "." + base64.RawURLEncoding.EncodeToString([]byte("signature"))
}

// The configuration with one cluster in the place of all that it calls.
func recalled(value any, cluster string, names map[string]bool) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if text, ok := member.(string); ok && name == "cluster" {
				names[text] = true
				value[name] = cluster
			} else {
				value[name] = recalled(member, cluster, names)
			}
		}
	case []any:
		for index, item := range value {
			value[index] = recalled(item, cluster, names)
		}
	}
	return value
}

// Calls are differences between what the token service must get and what it got.
func (c Case) Calls(seen []Seen) []string {
	var found []string
	add := func(place string, wanted, seen any) {
		found = append(found, fmt.Sprintf("%s: %v, not %v", place, seen, wanted))
	}
	var wanted []*yaml.Node
	if c.Expected.calls != nil {
		wanted = c.Expected.calls.Content
	}
	if len(wanted) != len(seen) {
		add("calls", len(wanted), len(seen))
		return found
	}
	for index, one := range wanted {
		fields := of(one)
		place := fmt.Sprintf("call %d", index+1)
		headers(fields.nodes["headers"], seen[index].Header, func(name string, wanted, seen any) { add(place+" "+name, wanted, seen) })
		body := fields.nodes["body"]
		if form := only(body, "form"); form != nil {
			compareForm(form, seen[index].Body, place, add)
		} else if body != nil {
			compare(body, seen[index].Body, place, add)
		}
	}
	return found
}

// All parameters, in any order.
func compareForm(wanted *yaml.Node, seen []byte, place string, add func(string, any, any)) {
	got, err := url.ParseQuery(string(seen))
	expected := url.Values{}
	for name, value := range of(wanted).nodes {
		expected.Set(name, value.Value)
	}
	if err != nil || !reflect.DeepEqual(got, expected) {
		add(place, expected, got)
	}
}

func without(node *yaml.Node, names ...string) *yaml.Node {
	fresh := *node
	fresh.Content = nil
	for index := 0; index+1 < len(node.Content); index += 2 {
		if !slices.Contains(names, node.Content[index].Value) {
			fresh.Content = append(fresh.Content, node.Content[index], node.Content[index+1])
		}
	}
	return &fresh
}

func decode(node *yaml.Node, into any) {
	if err := node.Decode(into); err != nil {
		panic(unplayable(err.Error()))
	}
}
