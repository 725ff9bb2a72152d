// OpenTelemetry as guides set it up for Node: required before anything else, so that http and pino are instrumented
// by themselves. Traces, logs and metrics go over OTLP/HTTP as JSON, to the endpoint that
// OTEL_EXPORTER_OTLP_ENDPOINT names, gzipped where OTEL_EXPORTER_OTLP_COMPRESSION says so.
const { NodeSDK, logs, metrics, tracing } = require('@opentelemetry/sdk-node');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-http');
const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-http');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { PinoInstrumentation } = require('@opentelemetry/instrumentation-pino');

const sdk = new NodeSDK({
  spanProcessors: [new tracing.BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 200 })],
  logRecordProcessors: [
    new logs.BatchLogRecordProcessor({ exporter: new OTLPLogExporter(), scheduledDelayMillis: 200 }),
  ],
  metricReaders: [
    new metrics.PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(), exportIntervalMillis: 1000 }),
  ],
  instrumentations: [
    new HttpInstrumentation({
      ignoreIncomingRequestHook: (request) => request.url === '/ping',
    }),
    new PinoInstrumentation(),
  ],
});
sdk.start();

// What is left is sent before the process ends.
process.on('SIGTERM', () => {
  sdk.shutdown().then(
    () => process.exit(0),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});
