package xds

import (
	"encoding/json"
	"testing"

	"wardpoint/istio/xds/live"
	"wardpoint/istio/xds/mesh"
)

// Three owners, each of whom must allow: by GatewayClass, Gateway and Service. Whoever of them refuses does so alone.
func TestTheTiersLive(t *testing.T) {
	const service = "mcp-server"
	call := func(from, tool, token string) request {
		return request{from: from, to: service, tool: tool, token: token}
	}
	all := call("planner", "read_file", "planner")
	calls := map[string]request{
		"what the mesh forbids":          call("planner", "wipe_disk", "planner"),
		"what the service does not have": call("planner", "delete_repo", "planner"),
		"without the waypoint's scope":   call("planner", "read_file", "narrow"),
		"by another agent":               call("researcher", "read_file", "planner"),
	}
	// Who refuses when all are there: in a chain the mesh is asked first, then the service, then the waypoint.
	first := map[string]string{
		"what the mesh forbids": "mesh", "what the service does not have": "files", "without the waypoint's scope": "tools", "by another agent": "tools",
	}
	// By the object that attaches it, what each refuses where it is alone.
	tiers := map[string][]string{
		"mesh-tools": {"what the mesh forbids"},
		"files":      {"what the mesh forbids", "what the service does not have"},
		"tools":      {"without the waypoint's scope", "by another agent"},
	}
	for _, form := range []string{"traffic-extension", "wasm-plugin", "envoy-filter"} {
		t.Run(form, func(t *testing.T) {
			f := stand(t, setup{envoy: envoyOf(t, "1.40"), manifests: []string{"../manifests/tiers/" + form + ".yaml"}, change: func(objects []mesh.Object) {
				// Each provider that writes files is at work in one form at least.
				for _, object := range objects {
					if logs, is := object.Map("spec")["accessLogging"]; is && form == "envoy-filter" {
						logs.([]any)[0].(map[string]any)["providers"] = []any{map[string]any{"name": "wardpoint-audit-lines"}}
					}
				}
			}}).ready()
			f.tokens["narrow"] = must(f.idp.sign(map[string]any{"sub": "alice", "aud": "agents-gate", "scope": "tools:call"}))(t)
			f.pods[service].Seen()
			f.wants(all, 200)
			if reached := len(f.pods[service].Seen()); reached != 1 {
				t.Errorf("%d requests reached the pod", reached)
			}
			for name, refused := range calls {
				t.Run(name, func(t *testing.T) {
					status, text := f.send(refused)
					if status != 403 {
						t.Fatalf("%d %s", status, text)
					}
					if policy := refuser(t, f, text); policy != first[name] {
						t.Errorf("%s refused it, not %s", policy, first[name])
					}
				})
			}
			attached := map[string]mesh.Object{}
			for _, object := range f.objects {
				if kind := object.Kind(); tiers[object.Name()] != nil && (kind == kindOf[form] || kind == "TrafficExtension" || kind == "WasmPlugin") {
					attached[object.Name()] = object
				}
			}
			if len(attached) != len(tiers) {
				t.Fatalf("%d of %d tiers", len(attached), len(tiers))
			}
			for tier, refuses := range tiers {
				t.Run(tier+" alone", func(t *testing.T) {
					for name, other := range attached {
						if name != tier {
							check(t, f.istiod.Delete(other))
						}
					}
					for name, try := range calls {
						wanted := 200
						for _, refused := range refuses {
							if refused == name {
								wanted = 403
							}
						}
						f.becomes(try, wanted)
					}
					f.wants(all, 200)
					for _, object := range attached {
						check(t, f.istiod.Update(object))
					}
					for _, try := range calls {
						f.becomes(try, 403)
					}
					f.becomes(all, 200)
				})
			}
			keepClean(t, f, "tiers", form)
		})
	}
}

// The policy that refused, as its audit record says.
func refuser(t *testing.T, f *field, answer string) (policy string) {
	t.Helper()
	var refusal struct {
		Error struct{ Data struct{ DecisionID string } }
	}
	check(t, json.Unmarshal([]byte(answer), &refusal))
	for where, read := range map[string]func() ([]live.Record, error){"log": f.waypoint.Records, "access log": f.waypoint.Printed} {
		var said string
		check(t, live.Until("the record of "+refusal.Error.Data.DecisionID+" in the "+where, func() (bool, error) {
			records, err := read()
			for _, record := range records {
				if record.Request == refusal.Error.Data.DecisionID && record.Decision == "deny" {
					said = record.Policy.Name
				}
			}
			return said != "", err
		}))
		if policy != "" && said != policy {
			t.Errorf("%s says one record and %s the other", policy, said)
		}
		policy = said
	}
	return policy
}
