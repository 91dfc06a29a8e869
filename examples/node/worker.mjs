// A worker: `npm install`, then `node worker.mjs [HOST:PORT]` beside a broker (`tq up`). Ctrl-C lets it finish.

import { setTimeout as sleep } from 'node:timers/promises';
import { Fail, Worker } from './tq.mjs';

const worker = new Worker(
  {
    // Counts the words of a text, and says how far it is.
    'node.count_words': async ({ text }, context) => {
      if (typeof text !== 'string') throw new Fail('there is no text to count'); // another attempt would not help
      const counts = {};
      const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
      for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
      context.log(`${words.length} words`);
      context.progress(1, 'counted');
      return { words: words.length, counts };
    },

    // Sleeps, and wakes up when it is asked to stop.
    'node.sleep': async ({ seconds }, { signal }) => {
      await sleep(seconds * 1_000, undefined, { signal });
      return { slept: seconds };
    },
  },
  { address: process.argv[2] ?? process.env.TQ_GRPC, queues: ['node'] },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => worker.drain());
console.log('ready');
await worker.run();
console.log('done');
