package scenario

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const file = `plugin: mcp-authz
config: {version: 1, rules: [{id: a}], limits: {maxBodyBytes: 1}}
cases:
  - name: allowed
    config: {limits: null, mode: observe}
    peer: spiffe://cluster.local/ns/agents/sa/planner
    request: {headers: {accept: null}, body: {id: 7, params: {name: x}}}
    upstream: {status: 201, headers: {x-a: [one, two]}, body: {b: 1, a: [1, "2"]}}
    expect: {client: {status: 201}, upstream: {headers: {x-gone: null}}, audit: []}
  - name: refused
    request: {body: '{"id":1,"id":2}'}
    expect:
      client: {status: 403, headers: {www-authenticate: {contains: scope}}, body: {error: {data: {reason: no_agent, more: {absent: true}}, list: [1, {matches: "^a"}]}}}
      upstream: nothing
      audit: []
      noHold: {upstream: unchanged}
  - name: streamed
    request: {body: {base64: e30=}}
    upstream: {body: {sse: [{event: message, data: {a: [1]}}, {comment: ping}, {id: 1, data: "x\ny"}]}}
    expect: {client: {status: 200, body: {sse: [{event: message, data: {a: [1]}}, {id: 1, data: "x\ny"}]}}, upstream: unchanged, audit: []}
    canaries: [a-canary]
  - name: cut
    http2: true
    request: {}
    expect: {client: {status: 200}, upstream: unchanged, audit: []}
`

func cases(t *testing.T, hold bool) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "some.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := Sessions{}.Read(path, hold)
	if err != nil || len(found.Cases) != 3 {
		t.Fatal(found, err)
	}
	return found
}

func TestACaseIsReadAsItIsWritten(t *testing.T) {
	found := cases(t, true)
	if why := found.Unplayable["cut"]; why != "it has `http2`" {
		t.Errorf("%q", why)
	}
	one := found.Cases[0]
	if body := string(one.Request.Body); body != `{"id":7,"params":{"name":"x"}}` {
		t.Errorf("%s", body)
	}
	if body := string(one.Answer.Body); body != `{"b":1,"a":[1,"2"]}` {
		t.Errorf("%s", body)
	}
	if _, ok := one.Config["limits"]; ok || one.Config["mode"] != "observe" || one.Peer != "planner" || one.Answer.Status != 201 {
		t.Errorf("%+v", one)
	}
	streamed := found.Cases[2]
	if body := string(streamed.Answer.Body); !streamed.Answer.Events || body != "event: message\ndata: {\"a\":[1]}\n\n: ping\n\nid: 1\ndata: x\ndata: y\n\n" {
		t.Errorf("%q", body)
	}
	if body := string(streamed.Request.Body); body != "{}" || len(streamed.Canaries) != 1 {
		t.Errorf("%q %v", body, streamed.Canaries)
	}
	for _, line := range one.Request.Lines {
		if line[0] == "accept" {
			t.Errorf("%v", line)
		}
	}
}

func TestWhatDiffersIsFound(t *testing.T) {
	allowed, refused, streamed := cases(t, true).Cases[0], cases(t, true).Cases[1], cases(t, true).Cases[2]
	asked := Seen{Header: http.Header{}, Body: allowed.Request.Body}
	through := Seen{Status: 201, Body: allowed.Answer.Body}
	body := func(text string) Seen {
		return Seen{Status: 403, Header: http.Header{"Www-Authenticate": {`Bearer scope="a"`}}, Body: []byte(text)}
	}
	const second = "id: 1\ndata: x\ndata: y\n\n"
	events := func(text string) Seen { return Seen{Status: 200, Body: []byte(text)} }
	const right = `{"error":{"data":{"reason":"no_agent"},"list":[1,"ab"],"code":1}}`
	for name, try := range map[string]struct {
		of      Case
		client  Seen
		reached []Seen
		wanted  string
	}{
		"nothing":              {allowed, through, []Seen{asked}, ""},
		"a refusal":            {refused, body(right), nil, ""},
		"the status":           {allowed, Seen{Status: 200, Body: allowed.Answer.Body}, []Seen{asked}, "status"},
		"another body":         {allowed, Seen{Status: 201, Body: []byte(`{"a":[1,"2"],"b":1}`)}, []Seen{asked}, "body"},
		"it never got there":   {allowed, through, nil, "requests"},
		"it got there twice":   {allowed, through, []Seen{asked, asked}, "requests"},
		"it got there":         {refused, body(right), []Seen{{Body: refused.Request.Body}}, "requests"},
		"it was changed":       {allowed, through, []Seen{{Body: []byte(`{}`)}}, "upstream's body"},
		"a header came along":  {allowed, through, []Seen{{Header: http.Header{"X-Gone": {"1"}}, Body: asked.Body}}, "x-gone"},
		"no challenge":         {refused, Seen{Status: 403, Body: []byte(right)}, nil, "www-authenticate"},
		"another reason":       {refused, body(strings.Replace(right, "no_agent", "other", 1)), nil, "reason"},
		"a member too many":    {refused, body(strings.Replace(right, `"reason"`, `"more":1,"reason"`, 1)), nil, "more"},
		"a longer list":        {refused, body(strings.Replace(right, `"ab"`, `"ab",2`, 1)), nil, "list"},
		"another text":         {refused, body(strings.Replace(right, `"ab"`, `"b"`, 1)), nil, "list[1]"},
		"the same events":      {streamed, events(": hi\r\ndata: {\"a\": [1]}\r\nevent: message\r\n\r\n" + second), []Seen{{Body: []byte("{}")}}, ""},
		"an event less":        {streamed, events(second), []Seen{{Body: []byte("{}")}}, "body"},
		"another event's data": {streamed, events("event: message\ndata: {\"a\":[2]}\n\n" + second), []Seen{{Body: []byte("{}")}}, "body[0].data.a[0]"},
		"a field too many":     {streamed, events("event: message\nretry: 1\ndata: {\"a\":[1]}\n\n" + second), []Seen{{Body: []byte("{}")}}, "body[0].retry"},
		"a field less":         {streamed, events("data: {\"a\":[1]}\n\n" + second), []Seen{{Body: []byte("{}")}}, "body[0].event"},
		"no JSON":              {refused, body("<html>"), nil, "body"},
	} {
		found := try.of.Differences(try.client, try.reached)
		if len(found) > 1 || (len(found) == 0) != (try.wanted == "") || len(found) == 1 && !strings.Contains(found[0], try.wanted) {
			t.Errorf("%s: %q, wanted: %q", name, found, try.wanted)
		}
	}
	if late := cases(t, false).Cases[1].Differences(body(right), []Seen{{Body: refused.Request.Body}}); len(late) != 0 {
		t.Errorf("without header hold: %q", late)
	}
}
