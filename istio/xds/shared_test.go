package xds

import (
	"os"
	"strings"
	"testing"

	"wardpoint/istio/xds/mesh"
	"wardpoint/istio/xds/proof"
)

func read(t *testing.T, paths ...string) []mesh.Object {
	t.Helper()
	objects, err := mesh.Read(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// The object of that kind and name; a test that names none is wrong.
func object(objects []mesh.Object, kind, name string) mesh.Object {
	for _, object := range objects {
		if object.Kind() == kind && object.Name() == name {
			return object
		}
	}
	panic("no " + kind + " " + name)
}

// The part of MeshConfig that comes with the manifests.
func meshConfig(t *testing.T) string {
	t.Helper()
	return string(must(os.ReadFile("../mesh-config.yaml"))(t))
}

func snapshots(t *testing.T, objects []mesh.Object) []*mesh.Snapshot {
	t.Helper()
	found, err := mesh.Start(t, meshConfig(t), objects, nil).Snapshots()
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no waypoint")
	}
	return found
}

// Where what istiod made of `given` is not what `said` says.
func problems(t *testing.T, said, given []mesh.Object) []string {
	t.Helper()
	found, err := proof.Problems(said, snapshots(t, given))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// One kind of problem and no other.
func one(t *testing.T, found []string, wanted string) {
	t.Helper()
	if len(found) == 0 {
		t.Errorf("nothing was found; wanted: %s", wanted)
	}
	for _, problem := range found {
		if !strings.Contains(problem, wanted) {
			t.Errorf("%s\nwanted: %s", problem, wanted)
		}
	}
}
