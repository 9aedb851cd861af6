package xds

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// field is a running mesh: istiod, an Envoy as the waypoint, pods behind it, and callers that come in by HBONE.
type field struct {
	t        *testing.T
	folder   string
	istiod   *mesh.Istiod
	objects  []mesh.Object
	waypoint *live.Envoy
	hbone    int
	hold     bool
	pods     map[string]*live.Server
	// By caller, then by where it wants to go: a service, or `pod` for the pod of `files` itself.
	doors  map[string]map[string]int
	certs  map[string]live.Certificate
	ca     string
	tokens map[string]string
}

const namespace = "spiffe://cluster.local/ns/agents/sa/"

var services = map[string]string{"planner": "10.96.0.11", "researcher": "10.96.0.12", "files": "10.96.0.13"}

// stand starts it and ends it with the test. `change` may make the manifests others before istiod sees them.
func stand(t *testing.T, binary string, change func([]mesh.Object), paths ...string) *field {
	t.Helper()
	folder := t.TempDir()
	f := &field{t: t, folder: folder, hbone: live.FreePort(), pods: map[string]*live.Server{}, doors: map[string]map[string]int{}, certs: map[string]live.Certificate{}}
	authority := must(live.NewAuthority(folder, "mesh"))(t)
	provider := must(live.NewProvider())(t)
	f.ca = authority.Path
	f.tokens = map[string]string{"planner": must(provider.Token("alice", "tools:call"))(t)}
	f.tokens["forged"] = must(must(live.NewProvider())(t).Token("alice", "tools:call"))(t)
	f.serve()
	ports := map[string]int{}
	for name, pod := range f.pods {
		ports[name] = pod.Port
	}
	f.objects = live.Adapt(read(t, paths...), built(t, "plugins"), must(provider.Keys())(t), ports, f.hbone)
	if change != nil {
		change(f.objects)
	}
	ads, sds := listen(t), listen(t)
	f.istiod = mesh.Start(t, f.objects, ads)
	own := must(authority.Issue("waypoint", "spiffe://cluster.local/ns/tools/sa/waypoint"))(t)
	t.Cleanup(must(live.ServeSecrets(sds, own, authority.Path))(t).Stop)
	f.waypoint = must(live.Waypoint(binary, folder, f.istiod.Waypoints[0], port(ads), port(sds)))(t)
	t.Cleanup(f.waypoint.Stop)
	others := must(live.NewAuthority(folder, "others"))(t)
	f.certs["planner"] = must(authority.Issue("planner", namespace+"planner"))(t)
	f.certs["researcher"] = must(authority.Issue("researcher", namespace+"researcher"))(t)
	f.certs["stranger"] = must(authority.Issue("stranger", namespace+"stranger"))(t)
	f.certs["outsider"] = must(authority.Issue("outsider", "spiffe://cluster.local/ns/evil/sa/planner"))(t)
	f.certs["forger"] = must(others.Issue("forger", namespace+"planner"))(t)
	return f
}

// Where the Makefile puts what it builds.
func built(t *testing.T, name string) string {
	t.Helper()
	path := must(filepath.Abs(filepath.Join("../../target", name)))(t)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; `make test-istio` builds it", err)
	}
	return path
}

func (f *field) serve() {
	f.t.Helper()
	for name := range services {
		port := live.FreePort()
		deleted := filepath.Join(f.folder, name+".deleted")
		command := exec.Command(built(f.t, "e2e-go/server"), fmt.Sprint(port), deleted)
		server := must(live.Start(name, filepath.Join(f.folder, name+".log"), command))(f.t)
		f.t.Cleanup(server.Stop)
		check(f.t, server.WaitFor("the port", func() bool { return live.Accepts(port) }))
		f.pods[name] = must(live.Serve(port))(f.t)
		f.t.Cleanup(f.pods[name].Stop)
	}
}

// door is where what `from` sends to a service comes in. The caller is started when it is first needed.
func (f *field) door(from, to string) string {
	f.t.Helper()
	if doors, ok := f.doors[from]; ok {
		return live.Loopback(doors[to])
	}
	doors, leads := map[string]int{}, map[int]string{}
	for service, address := range services {
		doors[service] = live.FreePort()
		leads[doors[service]] = address + ":8080"
	}
	doors["pod"] = live.FreePort()
	leads[doors["pod"]] = live.Loopback(f.pods["files"].Port)
	var own *live.Certificate
	if cert, ok := f.certs[from]; ok {
		own = &cert
	}
	envoy := must(live.Caller(envoyOf(f.t, "1.40"), f.folder, from, f.ca, own, f.hbone, leads))(f.t)
	f.t.Cleanup(envoy.Stop)
	f.doors[from] = doors
	return live.Loopback(doors[to])
}

// ready waits until the waypoint has everything.
func (f *field) ready() *field {
	f.t.Helper()
	check(f.t, f.waypoint.WaitFor("all listeners", func() bool {
		stats, err := f.waypoint.Stats("listener_manager.total_listeners_active")
		return err == nil && stats["listener_manager.total_listeners_active"] == 3
	}))
	for _, kind := range []string{"lds", "cds"} {
		if stats := must(f.waypoint.Stats(kind + ".update_rejected"))(f.t); stats[rejected[kind]] != 0 {
			f.t.Fatalf("%v: %s", stats, f.waypoint.Log())
		}
	}
	return f
}

var rejected = map[string]string{"lds": "listener_manager.lds.update_rejected", "cds": "cluster_manager.cds.update_rejected"}

// request is one that a caller sends through its door.
type request struct {
	from, to, path, tool, token, host string
	header                            map[string]string
}

func (f *field) prepared(r request, body io.Reader) *http.Request {
	f.t.Helper()
	url := fmt.Sprintf("http://%s%s", f.door(r.from, r.to), r.path)
	sent := must(http.NewRequest("POST", url, body))(f.t)
	sent.Header.Set("Content-Type", "application/json")
	sent.Header.Set("Accept", "application/json, text/event-stream")
	if token := f.tokens[r.token]; token != "" {
		sent.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range r.header {
		sent.Header.Set(name, value)
	}
	sent.Host = r.host
	return sent
}

// A connection of its own each: nothing is left of an earlier one.
func client() *http.Client {
	return &http.Client{Timeout: live.Within, Transport: &http.Transport{DisableKeepAlives: true}}
}

// send gives status and body; 0 if the connection ended without an answer.
func (f *field) send(r request) (int, string) {
	f.t.Helper()
	if r.path == "" {
		r.path = "/own"
	}
	answer, err := client().Do(f.prepared(r, strings.NewReader(body(r.tool))))
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}

func body(tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{},"_meta":{"progressToken":1}}}`, tool)
}

// The Envoy of a minor version: which patch of it is the Makefile's to say.
func envoyOf(t *testing.T, version string) string {
	t.Helper()
	found := must(filepath.Glob(built(t, "envoy") + "/" + version + ".*/bin/envoy"))(t)
	if len(found) != 1 {
		t.Fatalf("%d Envoys %s; `make test-istio` gets one", len(found), version)
	}
	return found[0]
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	return must(net.Listen("tcp", "127.0.0.1:0"))(t)
}

func port(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return value
	}
}
