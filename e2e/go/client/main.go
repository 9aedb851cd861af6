// One conversation of the Go SDK, in both eras: a plan comes in on standard input, one JSON line goes out for everything seen.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type plan struct {
	URL, Token, Era, HTTP, CA, Cert, Key string
	Steps                                []step
}

type step struct {
	Do        string         `json:"do"`
	Name      string         `json:"name"`
	Tool      string         `json:"tool"`
	Arguments map[string]any `json:"arguments"`
	Stream    bool           `json:"stream"`
}

type seen struct {
	Event    string   `json:"event,omitempty"`
	Step     string   `json:"step,omitempty"`
	Name     string   `json:"name,omitempty"`
	Tools    []string `json:"tools,omitempty"`
	Progress int      `json:"progress"`
	Text     string   `json:"text,omitempty"`
	IsError  bool     `json:"isError"`
	Error    any      `json:"error,omitempty"`
	Millis   int64    `json:"ms"`
}

// What the notifications count up: how many parts came since the call began.
type progress struct {
	sync.Mutex
	name  string
	count int
}

func main() {
	var plan plan
	if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
		log.Fatal(err)
	}
	talk(context.Background(), plan)
}

func talk(ctx context.Context, plan plan) {
	parts := &progress{}
	client := mcp.NewClient(&mcp.Implementation{Name: "wardpoint-e2e", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { parts.add() },
	})
	transport := &mcp.StreamableClientTransport{Endpoint: plan.URL, HTTPClient: httpClient(plan)}
	var session *mcp.ClientSession
	for _, step := range append([]step{{Do: "open"}}, plan.Steps...) {
		found := seen{Step: step.Do, Name: step.Name}
		started := time.Now()
		var err error
		switch step.Do {
		case "open":
			session, err = client.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: plan.Era})
		case "list":
			var list *mcp.ListToolsResult
			if list, err = session.ListTools(ctx, nil); err == nil {
				found.Tools = []string{}
				for _, tool := range list.Tools {
					found.Tools = append(found.Tools, tool.Name)
				}
			}
		case "call":
			err = call(ctx, session, step, parts, &found)
		case "end":
			err = session.Close()
		}
		found.Error, found.Millis = described(err), time.Since(started).Milliseconds()
		say(found)
		if step.Do == "open" && err != nil {
			return
		}
	}
}

func call(ctx context.Context, session *mcp.ClientSession, step step, parts *progress, found *seen) error {
	params := &mcp.CallToolParams{Name: step.Tool, Arguments: step.Arguments}
	parts.begin(step.Name)
	if step.Stream {
		params.SetProgressToken(step.Name)
	}
	result, err := session.CallTool(ctx, params)
	if err != nil {
		return err
	}
	for _, block := range result.Content {
		if text, is := block.(*mcp.TextContent); is {
			found.Text += text.Text
		}
	}
	found.IsError = result.IsError
	if step.Stream {
		found.Progress = parts.end()
	}
	return nil
}

func (parts *progress) begin(name string) {
	parts.Lock()
	defer parts.Unlock()
	parts.name, parts.count = name, 0
}

func (parts *progress) add() {
	parts.Lock()
	defer parts.Unlock()
	parts.count++
	say(seen{Event: "progress", Name: parts.name, Progress: parts.count})
}

// The SDK hands on notifications beside the answers: the last may still be on its way when the call has returned.
func (parts *progress) end() int {
	for last := -1; ; time.Sleep(100 * time.Millisecond) {
		parts.Lock()
		count := parts.count
		parts.Unlock()
		if count == last {
			return count
		}
		last = count
	}
}

// What the user of the SDK gets to see: its text, and code and data where the SDK found a JSON-RPC error.
func described(err error) any {
	if err == nil {
		return nil
	}
	shown := map[string]any{"name": "error", "message": err.Error()}
	var wire *jsonrpc.Error
	if errors.As(err, &wire) {
		shown["code"], shown["data"] = wire.Code, json.RawMessage(orNull(wire.Data))
	}
	return shown
}

func orNull(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("null")
	}
	return text
}

var saying sync.Mutex

func say(found seen) {
	saying.Lock()
	defer saying.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}

func httpClient(plan plan) *http.Client {
	pem, err := os.ReadFile(plan.CA)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	own, err := tls.LoadX509KeyPair(plan.Cert, plan.Key)
	if err != nil {
		log.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(plan.HTTP != "2")
	protocols.SetHTTP2(plan.HTTP == "2")
	connect := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}
	return &http.Client{Transport: bearer{plan.Token, &http.Transport{TLSClientConfig: connect, Protocols: protocols}}}
}

type bearer struct {
	token string
	next  http.RoundTripper
}

func (bearer bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.TrimSpace(bearer.token) != "" {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+bearer.token)
	}
	return bearer.next.RoundTrip(request)
}
