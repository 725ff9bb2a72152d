// The service that customers call: takes orders and asks the stock service whether it can deliver.
//
// Usage: node --require ./telemetry.js storefront.js <own port> <port of the stock service>
const http = require('node:http');
const { metrics, trace } = require('@opentelemetry/api');
const pino = require('pino');

const log = pino({ name: 'storefront' });
const meter = metrics.getMeter('storefront');
const orders = meter.createCounter('orders.placed', { unit: '{order}', description: 'Orders placed' });
const openCarts = meter.createUpDownCounter('carts.open', { unit: '{cart}', description: 'Carts not yet paid for' });
const duration = meter.createHistogram('order.duration', { unit: 's', description: 'Time to place an order' });

function ask(url) {
  return new Promise((resolve, reject) => {
    http
      .get(url, (answer) => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (part) => (body += part));
        answer.on('end', () => resolve({ status: answer.statusCode, body }));
      })
      .on('error', reject);
  });
}

async function placeOrder(item) {
  const began = performance.now();
  openCarts.add(1);
  log.info({ 'order.item': item, order: { item, count: 1 } }, 'order for %s received', item);
  const answer = await ask(`http://127.0.0.1:${process.argv[3]}/stock/${item}`);
  if (answer.status !== 200) {
    log.error({ err: new Error(`no ${item} left`) }, '%s cannot be delivered', item);
    return { ordered: false };
  }
  orders.add(1, { item });
  openCarts.add(-1);
  duration.record((performance.now() - began) / 1000, { item });
  log.info('order for %s placed', item);
  return { ordered: true };
}

http
  .createServer(async (request, answer) => {
    if (request.url === '/ping') {
      answer.end('{}');
      return;
    }
    let body = '';
    for await (const part of request) body += part;
    const traceId = trace.getActiveSpan().spanContext().traceId;
    const placed = await placeOrder(JSON.parse(body).item);
    answer.writeHead(placed.ordered ? 200 : 409, { 'content-type': 'application/json' });
    answer.end(JSON.stringify({ ...placed, trace_id: traceId }));
  })
  .listen(Number(process.argv[2]), '127.0.0.1');
