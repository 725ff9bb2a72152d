{{/* What cannot work together is refused here, with what to do instead. */}}

{{- define "spyhop.guards" -}}
{{- include "spyhop.guardPod" . -}}
{{- include "spyhop.guardGrace" . -}}
{{- include "spyhop.guardSettings" . -}}
{{- include "spyhop.guardOpen" . -}}
{{- include "spyhop.guardVolume" . -}}
{{- include "spyhop.guardBudget" . -}}
{{- include "spyhop.guardLabels" . -}}
{{- end -}}

{{- define "spyhop.guardPod" -}}
{{- if and (eq .Values.image.tag "latest") (not .Values.image.digest) -}}
{{- fail "image.tag is latest: which version runs would depend on the node and the day. Name a version, or leave it empty for the chart's own." -}}
{{- end -}}
{{- if gt (int .Values.replicaCount) 1 -}}
{{- fail (printf "replicaCount is %d: one Spyhop owns its data folder, and two would refuse each other's lock. Keep 1 and raise resources instead." (int .Values.replicaCount)) -}}
{{- end -}}
{{- end -}}

{{/* The supervisor waits five seconds beyond the grace of its children before it kills them. */}}
{{- define "spyhop.guardGrace" -}}
{{- $needed := add (int .Values.shutdownGraceSeconds) 10 -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $needed) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d: it must be at least shutdownGraceSeconds + 10 = %d, or Kubernetes kills Spyhop while it answers what is in flight." (int .Values.terminationGracePeriodSeconds) (int $needed)) -}}
{{- end -}}
{{- end -}}

{{- define "spyhop.guardSettings" -}}
{{- if and .Values.secretSettings.existingSecret .Values.secretSettings.values -}}
{{- fail "secretSettings.existingSecret and secretSettings.values are both set: put the values into the existing Secret and name them in secretSettings.keys." -}}
{{- end -}}
{{- if and .Values.secretSettings.existingSecret (not .Values.secretSettings.keys) -}}
{{- fail "secretSettings.existingSecret is set without secretSettings.keys: say which setting lies in which key." -}}
{{- end -}}
{{- if and .Values.secretSettings.keys (not .Values.secretSettings.existingSecret) -}}
{{- fail "secretSettings.keys is set without secretSettings.existingSecret: name the Secret." -}}
{{- end -}}
{{- $plain := include "spyhop.settings" . | fromYaml -}}
{{- range $name := concat (keys .Values.secretSettings.values) (keys .Values.secretSettings.keys) -}}
{{- if hasKey $plain (include "spyhop.variable" $name) -}}
{{- fail (printf "%s is in settings and in secretSettings: keep one." $name) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has .name (list "SPYHOP_DATA_DIR" "SPYHOP_OTLP_GRPC_ADDRESS" "SPYHOP_OTLP_HTTP_ADDRESS" "SPYHOP_API_ADDRESS" "SPYHOP_SYSLOG_TCP_ADDRESS" "SPYHOP_SYSLOG_UDP_ADDRESS" "SPYHOP_SYSLOG_TLS_ADDRESS" "SPYHOP_SHUTDOWN_GRACE") -}}
{{- fail (printf "extraEnv sets %s, which the chart sets itself: use listenHost, service.ports, syslog, persistence or shutdownGraceSeconds." .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "spyhop.guardOpen" -}}
{{- range $name := list "ingress" "httpRoute" "grpcRoute" -}}
{{- if and (index $.Values $name).enabled (not $.Values.ingress.allowUnauthenticated) -}}
{{- fail (printf "%s.enabled: Spyhop has no login of its own yet, so whoever reaches the host may read and send everything. Put a proxy that asks for a login in front, then set ingress.allowUnauthenticated=true." $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "httpRoute" "grpcRoute" -}}
{{- if and (index $.Values $name).enabled (not (index $.Values $name).parentRefs) -}}
{{- fail (printf "%s.enabled without %s.parentRefs: name the Gateway it belongs to." $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "spyhop.guardVolume" -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim is set and persistence.enabled is false: the claim would not be used." -}}
{{- end -}}
{{- if has "ReadOnlyMany" .Values.persistence.accessModes -}}
{{- fail "persistence.accessModes: Spyhop writes to its volume, ReadOnlyMany cannot work." -}}
{{- end -}}
{{- end -}}

{{- define "spyhop.guardBudget" -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if and $budget.enabled (not (kindIs "invalid" $budget.minAvailable)) (not (kindIs "invalid" $budget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget: minAvailable and maxUnavailable are both set: set one of them to null." -}}
{{- end -}}
{{- end -}}

{{- define "spyhop.guardLabels" -}}
{{- range $where := list "commonLabels" "podLabels" -}}
{{- range $label := keys (index $.Values $where) -}}
{{- if has $label (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component") -}}
{{- fail (printf "%s sets %s, by which Spyhop's Service finds its pod: choose another label." $where $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
