{{/* What TrafficExtension and WasmPlugin have in common of the module. */}}
{{- define "wardpoint.wasm" -}}
url: {{ .module.url }}
{{- if not (hasPrefix "file://" .module.url) }}
sha256: {{ quote .module.sha256 }}
imagePullPolicy: {{ .module.pullPolicy | default "IfNotPresent" }}
{{- end }}
{{- with .module.pullSecret }}
imagePullSecret: {{ . }}
{{- end }}
failStrategy: FAIL_RELOAD
pluginName: {{ .policy.plugin }}
{{- with .policy.env }}
vmConfig:
  env:
{{- range . }}
  - {name: {{ . }}, valueFrom: HOST}
{{- end }}
{{- end }}
pluginConfig:
  {{- .config | nindent 2 }}
{{- end }}

{{- define "wardpoint.attached" }}
metadata:
  name: {{ .policy.name }}
  namespace: {{ .target.namespace }}
spec:
  targetRefs:
  - {group: {{ quote .target.group }}, kind: {{ .target.kind }}, name: {{ .target.name }}}
  phase: AUTHZ                                  # behind jwt_authn, before rbac
  priority: {{ include "wardpoint.priority" .policy }}
{{- end }}

{{- define "wardpoint.trafficextension" }}
apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
{{- include "wardpoint.attached" . }}
  wasm:
    {{- include "wardpoint.wasm" . | nindent 4 }}
{{- end }}

{{- define "wardpoint.wasmplugin" }}
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
{{- include "wardpoint.attached" . }}
  {{- include "wardpoint.wasm" . | nindent 2 }}
{{- end }}

{{/* A patch beside a filter of a waypoint's HTTP chains: where (operation, filter). */}}
{{- define "wardpoint.patch" }}
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        name: main_internal
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: {{ .filter }}}}}
    patch:
      operation: {{ .operation }}
{{- end }}

{{/* Behind rbac, in every HTTP chain: grpc_stats is always there. Of several the one that is applied last stands nearest to it. */}}
{{- define "wardpoint.behindrbac" }}
{{- template "wardpoint.patch" (dict "operation" "INSERT_BEFORE" "filter" "envoy.filters.http.grpc_stats") }}
{{- end }}

{{- define "wardpoint.envoyfilter" }}
{{- if .module.pullSecret }}{{ fail (printf "modules: %s: an EnvoyFilter cannot name a pullSecret" .policy.plugin) }}{{ end }}
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: {{ .policy.name }}
  namespace: {{ .target.namespace }}
spec:
  targetRefs:
  - {group: {{ quote .target.group }}, kind: {{ .target.kind }}, name: {{ .target.name }}}
  priority: {{ sub 1000 (include "wardpoint.priority" .policy | int) }}
  configPatches:
  - applyTo: EXTENSION_CONFIG
    match: {context: SIDECAR_INBOUND}
    patch:
      operation: ADD
      value:
        name: wardpoint.{{ .policy.name }}
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          config:
            name: {{ .policy.name }}
            root_id: {{ .policy.plugin }}
            failure_policy: FAIL_RELOAD
            allow_on_headers_stop_iteration: true
            configuration:
              "@type": type.googleapis.com/google.protobuf.StringValue
              value: {{ .config | fromYaml | toJson | squote }}
            vm_config:
              vm_id: {{ .policy.plugin }}
              runtime: envoy.wasm.runtime.v8
{{- if hasPrefix "file://" .module.url }}
              code: {local: {filename: {{ trimPrefix "file://" .module.url }}}}
{{- else }}
              code:
                remote:
                  http_uri: {uri: {{ quote .module.url }}, timeout: 30s, cluster: unused}
                  sha256: {{ quote .module.sha256 }}
{{- end }}
{{- with .policy.env }}
              environment_variables: {host_env_keys: {{ toJson . }}}
{{- end }}
{{- template "wardpoint.behindrbac" }}
      value:
        name: wardpoint.{{ .policy.name }}
        config_discovery:
          config_source: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}
          type_urls:
          - type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          - type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
{{- with include "wardpoint.guard" . }}
{{- template "wardpoint.behindrbac" }}
{{- . }}
{{- end }}
{{- end }}

{{/* What lets through what the plugin has seen, and nothing where its VM could not be made. Nothing for a plugin that leaves no trace. */}}
{{- define "wardpoint.guard" }}
{{- $audit := (.config | fromYaml).audit | default dict }}
{{- if has "accessLog" ($audit.to | default (list "accessLog")) }}
      value:
        name: wardpoint.{{ .policy.name }}.guard
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
          rules:
            action: ALLOW
            policies:
              seen:
                permissions: [{any: true}]
                principals: [{filter_state: {key: wasm.wardpoint_{{ .policy.plugin | replace "-" "_" }}{{ with $audit.as }}.{{ . }}{{ end }}, string_match: {prefix: "["}}}]
{{- end }}
{{- end }}

{{/* A guard (name) behind an extension, in every chain that has it. The names are istiod's: before 1.30 a WasmPlugin had one of its own. */}}
{{- define "wardpoint.guarded" }}
{{- $guard := include "wardpoint.guard" . }}
{{- if $guard }}
{{- $extension := printf "%s.%s" .target.namespace .policy.name }}
{{- $names := list (printf "trafficextension/%s" $extension) }}
{{- if .translated }}{{ $names = list (printf "trafficextension/%s~istio-translated-wasmplugin" $extension) (printf "wasmplugin/%s" $extension) }}{{ end }}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: {{ .name }}-guard
  namespace: {{ .root.Release.Namespace }}
spec:
  targetRefs:
{{- range .gateways }}
  {{- include "wardpoint.gateway" . | nindent 2 }}
{{- end }}
  configPatches:
{{- range $names }}
{{- template "wardpoint.patch" (dict "operation" "INSERT_AFTER" "filter" (printf "extensions.istio.io/%s" .)) }}
{{- $guard }}
{{- end }}
{{- end }}
{{- end }}
