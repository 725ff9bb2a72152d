{{/* The pod of the server. */}}

{{- define "spyhop.podSpec" -}}
serviceAccountName: {{ include "spyhop.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
{{- with include "spyhop.pullSecrets" . | trim }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- range $key := list "dnsConfig" "hostAliases" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "initContainers" }}
{{- with index $.Values $key }}
{{ $key }}:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- end }}
containers:
  {{- include "spyhop.container" . | nindent 2 }}
  {{- with .Values.extraContainers }}
  {{- tpl (toYaml .) $ | nindent 2 }}
  {{- end }}
volumes:
  {{- include "spyhop.volumes" . | nindent 2 }}
{{- end -}}

{{- define "spyhop.container" -}}
- name: spyhop
  image: {{ include "spyhop.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    - serve
    {{- range .Values.extraArgs }}
    - {{ tpl . $ | quote }}
    {{- end }}
  envFrom:
    - configMapRef:
        name: {{ include "spyhop.fullname" . }}-settings
    {{- with .Values.extraEnvFrom }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  {{- $secrets := include "spyhop.secretKeys" . | fromYaml }}
  {{- if or $secrets .Values.extraEnv }}
  env:
    {{- range $name, $key := $secrets }}
    - name: {{ include "spyhop.variable" $name }}_FILE
      value: {{ printf "/etc/spyhop/secrets/%s" $key | quote }}
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  {{- end }}
  ports:
    - name: otlp-grpc
      containerPort: 4317
      protocol: TCP
    - name: otlp-http
      containerPort: 4318
      protocol: TCP
    - name: api
      containerPort: 4319
      protocol: TCP
    {{- range include "spyhop.syslogPorts" . | fromYamlArray }}
    - name: {{ .name }}
      containerPort: {{ .containerPort }}
      protocol: {{ .protocol }}
    {{- end }}
  {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" "lifecycle" "resources" }}
  {{- with index $.Values $probe }}
  {{ $probe }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with .Values.containerSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: data
      mountPath: /var/lib/spyhop
    - name: tmp
      mountPath: /tmp
    {{- if $secrets }}
    - name: secrets
      mountPath: /etc/spyhop/secrets
      readOnly: true
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "spyhop.volumes" -}}
- name: data
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ tpl (include "spyhop.claimName" .) . }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.persistence.size | quote }}
  {{- end }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.tmpSizeLimit | quote }}
{{- if include "spyhop.secretKeys" . | fromYaml }}
- name: secrets
  secret:
    secretName: {{ tpl (include "spyhop.secretName" .) . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}
