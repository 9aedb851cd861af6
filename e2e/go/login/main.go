// The Go SDK with a user who logs in with OAuth: a plan comes in on standard input, one JSON line goes out for everything seen.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

const callback = "http://127.0.0.1:1/callback"

type plan struct {
	URL, Token, Era, CA string
	Steps               []step
}

type step struct {
	Do        string         `json:"do"`
	Name      string         `json:"name"`
	Tool      string         `json:"tool"`
	Arguments map[string]any `json:"arguments"`
}

type seen struct {
	Step   string   `json:"step"`
	Name   string   `json:"name,omitempty"`
	Tools  []string `json:"tools,omitempty"`
	Text   string   `json:"text,omitempty"`
	Error  string   `json:"error,omitempty"`
	Logins int      `json:"logins"`
	Scope  string   `json:"scope"`
}

// What the user did, and what they were given for it.
type login struct {
	http   *http.Client
	logins int
	scope  string
}

func main() {
	var plan plan
	if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
		log.Fatal(err)
	}
	user := &login{http: httpClient(plan.CA)}
	handler, err := auth.NewAuthorizationCodeHandler(user.config(plan.Token))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	client := mcp.NewClient(&mcp.Implementation{Name: "wardpoint-e2e", Version: "1"}, nil)
	transport := &mcp.StreamableClientTransport{Endpoint: plan.URL, HTTPClient: user.http, OAuthHandler: handler}
	session, err := client.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: plan.Era})
	user.say(seen{Step: "open"}, err)
	if err != nil {
		return
	}
	for _, step := range plan.Steps {
		found := seen{Step: step.Do, Name: step.Name}
		if step.Do == "list" {
			var list *mcp.ListToolsResult
			if list, err = session.ListTools(ctx, nil); err == nil {
				for _, tool := range list.Tools {
					found.Tools = append(found.Tools, tool.Name)
				}
			}
		} else {
			var result *mcp.CallToolResult
			if result, err = session.CallTool(ctx, &mcp.CallToolParams{Name: step.Tool, Arguments: step.Arguments}); err == nil {
				for _, block := range result.Content {
					found.Text += block.(*mcp.TextContent).Text
				}
			}
		}
		user.say(found, err)
	}
	if err := session.Close(); err != nil {
		log.Fatal(err)
	}
}

func (user *login) config(kept string) *auth.AuthorizationCodeHandlerConfig {
	config := &auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName:              "wardpoint-e2e",
			RedirectURIs:            []string{callback},
			GrantTypes:              []string{"authorization_code"},
			TokenEndpointAuthMethod: "none",
		}},
		AuthorizationCodeFetcher: user.logIn,
		NewTokenSource: func(_ context.Context, _ *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
			user.scope, _ = token.Extra("scope").(string)
			return oauth2.StaticTokenSource(token), nil
		},
		Client: user.http,
	}
	if kept != "" {
		// A token from an earlier day.
		config.InitialTokenSource = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: kept})
	}
	return config
}

// The user's browser: it follows redirects with cookies until they lead back to the client.
func (user *login) logIn(_ context.Context, asked *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	user.logins++
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Transport: user.http.Transport, Jar: jar, CheckRedirect: func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(next.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	answer, err := browser.Get(asked.URL)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		return nil, fmt.Errorf("the login stopped with %s: %w", answer.Status, err)
	}
	given := back.Query()
	return &auth.AuthorizationResult{Code: given.Get("code"), State: given.Get("state"), Iss: given.Get("iss")}, nil
}

func (user *login) say(found seen, err error) {
	if err != nil {
		found.Error = err.Error()
	}
	found.Logins, found.Scope = user.logins, user.scope
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}

func httpClient(ca string) *http.Client {
	pem, err := os.ReadFile(ca)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
}
