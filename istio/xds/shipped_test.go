package xds

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// The manifests that are shipped, in their three forms, at work.
func TestTheShippedManifestsLive(t *testing.T) {
	const host, tools = "mcp-server.tools", "mcp-server"
	wrong := request{from: "outsider", tool: "read_file", token: "planner", path: "/mcp", host: host}
	for set, tries := range map[string][]struct {
		request
		status  int
		reaches string
	}{
		"mcp-authz": {
			{request{from: "planner", tool: "search_docs", token: "planner"}, 200, "own"},
			{request{from: "planner", tool: "delete_repo", token: "planner"}, 403, ""},
			{request{from: "planner", tool: "search_docs"}, 401, ""},
			{wrong, 403, ""},
		},
		"token-exchange": {
			{request{from: "planner", tool: "read_file", token: "planner", path: "/mcp", host: host}, 200, "exchanged"},
			// The route is the service's, whatever the caller says that it is.
			{request{from: "planner", tool: "read_file", token: "planner", path: "/mcp", host: "elsewhere.example"}, 200, "exchanged"},
			{request{from: "planner", tool: "read_file", token: "planner", path: "/elsewhere", host: host}, 403, ""},
			{request{from: "planner", tool: "read_file", token: "forged", path: "/mcp", host: host}, 401, ""},
		},
		"all": {
			{request{from: "planner", tool: "read_file", token: "planner", path: "/mcp", host: "mcp-server.files"}, 200, "exchanged"},
			{request{from: "planner", tool: "read_file", token: "planner", path: "/mcp", host: "elsewhere.example"}, 200, "exchanged"},
			{request{from: "planner", tool: "wipe_disk", token: "planner", path: "/mcp", host: "mcp-server.files"}, 403, ""},
			{request{from: "researcher", tool: "read_file", token: "planner", path: "/mcp", host: "mcp-server.files"}, 403, ""},
			{wrong, 403, ""},
		},
	} {
		for _, form := range []string{"traffic-extension", "wasm-plugin", "envoy-filter"} {
			t.Run(set+" by "+form, func(t *testing.T) {
				f := stand(t, setup{envoy: envoyOf(t, "1.40"), manifests: []string{"../manifests/" + set + "/" + form + ".yaml"}}).ready()
				for _, try := range tries {
					try.to = tools
					f.pods[tools].Seen()
					status, text := f.answer(try.request)
					wanted := try.status
					if form == "envoy-filter" && try.token == "" {
						// The plugin stands behind RBAC, which has no challenge.
						wanted = 403
					}
					if status != wanted {
						t.Errorf("%v: %d %s, not %d", try.request, status, text, wanted)
					}
					reached := f.pods[tools].Seen()
					if try.reaches == "" {
						continue
					}
					if len(reached) != 1 {
						t.Errorf("%v: %d requests reached the pod", try.request, len(reached))
						continue
					}
					token := strings.TrimPrefix(reached[0].Header.Get("Authorization"), "Bearer ")
					if (token == f.tokens["planner"]) != (try.reaches == "own") {
						t.Errorf("%v: the pod got the user's own token", try.request)
					}
					if claims := claimsOf(t, token); try.reaches == "exchanged" && (claims["aud"] != "files" || claims["sub"] != "alice") {
						t.Errorf("%v: the pod got a token with %v", try.request, claims)
					}
				}
				keepClean(t, f, set, form)
			})
		}
	}
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %q", token)
	}
	var claims map[string]any
	check(t, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1]))(t), &claims))
	return claims
}
