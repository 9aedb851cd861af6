package xds

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"wardpoint/istio/xds/live"
)

// All three ways in which a plugin comes to a waypoint, and Envoy 1.39, which Istio 1.31 carries.
var deliveries = []struct {
	name, envoy string
	hold        bool
}{
	{"traffic-extension", "1.40.0", false},
	{"wasm-plugin", "1.40.0", false},
	{"envoy-filter", "1.40.0", true},
	{"traffic-extension", "1.39.3", false},
}

const world = "testdata/live/mesh.yaml"

func TestLive(t *testing.T) {
	for _, delivery := range deliveries {
		t.Run(delivery.name+" on "+delivery.envoy, func(t *testing.T) {
			f := stand(t, envoyOf(t, delivery.envoy), nil, world, "testdata/live/"+delivery.name+".yaml").ready()
			f.hold = delivery.hold
			t.Run("agents", func(t *testing.T) { agents(t, f) })
			t.Run("bypass", func(t *testing.T) { bypass(t, f) })
		})
	}
}

// Real MCP clients as two agents: each may what it may, and sees what it may call.
func agents(t *testing.T, f *field) {
	clients := map[string][]string{
		"go":     {built(t, "e2e-go/client")},
		"python": {built(t, "e2e-venv/bin/python"), "clients/python_sdk.py"},
	}
	folder := must(filepath.Abs("../../e2e"))(t)
	call := func(name, tool string, arguments map[string]any) map[string]any {
		return map[string]any{"do": "call", "name": name, "tool": tool, "arguments": arguments, "stream": false}
	}
	steps := []map[string]any{{"do": "list"}, call("echo", "echo", map[string]any{"message": "hello"}),
		call("count", "count", map[string]any{"steps": 1, "seconds": 0.01}), call("delete", "delete_repo", map[string]any{"name": "x"})}
	for _, talk := range []struct {
		from, to, token string
		tools           []string
		allowed, denied []string
	}{
		{"planner", "files", "planner", []string{"count", "echo"}, []string{"echo", "count"}, []string{"delete"}},
		{"researcher", "files", "", []string{"echo"}, []string{"echo"}, []string{"count", "delete"}},
		{"planner", "researcher", "planner", []string{"echo"}, []string{"echo"}, []string{"count", "delete"}},
		// No rule of the planner's server speaks of the researcher, so not even a session is opened.
		{"researcher", "planner", "", nil, nil, []string{"open"}},
	} {
		for name, command := range clients {
			t.Run(fmt.Sprintf("%s to %s by %s", talk.from, talk.to, name), func(t *testing.T) {
				plan := live.Plan{
					URL: fmt.Sprintf("http://%s/mcp", live.Loopback(f.doors[talk.from][talk.to])), Era: "2025-11-25", HTTP: "1.1",
					CA: f.ca, Cert: f.certs[talk.from].Cert, Key: f.certs[talk.from].Key, Steps: steps,
				}
				if talk.token != "" {
					token := f.tokens[talk.token]
					plan.Token = &token
				} else if name == "go" {
					plan.Token = new(string)
				}
				f.pods[talk.to].Seen()
				seen := must(live.Talk(command, folder, plan))(t)
				if tools := seen["list"].Tools; !sameSet(tools, talk.tools) {
					t.Errorf("tools: %v", tools)
				}
				for _, step := range talk.allowed {
					if seen[step].Error != nil || seen[step].Text == "" {
						t.Errorf("%s: %+v", step, seen[step])
					}
				}
				for _, step := range talk.denied {
					if shown := fmt.Sprint(seen[step].Error); !strings.Contains(shown, "not allowed") && !strings.Contains(shown, "Forbidden") {
						t.Errorf("%s: %+v", step, seen[step])
					}
				}
				if reached := f.pods[talk.to].Seen(); (len(reached) == 0) == (talk.allowed != nil) && f.hold {
					t.Errorf("%d requests reached the pod", len(reached))
				}
			})
		}
	}
}

func sameSet(is, wanted []string) bool {
	count := func(names []string) map[string]int {
		found := map[string]int{}
		for _, name := range names {
			found[name]++
		}
		return found
	}
	return reflect.DeepEqual(count(is), count(wanted))
}

// Every way round the policy that goes through the waypoint, and that none of them reaches a pod.
func bypass(t *testing.T, f *field) {
	forged := map[string]string{
		"X-Forwarded-Client-Cert": "By=spiffe://cluster.local/ns/tools/sa/waypoint;URI=" + namespace + "planner",
		"X-Envoy-Peer-Principal":  namespace + "planner",
		"Baggage":                 "k8s.namespace.name=agents,service.name=planner",
	}
	for name, try := range map[string]struct {
		request
		status int
		says   string
	}{
		"a certificate of another authority":        {request{from: "forger", to: "files", tool: "echo", token: "planner"}, 0, ""},
		"no certificate":                            {request{from: "nobody", to: "files", tool: "echo", token: "planner"}, 0, ""},
		"a peer of another namespace":               {request{from: "outsider", to: "files", tool: "echo", token: "planner"}, 403, "RBAC"},
		"a peer that no rule knows":                 {request{from: "stranger", to: "files", tool: "echo", token: "planner"}, 403, "not allowed"},
		"the token of another agent's user":         {request{from: "researcher", to: "files", tool: "count", token: "planner"}, 403, "not allowed"},
		"a token of another issuer":                 {request{from: "planner", to: "files", tool: "count", token: "forged"}, 401, "Jwt"},
		"no token":                                  {request{from: "planner", to: "files", tool: "count"}, 403, "not allowed"},
		"headers that name another peer":            {request{from: "researcher", to: "files", tool: "count", token: "planner", header: forged}, 403, "not allowed"},
		"the host of another service":               {request{from: "researcher", to: "planner", tool: "echo", host: "files.tools.svc.cluster.local"}, 403, "not allowed"},
		"the pod's address in place of its service": {request{from: "planner", to: "pod", tool: "echo", token: "planner"}, 403, "RBAC"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pod := range f.pods {
				pod.Seen()
			}
			status, text := f.send(try.request)
			if status != try.status || !strings.Contains(text, try.says) {
				t.Errorf("%d %s\nwanted: %d %s", status, text, try.status, try.says)
			}
		})
	}
	t.Run("what was refused did not get in", func(t *testing.T) {
		stats := must(f.waypoint.Stats("ssl.fail_verify"))(t)
		if sum(stats, "fail_verify_no_cert") == 0 || sum(stats, "fail_verify_error") == 0 {
			t.Errorf("no certificate: %v", stats)
		}
	})
	t.Run("forged headers do not come through", func(t *testing.T) {
		f.pods["files"].Seen()
		if status, text := f.send(request{from: "researcher", to: "files", tool: "echo", header: forged}); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		for _, reached := range f.pods["files"].Seen() {
			if cert := reached.Header.Get("X-Forwarded-Client-Cert"); strings.Contains(cert, "planner") {
				t.Errorf("it got %s", cert)
			}
		}
	})
}

func sum(stats map[string]int, ends string) int {
	total := 0
	for name, count := range stats {
		if strings.HasSuffix(name, ends) {
			total += count
		}
	}
	return total
}
