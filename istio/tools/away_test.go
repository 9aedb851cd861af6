package manifests

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A control plane that serves one plugin, as Istio's does by discovery of extensions.
type plane struct {
	*httptest.Server
	lock    sync.Mutex
	plugin  object
	version int
}

func (p *plane) push(plugin object) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.plugin, p.version = plugin, p.version+1
}

func (p *plane) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	p.lock.Lock()
	defer p.lock.Unlock()
	_ = json.NewEncoder(answer).Encode(object{
		"version_info": strconv.Itoa(p.version),
		"type_url":     "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
		"resources": []any{object{
			"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "plugin", "typed_config": p.plugin,
		}},
	})
}

// An Envoy whose plugin comes from a control plane, with a server behind it.
type stage struct {
	envoy
	plane   *plane
	reached atomic.Int32
}

func stand(t *testing.T, plugin object) *stage {
	t.Helper()
	s := &stage{plane: &plane{}}
	s.plane.push(plugin)
	s.plane.Server = httptest.NewServer(s.plane)
	t.Cleanup(s.plane.Close)
	tool := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		s.reached.Add(1)
		answer.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(answer, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`)
	}))
	t.Cleanup(tool.Close)
	source := object{"resource_api_version": "V3", "initial_fetch_timeout": "0s", "api_config_source": object{
		"api_type": "REST", "transport_api_version": "V3", "cluster_names": []any{"plane"}, "refresh_delay": "0.05s",
	}}
	filter := object{"name": "plugin", "config_discovery": object{
		"config_source": source, "type_urls": []any{"type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"},
	}}
	config := bootstrap([]any{filter}, object{"virtual_hosts": to("tool")}, cluster(t, "tool", tool.URL), cluster(t, "plane", s.plane.URL))
	config["node"] = object{"id": "waypoint", "cluster": "waypoint"}
	s.envoy = start(t, config)
	return s
}

func cluster(t *testing.T, name, where string) object {
	t.Helper()
	place, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(place.Port())
	if err != nil {
		t.Fatal(err)
	}
	address := object{"address": object{"socket_address": object{"address": place.Hostname(), "port_value": port}}}
	return object{"name": name, "type": "STATIC", "load_assignment": object{"cluster_name": name, "endpoints": []any{
		object{"lb_endpoints": []any{object{"endpoint": address}}},
	}}}
}

// The status of a call of that tool on a connection of its own; 0 if there is no answer.
func (s *stage) call(t *testing.T, tool string) int {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{}}}`
	request, err := http.NewRequest("POST", s.at+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func (s *stage) decides(t *testing.T) {
	t.Helper()
	if good, bad := s.call(t, "search_files"), s.call(t, "delete_repo"); good != 200 || bad != 403 {
		t.Errorf("what is allowed got %d, what is not got %d", good, bad)
	}
}

func (s *stage) refused() bool {
	for _, line := range strings.Split(s.ask("/stats?filter=extension_config_discovery.*(update_rejected|config_fail)"), "\n") {
		if name, count, is := strings.Cut(line, ": "); is && name != "" && count != "0" {
			return true
		}
	}
	return false
}

func searches(t *testing.T) object {
	planner := "spiffe://cluster.local/ns/agents/sa/planner"
	return plugin(t, "mcp-authz", object{
		"version": 1, "identity": object{"peer": "waypoint"},
		"rules": []any{object{"id": "searches", "allow": object{"agents": []any{planner}, "user": "none", "tools": []any{"search_*"}}}},
	})
}

// Two ways in which a plugin cannot start.
func broken(t *testing.T) map[string]object {
	lost := searches(t)
	lost["config"].(object)["vm_config"].(object)["code"] = object{"local": object{"filename": t.TempDir() + "/not-there.wasm"}}
	return map[string]object{
		"a policy that is none":      plugin(t, "mcp-authz", object{"version": 1, "rules": []any{}}),
		"a module that is not there": lost,
	}
}

func TestAProxyWhoseControlPlaneIsAwayGoesOnDeciding(t *testing.T) {
	s := stand(t, searches(t))
	until(t, "the plugin is there", func() bool { return s.call(t, "search_files") == 200 })
	s.plane.Close()
	until(t, "Envoy has seen that it is away", func() bool {
		return !strings.Contains(s.ask("/stats?filter=extension_config_discovery.*update_failure"), "update_failure: 0")
	})
	s.decides(t)
}

func TestABadPolicyDoesNotReplaceAGoodOne(t *testing.T) {
	for name, bad := range broken(t) {
		t.Run(name, func(t *testing.T) {
			s := stand(t, searches(t))
			until(t, "the plugin is there", func() bool { return s.call(t, "search_files") == 200 })
			s.plane.push(bad)
			until(t, "Envoy has refused it", s.refused)
			s.decides(t)
		})
	}
}

func TestAPluginThatCannotStartLetsNothingThrough(t *testing.T) {
	for name, bad := range broken(t) {
		t.Run(name, func(t *testing.T) {
			s := stand(t, bad)
			until(t, "Envoy has refused it", s.refused)
			for range 5 {
				if status := s.call(t, "search_files"); status != 0 && status < 500 {
					t.Errorf("got %d", status)
				}
			}
			if s.reached.Load() != 0 {
				t.Error("it got through")
			}
		})
	}
}
