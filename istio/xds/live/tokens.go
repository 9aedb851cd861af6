package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
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

// Token is one of a user for the agents' gate.
func (p *Provider) Token(user, scope string) (string, error) {
	return p.Sign(map[string]any{"sub": user, "aud": "agents-gate", "azp": "chat-ui", "scope": scope})
}

// Sign makes a token with these claims that lives for five minutes.
func (p *Provider) Sign(claims map[string]any) (string, error) {
	now := time.Now().Unix()
	claims["iss"], claims["iat"], claims["exp"] = Issuer, now, now+300
	return p.Exactly(claims)
}

// Exactly makes a token with these claims and no others.
func (p *Provider) Exactly(claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": "live", "typ": "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := encoded(header) + "." + encoded(payload)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		return "", err
	}
	return signed + "." + encoded(append(fixed(r), fixed(s)...)), nil
}

// Exchange is a token endpoint (RFC 8693) over TLS, as far as one client with one secret needs it.
func (p *Provider) Exchange(own Certificate, client, secret string) (*httptest.Server, error) {
	return Answers(own, http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		id, word, _ := request.BasicAuth()
		audience := request.FormValue("audience")
		right := id == client && word == secret && request.FormValue("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange"
		if !right || request.FormValue("subject_token") == "" || audience == "" {
			http.Error(writer, `{"error":"invalid_request"}`, http.StatusBadRequest)
			return
		}
		scope := request.FormValue("scope")
		token, err := p.Sign(map[string]any{"sub": "alice", "aud": audience, "azp": client, "scope": scope})
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(map[string]any{
			"access_token": token, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
			"token_type": "Bearer", "expires_in": 300, "scope": scope,
		})
	}))
}

// Answers begins a server with TLS.
func Answers(own Certificate, handler http.Handler) (*httptest.Server, error) {
	pair, err := tls.LoadX509KeyPair(own.Cert, own.Key)
	if err != nil {
		return nil, err
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	return server, nil
}

func fixed(number *big.Int) []byte { return number.FillBytes(make([]byte, 32)) }

func encoded(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }
