package live

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Phones is an identity provider that asks users who are away (OpenID Connect CIBA, poll mode), over TLS, for one client with one secret.
type Phones struct {
	Port           int
	provider       *Provider
	pair           tls.Certificate
	client, secret string
	server         *http.Server
	lock           sync.Mutex
	asked          []Question
	said           map[string]string
}

// Question is what a user was shown.
type Question struct{ Hint, Message string }

// Rings starts one; its users' subjects are `id-of-` and their names.
func (p *Provider) Rings(own Certificate, client, secret string) (*Phones, error) {
	pair, err := tls.LoadX509KeyPair(own.Cert, own.Key)
	if err != nil {
		return nil, err
	}
	phones := &Phones{Port: FreePort(), provider: p, pair: pair, client: client, secret: secret, said: map[string]string{}}
	return phones, phones.Start()
}

// Start lets it answer, again too.
func (p *Phones) Start() error {
	listener, err := net.Listen("tcp", Loopback(p.Port))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /realms/agents/protocol/openid-connect/ext/ciba/auth", p.ask)
	mux.HandleFunc("POST /realms/agents/protocol/openid-connect/token", p.token)
	p.server = &http.Server{Handler: mux}
	go func() {
		_ = p.server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{p.pair}}))
	}()
	return nil
}

// Stop ends it; what was asked stays asked.
func (p *Phones) Stop() { _ = p.server.Close() }

// Asked is every question so far.
func (p *Phones) Asked() []Question {
	p.lock.Lock()
	defer p.lock.Unlock()
	return append([]Question(nil), p.asked...)
}

// Say is what the user says to all questions that are out: `yes`, or an error of the token endpoint.
func (p *Phones) Say(what string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	for id, said := range p.said {
		if said == "" {
			p.said[id] = what
		}
	}
}

func (p *Phones) ask(writer http.ResponseWriter, request *http.Request) {
	hint := request.FormValue("login_hint")
	if !p.knows(request) || hint == "" || request.FormValue("scope") == "" {
		refuse(writer, "invalid_request")
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.asked = append(p.asked, Question{hint, request.FormValue("binding_message")})
	id := fmt.Sprintf("%s-%d", hint, len(p.asked))
	p.said[id] = ""
	give(writer, map[string]any{"auth_req_id": id, "expires_in": 120, "interval": 1})
}

func (p *Phones) token(writer http.ResponseWriter, request *http.Request) {
	p.lock.Lock()
	defer p.lock.Unlock()
	id := request.FormValue("auth_req_id")
	said, asked := p.said[id]
	switch {
	case !p.knows(request) || request.FormValue("grant_type") != "urn:openid:params:grant-type:ciba" || !asked:
		refuse(writer, "invalid_grant")
	case said == "":
		refuse(writer, "authorization_pending")
	case said != "yes":
		refuse(writer, said)
	default:
		// It is good once.
		delete(p.said, id)
		hint := id[:strings.LastIndex(id, "-")]
		token, err := p.provider.Sign(map[string]any{"sub": "id-of-" + hint, "aud": p.client, "azp": p.client})
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		give(writer, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 60})
	}
}

func (p *Phones) knows(request *http.Request) bool {
	id, word, _ := request.BasicAuth()
	return id == p.client && word == p.secret
}

func give(writer http.ResponseWriter, what map[string]any) {
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(what)
}

func refuse(writer http.ResponseWriter, why string) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(writer).Encode(map[string]any{"error": why})
}
