{{/* Where a plugin stands in a chain, unless its policy says. */}}
{{- define "wardpoint.priority" -}}
{{- if hasKey . "priority" }}{{ int .priority }}
{{- else if eq .plugin "token-exchange" }}100
{{- else }}{{ get (dict "mesh" 320 "service" 310 "gateway" 300) .tier }}
{{- end }}
{{- end }}

{{/* The target of a policy: namespace, group, kind, name. */}}
{{- define "wardpoint.target" -}}
{{- $root := .root }}{{ $policy := .policy }}
{{- $gateways := list $root.Values.waypoint.name $root.Values.egress.waypoint }}
{{- if eq $policy.tier "mesh" }}
{{- dict "namespace" $root.Values.mesh.rootNamespace "group" "gateway.networking.k8s.io" "kind" "GatewayClass" "name" "istio-waypoint" | toYaml }}
{{- else if eq $policy.tier "gateway" }}
{{- $name := $policy.target | default $root.Values.waypoint.name }}
{{- if not (has $name $gateways) }}{{ fail (printf "policies: %s: there is no waypoint %q" $policy.name $name) }}{{ end }}
{{- dict "namespace" $root.Release.Namespace "group" "gateway.networking.k8s.io" "kind" "Gateway" "name" $name | toYaml }}
{{- else }}
{{- $found := dict }}
{{- range $root.Values.services }}
{{- if eq .name $policy.target }}{{ $found = dict "namespace" (.namespace | default $root.Release.Namespace) "group" "" "kind" "Service" "name" .name }}{{ end }}
{{- end }}
{{- range $root.Values.egress.providers }}
{{- if eq .name $policy.target }}{{ $found = dict "namespace" $root.Release.Namespace "group" "networking.istio.io" "kind" "ServiceEntry" "name" .name }}{{ end }}
{{- end }}
{{- if not $found }}{{ fail (printf "policies: %s: neither services nor egress.providers has %q" $policy.name $policy.target) }}{{ end }}
{{- $found | toYaml }}
{{- end }}
{{- end }}

{{/* The waypoints that a policy is in, as far as they are this release's. */}}
{{- define "wardpoint.gateways" -}}
{{- $own := .root.Values.waypoint.name }}{{ $egress := .root.Values.egress.waypoint }}{{ $outside := list }}
{{- range .root.Values.egress.providers }}{{ $outside = append $outside .name }}{{ end }}
{{- $found := list $own }}
{{- if eq .policy.tier "gateway" }}{{ $found = list (.policy.target | default $own) }}
{{- else if and (eq .policy.tier "mesh") $outside }}{{ $found = list $own $egress }}
{{- else if and (eq .policy.tier "service") (has .policy.target $outside) }}{{ $found = list $egress }}
{{- end }}
{{- dict "all" $found | toYaml }}
{{- end }}

{{/* The plugin's configuration in the form that brings it. Policies of other tiers stand in the same chains: each leaves its records
under a name of its own. */}}
{{- define "wardpoint.config" -}}
{{- $config := deepCopy .policy.config }}
{{- if hasKey $config "hostProfile" }}{{ fail (printf "policies: %s: hostProfile is what the form makes it; leave it out" .policy.name) }}{{ end }}
{{- $_ := set $config "hostProfile" (dict "holdHeaders" .hold) }}
{{- if ne .policy.tier "gateway" }}
{{- $_ := set $config "audit" (merge (deepCopy ($config.audit | default dict)) (dict "as" .policy.tier)) }}
{{- end }}
{{- if and .root.Values.browsers.origins (hasPrefix "mcp-authz" .policy.plugin) (not (hasKey $config "origins")) }}
{{- $_ := set $config "origins" .root.Values.browsers.origins }}
{{- end }}
{{- $config | toYaml }}
{{- end }}

{{/* The module of a plugin. */}}
{{- define "wardpoint.module" -}}
{{- $module := get .root.Values.modules .policy.plugin }}
{{- if not $module }}{{ fail (printf "policies: %s: modules has no %q" .policy.name .policy.plugin) }}{{ end }}
{{- range .policy.env }}
{{- $name := . }}{{ $there := false }}
{{- range $.root.Values.waypoint.env }}{{ if eq .name $name }}{{ $there = true }}{{ end }}{{ end }}
{{- if not $there }}{{ fail (printf "policies: %s: waypoint.env has no %q" $.policy.name $name) }}{{ end }}
{{- end }}
{{- $module | toYaml }}
{{- end }}

{{/* The namespaces of what stands behind the waypoint, and its own. */}}
{{- define "wardpoint.namespaces" -}}
{{- $all := list .Release.Namespace }}
{{- range .Values.services }}{{ $all = append $all (.namespace | default $.Release.Namespace) }}{{ end }}
{{- dict "all" ($all | uniq | sortAlpha) | toYaml }}
{{- end }}

{{/* A SPIFFE id as Istio's policies write it, of namespace/account. */}}
{{- define "wardpoint.principal" -}}
{{- $parts := splitn "/" 2 .account }}
{{- printf "%s/ns/%s/sa/%s" .root.Values.mesh.trustDomain $parts._0 $parts._1 }}
{{- end }}

{{/* A reference to a waypoint. */}}
{{- define "wardpoint.gateway" -}}
- {group: gateway.networking.k8s.io, kind: Gateway, name: {{ . }}}
{{- end }}
