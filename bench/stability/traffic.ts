/** A function that is called all the time, through the data plane, as a user deploys and calls it. */
import { join } from 'node:path';
import { call, steadyLoad, type Load } from '../../cluster/demo/load.ts';
import { packageRoot } from '../../cluster/package-root.ts';
import { ApiClient } from '../../src/api/client.ts';
import { packageFunction } from '../../src/cli/package-function.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { ReplicaSet } from '../lib/replica-set.ts';

const NAME = 'hello';
const LOOPS = 4;
const PAUSE_MS = 20;
const DEPLOY_TIMEOUT_MS = 60_000;

/** @throws BatonError when the function cannot be deployed or does not answer */
export async function beginTraffic(replicas: ReplicaSet): Promise<Load> {
  const { view } = replicas;
  const servers = view.replicas.map(({ grpc }) => grpc);
  const client = new ApiClient({ servers, token: undefined, timeoutMs: DEPLOY_TIMEOUT_MS });
  try {
    const packaged = await packageFunction(join(packageRoot(), 'examples', 'hello.ts'));
    await client.upload(packaged.artifact, packaged.digest);
    await client.putFunction(
      {
        name: NAME,
        runtime: packaged.runtime,
        artifact: packaged.digest,
        artifactBytes: packaged.artifact.length,
        entry: packaged.entry,
        min: 1,
      },
      { ifGeneration: undefined, trial: true },
    );
  } finally {
    client.close();
  }
  const url = `${view.dataPlanes[0]?.url ?? ''}/function/${NAME}`;
  const first = await call(url);
  if (first.status !== 200)
    throw new BatonError('unavailable', `${url} answers ${first.status}: ${first.body}`);
  return steadyLoad([url], LOOPS, PAUSE_MS);
}
