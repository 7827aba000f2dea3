/** What is done to the directory of a replica that is not running: bootstrap, and the operator's last resort. */
import { FileLogStore } from '../../adapters/log-file/log-file.ts';
import { loadControlPlaneFile } from '../../config/control-plane.ts';
import { BatonError } from '../../lib/errors.ts';
import { replicaId } from '../../lib/ids.ts';
import { logDirectory } from './control-plane.ts';

/** Creates the directory of one replica of a new cluster. @throws BatonError `already-exists` */
export async function bootstrap(path: string, replica: string): Promise<string> {
  const file = loadControlPlaneFile(path);
  if (replicaId(replica, '--replica') !== file.replica) {
    throw new BatonError(
      'invalid-argument',
      `--replica: the file is of replica ${file.replica}, not ${replica}`,
      {
        fields: { path: '--replica' },
        hint: 'name the replica whose file this is: nobody should bootstrap another by mistake',
      },
    );
  }
  const store = new FileLogStore(logDirectory(file.dataDir));
  const opened = await store.open();
  if (opened.kind !== 'empty') {
    await store.close();
    throw new BatonError('already-exists', `${file.dataDir} holds a replica already`, {
      fields: { path: 'dataDir' },
      hint: 'bootstrap only new clusters; a replica that lost its directory is simply started and rejoins',
    });
  }
  await store.create({
    cluster: file.cluster,
    replica: file.replica,
    epoch: 1,
    incarnationMs: 0,
    voter: true,
    votesAboveTerm: 0,
  });
  await store.close();
  return `replica ${file.replica} of cluster ${file.cluster} is ready to start`;
}

/**
 * Gives this replica its vote back under a higher epoch, whatever the others hold. What the majority had acknowledged and this
 * directory lacks is lost.
 */
export async function recover(path: string): Promise<string> {
  const file = loadControlPlaneFile(path);
  const store = new FileLogStore(logDirectory(file.dataDir));
  const opened = await store.open();
  if (opened.kind !== 'ready') {
    await store.close();
    throw new BatonError(
      'not-bootstrapped',
      `${file.dataDir} holds nothing to recover from (${opened.kind})`,
      {
        fields: { path: 'dataDir' },
        hint: 'copy the data directory of the best surviving replica here first, then recover on a majority of replicas',
      },
    );
  }
  const epoch = opened.identity.epoch + 1;
  await store.setIdentity({
    ...opened.identity,
    replica: file.replica,
    epoch,
    voter: true,
    votesAboveTerm: 0,
  });
  await store.close();
  return `replica ${file.replica} votes again under epoch ${epoch}; do the same on a majority before starting them`;
}
