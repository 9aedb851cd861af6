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
	// Where each service is to be reached.
	services map[string]string
	// By caller, then by where it wants to go: a service, or `pod` for a pod itself.
	doors  map[string]map[string]int
	certs  map[string]live.Certificate
	ca     string
	tokens map[string]string
	idp    *provider
}

const namespace = "spiffe://cluster.local/ns/agents/sa/"

// setup says which mesh it is.
type setup struct {
	// The Envoy of the waypoint.
	envoy     string
	manifests []string
	// In place of those, with the port of one server behind all services.
	objects []mesh.Object
	pod     int
	// Makes the manifests others before istiod sees them; or nil.
	change func([]mesh.Object)
	// What the waypoint has in its environment besides.
	environment map[string]string
	// Where tokens come from; or nil for a stand-in.
	idp *provider
	// The MCP server of each pod, on a port; or nil for that of the end-to-end tests.
	server func(port int) *exec.Cmd
}

// stand starts it and ends it with the test.
func stand(t *testing.T, s setup) *field {
	t.Helper()
	if s.idp == nil {
		s.idp = standIn(t)
	}
	if s.server == nil {
		s.server = func(port int) *exec.Cmd {
			return exec.Command(built(t, "e2e-go/server"), fmt.Sprint(port), filepath.Join(t.TempDir(), "deleted"))
		}
	}
	folder := t.TempDir()
	f := &field{t: t, folder: folder, hbone: live.FreePort(), services: map[string]string{}, pods: map[string]*live.Server{}, doors: map[string]map[string]int{}, certs: map[string]live.Certificate{}}
	authority := must(live.NewAuthority(folder, "mesh"))(t)
	f.ca, f.tokens, f.idp = authority.Path, s.idp.tokens, s.idp
	t.Setenv("PLANNER_SECRET", s.idp.secret)
	t.Setenv("GATE_SECRET", s.idp.secret)
	t.Setenv("TICKET_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	for name, value := range s.environment {
		t.Setenv(name, value)
	}
	objects, pods := s.objects, map[string]int{}
	if objects == nil {
		objects = read(t, s.manifests...)
		pods = f.serve(objects, s.server)
	}
	for _, object := range s.objects {
		if object.Kind() == "Service" {
			pods[object.Name()] = s.pod
		}
	}
	machine := live.Machine{
		Modules: built(t, "plugins"), Keys: s.idp.keys, HBONE: f.hbone,
		Pods: pods, Outside: map[string]int{"idp.example.com": s.idp.port},
	}
	f.objects = machine.Adapt(objects)
	for _, object := range f.objects {
		if _, ok := pods[object.Name()]; ok && object.Kind() == "Service" {
			f.services[object.Name()] = fmt.Sprintf("%s:8080", object.Map("spec").Text("clusterIP"))
		}
	}
	if s.change != nil {
		s.change(f.objects)
	}
	ads, sds := listen(t), listen(t)
	f.istiod = mesh.Start(t, meshConfig(t), f.objects, ads)
	own := must(authority.Issue("waypoint", "spiffe://cluster.local/ns/tools/sa/waypoint"))(t)
	t.Cleanup(must(live.ServeSecrets(sds, own, authority.Path, s.idp.root))(t).Stop)
	for _, waypoint := range f.istiod.Waypoints {
		if waypoint.Name == "waypoint" && waypoint.Namespace == "tools" {
			f.waypoint = must(live.Waypoint(s.envoy, folder, waypoint, port(ads), port(sds)))(t)
		}
	}
	t.Cleanup(f.waypoint.Stop)
	others := must(live.NewAuthority(folder, "others"))(t)
	for _, agent := range []string{"planner", "researcher", "stranger", "builder", "reader", "writer", "mailer"} {
		f.certs[agent] = must(authority.Issue(agent, namespace+agent))(t)
	}
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

// A pod for each service that is behind a waypoint; gives their ports.
func (f *field) serve(objects []mesh.Object, mcp func(port int) *exec.Cmd) map[string]int {
	f.t.Helper()
	ports := map[string]int{}
	for _, object := range objects {
		if object.Kind() != "Service" || object.Map("metadata", "labels").Text("istio.io/use-waypoint") == "" {
			continue
		}
		name, port := object.Name(), live.FreePort()
		server := must(live.Start(name, filepath.Join(f.folder, name+".log"), mcp(port)))(f.t)
		f.t.Cleanup(server.Stop)
		check(f.t, server.WaitFor("the port", func() bool { return live.Accepts(port) }))
		f.pods[name] = must(live.Serve(port))(f.t)
		f.t.Cleanup(f.pods[name].Stop)
		ports[name] = f.pods[name].Port
	}
	return ports
}

// door is where what `from` sends to a service comes in. The caller is started when it is first needed.
func (f *field) door(from, to string) string {
	f.t.Helper()
	if doors, ok := f.doors[from]; ok {
		return live.Loopback(doors[to])
	}
	doors, leads := map[string]int{}, map[int]string{}
	for service, address := range f.services {
		doors[service] = live.FreePort()
		leads[doors[service]] = address
	}
	for _, pod := range f.pods {
		doors["pod"] = live.FreePort()
		leads[doors["pod"]] = live.Loopback(pod.Port)
		break
	}
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

// answer is what comes once the identity provider was not too late: manifests give it two seconds, a busy machine may not.
func (f *field) answer(r request) (status int, text string) {
	f.t.Helper()
	check(f.t, live.Until("the identity provider in time", func() (bool, error) {
		status, text = f.send(r)
		return !strings.Contains(text, "exchange_unavailable") && !strings.Contains(text, "approval_unavailable"), nil
	}))
	return status, text
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
