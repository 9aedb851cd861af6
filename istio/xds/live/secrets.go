package live

import (
	"fmt"
	"net"
	"os"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

// Secrets is an SDS in place of the agent's: `default` is the waypoint's certificate, `ROOTCA` who it
// trusts in the mesh, `file-root:system` outside.
type Secrets struct {
	secret.UnimplementedSecretDiscoveryServiceServer
	secrets map[string]*tls.Secret
	server  *grpc.Server
}

// ServeSecrets answers at the listener until it is stopped; `mesh` and `outside` are whom the waypoint trusts.
func ServeSecrets(listener net.Listener, own Certificate, mesh, outside string) (*Secrets, error) {
	texts := map[string]*core.DataSource{}
	for _, path := range []string{own.Cert, own.Key, mesh, outside} {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		texts[path] = &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: text}}
	}
	served := &Secrets{server: grpc.NewServer(), secrets: map[string]*tls.Secret{
		"default": {Name: "default", Type: &tls.Secret_TlsCertificate{
			TlsCertificate: &tls.TlsCertificate{CertificateChain: texts[own.Cert], PrivateKey: texts[own.Key]},
		}},
	}}
	for name, root := range map[string]string{"ROOTCA": mesh, "file-root:system": outside} {
		trusted := &tls.CertificateValidationContext{TrustedCa: texts[root]}
		served.secrets[name] = &tls.Secret{Name: name, Type: &tls.Secret_ValidationContext{ValidationContext: trusted}}
	}
	secret.RegisterSecretDiscoveryServiceServer(served.server, served)
	go func() { _ = served.server.Serve(listener) }()
	return served, nil
}

// Stop ends it.
func (s *Secrets) Stop() { s.server.Stop() }

// StreamSecrets answers each first request for names; an acknowledgement gets no answer, for no secret changes.
func (s *Secrets) StreamSecrets(stream secret.SecretDiscoveryService_StreamSecretsServer) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		if request.GetResponseNonce() != "" {
			continue
		}
		answer := &discovery.DiscoveryResponse{VersionInfo: "1", Nonce: "1", TypeUrl: request.GetTypeUrl()}
		for _, name := range request.GetResourceNames() {
			found, ok := s.secrets[name]
			if !ok {
				return fmt.Errorf("no secret %s", name)
			}
			resource, err := anypb.New(found)
			if err != nil {
				return err
			}
			answer.Resources = append(answer.Resources, resource)
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}
