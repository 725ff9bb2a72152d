// Answers about made-up services, always the same: what the UI's pages about services are looked at with where the
// real server has no such data (a jump of errors at a known minute, circles, more nodes than can be drawn).

const MINUTE = 60_000_000_000n;

/** name, calls a second, share of errors, p99 in ms, whether it went wrong at minute 38, instances, latest error */
const SERVICES = [
  ["acquirer", 118, 0.088, 1004, true, 5, "deadline exceeded"],
  ["cart", 210, 0.0002, 96, false, 4],
  ["catalog", 351, 0, 44, false, 4],
  ["checkout", 140, 0.032, 2210, true, 4, "upstream failed"],
  ["email", 12, 0, 1220, false, 5],
  ["gateway", 402, 0.0061, 912, false, 3],
  ["payment", 112, 0.0941, 1840, true, 3, "java.net.SocketTimeoutException"],
  ["pricing", 188, 0, 61, false, 5],
  ["shipping", 74, 0.0011, 330, false, 3],
];

const EDGES = [
  ["gateway", "checkout", 140], ["gateway", "cart", 160], ["gateway", "catalog", 102], ["checkout", "cart", 50],
  ["checkout", "pricing", 120], ["checkout", "payment", 112], ["checkout", "shipping", 74], ["cart", "pricing", 68],
  ["cart", "database:redis", 210], ["catalog", "database:postgresql", 351], ["payment", "acquirer", 118],
  ["payment", "database:postgresql", 112], ["acquirer", "external:api.acmebank.example", 118],
  ["checkout", "queue:orders", 90], ["queue:orders", "email", 12], ["shipping", "queue:orders", 3],
  ["catalog", "catalog", 4], ["pricing", "checkout", 1],
];

const STATS = {
  rows_scanned: 4_812, bytes_scanned: 0, files_total: 12, files_scanned: 3, files_pruned_by_time: 9,
  files_pruned_by_index: 0, journal_rows: 120, snapshot: 7, elapsed_ms: 3.2, complete: true,
};
const stats = () => {
  const { complete, ...stats } = STATS;
  return { stats, complete };
};

/** A generator of numbers from 0 to 1, the same for the same name. */
function chance(name) {
  let seed = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2_147_483_647, 7) || 7;
  return () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
}

function red(calls, share, p99) {
  const millis = (value) => Math.round(value * 1e6);
  const durations = { p50_nano: millis(p99 / 6), p95_nano: millis(p99 / 1.7), p99_nano: millis(p99) };
  return { calls: Math.round(calls), errors: Math.round(calls * share), ...(calls > 0 ? durations : {}) };
}

function series(name, rate, share, p99, wrong, steps, seconds) {
  const next = chance(name);
  const out = { calls: [], errors: [], p50_nano: [], p95_nano: [], p99_nano: [] };
  for (let step = 0; step < steps; step += 1) {
    const bad = !wrong || step / steps > 0.63;
    const calls = Math.round(rate * seconds * (0.9 + 0.1 * Math.sin(step / 9) + 0.06 * next()));
    const p99_now = Math.round(p99 * 1e6 * (bad ? 0.94 + 0.12 * next() : 0.2 + 0.05 * next()));
    out.calls.push(calls);
    out.errors.push(Math.round(calls * share * (bad ? 1 : 0.05)));
    out.p50_nano.push(Math.round(p99_now / 6));
    out.p95_nano.push(Math.round(p99_now / 1.7));
    out.p99_nano.push(p99_now);
  }
  return out;
}

function range(url) {
  const start = BigInt(url.searchParams.get("start"));
  const end = BigInt(url.searchParams.get("end"));
  const steps = Number(url.searchParams.get("steps") ?? 60);
  const step = (end - start) / BigInt(steps);
  const text = { step_nano: String(step), start_unix_nano: String(start), end_unix_nano: String(start + step * BigInt(steps)) };
  return { start, end, steps: text, count: steps, seconds: Number(step) / 1e9, length: Number(end - start) / 1e9 };
}

const TRACE = "9f3c1b7a5d2e4c08b6a1f0d4c3b2e21a";

function sample(end, name, title, ago) {
  const sample = {
    time_unix_nano: String(end - BigInt(ago) * 1_000_000_000n), operation: "POST /api/pay", trace_id: TRACE,
    span_id: "b6a1f0d4c3b2e21a", message: `${title}: Read timed out after 1000 ms while talking to ${name}`,
  };
  return title.includes(" ") ? { ...sample, message: title } : { ...sample, exception_type: title };
}

