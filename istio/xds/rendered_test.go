package xds

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacconfig "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// What `wardpoint render` makes of the example; a test of the command says when it is stale.
const rendered = "../../examples/one-declaration/manifests.yaml"

var identity = regexp.MustCompile(`spiffe://[^"]+/sa/[a-z]+`)

func TestWhatIsRenderedIsTakenAndStandsInTheChains(t *testing.T) {
	written := read(t, rendered)
	for _, object := range written {
		if err := refusal(t, object); err != nil {
			t.Errorf("%s: %v", object, err)
		}
	}
	objects := live.Keyed(written, noKeys)
	for _, problem := range problems(t, objects, objects) {
		t.Error(problem)
	}
	wanted := map[string][]string{
		"inbound-vip|8080|http|files.tools.svc.cluster.local":     {"spiffe://cluster.local/ns/agents/sa/planner"},
		"inbound-vip|8080|http|mail.tools.svc.cluster.local":      {"spiffe://cluster.local/ns/agents/sa/mailer", "spiffe://cluster.local/ns/agents/sa/planner"},
		"inbound-vip|9000|http|reports.finance.svc.cluster.local": {"spiffe://cluster.local/ns/jobs/sa/scheduler"},
		// What is in no Service: nobody.
		"direct-http": nil,
	}
	seen := map[string]bool{}
	for _, snapshot := range snapshots(t, objects) {
		for chain, found := range allowed(t, snapshot) {
			seen[chain] = true
			if !slices.Equal(found, wanted[chain]) {
				t.Errorf("%s: %v, wanted %v", chain, found, wanted[chain])
			}
		}
	}
	if len(seen) != len(wanted) {
		t.Errorf("chains: %v", slices.Collect(maps.Keys(seen)))
	}
}

// The declaration says who may reach what; so it is, whatever layer it is that says no.
func TestWhatIsRenderedHoldsLive(t *testing.T) {
	f := stand(t, setup{envoy: envoyOf(t, "1.40"), manifests: []string{rendered}}).ready()
	f.tokens["mail"] = must(f.idp.sign(map[string]any{"sub": "alice", "aud": "agents-gate", "scope": "mail:send"}))(t)
	f.tokens["elsewhere"] = must(f.idp.sign(map[string]any{"sub": "alice", "aud": "elsewhere", "scope": "files:read"}))(t)
	for _, try := range []struct {
		request
		status int
		// Who says no.
		says string
	}{
		{request{from: "planner", to: "files", tool: "read_file", token: "planner"}, 200, ""},
		{request{from: "planner", to: "mail", tool: "send_mail", token: "mail"}, 200, ""},
		{request{from: "mailer", to: "mail", tool: "list_mail", token: "planner"}, 200, ""},
		// A path, and no authority: its tools, its scopes, its servers.
		{request{from: "planner", to: "files", tool: "delete_file", token: "planner"}, 403, "no_matching_rule"},
		{request{from: "planner", to: "mail", tool: "send_mail", token: "planner"}, 403, "insufficient_scope"},
		{request{from: "planner", to: "mail", tool: "list_mail", token: "mail"}, 403, "no_matching_rule"},
		{request{from: "mailer", to: "files", tool: "read_file", token: "planner"}, 403, "no_matching_rule"},
		{request{from: "stranger", to: "mail", tool: "send_mail", token: "mail"}, 403, "no_matching_rule"},
		{request{from: "outsider", to: "files", tool: "read_file", token: "planner"}, 403, "no_matching_rule"},
		{request{from: "planner", to: "files", tool: "read_file"}, 401, "no_user"},
		{request{from: "planner", to: "files", tool: "read_file", token: "elsewhere"}, 403, "Audiences"},
		{request{from: "planner", to: "files", tool: "read_file", token: "forged"}, 401, "Jwt"},
		{request{from: "forger", to: "files", tool: "read_file", token: "planner"}, 0, ""},
		{request{from: "nobody", to: "files", tool: "read_file", token: "planner"}, 0, ""},
	} {
		status, text := f.send(try.request)
		if status != try.status || !strings.Contains(text, try.says) {
			t.Errorf("%s of %s, %s: %d %s\nwanted: %d %s", try.tool, try.to, try.from, status, text, try.status, try.says)
		}
	}
	t.Run("the mesh says no also where the plugin says nothing", func(t *testing.T) {
		for _, service := range []string{"files", "mail"} {
			for _, object := range f.objects {
				if object.Name() == service+"-tools" {
					check(t, f.istiod.Delete(object))
				}
			}
		}
		f.becomes(request{from: "planner", to: "files", tool: "delete_file", token: "planner"}, 200)
		for _, try := range []request{
			{from: "mailer", to: "files", tool: "read_file", token: "planner"},
			{from: "outsider", to: "files", tool: "read_file", token: "planner"},
			{from: "planner", to: "files", tool: "read_file"},
		} {
			if status, text := f.send(try); status != 403 || !strings.Contains(text, "RBAC") {
				t.Errorf("%s: %d %s", try.from, status, text)
			}
		}
	})
}

// Whom the mesh lets into each chain: the identities in the rules that allow. A chain without such rules lets in everybody.
func allowed(t *testing.T, snapshot *mesh.Snapshot) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, listener := range snapshot.Listeners {
		if listener.GetName() != "main_internal" {
			continue
		}
		for _, chain := range append(listener.GetFilterChains(), listener.GetDefaultFilterChain()) {
			for _, network := range chain.GetFilters() {
				var http manager.HttpConnectionManager
				if network.GetTypedConfig().UnmarshalTo(&http) != nil {
					continue
				}
				found[chain.GetName()] = []string{"everybody"}
				for _, filter := range http.GetHttpFilters() {
					var rules rbac.RBAC
					if filter.GetTypedConfig().UnmarshalTo(&rules) != nil || rules.GetRules() == nil || rules.GetRules().GetAction() != rbacconfig.RBAC_ALLOW {
						continue
					}
					text, err := protojson.Marshal(rules.GetRules())
					if err != nil {
						t.Fatal(err)
					}
					names := identity.FindAllString(string(text), -1)
					slices.Sort(names)
					found[chain.GetName()] = slices.Compact(names)
				}
			}
		}
	}
	return found
}
