//go:build pins

// Package pins names the modules whose files, not code, are read here, so that go.mod and go.sum keep them.
package pins

import (
	_ "github.com/envoyproxy/gateway/api/v1alpha1"
	_ "istio.io/api/extensions/v1alpha1"
	_ "k8s.io/kubectl/pkg/scheme"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
