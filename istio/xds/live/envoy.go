package live

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"wardpoint/istio/xds/mesh"
)

// Envoy is a running one.
type Envoy struct {
	*Run
	admin string
}

type object = map[string]any

// Waypoint starts an Envoy that takes everything from istiod by delta ADS and its secrets by SDS, as Istio's own would.
func Waypoint(binary, folder string, waypoint mesh.Waypoint, ads, secrets int) (*Envoy, error) {
	labels := object{}
	for name, value := range waypoint.Labels() {
		labels[name] = value
	}
	source := object{"ads": object{}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
	return start(binary, folder, "waypoint", object{
		"node": object{
			"id":      fmt.Sprintf("waypoint~%s~%s-a.%s~%s.svc.cluster.local", waypoint.Address, waypoint.Name, waypoint.Namespace, waypoint.Namespace),
			"cluster": waypoint.Name + "." + waypoint.Namespace,
			"metadata": object{
				// The last version that is not given `istio.hashable_string`, which only Istio's own build has.
				"ISTIO_VERSION": "1.29.1", "NAMESPACE": waypoint.Namespace, "CLUSTER_ID": "Kubernetes",
				"INSTANCE_IPS": waypoint.Address, "LABELS": labels,
			},
		},
		"bootstrap_extensions": []any{typed("envoy.bootstrap.internal_listener", "extensions.bootstrap.internal_listener.v3.InternalListener", nil)},
		"dynamic_resources": object{
			"ads_config": object{
				"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
				"grpc_services": []any{object{"envoy_grpc": object{"cluster_name": "xds-grpc"}}},
			},
			"lds_config": source, "cds_config": source,
		},
		"static_resources": object{"clusters": []any{cluster("xds-grpc", ads), cluster("sds-grpc", secrets)}},
	})
}

// Caller starts an Envoy that brings what comes to each door to the waypoint by HBONE, as ztunnel does for a pod: `doors` says for
// each port where its connections go. Without a certificate it shows none.
func Caller(binary, folder, name string, root string, own *Certificate, hbone int, doors map[int]string) (*Envoy, error) {
	context := object{
		"alpn_protocols": []any{"h2"},
		"tls_params":     object{"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
		"validation_context": object{
			"trusted_ca": object{"filename": root},
			"match_typed_subject_alt_names": []any{object{
				"san_type": "URI", "matcher": object{"prefix": "spiffe://cluster.local/"},
			}},
		},
	}
	if own != nil {
		context["tls_certificates"] = []any{object{
			"certificate_chain": object{"filename": own.Cert}, "private_key": object{"filename": own.Key},
		}}
	}
	waypoint := cluster("waypoint", hbone)
	waypoint["transport_socket"] = typed("tls", "extensions.transport_sockets.tls.v3.UpstreamTlsContext", object{"common_tls_context": context})
	var listeners []any
	for port, authority := range doors {
		proxy := object{"stat_prefix": "hbone", "cluster": "waypoint", "tunneling_config": object{"hostname": authority}}
		filter := typed("envoy.filters.network.tcp_proxy", "extensions.filters.network.tcp_proxy.v3.TcpProxy", proxy)
		listeners = append(listeners, object{
			"name": authority, "address": address(port), "filter_chains": []any{object{"filters": []any{filter}}},
		})
	}
	envoy, err := start(binary, folder, name, object{
		"node":             object{"id": name, "cluster": "caller"},
		"static_resources": object{"listeners": listeners, "clusters": []any{waypoint}},
	})
	if err != nil {
		return nil, err
	}
	for port := range doors {
		if err := envoy.WaitFor("the door", func() bool { return Accepts(port) }); err != nil {
			envoy.Stop()
			return nil, err
		}
	}
	return envoy, nil
}

// Stats are the counters whose names contain a text.
func (e *Envoy) Stats(contains string) (map[string]int, error) {
	text, err := e.get("/stats?filter=" + contains)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		var number int
		if _, err := fmt.Sscanf(value, "%d", &number); err == nil {
			found[name] = number
		}
	}
	return found, nil
}

// Dump is its `/config_dump`, with what is discovered.
func (e *Envoy) Dump() (string, error) { return e.get("/config_dump?include_eds") }

func (e *Envoy) get(path string) (string, error) {
	where, err := os.ReadFile(e.admin)
	if err != nil {
		return "", err
	}
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get("http://" + strings.TrimSpace(string(where)) + path)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func start(binary, folder, name string, bootstrap object) (*Envoy, error) {
	bootstrap["admin"] = object{"address": address(0)}
	text, err := json.Marshal(bootstrap)
	if err != nil {
		return nil, err
	}
	config, admin := filepath.Join(folder, name+".json"), filepath.Join(folder, name+".admin")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return nil, err
	}
	command := exec.Command(binary, "-c", config, "--disable-hot-restart", "--concurrency", "2", "--admin-address-path", admin,
		"--log-level", "warning", "--component-log-level", "wasm:info,misc:error", "--file-flush-interval-msec", "50")
	run, err := Start(name, filepath.Join(folder, name+".log"), command)
	if err != nil {
		return nil, err
	}
	envoy := &Envoy{run, admin}
	if err := run.WaitFor("the admin door", func() bool { _, err := envoy.get("/ready"); return err == nil }); err != nil {
		run.Stop()
		return nil, err
	}
	return envoy, nil
}

func cluster(name string, port int) object {
	http := object{"@type": of("extensions.upstreams.http.v3.HttpProtocolOptions"), "explicit_http_config": object{"http2_protocol_options": object{}}}
	endpoint := object{"endpoint": object{"address": address(port)}}
	return object{
		"name": name, "type": "STATIC",
		// Workers that load modules on a busy machine accept nobody meanwhile.
		"connect_timeout":                  "60s",
		"typed_extension_protocol_options": object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http},
		"load_assignment":                  object{"cluster_name": name, "endpoints": []any{object{"lb_endpoints": []any{endpoint}}}},
	}
}

func address(port int) object {
	return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
}

func typed(name, kind string, content object) object {
	config := object{"@type": of(kind)}
	for name, value := range content {
		config[name] = value
	}
	return object{"name": name, "typed_config": config}
}

func of(kind string) string { return "type.googleapis.com/envoy." + kind }
