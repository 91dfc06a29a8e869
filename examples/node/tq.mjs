// What a program in Node.js needs of tq: `connect` for a client, `Worker` for a worker. Everything that goes over the
// wire is described in tq.proto, which is loaded as it is; nothing is generated.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

// In an installed tq: python -c "import tq.edges.grpc as m; print(m.__path__[0] + '/tq.proto')"
const PROTO = process.env.TQ_PROTO ?? fileURLToPath(new URL('../../tq/edges/grpc/tq.proto', import.meta.url));
const { tq } = grpc.loadPackageDefinition(
  loader.loadSync(PROTO, { keepCase: true, longs: Number, defaults: true, oneofs: true }),
);
const OPTIONS = { 'grpc.max_receive_message_length': 64 << 20, 'grpc.keepalive_time_ms': 30_000 };

const JSON_TYPE = 'application/json';
export const json = (value) => ({ payload: Buffer.from(JSON.stringify(value)), content_type: JSON_TYPE });
const decoded = (bytes, contentType) => (contentType.startsWith(JSON_TYPE) ? JSON.parse(bytes) : bytes);

function metadataOf(token) {
  const metadata = new grpc.Metadata();
  if (token) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

// tq's stable code of an error, such as TASK_NOT_FOUND; empty if it never came as far as tq.
export const codeOf = (error) => error.metadata?.get('tq-code')[0] ?? '';

// A client of the broker: `await client.tasks.Submit({task: {...}})`. `seconds` is the deadline of each call.
export function connect({ address = '127.0.0.1:9090', token = process.env.TQ_TOKEN, seconds = 30 } = {}) {
  const client = { stubs: [], close: () => client.stubs.forEach((stub) => stub.close()) };
  for (const [name, Stub] of Object.entries(tq.v1)) {
    if (typeof Stub !== 'function') continue; // a message
    const stub = new Stub(address, grpc.credentials.createInsecure(), OPTIONS);
    const methods = (client[name.toLowerCase()] = {});
    client.stubs.push(stub);
    for (const [method, { requestStream, responseStream }] of Object.entries(Stub.service)) {
      if (requestStream) methods[method] = () => stub[method](metadataOf(token));
      else if (responseStream) methods[method] = (request) => stub[method](request, metadataOf(token));
      else {
        const call = promisify(stub[method]).bind(stub);
        methods[method] = (request, deadline = seconds) =>
          call(request, metadataOf(token), { deadline: Date.now() + deadline * 1_000 });
      }
    }
  }
  client.result = async (id, within = 60) => {
    const outcome = await client.tasks.Wait({ id, timeout_ms: within * 1_000 }, within + 5);
    if (outcome.state === 'completed') return decoded(outcome.result, outcome.content_type);
    throw new Error(`task ${id}: ${outcome.error?.message || outcome.reason || outcome.state}`);
  };
  return client;
}

// Throw it in a handler to fail for good, without another attempt.
export class Fail extends Error {}

// Runs handlers: `new Worker({resize: async (args, context) => ...}).run()`. A handler gets the payload (of JSON: the
// value) and a context: `task`, `signal` (aborted on timeout, cancellation and shutdown), `progress(fraction, note)`,
// `log(text, level)`. What it returns is the result. A handler may run again after a crash: make it safe to repeat.
export class Worker {
  constructor(handlers, { address, token, name = `node@${hostname()}`, queues = [], concurrency = 10 } = {}) {
    this.client = connect({ address, token });
    this.handlers = handlers;
    this.concurrency = concurrency;
    this.hello = { name, host: hostname(), pid: process.pid, concurrency, task_types: Object.keys(handlers) };
    this.hello.queues = queues.map((queue) => ({ name: queue, priority: 0 }));
    this.hello.incarnation = randomBytes(16).toString('hex'); // the same at every reconnect
    this.running = new Map(); // by token: {delivery, abort}
    this.outcomes = new Map(); // by token: {kind, outcome}, until the broker has confirmed them
    this.sent = new Map(); // by number of message: the tokens that it settled
    this.next = {}; // what goes out with the next message
    this.number = 0;
    this.isDraining = false;
    this.isScheduled = false;
  }

  // Until `drain` was called, by SIGTERM for choice, and everything in hand has ended. Connects again by itself.
  async run() {
    for (let pause = 50; !this.isDone(); pause = Math.min(pause * 2, 5_000)) {
      const error = await this.#converse();
      if (this.isDone()) break;
      if (error && [grpc.status.UNAUTHENTICATED, grpc.status.INVALID_ARGUMENT].includes(error.code)) throw error;
      if (this.wasWelcome) pause = 50;
      await new Promise((wake) => setTimeout(wake, Math.random() * pause));
    }
    this.client.close();
  }

  drain() {
    this.isDraining = true;
    this.#write({ heartbeat: this.#beat() });
  }

  isDone() {
    return this.isDraining && this.running.size === 0 && this.outcomes.size === 0;
  }

  #converse() {
    return new Promise((ended) => {
      this.wasWelcome = false;
      this.sent.clear();
      const call = this.client.workers.Work();
      call.on('data', (reply) => this.#take(reply));
      call.on('error', (error) => this.#hangUp(() => ended(error)));
      call.on('end', () => this.#hangUp(ended));
      const held = [...this.running.values()].map(({ delivery }) => leaseOf(delivery));
      held.push(...[...this.outcomes.values()].map(({ outcome }) => leaseOf(outcome)));
      call.write({ hello: { ...this.hello, held } });
      this.call = call;
    });
  }

  #hangUp(ended) {
    clearInterval(this.beating);
    this.call = undefined;
    ended();
  }

  #take(reply) {
    if (reply.welcome) this.#welcome(reply.welcome);
    for (const delivery of reply.deliveries) this.#start(delivery);
    for (const settled of reply.settled) this.#settled(settled);
    for (const { token } of reply.cancel) this.running.get(token)?.abort.abort('cancelled');
    for (const { token } of reply.revoked) this.running.get(token)?.abort.abort('revoked');
    for (const wanted of reply.stacks_wanted) {
      this.#write({ stacks: [{ number: wanted.number, reason: 'this worker runs JavaScript' }] });
    }
    if (reply.drain) this.drain();
  }

  #welcome(welcome) {
    this.wasWelcome = true;
    this.resultBytesMax = welcome.payload_bytes_max;
    const lost = new Set(welcome.lost);
    for (const { delivery, abort } of this.running.values()) if (lost.has(delivery.id)) abort.abort('revoked');
    for (const [token, { outcome }] of this.outcomes) if (lost.has(outcome.task_id)) this.outcomes.delete(token);
    this.beating = setInterval(() => this.#write({ heartbeat: this.#beat() }), welcome.heartbeat_interval_ms);
    const credit = this.isDraining ? 0 : this.concurrency - this.running.size;
    this.#write({ credit, heartbeat: this.#beat() }); // and all outcomes that were not confirmed
  }

  #beat() {
    return { running: this.running.size, rss_bytes: process.memoryUsage.rss(), is_draining: this.isDraining };
  }

  async #start(delivery) {
    const abort = new AbortController();
    this.running.set(delivery.token, { delivery, abort });
    const timer = setTimeout(() => abort.abort('timeout'), delivery.timeout_ms);
    const stopped = new Promise((_, reject) => abort.signal.addEventListener('abort', () => reject(abort.signal)));
    const lease = leaseOf(delivery);
    const context = {
      task: delivery,
      signal: abort.signal,
      progress: (fraction, note = '') => this.#write({ progress: [{ ...lease, fraction, note }] }),
      log: (text, level = 'info') => this.#write({ log: [{ ...lease, at_ms: Date.now(), level, text }] }),
    };
    let ending;
    try {
      const work = (async () => this.handlers[delivery.task_type](decoded(delivery.payload, delivery.content_type), context))();
      ending = { kind: 'successes', outcome: this.#success(lease, await Promise.race([work, stopped])) };
    } catch (error) {
      ending = failed(lease, error, abort.signal);
    }
    clearTimeout(timer);
    this.running.delete(delivery.token);
    if (ending) this.outcomes.set(delivery.token, ending); // a lease that was revoked has no outcome
    this.#write(this.isDraining ? {} : { credit: 1 });
  }

  #success(lease, value) {
    const isBytes = Buffer.isBuffer(value);
    const result = isBytes ? value : Buffer.from(value === undefined ? '' : JSON.stringify(value));
    if (result.length > this.resultBytesMax) throw new Fail(`a result of ${result.length} bytes is too large`);
    return { ...lease, result, content_type: isBytes || value === undefined ? '' : JSON_TYPE };
  }

  #settled({ number, error_code, error_message }) {
    const tokens = this.sent.get(number) ?? [];
    this.sent.delete(number);
    if (error_code) console.error(`tq refused outcomes: ${error_code}: ${error_message}`);
    for (const token of tokens) this.outcomes.delete(token); // those in `lost` were settled otherwise
    if (this.isDone()) this.call?.end();
  }

  // Everything of one turn of the event loop goes out in one message.
  #write(part) {
    if (!this.isScheduled) setImmediate(() => this.#flush());
    this.isScheduled = true;
    for (const [name, value] of Object.entries(part)) {
      if (Array.isArray(value)) this.next[name] = [...(this.next[name] ?? []), ...value];
      else this.next[name] = name === 'credit' ? (this.next.credit ?? 0) + value : value;
    }
  }

  #flush() {
    this.isScheduled = false;
    if (!this.call || !this.wasWelcome) {
      this.next = {}; // a new connection begins with none of it
      return;
    }
    const message = this.next;
    this.next = {};
    const underWay = new Set([...this.sent.values()].flat());
    const tokens = [...this.outcomes.keys()].filter((token) => !underWay.has(token));
    for (const token of tokens) {
      const { kind, outcome } = this.outcomes.get(token);
      (message[kind] ??= []).push(outcome);
    }
    if (tokens.length > 0) {
      message.number = ++this.number;
      this.sent.set(message.number, tokens);
    }
    this.call.write(message);
    if (this.isDone()) this.call.end();
  }
}

const leaseOf = ({ id, task_id, token }) => ({ task_id: id ?? task_id, token });

function failed(lease, error, signal) {
  if (!signal.aborted) {
    const { name = 'Error', message = String(error), stack = '' } = error ?? {};
    const failure = { ...lease, error_type: name, message, traceback: stack, is_final: error instanceof Fail };
    return { kind: 'failures', outcome: failure };
  }
  if (signal.reason === 'cancelled') return { kind: 'cancelled', outcome: lease };
  if (signal.reason === 'revoked') return undefined;
  return { kind: 'failures', outcome: { ...lease, error_type: 'TimeoutError', message: 'ran too long', is_timeout: true } };
}
