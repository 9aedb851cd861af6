package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// event is one of an event stream as a client reads it (WHATWG HTML section 9.2.6): its fields that came, by name.
type event map[string]string

// The bytes of events: LF ends, fields in the written order, `data` once a line.
func stream(node *yaml.Node) []byte {
	var out bytes.Buffer
	for _, item := range resolved(node).Content {
		fields := of(item)
		for _, name := range fields.names {
			value := fields.take(name)
			text := string(compact(nil, value))
			if value.ShortTag() == "!!str" {
				text = value.Value
			}
			if name == "comment" {
				name = ""
			}
			for line := range strings.SplitSeq(text, "\n") {
				fmt.Fprintf(&out, "%s: %s\n", name, line)
			}
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// The events of a whole stream; an unfinished last one is one too, so that nothing hides in it.
func events(body []byte) []event {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(body), "\ufeff"))
	var all []event
	one := event{}
	for line := range strings.SplitSeq(text+"\n\n", "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		data, there := one["data"]
		switch {
		case line == "":
			if len(one) > 0 {
				all = append(all, one)
			}
			one = event{}
		case name == "data" && there:
			one["data"] = data + "\n" + value
		case name == "data" || name == "event" || name == "id" || name == "retry":
			one[name] = value
		}
	}
	return all
}

// Event by event; a field that is not stated must be absent.
func compareEvents(wanted *yaml.Node, seen []byte, place string, add func(string, any, any)) {
	found := events(seen)
	items := resolved(wanted).Content
	if len(items) != len(found) {
		add(place, fmt.Sprintf("%d events", len(items)), string(seen))
		return
	}
	for index, item := range items {
		fields, at := of(item), fmt.Sprintf("%s[%d]", place, index)
		for name, came := range found[index] {
			if fields.nodes[name] == nil {
				add(at+"."+name, "absent", came)
			}
		}
		for name, node := range fields.nodes {
			came, there := found[index][name]
			var value any
			switch {
			case !there:
				add(at+"."+name, string(compact(nil, node)), "absent")
			case node.Kind == yaml.ScalarNode && node.Value == came:
			case name == "data" && node.Kind != yaml.ScalarNode && json.Unmarshal([]byte(came), &value) == nil:
				subset(node, value, at+".data", add)
			default:
				add(at+"."+name, string(compact(nil, node)), came)
			}
		}
	}
}