export function services(url) {
  const { end, steps, count, seconds, length } = range(url);
  const list = SERVICES.map(([name, rate, share, p99, wrong, instances, error]) => ({
    name, span_count: Math.round(rate * length * 1.8), error_count: Math.round(rate * length * share), log_count: 812,
    last_seen_unix_nano: String(end - 1_000_000n), red: red(rate * length, share, p99),
    series: series(name, rate, share, p99, wrong, count, seconds), instance_count: instances,
    ...(error ? { latest_error: sample(end, name, error, 12) } : {}),
  }));
  list.push({
    name: "ledger-batch", span_count: 0, error_count: 0, log_count: 1_204, last_seen_unix_nano: String(end - 40n * MINUTE),
    red: { calls: 0, errors: 0 }, series: { calls: [], errors: [] }, instance_count: 1,
  });
  return { services: list, steps, ...stats() };
}

export function service(url, name) {
  const { end, steps, count, seconds, length } = range(url);
  const [, rate, share, p99, wrong, instances, error] = SERVICES.find(([known]) => known === name);
  return {
    service: name, red: red(rate * length, share, p99), series: series(name, rate, share, p99, wrong, count, seconds), steps,
    instances: Array.from({ length: instances }, (_, n) => ({
      id: `${name}-5c6b-09f${n}`, version: n === 0 ? "3.1.1" : "3.1.0", pod: `${name}-5c6b-09f${n}`, host: `node-${n + 5}`,
      sdk_language: "java", span_count: 80_211 + n * 977, log_count: 3_311 + n, last_seen_unix_nano: String(end - BigInt(n) * MINUTE),
    })),
    latest_errors: error ? Array.from({ length: 8 }, (_, n) => sample(end, name, error, 12 + n * 9)) : [],
    last_seen_unix_nano: String(end - 1_000_000n), ...stats(),
  };
}

export function operations(url, name) {
  const { end, steps, count, seconds, length } = range(url);
  const [, rate, share, p99, wrong] = SERVICES.find(([known]) => known === name);
  const rows = [["POST /api/pay", 2, 1], ["charge", 1, 0.9], ["POST /v2/charge", 3, 0.95], ["SELECT cards", 3, 0.8],
    ["publish payment.settled", 4, 0.5], ["GET /api/pay/{id}", 2, 0.2], ["backoff", 1, 0.1]];
  return {
    service: name, steps, ...stats(),
    operations: rows.map(([operation, kind, part], index) => ({
      name: operation, kind, red: red(rate * length * part, index === 3 ? 0 : share * part, p99 * part),
      series: series(name + operation, rate * part, index === 3 ? 0 : share * part, p99 * part, wrong, count, seconds),
      last_seen_unix_nano: String(end - BigInt(index) * 3_000_000_000n),
    })),
  };
}

const kindOf = (id) => (id.includes(":") ? id.split(":")[0] : "service");

function node(id, length) {
  const known = SERVICES.find(([name]) => name === id);
  const calls = known ? known[1] : EDGES.filter(([, target]) => target === id).reduce((sum, edge) => sum + edge[2], 0);
  return { id, name: id.replace(/^[^:]*:/, ""), kind: kindOf(id), red: red(calls * length, known?.[2] ?? 0, known?.[3] ?? 12) };
}

export function serviceMap(url) {
  const { length } = range(url);
  const wanted = url.searchParams.get("service");
  const edges = EDGES.filter(([source, target]) => !wanted || source === wanted || target === wanted).sort();
  const ids = new Set(wanted ? [wanted] : [...SERVICES.map(([name]) => name), "ledger-batch"]);
  edges.forEach(([source, target]) => ids.add(source).add(target));
  return {
    nodes: [...ids].sort().map((id) => node(id, length)),
    edges: edges.map(([source, target, rate]) => {
      const callee = SERVICES.find(([name]) => name === target);
      return { source, target, red: red(rate * length, callee?.[2] ?? 0, callee?.[3] ?? 12) };
    }),
    ...stats(),
  };
}

/** A map of so many services, each calling a few of those after it, and some before. */
export function largeMap(count) {
  const next = chance("large");
  const name = (n) => `service-${String(n).padStart(3, "0")}`;
  const nodes = Array.from({ length: count }, (_, n) => ({ ...node(name(n), 3600), red: red(1000 + 50 * n, n % 9 === 0 ? 0.04 : 0, 20 + n) }));
  const pairs = new Set();
  for (let n = 1; n < count; n += 1) {
    for (let more = 0; more < 2; more += 1) pairs.add(`${name(Math.floor(next() * n))}>${name(n)}`);
    if (n % 25 === 0) pairs.add(`${name(n)}>${name(0)}`);
  }
  const edges = [...pairs].sort().map((pair) => {
    const [source, target] = pair.split(">");
    return { source, target, red: red(900, 0, 20) };
  });
  return { nodes, edges, ...stats() };
}

/** The answer to a request, or nothing where it is not about services. */
export function answer(address) {
  const url = new URL(address);
  const [, , , first, name, more] = url.pathname.split("/").map(decodeURIComponent);
  if (first === "service-map") return serviceMap(url);
  if (first !== "services") return undefined;
  if (!name) return url.searchParams.has("steps") ? services(url) : { ...services(url) };
  return more === "operations" ? operations(url, name) : service(url, name);
}
