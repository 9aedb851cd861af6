package xds

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// The plugin before a service, as its delivery has it.
type plugin struct{ object mesh.Object }

func (f *field) plugin(service string) plugin {
	for _, object := range f.objects {
		if object.Name() == "to-"+service {
			return plugin{object.Copy()}
		}
	}
	panic("no plugin before " + service)
}

// Changes its configuration, whatever it is written in.
func (p plugin) configured(t *testing.T, change func(mesh.Object)) mesh.Object {
	t.Helper()
	spec := p.object.Map("spec")
	switch p.object.Kind() {
	case "TrafficExtension":
		change(spec.Map("wasm", "pluginConfig"))
	case "WasmPlugin":
		change(spec.Map("pluginConfig"))
	default:
		value := p.vm().Map("configuration")
		var config mesh.Object
		check(t, json.Unmarshal([]byte(value.Text("value")), &config))
		change(config)
		value["value"] = string(must(json.Marshal(config))(t))
	}
	return p.object
}

func (p plugin) from(file string) mesh.Object {
	spec := p.object.Map("spec")
	switch p.object.Kind() {
	case "TrafficExtension":
		spec.Map("wasm")["url"] = "file://" + file
	case "WasmPlugin":
		spec["url"] = "file://" + file
	default:
		p.vm().Map("vm_config")["code"] = map[string]any{"local": map[string]any{"filename": file}}
	}
	return p.object
}

// What an EnvoyFilter says of it.
func (p plugin) vm() mesh.Object {
	return p.object.Map("spec").List("configPatches")[0].Map("patch", "value", "typed_config", "config")
}

var (
	mayEcho  = request{from: "researcher", to: "files", tool: "echo"}
	mayCount = request{from: "planner", to: "files", tool: "count", token: "planner"}
	mayAsk   = request{from: "planner", to: "researcher", tool: "echo", token: "planner"}
	mayNot   = request{from: "researcher", to: "files", tool: "count"}
)

// What is pushed is in force within this time.
const atOnce = 2 * time.Second

// A pushed policy is in force at once, and a stream that is under way goes on to its end.
func changes(t *testing.T, f *field) {
	stream := mayCount
	stream.path = "/own/stream"
	answer := must(client().Do(f.prepared(stream, strings.NewReader(body("count")))))(t)
	defer answer.Body.Close()
	events := bufio.NewReader(answer.Body)
	if line := must(events.ReadString('\n'))(t); !strings.Contains(line, "progress") {
		t.Fatalf("%d %s", answer.StatusCode, line)
	}
	f.wants(mayCount, 200)
	changed := f.plugin("files").configured(t, func(config mesh.Object) {
		config.List("rules")[0].Map("allow")["tools"] = []any{"echo"}
	})
	// One of three: a machine may be busy for a while.
	took := time.Duration(0)
	for range 3 {
		pushed := time.Now()
		check(t, f.istiod.Update(changed))
		f.becomes(mayCount, 403)
		if took = time.Since(pushed); took < atOnce {
			break
		}
		check(t, f.istiod.Update(f.plugin("files").object))
		f.becomes(mayCount, 200)
	}
	t.Logf("in force after %d ms", took.Milliseconds())
	if took > atOnce {
		t.Errorf("in force after %s, and each time before", took)
	}
	f.pods["files"].Go <- struct{}{}
	rest, err := io.ReadAll(events)
	if err != nil || !strings.Contains(string(rest), "done") {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
	check(t, f.istiod.Update(f.plugin("files").object))
	f.becomes(mayCount, 200)
}

// Whatever is wrong with what is pushed, the policy before it stays; what is right again is taken.
func mistakes(t *testing.T, f *field) {
	for name, wrong := range f.wrong(t, "files") {
		t.Run(name, func(t *testing.T) {
			before := f.refusals(t)
			check(t, f.istiod.Update(wrong))
			check(t, live.Until("the refusal", func() (bool, error) { return f.refusals(t) > before, nil }))
			f.wants(mayEcho, 200)
			f.wants(mayNot, 403)
			// The plugin of another service can be changed meanwhile.
			check(t, f.istiod.Update(f.plugin("researcher").configured(t, func(config mesh.Object) {
				config.List("rules")[0].Map("allow")["tools"] = []any{"count"}
			})))
			f.becomes(mayAsk, 403)
			check(t, f.istiod.Update(f.plugin("researcher").object))
			f.becomes(mayAsk, 200)
			check(t, f.istiod.Update(f.plugin("files").configured(t, func(config mesh.Object) {
				config.List("rules")[1].Map("allow")["tools"] = []any{"count"}
			})))
			f.becomes(mayEcho, 403)
			check(t, f.istiod.Update(f.plugin("files").object))
			f.becomes(mayEcho, 200)
		})
	}
}

// A waypoint that has only what is wrong answers nobody.
func starts(t *testing.T, binary string, paths ...string) {
	// Each service of the mesh gets something wrong of its own, so that one waypoint shows them all.
	places := map[string]string{"a misspelt configuration": "planner", "a module that is not there": "researcher", "a module that is none": "files"}
	f := stand(t, setup{envoy: binary, manifests: paths, change: func(objects []mesh.Object) {
		for name, service := range places {
			wrong := (&field{objects: objects}).wrong(t, service)[name]
			for index, object := range objects {
				if object.Name() == wrong.Name() {
					objects[index] = wrong
				}
			}
		}
	}})
	for name, service := range places {
		t.Run(name, func(t *testing.T) {
			closed := func(status int) bool { return status == 500 || status == 503 }
			tries := []request{{from: "researcher", tool: "echo"}, {from: "planner", tool: "echo", token: "planner"}, {from: "planner", tool: "count"}}
			for _, try := range tries {
				try.to = service
				// Until the listener is there nobody answers.
				check(t, live.Until("an answer", func() (bool, error) {
					status, text := f.send(try)
					if status != 0 && !closed(status) {
						return false, fmt.Errorf("%d %s", status, text)
					}
					return closed(status), nil
				}))
			}
			if reached := f.pods[service].Seen(); len(reached) > 0 {
				t.Errorf("%d requests came through", len(reached))
			}
		})
	}
}

func (f *field) wrong(t *testing.T, service string) map[string]mesh.Object {
	t.Helper()
	misspelt := func(config mesh.Object) { config["ruels"] = config["rules"] }
	return map[string]mesh.Object{
		"a misspelt configuration":    f.plugin(service).configured(t, misspelt),
		"a module that is not there":  f.plugin(service).from("/no/such.wasm"),
		"a module that is none":       f.plugin(service).from(built(t, "../README.md")),
		"a module of another purpose": f.plugin(service).from(built(t, "plugins/noop.wasm")),
	}
}

// How often Envoy refused what came for the plugin.
func (f *field) refusals(t *testing.T) int {
	t.Helper()
	total := 0
	for name, count := range must(f.waypoint.Stats("update_rejected"))(t) {
		if strings.Contains(name, "to-files") {
			total += count
		}
	}
	return total
}

func (f *field) wants(r request, status int) {
	f.t.Helper()
	if is, text := f.send(r); is != status {
		f.t.Errorf("%s of %s: %d %s, not %d", r.tool, r.from, is, text, status)
	}
}

func (f *field) becomes(r request, status int) {
	f.t.Helper()
	check(f.t, live.Until("the new policy", func() (bool, error) {
		is, _ := f.send(r)
		return is == status, nil
	}))
}
