// Sends numbered spans, log records and data points with OpenTelemetry for JavaScript as guides set it up.
//
// Usage: send.js http|proto|grpc, with the usual environment (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_BSP_SCHEDULE_DELAY …)
// and CLIENT_RECORDS, CLIENT_POINTS, CLIENT_SECONDS. `http` is JSON. Nothing in here knows Spyhop.
const { setTimeout: sleep } = require('node:timers/promises');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');

const kind = process.argv[2];
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${kind}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${kind}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${kind}`);

const records = Number(process.env.CLIENT_RECORDS);
const points = Number(process.env.CLIENT_POINTS);
const seconds = Number(process.env.CLIENT_SECONDS);
const delay = Number(process.env.OTEL_BSP_SCHEDULE_DELAY);

const resource = resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME });
const tracers = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: delay })],
});
const loggers = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(), scheduledDelayMillis: delay })],
});
const exportIntervalMillis = Number(process.env.OTEL_METRIC_EXPORT_INTERVAL);
const meters = new MeterProvider({
  resource,
  readers: [
    new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter(),
      exportIntervalMillis,
      exportTimeoutMillis: Math.min(exportIntervalMillis, 30000),
    }),
  ],
});

const name = (what, number) => `${what} #${String(number).padStart(6, '0')}#`;

async function main() {
  const counter = meters.getMeter('client').createCounter('client.points');
  for (let number = 0; number < points; number += 1) {
    counter.add(1, { number: name('point', number) });
  }
  const tracer = tracers.getTracer('client');
  const logger = loggers.getLogger('client');
  for (let number = 0; number < records; number += 1) {
    const span = tracer.startSpan(name('span', number), { attributes: { number } });
    logger.emit({ severityNumber: 9, body: name('log', number), attributes: { number } });
    span.end();
    await sleep((seconds * 1000) / records);
  }
  // Each sends what it still has; metrics are sent once more. One that fails must not keep the others from it.
  const ended = await Promise.allSettled([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
  ended.filter((one) => one.reason).forEach((one) => console.error(String(one.reason)));
}

main();
