package xds

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"wardpoint/istio/xds/live"
)

// Sets that between them have everything that istiod makes of a manifest.
var kept = []string{"matrix", "mcp-authz.traffic-extension", "tiers.traffic-extension", "all.traffic-extension", "all.wasm-plugin", "all.envoy-filter"}

// The resources of the waypoints that istiod makes of sets, for those who have no Go; BLESS=1 rewrites them.
func TestTheGoldensAreFresh(t *testing.T) {
	written := map[string]bool{}
	all := sets(t)
	for _, set := range kept {
		for _, snapshot := range snapshots(t, live.Keyed(read(t, all[set]...), noKeys)) {
			folder := filepath.Join("golden", set, snapshot.Waypoint.Namespace+"."+snapshot.Waypoint.Name)
			resources, err := snapshot.JSON()
			if err != nil {
				t.Fatal(err)
			}
			for kind, fresh := range resources {
				path := filepath.Join(folder, kind+".json")
				written[path] = true
				compare(t, path, fresh)
			}
		}
	}
	there, err := filepath.Glob("golden/*/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if !written[path] {
			t.Errorf("%s is of no waypoint any more", path)
		}
	}
}

func compare(t *testing.T, path string, fresh []byte) {
	t.Helper()
	if os.Getenv("BLESS") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(kept, fresh) {
		t.Errorf("%s is stale (%v); BLESS=1 make test-istio rewrites it, then read the difference", path, err)
	}
}
