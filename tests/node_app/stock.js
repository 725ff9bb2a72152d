// The service that knows what is in stock.
//
// Usage: node --require ./telemetry.js stock.js <own port>
const http = require('node:http');
const { metrics, trace, SpanStatusCode } = require('@opentelemetry/api');
const pino = require('pino');

const log = pino({ name: 'stock' });
const tracer = trace.getTracer('stock.shelves', '1.2.0');
const lookups = metrics.getMeter('stock').createHistogram('stock.lookup.items', { unit: '{item}' });
const shelves = { teapot: 12, lamp: 0, kettle: 5 };

// A span by hand, with an event, among those of the instrumentation.
function look(item) {
  return tracer.startActiveSpan('look on the shelf', { attributes: { 'shelf.item': item } }, (span) => {
    const count = shelves[item] ?? 0;
    lookups.record(count, { item });
    span.addEvent('counted', { count });
    if (count === 0) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: `no ${item} on the shelf` });
      log.warn('no %s on the shelf', item);
    } else {
      log.info('%d of %s on the shelf', count, item);
    }
    span.end();
    return count;
  });
}

http
  .createServer((request, answer) => {
    if (request.url === '/ping') {
      answer.end('{}');
      return;
    }
    const item = request.url.split('/').pop();
    const count = look(item);
    answer.writeHead(count > 0 ? 200 : 404, { 'content-type': 'application/json' });
    answer.end(JSON.stringify({ item, count }));
  })
  .listen(Number(process.argv[2]), '127.0.0.1');
