{{/* Settings that are not secret, as a map of variables to texts. */}}

{{- define "spyhop.settings" -}}
SPYHOP_DATA_DIR: /var/lib/spyhop
SPYHOP_OTLP_GRPC_ADDRESS: {{ printf "%s:4317" .Values.listenHost | quote }}
SPYHOP_OTLP_HTTP_ADDRESS: {{ printf "%s:4318" .Values.listenHost | quote }}
SPYHOP_API_ADDRESS: {{ printf "%s:4319" .Values.listenHost | quote }}
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
