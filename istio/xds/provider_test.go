package xds

import (
	"testing"

	"wardpoint/istio/xds/live"
)

// provider is what the mesh knows of its identity provider.
type provider struct {
	// On the loopback address, with TLS.
	port int
	// Who vouches for it.
	root string
	keys string
	// Of users, by the names that tests give them.
	tokens map[string]string
	// Makes more, of a stand-in.
	sign func(claims map[string]any) (string, error)
	// What the plugin of the waypoint proves to it that it is.
	secret string
}

// What answers as RFC 8693 says, and ends with the test.
func standIn(t *testing.T) *provider {
	t.Helper()
	const secret = "battery"
	issuer, other := must(live.NewProvider())(t), must(live.NewProvider())(t)
	authority := must(live.NewAuthority(t.TempDir(), "outside"))(t)
	server := must(issuer.Exchange(must(authority.Issue("idp", "idp.example.com"))(t), "planner", secret))(t)
	t.Cleanup(server.Close)
	return &provider{
		port: port(server.Listener), root: authority.Path, keys: must(issuer.Keys())(t), secret: secret, sign: issuer.Sign,
		tokens: map[string]string{
			"planner": must(issuer.Token("alice", "tools:call files:read"))(t),
			"forged":  must(other.Token("alice", "tools:call"))(t),
		},
	}
}
