package oci

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// An address of this machine that nobody takes for its loopback address: what goes there goes by TLS.
const elsewhere = "0.0.0.0"

// Whom Istio's fetcher trusts is read once in a process, hence before all tests; and no proxy stands between them and their registries.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "wardpoint-oci-")
	if err != nil {
		log.Fatal(err)
	}
	trusted = authority{folder: folder}
	if err := trusted.begin(); err != nil {
		log.Fatal(err)
	}
	os.Setenv("SSL_CERT_FILE", trusted.path())
	os.Setenv("NO_PROXY", "*")
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

var trusted authority

func TestItGoesByTLS(t *testing.T) {
	asked := 0
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	serve := func(by authority) string {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
			asked++
			inner.ServeHTTP(writer, request)
		}))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{by.certificate(t)}}
		server.StartTLS()
		t.Cleanup(server.Close)
		_, port, err := net.SplitHostPort(server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return elsewhere + ":" + port
	}
	layout := filepath.Join(folder(t, "WARDPOINT_OCI", "target/oci"), "mcp-authz")

	unknown := authority{folder: t.TempDir()}
	if err := unknown.begin(); err != nil {
		t.Fatal(err)
	}
	said, err := wardpoint(t, "push", "--layout", layout, serve(unknown)+"/mcp-authz:1").CombinedOutput()
	if err == nil || !strings.Contains(string(said), "TLS") || asked != 0 {
		t.Errorf("%v, asked %d times: %s", err, asked, said)
	}

	url, digest := push(t, serve(trusted)+"/mcp-authz:1", layout)
	if asked == 0 {
		t.Error("it went to no registry")
	}
	module, err := os.ReadFile(filepath.Join(folder(t, "WARDPOINT_PLUGINS", "target/plugins"), "mcp-authz.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	pulled(t, url, digest, module)
}

// An authority that only those trust who are told to.
type authority struct {
	folder string
	key    *ecdsa.PrivateKey
	own    *x509.Certificate
}

func (a *authority) path() string { return filepath.Join(a.folder, "authority.pem") }

func (a *authority) begin() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := lived(1)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	a.key = key
	if a.own, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return err
	}
	return os.WriteFile(a.path(), text.Bytes(), 0o600)
}

func (a *authority) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := lived(2)
	template.IPAddresses = []net.IP{net.ParseIP(elsewhere)}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.own, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func lived(serial int64) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour)}
}
