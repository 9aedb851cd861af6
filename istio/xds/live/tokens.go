package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"time"
)

// Issuer is what the manifests of the tests call the identity provider.
const Issuer = "https://idp.example.com/realms/agents"

// Provider signs access tokens of users.
type Provider struct{ key *ecdsa.PrivateKey }

// NewProvider has a key of its own.
func NewProvider() (*Provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &Provider{key}, err
}

// Keys is what it publishes.
func (p *Provider) Keys() (string, error) {
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		return "", err
	}
	key := map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "live", "x": encoded(point[1:33]), "y": encoded(point[33:])}
	text, err := json.Marshal(map[string]any{"keys": []any{key}})
	return string(text), err
}

// Token is one of a user.
func (p *Provider) Token(user, scope string) (string, error) {
	now := time.Now().Unix()
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": "live"})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"iss": Issuer, "sub": user, "azp": "chat-ui", "scope": scope, "iat": now, "exp": now + 3600})
	if err != nil {
		return "", err
	}
	signed := encoded(header) + "." + encoded(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		return "", err
	}
	return signed + "." + encoded(append(fixed(r), fixed(s)...)), nil
}

func fixed(number *big.Int) []byte { return number.FillBytes(make([]byte, 32)) }

func encoded(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }
