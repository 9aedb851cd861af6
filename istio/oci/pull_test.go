// Package oci pushes the images to a real registry and pulls them back with the code of Istio's agent.
package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"istio.io/istio/pkg/wasm"
)

// What `wardpoint push` prints: two lines of a TrafficExtension.
var printed = regexp.MustCompile(`^url: (oci://\S+)\nsha256: "([0-9a-f]{64})"\n$`)

func TestIstioTakesWhatWasPushed(t *testing.T) {
	layouts, err := filepath.Glob(filepath.Join(folder(t, "WARDPOINT_OCI", "target/oci"), "*", "index.json"))
	if err != nil || len(layouts) == 0 {
		t.Fatalf("no layouts: make oci writes them (%v)", err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for _, index := range layouts {
		layout := filepath.Dir(index)
		plugin := filepath.Base(layout)
		t.Run(plugin, func(t *testing.T) {
			url, digest := push(t, host+"/wardpoint/"+plugin+":1.0.0", layout)
			want, err := os.ReadFile(filepath.Join(folder(t, "WARDPOINT_PLUGINS", "target/plugins"), plugin+".wasm"))
			if err != nil {
				t.Fatal(err)
			}
			for _, reference := range []string{url, strings.TrimSuffix(url, ":1.0.0") + "@sha256:" + digest} {
				pulled(t, reference, digest, want)
			}
			sound(t, strings.TrimPrefix(url, "oci://"), want)
		})
	}
}

// The agent of Istio holds `sha256` against the digest that its fetcher tells.
func pulled(t *testing.T, url, digest string, want []byte) {
	t.Helper()
	fetcher := wasm.NewImageFetcher(context.Background(), wasm.ImageFetcherOption{PullSecret: []byte(`{"auths":{}}`)})
	fetch, told, err := fetcher.PrepareFetch(strings.TrimPrefix(url, "oci://"))
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if told != digest {
		t.Errorf("%s: the digest is %s, printed was %s", url, told, digest)
	}
	module, err := fetch()
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if !bytes.Equal(module, want) {
		t.Errorf("%s: %d bytes came back (sha256 %x), %d were packed", url, len(module), sha256.Sum256(module), len(want))
	}
}

// What every other puller holds against the manifest: digests, sizes, the unpacked layer; and there is one file.
func sound(t *testing.T, reference string, want []byte) {
	t.Helper()
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	var unpacked bytes.Buffer
	if err := crane.Export(image, &unpacked); err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(&unpacked)
	file, err := files.Next()
	if err != nil || file.Name != "plugin.wasm" || file.Size != int64(len(want)) {
		t.Errorf("the file is %+v (%v)", file, err)
	}
	if _, err := files.Next(); err != io.EOF {
		t.Errorf("there is more than one file (%v)", err)
	}
}

// A changed byte in a blob of the layout is refused before anything leaves.
func TestAChangedLayoutIsNotPushed(t *testing.T) {
	from, layout := folder(t, "WARDPOINT_OCI", "target/oci")+"/mcp-authz", filepath.Join(t.TempDir(), "mcp-authz")
	if err := os.CopyFS(layout, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	blobs, err := os.ReadDir(filepath.Join(layout, "blobs/sha256"))
	if err != nil || len(blobs) != 3 {
		t.Fatalf("%d blobs (%v)", len(blobs), err)
	}
	asked := 0
	server := httptest.NewServer(registry.New(registry.Logger(log.New(writer(func() { asked++ }), "", 0))))
	defer server.Close()
	for _, blob := range blobs {
		path := filepath.Join(layout, "blobs/sha256", blob.Name())
		bytes, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bytes[len(bytes)/2] ^= 1
		if err := os.WriteFile(path, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		command := wardpoint(t, "push", "--layout", layout, strings.TrimPrefix(server.URL, "http://")+"/mcp-authz:1")
		if said, err := command.CombinedOutput(); err == nil || !strings.Contains(string(said), "it was changed") {
			t.Errorf("%s: %v %s", blob.Name(), err, said)
		}
		bytes[len(bytes)/2] ^= 1
		if err := os.WriteFile(path, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 0 {
		t.Errorf("the registry was asked %d times", asked)
	}
}

func push(t *testing.T, reference, layout string) (url, digest string) {
	t.Helper()
	said, err := wardpoint(t, "push", "--layout", layout, reference).Output()
	parts := printed.FindStringSubmatch(string(said))
	if err != nil || parts == nil {
		t.Fatalf("%s: %v %s%s", reference, err, said, stderr(err))
	}
	return parts[1], parts[2]
}

func stderr(err error) []byte {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Stderr
	}
	return nil
}

func wardpoint(t *testing.T, words ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(folder(t, "WARDPOINT", "target/host/wardpoint"), words...)
	// No credentials of whoever runs the test.
	command.Env = append(os.Environ(), "DOCKER_CONFIG="+t.TempDir())
	return command
}

func folder(t *testing.T, variable, below string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	path, err := filepath.Abs(filepath.Join("../..", below))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

type writer func()

func (w writer) Write(line []byte) (int, error) {
	w()
	return len(line), nil
}
