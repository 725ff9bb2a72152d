{{/* Settings that are not secret, as a map of variables to texts. */}}

{{- define "spyhop.settings" -}}
SPYHOP_DATA_DIR: /var/lib/spyhop
SPYHOP_OTLP_GRPC_ADDRESS: {{ printf "%s:4317" .Values.listenHost | quote }}
SPYHOP_OTLP_HTTP_ADDRESS: {{ printf "%s:4318" .Values.listenHost | quote }}
SPYHOP_API_ADDRESS: {{ printf "%s:4319" .Values.listenHost | quote }}
{{- range include "spyhop.syslogPorts" . | fromYamlArray }}
SPYHOP_SYSLOG_{{ upper .transport }}_ADDRESS: {{ printf "%s:%d" $.Values.listenHost (int .containerPort) | quote }}
{{- end }}
SPYHOP_SHUTDOWN_GRACE: {{ printf "%ds" (int .Values.shutdownGraceSeconds) | quote }}
{{- range $name, $value := .Values.settings }}
{{- if kindIs "map" $value }}
{{- range $inner, $text := $value }}
{{ include "spyhop.variable" (printf "%s.%s" $name $inner) }}: {{ include "spyhop.settingText" $text }}
{{- end }}
{{- else }}
{{ include "spyhop.variable" $name }}: {{ include "spyhop.settingText" $value }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Ports of syslog that are on. The pod's differ between TCP and UDP: an upgrade that changes one of two ports of the same
number may lose the other.
*/}}
{{- define "spyhop.syslogPorts" -}}
{{- with .Values.syslog }}
{{- if .tcp }}
- {transport: tcp, name: syslog-tcp, key: syslogTcp, containerPort: 5514, protocol: TCP}
{{- end }}
{{- if .udp }}
- {transport: udp, name: syslog-udp, key: syslogUdp, containerPort: 5515, protocol: UDP}
{{- end }}
{{- if .tls }}
- {transport: tls, name: syslog-tls, key: syslogTls, containerPort: 6514, protocol: TCP}
{{- end }}
{{- end }}
{{- end -}}

{{/* A number comes from YAML as a float: 1000000 must not become 1e+06. */}}
{{- define "spyhop.settingText" -}}
{{- if kindIs "slice" . -}}
{{- join "," . | quote -}}
{{- else if kindIs "float64" . -}}
{{- int64 . | toString | quote -}}
{{- else -}}
{{- toString . | quote -}}
{{- end -}}
{{- end -}}

{{/* Settings that are secret, as name: key of the Secret. */}}
{{- define "spyhop.secretKeys" -}}
{{- range $name, $value := .Values.secretSettings.values }}
{{ $name }}: {{ $name }}
{{- end }}
{{- range $name, $key := .Values.secretSettings.keys }}
{{ $name }}: {{ $key }}
{{- end }}
{{- end -}}
