package xds

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
	"wardpoint/istio/xds/scenario"
)

// Scenario files of `token-exchange` in which the proxy verifies the tokens that come and one token service answers; of the others no case can be played.
var exchanges = []string{"clusters", "exchange", "faults", "requests", "tools"}

// So many of their cases, at least, with header hold and without.
var mostExchanges = map[bool]int{true: 100, false: 75}

const tokenService = "outbound|443||idp.example.com"

// Every policy before a service of its own; the token service is called by the cluster that istiod makes of the shipped manifests.
func TestScenariosOfTheExchangeLive(t *testing.T) {
	for _, delivery := range []struct {
		name string
		hold bool
	}{{"traffic-extension", false}, {"envoy-filter", true}} {
		t.Run(delivery.name, func(t *testing.T) {
			idp, called := answering(t)
			var files []*scenario.File
			services, places := map[string]string{}, map[string]string{}
			environment := map[string]string{}
			objects := calling(t)
			template := object(read(t, "testdata/live/"+delivery.name+".yaml"), kindOf[delivery.name], "to-files")
			reader := scenario.Mesh{Issuer: live.Issuer, Cluster: tokenService, Sign: idp.exactly}
			for _, name := range exchanges {
				file := must(reader.Read("../../test-host/scenarios/token-exchange/"+name+".yaml", delivery.hold))(t)
				files = append(files, file)
				for _, one := range file.Cases {
					for name, value := range one.Environment {
						if other, there := environment[name]; there && other != value {
							t.Fatalf("two values of %s", name)
						}
						environment[name] = value
					}
				}
			}
			for _, file := range files {
				for _, one := range file.Cases {
					policy := policyOf(one, delivery.hold)
					text := string(must(json.Marshal(policy))(t))
					if services[text] == "" {
						services[text] = fmt.Sprintf("policy-%d", len(services)+1)
						objects = append(objects, serviceOf(services[text], len(services)), exchangerOf(t, services[text], policy, template, environment))
					}
					places[file.Name+one.Name] = services[text]
				}
			}
			pod := scripted(t)
			f := stand(t, setup{envoy: envoyOf(t, "1.40"), objects: objects, pod: pod.port, idp: &idp.provider, environment: environment}).ready()
			all, cases := 0, 0
			for _, file := range files {
				t.Run(file.Name, func(t *testing.T) {
					for _, one := range file.Cases {
						called.begin(one.Called)
						client := f.play(t, pod, &idp.provider, places[file.Name+one.Name], one)
						for _, difference := range append(one.Differences(client, pod.reached()), one.Calls(called.made())...) {
							t.Errorf("%s: %s", one.Name, difference)
						}
					}
				})
				all, cases = all+len(file.Cases)+len(file.Unplayable), cases+len(file.Cases)
				for name, why := range file.Unplayable {
					t.Logf("%s: %s: not played: %s", file.Name, name, why)
				}
			}
			unwritten(t, f, files)
			t.Logf("%d of %d cases were played, %d policies", cases, all, len(services))
			if cases < mostExchanges[delivery.hold] {
				t.Errorf("%d of %d cases were played", cases, all)
			}
		})
	}
}

// The world of the live tests without its services, and what the shipped set has for calls to its token service.
func calling(t *testing.T) []mesh.Object {
	t.Helper()
	objects := slices.DeleteFunc(read(t, world), func(object mesh.Object) bool { return object.Kind() == "Service" })
	shipped := read(t, "../manifests/token-exchange/traffic-extension.yaml")
	return append(objects, object(shipped, "EnvoyFilter", "waypoint-proxy"), object(shipped, "ServiceEntry", "idp"), object(shipped, "DestinationRule", "idp"))
}

func exchangerOf(t *testing.T, service string, policy, template mesh.Object, environment map[string]string) mesh.Object {
	t.Helper()
	text := string(must(json.Marshal(template))(t))
	// Where the proxy of the corpus sends requests.
	written := strings.ReplaceAll(string(must(json.Marshal(policy))(t)), "play-upstream-http1", fmt.Sprintf("inbound-vip|8080|http|%s.tools.svc.cluster.local", service))
	for _, place := range []string{"wardpoint/%s:", `"root_id":"%s"`, `"pluginName":"%s"`} {
		text = strings.ReplaceAll(text, fmt.Sprintf(place, "mcp-authz"), fmt.Sprintf(place, "token-exchange"))
	}
	var own, bound mesh.Object
	check(t, json.Unmarshal([]byte(text), &own))
	check(t, json.Unmarshal([]byte(written), &bound))
	names := []any{}
	for name := range environment {
		names = append(names, name)
	}
	if own.Kind() == "EnvoyFilter" {
		plugin{own}.vm().Map("vm_config")["environment_variables"] = map[string]any{"host_env_keys": names}
	} else {
		env := []any{}
		for _, name := range names {
			env = append(env, map[string]any{"name": name, "valueFrom": "HOST"})
		}
		own.Map("spec", "wasm")["vmConfig"] = map[string]any{"env": env}
	}
	return pluginOf(t, service, bound, own)
}

// A stand-in whose token service answers what it is told.
type scriptedIdp struct {
	provider
	exactly func(map[string]any) (string, error)
}

func answering(t *testing.T) (*scriptedIdp, *callee) {
	t.Helper()
	issuer := must(live.NewProvider())(t)
	authority := must(live.NewAuthority(t.TempDir(), "outside"))(t)
	called := &callee{}
	server := must(live.Answers(must(authority.Issue("idp", "idp.example.com"))(t), called))(t)
	t.Cleanup(server.Close)
	own := provider{port: port(server.Listener), root: authority.Path, keys: must(issuer.Keys())(t), secret: "unused", tokens: map[string]string{}, sign: issuer.Sign}
	return &scriptedIdp{own, issuer.Exactly}, called
}

// callee answers calls in their order, and notes them.
type callee struct {
	lock    sync.Mutex
	answers []scenario.Message
	seen    []scenario.Seen
}

func (c *callee) begin(answers []scenario.Message) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.answers, c.seen = answers, nil
}

func (c *callee) made() []scenario.Seen {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.seen
}

func (c *callee) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	header := request.Header.Clone()
	header[":method"], header[":authority"], header[":path"] = []string{request.Method}, []string{request.Host}, []string{request.URL.RequestURI()}
	c.seen = append(c.seen, scenario.Seen{Header: header, Body: body})
	answer := scenario.Message{Status: http.StatusInternalServerError}
	if len(c.answers) > 0 {
		answer, c.answers = c.answers[0], c.answers[1:]
	}
	say(writer, answer)
}
