package manifests

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	allowed = "https://console.example.com"
	manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)

// What the EnvoyFilter for browsers patches, with the plugin of the same set, in a real Envoy: preflights are answered, and a
// refusal of the plugin is one that a page may read.
func TestBrowsersAreAnsweredBeforeThePlugin(t *testing.T) {
	at := start(t, chain(t, rendered("mcp-authz", "traffic-extension")))
	for _, exchange := range []struct {
		method, origin string
		status         int
		readable       bool
	}{
		{"OPTIONS", allowed, 200, true},
		{"OPTIONS", "https://elsewhere.example", 403, false},
		{"POST", allowed, 403, true},
		{"POST", "https://elsewhere.example", 403, false},
	} {
		request, err := http.NewRequest(exchange.method, at+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
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
	plugins, is := os.LookupEnv("WARDPOINT_PLUGINS")
	if !is {
		t.Fatal("WARDPOINT_PLUGINS says where the plugins are; make test-manifests sets it")
	}
	var first, connections any
	for _, document := range documents(t, path) {
		if at(document, "metadata", "name") == "waypoint-browsers" {
			first = at(document, "spec", "configPatches", 0, "patch", "value")
			connections = at(document, "spec", "configPatches", 1, "patch", "value", "typed_config", "route_config", "typed_per_filter_config")
		}
	}
	one := extensions(t, path)[0]
	config, err := json.Marshal(one.config)
	if err != nil || first == nil || connections == nil {
		t.Fatal("no patches for browsers", err)
	}
	plugin := object{"name": one.plugin, "typed_config": object{
		"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
		"config": object{
			"root_id":        one.plugin,
			"failure_policy": "FAIL_RELOAD",
			"configuration":  object{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": string(config)},
			"vm_config": object{"runtime": "envoy.wasm.runtime.v8", "code": object{
				"local": object{"filename": filepath.Join(plugins, one.plugin+".wasm")},
			}},
		},
	}}
	router := object{"name": "router", "typed_config": object{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
	loopback := object{"socket_address": object{"address": "127.0.0.1", "port_value": 0}}
	http := object{
		"@type": manager, "stat_prefix": "in", "http_filters": []any{first, plugin, router},
		"route_config": object{
			"typed_per_filter_config": connections,
			"virtual_hosts": []any{object{"name": "all", "domains": []any{"*"}, "routes": []any{
				object{"match": object{"prefix": "/"}, "route": object{"cluster": "nobody"}},
			}}},
		},
	}
	return object{
		"admin": object{"address": loopback},
		"static_resources": object{
			"clusters": []any{object{"name": "nobody", "type": "STATIC"}},
			"listeners": []any{object{"name": "in", "address": loopback, "filter_chains": []any{
				object{"filters": []any{object{"name": "http", "typed_config": http}}},
			}}},
		},
	}
}

// Runs Envoy until the test ends; where its listener is.
func start(t *testing.T, bootstrap object) string {
	t.Helper()
	directory := t.TempDir()
	text, err := json.Marshal(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	config, admin := filepath.Join(directory, "envoy.json"), filepath.Join(directory, "admin")
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(directory, "log"))
	if err != nil {
		t.Fatal(err)
	}
	envoy := exec.Command(os.Getenv("ENVOY_BIN"), "-c", config, "--admin-address-path", admin, "--use-dynamic-base-id", "--concurrency", "1")
	envoy.Stderr = log
	if err := envoy.Start(); err != nil {
		t.Fatalf("ENVOY_BIN: %v", err)
	}
	t.Cleanup(func() {
		_ = envoy.Process.Kill()
		_ = envoy.Wait()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s", said)
		}
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		where, err := os.ReadFile(admin)
		if err != nil {
			continue
		}
		var found struct {
			Listener_statuses []struct {
				Local_address struct{ Socket_address struct{ Port_value int } }
			}
		}
		answer, err := http.Get(fmt.Sprintf("http://%s/listeners?format=json", where))
		if err != nil {
			continue
		}
		err = json.NewDecoder(answer.Body).Decode(&found)
		_ = answer.Body.Close()
		if err == nil && len(found.Listener_statuses) == 1 && found.Listener_statuses[0].Local_address.Socket_address.Port_value != 0 {
			return fmt.Sprintf("http://127.0.0.1:%d", found.Listener_statuses[0].Local_address.Socket_address.Port_value)
		}
	}
	t.Fatal("Envoy has no listener")
	return ""
}
