package manifests

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	allowed = "https://console.example.com"
	manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)

// What the EnvoyFilter for browsers patches, with the plugin of the same set, in a real Envoy: preflights are answered, and a
// refusal of the plugin is one that a page may read.
func TestBrowsersAreAnsweredBeforeThePlugin(t *testing.T) {
	proxy := start(t, chain(t, rendered("mcp-authz", "traffic-extension")))
	for _, exchange := range []struct {
		method, origin string
		status         int
		readable       bool
	}{
		{"OPTIONS", allowed, 200, true},
		{"OPTIONS", "https://elsewhere.example", 403, false},
		{"POST", allowed, 401, true},
		{"POST", "https://elsewhere.example", 403, false},
	} {
		request, err := http.NewRequest(exchange.method, proxy.at+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_repo","arguments":{}}}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", exchange.origin)
		request.Header.Set("Content-Type", "application/json")
		if exchange.method == "OPTIONS" {
			request.Header.Set("Access-Control-Request-Method", "POST")
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		readable := answer.Header.Get("Access-Control-Allow-Origin") == exchange.origin
		if answer.StatusCode != exchange.status || readable != exchange.readable {
			t.Errorf("%s from %s: %d, readable: %v: %s", exchange.method, exchange.origin, answer.StatusCode, readable, body)
		}
		if exchange.method == "POST" && !strings.Contains(string(body), `"reason"`) {
			t.Errorf("not the plugin's answer: %s", body)
		}
	}
}

// A bootstrap with the patched filter chain.
func chain(t *testing.T, path string) object {
	t.Helper()
	var first, connections any
	for _, document := range documents(t, path) {
		if at(document, "metadata", "name") == "waypoint-browsers" {
			first = at(document, "spec", "configPatches", 0, "patch", "value")
			connections = at(document, "spec", "configPatches", 1, "patch", "value", "typed_config", "route_config", "typed_per_filter_config")
		}
	}
	one := extensions(t, path)[0]
	if first == nil || connections == nil {
		t.Fatal("no patches for browsers")
	}
	filters := []any{first, object{"name": one.plugin, "typed_config": plugin(t, one.plugin, one.config)}}
	return bootstrap(filters, object{
		"typed_per_filter_config": connections,
		"virtual_hosts":           to("nobody"),
	}, object{"name": "nobody", "type": "STATIC"})
}

// A plugin as Envoy has it.
func plugin(t *testing.T, name string, config object) object {
	t.Helper()
	plugins, is := os.LookupEnv("WARDPOINT_PLUGINS")
	text, err := json.Marshal(config)
	if !is || err != nil {
		t.Fatal("WARDPOINT_PLUGINS says where the plugins are; make test-manifests sets it", err)
	}
	return object{
		"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
		"config": object{
			"root_id":        name,
			"failure_policy": "FAIL_RELOAD",
			"configuration":  object{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": string(text)},
			"vm_config": object{"runtime": "envoy.wasm.runtime.v8", "code": object{
				"local": object{"filename": filepath.Join(plugins, name+".wasm")},
			}},
		},
	}
}

// All requests go to one cluster.
func to(cluster string) []any {
	return []any{object{"name": "all", "domains": []any{"*"}, "routes": []any{
		object{"match": object{"prefix": "/"}, "route": object{"cluster": cluster}},
	}}}
}

// One listener, to which all come as the planner.
func bootstrap(filters []any, routes object, clusters ...any) object {
	router := object{"name": "router", "typed_config": object{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
	loopback := object{"socket_address": object{"address": "127.0.0.1", "port_value": 0}}
	http := object{"@type": manager, "stat_prefix": "in", "http_filters": append(filters, router), "route_config": routes}
	planner := object{
		"object_key": "io.istio.peer_principal", "factory_key": "envoy.string",
		"format_string": object{"text_format_source": object{"inline_string": "spiffe://cluster.local/ns/agents/sa/planner"}},
	}
	peer := object{
		"@type":             "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
		"on_new_connection": []any{planner},
	}
	return object{
		"admin": object{"address": loopback},
		"static_resources": object{
			"clusters": clusters,
			"listeners": []any{object{"name": "in", "address": loopback, "filter_chains": []any{
				object{"filters": []any{object{"name": "peer", "typed_config": peer}, object{"name": "http", "typed_config": http}}},
			}}},
		},
	}
}
