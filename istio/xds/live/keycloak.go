package live

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Keycloak is a real one with the realm `agents`; the mesh knows it as `idp.example.com`.
type Keycloak struct {
	*Run
	// Port speaks TLS, Plain does not: that is for tools that fetch keys.
	Port, Plain int
	// Secret is that of the client `planner`.
	Secret string
	word   string
	client *http.Client
}

const (
	keycloakHost = "idp.example.com"
	keycloakRoot = "https://" + keycloakHost
	protocol     = "/realms/agents/protocol/openid-connect"
)

// StartKeycloak starts the one that lies in `home` and gives it a realm, whose `${NAME}`s it fills. Its certificate is of the authority.
func StartKeycloak(home, folder, realm string, authority *Authority) (*Keycloak, error) {
	own, err := authority.Issue("keycloak", keycloakHost)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(authority.Path); err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %w", authority.Path, err)
	}
	keycloak := &Keycloak{Port: FreePort(), Plain: FreePort(), Secret: rand.Text(), word: rand.Text()}
	keycloak.client = &http.Client{Timeout: Within, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, Loopback(keycloak.Port))
		},
	}}
	health := FreePort()
	command := exec.Command(filepath.Join(home, "bin/kc.sh"), "start", "--optimized", "--hostname="+keycloakRoot,
		"--http-host=127.0.0.1", "--http-enabled=true", fmt.Sprintf("--http-port=%d", keycloak.Plain), fmt.Sprintf("--https-port=%d", keycloak.Port),
		"--https-certificate-file="+own.Cert, "--https-certificate-key-file="+own.Key,
		"--http-management-scheme=http", "--http-management-host=127.0.0.1", fmt.Sprintf("--http-management-port=%d", health))
	// It lives for a minute: what the second compiler gains it never earns back.
	command.Env = append(os.Environ(), "KC_BOOTSTRAP_ADMIN_USERNAME=root", "KC_BOOTSTRAP_ADMIN_PASSWORD="+keycloak.word,
		"JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m", "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1")
	if keycloak.Run, err = Start("keycloak", filepath.Join(folder, "keycloak.log"), command); err != nil {
		return nil, err
	}
	err = keycloak.WaitFor("the health", func() bool {
		answer, err := http.Get(fmt.Sprintf("http://%s/health/ready", Loopback(health)))
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	if err == nil {
		err = keycloak.take(realm)
	}
	if err != nil {
		keycloak.Stop()
		return nil, err
	}
	return keycloak, nil
}

// Keys is what it publishes.
func (k *Keycloak) Keys() (string, error) {
	answer, err := k.client.Get(keycloakRoot + protocol + "/certs")
	if err != nil {
		return "", err
	}
	text, err := expected(answer, http.StatusOK)
	return string(text), err
}

// PlainKeys is where a tool on this machine fetches them.
func (k *Keycloak) PlainKeys() string { return "http://" + Loopback(k.Plain) + protocol + "/certs" }

// Login is a user's own token, as the chat gets it.
func (k *Keycloak) Login(user, scope string) (string, error) {
	return k.token("agents", url.Values{"client_id": {"chat-ui"}, "username": {user}, "password": {user + k.word}, "scope": {scope}})
}

func (k *Keycloak) token(realm string, form url.Values) (string, error) {
	form.Set("grant_type", "password")
	answer, err := k.client.PostForm(keycloakRoot+"/realms/"+realm+"/protocol/openid-connect/token", form)
	if err != nil {
		return "", err
	}
	text, err := expected(answer, http.StatusOK)
	if err != nil {
		return "", err
	}
	var got struct {
		Token string `json:"access_token"`
	}
	return got.Token, json.Unmarshal(text, &got)
}

func (k *Keycloak) take(path string) error {
	realm, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	filled := strings.NewReplacer("${PLANNER_SECRET}", k.Secret, "${ALICE_PASSWORD}", "alice"+k.word, "${BOB_PASSWORD}", "bob"+k.word).Replace(string(realm))
	token, err := k.token("master", url.Values{"client_id": {"admin-cli"}, "username": {"root"}, "password": {k.word}})
	if err != nil {
		return err
	}
	request, err := http.NewRequest("POST", keycloakRoot+"/admin/realms", strings.NewReader(filled))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := k.client.Do(request)
	if err != nil {
		return err
	}
	_, err = expected(answer, http.StatusCreated)
	return err
}

func expected(answer *http.Response, status int) ([]byte, error) {
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("%s: %s %s", answer.Request.URL.Path, answer.Status, bytes.TrimSpace(text))
	}
	return text, err
}
