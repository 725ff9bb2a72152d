// Sends a little with winston-loki: winston.js <port> <json|protobuf>; nothing in here knows Spyhop.

const winston = require('winston')
const LokiTransport = require('winston-loki')

const [port, form] = process.argv.slice(2)

const loki = new LokiTransport({
  host: `http://127.0.0.1:${port}`,
  json: form === 'json',
  labels: { service_name: `winston-${form}`, region: 'eu' },
  batching: false,
  onConnectionError: (error) => {
    console.error(error)
    process.exit(1)
  }
})

const logger = winston.createLogger({ level: 'debug', transports: [loki] })
logger.info('a cart was opened')
logger.warn('a cart is slow', { cart: 7 })
loki.flush().then(() => process.exit(0))
