package manifests

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Whose role lets edit which kinds, by the namespace in which they stand.
var editors = map[string]struct {
	who   string
	kinds []string
}{
	"istio-system": {"mesh-admins", []string{
		"TrafficExtension", "WasmPlugin", "EnvoyFilter", "ServiceEntry", "DestinationRule", "AuthorizationPolicy", "RequestAuthentication", "PeerAuthentication", "Telemetry",
	}},
	"tools": {"platform", []string{
		"TrafficExtension", "WasmPlugin", "EnvoyFilter", "ServiceEntry", "DestinationRule", "Gateway", "AuthorizationPolicy", "RequestAuthentication", "PeerAuthentication", "Telemetry",
	}},
	// An EnvoyFilter reaches into all chains, one ALLOW more opens the pods to others than the waypoint, a Telemetry can switch records off.
	"files": {"files-team", []string{"TrafficExtension", "WasmPlugin"}},
}

var resources = map[string]string{
	"TrafficExtension": "extensions.istio.io/trafficextensions", "WasmPlugin": "extensions.istio.io/wasmplugins",
	"EnvoyFilter": "networking.istio.io/envoyfilters", "ServiceEntry": "networking.istio.io/serviceentries", "DestinationRule": "networking.istio.io/destinationrules",
	"AuthorizationPolicy": "security.istio.io/authorizationpolicies", "RequestAuthentication": "security.istio.io/requestauthentications",
	"PeerAuthentication": "security.istio.io/peerauthentications", "Telemetry": "telemetry.istio.io/telemetries", "Gateway": "gateway.networking.k8s.io/gateways",
	"NetworkPolicy": "networking.k8s.io/networkpolicies", "Service": "/services", "ConfigMap": "/configmaps",
	"Role": "rbac.authorization.k8s.io/roles", "RoleBinding": "rbac.authorization.k8s.io/rolebindings",
}

// Each object of a set, and one of each kind in each namespace: who may edit it, by the roles of the set, is its tier's owner or nobody.
func TestOwnersEditTheirTierAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, set, form string) {
		all := documents(t, rendered(set, form))
		owners, asked := map[string]bool{}, 0
		for _, document := range all {
			if document["kind"] == "RoleBinding" {
				owners[fmt.Sprint(at(document, "subjects", 0, "name"))] = true
			}
			if resource := resources[fmt.Sprint(document["kind"])]; resource == "" {
				t.Errorf("%v: which resource?", document["kind"])
			}
		}
		for namespace, tier := range editors {
			for kind, resource := range resources {
				var wanted []string
				if owners[tier.who] && slices.Contains(tier.kinds, kind) {
					wanted = []string{tier.who}
				}
				if found := mayEdit(all, namespace, resource); !slices.Equal(found, wanted) {
					t.Errorf("%s in %s: %v, not %v", kind, namespace, found, wanted)
				}
				asked++
			}
		}
		if !owners["platform"] || asked < 40 {
			t.Errorf("owners: %v", owners)
		}
	})
}

// Who may create, change and delete objects of a resource in a namespace, by RoleBindings and Roles as Kubernetes reads them.
func mayEdit(all []object, namespace, resource string) []string {
	group, plural, _ := strings.Cut(resource, "/")
	var who []string
	for _, binding := range all {
		if binding["kind"] != "RoleBinding" || at(binding, "metadata", "namespace") != namespace {
			continue
		}
		for _, role := range all {
			same := role["kind"] == at(binding, "roleRef", "kind") && at(role, "metadata", "name") == at(binding, "roleRef", "name")
			if !same || at(role, "metadata", "namespace") != namespace {
				continue
			}
			rules, _ := at(role, "rules").([]any)
			for _, rule := range rules {
				has := func(name, wanted string) bool {
					list, _ := at(rule, name).([]any)
					return slices.Contains(list, any(wanted)) || slices.Contains(list, any("*"))
				}
				edits := has("verbs", "create") || has("verbs", "update") || has("verbs", "patch") || has("verbs", "delete")
				if has("apiGroups", group) && has("resources", plural) && edits {
					subjects, _ := at(binding, "subjects").([]any)
					for _, subject := range subjects {
						who = append(who, fmt.Sprint(at(subject, "name")))
					}
				}
			}
		}
	}
	return who
}
