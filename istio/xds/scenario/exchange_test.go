package scenario

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const exchanges = `plugin: token-exchange
environment: {SECRET: a-secret}
config: {version: 1, identity: {claims: {provider: payload}}, servers: [{token: {cluster: keycloak, path: /token}}]}
cases:
  - name: exchanged
    peer: spiffe://cluster.local/ns/agents/sa/planner
    claims: &alice {iss: "https://idp", sub: alice, exp: 4102444800}
    request: {headers: {authorization: {bearer: *alice}}, body: {id: 1}}
    callouts: [{body: {access_token: {jwt: &issued {sub: alice, aud: files}}}}]
    expect:
      client: {status: 200}
      upstream: {headers: {authorization: {bearer: *issued}}}
      callouts: [{cluster: keycloak, headers: {":path": /token}, body: {form: {subject_token: {jwt: *alice}, audience: files}}}]
      audit: []
  - name: no token
    request: {body: {id: 1}}
    expect: {client: {status: 401}, upstream: nothing, audit: []}
  - {name: basic, request: {headers: {authorization: Basic eA==}}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
  - {name: another token, claims: *alice, request: {headers: {authorization: {bearer: {sub: bob}}}}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
  - {name: not verified, request: {headers: {authorization: {bearer: *alice}}}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
  - {name: two, claims: *alice, request: {headers: {authorization: [{bearer: *alice}, {bearer: *alice}]}}, expect: {client: {status: 400}, upstream: nothing, audit: []}}
  - {name: elsewhere, claims: {iss: "https://other", exp: 4102444800}, request: {}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
  - {name: over, claims: {iss: "https://idp", exp: 1}, request: {}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
  - {name: by itself, config: {identity: {claims: null}}, request: {}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
  - {name: silent, request: {}, callouts: [silence], expect: {client: {status: 503}, upstream: nothing, audit: []}}
  - {name: late, request: {}, callouts: [{after: 1s}], expect: {client: {status: 503}, upstream: nothing, audit: []}}
  - {name: many, request: {}, callouts: {keys: {body: {}}}, expect: {client: {status: 503}, upstream: nothing, audit: []}}
  - {name: others, config: {servers: [{token: {cluster: a}}, {token: {cluster: b}}]}, request: {}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
  - {name: before, before: [], request: {}, expect: {client: {status: 401}, upstream: nothing, audit: []}}
`

func TestExchangesAreReadAsTheyAreWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.yaml")
	if err := os.WriteFile(path, []byte(exchanges), 0o600); err != nil {
		t.Fatal(err)
	}
	mesh := Mesh{"https://idp", "outbound", func(claims map[string]any) (string, error) {
		if claims["jti"] != "exchanged" && claims["jti"] != "another token" && claims["jti"] != "two" {
			t.Errorf("%v is signed", claims)
		}
		return "signed", nil
	}}
	file, err := mesh.Read(path, true)
	if err != nil || len(file.Cases) != 3 {
		t.Fatal(file, err)
	}
	for name, wanted := range map[string]string{
		"another token": "refuses its token", "not verified": "refuses its token", "two": "several credentials", "elsewhere": "an issuer", "over": "in the future",
		"by itself": "verifies tokens itself", "silent": "just answer", "late": "just answer", "many": "several services answer", "others": "calls several", "before": "`before`",
	} {
		if why := file.Unplayable[name]; !strings.Contains(why, wanted) {
			t.Errorf("%s: %q", name, why)
		}
	}
	one := file.Cases[0]
	if one.Authorization != "Bearer signed" || file.Cases[1].Authorization != "" || file.Cases[2].Authorization != "Basic eA==" || one.Environment["SECRET"] != "a-secret" {
		t.Errorf("%+v", one)
	}
	if servers, _ := one.Config["servers"].([]any); servers[0].(map[string]any)["token"].(map[string]any)["cluster"] != "outbound" {
		t.Errorf("%v", one.Config)
	}
	token := unsigned(map[string]any{"sub": "alice", "aud": "files"})
	if body := string(one.Called[0].Body); body != `{"access_token":"`+token+`"}` {
		t.Errorf("%s", body)
	}
	right := func(header, body string) []Seen {
		return []Seen{{Header: http.Header{":path": {header}}, Body: []byte(body)}}
	}
	const form = "audience=files&subject_token=signed"
	for name, try := range map[string]struct {
		seen   []Seen
		wanted string
	}{
		"as it is":            {right("/token", form), ""},
		"in another order":    {right("/token", "subject_token=signed&audience=files"), ""},
		"no call":             {nil, "calls"},
		"two calls":           {append(right("/token", form), right("/token", form)...), "calls"},
		"another path":        {right("/", form), "call 1 :path"},
		"another token":       {right("/token", "audience=files&subject_token=other"), "call 1"},
		"a parameter more":    {right("/token", form+"&scope=a"), "call 1"},
		"a parameter twice":   {right("/token", form+"&audience=files"), "call 1"},
		"a parameter too few": {right("/token", "audience=files"), "call 1"},
	} {
		found := one.Calls(try.seen)
		if len(found) > 1 || (len(found) == 0) != (try.wanted == "") || len(found) == 1 && !strings.HasPrefix(found[0], try.wanted) {
			t.Errorf("%s: %q", name, found)
		}
	}
	if found := file.Cases[1].Calls(right("/token", form)); len(found) != 1 {
		t.Errorf("a call that is not stated: %q", found)
	}
	reached := []Seen{{Header: http.Header{"Authorization": {"Bearer " + token}}, Body: []byte(`{"id":1}`)}}
	through := Seen{Status: 200, Body: one.Answer.Body}
	if found := one.Differences(through, reached); len(found) != 0 {
		t.Errorf("%q", found)
	}
	reached[0].Header.Set("Authorization", "Bearer signed")
	if found := one.Differences(through, reached); len(found) != 1 {
		t.Errorf("the user's own token: %q", found)
	}
}
