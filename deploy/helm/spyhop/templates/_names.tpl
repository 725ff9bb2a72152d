{{/* Names and labels. What is in a selector never changes between releases. */}}

{{- define "spyhop.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 characters at most: the StatefulSet adds a hash of ten to name its revisions. */}}
{{- define "spyhop.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "spyhop.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "spyhop.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "spyhop.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "spyhop.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "spyhop.claimName" -}}
{{- default (include "spyhop.fullname" .) .Values.persistence.existingClaim -}}
{{- end -}}

{{- define "spyhop.secretName" -}}
{{- default (printf "%s-settings" (include "spyhop.fullname" .)) .Values.secretSettings.existingSecret -}}
{{- end -}}

{{- define "spyhop.selectorLabels" -}}
app.kubernetes.io/name: {{ include "spyhop.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "spyhop.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: spyhop
{{- with .Values.commonLabels }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}

{{- define "spyhop.labels" -}}
{{ include "spyhop.selectorLabels" . }}
{{ include "spyhop.commonLabels" . }}
{{- end -}}

{{/* metadata of an object: a list of the root context, the suffix of its name, its annotations, its labels. */}}
{{- define "spyhop.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "spyhop.fullname" $root }}{{ index . 1 }}
namespace: {{ include "spyhop.namespace" $root }}
labels:
  {{- include "spyhop.labels" $root | nindent 2 }}
  {{- with index . 3 }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
{{- with mergeOverwrite (deepCopy $root.Values.commonAnnotations) (index . 2) }}
annotations:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "spyhop.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- with $registry }}{{ . }}/{{ end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end -}}
{{- end -}}

{{- define "spyhop.pullSecrets" -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
- name: {{ tpl . $ }}
{{- end }}
{{- end -}}

{{/* The variable of a setting: `query.time_max` is SPYHOP_QUERY_TIME_MAX. */}}
{{- define "spyhop.variable" -}}
SPYHOP_{{ . | replace "." "_" | upper }}
{{- end -}}

{{/* Whether somebody outside the cluster may reach the ports: "true" or nothing. */}}
{{- define "spyhop.isOpen" -}}
{{- if ne .Values.service.type "ClusterIP" }}true{{ end -}}
{{- end -}}
