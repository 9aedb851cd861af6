package xds

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
	"wardpoint/istio/xds/scenario"
)

// Scenario files of `mcp-authz`. Not those about streams that are cut or expire, faults of the host, audit records, and paths, which Istio makes canonical first.
var played = []string{
	"answers", "bypasses", "completion", "denials", "eras", "events", "http", "hygiene", "json", "lists", "messages", "metadata", "observe", "prompts", "resources",
	"rules", "server-requests", "sessions", "subscriptions", "tasks", "who",
}

// So many of the cases a waypoint can play, at least.
const most = 0.75

// Every policy before a service of its own, behind one waypoint.
func TestScenariosLive(t *testing.T) {
	for _, delivery := range []struct {
		name string
		hold bool
	}{{"traffic-extension", false}, {"envoy-filter", true}} {
		t.Run(delivery.name, func(t *testing.T) {
			var files []*scenario.File
			// By policy, and by case.
			sessions := scenario.Sessions{}
			services, places := map[string]string{}, map[string]string{}
			objects := []mesh.Object{}
			for _, object := range read(t, world) {
				if object.Kind() != "Service" {
					objects = append(objects, object)
				}
			}
			template := object(read(t, "testdata/live/"+delivery.name+".yaml"), kindOf[delivery.name], "to-files")
			for _, name := range played {
				file := must(sessions.Read("../../test-host/scenarios/mcp-authz/"+name+".yaml", delivery.hold))(t)
				files = append(files, file)
				for _, one := range file.Cases {
					policy := policyOf(one, delivery.hold)
					text := string(must(json.Marshal(policy))(t))
					if services[text] == "" {
						services[text] = fmt.Sprintf("policy-%d", len(services)+1)
						objects = append(objects, serviceOf(services[text], len(services)), pluginOf(t, services[text], policy, template))
					}
					places[file.Name+one.Name] = services[text]
				}
			}
			t.Logf("%d policies", len(services))
			pod := scripted(t)
			idp := standIn(t)
			f := stand(t, setup{envoy: envoyOf(t, "1.40"), objects: objects, pod: pod.port, idp: idp}).ready()
			all, cases := 0, 0
			for _, file := range files {
				t.Run(file.Name, func(t *testing.T) {
					for _, one := range file.Cases {
						client := f.play(t, pod, idp, places[file.Name+one.Name], one)
						for _, difference := range one.Differences(client, pod.reached()) {
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
			t.Logf("%d of %d cases were played", cases, all)
			if float64(cases) < most*float64(all) {
				t.Errorf("%d of %d cases were played", cases, all)
			}
		})
	}
}

var kindOf = map[string]string{"traffic-extension": "TrafficExtension", "envoy-filter": "EnvoyFilter"}

func serviceOf(name string, number int) mesh.Object {
	return mesh.Object{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": name, "namespace": "tools", "labels": map[string]any{"istio.io/use-waypoint": "waypoint"}},
		"spec": map[string]any{
			"clusterIP": fmt.Sprintf("10.96.7.%d", number), "selector": map[string]any{"app": name},
			"ports": []any{map[string]any{"name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP", "appProtocol": "http"}},
		},
	}
}

// The policy of a case on a waypoint: claims are where istiod has them put.
func policyOf(one scenario.Case, hold bool) mesh.Object {
	policy := mesh.Object(one.Config).Copy()
	if _, own := policy["hostProfile"]; !own {
		policy["hostProfile"] = map[string]any{"holdHeaders": hold}
	}
	if claims := policy.Map("identity", "claims"); claims != nil {
		claims["provider"] = "payload"
	}
	return policy
}

func pluginOf(t *testing.T, service string, policy, template mesh.Object) mesh.Object {
	t.Helper()
	text := string(must(json.Marshal(template))(t))
	for _, place := range []string{"to-%s", "%s.tools.svc", `"name":"%s"`} {
		text = strings.ReplaceAll(text, fmt.Sprintf(place, "files"), fmt.Sprintf(place, service))
	}
	var own mesh.Object
	check(t, json.Unmarshal([]byte(text), &own))
	return plugin{own}.configured(t, func(config mesh.Object) {
		clear(config)
		maps.Copy(config, policy)
	})
}

// play sends the request as it is written, on a connection of its own.
func (f *field) play(t *testing.T, pod *script, idp *provider, service string, one scenario.Case) scenario.Seen {
	t.Helper()
	pod.begin(one.Answer)
	from := one.Peer
	if from == "" {
		// Nobody comes in without a certificate; the policies of these cases do not ask whose it is.
		from = "planner"
	}
	connection := must(net.Dial("tcp", f.door(from, service)))(t)
	defer connection.Close()
	check(t, connection.SetDeadline(time.Now().Add(live.Within)))
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nhost: %s\r\n", one.Request.Method, one.Request.Path, one.Request.Authority)
	for _, line := range one.Request.Lines {
		fmt.Fprintf(&head, "%s: %s\r\n", line[0], line[1])
	}
	if one.Authorization != "" {
		fmt.Fprintf(&head, "authorization: %s\r\n", one.Authorization)
	}
	if one.Claims != nil {
		fmt.Fprintf(&head, "authorization: Bearer %s\r\n", must(idp.sign(one.Claims))(t))
	}
	// A refusal may come before all of it was sent.
	_, _ = io.WriteString(connection, head.String()+"\r\n"+string(one.Request.Body))
	answer, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: one.Request.Method})
	if err != nil {
		return scenario.Seen{Body: []byte(err.Error())}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(t, err)
	return scenario.Seen{Status: answer.StatusCode, Header: answer.Header, Body: text}
}

// No log of the waypoint has what no log may have.
func unwritten(t *testing.T, f *field, files []*scenario.File) {
	t.Helper()
	written := must(f.waypoint.Wrote())(t)
	for _, file := range files {
		for _, one := range file.Cases {
			secrets := slices.Clone(one.Canaries)
			for _, value := range one.Environment {
				secrets = append(secrets, value)
			}
			if _, token, found := strings.Cut(one.Authorization, " "); found {
				secrets = append(secrets, token)
			}
			for _, secret := range secrets {
				if strings.Contains(written, secret) {
					t.Errorf("%s: %s: the waypoint wrote %s", file.Name, one.Name, secret)
				}
			}
		}
	}
}

// script is a pod that answers what it is told, and notes what comes complete.
type script struct {
	port   int
	lock   sync.Mutex
	answer scenario.Message
	seen   []scenario.Seen
}

func scripted(t *testing.T) *script {
	t.Helper()
	pod := &script{}
	listener := listen(t)
	pod.port = port(listener)
	server := &http.Server{Handler: pod}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return pod
}

func (s *script) begin(answer scenario.Message) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.answer, s.seen = answer, nil
}

func (s *script) reached() []scenario.Seen {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.seen
}

func (s *script) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	s.lock.Lock()
	s.seen = append(s.seen, scenario.Seen{Header: request.Header.Clone(), Body: body})
	answer := s.answer
	s.lock.Unlock()
	say(writer, answer)
}

func say(writer http.ResponseWriter, answer scenario.Message) {
	for _, line := range answer.Lines {
		writer.Header().Add(line[0], line[1])
	}
	writer.WriteHeader(answer.Status)
	if answer.Events {
		// With a length it would be no stream.
		writer.(http.Flusher).Flush()
	}
	_, _ = writer.Write(answer.Body)
}
