// A client: `node client.mjs [HOST:PORT]`, while worker.mjs runs. Submits tasks, waits for their results, looks at an
// error, and cancels.

import { codeOf, connect, json } from './tq.mjs';

const client = connect({ address: process.argv[2] ?? process.env.TQ_GRPC });

const { id } = await client.tasks.Submit({
  task: { task_type: 'node.count_words', queue: 'node', ...json({ text: 'to be or not to be' }), tags: ['example'] },
});
console.log('result:', JSON.stringify(await client.result(id)));

// Many with one write to the disk; the key makes a repeat harmless.
const tasks = ['one', 'two two', 'three three three'].map((text, index) => ({
  task_type: 'node.count_words',
  queue: 'node',
  key: `example-${process.pid}-${index}`,
  ...json({ text }),
}));
const { ids } = await client.tasks.SubmitMany({ tasks });
const results = await Promise.all(ids.map((one) => client.result(one)));
console.log('words:', results.map(({ words }) => words).join(' '));

// A handler that gives up at once: a dead letter, whose error the client is told.
const bad = await client.tasks.Submit({ task: { task_type: 'node.count_words', queue: 'node', ...json({}) } });
await client.result(bad.id).catch((error) => console.log('failed:', error.message.replace(bad.id, 'ID')));

// One that is cancelled while it runs.
const long = await client.tasks.Submit({ task: { task_type: 'node.sleep', queue: 'node', ...json({ seconds: 600 }) } });
while ((await client.tasks.Get({ id: long.id })).state === 'pending') await new Promise((wake) => setTimeout(wake, 20));
await client.tasks.Cancel({ ids: [long.id], reason: 'enough slept' });
await client.result(long.id).catch((error) => console.log('cancelled:', error.message.replace(long.id, 'ID')));

// Errors have a stable code.
await client.tasks.Get({ id: '0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b' }).catch((error) => console.log('code:', codeOf(error)));

const { engine } = await client.broker.GetStats({});
console.log('completed:', engine.completed_total >= 4);
client.close();
