package xds

import (
	"strings"
	"testing"

	"wardpoint/istio/xds/mesh"
)

// While istiod cannot fetch the keys of an issuer its tokens are refused, and who shows one is not taken for somebody without; when it has
// them they are good. A set that is shipped, so that what denies a missing token is there too.
func TestTheKeysOfTheIssuerAreAway(t *testing.T) {
	var users mesh.Object
	f := stand(t, setup{
		envoy: envoyOf(t, "1.40"), manifests: []string{"../manifests/mcp-authz/traffic-extension.yaml"},
		change: func(objects []mesh.Object) {
			own := object(objects, "RequestAuthentication", "waypoint-users")
			users = own.Copy()
			for _, rule := range own.Map("spec").List("jwtRules") {
				delete(rule, "jwks")
				// Nobody listens there.
				rule["jwksUri"] = "http://127.0.0.1:1/keys"
			}
		},
	}).ready()
	mayRead := request{from: "planner", to: "mcp-server", tool: "search_docs", token: "planner"}
	status, text := f.send(mayRead)
	if status != 401 || !strings.Contains(text, "Jwt") {
		t.Errorf("%d %s", status, text)
	}
	for name, try := range map[string]request{
		"no token": {from: "planner", to: "mcp-server", tool: "search_docs"}, "a forged one": {from: "planner", to: "mcp-server", tool: "search_docs", token: "forged"},
	} {
		if status, text := f.send(try); status != 401 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	for _, pod := range f.pods {
		if reached := len(pod.Seen()); reached > 0 {
			t.Errorf("%d requests reached the pod", reached)
		}
	}
	check(t, f.istiod.Update(users))
	f.becomes(mayRead, 200)
	if status, text := f.send(request{from: "planner", to: "mcp-server", tool: "search_docs", token: "forged"}); status != 401 {
		t.Errorf("forged: %d %s", status, text)
	}
}
