package mesh

import (
	"fmt"
	"net"
	"slices"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
	"istio.io/istio/pkg/workloadapi/security"
)

// Version is the Istio that a waypoint says it is; the pin in go.mod is of the same minor version.
const Version = "1.31.0"

// Istiod is the discovery code of istiod over the manifests of a mesh, without a cluster.
type Istiod struct {
	Waypoints []Waypoint
	server    *xds.FakeDiscoveryServer
}

func init() {
	features.EnableAmbient = true
	options := log.DefaultOptions()
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.NoneLevel)
	_ = log.Configure(options)
}

// Start runs istiod until the test ends; a manifest that its webhook refuses fails the test. `config` is a part of MeshConfig as
// YAML. With a listener it serves delta ADS there, in plain text, to a stock Envoy.
func Start(t test.Failer, config string, objects []Object, listener net.Listener) *Istiod {
	t.Helper()
	all, waypoints := Deploy(objects)
	text, err := YAML(all)
	if err != nil {
		t.Fatal(err)
	}
	// The ambient index reads Kubernetes, the rest the configuration store.
	meshConfig, err := mesh.ApplyMeshConfigDefaults(config)
	if err != nil {
		t.Fatal(err)
	}
	options := xds.FakeOptions{ConfigString: text, KubernetesObjectString: text, MeshConfig: meshConfig}
	// Only Istio's own Envoy has these filters, and no patch takes one out of a cluster.
	features.MetadataExchange = listener == nil
	if listener != nil {
		options.ListenerBuilder = func() (net.Listener, error) { return listener, nil }
	}
	return &Istiod{waypoints, xds.NewFakeDiscoveryServer(t, options)}
}

// Update puts changed Istio objects in place of those of the same name.
func (i *Istiod) Update(objects ...Object) error {
	text, err := YAML(objects)
	if err != nil {
		return err
	}
	configs, others, err := crd.ParseInputs(text)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("not Istio's: %s", others[0].Kind)
	}
	for _, config := range configs {
		if current := i.server.Store().Get(config.GroupVersionKind, config.Name, config.Namespace); current != nil {
			config.ResourceVersion = current.ResourceVersion
			_, err = i.server.Store().Update(config)
		} else {
			_, err = i.server.Store().Create(config)
		}
		if err != nil {
			return fmt.Errorf("%s %s/%s: %w", config.GroupVersionKind.Kind, config.Namespace, config.Name, err)
		}
	}
	return nil
}

// Delete removes an Istio object.
func (i *Istiod) Delete(object Object) error {
	text, err := YAML([]Object{object})
	if err != nil {
		return err
	}
	configs, _, err := crd.ParseInputs(text)
	if err != nil {
		return err
	}
	for _, config := range configs {
		if err := i.server.Store().Delete(config.GroupVersionKind, config.Name, config.Namespace, nil); err != nil {
			return err
		}
	}
	return nil
}

// Snapshot is what istiod makes for a waypoint.
func (i *Istiod) Snapshot(waypoint Waypoint) (*Snapshot, error) {
	proxy := i.server.SetupProxy(&model.Proxy{
		Type:            model.Waypoint,
		ID:              waypoint.Name + "-a." + waypoint.Namespace,
		ConfigNamespace: waypoint.Namespace,
		Labels:          waypoint.Labels(),
		IPAddresses:     []string{waypoint.Address},
		Metadata:        &model.NodeMetadata{IstioVersion: Version, ClusterID: "Kubernetes"},
	})
	snapshot := &Snapshot{
		Waypoint:  waypoint,
		Listeners: i.server.Listeners(proxy),
		Clusters:  i.server.Clusters(proxy),
		Endpoints: i.server.Endpoints(proxy),
		Routes:    i.server.Routes(proxy),
	}
	names, err := snapshot.discovered()
	if err != nil {
		return nil, err
	}
	snapshot.Extensions = i.server.ConfigGen.BuildExtensionConfiguration(proxy, i.server.PushContext(), names, nil)
	snapshot.sort()
	return snapshot, nil
}

// Snapshots is what istiod makes for every waypoint.
func (i *Istiod) Snapshots() ([]*Snapshot, error) {
	var all []*Snapshot
	for _, waypoint := range i.Waypoints {
		snapshot, err := i.Snapshot(waypoint)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", waypoint, err)
		}
		all = append(all, snapshot)
	}
	return slices.Clip(all), nil
}

// Enforced are the policies that ztunnel gets for a pod: who may come to it, whichever way.
func (i *Istiod) Enforced(pod, namespace string) ([]*security.Authorization, error) {
	for _, info := range i.server.AmbientIndex.All() {
		workload := info.GetWorkload()
		if workload.GetName() != pod || workload.GetNamespace() != namespace {
			continue
		}
		var enforced []*security.Authorization
		for _, one := range i.server.AmbientIndex.Policies(nil) {
			policy := one.Authorization
			attached := slices.Contains(workload.GetAuthorizationPolicies(), policy.GetNamespace()+"/"+policy.GetName())
			everywhere := policy.GetScope() == security.Scope_GLOBAL
			if attached || everywhere || policy.GetScope() == security.Scope_NAMESPACE && policy.GetNamespace() == namespace {
				enforced = append(enforced, policy)
			}
		}
		return enforced, nil
	}
	return nil, fmt.Errorf("istiod knows no pod %s/%s", namespace, pod)
}
