package mesh

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	wasm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Snapshot is the resources of one waypoint.
type Snapshot struct {
	Waypoint   Waypoint
	Listeners  []*listener.Listener
	Clusters   []*cluster.Cluster
	Endpoints  []*endpoint.ClusterLoadAssignment
	Routes     []*route.RouteConfiguration
	Extensions []*core.TypedExtensionConfig
}

// Chain is the HTTP filters of one filter chain.
type Chain struct {
	Listener, Name string
	Filters        []Filter
}

// Filter is an HTTP filter.
type Filter struct {
	Name string
	// Discovered says that the filter comes by ECDS.
	Discovered bool
	// Wasm is the plugin that it runs; nil for any other filter, and for one that ECDS does not have.
	Wasm *wasm.Wasm
}

// Names are the filters in order.
func (c Chain) Names() []string {
	var names []string
	for _, filter := range c.Filters {
		names = append(names, filter.Name)
	}
	return names
}

// Index is the place of a filter; -1 if it is not there.
func (c Chain) Index(name string) int { return slices.Index(c.Names(), name) }

// HasCluster says whether CDS has it.
func (s *Snapshot) HasCluster(name string) bool {
	return slices.ContainsFunc(s.Clusters, func(c *cluster.Cluster) bool { return c.GetName() == name })
}

// Chains are those that requests of agents go through: all of `main_internal` that speak HTTP.
func (s *Snapshot) Chains() ([]Chain, error) {
	var chains []Chain
	for _, listener := range s.Listeners {
		if listener.GetName() != "main_internal" {
			continue
		}
		found, err := s.chainsOf(listener)
		if err != nil {
			return nil, err
		}
		chains = append(chains, found...)
	}
	if len(chains) == 0 {
		return nil, fmt.Errorf("%s has no chain that speaks HTTP", s.Waypoint)
	}
	return chains, nil
}

// JSON is the resources of each kind, always the same for the same manifests.
func (s *Snapshot) JSON() (map[string][]byte, error) {
	written := map[string][]byte{}
	for kind, messages := range map[string][]proto.Message{
		"lds": messages(s.Listeners), "cds": messages(s.Clusters), "eds": messages(s.Endpoints),
		"rds": messages(s.Routes), "ecds": messages(s.Extensions),
	} {
		items := make([]any, 0, len(messages))
		for _, message := range messages {
			text, err := protojson.Marshal(message)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			var item any
			if err := json.Unmarshal(text, &item); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			items = append(items, settled(item))
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		if err := encoder.Encode(items); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		written[kind] = text.Bytes()
	}
	return written, nil
}

// The version of a resource is a time in this store; a cluster counts.
const resourceVersion = "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION"

func settled(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if name == resourceVersion {
				value[name] = "1"
				continue
			}
			value[name] = settled(member)
		}
	case []any:
		for index, item := range value {
			value[index] = settled(item)
		}
	}
	return value
}

func messages[M proto.Message](all []M) []proto.Message {
	found := make([]proto.Message, 0, len(all))
	for _, message := range all {
		found = append(found, message)
	}
	return found
}

func (s *Snapshot) sort() {
	slices.SortFunc(s.Listeners, func(a, b *listener.Listener) int { return cmp.Compare(a.GetName(), b.GetName()) })
	slices.SortFunc(s.Clusters, func(a, b *cluster.Cluster) int { return cmp.Compare(a.GetName(), b.GetName()) })
	slices.SortFunc(s.Endpoints, func(a, b *endpoint.ClusterLoadAssignment) int {
		return cmp.Compare(a.GetClusterName(), b.GetClusterName())
	})
	slices.SortFunc(s.Routes, func(a, b *route.RouteConfiguration) int { return cmp.Compare(a.GetName(), b.GetName()) })
	slices.SortFunc(s.Extensions, func(a, b *core.TypedExtensionConfig) int { return cmp.Compare(a.GetName(), b.GetName()) })
}

// The names that ECDS is asked for.
func (s *Snapshot) discovered() ([]string, error) {
	chains, err := s.Chains()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, chain := range chains {
		for _, filter := range chain.Filters {
			if filter.Discovered && !slices.Contains(names, filter.Name) {
				names = append(names, filter.Name)
			}
		}
	}
	return names, nil
}

func (s *Snapshot) chainsOf(listener *listener.Listener) ([]Chain, error) {
	var chains []Chain
	all := listener.GetFilterChains()
	if last := listener.GetDefaultFilterChain(); last != nil {
		all = append(slices.Clone(all), last)
	}
	for _, filterChain := range all {
		for _, filter := range filterChain.GetFilters() {
			if !filter.GetTypedConfig().MessageIs(&manager.HttpConnectionManager{}) {
				continue
			}
			http := &manager.HttpConnectionManager{}
			if err := filter.GetTypedConfig().UnmarshalTo(http); err != nil {
				return nil, fmt.Errorf("%s: %w", filterChain.GetName(), err)
			}
			filters, err := s.filtersOf(http)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", filterChain.GetName(), err)
			}
			chains = append(chains, Chain{listener.GetName(), filterChain.GetName(), filters})
		}
	}
	return chains, nil
}

func (s *Snapshot) filtersOf(http *manager.HttpConnectionManager) ([]Filter, error) {
	var filters []Filter
	for _, filter := range http.GetHttpFilters() {
		found := Filter{Name: filter.GetName(), Discovered: filter.GetConfigDiscovery() != nil}
		config := filter.GetTypedConfig()
		if found.Discovered {
			for _, extension := range s.Extensions {
				if extension.GetName() == filter.GetName() {
					config = extension.GetTypedConfig()
				}
			}
		}
		if config.MessageIs(&wasm.Wasm{}) {
			found.Wasm = &wasm.Wasm{}
			if err := config.UnmarshalTo(found.Wasm); err != nil {
				return nil, fmt.Errorf("%s: %w", filter.GetName(), err)
			}
		}
		filters = append(filters, found)
	}
	return filters, nil
}
