// Package scenario reads the scenarios of `test-host`, as far as a waypoint can play them: one exchange, a peer with a certificate, a
// token, a message there and one back. What a case says beyond that makes it unplayable, with a reason; nothing that it says is passed over
// but audit records and counters, which the other engines compare.
package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a scenario file.
type File struct {
	Name  string
	Cases []Case
	// Unplayable is why, by name of the case.
	Unplayable map[string]string
}

// Case is one exchange and what must be seen of it.
type Case struct {
	Name string
	// Config is that of the plugin.
	Config map[string]any
	// Peer is the last part of a SPIFFE id below `ns/agents/sa`, or empty.
	Peer string
	// Claims are those of the token, or nil.
	Claims          map[string]any
	Request, Answer Message
	Expected        Expected
	// Authorization is what it brings as credentials, if they are not made of Claims.
	Authorization string
	// Called are the answers to its calls, Environment is what it reads of the proxy's.
	Called      []Message
	Environment map[string]string
	// Canaries are texts that no log may have.
	Canaries []string
}

// Message is a request or an answer.
type Message struct {
	// Method and Path are of a request, Status is of an answer.
	Method, Path, Authority string
	Status                  int
	// Events is that the body is an event stream, which has no length.
	Events bool
	// Lines are the header lines in their order.
	Lines [][2]string
	Body  []byte
}

// Sessions are whose they are by the cases before, of all files: plugins of a waypoint may share what they remember.
type Sessions map[string]string

// Read takes the cases of a file in the profile `hold` or the other one.
func (s Sessions) Read(path string, hold bool) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document struct {
		Plugin string
		Config yaml.Node
		Cases  []yaml.Node
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file := &File{Name: strings.TrimSuffix(filepath.Base(path), ".yaml"), Unplayable: map[string]string{}}
	if document.Config.Kind == yaml.ScalarNode {
		return nil, fmt.Errorf("%s: its configuration is a file of its own", path)
	}
	for _, node := range document.Cases {
		name, found, why := read(&node, &document.Config, hold)
		if why == "" && !s.fit(found) {
			why = "its session is somebody else's by then"
		}
		if why != "" {
			file.Unplayable[name] = why
		} else {
			file.Cases = append(file.Cases, found)
		}
	}
	return file, nil
}

func (s Sessions) fit(one Case) bool {
	owner, fits := fmt.Sprint(one.Peer, one.Claims), true
	for _, message := range []Message{one.Request, one.Answer} {
		for _, line := range message.Lines {
			if session := line[1]; line[0] == "mcp-session-id" {
				if s[session] == "" {
					s[session] = owner
				}
				fits = fits && s[session] == owner
			}
		}
	}
	return fits
}

// Ends the reading of a case.
type unplayable string

func caught(why *string) {
	switch reason := recover().(type) {
	case nil:
	case unplayable:
		*why = string(reason)
	default:
		panic(reason)
	}
}

func read(node, config *yaml.Node, hold bool) (name string, found Case, why string) {
	defer caught(&why)
	fields := of(node)
	name = text(fields.take("name"))
	found.Name = name
	if profiles := fields.take("profiles"); profiles != nil {
		var names []string
		if profiles.Decode(&names) != nil || !slices.Contains(names, map[bool]string{true: "hold", false: "no-hold"}[hold]) {
			panic(unplayable("is of the other profile"))
		}
	}
	found.Config = merged(config, fields.take("config"))
	identity, _ := found.Config["identity"].(map[string]any)
	if identity["peer"] == "mtls" {
		panic(unplayable("it asks for the peer of another place"))
	}
	if peer := fields.take("peer"); peer == nil && identity["peer"] == "waypoint" {
		panic(unplayable("nobody comes in without a certificate"))
	} else if peer != nil {
		account, ok := strings.CutPrefix(text(peer), "spiffe://cluster.local/ns/agents/sa/")
		if !ok || !regexp.MustCompile(`^[a-z]+$`).MatchString(account) {
			panic(unplayable("its peer is nobody of this mesh"))
		}
		found.Peer = account
	}
	if claims := fields.take("claims"); claims != nil {
		if err := claims.Decode(&found.Claims); err != nil {
			panic(unplayable(err.Error()))
		}
		for _, name := range []string{"iss", "aud", "exp", "iat", "nbf"} {
			if _, ok := found.Claims[name]; ok {
				panic(unplayable("the issuer says `" + name + "` itself"))
			}
		}
	}
	found.Request = request(fields.take("request"))
	found.Answer = answer(fields.take("upstream"), found.Request)
	found.Expected = expected(of(fields.take("expect")), hold)
	fields.take("cites")
	if canaries := fields.take("canaries"); canaries != nil {
		for _, canary := range canaries.Content {
			found.Canaries = append(found.Canaries, text(canary))
		}
	}
	fields.finish()
	return name, found, ""
}

