// Package live stands around a real Envoy that runs as a waypoint: the certificates and secrets that Istio's agent would bring, callers
// that come in by HBONE, and a server that says what reached it.
package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Authority issues certificates with a SPIFFE id into a folder.
type Authority struct {
	// Path is the file with its own certificate.
	Path   string
	folder string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	serial int64
}

// Certificate is two files.
type Certificate struct{ Cert, Key string }

// NewAuthority makes an authority that nobody else trusts.
func NewAuthority(folder, name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(name, 1)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, name+".pem")
	return &Authority{path, folder, key, cert, 1}, write(path, "CERTIFICATE", der)
}

// Issue makes a certificate for one SPIFFE id, or for a host.
func (a *Authority) Issue(name, id string) (Certificate, error) {
	files := Certificate{filepath.Join(a.folder, name+".crt"), filepath.Join(a.folder, name+".key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	uri, err := url.Parse(id)
	if err != nil {
		return files, err
	}
	a.serial++
	template := certificate(name, a.serial)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if uri.Scheme == "" {
		template.DNSNames = []string{id}
	} else {
		template.URIs = []*url.URL{uri}
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return files, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, err
	}
	if err := write(files.Key, "PRIVATE KEY", private); err != nil {
		return files, err
	}
	return files, write(files.Cert, "CERTIFICATE", der)
}

func certificate(name string, serial int64) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(time.Hour),
	}
}

func write(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
