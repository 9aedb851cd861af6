package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Every value that has a default is one that the schema knows, and the other way round; so none is without a word of what it is.
func TestEveryValueIsDocumented(t *testing.T) {
	var values, schema object
	for path, into := range map[string]*object{"values.yaml": &values, "values.schema.json": &schema} {
		text, err := os.ReadFile(filepath.Join(chart, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	var compare func(path string, values, schema object)
	compare = func(path string, values, schema object) {
		known, _ := schema["properties"].(object)
		for name := range values {
			if known[name] == nil {
				t.Errorf("the schema has no %s%s", path, name)
			}
		}
		for name, part := range known {
			value, is := values[name]
			if !is {
				t.Errorf("values.yaml has no %s%s", path, name)
			}
			if inner, is := value.(object); is && len(inner) > 0 {
				compare(path+name+".", inner, part.(object))
			}
		}
	}
	compare("", values, schema)
}

func TestBadValuesAreRefused(t *testing.T) {
	for _, bad := range []struct{ set, value, says string }{
		{"mcp-authz", "form=lua", "form"},
		{"mcp-authz", "forms=wasm-plugin", "forms"},
		{"mcp-authz", "modules.mcp-authz.url=oci://registry.example.com/wardpoint/mcp-authz:latest", "url"},
		{"mcp-authz", "modules.mcp-authz.url=oci://registry.example.com/wardpoint/mcp-authz", "url"},
		{"mcp-authz", "modules.mcp-authz.url=registry.example.com:5000/mcp-authz:1.0.0", "url"},
		{"mcp-authz", "modules.mcp-authz.sha256=0f0f", "sha256"},
		{"mcp-authz", "modules.mcp-authz.sha256=null", "sha256"},
		{"mcp-authz", "modules.mcp-auth.url=x", "mcp-auth"},
		{"mcp-authz", "policies[0].failStrategy=FAIL_OPEN", "failStrategy"},
		{"mcp-authz", "policies[0].match[0].ports[0].number=80", "match"},
		{"mcp-authz", "policies[0].tier=cluster", "tier"},
		{"mcp-authz", "policies[0].tier=service", "target"},
		{"mcp-authz", "policies[0].config=null", "config"},
		{"mcp-authz", "policies[0].config.hostProfile.holdHeaders=true", "hostProfile"},
		{"mcp-authz", "policies[0].priority=high", "priority"},
		{"mcp-authz", "policies=null", "policies"},
		{"mcp-authz", "waypoint.bufferBytes=4MiB", "bufferBytes"},
		{"mcp-authz", "agents.namespaces=null", "namespaces"},
		{"mcp-authz", "browsers.origins[0]=*", "origins"},
		{"mcp-authz", "browsers.origins[0]=https://*.example.com", "origins"},
		{"token-exchange", "waypoint.env[0].name=ISTIO_META_X", "env"},
		{"all", "egress.providers[0].agents[0]=planner", "agents"},
		// Values that fit the schema and do not fit one another.
		{"mcp-authz", "policies[0].target=elsewhere", "there is no waypoint \"elsewhere\""},
		{"tiers", "policies[2].target=elsewhere", "neither services nor egress.providers has \"elsewhere\""},
		{"mcp-authz", "policies[0].plugin=token-exchange", "modules has no \"token-exchange\""},
		{"mcp-authz", "policies[0].env[0]=SECRET", "waypoint.env has no \"SECRET\""},
		{"tiers", "services[0].namespace=tools", "Roles cannot tell the tiers apart"},
	} {
		out, err := template("-f", valuesOf(bad.set), "--set", bad.value)
		if err == nil || !strings.Contains(out, bad.says) {
			t.Errorf("%s: %v: %.300s", bad.value, err, out)
		}
	}
	if out, err := template("-f", valuesOf("mcp-authz"), "--set", "form=envoy-filter,modules.mcp-authz.pullSecret=x"); err == nil {
		t.Errorf("a pull secret that nothing would use: %.300s", out)
	}
}

// A guard asks for what a plugin leaves for the access log: where it leaves nothing there, the guard would refuse everything.
func TestAGuardStandsBehindAPluginThatLeavesItsRecord(t *testing.T) {
	// istiod has two names for the filter of a WasmPlugin, an old one and a new one.
	for form, once := range map[string]int{"envoy-filter": 1, "traffic-extension": 1, "wasm-plugin": 2} {
		for audit, guards := range map[string]int{
			"to=null":            once,
			"to={log}":           0,
			"to={accessLog}":     once,
			"to={log,accessLog}": once,
			"as=one":             0,
		} {
			sets := "form=" + form + ",policies[0].config.audit." + audit
			out, err := template("-f", valuesOf("mcp-authz"), "--set", sets)
			if found := strings.Count(out, "key: wasm.wardpoint_mcp_authz,"); err != nil || found != guards {
				t.Errorf("%s: %d guards instead of %d: %v", sets, found, guards, err)
			}
			if found := strings.Count(out, "key: wasm.wardpoint_mcp_authz.one,"); audit == "as=one" && found != once {
				t.Errorf("%s: %d guards of its name instead of %d", sets, found, once)
			}
		}
	}
}

// Values that no set has: each makes what is asked for, and that fits too.
func TestOtherValuesFitToo(t *testing.T) {
	directory, paths := t.TempDir(), []string(nil)
	for number, other := range []struct{ set, values, makes string }{
		{"mcp-authz", "waypoint.create=false", ""},
		{"mcp-authz", "waypoint.replicas=1", "replicas: 1"},
		{"mcp-authz", "network.enabled=false", ""},
		{"mcp-authz", "network.inside[0].namespace=observability,network.inside[0].port=15008", "name: observability"},
		{"mcp-authz", "users.jwksUri=https://idp.example.com/certs", "jwksUri: \"https://idp.example.com/certs\""},
		{"mcp-authz", `users.jwks=\{"keys":[]\}`, `jwks: "{\"keys\":[]}"`},
		{"mcp-authz", "users.required=false", ""},
		{"mcp-authz", "policies[0].config.mode=observe", "observe"},
		{"mcp-authz", "policies[0].priority=-5", "priority:"},
		{"mcp-authz", "modules.mcp-authz.url=file:///plugins/mcp-authz.wasm", "/plugins/mcp-authz.wasm"},
		{"mcp-authz", "modules.mcp-authz.url=https://modules.example.com/mcp-authz.wasm", "https://modules.example.com/mcp-authz.wasm"},
		{"mcp-authz", "access.gateway[0].kind=ServiceAccount,access.gateway[0].name=deployer,access.gateway[0].namespace=ci", "namespace: ci"},
		{"mcp-authz", "audit.provider=", ""},
		{"mcp-authz", "browsers.origins=null", ""},
		{"mcp-authz", "services[0].create=false", "mcp-server-through-waypoint"},
		{"token-exchange", "callouts[0].port=80", "protocol: HTTP}"},
		{"token-exchange", "callouts[1].name=b,callouts[1].host=b.example.com,callouts[1].port=443", "idp.example.com,b.example.com"},
		{"all", "egress.providers=null", ""},
		{"all", "mesh.trustDomain=mesh.example,mesh.rootNamespace=mesh", "mesh.example/ns/"},
	} {
		for _, form := range forms {
			out, err := template("-f", valuesOf(other.set), "--set", "form="+form+","+other.values)
			if err != nil || !strings.Contains(out, other.makes) {
				t.Errorf("%s, %s: %v: %.300s", form, other.values, err, out)
				continue
			}
			path := filepath.Join(directory, fmt.Sprintf("%d-%s.yaml", number, form))
			if err := os.WriteFile(path, []byte("# "+other.values+"\n"+out), 0o644); err != nil {
				t.Fatal(err)
			}
			extensions(t, path)
			paths = append(paths, path)
		}
	}
	if out, err := conform(paths...); err != nil {
		t.Error(out)
	}
}
