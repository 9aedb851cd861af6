package xds

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wardpoint/istio/xds/live"
)

// The set that is shipped, as it is, before a real identity provider: its realm is in `testdata/keycloak`.
func TestTheExchangeAtKeycloak(t *testing.T) {
	home := os.Getenv("WARDPOINT_KEYCLOAK")
	if home == "" {
		t.Skip("no WARDPOINT_KEYCLOAK; `make test-istio` sets it, or says what is missing")
	}
	folder := t.TempDir()
	authority := must(live.NewAuthority(folder, "outside"))(t)
	keycloak := must(live.StartKeycloak(home, folder, "testdata/keycloak/realm.json", authority))(t)
	t.Cleanup(keycloak.Stop)
	idp := &provider{port: keycloak.Port, root: authority.Path, keys: must(keycloak.Keys())(t), secret: keycloak.Secret, tokens: map[string]string{
		// More than the route asks for.
		"alice": must(keycloak.Login("alice", "files:read files:write"))(t),
		"bob":   must(keycloak.Login("bob", "files:read"))(t),
	}}
	mail := live.FreePort()
	other := must(live.Start("mail", filepath.Join(folder, "mail.log"), tool(t, keycloak, "mail", mail)))(t)
	t.Cleanup(other.Stop)
	check(t, other.WaitFor("the port", func() bool { return live.Accepts(mail) }))
	for _, form := range []string{"traffic-extension", "wasm-plugin", "envoy-filter"} {
		t.Run(form, func(t *testing.T) {
			files := 0
			f := stand(t, setup{
				envoy: envoyOf(t, "1.40"), manifests: []string{"../manifests/token-exchange/" + form + ".yaml"}, idp: idp,
				server: func(port int) *exec.Cmd {
					files = port
					return tool(t, keycloak, "files", port)
				},
			}).ready()
			exchanged(t, f, files, mail)
		})
	}
}

// An MCP server that takes tokens for itself only, and says what is in them.
func tool(t *testing.T, keycloak *live.Keycloak, audience string, port int) *exec.Cmd {
	t.Helper()
	notes := filepath.Join(t.TempDir(), "notes")
	command := exec.Command(built(t, "e2e-venv/bin/python"), "servers/claims.py", fmt.Sprint(port), audience, live.Issuer, keycloak.PlainKeys(), "RS256", notes)
	command.Dir = "../../e2e"
	return command
}

func exchanged(t *testing.T, f *field, files, mail int) {
	const service, host = "mcp-server", "mcp-server.tools"
	asks := func(from, token string) request {
		return request{from: from, to: service, path: "/mcp", host: host, tool: "who", token: token}
	}
	pod := f.pods[service]
	status, text := f.answer(asks("planner", "alice"))
	if status != 200 {
		t.Fatalf("%d %s %s", status, text, f.waypoint.Log())
	}
	reached := pod.Seen()
	if len(reached) != 1 {
		t.Fatalf("%d requests reached the pod", len(reached))
	}
	t.Run("the tool is shown a token for itself, narrowed, of the agent", func(t *testing.T) {
		login, shown := claimsOf(t, f.tokens["alice"]), answered(t, text)
		if !slices.Contains(strings.Fields(login["scope"].(string)), "files:write") {
			t.Errorf("her login can do no more: %v", login["scope"])
		}
		for name, wanted := range map[string]any{
			"iss": live.Issuer, "sub": login["sub"], "sid": login["sid"], "azp": "planner", "aud": "files", "scope": "files:read",
		} {
			if wanted == nil || shown[name] != wanted {
				t.Errorf("%s: %v, not %v", name, shown[name], wanted)
			}
		}
	})
	carriesNone(t, reached, f.tokens["alice"])
	f.tokens["exchanged"] = strings.TrimPrefix(reached[0].Header.Get("Authorization"), "Bearer ")
	t.Run("a replay", func(t *testing.T) {
		for name, try := range map[string]struct {
			port   int
			token  string
			status int
		}{
			// This one is the control.
			"at the tool that it is for":   {files, "exchanged", 200},
			"at another tool":              {mail, "exchanged", 401},
			"of her own token at the tool": {files, "alice", 401},
		} {
			if is := past(t, try.port, f.tokens[try.token]); is != try.status {
				t.Errorf("%s: %d, not %d", name, is, try.status)
			}
		}
		// It is for no gate either.
		f.wants(asks("planner", "exchanged"), 403)
	})
	t.Run("who gets none", func(t *testing.T) {
		pod.Seen()
		for _, try := range []request{asks("planner", "bob"), asks("researcher", "alice")} {
			if status, text := f.answer(try); status != 403 {
				t.Errorf("%v: %d %s", try, status, text)
			}
		}
		reached := pod.Seen()
		carriesNone(t, reached, f.tokens["alice"], f.tokens["bob"])
		if len(reached) > 0 {
			t.Errorf("%d requests reached the pod", len(reached))
		}
	})
}

// No header has any of the tokens, whole or in part.
func carriesNone(t *testing.T, reached []live.Request, tokens ...string) {
	t.Helper()
	for _, request := range reached {
		for name, values := range request.Header {
			for _, token := range tokens {
				for _, part := range strings.Split(token, ".")[1:] {
					if strings.Contains(strings.Join(values, " "), part) {
						t.Errorf("%s has a part of a login", name)
					}
				}
			}
		}
	}
}

// What the tool said.
func answered(t *testing.T, text string) map[string]any {
	t.Helper()
	var answer struct {
		Result struct{ Content []struct{ Text string } }
	}
	check(t, json.Unmarshal([]byte(text), &answer))
	if len(answer.Result.Content) != 1 {
		t.Fatalf("no answer of the tool: %s", text)
	}
	var claims map[string]any
	check(t, json.Unmarshal([]byte(answer.Result.Content[0].Text), &claims))
	return claims
}

// Asks a tool without the waypoint.
func past(t *testing.T, port int, token string) int {
	t.Helper()
	sent := must(http.NewRequest("POST", fmt.Sprintf("http://%s/mcp", live.Loopback(port)), strings.NewReader(body("who"))))(t)
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token} {
		sent.Header.Set(name, value)
	}
	answer := must(client().Do(sent))(t)
	defer answer.Body.Close()
	_ = must(io.ReadAll(answer.Body))(t)
	return answer.StatusCode
}
