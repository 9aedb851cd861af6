package xds

import (
	"strings"
	"testing"

	"wardpoint/istio/xds/mesh"
)

// A waypoint sends a request to the service whose address was dialled, whatever its `Host` says. Routes by `service` go by that
// too; routes by `host` believe the caller, which is why `wardpoint lint` has `host-believed`.
func TestATokenGoesWhereTheWaypointSendsTheRequest(t *testing.T) {
	const files, mail = "mcp-server.tools.svc.cluster.local", "mail.tools.svc.cluster.local"
	for name, c := range map[string]struct {
		by string
		// By the service that was dialled, with the other one as the host.
		files, mail string
	}{
		"routes by service go by the address": {"service", "files", "mail"},
		"routes by host believe the caller":   {"host", "mail", "files"},
	} {
		t.Run(name, func(t *testing.T) {
			routes := func(objects []mesh.Object) {
				config := object(objects, "TrafficExtension", "tokens").Map("spec", "wasm", "pluginConfig")
				route := func(audience, service string) any {
					return map[string]any{"id": audience, c.by: service, "server": "keycloak", "audience": audience, "scopes": []any{"files:read"}}
				}
				config["routes"] = []any{route("files", files), route("mail", mail)}
			}
			f := stand(t, setup{
				envoy:     envoyOf(t, "1.40"),
				manifests: []string{"../manifests/token-exchange/traffic-extension.yaml", "testdata/live/mail.yaml"},
				change:    routes,
			}).ready()
			for _, try := range []struct{ to, host, audience string }{
				{"mcp-server", files, "files"},
				{"mail", mail, "mail"},
				{"mcp-server", mail, c.files},
				{"mail", files, c.mail},
			} {
				f.pods[try.to].Seen()
				if status, text := f.send(request{from: "planner", to: try.to, tool: "read_file", token: "planner", path: "/own", host: try.host}); status != 200 {
					t.Fatalf("%+v: %d %s", try, status, text)
				}
				reached := f.pods[try.to].Seen()
				if len(reached) != 1 {
					t.Fatalf("%+v: %d requests reached the pod", try, len(reached))
				}
				token := strings.TrimPrefix(reached[0].Header.Get("Authorization"), "Bearer ")
				if claims := claimsOf(t, token); claims["aud"] != try.audience || claims["sub"] != "alice" {
					t.Errorf("%+v: the pod got a token with %v", try, claims)
				}
			}
		})
	}
}

// The same of conditions: `request.service` is what was dialled, `request.host` what the caller says.
func TestAConditionGoesByWhereTheWaypointSendsTheRequest(t *testing.T) {
	const files, mail = "mcp-server.tools.svc.cluster.local", "mail.tools.svc.cluster.local"
	for name, c := range map[string]struct {
		when string
		// To the service that was dialled, with the other one as the host.
		files, mail int
	}{
		"a condition on the service goes by the address": {"request.service == '" + files + "'", 200, 403},
		"a condition on the cluster too":                 {"request.cluster.endsWith('|" + files + "')", 200, 403},
		"a condition on the host believes the caller":    {"request.host == '" + files + "'", 403, 200},
	} {
		t.Run(name, func(t *testing.T) {
			rules := func(objects []mesh.Object) {
				config := object(objects, "TrafficExtension", "tools").Map("spec", "wasm", "pluginConfig")
				config["rules"] = []any{map[string]any{"id": "files", "allow": map[string]any{
					"agents": []any{"spiffe://cluster.local/ns/agents/sa/planner"}, "tools": []any{"read_file"}, "when": c.when,
				}}}
			}
			f := stand(t, setup{
				envoy:     envoyOf(t, "1.40"),
				manifests: []string{"../manifests/mcp-authz/traffic-extension.yaml", "testdata/live/mail.yaml"},
				change:    rules,
			}).ready()
			for _, try := range []struct {
				to, host string
				status   int
			}{
				{"mcp-server", files, 200},
				{"mail", mail, 403},
				{"mcp-server", mail, c.files},
				{"mail", files, c.mail},
			} {
				if status, text := f.send(request{from: "planner", to: try.to, tool: "read_file", token: "planner", path: "/own", host: try.host}); status != try.status {
					t.Errorf("%+v: %d %s", try, status, text)
				}
			}
		})
	}
}
