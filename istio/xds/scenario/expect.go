package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Expected is what client and upstream must see.
type Expected struct {
	status  int
	headers *yaml.Node
	// Nil: that of the upstream's answer, where it comes through with its status.
	body *yaml.Node
	// Whether the request comes through, complete.
	through         bool
	upstreamHeaders *yaml.Node
	// Nil: as it was sent.
	upstreamBody *yaml.Node
	// What is called; nil: nothing.
	calls *yaml.Node
}

// Seen is one side's part of an exchange.
type Seen struct {
	Status int
	Header http.Header
	Body   []byte
}

func expected(fields *fields, hold bool) Expected {
	over := map[bool]string{true: "hold", false: "noHold"}
	own := of(fields.take(over[hold]))
	fields.take(over[!hold])
	pick := func(name string) *yaml.Node {
		general := fields.take(name)
		if special := own.take(name); special != nil {
			return special
		}
		return general
	}
	pick("audit")
	pick("counters")
	client, upstream, calls := pick("client"), pick("upstream"), pick("callouts")
	fields.finish()
	own.finish()
	if client == nil || client.Kind != yaml.MappingNode {
		panic(unplayable("its client gets no answer"))
	}
	parts := of(client)
	found := Expected{headers: parts.take("headers"), body: stated(parts.take("body")), calls: calls}
	found.status, _ = strconv.Atoi(text(parts.take("status")))
	parts.finish()
	if upstream != nil && upstream.Kind == yaml.MappingNode {
		parts := of(upstream)
		found.through, found.upstreamHeaders, found.upstreamBody = true, parts.take("headers"), stated(parts.take("body"))
		parts.finish()
	} else {
		found.through = text(upstream) == "unchanged"
	}
	return found
}

func stated(node *yaml.Node) *yaml.Node {
	if node != nil && node.Kind == yaml.MappingNode {
		for _, name := range []string{"base64", "form"} {
			if of(node).nodes[name] != nil {
				panic(unplayable("it expects `" + name + "`"))
			}
		}
	}
	return node
}

// Differences are what was seen that must not be, or the other way round; `reached` is what the upstream got.
func (c Case) Differences(client Seen, reached []Seen) []string {
	var found []string
	add := func(place string, wanted, seen any) {
		found = append(found, fmt.Sprintf("%s: %v, not %v", place, seen, wanted))
	}
	want := c.Expected
	if client.Status != want.status {
		add("status", want.status, fmt.Sprintf("%d %s", client.Status, client.Body))
	}
	headers(want.headers, client.Header, add)
	switch {
	case want.body != nil:
		compare(want.body, client.Body, "body", add)
	case want.through && want.status == c.Answer.Status && !bytes.Equal(client.Body, c.Answer.Body):
		add("body", string(c.Answer.Body), string(client.Body))
	}
	if wanted := map[bool]int{true: 1}[want.through]; len(reached) != wanted {
		add("requests at the upstream", wanted, len(reached))
	} else if want.through {
		headers(want.upstreamHeaders, reached[0].Header, add)
		if want.upstreamBody != nil {
			compare(want.upstreamBody, reached[0].Body, "upstream's body", add)
		} else if !bytes.Equal(reached[0].Body, c.Request.Body) {
			add("upstream's body", string(c.Request.Body), string(reached[0].Body))
		}
	}
	return found
}

func headers(wanted *yaml.Node, seen http.Header, add func(string, any, any)) {
	for _, name := range of(wanted).names {
		value, got := of(wanted).nodes[name], seen.Values(name)
		var items []*yaml.Node
		switch {
		case value.Kind == yaml.SequenceNode:
			items = value.Content
		case value.ShortTag() != "!!null":
			items = []*yaml.Node{value}
		}
		same := len(items) == len(got)
		for index := 0; same && index < len(items); index++ {
			same = matches(items[index], got[index])
		}
		if !same {
			add(name, string(compact(nil, value)), got)
		}
	}
}

func compare(wanted *yaml.Node, seen []byte, place string, add func(string, any, any)) {
	if one := only(wanted, "sse"); one != nil {
		compareEvents(one, seen, place, add)
		return
	}
	if like(wanted) || wanted.Kind == yaml.ScalarNode {
		if !matches(wanted, string(seen)) {
			add(place, string(compact(nil, wanted)), string(seen))
		}
		return
	}
	var value any
	if err := json.Unmarshal(seen, &value); err != nil {
		add(place, string(compact(nil, wanted)), string(seen))
		return
	}
	if fields := of(wanted); wanted.Kind == yaml.MappingNode && fields.nodes["json"] != nil && len(fields.names) == 1 {
		wanted = fields.nodes["json"]
	}
	subset(wanted, value, place, add)
}

// Objects are subsets, lists have their exact length.
func subset(wanted *yaml.Node, seen any, place string, add func(string, any, any)) {
	wanted = resolved(wanted)
	switch {
	case like(wanted):
		if text, ok := seen.(string); !ok || !matches(wanted, text) {
			add(place, string(compact(nil, wanted)), seen)
		}
	case wanted.Kind == yaml.MappingNode:
		members, ok := seen.(map[string]any)
		if !ok {
			add(place, string(compact(nil, wanted)), seen)
			return
		}
		for name, node := range of(wanted).nodes {
			member, there := members[name]
			if node.Kind == yaml.MappingNode && of(node).nodes["absent"] != nil {
				if there {
					add(place+"."+name, "absent", member)
				}
			} else if !there {
				add(place+"."+name, string(compact(nil, node)), "absent")
			} else {
				subset(node, member, place+"."+name, add)
			}
		}
	case wanted.Kind == yaml.SequenceNode:
		items, ok := seen.([]any)
		if !ok || len(items) != len(wanted.Content) {
			add(place, string(compact(nil, wanted)), seen)
			return
		}
		for index, node := range wanted.Content {
			subset(node, items[index], fmt.Sprintf("%s[%d]", place, index), add)
		}
	default:
		var value any
		if json.Unmarshal(compact(nil, wanted), &value) != nil || !reflect.DeepEqual(value, seen) {
			add(place, wanted.Value, seen)
		}
	}
}

// Whether it says what a text must be like.
func like(node *yaml.Node) bool {
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 {
		return false
	}
	name := node.Content[0].Value
	return name == "contains" || name == "matches"
}

func matches(wanted *yaml.Node, seen string) bool {
	wanted = resolved(wanted)
	if !like(wanted) {
		return wanted.Kind == yaml.ScalarNode && wanted.Value == seen
	}
	what := text(wanted.Content[1])
	if wanted.Content[0].Value == "contains" {
		return strings.Contains(seen, what)
	}
	return regexp.MustCompile(what).MatchString(seen)
}
