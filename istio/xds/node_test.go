package xds

import (
	"slices"
	"strings"
	"testing"

	"istio.io/istio/pkg/workloadapi/security"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// A pod is reached without the waypoint by who knows its address. What ztunnel then refuses is said by policies that istiod makes
// for it of the manifests; ztunnel itself is not here, so they are applied as its documentation says (RBAC in ztunnel's ARCHITECTURE.md).
func TestWhoGoesRoundTheWaypointIsRefused(t *testing.T) {
	tried := 0
	for name, paths := range sets(t) {
		objects := live.Keyed(read(t, paths...), noKeys)
		var pods []mesh.Object
		waypoints := map[string][]string{}
		for _, object := range objects {
			app, _ := object.Map("spec", "selector", "matchLabels")["app"].(string)
			if object.Kind() != "AuthorizationPolicy" || app == "" {
				continue
			}
			pods = append(pods, podOf(app, object.Namespace(), len(pods)+1))
			for _, other := range objects {
				if other.Kind() == "Gateway" {
					waypoints[app] = append(waypoints[app], "cluster.local/ns/"+other.Namespace()+"/sa/"+other.Name())
				}
			}
		}
		if len(pods) == 0 {
			continue
		}
		istiod := mesh.Start(t, meshConfig(t), append(objects, pods...), nil)
		for _, pod := range pods {
			policies := must(istiod.Enforced(pod.Name(), pod.Namespace()))(t)
			let := func(peer string) bool { return reaches(t, policies, peer) }
			if !slices.ContainsFunc(waypoints[pod.Name()], let) {
				t.Errorf("%s: %s: its waypoint cannot reach it", name, pod.Name())
			}
			for who, peer := range map[string]string{
				"plain HTTP":            "",
				"an agent":              "cluster.local/ns/agents/sa/planner",
				"a neighbour":           "cluster.local/ns/" + pod.Namespace() + "/sa/other",
				"a waypoint of others":  "cluster.local/ns/elsewhere/sa/waypoint",
				"another trust domain":  "other.example/ns/" + pod.Namespace() + "/sa/waypoint",
				"longer than the right": waypoints[pod.Name()][0] + "-2",
			} {
				tried++
				if let(peer) {
					t.Errorf("%s: %s: %s gets in", name, pod.Name(), who)
				}
			}
		}
	}
	t.Logf("%d callers", tried)
	if tried < 60 {
		t.Errorf("%d callers: where are the policies?", tried)
	}
}

// Without that policy the certificate alone opens the door, and PeerAuthentication still asks for one.
func TestWhatEachPolicyOfTheNodeIsFor(t *testing.T) {
	objects := live.Keyed(read(t, "../manifests/mcp-authz/traffic-extension.yaml"), noKeys)
	through := object(objects, "AuthorizationPolicy", "mcp-server-through-waypoint")
	without := func(kind string) (agent, plain bool) {
		rest := slices.DeleteFunc(slices.Clone(objects), func(o mesh.Object) bool {
			return o.Kind() == kind && (kind == "PeerAuthentication" || o.Name() == through.Name())
		})
		istiod := mesh.Start(t, meshConfig(t), append(rest, podOf("mcp-server", through.Namespace(), 1)), nil)
		policies := must(istiod.Enforced("mcp-server", through.Namespace()))(t)
		return reaches(t, policies, "cluster.local/ns/agents/sa/planner"), reaches(t, policies, "")
	}
	if agent, plain := without("AuthorizationPolicy"); !agent || plain {
		t.Errorf("without the policy: an agent %v, plain HTTP %v", agent, plain)
	}
	if agent, plain := without("PeerAuthentication"); agent || plain {
		t.Errorf("without PeerAuthentication: an agent %v, plain HTTP %v", agent, plain)
	}
}

func podOf(app, namespace string, number int) mesh.Object {
	address := "10.244.9." + string(rune('0'+number))
	return mesh.Object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": app, "namespace": namespace, "labels": map[string]any{"app": app}},
		"spec":     map[string]any{"serviceAccountName": app, "nodeName": "node", "containers": []any{map[string]any{"name": "tool", "image": "tool"}}},
		"status": map[string]any{
			"phase": "Running", "podIP": address, "podIPs": []any{map[string]any{"ip": address}},
			"conditions": []any{map[string]any{"type": "Ready", "status": "True"}},
		},
	}
}

// Any DENY that matches refuses; where there is any ALLOW, one must match. A peer without a certificate is nobody.
func reaches(t *testing.T, policies []*security.Authorization, peer string) bool {
	t.Helper()
	allows, let := false, false
	for _, policy := range policies {
		if policy.GetDryRun() {
			continue
		}
		hit := slices.ContainsFunc(policy.GetGroups(), func(group *security.Group) bool {
			return !slices.ContainsFunc(group.GetRules(), func(rules *security.Rules) bool {
				return !slices.ContainsFunc(rules.GetMatches(), func(match *security.Match) bool { return fits(t, match, peer) })
			})
		})
		switch policy.GetAction() {
		case security.Action_DENY:
			if hit {
				return false
			}
		case security.Action_ALLOW:
			allows, let = true, let || hit
		default:
			t.Fatalf("%s: action %v", policy.GetName(), policy.GetAction())
		}
	}
	return let || !allows
}

func fits(t *testing.T, match *security.Match, peer string) bool {
	t.Helper()
	if len(match.GetSourceIps())+len(match.GetNotSourceIps())+len(match.GetDestinationIps())+len(match.GetNotDestinationIps())+
		len(match.GetDestinationPorts())+len(match.GetNotDestinationPorts())+len(match.GetServiceAccounts())+len(match.GetNotServiceAccounts()) > 0 {
		t.Fatalf("a match that this test does not know: %v", match)
	}
	namespace := ""
	if _, rest, found := strings.Cut(peer, "/ns/"); found {
		namespace, _, _ = strings.Cut(rest, "/")
	}
	one := func(all []*security.StringMatch, value string) bool {
		return slices.ContainsFunc(all, func(match *security.StringMatch) bool {
			switch kind := match.GetMatchType().(type) {
			case *security.StringMatch_Exact:
				return kind.Exact == value
			case *security.StringMatch_Prefix:
				return strings.HasPrefix(value, kind.Prefix)
			case *security.StringMatch_Suffix:
				return strings.HasSuffix(value, kind.Suffix)
			default:
				return value != ""
			}
		})
	}
	for _, sides := range []struct {
		yes, no []*security.StringMatch
		value   string
	}{{match.GetPrincipals(), match.GetNotPrincipals(), peer}, {match.GetNamespaces(), match.GetNotNamespaces(), namespace}} {
		if len(sides.yes) > 0 && !one(sides.yes, sides.value) || len(sides.no) > 0 && one(sides.no, sides.value) {
			return false
		}
	}
	return true
}