// The configuration of a case over that of its file (RFC 7396).
func merged(file, own *yaml.Node) map[string]any {
	var base, patch map[string]any
	if err := file.Decode(&base); err != nil {
		panic(unplayable(err.Error()))
	}
	if own == nil {
		return base
	}
	if own.Kind != yaml.MappingNode {
		panic(unplayable("its configuration is a file of its own"))
	}
	if err := own.Decode(&patch); err != nil {
		panic(unplayable(err.Error()))
	}
	return laid(base, patch)
}

func laid(base, patch map[string]any) map[string]any {
	if base == nil {
		base = map[string]any{}
	}
	for name, value := range patch {
		if value == nil {
			delete(base, name)
		} else if inner, ok := value.(map[string]any); ok {
			under, _ := base[name].(map[string]any)
			base[name] = laid(under, inner)
		} else {
			base[name] = value
		}
	}
	return base
}

func request(node *yaml.Node) Message {
	message := Message{Method: "POST", Path: "/mcp", Authority: "tools.example"}
	fields := of(node)
	written := lines(fields.take("headers"))
	message.Body = whole(fields)
	fields.finish()
	absent := []string{}
	for _, line := range written {
		name, value := line[0], line[1]
		switch name {
		case ":method":
			message.Method = value
		case ":path":
			message.Path = value
			if !regexp.MustCompile(`^/[A-Za-z0-9/_.-]*$`).MatchString(value) || strings.Contains(value, "//") || strings.Contains(strings.TrimPrefix(value, "/.well-known"), "/.") {
				panic(unplayable("Istio makes paths canonical before any plugin"))
			}
		case ":authority":
			message.Authority = value
		case "authorization":
			panic(unplayable("it brings credentials of its own"))
		case "content-length", "transfer-encoding", "connection", "host", "expect", "te", "upgrade", ":scheme":
			panic(unplayable("`" + name + "` is the wire's"))
		case "":
			absent = append(absent, value)
		default:
			message.Lines = append(message.Lines, line)
		}
	}
	if len(message.Body) > 0 {
		message.defaults(absent, [2]string{"content-type", "application/json"}, [2]string{"accept", "application/json, text/event-stream"})
		message.Lines = append(message.Lines, [2]string{"content-length", strconv.Itoa(len(message.Body))})
	}
	return message
}

func answer(node *yaml.Node, to Message) Message {
	message := Message{Status: 200}
	if node == nil {
		message.Body = result(to.Body)
		message.defaults(nil, [2]string{"content-type", "application/json"})
		return message
	}
	fields := of(node)
	if status := fields.take("status"); status != nil {
		message.Status, _ = strconv.Atoi(text(status))
	}
	absent := []string{}
	for _, line := range lines(fields.take("headers")) {
		switch line[0] {
		case "":
			absent = append(absent, line[1])
		case "content-length", "transfer-encoding", "connection", "trailer":
			panic(unplayable("`" + line[0] + "` is the wire's"))
		default:
			message.Lines = append(message.Lines, line)
		}
	}
	message.Events = only(fields.nodes["body"], "sse") != nil
	if chunks := fields.nodes["chunks"]; chunks != nil {
		message.Events = slices.ContainsFunc(chunks.Content, func(chunk *yaml.Node) bool { return only(chunk, "sse") != nil })
	}
	message.Body = whole(fields)
	fields.finish()
	if message.Events {
		message.defaults(absent, [2]string{"content-type", "text/event-stream"})
	} else if len(message.Body) > 0 {
		message.defaults(absent, [2]string{"content-type", "application/json"})
	}
	return message
}

func (m *Message) defaults(absent []string, all ...[2]string) {
	for _, line := range all {
		same := func(other [2]string) bool { return other[0] == line[0] }
		if !slices.Contains(absent, line[0]) && !slices.ContainsFunc(m.Lines, same) {
			m.Lines = append(m.Lines, line)
		}
	}
}

// Header lines; one that must be absent has no name, and its name as the value.
func lines(node *yaml.Node) [][2]string {
	var found [][2]string
	for _, name := range of(node).names {
		value := of(node).nodes[name]
		name := strings.ToLower(name)
		switch {
		case value.Kind == yaml.SequenceNode:
			for _, item := range value.Content {
				found = append(found, [2]string{name, text(item)})
			}
		case value.ShortTag() == "!!null":
			found = append(found, [2]string{"", name})
		default:
			found = append(found, [2]string{name, text(value)})
		}
	}
	return found
}

func whole(fields *fields) []byte {
	if chunks := fields.take("chunks"); chunks != nil {
		var all []byte
		for _, chunk := range chunks.Content {
			all = append(all, body(chunk)...)
		}
		return all
	}
	if one := fields.take("body"); one != nil {
		return body(one)
	}
	return nil
}
